/* The SDK's codec as a program, for the test that holds the languages against the host: tests/conformance/tests/blocks.rs.
 *
 * `echo IN OUT` reads blocks, tells what they hold and writes them again; `make SEED COUNT OUT` makes random ones. Of each block OUT gets
 * the schema, the bytes and the rows as text, behind their lengths; IN has no text. The kit's file is included, so that its rows of any
 * schema are at hand. */

#include "../tidemill_test.c"

#include <inttypes.h>
#include <math.h>

static FILE *opened(const char *path, const char *mode) {
    FILE *file = fopen(path, mode);
    if (!file) give_up("cannot open %s", path);
    return file;
}

/* The next part of a file; false at its end. */
static bool read_part(FILE *file, part **parts, tdm_bytes *out) {
    uint8_t head[4];
    if (fread(head, 1, 4, file) != 4) return false;
    size_t len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    uint8_t *bytes = keep(parts, len);
    if (fread(bytes, 1, len, file) != len) give_up("the file ends in the middle of a part");
    *out = (tdm_bytes){bytes, len};
    return true;
}

static void write_part(FILE *file, const void *bytes, size_t len) {
    uint8_t head[4] = {(uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16), (uint8_t)(len >> 24)};
    if (fwrite(head, 1, 4, file) != 4 || fwrite(bytes, 1, len, file) != len) give_up("cannot write");
}

static void tell_cell(FILE *out, int type, const cell *c) {
    const void *value = value_in(type, c);
    if (!value) {
        fputc('-', out);
        return;
    }
    uint64_t bits;
    switch (base(type)) {
    case TDM_BOOL: fputc(*(const bool *)value ? 't' : 'f', out); break;
    case TDM_I32: fprintf(out, "%" PRId32, *(const int32_t *)value); break;
    case TDM_I64: fprintf(out, "%" PRId64, *(const int64_t *)value); break;
    case TDM_F64:
        memcpy(&bits, value, 8);
        fprintf(out, "%016" PRIx64, bits);
        break;
    default: {
        const tdm_text *text = value;
        fputc('"', out);
        for (size_t i = 0; i < text->len; i++) fprintf(out, "%02x", (unsigned char)text->ptr[i]);
    }
    }
}

static void answer(FILE *out, tdm_text schema, const shape *s, const cell *cells, const int64_t *times, size_t count) {
    size_t columns = s->record.count, len, text_len;
    uint8_t *block = tdm_block_write(&s->record, cells, times, count, true, &len);
    char *text;
    FILE *lines = open_memstream(&text, &text_len);
    for (size_t row = 0; row < count; row++) {
        fprintf(lines, "%" PRId64, times[row]);
        for (size_t c = 0; c < columns; c++) {
            fputc(' ', lines);
            tell_cell(lines, s->record.fields[c].type, &cells[row * columns + c]);
        }
        fputc('\n', lines);
    }
    fclose(lines);
    write_part(out, schema.ptr, schema.len);
    write_part(out, block, len);
    write_part(out, text, text_len);
    free(text);
    free(block);
}

static void echo(FILE *in, FILE *out) {
    part *parts = NULL;
    tdm_bytes schema, block;
    while (read_part(in, &parts, &schema) && read_part(in, &parts, &block)) {
        tdm_text text = {(const char *)schema.ptr, schema.len};
        shape s = shape_of(&parts, text);
        tdm_column *columns = keep(&parts, (s.record.count + 1) * sizeof *columns);
        for (size_t i = 0; i < s.record.count; i++) columns[i] = (tdm_column){s.record.fields[i].name, s.record.fields[i].type};
        const char *error = tdm_block_check(block, columns, s.record.count);
        if (error) give_up("a block of %.*s: %s", TDM_ARG(text), error);
        int64_t *times;
        size_t count;
        cell *cells = tdm_block_read(&s.record, block, &times, &count);
        answer(out, text, &s, cells, times, count);
        free(cells);
        free(times);
        free_parts(parts);
        parts = NULL;
    }
}

static uint64_t state;

/* A number below a limit (splitmix64). */
static uint64_t next(uint64_t below) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return below ? z % below : z;
}

static int64_t random_int(void) {
    static const int64_t numbers[] = {0, 1, -1, INT32_MAX, INT32_MIN, INT64_C(1) << 53, -(INT64_C(1) << 53) - 1, INT64_MAX, INT64_MIN};
    uint64_t bits = next(0);
    int64_t any;
    memcpy(&any, &bits, 8);
    return next(2) ? numbers[next(9)] : any;
}

static tdm_text random_text(part **parts, bool utf8) {
    static const char *const letters[] = {"a", " ", "\"", "\n", "ü", "潮", "🌊", "\xEF\xBB\xBF", "\xF4\x8F\xBF\xBF", "\0"};
    size_t len = next(50) ? next(12) : next(5000);
    char *out = keep(parts, len * 4 + 1), *to = out;
    for (size_t i = 0; i < len; i++) {
        if (!utf8) {
            *to++ = (char)next(256);
            continue;
        }
        const char *letter = letters[next(10)];
        size_t bytes = *letter ? strlen(letter) : 1;
        memcpy(to, letter, bytes);
        to += bytes;
    }
    return (tdm_text){out, (size_t)(to - out)};
}

static void random_cell(part **parts, int type, cell *out) {
    static const double numbers[] = {0, -0.0, 1.5, INFINITY, -INFINITY, NAN, 5e-324, 1.7976931348623157e308};
    void *value = value_for(type, out);
    int64_t any = random_int();
    switch (base(type)) {
    case TDM_BOOL: *(bool *)value = next(2); break;
    case TDM_I32: memcpy(value, &any, 4); break;
    case TDM_I64: memcpy(value, &any, 8); break;
    case TDM_F64: memcpy(value, next(2) ? (const void *)&numbers[next(8)] : &any, 8); break;
    default: *(tdm_text *)value = random_text(parts, base(type) == TDM_STRING); break;
    }
}

static void make(FILE *out) {
    static const char *const types[] = {"bool", "i32", "i64", "f64", "string", "bytes"};
    part *parts = NULL;
    char schema[256] = "";
    size_t columns = next(9), count = next(20) ? 1 + next(69) : 0;
    for (size_t c = 0, at = 0; c < columns; c++)
        at += (size_t)snprintf(schema + at, sizeof schema - at, "%sc%zu:%s%s", c ? "," : "", c, types[next(6)], next(2) ? "?" : "");
    shape s = shape_of(&parts, tdm_str(schema));
    cell *cells = keep(&parts, (count + 1) * (s.record.size + 1));
    int64_t times[70];
    for (size_t row = 0; row < count; row++) {
        times[row] = random_int();
        for (size_t c = 0; c < columns; c++) {
            int type = s.record.fields[c].type;
            if (!(type & TDM_OPTIONAL) || next(10) >= (c % 2 ? 2 : 9)) random_cell(&parts, type, &cells[row * columns + c]);
        }
    }
    answer(out, tdm_str(schema), &s, cells, times, count);
    free_parts(parts);
}

int main(int count, char **arguments) {
    if (count < 4) give_up("echo IN OUT or make SEED COUNT OUT");
    FILE *out = opened(arguments[count - 1], "wb");
    if (strcmp(arguments[1], "echo") == 0) {
        FILE *in = opened(arguments[2], "rb");
        echo(in, out);
        fclose(in);
    } else {
        state = strtoull(arguments[2], NULL, 10);
        for (long left = strtol(arguments[3], NULL, 10); left > 0; left--) make(out);
    }
    if (fclose(out) != 0) give_up("cannot write %s", arguments[count - 1]);
    return 0;
}
