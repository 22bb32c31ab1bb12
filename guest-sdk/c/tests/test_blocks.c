/* Blocks, keys and hashes: the vectors of the contract, and blocks of random schemas there and back. Run in the SDK's folder.
 *
 * The kit's file is included, so that its rows of any schema are at hand. */

#include "../tidemill_test.c"

static char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) give_up("cannot open %s: run this in the SDK's folder", path);
    fseek(file, 0, SEEK_END);
    long len = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)len + 1);
    if (fread(text, 1, (size_t)len, file) != (size_t)len) give_up("cannot read %s", path);
    fclose(file);
    return text;
}

static tdm_bytes from_hex(part **parts, tdm_text hex) {
    uint8_t *out = keep(parts, hex.len / 2);
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        unsigned byte;
        sscanf(hex.ptr + i, "%2x", &byte);
        out[i / 2] = (uint8_t)byte;
    }
    return (tdm_bytes){out, hex.len / 2};
}

static uint64_t from_hex64(tdm_text hex) { return strtoull(hex.ptr, NULL, 16); }

static tdm_column *columns_of_shape(part **parts, const shape *s) {
    tdm_column *columns = keep(parts, (s->record.count + 1) * sizeof *columns);
    for (size_t i = 0; i < s->record.count; i++) columns[i] = (tdm_column){s->record.fields[i].name, s->record.fields[i].type};
    return columns;
}

/* A cell as the vectors write it. */
static void vector_cell(part **parts, int type, const tdm_json_value *json, cell *out) {
    if (json->kind == '0') return;
    void *value = value_for(type, out);
    switch (base(type)) {
    case TDM_BOOL: *(bool *)value = tdm_equal(json->text, tdm_str("true")); break;
    case TDM_I32: *(int32_t *)value = (int32_t)strtol(json->text.ptr, NULL, 10); break;
    case TDM_I64: *(int64_t *)value = strtoll(json->text.ptr, NULL, 10); break;
    case TDM_F64: {
        uint64_t bits = from_hex64(json->text);
        memcpy(value, &bits, 8);
        break;
    }
    case TDM_STRING: *(tdm_text *)value = keep_text(parts, json->text); break;
    default: *(tdm_bytes *)value = from_hex(parts, json->text); break;
    }
}

static void vector_row(part **parts, const shape *s, const tdm_json_value *cells, cell *out) {
    const tdm_json_value *json = cells->first;
    for (size_t c = 0; c < s->record.count; c++, json = json->next) vector_cell(parts, s->record.fields[c].type, json, &out[c]);
}

static bool same_bytes(tdm_bytes a, tdm_bytes b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }

static void good_blocks(void) {
    char *text = read_file("wit/vectors/blocks.json");
    tdm_json_value *vectors = tdm_json_read(tdm_str(text));
    part *parts = NULL;
    size_t seen = 0;
    for (const tdm_json_value *v = tdm_json_get(vectors, "good")->first; v; v = v->next, seen++) {
        shape s = shape_of(&parts, tdm_json_get(v, "schema")->text);
        tdm_bytes expected = from_hex(&parts, tdm_json_get(v, "hex")->text);
        size_t count = 0;
        int64_t times[16];
        for (const tdm_json_value *time = tdm_json_get(v, "times")->first; time; time = time->next)
            times[count++] = strtoll(time->text.ptr, NULL, 10);
        cell *cells = keep(&parts, (count + 1) * (s.record.size + 1));
        size_t row = 0;
        for (const tdm_json_value *one = tdm_json_get(v, "rows")->first; one; one = one->next)
            vector_row(&parts, &s, one, cells + row++ * s.record.count);
        tdm_bytes written = {NULL, 0};
        written.ptr = tdm_block_write(&s.record, cells, times, count, true, &written.len);
        if (!TDM_EXPECT(same_bytes(written, expected)))
            printf("    %.*s is written in other bytes\n", TDM_ARG(tdm_json_get(v, "name")->text));
        TDM_EXPECT(tdm_block_check(expected, columns_of_shape(&parts, &s), s.record.count) == NULL);
        int64_t *times_read;
        void *records = tdm_block_read(&s.record, expected, &times_read, &count);
        tdm_bytes again = {NULL, 0};
        again.ptr = tdm_block_write(&s.record, records, times_read, count, true, &again.len);
        TDM_EXPECT(same_bytes(again, expected));
        uint64_t id;
        memcpy(&id, written.ptr + 16, 8);
        TDM_EXPECT(id == from_hex64(tdm_json_get(v, "schema_id")->text));
        free((void *)(uintptr_t)written.ptr);
        free((void *)(uintptr_t)again.ptr);
        free(records);
        free(times_read);
    }
    TDM_EXPECT(seen == 14);
    free_parts(parts);
    tdm_json_free(vectors);
    free(text);
}

static void refused_blocks(void) {
    char *text = read_file("wit/vectors/blocks.json");
    tdm_json_value *vectors = tdm_json_read(tdm_str(text));
    part *parts = NULL;
    size_t seen = 0;
    for (const tdm_json_value *v = tdm_json_get(vectors, "refused")->first; v; v = v->next, seen++) {
        shape s = shape_of(&parts, tdm_json_get(v, "schema")->text);
        tdm_bytes bytes = from_hex(&parts, tdm_json_get(v, "hex")->text);
        const char *error = tdm_block_check(bytes, columns_of_shape(&parts, &s), s.record.count);
        const char *wanted = tdm_json_get(v, "error")->text.ptr;
        if (!TDM_EXPECT(error && strstr(error, wanted)))
            printf("    %.*s: %s, not %s\n", TDM_ARG(tdm_json_get(v, "name")->text), error ? error : "no error", wanted);
    }
    TDM_EXPECT(seen == 21);
    free_parts(parts);
    tdm_json_free(vectors);
    free(text);
}

/* The key encoding of block.md; only the host needs it, and whoever wants to know where a key lives. */
static size_t encode_key(const shape *s, const cell *cells, uint8_t *out) {
    uint8_t *to = out;
    for (size_t i = 0; i < s->record.count; i++) {
        int type = s->record.fields[i].type;
        const void *value = value_in(type, &cells[i]);
        if (type & TDM_OPTIONAL) *to++ = value != NULL;
        if (!value) continue;
        static const size_t widths[] = {0, 1, 4, 8, 8};
        if (base(type) == TDM_F64) {
            double number = *(const double *)value;
            uint64_t bits;
            if (number == 0) number = 0;
            memcpy(&bits, &number, 8);
            if (number != number) bits = 0x7ff8000000000000;
            memcpy(to, &bits, 8);
            to += 8;
        } else if (base(type) < TDM_STRING) {
            memcpy(to, value, widths[base(type)]);
            to += widths[base(type)];
        } else {
            const tdm_text *bytes = value;
            uint32_t len = (uint32_t)bytes->len;
            memcpy(to, &len, 4);
            if (len) memcpy(to + 4, bytes->ptr, len);
            to += 4 + len;
        }
    }
    return (size_t)(to - out);
}

static void keys(void) {
    char *text = read_file("wit/vectors/keys.json");
    tdm_json_value *vectors = tdm_json_read(tdm_str(text));
    part *parts = NULL;
    size_t seen = 0;
    for (const tdm_json_value *v = tdm_json_get(vectors, "keys")->first; v; v = v->next, seen++) {
        shape s = shape_of(&parts, tdm_json_get(v, "schema")->text);
        cell *cells = keep(&parts, s.record.size + 1);
        vector_row(&parts, &s, tdm_json_get(v, "row"), cells);
        uint8_t key[4096];
        tdm_bytes made = {key, encode_key(&s, cells, key)};
        TDM_EXPECT(same_bytes(made, from_hex(&parts, tdm_json_get(v, "key")->text)));
        uint64_t hash = tdm_hash(made.ptr, made.len);
        TDM_EXPECT(hash == from_hex64(tdm_json_get(v, "hash")->text));
        TDM_EXPECT((int64_t)(hash % 256) == number_of(tdm_json_get(v, "group"), -1));
    }
    TDM_EXPECT(seen > 10);
    free_parts(parts);
    tdm_json_free(vectors);
    free(text);
}

/* Hashes over bytes 0, 1, 2, ... of every length class, made by the reference implementation (xxHash 0.8). */
static void hashes_of_every_length(void) {
    static const struct {
        size_t len;
        uint64_t hash;
    } expected[] = {
        {0, 0x2d06800538d394c2u},
        {1, 0xc44bdff4074eecdbu},
        {3, 0xc3489259e968ad9eu},
        {4, 0xd3d60c1519014e89u},
        {8, 0xb88dee77f6bf6980u},
        {9, 0x03688dcad730d826u},
        {16, 0x9da23836adf2be1eu},
        {17, 0xf34c3c9cf5a112d1u},
        {32, 0x99cb9ad0f1a11fbeu},
        {33, 0xc077b45492d29cdeu},
        {64, 0x6efb76ff16f37561u},
        {65, 0x2640848e9137156bu},
        {96, 0x764d2d5db92942dfu},
        {97, 0x077acb7e5f4fd940u},
        {128, 0x65f3c2c00fa93185u},
        {129, 0x28065c6ec25f5b25u},
        {143, 0x2a0cabb0c54e9ca6u},
        {144, 0x600e8d345ff9620du},
        {200, 0x7c64f3b17285e96au},
        {239, 0x6ce0b13191e635eau},
        {240, 0x4917a75c0ef8eed7u},
        {241, 0x541b19226f0052e8u},
        {255, 0x99b37c2c806e33d3u},
        {256, 0xff5a1cefade75bb9u},
        {257, 0x84eb2acdd4c7b1a1u},
        {512, 0xe0410eb388a9c9fau},
        {1023, 0x3d31fcc1037648a4u},
        {1024, 0x71bee625238addb4u},
        {1025, 0xd9b414f4e1bbf7adu},
        {1088, 0xb74e423e955e509du},
        {2048, 0x3293e8238bd8f743u},
        {2049, 0x922549b11c04c2ebu},
        {4096, 0x5c722d9ceb6f9064u},
        {4999, 0x91baed057f6ceb56u},
        {5000, 0xed0146266d138bd8u},
    };
    uint8_t bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        if (!TDM_EXPECT(tdm_hash(bytes, expected[i].len) == expected[i].hash)) printf("    of %zu bytes\n", expected[i].len);
    }
}

static uint64_t seed = 1;

static uint64_t next(uint64_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static tdm_text random_bytes(part **parts, bool utf8) {
    static const char *const texts[] = {"a", "tide", "ü", "潮", "🌊", "", "\n\"", "x,y"};
    size_t pieces = next(5);
    char *out = keep(parts, pieces * 8 + 1), *to = out;
    for (size_t i = 0; i < pieces; i++) {
        if (utf8) to += sprintf(to, "%s", texts[next(8)]);
        else *to++ = (char)next(256);
    }
    return (tdm_text){out, (size_t)(to - out)};
}

static void random_cell(part **parts, int type, cell *out) {
    if ((type & TDM_OPTIONAL) && next(3) == 0) return;
    void *value = value_for(type, out);
    uint64_t bits = next(4) ? next(1000) : next(UINT64_MAX);
    switch (base(type)) {
    case TDM_BOOL: *(bool *)value = next(2); break;
    case TDM_I32: memcpy(value, &bits, 4); break;
    case TDM_I64:
    case TDM_F64: memcpy(value, &bits, 8); break;
    default: *(tdm_text *)value = random_bytes(parts, base(type) == TDM_STRING); break;
    }
}

static void random_blocks_come_back_as_they_were(void) {
    for (int round = 0; round < 400; round++) {
        part *parts = NULL;
        shape s = {{"row", 0, NULL, 0}};
        size_t columns = next(9), count = next(40);
        char name[32];
        for (size_t c = 0; c < columns; c++) {
            snprintf(name, sizeof name, "c%zu", c);
            add_field(&parts, &s, tdm_str(name), (int)(1 + next(6)) | (next(2) ? TDM_OPTIONAL : 0));
        }
        cell *cells = keep(&parts, (count + 1) * (s.record.size + 1));
        int64_t times[40];
        for (size_t row = 0; row < count; row++) {
            times[row] = (int64_t)next(UINT64_MAX);
            for (size_t c = 0; c < columns; c++) random_cell(&parts, s.record.fields[c].type, &cells[row * columns + c]);
        }
        tdm_bytes written = {NULL, 0}, again = {NULL, 0};
        written.ptr = tdm_block_write(&s.record, cells, times, count, next(2), &written.len);
        const char *error = tdm_block_check(written, columns_of_shape(&parts, &s), columns);
        if (!TDM_EXPECT(error == NULL)) printf("    %s\n", error);
        int64_t *times_read;
        size_t count_read;
        void *records = tdm_block_read(&s.record, written, &times_read, &count_read);
        uint64_t id;
        memcpy(&id, written.ptr + 16, 8);
        again.ptr = tdm_block_write(&s.record, records, times_read, count_read, id != 0, &again.len);
        TDM_EXPECT(count_read == count && same_bytes(written, again));
        for (size_t row = 0; row < count; row++) {
            for (size_t c = 0; c < columns; c++) {
                const cell *back = (const cell *)records + row * columns + c;
                bool both = value_in(s.record.fields[c].type, back) && value_in(s.record.fields[c].type, &cells[row * columns + c]);
                if (both && base(s.record.fields[c].type) == TDM_I64)
                    TDM_EXPECT(order_of(s.record.fields[c].type, back, &cells[row * columns + c]) == 0);
            }
        }
        free((void *)(uintptr_t)written.ptr);
        free((void *)(uintptr_t)again.ptr);
        free(records);
        free(times_read);
        free_parts(parts);
    }
}

/* Whatever is done to the bytes of a block, reading it ends in an error or in records, never outside of the block. */
static void damaged_blocks_are_refused_or_read(void) {
    part *parts = NULL;
    shape s = shape_of(&parts, tdm_str("a:bool,b:i32?,c:string,d:bytes?,e:f64"));
    size_t refused = 0, read = 0;
    for (int round = 0; round < 3000; round++) {
        cell cells[3][5];
        memset(cells, 0, sizeof cells);
        for (size_t i = 0; i < 15; i++) random_cell(&parts, s.record.fields[i % 5].type, &cells[i / 5][i % 5]);
        tdm_bytes block = {NULL, 0};
        uint8_t *bytes = tdm_block_write(&s.record, cells, NULL, 3, true, &block.len);
        for (size_t hits = 1 + next(3); hits > 0; hits--) bytes[next(block.len)] = (uint8_t)next(256);
        size_t cut = next(4) ? 0 : next(block.len);
        uint8_t *exact = malloc(block.len - cut + 1);
        memcpy(exact, bytes, block.len - cut);
        block = (tdm_bytes){exact, block.len - cut};
        if (tdm_block_check(block, columns_of_shape(&parts, &s), 5)) {
            refused++;
        } else {
            size_t count;
            void *records = tdm_block_read(&s.record, block, NULL, &count);
            TDM_EXPECT(records != NULL);
            free(records);
            read++;
        }
        free(exact);
        free(bytes);
    }
    TDM_EXPECT(refused > 100 && read > 100);
    free_parts(parts);
}

int main(void) {
    TDM_RUN(good_blocks);
    TDM_RUN(refused_blocks);
    TDM_RUN(keys);
    TDM_RUN(hashes_of_every_length);
    TDM_RUN(random_blocks_come_back_as_they_were);
    TDM_RUN(damaged_blocks_are_refused_or_read);
    return tdm_test_done();
}
