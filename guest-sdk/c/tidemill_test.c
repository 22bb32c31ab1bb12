/* Tidemill for C: the test kit's host. SPDX-License-Identifier: Apache-2.0
 *
 * Runs the operators of a plan one record after the other. Operators stand in the plan behind what they read, so that going through them
 * by index is going downstream. A record is carried through all operators before the next is looked at; a watermark is applied to one
 * operator after the other, and what it releases is carried through first.
 *
 *   1 the test program    6 windows and triggers
 *   2 memory and JSON     7 carrying records
 *   3 shapes and rows     8 time
 *   4 the plan            9 starting
 *   5 slots and timers   10 results
 */
#include "tidemill_test.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ==== 1 the test program ====================================================================================== */

static size_t passed, failed;
static bool failing;

void tdm_test_run(const char *name, void (*test)(void)) {
    failing = false;
    test();
    printf("test %s ... %s\n", name, failing ? "FAILED" : "ok");
    fflush(stdout);
    if (failing) failed++;
    else passed++;
}

int tdm_test_done(void) {
    printf("test result: %s. %zu passed; %zu failed\n", failed ? "FAILED" : "ok", passed, failed);
    return failed != 0;
}

bool tdm_test_expect(bool holds, const char *file, int line, const char *condition) {
    if (!holds) {
        printf("%s:%d: this does not hold: %s\n", file, line, condition);
        failing = true;
    }
    return holds;
}

bool tdm_test_expect_text(tdm_text text, const char *string, const char *file, int line, const char *shown) {
    bool same = tdm_equal(text, tdm_str(string));
    if (!same) {
        printf("%s:%d: %s is\n    %.*s\nand not\n    %s\n", file, line, shown, TDM_ARG(text), string);
        failing = true;
    }
    return same;
}

bool tdm_test_expect_string(const char *actual, const char *string, const char *file, int line, const char *shown) {
    return tdm_test_expect_text(tdm_str(actual ? actual : "NULL"), string, file, line, shown);
}

static _Noreturn void give_up(const char *format, ...) TDM_PRINTF_(1, 2);
static _Noreturn void give_up(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("tidemill_test: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
    va_end(args);
    abort();
}

/* ==== 2 memory and JSON ======================================================================================= */

/* Memory that lives as long as the test. */
typedef struct part {
    struct part *next;
    _Alignas(16) char bytes[];
} part;

static void *keep(part **parts, size_t size) {
    part *p = calloc(1, sizeof *p + size + 1);
    if (!p) give_up("out of memory");
    p->next = *parts;
    *parts = p;
    return p->bytes;
}

static tdm_text keep_text(part **parts, tdm_text text) {
    char *copy = keep(parts, text.len);
    if (text.len) memcpy(copy, text.ptr, text.len);
    return (tdm_text){copy, text.len};
}

static void free_parts(part *parts) {
    while (parts) {
        part *next = parts->next;
        free(parts);
        parts = next;
    }
}

typedef struct reader {
    const char *at, *end;
    part **parts;
    int depth;
} reader;

static void skip_space(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) r->at++;
}

static bool take(reader *r, char c) {
    skip_space(r);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static bool read_hex(reader *r, unsigned *code) {
    *code = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        if (r->at == r->end || !isxdigit((unsigned char)*r->at)) return false;
        *code = *code * 16 + (unsigned)(isdigit((unsigned char)*r->at) ? *r->at - '0' : tolower((unsigned char)*r->at) - 'a' + 10);
    }
    return true;
}

static char *put_utf8(char *to, unsigned code) {
    if (code < 0x80) return *to = (char)code, to + 1;
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *to++ = (char)((more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0) | code >> 6 * more);
    while (more-- > 0) *to++ = (char)(0x80 | (code >> 6 * more & 0x3F));
    return to;
}

static bool read_string(reader *r, tdm_text *out) {
    if (!take(r, '"')) return false;
    char *begin = keep(r->parts, (size_t)(r->end - r->at)), *to = begin;
    while (r->at < r->end && *r->at != '"') {
        if (*r->at != '\\') {
            *to++ = *r->at++;
            continue;
        }
        if (++r->at == r->end) return false;
        char c = *r->at++;
        static const char from[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
        const char *found = c ? strchr(from, c) : NULL;
        if (found) {
            *to++ = plain[found - from];
            continue;
        }
        unsigned code, low;
        if (c != 'u' || !read_hex(r, &code)) return false;
        if (code >= 0xD800 && code < 0xDC00) {
            if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u') return false;
            r->at += 2;
            if (!read_hex(r, &low) || low < 0xDC00 || low > 0xDFFF) return false;
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        to = put_utf8(to, code);
    }
    *out = (tdm_text){begin, (size_t)(to - begin)};
    return r->at++ < r->end;
}

static tdm_json_value *read_value(reader *r);

static bool read_members(reader *r, tdm_json_value *value, bool object) {
    char close = object ? '}' : ']';
    tdm_json_value **link = &value->first;
    if (take(r, close)) return true;
    do {
        tdm_text name = {"", 0};
        if (object && (!read_string(r, &name) || !take(r, ':'))) return false;
        tdm_json_value *member = read_value(r);
        if (!member) return false;
        member->name = name;
        *link = member;
        link = &member->next;
    } while (take(r, ','));
    return take(r, close);
}

static tdm_json_value *read_value(reader *r) {
    tdm_json_value *value = keep(r->parts, sizeof *value);
    skip_space(r);
    if (r->at == r->end || r->depth > 100) return NULL;
    bool fine;
    r->depth++;
    if (*r->at == '{' || *r->at == '[') {
        value->kind = *r->at++ == '{' ? 'o' : 'a';
        fine = read_members(r, value, value->kind == 'o');
    } else if (*r->at == '"') {
        value->kind = 's';
        fine = read_string(r, &value->text);
    } else {
        const char *begin = r->at;
        while (r->at < r->end && (isalnum((unsigned char)*r->at) || strchr("+-.", *r->at))) r->at++;
        tdm_text text = value->text = keep_text(r->parts, (tdm_text){begin, (size_t)(r->at - begin)});
        bool literal = tdm_equal(text, tdm_str("true")) || tdm_equal(text, tdm_str("false"));
        value->kind = tdm_equal(text, tdm_str("null")) ? '0' : literal ? 'b' : 'n';
        char *end = NULL;
        if (value->kind == 'n') strtod(text.ptr, &end);
        fine = text.len && (value->kind != 'n' || end == text.ptr + text.len);
    }
    r->depth--;
    return fine ? value : NULL;
}

static tdm_json_value *parse_json(tdm_text document, part **parts) {
    reader r = {document.ptr, document.ptr + document.len, parts, 0};
    tdm_json_value *value = read_value(&r);
    skip_space(&r);
    return r.at == r.end ? value : NULL;
}

/* The parts hang on a value in front of the document's. */
typedef struct document {
    part *parts;
    tdm_json_value value;
} document;

tdm_json_value *tdm_json_read(tdm_text text) {
    part *parts = NULL;
    tdm_json_value *value = parse_json(text, &parts);
    document *d = value ? calloc(1, sizeof *d) : NULL;
    if (!d) return free_parts(parts), (tdm_json_value *)NULL;
    *d = (document){parts, *value};
    return &d->value;
}

void tdm_json_free(tdm_json_value *value) {
    if (!value) return;
    document *d = (document *)(void *)((char *)value - offsetof(document, value));
    free_parts(d->parts);
    free(d);
}

const tdm_json_value *tdm_json_get(const tdm_json_value *object, const char *name) {
    const tdm_json_value *found = NULL;
    for (const tdm_json_value *v = object && object->kind == 'o' ? object->first : NULL; v; v = v->next) {
        if (tdm_equal(v->name, tdm_str(name))) found = v;
    }
    return found;
}

static int64_t number_of(const tdm_json_value *value, int64_t otherwise) { return value ? strtoll(value->text.ptr, NULL, 10) : otherwise; }
static tdm_text text_of(const tdm_json_value *value, const char *otherwise) { return value ? value->text : tdm_str(otherwise); }

/* ==== 3 shapes and rows ======================================================================================= */

/* A cell as it stands in a struct, whatever its type: an optional text is the largest. */
typedef union cell {
    bool b;
    int32_t i;
    int64_t l;
    double f;
    tdm_text t;
    tdm_opt_bool ob;
    tdm_opt_i32 oi;
    tdm_opt_i64 ol;
    tdm_opt_f64 of;
    tdm_opt_text ot;
} cell;

/* A record, made at run time after a schema, whose struct is an array of cells. */
typedef struct shape {
    tdm_record record;
} shape;

typedef struct row {
    int64_t time;
    cell *cells;
} row;

typedef struct rows {
    row *at;
    size_t len, room;
} rows;

static const char *const TYPES[] = {"?", "bool", "i32", "i64", "f64", "string", "bytes"};

static void add_row(rows *r, row one) {
    if (r->len == r->room) {
        r->room = r->room ? 2 * r->room : 16;
        r->at = realloc(r->at, r->room * sizeof *r->at);
        if (!r->at) give_up("out of memory");
    }
    r->at[r->len++] = one;
}

static void add_field(part **parts, shape *s, tdm_text name, int type) {
    tdm_field *fields = keep(parts, (s->record.count + 1) * sizeof *fields);
    if (s->record.count) memcpy(fields, s->record.fields, s->record.count * sizeof *fields);
    fields[s->record.count] = (tdm_field){keep_text(parts, name).ptr, s->record.count * sizeof(cell), type};
    s->record.fields = fields;
    s->record.count++;
    s->record.size = s->record.count * sizeof(cell);
}

/* The shape of a schema's text. */
static shape shape_of(part **parts, tdm_text schema) {
    shape s = {{"row", 0, NULL, 0}};
    tdm_text rest = schema, one, name;
    while (schema.len && tdm_next_part(&rest, ',', &one)) {
        tdm_next_part(&one, ':', &name);
        bool may = one.len && one.ptr[one.len - 1] == '?';
        if (may) one.len--;
        int type = 0;
        for (int t = TDM_BOOL; t <= TDM_BYTES; t++) type = tdm_equal(one, tdm_str(TYPES[t])) ? t : type;
        add_field(parts, &s, name, type | (may ? TDM_OPTIONAL : 0));
    }
    return s;
}

static int index_of(const shape *s, const char *name) {
    for (size_t i = 0; i < s->record.count; i++) {
        if (strcmp(s->record.fields[i].name, name) == 0) return (int)i;
    }
    return -1;
}

static int base(int type) { return type & (TDM_OPTIONAL - 1); }

/* The value in a cell, NULL where it is absent. */
static const void *value_in(int type, const cell *c) {
    if (!(type & TDM_OPTIONAL)) return c;
    if (!c->b) return NULL;
    switch (base(type)) {
    case TDM_BOOL: return &c->ob.value;
    case TDM_I32: return &c->oi.value;
    case TDM_I64: return &c->ol.value;
    case TDM_F64: return &c->of.value;
    default: return &c->ot.value;
    }
}

/* The place of the value in a cell, made present. */
static void *value_for(int type, cell *c) {
    if (type & TDM_OPTIONAL) c->b = true;
    return (void *)(uintptr_t)value_in(type, c);
}

static int order_of(int type, const cell *a, const cell *b) {
    const void *x = value_in(type, a), *y = value_in(type, b);
    if (!x || !y) return (x != NULL) - (y != NULL);
    switch (base(type)) {
    case TDM_BOOL: return *(const bool *)x - *(const bool *)y;
    case TDM_I32: return (*(const int32_t *)x > *(const int32_t *)y) - (*(const int32_t *)x < *(const int32_t *)y);
    case TDM_I64: return (*(const int64_t *)x > *(const int64_t *)y) - (*(const int64_t *)x < *(const int64_t *)y);
    case TDM_F64: return (*(const double *)x > *(const double *)y) - (*(const double *)x < *(const double *)y);
    default: return tdm_compare(*(const tdm_text *)x, *(const tdm_text *)y);
    }
}

static void keep_cell(part **parts, int type, cell *c) {
    tdm_text *text = base(type) >= TDM_STRING ? (tdm_text *)(uintptr_t)value_in(type, c) : NULL;
    if (text) *text = keep_text(parts, *text);
}

/* The rows of a block of this shape. */
static rows decode(part **parts, const shape *s, tdm_bytes block) {
    int64_t *times = NULL;
    size_t count = 0;
    cell *cells = tdm_block_read(&s->record, block, &times, &count);
    if (!cells) give_up("the job emits a block that is none of its schema");
    rows out = {NULL, 0, 0};
    for (size_t i = 0; i < count; i++) {
        row one = {times[i], keep(parts, s->record.size)};
        if (s->record.size) memcpy(one.cells, cells + i * s->record.count, s->record.size);
        for (size_t c = 0; c < s->record.count; c++) keep_cell(parts, s->record.fields[c].type, &one.cells[c]);
        add_row(&out, one);
    }
    free(cells);
    free(times);
    return out;
}

static tdm_bytes encode(const shape *s, const row *one) {
    tdm_bytes bytes = {NULL, 0};
    bytes.ptr = tdm_block_write(&s->record, one->cells, &one->time, 1, true, &bytes.len);
    return bytes;
}

/* The row of a record of the job's; it may have fewer fields than the shape. */
static row row_of(part **parts, const shape *s, const tdm_record *type, const void *record, int64_t time) {
    row out = {time, keep(parts, s->record.size)};
    if (type->count > s->record.count) give_up("%s has more fields than the stream", type->name);
    for (size_t i = 0; i < type->count; i++) {
        const tdm_field *field = &type->fields[i];
        if (field->type != s->record.fields[i].type) give_up("field %s of %s is of another type in the stream", field->name, type->name);
        size_t next = type->size;
        for (size_t k = 0; k < type->count; k++) {
            if (type->fields[k].offset > field->offset && type->fields[k].offset < next) next = type->fields[k].offset;
        }
        size_t size = next - field->offset;
        memcpy(&out.cells[i], (const char *)record + field->offset, size < sizeof(cell) ? size : sizeof(cell));
        keep_cell(parts, field->type, &out.cells[i]);
    }
    return out;
}

/* A number as the host writes it: the shortest that reads back as itself. */
static tdm_text shown_double(part **parts, double value) {
    if (value != value || value - value != 0) return tdm_str("null");
    char digits[40], *out = keep(parts, 40);
    int precision = 0;
    do snprintf(digits, sizeof digits, "%.*e", precision, value);
    while (strtod(digits, NULL) != value && ++precision < 17);
    char *e = strchr(digits, 'e');
    int point = atoi(e + 1) + 1, len = 0;
    char plain[20];
    for (const char *at = digits; at < e; at++) {
        if (isdigit((unsigned char)*at)) plain[len++] = *at;
    }
    while (len > 1 && plain[len - 1] == '0') len--;
    plain[len] = 0;
    const char *sign = digits[0] == '-' ? "-" : "";
    if (value == 0) snprintf(out, 40, "%s0.0", sign);
    else if (point > 16 || point <= -5) snprintf(out, 40, "%s%.1s%s%se%d", sign, plain, len > 1 ? "." : "", plain + 1, point - 1);
    else if (point <= 0)
        snprintf(out, 40, "%s0.%0*d%s", sign, -point, 0, plain), point == 0 ? (void)snprintf(out, 40, "%s0.%s", sign, plain) : (void)0;
    else if (len <= point) snprintf(out, 40, "%s%s%.*s.0", sign, plain, point - len, "0000000000000000");
    else snprintf(out, 40, "%s%.*s.%s", sign, point, plain, plain + point);
    return tdm_str(out);
}

static tdm_text quoted(part **parts, tdm_text text, bool csv) {
    if (csv) {
        bool plain = true;
        for (size_t i = 0; i < text.len; i++) plain = plain && !strchr(",\"\n", text.ptr[i]);
        if (plain) return text;
    }
    char *out = keep(parts, 6 * text.len + 3), *to = out;
    *to++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (csv) {
            if (c == '"') *to++ = '"';
            *to++ = (char)c;
        } else if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = (char)c;
        } else if (c < 0x20) {
            to += snprintf(to, 7, "\\u%04x", c);
        } else {
            *to++ = (char)c;
        }
    }
    *to++ = '"';
    return (tdm_text){out, (size_t)(to - out)};
}

static tdm_text shown(part **parts, int type, const cell *c, bool json) {
    const void *value = value_in(type, c);
    char *out = keep(parts, 32);
    if (!value) return tdm_str(json ? "null" : "");
    switch (base(type)) {
    case TDM_BOOL: return tdm_str(*(const bool *)value ? "true" : "false");
    case TDM_I32: snprintf(out, 32, "%d", (int)*(const int32_t *)value); return tdm_str(out);
    case TDM_I64: snprintf(out, 32, "%lld", (long long)*(const int64_t *)value); return tdm_str(out);
    case TDM_F64: return shown_double(parts, *(const double *)value);
    default: return quoted(parts, *(const tdm_text *)value, !json);
    }
}

/* ==== 4 the plan ============================================================================================== */

enum { KEYS = 4, TIMERS = TDM_DECLARED_MAX + 2, INPUTS = 100, WORDS = TDM_DECLARED_MAX };

typedef struct output {
    const char *name;
    tdm_text variant;
    shape shape;
    rows collected;
} output;

/* A running aggregate of the host's. */
typedef struct acc {
    int64_t count;
    bool has;
    cell value;
    row row;
} acc;

/* A key, and what the host keeps for it: a slot (with a window or without), a timer, an open window, a running aggregate. */
typedef struct place {
    bool used;
    cell key[KEYS];
    int64_t start, end;
    int32_t fired;
    uint32_t timer;
    acc acc;
    /* A record that a join or a window that counts holds: its side is `timer`, its row `acc.row`. */
    bool matched;
    /* An open window: whether it has records, some of which came since it fired last; and a number for each word of its trigger: a count,
     * whether it has fired, or when it is to. */
    bool filled, fresh;
    int64_t memory[WORDS];
} place;

typedef struct places {
    place *at;
    size_t len, room;
} places;

/* A word of a trigger; those that it combines follow it, up to `behind`. */
typedef struct word {
    tdm_when when;
    bool event;
    int64_t number;
    size_t behind;
} word;

typedef struct op {
    const char *name, *kind;
    const tdm_json_value *spec;
    size_t from[INPUTS];
    const char *ports[INPUTS];
    size_t inputs;
    output *outputs;
    size_t outputs_len;
    bool dead_letters, fails, guest;
    /* Key columns by input, and their types. */
    int keys[INPUTS][KEYS], types[KEYS];
    size_t keys_len;
    /* Inputs with a key: a broadcast one stands behind them. */
    size_t keyed;
    /* Joins and co-groups. */
    const char *sides[INPUTS];
    bool optional[INPUTS];
    const char *timers[TIMERS];
    bool processing[TIMERS];
    /* `lines`: of windows that count records, how many have come to a key since it fired last (start) and when it is cut short (end). */
    places slots, timer_set, windows, rolling, held, lines;
    word words[WORDS];
    bool purges;
    int64_t watermark;
    int64_t greatest;
    /* When its generator of watermarks was asked last by the clock. */
    int64_t asked;
} op;

struct tdm_test {
    part *parts;
    tdm_json_value *plan;
    tdm_instance *instance;
    op *ops;
    size_t len;
    /* The one operator that runs, or SIZE_MAX. */
    size_t only;
    int64_t now;
    /* What the call in progress emitted. */
    struct emitted {
        uint32_t operator_id, port;
        tdm_bytes block;
    } *emitted;
    size_t emitted_len, emitted_room;
    char *log, *refused;
    const char *failure;
    bool may_fail, dead, calling;
    jmp_buf trap;
    tdm_text report;
};

static void add_line(part **parts, char **lines, tdm_text line) {
    size_t before = *lines ? strlen(*lines) : 0;
    char *all = keep(parts, before + line.len + 2);
    if (before) memcpy(all, *lines, before), all[before++] = '\n';
    if (line.len) memcpy(all + before, line.ptr, line.len);
    *lines = all;
}

/* The job has failed: the test program ends, unless the test asks for failures. */
static void fail(tdm_test *t, tdm_text why) {
    if (!t->may_fail) give_up("the job fails: %.*s", TDM_ARG(why));
    if (!t->failure) t->failure = keep_text(&t->parts, why).ptr;
    t->dead = true;
}

static const tdm_json_value *kind_spec(const op *o, const char *field) { return tdm_json_get(o->spec, field); }

static bool is(const op *o, const char *kind) { return strcmp(o->kind, kind) == 0; }

/* Whether records of it are put into windows. */
static bool windowed(const op *o) { return is(o, "window") || is(o, "window-join") || is(o, "co-group"); }

static bool said(const tdm_json_value *spec, const char *field) {
    const tdm_json_value *value = tdm_json_get(spec, field);
    return value && tdm_equal(value->text, tdm_str("true"));
}

static output *output_of(op *o, const char *port) {
    for (size_t i = 0; i < o->outputs_len; i++) {
        if (strcmp(o->outputs[i].name, port) == 0) return &o->outputs[i];
    }
    return NULL;
}

static size_t find_op(const tdm_test *t, const char *name) {
    for (size_t i = 0; i < t->len; i++) {
        if (strcmp(t->ops[i].name, name) == 0) return i;
    }
    give_up("the job has no operator \"%s\"", name);
}

static const shape *port_shape(tdm_test *t, size_t id, const char *port) {
    output *out = output_of(&t->ops[id], port);
    if (!out) give_up("operator \"%s\" has no output \"%s\"", t->ops[id].name, port);
    return &out->shape;
}

static const shape *input_shape(tdm_test *t, size_t id, size_t input) {
    const op *o = &t->ops[id];
    if (input >= o->inputs) give_up("operator \"%s\" has no input %zu", o->name, input);
    return port_shape(t, o->from[input], o->ports[input]);
}

static void add_port(tdm_test *t, op *o, tdm_text name, tdm_text variant, shape s) {
    output *all = keep(&t->parts, (o->outputs_len + 1) * sizeof *all);
    if (o->outputs_len) memcpy(all, o->outputs, o->outputs_len * sizeof *all);
    all[o->outputs_len++] = (output){keep_text(&t->parts, name).ptr, variant, s, {NULL, 0, 0}};
    o->outputs = all;
}

static void read_keys(tdm_test *t, size_t id, size_t input, const tdm_json_value *names) {
    op *o = &t->ops[id];
    const shape *s = input_shape(t, id, input);
    o->keys_len = 0;
    for (const tdm_json_value *name = names ? names->first : NULL; name && o->keys_len < KEYS; name = name->next) {
        int index = index_of(s, name->text.ptr);
        if (index < 0) give_up("operator \"%s\" is keyed by \"%s\", which is no field", o->name, name->text.ptr);
        o->keys[input][o->keys_len] = index;
        o->types[o->keys_len++] = s->record.fields[index].type;
    }
}

/* The sides of a join or co-group, and the ports for what is late there. */
static void read_sides(tdm_test *t, size_t id) {
    op *o = &t->ops[id];
    const tdm_json_value *sides = kind_spec(o, "sides");
    for (const tdm_json_value *side = sides ? sides->first : NULL; side && o->keyed < INPUTS; side = side->next, o->keyed++) {
        const tdm_json_value *required = tdm_json_get(side, "required");
        o->sides[o->keyed] = tdm_json_get(side, "name")->text.ptr;
        o->optional[o->keyed] = required && !said(side, "required");
        read_keys(t, id, o->keyed, tdm_json_get(side, "key"));
        char *port = keep(&t->parts, strlen(o->sides[o->keyed]) + 6);
        strcat(strcpy(port, "late-"), o->sides[o->keyed]);
        add_port(t, o, tdm_str(port), tdm_str(""), *input_shape(t, id, o->keyed));
    }
}

/* Reads a trigger behind `at` words; answers how many words there are then. */
static size_t read_when(op *o, size_t at, const tdm_json_value *json) {
    static const char *const names[] = {"at-watermark", "late-each", "early-every", "after", "count", "any", "all"};
    tdm_text name = json->kind == 's' ? json->text : json->first->name;
    word *one = &o->words[at];
    if (at == WORDS) give_up("the trigger of \"%s\" has more than %d words", o->name, WORDS);
    size_t when = 0;
    while (when < sizeof names / sizeof *names && !tdm_equal(name, tdm_str(names[when]))) when++;
    if (when == sizeof names / sizeof *names) give_up("the trigger of \"%s\" says \"%.*s\"", o->name, TDM_ARG(name));
    *one = (word){.when = (tdm_when)when, .behind = at + 1};
    if (json->kind == 's') return one->behind;
    const tdm_json_value *spec = json->first, *number = tdm_json_get(spec, when == TDM_EVERY_RECORDS ? "records" : "ms");
    one->number = number_of(number, 0);
    one->event = tdm_equal(text_of(tdm_json_get(spec, "domain"), ""), tdm_str("event"));
    for (const tdm_json_value *part = spec->kind == 'a' ? spec->first : NULL; part; part = part->next)
        one->behind = read_when(o, one->behind, part);
    return one->behind;
}

static void read_trigger(op *o) {
    static const word usual[] = {{TDM_ANY_OF, false, 2, 3}, {TDM_AT_END, false, 0, 2}, {TDM_LATE_EACH, false, 0, 3}};
    const tdm_json_value *trigger = kind_spec(o, "trigger");
    memcpy(o->words, usual, sizeof usual);
    if (trigger) read_when(o, 0, tdm_json_get(trigger, "when"));
    o->purges = said(trigger, "purge");
    const tdm_json_value *assigner = kind_spec(o, "assigner");
    if (tdm_json_get(assigner, "days")) give_up("window \"%s\" has calendar days, which the kit cannot cut", o->name);
}

static void read_op(tdm_test *t, size_t id, const tdm_json_value *json) {
    op *o = &t->ops[id];
    const tdm_json_value *kind = tdm_json_get(json, "kind");
    o->name = tdm_json_get(json, "name")->text.ptr;
    o->kind = kind->kind == 's' ? kind->text.ptr : keep_text(&t->parts, kind->first->name).ptr;
    o->spec = kind->kind == 's' ? NULL : kind->first;
    o->watermark = o->greatest = INT64_MIN;
    tdm_text policy = text_of(tdm_json_get(json, "on-error"), "fail");
    o->fails = tdm_equal(policy, tdm_str("fail"));
    o->dead_letters = tdm_equal(policy, tdm_str("dead-letter"));
    const tdm_json_value *inputs = tdm_json_get(json, "inputs"), *outputs = tdm_json_get(json, "outputs");
    for (const tdm_json_value *in = inputs ? inputs->first : NULL; in && o->inputs < INPUTS; in = in->next) {
        o->from[o->inputs] = find_op(t, tdm_json_get(in, "from")->text.ptr);
        o->ports[o->inputs++] = text_of(tdm_json_get(in, "port"), "out").ptr;
    }
    for (const tdm_json_value *out = outputs ? outputs->first : NULL; out; out = out->next) {
        add_port(t, o, text_of(tdm_json_get(out, "name"), "out"), text_of(tdm_json_get(out, "variant"), ""),
            shape_of(&t->parts, tdm_json_get(out, "schema")->text));
    }
    if (o->dead_letters)
        add_port(t, o, tdm_str("dead-letter"), tdm_str(""),
            shape_of(&t->parts, tdm_str("operator:string,place:string,reason:string,record:string")));
    bool window = strcmp(o->kind, "window") == 0, process = strcmp(o->kind, "process") == 0;
    if (window) add_port(t, o, tdm_str("late"), tdm_str(""), *input_shape(t, id, 0));
    if (window || strcmp(o->kind, "rolling") == 0) read_keys(t, id, 0, kind_spec(o, "key"));
    const tdm_json_value *keys = process ? kind_spec(o, "keys")->first : NULL;
    for (; keys; keys = keys->next) read_keys(t, id, o->keyed++, keys);
    if (o->spec) read_sides(t, id);
    if (windowed(o)) read_trigger(o);
    const tdm_json_value *timers = process ? kind_spec(o, "timers") : NULL;
    size_t timer = 0;
    for (const tdm_json_value *one = timers ? timers->first : NULL; one && timer < TIMERS; one = one->next, timer++) {
        o->timers[timer] = tdm_json_get(one, "name")->text.ptr;
        o->processing[timer] = tdm_equal(tdm_json_get(one, "domain")->text, tdm_str("processing"));
    }
    bool host = is(o, "source") || is(o, "sink") || is(o, "union") || is(o, "rolling") || (o->sides[0] && !is(o, "co-group"));
    o->guest = !host && !(window && kind_spec(o, "compute")->kind == 'o');
}

/* ==== 5 slots and timers ====================================================================================== */

static place *add_place(places *p) {
    if (p->len == p->room) {
        p->room = p->room ? 2 * p->room : 16;
        p->at = realloc(p->at, p->room * sizeof *p->at);
        if (!p->at) give_up("out of memory");
    }
    memset(&p->at[p->len], 0, sizeof *p->at);
    p->at[p->len].used = true;
    return &p->at[p->len++];
}

static void remove_place(places *p, size_t index) { memmove(&p->at[index], &p->at[index + 1], (--p->len - index) * sizeof *p->at); }

static int order_of_keys(const op *o, const cell *a, const cell *b) {
    for (size_t i = 0; i < o->keys_len; i++) {
        int order = order_of(o->types[i], &a[i], &b[i]);
        if (order) return order;
    }
    return 0;
}

/* The slot of a key (and a window), a new one if need be. */
static uint32_t slot_of(op *o, const cell *key, int64_t start, int64_t end) {
    size_t unused = o->slots.len;
    for (size_t i = 0; i < o->slots.len; i++) {
        const place *p = &o->slots.at[i];
        if (!p->used) unused = i;
        else if (p->start == start && p->end == end && order_of_keys(o, p->key, key) == 0) return (uint32_t)i;
    }
    place *made = unused == o->slots.len ? add_place(&o->slots) : &o->slots.at[unused];
    *made = (place){.used = true, .start = start, .end = end};
    memcpy(made->key, key, sizeof made->key);
    return (uint32_t)unused;
}

static int order_of_timers(const op *o, const place *a, const place *b) {
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    if (a->timer != b->timer) return a->timer < b->timer ? -1 : 1;
    return order_of_keys(o, a->key, b->key);
}

/* Applies a change of timers; the time of one is kept as its `end`. */
static void apply_timer(op *o, const tdm_timer_op *change) {
    place wanted = {.used = true, .end = change->time, .timer = change->timer};
    memcpy(wanted.key, o->slots.at[change->slot].key, sizeof wanted.key);
    places *set = &o->timer_set;
    bool all = change->action == TDM_TIMER_REPLACE || change->action == TDM_TIMER_CLEAR;
    for (size_t i = set->len; i-- > 0;) {
        const place *p = &set->at[i];
        bool same_name = p->timer == wanted.timer && order_of_keys(o, p->key, wanted.key) == 0;
        if (same_name && (all || p->end == wanted.end)) remove_place(set, i);
    }
    if (change->action == TDM_TIMER_ADD || change->action == TDM_TIMER_REPLACE) *add_place(set) = wanted;
}

/* Takes the earliest timer that is due. */
static bool due_timer(const tdm_test *t, op *o, place *out) {
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < o->timer_set.len; i++) {
        const place *p = &o->timer_set.at[i];
        bool due = p->end <= (o->processing[p->timer] ? t->now : o->watermark);
        if (due && (best == SIZE_MAX || order_of_timers(o, p, &o->timer_set.at[best]) < 0)) best = i;
    }
    if (best == SIZE_MAX) return false;
    *out = o->timer_set.at[best];
    remove_place(&o->timer_set, best);
    return true;
}

/* ==== 6 windows =============================================================================================== */

static int64_t floor_to(int64_t time, int64_t offset, int64_t size) {
    int64_t over = (time - offset) % size;
    return time - (over < 0 ? over + size : over);
}

static int64_t plus(int64_t a, int64_t b) { return b > 0 && a > INT64_MAX - b ? INT64_MAX : a + b; }

static bool touches(int64_t start, int64_t end, const place *p) { return start <= p->end && end >= p->start; }

static bool is_late(int64_t end, int64_t lateness, int64_t clock) { return plus(end - 1, lateness) <= clock; }

/* What a window is at. */
typedef struct moment {
    int64_t end, watermark, now;
    /* Whether event time drives it; whether a record has come since it fired last. */
    bool event, fresh;
} moment;

static bool by_event_time(const op *o) { return !tdm_equal(kind_spec(o, "domain")->text, tdm_str("processing")); }

static moment moment_of(const tdm_test *t, const op *o, const place *w) {
    return (moment){w->end, o->watermark, t->now, by_event_time(o), w->fresh};
}

static int64_t time_in(const moment *m, bool event) { return event ? m->watermark : m->now; }

static bool over(const moment *m) { return time_in(m, m->event) >= m->end - 1; }

/* Nothing is waited for. */
#define NEVER INT64_MAX

static bool take_due(int64_t *due, int64_t now) {
    if (*due > now) return false;
    *due = NEVER;
    return true;
}

/* Whether a word of the window's trigger fires: a record of this time came, or time went on. */
static bool step(const op *o, place *w, size_t at, const moment *m, const int64_t *record) {
    const word *one = &o->words[at];
    int64_t *memory = &w->memory[at], now = time_in(m, one->event), from = record && one->event ? *record : m->now;
    switch (one->when) {
    case TDM_AT_END: return over(m) && !*memory ? *memory = 1, true : false;
    case TDM_LATE_EACH: return over(m) && record;
    case TDM_EVERY_RECORDS: return record && ++*memory >= one->number ? *memory = 0, true : false;
    case TDM_EARLY_EVERY:
        if (record && *memory == NEVER && !over(m)) *memory = plus(floor_to(from, 0, one->number), one->number);
        return take_due(memory, now) && (record || m->fresh);
    case TDM_AFTER:
        if (record && *memory == NEVER) *memory = plus(from, one->number);
        return take_due(memory, now);
    case TDM_ANY_OF:
    case TDM_ALL_OF: break;
    }
    int64_t fired = 0, bit = 1, all = 0;
    for (size_t i = at + 1; i < one->behind; i = o->words[i].behind, bit *= 2) {
        all |= bit;
        if (step(o, w, i, m, record)) fired |= bit;
    }
    if (one->when == TDM_ANY_OF) return fired != 0;
    *memory |= fired;
    return *memory == all ? *memory = 0, true : false;
}

/* When time has to be looked at next, in event time or processing time. */
static int64_t due_of(const op *o, const place *w, const moment *m, bool event) {
    int64_t due = NEVER;
    for (size_t i = 0; i < o->words[0].behind; i++) {
        const word *one = &o->words[i];
        int64_t next = NEVER;
        if (one->when == TDM_AT_END && event == m->event && !w->memory[i]) next = m->end - 1;
        if ((one->when == TDM_EARLY_EVERY || one->when == TDM_AFTER) && event == one->event) next = w->memory[i];
        due = next < due ? next : due;
    }
    return due;
}

/* Notes that a window takes in another one. */
static void merge_memory(const op *o, place *into, const place *from, const moment *m) {
    for (size_t i = 0; i < o->words[0].behind; i++) {
        int64_t *memory = &into->memory[i], other = from->memory[i];
        switch (o->words[i].when) {
        case TDM_AT_END: *memory = over(m) ? *memory : 0; break;
        case TDM_EARLY_EVERY:
        case TDM_AFTER: *memory = other < *memory ? other : *memory; break;
        case TDM_EVERY_RECORDS: *memory += other; break;
        case TDM_ALL_OF: *memory |= other; break;
        case TDM_LATE_EACH:
        case TDM_ANY_OF: break;
        }
    }
    into->fired = from->fired > into->fired ? from->fired : into->fired;
    into->filled = into->filled || from->filled;
    into->fresh = into->fresh || from->fresh;
}

static const tdm_json_value *host_aggregate(const op *o) {
    const tdm_json_value *compute = kind_spec(o, strcmp(o->kind, "rolling") == 0 ? "aggregate" : "compute");
    const tdm_json_value *host = strcmp(o->kind, "window") == 0 ? tdm_json_get(compute, "host") : compute;
    return host;
}

static const char *aggregate_name(const tdm_json_value *a) { return a->kind == 's' ? a->text.ptr : a->first->name.ptr; }

static void merge_acc(const tdm_json_value *a, int type, acc *into, const acc *from) {
    const char *name = aggregate_name(a);
    into->count += from->count;
    if (!from->has || strcmp(name, "count") == 0) return;
    if (!into->has) {
        int64_t count = into->count;
        *into = *from;
        into->count = count;
    } else if (strncmp(name, "sum", 3) == 0) {
        if (type == TDM_F64) into->value.f += from->value.f;
        else into->value.l = (int64_t)((uint64_t)into->value.l + (uint64_t)from->value.l);
    } else {
        int order = order_of(type, &from->value, &into->value);
        bool better = strncmp(name, "min", 3) == 0 ? order < 0 : order > 0;
        if (better) into->value = from->value, into->row = from->row;
    }
}

/* The type of the aggregate's value: a sum of i32 is i64. */
static int add_to_acc(const tdm_json_value *a, const shape *s, acc *into, const row *one) {
    acc single = {.count = 1, .has = true, .row = *one};
    int type = TDM_I64;
    if (a->kind == 'o') {
        int index = index_of(s, a->first->text.ptr);
        type = s->record.fields[index].type;
        single.value = one->cells[index];
        if (type == TDM_I32 && strncmp(aggregate_name(a), "sum", 3) == 0) single.value.l = one->cells[index].i, type = TDM_I64;
    }
    merge_acc(a, type, into, &single);
    return type;
}

/* The row of an aggregate's result: key, the window's bounds where it has one, and the value or the whole record. */
static row result_row(tdm_test *t, op *o, const tdm_json_value *a, const place *p, const acc *result, bool window, int64_t time) {
    const shape *out = &o->outputs[0].shape;
    row made = {time, keep(&t->parts, out->record.size)};
    size_t at = 0;
    bool whole = strstr(aggregate_name(a), "-by") != NULL;
    for (size_t i = 0; !whole && i < o->keys_len; i++) made.cells[at++] = p->key[i];
    if (window) made.cells[at++].l = p->start, made.cells[at++].l = p->end;
    if (whole) {
        for (size_t i = 0; at < out->record.count; i++) made.cells[at++] = result->row.cells[i];
    } else if (strcmp(aggregate_name(a), "count") == 0) {
        made.cells[at].l = result->count;
    } else {
        made.cells[at] = result->value;
    }
    return made;
}

/* ==== 7 carrying records ====================================================================================== */

static void carry(tdm_test *t, size_t from, const char *port, row one);

static void host_log(void *data, tdm_level level, uint32_t operator_id, const char *message, size_t len) {
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    tdm_test *t = data;
    const char *name = operator_id < t->len ? t->ops[operator_id].name : "job";
    char *line = keep(&t->parts, strlen(name) + len + 16);
    int head = sprintf(line, "%s %s: ", levels[level], name);
    if (len) memcpy(line + head, message, len);
    add_line(&t->parts, &t->log, (tdm_text){line, (size_t)head + len});
    if (level == TDM_ERROR) t->report = keep_text(&t->parts, (tdm_text){message, len});
}

static void host_emit(void *data, uint32_t operator_id, uint32_t port, const uint8_t *block, size_t len) {
    tdm_test *t = data;
    if (t->emitted_len == t->emitted_room) {
        t->emitted_room = t->emitted_room ? 2 * t->emitted_room : 16;
        t->emitted = realloc(t->emitted, t->emitted_room * sizeof *t->emitted);
        if (!t->emitted) give_up("out of memory");
    }
    uint8_t *copy = keep(&t->parts, len);
    memcpy(copy, block, len);
    t->emitted[t->emitted_len++] = (struct emitted){operator_id, port, {copy, len}};
}

static void host_report_failure(void *data, uint32_t operator_id, uint32_t row_number, const char *message, size_t len) {
    tdm_test *t = data;
    char *line = keep(&t->parts, len + 200);
    int head = sprintf(line, "operator \"%.100s\" fails at row %u: ", operator_id < t->len ? t->ops[operator_id].name : "?", row_number);
    if (len) memcpy(line + head, message, len);
    t->report = (tdm_text){line, (size_t)head + len};
    add_line(&t->parts, &t->log, t->report);
}

static void host_trap(void *data) {
    tdm_test *t = data;
    if (t->may_fail && t->calling) longjmp(t->trap, 1);
    give_up("the job aborts: %.*s", TDM_ARG(t->report));
}

static void refuse(tdm_test *t, size_t id, tdm_text message, const row *one) {
    op *o = &t->ops[id];
    add_line(&t->parts, &t->refused, message);
    if (o->fails && t->only == SIZE_MAX) {
        char *why = keep(&t->parts, message.len + 200);
        int len = sprintf(why, "operator \"%.100s\" refused a record: ", o->name);
        memcpy(why + len, message.ptr, message.len);
        fail(t, (tdm_text){why, (size_t)len + message.len});
        return;
    }
    if (!o->dead_letters) return;
    const tdm_dead_letter letter = {tdm_str(o->name), tdm_str("test"), message, tdm_str("")};
    carry(t, id, "dead-letter", row_of(&t->parts, port_shape(t, id, "dead-letter"), &tdm_dead_letter_record, &letter, one->time));
}

/* The watermark that follows from an event time. */
static int64_t watermark_of(const tdm_json_value *watermarks, int64_t time) {
    int64_t bound = watermarks->kind == 'o' ? number_of(tdm_json_get(watermarks->first, "ms"), 0) : 0;
    return time < INT64_MIN + bound + 1 ? INT64_MIN : time - bound - 1;
}

/* What the plan says of the generator of watermarks of an operator that has one. */
static const tdm_json_value *generator_of(const op *o) { return is(o, "timestamps") ? kind_spec(o, "guest") : NULL; }

/* Shows the generator a block, or asks it by the clock; false when the job's code trapped. */
static bool generate(tdm_test *t, size_t id, tdm_bytes block) {
    if (setjmp(t->trap)) return false;
    int64_t watermark;
    /* The kit's sources have one split. */
    bool given = tdm_generate(t->instance, (uint32_t)id, 0, t->now, block, &watermark);
    if (given && watermark > t->ops[id].watermark) t->ops[id].watermark = watermark;
    return true;
}

static void mark(tdm_test *t, size_t id, tdm_bytes block) {
    if (t->dead) return;
    t->calling = true;
    bool fine = generate(t, id, block);
    t->calling = false;
    if (!fine) fail(t, t->report);
}

/* Does what a call asked for and carries on what it emitted. */
static void settle(tdm_test *t, size_t id, const tdm_outcome *outcome, const row *one) {
    op *o = &t->ops[id];
    for (size_t i = 0; i < outcome->timers_len; i++) apply_timer(o, &outcome->timers[i]);
    uint32_t *cleared = keep(&t->parts, outcome->cleared_len * sizeof *cleared + 1);
    size_t cleared_len = outcome->cleared_len, failures_len = outcome->failures_len;
    if (cleared_len) memcpy(cleared, outcome->cleared, cleared_len * sizeof *cleared);
    tdm_failure *failures = keep(&t->parts, failures_len * sizeof *failures + 1);
    for (size_t i = 0; i < failures_len; i++) {
        failures[i] = outcome->failures[i];
        failures[i].message = keep_text(&t->parts, failures[i].message);
    }
    if (cleared_len) tdm_drop_state(t->instance, (uint32_t)id, (tdm_numbers){cleared, cleared_len});
    for (size_t i = 0; i < cleared_len; i++) o->slots.at[cleared[i]].used = false;
    for (size_t i = 0; i < failures_len; i++) refuse(t, failures[i].operator_id, failures[i].message, one);
    size_t count = t->emitted_len;
    struct emitted *all = keep(&t->parts, count * sizeof *all + 1);
    if (count) memcpy(all, t->emitted, count * sizeof *all);
    t->emitted_len = 0;
    for (size_t i = 0; i < count; i++) {
        op *from = &t->ops[all[i].operator_id];
        output *out = &from->outputs[all[i].port];
        rows emitted = decode(&t->parts, &out->shape, all[i].block);
        for (size_t k = 0; k < emitted.len; k++) {
            if (strcmp(from->kind, "timestamps") == 0 && t->only == SIZE_MAX && !generator_of(from)) {
                int64_t watermark = watermark_of(from->spec, emitted.at[k].time);
                if (watermark > from->watermark) from->watermark = watermark;
            }
            carry(t, all[i].operator_id, out->name, emitted.at[k]);
        }
        free(emitted.at);
        if (generator_of(from)) mark(t, all[i].operator_id, all[i].block);
    }
}

static bool refused_by(const tdm_outcome *outcome, size_t id) {
    for (size_t i = 0; i < outcome->failures_len; i++) {
        if (outcome->failures[i].operator_id == id) return true;
    }
    return false;
}

/* What the job's code is called with; kept apart from the frame that a trap returns to. */
typedef struct request {
    char what;
    uint32_t chain, input;
    tdm_moment at;
    tdm_bytes block, keys;
    tdm_numbers numbers, slots;
} request;

/* Makes the call; NULL when the job's code trapped. */
static const tdm_outcome *guarded(tdm_test *t, const request *r) {
    if (setjmp(t->trap)) return NULL;
    if (r->what == 'p') return tdm_process_block(t->instance, r->chain, r->input, r->at, r->block, r->numbers, r->slots);
    if (r->what == 'a') return tdm_apply(t->instance, r->chain, r->input, r->at, r->block, r->keys, r->slots);
    if (r->what == 't') return tdm_fire_timers(t->instance, r->chain, r->at, r->block, r->slots);
    return tdm_fire_windows(t->instance, r->chain, r->at, r->block, r->numbers, r->slots);
}

static tdm_bytes kept_block(tdm_test *t, const shape *s, const row *one) {
    tdm_bytes block = encode(s, one), kept = {keep(&t->parts, block.len), block.len};
    memcpy((uint8_t *)(uintptr_t)kept.ptr, block.ptr, block.len);
    free((uint8_t *)(uintptr_t)block.ptr);
    return kept;
}

/* Makes a call about one row; false when the operator refused it. */
static bool make_call(tdm_test *t, const request *r, const row *one) {
    if (t->dead) return true;
    t->calling = true;
    const tdm_outcome *outcome = guarded(t, r);
    t->calling = false;
    bool refused = outcome && refused_by(outcome, r->chain);
    if (outcome) settle(t, r->chain, outcome, one);
    else fail(t, t->report);
    return !refused;
}

/* One call into the job's code: `p`rocess, `t`imers or `f`ire. */
static bool call(tdm_test *t, size_t id, char what, size_t input, const shape *s, const row *one, tdm_numbers numbers, tdm_numbers slots) {
    const tdm_moment at = {t->ops[id].watermark, t->now};
    const request r = {what, (uint32_t)id, (uint32_t)input, at, kept_block(t, s, one), {NULL, 0}, numbers, slots};
    return make_call(t, &r, one);
}

static void key_of(const op *o, size_t input, const row *one, cell *key) {
    memset(key, 0, KEYS * sizeof *key);
    for (size_t i = 0; i < o->keys_len; i++) key[i] = one->cells[o->keys[input][i]];
}

/* The shape and row of a key with numbers behind it. */
static row key_row(tdm_test *t, op *o, const cell *key, shape *s, size_t count, const int64_t *numbers, const int *types, int64_t time) {
    *s = (shape){{"key", 0, NULL, 0}};
    for (size_t i = 0; i < o->keys_len; i++) add_field(&t->parts, s, tdm_str("key"), o->types[i]);
    for (size_t i = 0; i < count; i++) add_field(&t->parts, s, tdm_str("$number"), types[i]);
    row made = {time, keep(&t->parts, s->record.size + sizeof(cell))};
    memcpy(made.cells, key, o->keys_len * sizeof(cell));
    for (size_t i = 0; i < count; i++) {
        if (types[i] == TDM_I32) made.cells[o->keys_len + i].i = (int32_t)numbers[i];
        else made.cells[o->keys_len + i].l = numbers[i];
    }
    return made;
}

/* The slot of a key and behind it that of what all keys share, where there is any; `keyed` is false for the second alone. */
static tdm_numbers slots_of(op *o, const cell *key, bool keyed, uint32_t slots[2]) {
    static const cell none[KEYS];
    size_t count = 0;
    if (keyed) slots[count++] = slot_of(o, key, 0, 0);
    if (o->inputs > o->keyed) {
        size_t keys = o->keys_len;
        o->keys_len = 0;
        slots[count++] = slot_of(o, none, INT64_MIN, INT64_MIN);
        o->keys_len = keys;
    }
    return (tdm_numbers){slots, count};
}

static void fire_timers(tdm_test *t, size_t id) {
    op *o = &t->ops[id];
    place due;
    while (!t->dead && due_timer(t, o, &due)) {
        uint32_t slots[2];
        tdm_numbers numbers = slots_of(o, due.key, true, slots);
        shape s;
        row one = key_row(t, o, due.key, &s, 1, (const int64_t[]){due.timer}, (const int[]){TDM_I32}, due.end);
        call(t, id, 't', 0, &s, &one, (tdm_numbers){NULL, 0}, numbers);
    }
}

/* Applies a broadcast row to every key that has state or a timer, in the order of the keys. */
static void apply_to_keys(tdm_test *t, size_t id, size_t input, const row *one) {
    op *o = &t->ops[id];
    places keys = {NULL, 0, 0};
    for (size_t i = 0; i < o->slots.len + o->timer_set.len; i++) {
        const place *p = i < o->slots.len ? &o->slots.at[i] : &o->timer_set.at[i - o->slots.len];
        if (!p->used || p->start == INT64_MIN) continue;
        size_t at = 0;
        while (at < keys.len && order_of_keys(o, keys.at[at].key, p->key) < 0) at++;
        if (at < keys.len && order_of_keys(o, keys.at[at].key, p->key) == 0) continue;
        place copy = *p;
        add_place(&keys);
        memmove(&keys.at[at + 1], &keys.at[at], (keys.len - 1 - at) * sizeof *keys.at);
        keys.at[at] = copy;
    }
    for (size_t i = 0; i < keys.len && !t->dead; i++) {
        uint32_t slots[2];
        shape s;
        row key = key_row(t, o, keys.at[i].key, &s, 0, NULL, NULL, one->time);
        const tdm_moment at = {o->watermark, t->now};
        const request r = {'a', (uint32_t)id, (uint32_t)input, at, kept_block(t, input_shape(t, id, input), one), kept_block(t, &s, &key),
            {NULL, 0}, slots_of(o, keys.at[i].key, true, slots)};
        make_call(t, &r, one);
    }
    free(keys.at);
}

static void process(tdm_test *t, size_t id, size_t input, const row *one) {
    op *o = &t->ops[id];
    cell key[KEYS];
    uint32_t slots[2];
    bool keyed = input < o->keyed && (o->keys_len || o->inputs == o->keyed);
    if (keyed) key_of(o, input, one, key);
    bool kept = call(t, id, 'p', input, input_shape(t, id, input), one, (tdm_numbers){NULL, 0}, slots_of(o, key, keyed, slots));
    if (kept && input == o->keyed && said(kind_spec(o, "broadcast"), "apply")) apply_to_keys(t, id, input, one);
    fire_timers(t, id);
}

static void join_window(tdm_test *t, size_t id, const cell *key, int64_t start, int64_t end);

static place *find_window(op *o, const cell *key, int64_t start, int64_t end) {
    for (size_t i = 0; i < o->windows.len; i++) {
        place *p = &o->windows.at[i];
        if (p->start == start && p->end == end && order_of_keys(o, p->key, key) == 0) return p;
    }
    place *made = add_place(&o->windows);
    memcpy(made->key, key, sizeof made->key);
    made->start = start;
    made->end = end;
    for (size_t i = 0; i < o->words[0].behind; i++) {
        tdm_when when = o->words[i].when;
        made->memory[i] = when == TDM_EARLY_EVERY || when == TDM_AFTER ? NEVER : 0;
    }
    return made;
}

static void fire_window(tdm_test *t, size_t id, const cell *key, int64_t start, int64_t end, int64_t time) {
    op *o = &t->ops[id];
    place *open = find_window(o, key, start, end), copy = *open;
    open->fired++;
    if (is(o, "window-join")) {
        join_window(t, id, key, start, end);
        return;
    }
    if (!o->guest) {
        carry(t, id, "out", result_row(t, o, host_aggregate(o), &copy, &copy.acc, true, time));
        return;
    }
    uint32_t slot = slot_of(o, key, start, end);
    shape s;
    row one = key_row(t, o, key, &s, 3, (const int64_t[]){start, end, copy.fired}, (const int[]){TDM_I64, TDM_I64, TDM_I32}, time);
    const uint32_t offsets[] = {0, 1};
    call(t, id, 'f', 0, &s, &one, (tdm_numbers){offsets, 2}, (tdm_numbers){&slot, 1});
}

/* Lets a session grow over those that it touches, and merges them into it. */
static void grow_session(tdm_test *t, size_t id, const cell *key, int64_t *start, int64_t *end, bool merge) {
    op *o = &t->ops[id];
    for (size_t i = 0; i < o->windows.len; i++) {
        place p = o->windows.at[i];
        if (order_of_keys(o, p.key, key) != 0 || !touches(*start, *end, &p)) continue;
        if (!merge) {
            if (p.start >= *start && p.end <= *end) continue;
            *start = p.start < *start ? p.start : *start;
            *end = p.end > *end ? p.end : *end;
            i = SIZE_MAX;
            continue;
        }
        if (p.start == *start && p.end == *end) continue;
        remove_place(&o->windows, i);
        place *whole = find_window(o, key, *start, *end);
        const moment m = moment_of(t, o, whole);
        merge_memory(o, whole, &p, &m);
        if (is(o, "window-join")) {
            for (size_t h = 0; h < o->held.len; h++) {
                place *held = &o->held.at[h];
                bool inside = held->start == p.start && held->end == p.end && order_of_keys(o, held->key, key) == 0;
                if (inside) held->start = *start, held->end = *end;
            }
        } else if (!o->guest) {
            const tdm_json_value *a = host_aggregate(o);
            int index = a->kind == 'o' ? index_of(input_shape(t, id, 0), a->first->text.ptr) : -1;
            int type = index < 0 ? TDM_I64 : input_shape(t, id, 0)->record.fields[index].type;
            merge_acc(a, type == TDM_I32 && strncmp(aggregate_name(a), "sum", 3) == 0 ? TDM_I64 : type, &whole->acc, &p.acc);
        } else {
            uint32_t source = slot_of(o, key, p.start, p.end), target = slot_of(o, key, *start, *end);
            tdm_merge(t->instance, (uint32_t)id, (tdm_numbers){&target, 1}, (tdm_numbers){&source, 1});
            tdm_drop_state(t->instance, (uint32_t)id, (tdm_numbers){&source, 1});
            o->slots.at[source].used = false;
        }
        i = SIZE_MAX;
    }
}

/* Keeps a row for a join. */
static place *hold(op *o, const cell *key, int64_t start, int64_t end, size_t side, const row *one) {
    place *held = add_place(&o->held);
    memcpy(held->key, key, sizeof held->key);
    held->start = start;
    held->end = end;
    held->timer = (uint32_t)side;
    held->acc.row = *one;
    return held;
}

/* Lets go of what is held for a window that is over or purged. */
static void let_go(op *o, const cell *key, int64_t start, int64_t end) {
    for (size_t h = o->held.len; h-- > 0;) {
        const place *held = &o->held.at[h];
        if (held->start == start && held->end == end && order_of_keys(o, held->key, key) == 0) remove_place(&o->held, h);
    }
}

static void drop_window(tdm_test *t, size_t id, const cell *key, int64_t start, int64_t end) {
    op *o = &t->ops[id];
    remove_place(&o->windows, (size_t)(find_window(o, key, start, end) - o->windows.at));
    let_go(o, key, start, end);
    if (!o->guest) return;
    uint32_t slot = slot_of(o, key, start, end);
    tdm_drop_state(t->instance, (uint32_t)id, (tdm_numbers){&slot, 1});
    o->slots.at[slot].used = false;
}

static bool is_global(const op *o) { return kind_spec(o, "assigner")->kind == 's'; }

/* Tells the trigger of a window what happened: a record of a time came, or time went on. */
static void step_window(tdm_test *t, size_t id, const cell *key, int64_t start, int64_t end, const int64_t *record, int64_t time) {
    op *o = &t->ops[id];
    place *w = find_window(o, key, start, end);
    const moment m = moment_of(t, o, w);
    if (!step(o, w, 0, &m, record)) return;
    for (size_t i = 0; i < o->words[0].behind; i++) w->memory[i] = o->words[i].when == TDM_AFTER ? NEVER : w->memory[i];
    w->fresh = false;
    if (w->filled) fire_window(t, id, key, start, end, is_global(o) ? time : end - 1);
    if (!o->purges) return;
    w = find_window(o, key, start, end);
    w->filled = false;
    w->acc = (acc){.count = 0};
    let_go(o, key, start, end);
    if (!o->guest) return;
    uint32_t slot = slot_of(o, key, start, end);
    tdm_purge(t->instance, (uint32_t)id, (tdm_numbers){&slot, 1});
}

static void add_to_window(tdm_test *t, size_t id, size_t input, const cell *key, int64_t start, int64_t end, const row *one) {
    op *o = &t->ops[id];
    const shape *s = input_shape(t, id, input);
    place *open = find_window(o, key, start, end);
    open->filled = open->fresh = true;
    if (o->guest) {
        uint32_t slot = slot_of(o, key, start, end), zero = 0;
        call(t, id, 'p', input, s, one, (tdm_numbers){&zero, 1}, (tdm_numbers){&slot, 1});
    } else if (is(o, "window-join")) {
        hold(o, key, start, end, input, one);
    } else {
        add_to_acc(host_aggregate(o), s, &open->acc, one);
    }
}

/* Fires the window of the last records of a key. */
static void fire_line(tdm_test *t, size_t id, const cell *key, const tdm_json_value *count) {
    op *o = &t->ops[id];
    places last = {NULL, 0, 0};
    size_t records = (size_t)number_of(tdm_json_get(count, "records"), 0);
    int64_t start = INT64_MAX, end = INT64_MIN;
    for (size_t h = o->held.len; h-- > 0;) {
        place held = o->held.at[h];
        if (order_of_keys(o, held.key, key) != 0) continue;
        bool in = last.len < records;
        if (in) {
            int64_t time = held.acc.row.time;
            start = time < start ? time : start;
            end = time >= end ? plus(time, 1) : end;
            *add_place(&last) = held;
        }
        if (!in || !tdm_json_get(count, "slide")) remove_place(&o->held, h);
    }
    for (size_t i = last.len; i-- > 0;) add_to_window(t, id, last.at[i].timer, key, start, end, &last.at[i].acc.row);
    free(last.at);
    fire_window(t, id, key, start, end, end - 1);
    drop_window(t, id, key, start, end);
}

/* Fires windows that count records and are not full when their time has come. */
static void cut_short(tdm_test *t, size_t id, const tdm_json_value *count) {
    op *o = &t->ops[id];
    const tdm_json_value *after = tdm_json_get(count, "or-after");
    int64_t clock = after && tdm_equal(text_of(tdm_json_get(after, "domain"), ""), tdm_str("event")) ? o->watermark : t->now;
    for (size_t i = 0; after && i < o->lines.len; i++) {
        place *line = &o->lines.at[i];
        if (!line->start || line->end > clock) continue;
        line->start = 0;
        place due = *line;
        fire_line(t, id, due.key, count);
    }
}

/* Gives a row to windows that count records. */
static void count_row(tdm_test *t, size_t id, size_t input, const cell *key, const tdm_json_value *count, const row *one) {
    op *o = &t->ops[id];
    place *line = NULL;
    for (size_t i = 0; i < o->lines.len && !line; i++) line = order_of_keys(o, o->lines.at[i].key, key) == 0 ? &o->lines.at[i] : NULL;
    if (!line) {
        line = add_place(&o->lines);
        memcpy(line->key, key, sizeof line->key);
    }
    const tdm_json_value *after = tdm_json_get(count, "or-after");
    bool event = tdm_equal(text_of(tdm_json_get(after, "domain"), ""), tdm_str("event"));
    if (!line->start++ && after) line->end = plus(event ? one->time : t->now, number_of(tdm_json_get(after, "ms"), 0));
    hold(o, key, 0, 0, input, one);
    if (line->start == number_of(tdm_json_get(count, "slide"), number_of(tdm_json_get(count, "records"), 0))) {
        line->start = 0;
        fire_line(t, id, key, count);
    }
    cut_short(t, id, count);
}

/* Carries on a row that came too late for an input. */
static void carry_late(tdm_test *t, size_t id, size_t input, const row *one) {
    const op *o = &t->ops[id];
    char port[128] = "late";
    if (o->sides[input]) snprintf(port, sizeof port, "late-%s", o->sides[input]);
    carry(t, id, port, *one);
}

static void window(tdm_test *t, size_t id, size_t input, const row *one) {
    op *o = &t->ops[id];
    const tdm_json_value *assigner = kind_spec(o, "assigner"), *by = tdm_json_get(assigner, "session-by"), *spec = assigner->first;
    cell key[KEYS];
    key_of(o, input, one, key);
    if (tdm_json_get(assigner, "count")) {
        count_row(t, id, input, key, spec, one);
        return;
    }
    bool processing = !by_event_time(o), global = is_global(o), any = false;
    int64_t lateness = number_of(kind_spec(o, "lateness-ms"), 0), time = processing ? t->now : one->time,
            clock = processing ? t->now : o->watermark;
    int64_t size = number_of(tdm_json_get(spec, "size_ms"), 1), offset = number_of(tdm_json_get(spec, "offset_ms"), 0);
    int64_t slide = number_of(tdm_json_get(spec, "slide_ms"), size), gap = number_of(tdm_json_get(spec, "gap_ms"), 0);
    if (by) gap = one->cells[index_of(input_shape(t, id, input), tdm_json_get(by, "field")->text.ptr)].l;
    bool session = by || gap > 0, single = session || global;
    int64_t start = global ? INT64_MIN
        : session          ? time
                           : floor_to(time, offset, slide),
            end = global ? INT64_MAX
        : session        ? plus(time, gap > 1 ? gap : 1)
                         : plus(start, size);
    bool assigned = single || start > time - size;
    for (; single || start > time - size; start -= slide, end = plus(start, size)) {
        if (session) grow_session(t, id, key, &start, &end, false);
        if (processing || global || !is_late(end, lateness, clock)) {
            any = true;
            if (session) grow_session(t, id, key, &start, &end, true);
            add_to_window(t, id, input, key, start, end, one);
            step_window(t, id, key, start, end, &time, time);
        }
        if (single) break;
    }
    if (assigned && !any) carry_late(t, id, input, one);
}

/* The window that is due first, and when. */
static const place *next_due(const tdm_test *t, const op *o, bool event, int64_t *when) {
    const place *best = NULL;
    int64_t lateness = number_of(kind_spec(o, "lateness-ms"), 0);
    *when = NEVER;
    for (size_t i = 0; i < o->windows.len; i++) {
        const place *p = &o->windows.at[i];
        const moment m = moment_of(t, o, p);
        int64_t due = due_of(o, p, &m, event), over_at = plus(p->end - 1, lateness);
        if (event == m.event && !is_global(o)) due = over_at < due ? over_at : due;
        bool earlier = due < *when ||
            (best && due == *when &&
                (p->end < best->end ||
                    (p->end == best->end &&
                        (p->start < best->start || (p->start == best->start && order_of_keys(o, p->key, best->key) < 0)))));
        if (earlier) best = p, *when = due;
    }
    return best;
}

/* Comes to everything of a window operator whose time has come, in order, and removes windows that are over. */
static void close_windows(tdm_test *t, size_t id) {
    op *o = &t->ops[id];
    int64_t lateness = number_of(kind_spec(o, "lateness-ms"), 0), due;
    if (tdm_json_get(kind_spec(o, "assigner"), "count")) {
        cut_short(t, id, kind_spec(o, "assigner")->first);
        return;
    }
    for (int event = 1; event >= 0; event--) {
        int64_t watermark = o->watermark, now = t->now, limit = event ? watermark : now;
        const place *next;
        while (!t->dead && (next = next_due(t, o, event, &due)) && due <= limit) {
            place w = *next;
            /* What happens, happens at its time: a record that it waits for may come behind it. */
            *(event ? &o->watermark : &t->now) = due;
            step_window(t, id, w.key, w.start, w.end, NULL, due);
            o->watermark = watermark;
            t->now = now;
            if (event == by_event_time(o) && !is_global(o) && plus(w.end - 1, lateness) <= due) drop_window(t, id, w.key, w.start, w.end);
        }
    }
}

/* ==== 7a joins ================================================================================================ */

/* Carries on the result of a row of each side, NULL where there is none, behind the bounds of a window where it has some. */
static void carry_joined(tdm_test *t, size_t id, int64_t time, const row *const *picked, const int64_t *bounds) {
    op *o = &t->ops[id];
    const shape *out = &output_of(o, "out")->shape;
    row made = {time, keep(&t->parts, out->record.size)};
    size_t at = 0;
    if (bounds) made.cells[at++].l = bounds[0], made.cells[at++].l = bounds[1];
    for (size_t side = 0; side < o->keyed; side++) {
        const shape *s = input_shape(t, id, side);
        for (size_t c = 0; c < s->record.count; c++, at++) {
            if (!picked[side]) continue;
            int from = s->record.fields[c].type, to = out->record.fields[at].type;
            if (from == to) {
                made.cells[at] = picked[side]->cells[c];
                continue;
            }
            /* Of an optional side. */
            const void *value = value_in(from, &picked[side]->cells[c]);
            static const size_t widths[] = {0, sizeof(bool), 4, 8, 8, sizeof(tdm_text), sizeof(tdm_bytes)};
            memcpy(value_for(to, &made.cells[at]), value, widths[base(from)]);
        }
    }
    carry(t, id, "out", made);
}

/* Carries on a row that found nobody, where somebody reads that. */
static void carry_unmatched(tdm_test *t, size_t id, size_t side, const row *one) {
    char port[128];
    snprintf(port, sizeof port, "unmatched-%s", t->ops[id].sides[side]);
    if (output_of(&t->ops[id], port)) carry(t, id, port, *one);
}

/* Joins rows of the sides from `side` on with those that have been picked, each with each. */
static void combine(tdm_test *t, size_t id, const rows *of, size_t side, const row **picked, const int64_t *bounds) {
    const op *o = &t->ops[id];
    if (side == o->keyed) {
        carry_joined(t, id, bounds[1] - 1, picked, bounds);
        return;
    }
    picked[side] = NULL;
    if (!of[side].len) combine(t, id, of, side + 1, picked, bounds);
    for (size_t i = 0; i < of[side].len; i++) {
        picked[side] = &of[side].at[i];
        combine(t, id, of, side + 1, picked, bounds);
    }
}

static void join_window(tdm_test *t, size_t id, const cell *key, int64_t start, int64_t end) {
    op *o = &t->ops[id];
    rows *of = keep(&t->parts, o->keyed * sizeof *of);
    places all = {NULL, 0, 0};
    for (size_t i = 0; i < o->held.len; i++) {
        const place *held = &o->held.at[i];
        if (held->start != start || held->end != end || order_of_keys(o, held->key, key) != 0) continue;
        add_row(&of[held->timer], held->acc.row);
        place copy = *held;
        *add_place(&all) = copy;
    }
    bool complete = true;
    for (size_t side = 0; side < o->keyed; side++) complete = complete && (of[side].len || o->optional[side]);
    if (complete) combine(t, id, of, 0, keep(&t->parts, o->keyed * sizeof(row *)), (const int64_t[]){start, end});
    for (size_t i = 0; !complete && i < all.len; i++) carry_unmatched(t, id, all.at[i].timer, &all.at[i].acc.row);
    for (size_t side = 0; side < o->keyed; side++) free(of[side].at);
    free(all.at);
}

/* The first and the last time of a partner of a row of an interval join. */
static void partners(const op *o, size_t side, int64_t time, int64_t *first, int64_t *last) {
    int64_t lower = number_of(kind_spec(o, "lower-ms"), 0) + said(o->spec, "lower-exclusive"),
            upper = number_of(kind_spec(o, "upper-ms"), 0) - said(o->spec, "upper-exclusive");
    *first = side ? time - upper : time + lower;
    *last = side ? time - lower : time + upper;
}

/* Joins a row with those of the other side that are near it, the earliest first, and keeps it. */
static void meet(tdm_test *t, size_t id, const cell *key, size_t side, const row *one) {
    op *o = &t->ops[id];
    int64_t first, last;
    partners(o, side, one->time, &first, &last);
    size_t mine = o->held.len;
    hold(o, key, 0, 0, side, one);
    rows near = {NULL, 0, 0};
    for (size_t i = 0; i < mine; i++) {
        place *other = &o->held.at[i];
        int64_t time = other->acc.row.time;
        if (other->timer == side || time < first || time > last || order_of_keys(o, other->key, key) != 0) continue;
        other->matched = o->held.at[mine].matched = true;
        add_row(&near, other->acc.row);
        for (size_t k = near.len - 1; k && near.at[k - 1].time > near.at[k].time; k--) {
            row swapped = near.at[k];
            near.at[k] = near.at[k - 1];
            near.at[k - 1] = swapped;
        }
    }
    for (size_t i = 0; i < near.len; i++) {
        const row *picked[2] = {side ? &near.at[i] : one, side ? one : &near.at[i]};
        carry_joined(t, id, picked[0]->time > picked[1]->time ? picked[0]->time : picked[1]->time, picked, NULL);
    }
    free(near.at);
}

/* Joins a record with the version of its time, the last that came of equals. */
static void look_up(tdm_test *t, size_t id, const place *record) {
    const op *o = &t->ops[id];
    const row *version = NULL, *one = &record->acc.row;
    for (size_t i = 0; i < o->held.len; i++) {
        const place *held = &o->held.at[i];
        if (held->timer != 1 || held->acc.row.time > one->time || order_of_keys(o, held->key, record->key) != 0) continue;
        if (!version || held->acc.row.time >= version->time) version = &held->acc.row;
    }
    if (!version && !o->optional[1]) carry_unmatched(t, id, 0, one);
    else carry_joined(t, id, one->time, (const row *const[]){one, version}, NULL);
}

/* Gives the row of a key of a keyed join, once every required side has one. */
static void join_latest(tdm_test *t, size_t id, const cell *key, size_t side, const row *one) {
    op *o = &t->ops[id];
    const row **picked = keep(&t->parts, o->keyed * sizeof *picked);
    bool known = false, complete = true;
    for (size_t i = 0; i < o->held.len; i++) {
        place *held = &o->held.at[i];
        if (held->timer == side && order_of_keys(o, held->key, key) == 0) held->acc.row = *one, known = true;
    }
    if (!known) hold(o, key, 0, 0, side, one);
    for (size_t i = 0; i < o->held.len; i++) {
        const place *held = &o->held.at[i];
        if (order_of_keys(o, held->key, key) == 0) picked[held->timer] = &held->acc.row;
    }
    for (size_t i = 0; i < o->keyed; i++) complete = complete && (picked[i] || o->optional[i]);
    if (complete) carry_joined(t, id, one->time, picked, NULL);
}

/* Lets go of what finds nobody any more, and joins what has waited for the watermark: the earliest first. */
static void release_join(tdm_test *t, size_t id) {
    op *o = &t->ops[id];
    bool interval = is(o, "interval-join");
    while (!t->dead) {
        size_t best = SIZE_MAX;
        int64_t best_time = 0;
        for (size_t i = 0; i < o->held.len; i++) {
            const place *held = &o->held.at[i];
            int64_t first, last = held->acc.row.time;
            if (interval) partners(o, held->timer, held->acc.row.time, &first, &last);
            else if (held->timer) continue;
            bool due = interval ? o->watermark > last || o->watermark == INT64_MAX : last <= o->watermark;
            if (due && (best == SIZE_MAX || last < best_time)) best = i, best_time = last;
        }
        if (best == SIZE_MAX) return;
        place held = o->held.at[best];
        remove_place(&o->held, best);
        const row *one = &held.acc.row;
        if (!interval) look_up(t, id, &held);
        else if (!held.matched && !o->optional[1 - held.timer]) carry_unmatched(t, id, held.timer, one);
        else if (!held.matched)
            carry_joined(t, id, one->time, (const row *const[]){held.timer ? NULL : one, held.timer ? one : NULL}, NULL);
    }
}

/* Gives a row to an input of a join without windows. */
static void join(tdm_test *t, size_t id, size_t input, const row *one) {
    op *o = &t->ops[id];
    cell key[KEYS];
    key_of(o, input, one, key);
    bool interval = is(o, "interval-join"), temporal = is(o, "temporal-join");
    bool late = (interval && one->time < o->watermark) || (temporal && !input && o->watermark > INT64_MIN && one->time <= o->watermark);
    if (late) carry_late(t, id, input, one);
    else if (interval) meet(t, id, key, input, one), release_join(t, id);
    else if (temporal) hold(o, key, 0, 0, input, one);
    else join_latest(t, id, key, input, one);
}

static void roll(tdm_test *t, size_t id, const row *one) {
    op *o = &t->ops[id];
    cell key[KEYS];
    key_of(o, 0, one, key);
    place *running = NULL;
    for (size_t i = 0; i < o->rolling.len && !running; i++)
        running = order_of_keys(o, o->rolling.at[i].key, key) == 0 ? &o->rolling.at[i] : NULL;
    if (!running) {
        running = add_place(&o->rolling);
        memcpy(running->key, key, sizeof key);
    }
    add_to_acc(host_aggregate(o), input_shape(t, id, 0), &running->acc, one);
    place copy = *running;
    carry(t, id, "out", result_row(t, o, host_aggregate(o), &copy, &copy.acc, false, one->time));
}

/* Gives a row to an input of an operator. */
static void accept_row(tdm_test *t, size_t id, size_t input, row one) {
    op *o = &t->ops[id];
    if (t->dead) return;
    if (strcmp(o->kind, "source") == 0) give_up("\"%s\" is a source: it has no input", o->name);
    if (strcmp(o->kind, "sink") == 0) {
        if (!o->outputs_len) add_port(t, o, tdm_str("out"), tdm_str(""), *input_shape(t, id, 0));
        add_row(&o->outputs[0].collected, one);
    } else if (strcmp(o->kind, "union") == 0) {
        carry(t, id, "out", one);
    } else if (strcmp(o->kind, "rolling") == 0) {
        roll(t, id, &one);
    } else if (windowed(o)) {
        window(t, id, input, &one);
    } else if (o->sides[0]) {
        join(t, id, input, &one);
    } else if (is(o, "process")) {
        process(t, id, input, &one);
    } else {
        call(t, id, 'p', input, input_shape(t, id, input), &one, (tdm_numbers){NULL, 0}, (tdm_numbers){NULL, 0});
    }
}

/* Hands a row that left a port to its readers. */
static void carry(tdm_test *t, size_t from, const char *port, row one) {
    if (t->only == SIZE_MAX || t->only == from) add_row(&output_of(&t->ops[from], port)->collected, one);
    for (size_t id = 0; t->only == SIZE_MAX && id < t->len; id++) {
        const op *o = &t->ops[id];
        for (size_t i = 0; i < o->inputs; i++) {
            if (o->from[i] == from && strcmp(o->ports[i], port) == 0) accept_row(t, id, i, one);
        }
    }
}

/* ==== 8 time ================================================================================================== */

static void release(tdm_test *t, size_t id) {
    const op *o = &t->ops[id];
    if (strcmp(o->kind, "process") == 0) fire_timers(t, id);
    if (windowed(o)) close_windows(t, id);
    else if (o->sides[0]) release_join(t, id);
}

/* Brings every operator's watermark to the least of its inputs'. */
static void spread(tdm_test *t) {
    for (size_t id = 0; t->only == SIZE_MAX && id < t->len; id++) {
        op *o = &t->ops[id];
        if (!o->inputs) continue;
        int64_t least = INT64_MAX;
        for (size_t i = 0; i < o->inputs; i++) least = t->ops[o->from[i]].watermark < least ? t->ops[o->from[i]].watermark : least;
        if (strcmp(o->kind, "timestamps") == 0 && least != INT64_MAX) continue;
        if (least <= o->watermark) continue;
        o->watermark = least;
        release(t, id);
    }
}

static void raise_watermark(tdm_test *t, size_t id, int64_t watermark) {
    op *o = &t->ops[id];
    if (watermark > o->watermark) o->watermark = watermark;
    release(t, id);
    spread(t);
}

/* Asks the generators of watermarks that are due by the clock. */
static void ask_by_clock(tdm_test *t) {
    for (size_t id = 0; id < t->len; id++) {
        op *o = &t->ops[id];
        const tdm_json_value *every = tdm_json_get(generator_of(o), "every-ms");
        if (!every || t->now - o->asked < number_of(every, 0) || (t->only != SIZE_MAX && t->only != id)) continue;
        o->asked = t->now;
        mark(t, id, (tdm_bytes){NULL, 0});
        raise_watermark(t, id, o->watermark);
    }
}

static op *source_of(tdm_test *t, const char *name, size_t *id) {
    *id = find_op(t, name);
    if (strcmp(t->ops[*id].kind, "source") != 0) give_up("\"%s\" is no source", name);
    return &t->ops[*id];
}

/* Carries a row of a source, and lets the watermark follow. */
static void push_row(tdm_test *t, size_t id, const char *port, row one) {
    op *o = &t->ops[id];
    carry(t, id, port, one);
    const tdm_json_value *watermarks = kind_spec(o, "watermarks");
    if (watermarks && one.time > o->greatest) {
        o->greatest = one.time;
        raise_watermark(t, id, watermark_of(watermarks, one.time));
    } else {
        spread(t);
    }
}

void tdm_test_push_record(tdm_test *t, const char *source, const char *port, const tdm_record *type, const void *record) {
    size_t id;
    op *o = source_of(t, source, &id);
    const shape *s = port_shape(t, id, port);
    const tdm_json_value *field = kind_spec(o, "time");
    row one = row_of(&t->parts, s, type, record, INT64_MIN);
    int index = field ? index_of(s, field->text.ptr) : -1;
    if (index >= 0) one.time = one.cells[index].l;
    push_row(t, id, port, one);
}

/* Reads a value out of text; false when it is none of the type. */
static bool read_cell(part **parts, int type, tdm_text text, cell *out) {
    void *value = value_for(type, out);
    const char *copy = keep_text(parts, text).ptr;
    char *end = NULL;
    switch (base(type)) {
    case TDM_BOOL: *(bool *)value = tdm_equal(text, tdm_str("true")); return *(bool *)value || tdm_equal(text, tdm_str("false"));
    case TDM_I32: *(int32_t *)value = (int32_t)strtol(copy, &end, 10); break;
    case TDM_I64: *(int64_t *)value = strtoll(copy, &end, 10); break;
    case TDM_F64: *(double *)value = strtod(copy, &end); break;
    default: *(tdm_text *)value = (tdm_text){copy, text.len}; return true;
    }
    return text.len && *end == 0;
}

static void absent(int type, const char *name, tdm_text text, cell *out) {
    if (!(type & TDM_OPTIONAL)) give_up("field \"%s\" cannot be %.*s: it is %s", name, TDM_ARG(text), TYPES[base(type)]);
    memset(out, 0, sizeof *out);
}

static void push_json(tdm_test *t, size_t id, tdm_text line) {
    op *o = &t->ops[id];
    const tdm_json_value *object = parse_json(line, &t->parts), *time_field = kind_spec(o, "time"), *tag_field = kind_spec(o, "tag");
    if (!object) give_up("%.*s is not JSON", TDM_ARG(line));
    const tdm_json_value *time = time_field ? tdm_json_get(object, time_field->text.ptr) : NULL;
    tdm_text tag = tag_field ? text_of(tdm_json_get(object, tag_field->text.ptr), "") : tdm_str("");
    for (size_t i = 0; i < o->outputs_len; i++) {
        if (!tdm_equal(o->outputs[i].variant, tag) || strcmp(o->outputs[i].name, "dead-letter") == 0) continue;
        const shape *s = &o->outputs[i].shape;
        row one = {number_of(time, INT64_MIN), keep(&t->parts, s->record.size + 1)};
        for (size_t c = 0; c < s->record.count; c++) {
            const tdm_field *field = &s->record.fields[c];
            const tdm_json_value *value = tdm_json_get(object, field->name);
            bool string = base(field->type) >= TDM_STRING, fits = value && (value->kind == 's') == string && value->kind != '0';
            if (!fits || !read_cell(&t->parts, field->type, value->text, &one.cells[c]))
                absent(field->type, field->name, text_of(value, "null"), &one.cells[c]);
        }
        push_row(t, id, o->outputs[i].name, one);
    }
}

static void push_csv(tdm_test *t, size_t id, tdm_text line) {
    op *o = &t->ops[id];
    const shape *s = &o->outputs[0].shape;
    const tdm_json_value *time_field = kind_spec(o, "time");
    row one = {INT64_MIN, keep(&t->parts, s->record.size + 1)};
    tdm_text rest = line, part_of_line;
    for (size_t c = 0; c < s->record.count; c++) {
        const tdm_field *field = &s->record.fields[c];
        bool is = tdm_next_part(&rest, ',', &part_of_line);
        if (!is || !read_cell(&t->parts, field->type, part_of_line, &one.cells[c]))
            absent(field->type, field->name, is ? part_of_line : tdm_str("missing"), &one.cells[c]);
        if (time_field && strcmp(field->name, time_field->text.ptr) == 0) one.time = one.cells[c].l;
    }
    push_row(t, id, "out", one);
}

void tdm_test_push_lines(tdm_test *t, const char *source, const char *text) {
    size_t id;
    op *o = source_of(t, source, &id);
    tdm_text format = kind_spec(o, "format")->text, rest = tdm_str(text), line;
    while (tdm_next_part(&rest, '\n', &line)) {
        if (!line.len || t->dead) continue;
        if (tdm_equal(format, tdm_str("json"))) push_json(t, id, line);
        else if (tdm_equal(format, tdm_str("csv"))) push_csv(t, id, line);
        else push_row(t, id, "out", row_of(&t->parts, &o->outputs[0].shape, &tdm_text_record, &line, INT64_MIN));
    }
}

static size_t tested(const tdm_test *t, const char *name) {
    if (name) return find_op(t, name);
    if (t->only == SIZE_MAX) give_up("this needs the name of an operator: a whole job is tested");
    return t->only;
}

void tdm_test_give_record(
    tdm_test *t, size_t input, int64_t time, const tdm_record *key_type, const void *key, const tdm_record *type, const void *record) {
    size_t id = tested(t, NULL);
    const shape *s = input_shape(t, id, input);
    row one = row_of(&t->parts, s, type, record, time);
    for (size_t i = 0; key_type && i < key_type->count; i++) {
        /* The key's columns stand behind the record's. */
        shape single = {{"key", 0, NULL, 0}};
        for (size_t k = 0; k < key_type->count; k++) add_field(&t->parts, &single, tdm_str("key"), key_type->fields[k].type);
        row of_key = row_of(&t->parts, &single, key_type, key, 0);
        if (type->count + i >= s->record.count) give_up("the stream has no key columns: give records by tdm_test_give");
        one.cells[type->count + i] = of_key.cells[i];
    }
    accept_row(t, id, input, one);
}

void tdm_test_watermark(tdm_test *t, int64_t watermark) { raise_watermark(t, tested(t, NULL), watermark); }

void tdm_test_set_now(tdm_test *t, int64_t now) {
    if (now > t->now) t->now = now;
    for (size_t id = 0; id < t->len; id++) release(t, id);
    ask_by_clock(t);
}

void tdm_test_show_record(tdm_test *t, int64_t time, const tdm_record *type, const void *record) {
    size_t id = tested(t, NULL);
    if (!generator_of(&t->ops[id])) give_up("operator \"%s\" has no generator of watermarks", t->ops[id].name);
    const shape *s = port_shape(t, id, "out");
    row one = row_of(&t->parts, s, type, record, time);
    mark(t, id, kept_block(t, s, &one));
}

int64_t tdm_test_watermark_of(const tdm_test *t, const char *operator_name) { return t->ops[tested(t, operator_name)].watermark; }

void tdm_test_finish(tdm_test *t) {
    for (size_t id = 0; id < t->len; id++) {
        if (strcmp(t->ops[id].kind, "source") == 0) raise_watermark(t, id, INT64_MAX);
    }
}

void tdm_test_restart(tdm_test *t) {
    for (size_t id = 0; id < t->len && !t->dead; id++) {
        op *o = &t->ops[id];
        if (generator_of(o)) tdm_forget_splits(t->instance, (uint32_t)id);
        if (!o->guest || !o->slots.len) continue;
        uint32_t *slots = keep(&t->parts, o->slots.len * sizeof *slots), operator_id = (uint32_t)id;
        size_t count = 0;
        for (uint32_t i = 0; i < o->slots.len; i++) {
            if (o->slots.at[i].used) slots[count++] = i;
        }
        tdm_numbers numbers = {slots, count};
        tdm_bytes before = tdm_export_state(t->instance, operator_id, numbers), kept = {keep(&t->parts, before.len), before.len};
        if (!before.len) continue;
        memcpy((uint8_t *)(uintptr_t)kept.ptr, before.ptr, before.len);
        tdm_drop_state(t->instance, operator_id, numbers);
        const char *error = tdm_import_state(t->instance, operator_id, numbers, kept);
        if (error) give_up("state of \"%s\" does not survive a restart: %s", o->name, error);
        tdm_bytes after = tdm_export_state(t->instance, operator_id, numbers);
        if (after.len != kept.len || memcmp(after.ptr, kept.ptr, kept.len) != 0)
            give_up("state of \"%s\" that was restored is not exported as it was", o->name);
    }
}

/* ==== 9 starting ============================================================================================== */

enum { ARGUMENTS = 32 };

static size_t read_arguments(tdm_argument *arguments, va_list args) {
    size_t count = 0;
    const char *name;
    while (count < ARGUMENTS && (name = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);
        if (!value) give_up("argument \"%s\" has no value", name);
        arguments[count++] = (tdm_argument){tdm_str(name), tdm_str(value)};
    }
    return count;
}

/* Links chains by the host's rule: a stateless operator joins the one before it, if it is its only reader. */
static void link_chains(tdm_test *t) {
    bool *joined = keep(&t->parts, t->len + 1);
    for (size_t id = 0; id < t->len; id++) {
        if (!t->ops[id].guest || joined[id]) continue;
        uint32_t *members = keep(&t->parts, (t->len + 1) * sizeof *members);
        size_t count = 0, last = id;
        members[count++] = (uint32_t)id;
        for (size_t next = id + 1; t->only == SIZE_MAX && next < t->len; next++) {
            const op *o = &t->ops[next];
            bool stateless = o->guest && !is(o, "process") && !windowed(o);
            if (!stateless || o->from[0] != last || strcmp(o->ports[0], "out") != 0 || strcmp(t->ops[last].kind, "timestamps") == 0)
                continue;
            size_t readers = 0;
            for (size_t other = 0; other < t->len; other++) {
                for (size_t i = 0; i < t->ops[other].inputs; i++)
                    readers += t->ops[other].from[i] == last && strcmp(t->ops[other].ports[i], "out") == 0;
            }
            if (readers != 1) continue;
            joined[next] = true;
            members[count++] = (uint32_t)next;
            last = next;
        }
        tdm_link(t->instance, (uint32_t)id, (tdm_numbers){members, count});
    }
}

static tdm_test *start(tdm_build job, const char *only, const tdm_argument *arguments, size_t count) {
    tdm_test *t = calloc(1, sizeof *t);
    if (!t) give_up("out of memory");
    const tdm_host host = {t, host_log, host_emit, host_report_failure, host_trap};
    tdm_text document;
    t->only = SIZE_MAX;
    t->instance = tdm_plan(job, arguments, count, &host, &document);
    if (!t->instance) give_up("the job cannot start: %.*s", TDM_ARG(document));
    t->plan = tdm_json_read(document);
    const tdm_json_value *operators = tdm_json_get(t->plan, "operators");
    size_t all = 0;
    for (const tdm_json_value *o = operators->first; o; o = o->next) all++;
    t->ops = keep(&t->parts, (all + 1) * sizeof *t->ops);
    for (const tdm_json_value *o = operators->first; o; o = o->next) {
        t->ops[t->len].name = tdm_json_get(o, "name")->text.ptr;
        t->len++;
    }
    size_t id = 0;
    for (const tdm_json_value *o = operators->first; o; o = o->next) read_op(t, id++, o);
    if (only) t->only = find_op(t, only);
    link_chains(t);
    return t;
}

tdm_test *tdm_test_job_of(tdm_build job, ...) {
    tdm_argument arguments[ARGUMENTS];
    va_list args;
    va_start(args, job);
    size_t count = read_arguments(arguments, args);
    va_end(args);
    return start(job, NULL, arguments, count);
}

tdm_test *tdm_test_operator_of(tdm_build job, const char *name, ...) {
    tdm_argument arguments[ARGUMENTS];
    va_list args;
    va_start(args, name);
    size_t count = read_arguments(arguments, args);
    va_end(args);
    return start(job, name, arguments, count);
}

const char *tdm_test_error_of(tdm_build job, ...) {
    static char error[2048];
    tdm_argument arguments[ARGUMENTS];
    va_list args;
    va_start(args, job);
    size_t count = read_arguments(arguments, args);
    va_end(args);
    const tdm_host host = {NULL, NULL, NULL, NULL, NULL};
    tdm_text text;
    tdm_instance *instance = tdm_plan(job, arguments, count, &host, &text);
    tdm_instance_free(instance);
    snprintf(error, sizeof error, "%.*s", TDM_ARG(text));
    return instance ? NULL : error;
}

/* What is built into a job of its own when one function is tested. */
static const tdm_function *one_function;
static const char *one_kind;
static const tdm_process *one_process;
static tdm_key_function one_key[TDM_DECLARED_MAX];
static const tdm_record *one_key_record;

static tdm_status function_job(tdm_job *job) {
    static tdm_map_function map;
    static tdm_filter_function filter;
    static tdm_flat_map_function flat_map;
    tdm_stream source = tdm_add_source(job, "source", one_function->in, tdm_json(NULL)), out;
    map.function = filter.function = flat_map.function = *one_function;
    if (strcmp(one_kind, "map") == 0) out = tdm_add_map(source, "function", &map);
    else if (strcmp(one_kind, "filter") == 0) out = tdm_add_filter(source, "function", &filter);
    else out = tdm_add_flat_map(source, "function", &flat_map);
    tdm_on_errors(out, TDM_SKIP);
    return TDM_OK;
}

tdm_test *tdm_test_function(const tdm_function *function, const char *kind) {
    one_function = function;
    one_kind = kind;
    return start(function_job, "function", NULL, 0);
}

/* The test gives the key; this stands where the job would compute it. */
static tdm_status no_key(tdm_ctx *ctx, const void *in, void *out) { return (void)ctx, (void)in, (void)out, TDM_OK; }

static tdm_status process_job(tdm_job *job) {
    static const char *const sources[] = {"source0", "source1", "source2", "source3"}, *const keys[] = {"key0", "key1", "key2", "key3"};
    tdm_keyed inputs[4];
    size_t count = 0;
    for (; count < 4 && one_process->inputs[count]; count++) {
        const tdm_record *in = one_process->inputs[count]->in;
        one_key[count] = (tdm_key_function){{in, one_key_record, no_key, {NULL}}};
        inputs[count] = tdm_add_key(tdm_add_source(job, sources[count], in, tdm_json(NULL)), keys[count], &one_key[count]);
    }
    if (!count) return tdm_job_error(job, "the process function has no inputs");
    tdm_on_errors(tdm_add_process("process", one_process, inputs, count), TDM_SKIP);
    return TDM_OK;
}

tdm_test *tdm_test_process_of(const tdm_process *process, const tdm_record *key) {
    one_process = process;
    one_key_record = key;
    return start(process_job, "process", NULL, 0);
}

static tdm_watermarks one_watermarks;

/* The test gives the times. */
static tdm_status watermarks_job(tdm_job *job) {
    static tdm_number_function times;
    const tdm_record *in = one_watermarks.generator->in;
    times = (tdm_number_function){{in, &int64_t_record, no_key, {NULL}}};
    tdm_add_timestamps(tdm_add_source(job, "source", in, tdm_json(NULL)), "times", &times, one_watermarks);
    return TDM_OK;
}

tdm_test *tdm_test_watermarks(tdm_watermarks watermarks) {
    if (!watermarks.generator) give_up("these watermarks follow a rule of the host's, and have no generator to test");
    one_watermarks = watermarks;
    return start(watermarks_job, "times", NULL, 0);
}

void tdm_test_free(tdm_test *t) {
    if (!t) return;
    for (size_t i = 0; i < t->len; i++) {
        op *o = &t->ops[i];
        for (size_t k = 0; k < o->outputs_len; k++) free(o->outputs[k].collected.at);
        free(o->slots.at);
        free(o->timer_set.at);
        free(o->windows.at);
        free(o->rolling.at);
        free(o->held.at);
        free(o->lines.at);
    }
    free(t->emitted);
    tdm_instance_free(t->instance);
    tdm_json_free(t->plan);
    free_parts(t->parts);
    free(t);
}

/* ==== 10 results ============================================================================================== */

const void *tdm_test_output_as(
    tdm_test *t, const char *operator_name, const char *port, const tdm_record *type, size_t *count, const int64_t **times) {
    size_t id = tested(t, operator_name);
    output *out = output_of(&t->ops[id], port);
    *count = 0;
    if (!out && strcmp(t->ops[id].kind, "sink") == 0) return NULL;
    if (!out) give_up("operator \"%s\" has no output \"%s\"", t->ops[id].name, port);
    const tdm_record *shape_record = &out->shape.record;
    if (type->count > shape_record->count) give_up("%s has more fields than the records of \"%s\"", type->name, t->ops[id].name);
    *count = out->collected.len;
    char *records = keep(&t->parts, *count * type->size + 1);
    int64_t *event_times = keep(&t->parts, *count * sizeof *event_times + 1);
    for (size_t i = 0; i < *count; i++) {
        event_times[i] = out->collected.at[i].time;
        /* A block of the row is read as the record: fields go by position. */
        tdm_bytes block = encode(&out->shape, &out->collected.at[i]), kept = {keep(&t->parts, block.len), block.len};
        memcpy((uint8_t *)(uintptr_t)kept.ptr, block.ptr, block.len);
        free((uint8_t *)(uintptr_t)block.ptr);
        size_t one;
        void *record = tdm_block_read(type, kept, NULL, &one);
        if (!record) give_up("the records of \"%s\" cannot be read as %s", t->ops[id].name, type->name);
        memcpy(records + i * type->size, record, type->size);
        free(record);
    }
    out->collected.len = 0;
    if (times) *times = event_times;
    return records;
}

const void *tdm_test_sink_as(tdm_test *t, const char *name, const tdm_record *type, size_t *count) {
    return tdm_test_output_as(t, name, "out", type, count, NULL);
}

const char *const *tdm_test_sink_lines(tdm_test *t, const char *name, size_t *count) {
    op *o = &t->ops[find_op(t, name)];
    *count = o->outputs_len ? o->outputs[0].collected.len : 0;
    const char **lines = keep(&t->parts, (*count + 1) * sizeof *lines);
    bool json = tdm_equal(kind_spec(o, "format")->text, tdm_str("json")), plain = tdm_equal(kind_spec(o, "format")->text, tdm_str("text"));
    for (size_t i = 0; i < *count; i++) {
        const tdm_record *type = &o->outputs[0].shape.record;
        char *line = NULL;
        for (size_t c = 0; c < type->count; c++) {
            const tdm_field *field = &type->fields[c];
            if (field->name[0] == '$') continue;
            const cell *of = &o->outputs[0].collected.at[i].cells[c];
            /* A line of text is what it is: nothing in it is quoted. */
            tdm_text value = plain && field->type == TDM_STRING ? of->t : shown(&t->parts, field->type, of, json);
            size_t before = line ? strlen(line) : 0;
            char *longer = keep(&t->parts, before + strlen(field->name) + value.len + 8);
            if (json) sprintf(longer, "%s%s\"%s\":%.*s", line ? line : "", line ? "," : "{", field->name, TDM_ARG(value));
            else sprintf(longer, "%s%s%.*s", line ? line : "", line ? "," : "", TDM_ARG(value));
            line = longer;
        }
        char *whole = keep(&t->parts, (line ? strlen(line) : 0) + 3);
        sprintf(whole, "%s%s", line ? line : json ? "{" : "", json ? "}" : "");
        lines[i] = whole;
    }
    if (o->outputs_len) o->outputs[0].collected.len = 0;
    return lines;
}

const char *tdm_test_read_file(tdm_test *t, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) give_up("cannot open %s: is the test run in the folder that the path is relative to?", path);
    char *text = keep(&t->parts, 0);
    size_t len = 0, more;
    do {
        char *longer = keep(&t->parts, len + 65536);
        memcpy(longer, text, len);
        text = longer;
        more = fread(text + len, 1, 65536, file);
        len += more;
    } while (more > 0);
    fclose(file);
    text[len] = 0;
    return text;
}

static int by_line(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

bool tdm_test_expect_lines(tdm_test *t, const char *sink, const char *text, const char *file, int line) {
    size_t count, wanted_len = 0, room = 1;
    const char *const *given = tdm_test_sink_lines(t, sink, &count);
    for (const char *at = text; *at; at++) room += *at == '\n';
    const char **got = keep(&t->parts, (count + 1) * sizeof *got), **wanted = keep(&t->parts, (room + 1) * sizeof *wanted);
    for (size_t i = 0; i < count; i++) got[i] = given[i];
    tdm_text rest = tdm_str(text), one;
    while (tdm_next_part(&rest, '\n', &one)) {
        if (one.len) wanted[wanted_len++] = keep_text(&t->parts, one).ptr;
    }
    qsort(got, count, sizeof *got, by_line);
    qsort(wanted, wanted_len, sizeof *wanted, by_line);
    bool same = true;
    for (size_t g = 0, w = 0; g < count || w < wanted_len;) {
        int order = g == count ? 1 : w == wanted_len ? -1 : strcmp(got[g], wanted[w]);
        if (order != 0) {
            if (same) printf("%s:%d: sink \"%s\" differs (+ is too much, - is missing):\n", file, line, sink);
            printf("    %c %s\n", order < 0 ? '+' : '-', order < 0 ? got[g] : wanted[w]);
            same = false;
        }
        g += order <= 0;
        w += order >= 0;
    }
    failing = failing || !same;
    return same;
}

const char *tdm_test_timers(tdm_test *t, const char *operator_name) {
    op *o = &t->ops[tested(t, operator_name)];
    char *all = keep(&t->parts, o->timer_set.len * 160 + 1), *to = all;
    bool *shown_already = keep(&t->parts, o->timer_set.len + 1);
    for (size_t n = 0; n < o->timer_set.len; n++) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < o->timer_set.len; i++) {
            if (!shown_already[i] && (best == SIZE_MAX || order_of_timers(o, &o->timer_set.at[i], &o->timer_set.at[best]) < 0)) best = i;
        }
        shown_already[best] = true;
        to += sprintf(to, "%s%.120s@%lld", n ? " " : "", o->timers[o->timer_set.at[best].timer], (long long)o->timer_set.at[best].end);
    }
    return all;
}

const char *tdm_test_refused(const tdm_test *t) { return t->refused ? t->refused : ""; }
const char *tdm_test_log(const tdm_test *t) { return t->log ? t->log : ""; }
void tdm_test_allow_failure(tdm_test *t) { t->may_fail = true; }
const char *tdm_test_failure(const tdm_test *t) { return t->failure; }
