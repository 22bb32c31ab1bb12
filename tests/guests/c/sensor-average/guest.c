// The average temperature of each sensor in windows of ten seconds, written against the bare contract:
// no SDK, no generated bindings, no import besides tidemill:job/host. It shows what a language without
// bindings has to do (about half of this file) and keeps the contract honest.
//
// Promises: reads columns in place, frees what the host lends, keeps results until the next call, and
// exports state byte for byte as its twin in Python does.

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// ---- The canonical ABI: names, argument order and memory layout follow from job.wit. ----

#define EXPORT(name) __attribute__((export_name("tidemill:job/operators@0.1.0#" name)))
#define IMPORT(name) __attribute__((import_module("tidemill:job/host@0.1.0"), import_name(name)))

IMPORT("emit") void host_emit(uint32_t operator_id, uint32_t port, const uint8_t *block, size_t len);
IMPORT("log") void host_log(uint32_t level, uint32_t operator_id, const char *message, size_t len);

typedef struct { const char *ptr; uint32_t len; } Text;
typedef struct { Text name, value; } Argument;
typedef struct { uint32_t row, operator_id; Text message; } Failure;
typedef struct { const void *ptr; uint32_t len; } List;
typedef struct { List timers, cleared, unchanged, failures; } Outcome;
typedef struct { uint8_t is_error; Text text; } Result;

_Static_assert(sizeof(Argument) == 16 && sizeof(Failure) == 16 && sizeof(Outcome) == 32 && sizeof(Result) == 12, "wasm32 layout");

// The host calls this for every list it hands over. malloc aligns to 16, so blocks can be read in place.
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size;
    if (size == 0) return (void *)align;
    void *memory = realloc(old, size);
    if (!memory) __builtin_trap();
    return memory;
}

static void give_back(const void *ptr, size_t len) {
    if (len) free((void *)ptr);
}

// ---- Blocks, as block.md lays them out. ----

enum { BOOL = 1, I32, I64, F64, STRING, BYTES };
enum { HEADER = 32, ENTRY = 16, COLUMNS_MAX = 3 };

typedef struct { uint8_t *at; uint32_t len, room; } Buffer;

static uint8_t *grow(Buffer *buffer, uint32_t more) {
    if (buffer->len + more > buffer->room) {
        buffer->room = 2 * (buffer->len + more);
        buffer->at = cabi_realloc(buffer->at, 0, 8, buffer->room);
    }
    buffer->len += more;
    return buffer->at + buffer->len - more;
}

static void append(Buffer *buffer, const void *bytes, uint32_t len) {
    memcpy(grow(buffer, len), bytes, len);
}

static void append_zeros(Buffer *buffer, uint32_t len) {
    memset(grow(buffer, len), 0, len);
}

static void pad(Buffer *buffer) {
    append_zeros(buffer, -buffer->len & 7);
}

typedef struct { uint8_t type; bool optional; } Column;

typedef struct {
    const Column *schema;
    uint32_t columns, rows;
    Buffer times, validity[COLUMNS_MAX], values[COLUMNS_MAX], heap[COLUMNS_MAX], out;
} Builder;

static void start(Builder *b, const Column *schema, uint32_t columns) {
    b->schema = schema;
    b->columns = columns;
    b->rows = b->times.len = b->out.len = 0;
    for (uint32_t c = 0; c < columns; c++) {
        b->validity[c].len = b->values[c].len = b->heap[c].len = 0;
        if (schema[c].type >= STRING) append_zeros(&b->values[c], 4);
    }
}

static void end_row(Builder *b, int64_t time) {
    append(&b->times, &time, 8);
    b->rows++;
}

// Cells must be pushed before the row is ended. An absent fixed-width value is zero, an absent text empty.
static void push(Builder *b, uint32_t column, const void *value, uint32_t len, bool present) {
    if (b->schema[column].optional) {
        Buffer *bits = &b->validity[column];
        if (b->rows % 8 == 0) append_zeros(bits, 1);
        if (present) bits->at[b->rows / 8] |= 1 << b->rows % 8;
    }
    if (b->schema[column].type >= STRING) {
        append(&b->heap[column], value, len);
        append(&b->values[column], &b->heap[column].len, 4);
    } else {
        append(&b->values[column], value, len);
    }
}

static void append_u32(Buffer *buffer, uint32_t value) {
    append(buffer, &value, 4);
}

static List finish(Builder *b) {
    Buffer *out = &b->out;
    append(out, "TBLK\1\0", 6);
    append(out, &b->columns, 2);
    append_u32(out, b->rows);
    append_zeros(out, 4 + 8 + 8);  // length, set below; schema id not stated; reserved
    append_zeros(out, ENTRY * b->columns);
    append(out, b->times.at, b->times.len);
    for (uint32_t c = 0; c < b->columns; c++) {
        uint32_t offsets[3] = {0, 0, 0};
        Buffer *parts[3] = {&b->validity[c], &b->values[c], &b->heap[c]};
        bool has[3] = {b->schema[c].optional, true, b->schema[c].type >= STRING};
        for (int part = 0; part < 3; part++) {
            if (!has[part]) continue;
            offsets[part] = out->len;
            append(out, parts[part]->at, parts[part]->len);
            pad(out);
        }
        uint8_t *entry = out->at + HEADER + ENTRY * c;
        entry[0] = b->schema[c].type;
        entry[1] = b->schema[c].optional;
        memcpy(entry + 4, offsets, 12);
    }
    memcpy(out->at + 12, &out->len, 4);
    return (List){out->at, out->len};
}

// The host has checked every offset of a block that it hands over.
typedef struct { const uint8_t *at; } Block;

static uint32_t u32_at(const uint8_t *at) {
    return *(const uint32_t *)at;
}

static uint32_t rows_of(Block block) {
    return u32_at(block.at + 8);
}

static const uint8_t *part_of(Block block, uint32_t column, uint32_t part) {
    return block.at + u32_at(block.at + HEADER + ENTRY * column + 4 * part);
}

static int64_t time_of(Block block, uint32_t row) {
    uint32_t columns = block.at[6] | block.at[7] << 8;
    return ((const int64_t *)(block.at + HEADER + ENTRY * columns))[row];
}

static bool present(Block block, uint32_t column, uint32_t row) {
    return part_of(block, column, 1)[row / 8] >> row % 8 & 1;
}

static double f64_of(Block block, uint32_t column, uint32_t row) {
    return ((const double *)part_of(block, column, 2))[row];
}

static int64_t i64_of(Block block, uint32_t column, uint32_t row) {
    return ((const int64_t *)part_of(block, column, 2))[row];
}

static Text text_of(Block block, uint32_t column, uint32_t row) {
    const uint32_t *offsets = (const uint32_t *)part_of(block, column, 2);
    return (Text){(const char *)part_of(block, column, 3) + offsets[row], offsets[row + 1] - offsets[row]};
}

// ---- The job. ----

#define READING "sensor:string,celsius:f64,at:i64"
static const char PLAN[] =
    "{\"contract\":\"0.1.0\",\"name\":\"sensor-average\",\"operators\":["
    "{\"name\":\"readings\",\"kind\":{\"source\":{\"binding\":\"readings\",\"default\":\"stdin:\",\"format\":\"json\","
    "\"time\":\"at\",\"watermarks\":{\"bounded\":{\"ms\":2000}}}},\"outputs\":[{\"schema\":\"" READING "\"}]},"
    "{\"name\":\"plausible\",\"kind\":\"filter\",\"inputs\":[{\"from\":\"readings\"}],\"outputs\":[{\"schema\":\"" READING "\"}]},"
    "{\"name\":\"calibrated\",\"kind\":\"map\",\"inputs\":[{\"from\":\"plausible\"}],\"outputs\":[{\"schema\":\"" READING "\"}],"
    "\"on-error\":\"skip\"},"
    "{\"name\":\"average\",\"kind\":{\"window\":{\"key\":[\"sensor\"],\"assigner\":{\"tumbling\":{\"size_ms\":10000}},"
    "\"compute\":\"guest\",\"state\":[{\"name\":\"acc\",\"kind\":\"accumulator\",\"schema\":\"sum:f64,n:i64\"}]}},"
    "\"inputs\":[{\"from\":\"calibrated\"}],\"outputs\":[{\"schema\":\"sensor:string,celsius:f64,until:i64\"}]},"
    "{\"name\":\"averages\",\"kind\":{\"sink\":{\"binding\":\"averages\",\"default\":\"stdout:\",\"format\":\"json\"}},"
    "\"inputs\":[{\"from\":\"average\"}]}]}";

enum { PLAUSIBLE = 1, CALIBRATED = 2, AVERAGE = 3 };

static const Column READINGS[] = {{STRING, false}, {F64, false}, {I64, false}};  // also the averages
static const Column STATE[] = {{F64, true}, {I64, true}};

typedef struct { double sum; int64_t n; } Accumulator;

static double calibration;
static Buffer accumulators;  // of Accumulator, slot n at index n
static struct { const uint32_t *members; uint32_t len; } *chains;
static Buffer failures;
static Outcome outcome;
static Result result;

static Accumulator *accumulator(uint32_t slot) {
    uint32_t end = (slot + 1) * sizeof(Accumulator);
    if (end > accumulators.len) append_zeros(&accumulators, end - accumulators.len);
    return (Accumulator *)accumulators.at + slot;
}

static Result *answer(const char *error_or_null, const char *value) {
    const char *text = error_or_null ? error_or_null : value;
    result = (Result){error_or_null != NULL, {text, strlen(text)}};
    return &result;
}

// Runs one stateless operator over a block. `origin[row]` is the row of the call's block that a row came from.
static Block stateless(uint32_t operator_id, Block in, Buffer *origin, Builder *out) {
    start(out, READINGS, 3);
    uint32_t *from = (uint32_t *)origin->at;
    for (uint32_t row = 0; row < rows_of(in); row++) {
        double celsius = f64_of(in, 1, row);
        int64_t at = i64_of(in, 2, row);
        if (operator_id == PLAUSIBLE && celsius < -100) continue;
        if (operator_id == CALIBRATED) {
            celsius += calibration;
            if (celsius > 1000) {
                Failure failure = {from[row], operator_id, {"hotter than the sensor can bear", 31}};
                append(&failures, &failure, sizeof failure);
                continue;
            }
        }
        from[out->rows] = from[row];
        Text sensor = text_of(in, 0, row);
        push(out, 0, sensor.ptr, sensor.len, true);
        push(out, 1, &celsius, 8, true);
        push(out, 2, &at, 8, true);
        end_row(out, time_of(in, row));
    }
    return (Block){finish(out).ptr};
}

// Runs the stateless members from `first` on and emits what the last one leaves.
static void pass_on(uint32_t chain, uint32_t first, Block block) {
    static Builder builders[2];
    static Buffer origin;
    origin.len = 0;
    for (uint32_t row = 0; row < rows_of(block); row++) append_u32(&origin, row);
    uint32_t member = first;
    for (; member < chains[chain].len; member++) {
        block = stateless(chains[chain].members[member], block, &origin, &builders[member % 2]);
    }
    if (rows_of(block)) host_emit(chains[chain].members[member - 1], 0, block.at, u32_at(block.at + 12));
}

static Outcome *done(void) {
    outcome.failures = (List){failures.at, failures.len / sizeof(Failure)};
    return &outcome;
}

EXPORT("plan") Result *plan(Argument *args, uint32_t len) {
    static char number[32];
    const char *error = NULL;
    for (uint32_t i = 0; i < len; i++) {
        Text name = args[i].name, value = args[i].value;
        if (name.len != 6 || memcmp(name.ptr, "offset", 6)) {
            error = "the only argument is offset, in degrees";
        } else if (value.len == 0 || value.len >= sizeof number) {
            error = "offset is not a number";
        } else {
            memcpy(number, value.ptr, value.len);
            number[value.len] = 0;
            char *end;
            calibration = strtod(number, &end);
            if (*end) error = "offset is not a number";
        }
        give_back(name.ptr, name.len);
        give_back(value.ptr, value.len);
    }
    give_back(args, len);
    return answer(error, PLAN);
}

EXPORT("link") void link_chain(uint32_t chain, const uint32_t *members, uint32_t len) {
    static uint32_t count;
    if (chain >= count) {
        chains = cabi_realloc(chains, 0, 8, (chain + 1) * sizeof *chains);
        count = chain + 1;
    }
    chains[chain].members = members;  // kept for the life of the instance
    chains[chain].len = len;
}

EXPORT("process")
Outcome *process(uint32_t chain, uint32_t input, int64_t watermark, int64_t now, const uint8_t *bytes, uint32_t len, const uint32_t *rows,
                 uint32_t rows_len, const uint32_t *slots, uint32_t slots_len) {
    (void)input, (void)watermark, (void)now;
    Block block = {bytes};
    failures.len = 0;
    if (chains[chain].members[0] == AVERAGE) {
        for (uint32_t i = 0; i < slots_len; i++) {
            Accumulator *a = accumulator(slots[i]);
            a->sum += f64_of(block, 1, rows_len ? rows[i] : i);
            a->n++;
        }
    } else {
        pass_on(chain, 0, block);
    }
    give_back(bytes, len);
    give_back(rows, rows_len);
    give_back(slots, slots_len);
    return done();
}

EXPORT("on-timer")
Outcome *on_timer(uint32_t chain, int64_t watermark, int64_t now, const uint8_t *bytes, uint32_t len, const uint32_t *slots, uint32_t slots_len) {
    (void)chain, (void)watermark, (void)now, (void)bytes, (void)len, (void)slots, (void)slots_len;
    __builtin_trap();  // the plan declares no timers
}

EXPORT("fire")
Outcome *fire(uint32_t chain, int64_t watermark, int64_t now, const uint8_t *bytes, uint32_t len, const uint32_t *offsets, uint32_t offsets_len,
              const uint32_t *slots, uint32_t slots_len) {
    static Builder results;
    (void)watermark, (void)now;
    Block block = {bytes};
    failures.len = 0;
    start(&results, READINGS, 3);
    for (uint32_t row = 0; row < rows_of(block); row++) {
        Accumulator all = {0, 0};
        for (uint32_t i = offsets[row]; i < offsets[row + 1]; i++) {
            all.sum += accumulator(slots[i])->sum;
            all.n += accumulator(slots[i])->n;
        }
        double celsius = all.sum / (double)all.n;
        int64_t until = i64_of(block, 2, row);
        Text sensor = text_of(block, 0, row);
        push(&results, 0, sensor.ptr, sensor.len, true);
        push(&results, 1, &celsius, 8, true);
        push(&results, 2, &until, 8, true);
        end_row(&results, time_of(block, row));
    }
    pass_on(chain, 1, (Block){finish(&results).ptr});
    give_back(bytes, len);
    give_back(offsets, offsets_len);
    give_back(slots, slots_len);
    return done();
}

EXPORT("merge")
void merge(uint32_t operator_id, const uint32_t *targets, uint32_t targets_len, const uint32_t *sources, uint32_t sources_len) {
    (void)operator_id;
    for (uint32_t i = 0; i < targets_len; i++) {
        Accumulator from = *accumulator(sources[i]);
        Accumulator *into = accumulator(targets[i]);
        into->sum += from.sum;
        into->n += from.n;
        *accumulator(sources[i]) = (Accumulator){0, 0};
    }
    give_back(targets, targets_len);
    give_back(sources, sources_len);
}

EXPORT("export-state") List *export_state(uint32_t operator_id, const uint32_t *slots, uint32_t slots_len) {
    static Builder state;
    static List exported;
    (void)operator_id;
    start(&state, STATE, 2);
    for (uint32_t i = 0; i < slots_len; i++) {
        Accumulator *a = accumulator(slots[i]);
        push(&state, 0, &a->sum, 8, a->n != 0);
        push(&state, 1, &a->n, 8, a->n != 0);
        end_row(&state, 0);
    }
    exported = finish(&state);
    give_back(slots, slots_len);
    return &exported;
}

EXPORT("import-state")
Result *import_state(uint32_t operator_id, const uint32_t *slots, uint32_t slots_len, const uint8_t *bytes, uint32_t len) {
    Block block = {bytes};
    for (uint32_t i = 0; i < slots_len; i++) {
        if (present(block, 0, i)) *accumulator(slots[i]) = (Accumulator){f64_of(block, 0, i), i64_of(block, 1, i)};
    }
    static const char note[] = "state imported";
    host_log(1, operator_id, note, sizeof note - 1);
    give_back(slots, slots_len);
    give_back(bytes, len);
    return answer(NULL, "");
}

EXPORT("drop-state") void drop_state(uint32_t operator_id, const uint32_t *slots, uint32_t slots_len) {
    (void)operator_id;
    for (uint32_t i = 0; i < slots_len; i++) *accumulator(slots[i]) = (Accumulator){0, 0};
    give_back(slots, slots_len);
}
