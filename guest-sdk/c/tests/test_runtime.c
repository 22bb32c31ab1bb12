/* What operators do with records: failures and their undoing, state, timers, windows, blocks. */

#include "../tidemill_test.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t key;
    tdm_text text;
} item;
TDM_RECORD(item, key, text);

/* ---- A host that keeps what it hears. ---- */

static struct { uint32_t operator_id, port; uint8_t *bytes; size_t len; } blocks[64];
static size_t blocks_len;
static char heard[8192];
static jmp_buf trapped;
/* The block of the last call. */
static uint8_t *exact;

static void hear_log(void *data, tdm_level level, uint32_t operator_id, const char *message, size_t len) {
    (void)data;
    size_t at = strlen(heard);
    snprintf(heard + at, sizeof heard - at, "log %d operator %d: %.*s\n", (int)level, (int)operator_id, (int)len, message);
}

static void hear_emit(void *data, uint32_t operator_id, uint32_t port, const uint8_t *bytes, size_t len) {
    (void)data;
    uint8_t *copy = malloc(len);
    memcpy(copy, bytes, len);
    if (blocks_len == 64) abort();
    blocks[blocks_len].operator_id = operator_id;
    blocks[blocks_len].port = port;
    blocks[blocks_len].bytes = copy;
    blocks[blocks_len++].len = len;
}

static void hear_failure(void *data, uint32_t operator_id, uint32_t row, const char *message, size_t len) {
    (void)data;
    size_t at = strlen(heard);
    snprintf(heard + at, sizeof heard - at, "operator %u row %u: %.*s\n", operator_id, row, (int)len, message);
}

static void hear_trap(void *data) {
    (void)data;
    longjmp(trapped, 1);
}

static void forget(void) {
    while (blocks_len > 0) free(blocks[--blocks_len].bytes);
    heard[0] = 0;
    free(exact);
    exact = NULL;
}

static tdm_instance *instance_of(tdm_build build) {
    static const tdm_host host = {NULL, hear_log, hear_emit, hear_failure, hear_trap};
    tdm_text text;
    forget();
    tdm_instance *instance = tdm_plan(build, NULL, 0, &host, &text);
    if (!TDM_EXPECT(instance != NULL)) printf("    %.*s\n", TDM_ARG(text)), exit(1);
    return instance;
}

#define NUMBERS(...) ((tdm_numbers){(const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4})
static const tdm_numbers NONE = {NULL, 0};
static const tdm_moment AT = {0, 0};

static const tdm_outcome *process(tdm_instance *instance, const tdm_record *type, const void *records, size_t count, tdm_numbers rows, tdm_numbers slots) {
    int64_t times[64];
    for (size_t i = 0; i < count; i++) times[i] = 100 + (int64_t)i;
    tdm_bytes block = {NULL, 0};
    uint8_t *bytes = tdm_block_write(type, records, times, count, true, &block.len);
    /* Of exactly its length and at an odd address, as a host may hand one over. */
    free(exact);
    exact = malloc(block.len + 1);
    memcpy(exact + 1, bytes, block.len);
    free(bytes);
    block.ptr = exact + 1;
    return tdm_process_block(instance, 0, 0, AT, block, rows, slots);
}

#define PROCESS(instance, T, rows, slots, ...) process(instance, &T##_record, (const T[]){__VA_ARGS__}, sizeof((const T[]){__VA_ARGS__}) / sizeof(T), rows, slots)
#define ITEM(k, t) {k, TDM_TEXT(t)}

/* The records of the blocks of a port, as text. */
static const char *emitted(uint32_t operator_id, uint32_t port, const tdm_record *type) {
    static char out[4096];
    out[0] = 0;
    for (size_t b = 0; b < blocks_len; b++) {
        if (blocks[b].operator_id != operator_id || blocks[b].port != port) continue;
        int64_t *times;
        size_t count;
        uint8_t *records = tdm_block_read(type, (tdm_bytes){blocks[b].bytes, blocks[b].len}, &times, &count);
        if (!TDM_EXPECT(records != NULL)) return "";
        for (size_t i = 0; i < count; i++) {
            char *to = out + strlen(out);
            size_t room = sizeof out - (size_t)(to - out);
            int at = snprintf(to, room, "%s", out[0] ? " " : "");
            for (size_t f = 0; f < type->count; f++) {
                const uint8_t *cell = records + i * type->size + type->fields[f].offset;
                if (type->fields[f].type == TDM_I64) at += snprintf(to + at, room - (size_t)at, "%lld,", (long long)*(const int64_t *)(const void *)cell);
                else at += snprintf(to + at, room - (size_t)at, "%.*s,", TDM_ARG(*(const tdm_text *)(const void *)cell));
            }
            snprintf(to + at, room - (size_t)at, "@%lld", (long long)times[i]);
        }
        free(records);
        free(times);
    }
    return out;
}

static const char *failures(const tdm_outcome *outcome) {
    static char out[2048];
    out[0] = 0;
    for (size_t i = 0; i < outcome->failures_len; i++) {
        size_t at = strlen(out);
        const tdm_failure *f = &outcome->failures[i];
        snprintf(out + at, sizeof out - at, "%s%u by %u: %.*s", i ? "; " : "", f->row, f->operator_id, TDM_ARG(f->message));
    }
    return out;
}

static const char *numbers(const uint32_t *at, size_t len) {
    static char out[256];
    out[0] = 0;
    for (size_t i = 0; i < len; i++) snprintf(out + strlen(out), sizeof out - strlen(out), "%s%u", i ? " " : "", at[i]);
    return out;
}

/* ---- Chains. ---- */

/* Emits the text letter by letter; refuses it at a `!`, when some letters have been emitted already. */
static tdm_status letters(tdm_ctx *ctx, const item *in) {
    for (size_t i = 0; i < in->text.len; i++) {
        tdm_emit(ctx, item, .key = in->key, .text = {in->text.ptr + i, 1});
        if (in->text.ptr[i] == '!') return tdm_refuse(ctx, "%.*s is too loud", TDM_ARG(in->text));
    }
    return TDM_OK;
}
TDM_FLAT_MAP(letters, item, item);

static tdm_status not_x(tdm_ctx *ctx, const item *in) {
    if (in->text.ptr[0] == '?') return tdm_refuse(ctx, "a question of %lld", (long long)in->key);
    return tdm_keep_if(in->text.ptr[0] != 'x');
}
TDM_FILTER(not_x, item);

static const tdm_side seen_side = TDM_SIDE("seen", item);

/* Says what it sees on a side output before it refuses digits. */
static tdm_status no_digits(tdm_ctx *ctx, const item *in) {
    tdm_emit_to_ptr(ctx, &seen_side, item, in);
    tdm_emit_ptr(ctx, item, in);
    if (in->text.ptr[0] >= '0' && in->text.ptr[0] <= '9') return tdm_refuse(ctx, "digit %c", in->text.ptr[0]);
    return TDM_OK;
}
TDM_SPLIT(no_digits, item, item, &seen_side);

static tdm_status chain_job(tdm_job *job) {
    tdm_stream items = tdm_source(job, "items", item, tdm_json(NULL));
    tdm_stream split = tdm_on_errors(tdm_flat_map(items, "letters", letters), TDM_DEAD_LETTER);
    tdm_stream plain = tdm_on_errors(tdm_flat_map(split, "no-digits", no_digits), TDM_SKIP);
    tdm_sink(tdm_on_errors(tdm_filter(plain, "not-x", not_x), TDM_SKIP), "out", tdm_json(NULL));
    tdm_sink(tdm_side_output(plain, &seen_side), "seen", tdm_json(NULL));
    return TDM_OK;
}

static void what_a_refused_record_emitted_is_taken_back_through_the_chain(void) {
    tdm_instance *instance = instance_of(chain_job);
    tdm_link(instance, 0, NUMBERS(1, 2, 3));
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NONE, ITEM(1, "ab"), ITEM(2, "cd!e"), ITEM(3, "xf"));
    TDM_EXPECT_STRING(failures(outcome), "1 by 1: cd!e is too loud");
    TDM_EXPECT_STRING(emitted(3, 0, &item_record), "1,a,@100 1,b,@100 3,f,@102");
    TDM_EXPECT_STRING(emitted(2, 1, &item_record), "1,a,@100 1,b,@100 3,x,@102 3,f,@102");
    tdm_instance_free(instance);
}

static void a_refusal_concerns_only_the_record_that_the_refusing_operator_was_given(void) {
    tdm_instance *instance = instance_of(chain_job);
    tdm_link(instance, 0, NUMBERS(1, 2, 3));
    /* The second of three letters is refused by the middle member, of the next record the first by the last one. */
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NONE, ITEM(1, "a7b"), ITEM(2, "?c"), ITEM(3, "d"));
    TDM_EXPECT_STRING(failures(outcome), "0 by 2: digit 7; 1 by 3: a question of 2");
    TDM_EXPECT_STRING(emitted(3, 0, &item_record), "1,a,@100 1,b,@100 2,c,@101 3,d,@102");
    /* What the middle member said of the question stands: it did not refuse it. */
    TDM_EXPECT_STRING(emitted(2, 1, &item_record), "1,a,@100 1,b,@100 2,?,@101 2,c,@101 3,d,@102");
    tdm_instance_free(instance);
}

static void an_operator_that_refuses_takes_failures_behind_it_back(void) {
    tdm_instance *instance = instance_of(chain_job);
    tdm_link(instance, 0, NUMBERS(1, 2, 3));
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NONE, ITEM(1, "7?a!"), ITEM(2, "8"));
    TDM_EXPECT_STRING(failures(outcome), "0 by 1: 7?a! is too loud; 1 by 2: digit 8");
    TDM_EXPECT_STRING(emitted(3, 0, &item_record), "");
    TDM_EXPECT(blocks_len == 0);
    tdm_instance_free(instance);
}

static tdm_status bad_bytes(tdm_ctx *ctx, const item *in, item *out) {
    (void)ctx;
    *out = *in;
    if (in->key == 2) out->text = (tdm_text){"\xC3", 1};
    return TDM_OK;
}
TDM_MAP(bad_bytes, item, item);

static tdm_status silent(tdm_ctx *ctx, const item *in) {
    (void)ctx;
    return in->key == 1 ? TDM_REFUSED : in->key == 3 ? TDM_DROP : TDM_OK;
}
TDM_FLAT_MAP(silent, item, item);

static tdm_status bad_job(tdm_job *job) {
    tdm_stream items = tdm_source(job, "items", item, tdm_json(NULL));
    tdm_sink(tdm_on_errors(tdm_map(items, "bad", bad_bytes), TDM_SKIP), "out", tdm_json(NULL));
    tdm_sink(tdm_on_errors(tdm_flat_map(items, "silent", silent), TDM_SKIP), "none", tdm_json(NULL));
    return TDM_OK;
}

static void texts_that_are_none_and_statuses_that_are_none_are_refused(void) {
    tdm_instance *instance = instance_of(bad_job);
    tdm_link(instance, 0, NUMBERS(1));
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NONE, ITEM(1, "a"), ITEM(2, "b"), ITEM(3, "c"));
    TDM_EXPECT_STRING(failures(outcome), "1 by 1: field \"text\" of what it emits is not UTF-8");
    TDM_EXPECT_STRING(emitted(1, 0, &item_record), "1,a,@100 3,c,@102");
    tdm_link(instance, 0, NUMBERS(3));
    outcome = PROCESS(instance, item, NONE, NONE, ITEM(1, "a"), ITEM(2, "b"), ITEM(3, "c"));
    TDM_EXPECT_STRING(failures(outcome), "0 by 3: refused without a reason: return tdm_refuse(ctx, ...); 2 by 3: its function returned 2, which is no status here");
    tdm_instance_free(instance);
}

static tdm_status many(tdm_ctx *ctx, const int64_t *n) {
    for (int64_t i = 0; i < *n; i++) tdm_emit(ctx, int64_t, i);
    return TDM_OK;
}
TDM_FLAT_MAP(many, int64_t, int64_t);

static tdm_status many_job(tdm_job *job) {
    tdm_sink(tdm_flat_map(tdm_source(job, "n", int64_t, tdm_json(NULL)), "many", many), "out", tdm_json(NULL));
    return TDM_OK;
}

static void a_record_that_emits_much_is_handed_on_in_pieces(void) {
    tdm_instance *instance = instance_of(many_job);
    tdm_link(instance, 0, NUMBERS(1));
    PROCESS(instance, int64_t, NONE, NONE, 10000, 600000, 1);
    size_t all = 0;
    for (size_t i = 0; i < blocks_len; i++) {
        uint32_t rows;
        memcpy(&rows, blocks[i].bytes + 8, 4);
        TDM_EXPECT(rows <= 1 << 18);
        all += rows;
    }
    TDM_EXPECT(all == 610001 && blocks_len > 3);
    tdm_instance_free(instance);
}

/* ---- Traps. ---- */

static tdm_status inverse(tdm_ctx *ctx, const int64_t *n, int64_t *out) {
    (void)ctx;
    tdm_assert(*n != 0);
    *out = 100 / *n;
    return TDM_OK;
}
TDM_MAP(inverse, int64_t, int64_t);

static tdm_status plain_copy(tdm_ctx *ctx, const int64_t *n, int64_t *out) {
    tdm_log(TDM_WARN, "%lld is here", (long long)*n);
    return (void)ctx, *out = *n, TDM_OK;
}
TDM_MAP(plain_copy, int64_t, int64_t);

static tdm_status inverse_job(tdm_job *job) {
    tdm_stream n = tdm_map(tdm_source(job, "n", int64_t, tdm_json(NULL)), "same", plain_copy);
    tdm_sink(tdm_map(n, "inverse", inverse), "out", tdm_json(NULL));
    return TDM_OK;
}

static void an_abort_tells_the_host_place_operator_and_record(void) {
    tdm_instance *instance = instance_of(inverse_job);
    tdm_link(instance, 0, NUMBERS(1, 2));
    if (!setjmp(trapped)) {
        PROCESS(instance, int64_t, NONE, NONE, 5, 0, 7);
        TDM_EXPECT(false);
    }
    TDM_EXPECT(strstr(heard, "log 3 operator 1: 5 is here\n") != NULL);
    TDM_EXPECT(strstr(heard, "operator 2 row 1: tests/test_runtime.c:") != NULL);
    TDM_EXPECT(strstr(heard, ": *n != 0 does not hold\n") != NULL);
    tdm_instance_free(instance);
}

static void a_wrong_block_is_said_and_traps(void) {
    tdm_instance *instance = instance_of(inverse_job);
    tdm_link(instance, 0, NUMBERS(1));
    if (!setjmp(trapped)) {
        PROCESS(instance, item, NONE, NONE, ITEM(1, "a"), ITEM(2, "b"));
        /* The first column of an item fits; a text does not. */
        PROCESS(instance, tdm_text, NONE, NONE, TDM_TEXT("a"));
        TDM_EXPECT(false);
    }
    TDM_EXPECT(strstr(heard, "the host gave a wrong block: column 0 has type 5, not i64") != NULL);
    tdm_instance_free(instance);
}

/* ---- Keyed state. ---- */

static const tdm_state last = TDM_VALUE("last", tdm_text);
static const tdm_state times_seen = TDM_LIST("seen", int64_t);
static const tdm_state counts = TDM_MAP_STATE("counts", tdm_text, int64_t);
static const tdm_timer timer = TDM_EVENT_TIMER("t");

/* Keeps the last text of each key; refuses `bad` after writing it. */
static tdm_status keep_last(tdm_ctx *ctx, const item *in) {
    if (tdm_equal(in->text, tdm_str("look"))) {
        const tdm_text *text = tdm_get(ctx, &last, tdm_text);
        if (text) tdm_emit_ptr(ctx, tdm_text, text);
        else tdm_emit(ctx, tdm_text, "", 0);
        return TDM_OK;
    }
    if (tdm_equal(in->text, tdm_str("clear"))) {
        tdm_clear(ctx, &last);
        tdm_clear(ctx, &times_seen);
        tdm_clear(ctx, &counts);
        tdm_timer_clear(ctx, &timer);
        return TDM_OK;
    }
    tdm_set_ptr(ctx, &last, tdm_text, &in->text);
    tdm_push(ctx, &times_seen, int64_t, tdm_time(ctx));
    ++*tdm_edit_entry(ctx, &counts, tdm_text, &in->text, int64_t);
    tdm_timer_add(ctx, &timer, tdm_time(ctx) + 1);
    tdm_emit_ptr(ctx, tdm_text, &in->text);
    if (tdm_equal(in->text, tdm_str("bad"))) return tdm_refuse(ctx, "%.*s is refused", TDM_ARG(in->text));
    return TDM_OK;
}
TDM_INPUT(keep_last, item);

static tdm_status on_timer(tdm_ctx *ctx, const tdm_timer *due) {
    tdm_text text = tdm_format_text(ctx, "%s of %lld at %lld", due == &timer ? due->name : "?", (long long)*tdm_key(ctx, int64_t), (long long)tdm_time(ctx));
    tdm_emit_ptr(ctx, tdm_text, &text);
    return TDM_OK;
}

static const tdm_process keeping = {
    .out = &tdm_text_record, .inputs = {&keep_last_input}, .state = {&last, &times_seen, &counts}, .timers = {&timer}, .on_timer = on_timer,
};

static tdm_status last_job(tdm_job *job) {
    tdm_keyed items = tdm_key_by(tdm_source(job, "items", item, tdm_json(NULL)), TDM_OF(item, key));
    tdm_sink(tdm_on_errors(tdm_processed(items, "last", &keeping), TDM_SKIP), "out", tdm_json(NULL));
    return TDM_OK;
}

static void a_refused_record_leaves_state_timers_and_output_as_they_were(void) {
    tdm_test *test = tdm_test_operator(last_job, "last");
    tdm_test_give(test, 0, 10, item, 1, TDM_TEXT("a"));
    tdm_test_give(test, 0, 10, item, 1, TDM_TEXT("bad"));
    tdm_test_give(test, 0, 10, item, 1, TDM_TEXT("look"));
    tdm_test_give(test, 0, 20, item, 2, TDM_TEXT("bad"));
    tdm_test_give(test, 0, 20, item, 2, TDM_TEXT("look"));
    size_t count;
    const tdm_text *out = tdm_test_output(test, NULL, "out", tdm_text, &count, NULL);
    if (TDM_EXPECT(count == 3)) {
        TDM_EXPECT_TEXT(out[0], "a");
        TDM_EXPECT_TEXT(out[1], "a");
        TDM_EXPECT_TEXT(out[2], "");
    }
    TDM_EXPECT_STRING(tdm_test_timers(test, NULL), "t@11");
    TDM_EXPECT_STRING(tdm_test_refused(test), "bad is refused\nbad is refused");
    tdm_test_restart(test);
    tdm_test_watermark(test, 11);
    out = tdm_test_output(test, NULL, "out", tdm_text, &count, NULL);
    if (TDM_EXPECT(count == 1)) TDM_EXPECT_TEXT(out[0], "t of 1 at 11");
    tdm_test_free(test);
}

static void a_call_says_which_slots_are_empty_and_which_unchanged(void) {
    tdm_instance *instance = instance_of(last_job);
    tdm_link(instance, 0, NUMBERS(1));
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NUMBERS(0, 1, 2, 0, 2, 3), ITEM(1, "a"), ITEM(2, "look"), ITEM(3, "a"), ITEM(1, "look"), ITEM(3, "clear"), ITEM(4, "bad"));
    TDM_EXPECT_STRING(numbers(outcome->cleared, outcome->cleared_len), "1 2 3");
    TDM_EXPECT_STRING(numbers(outcome->unchanged, outcome->unchanged_len), "");
    TDM_EXPECT(outcome->timers_len == 3);
    outcome = PROCESS(instance, item, NONE, NUMBERS(0), ITEM(1, "look"));
    TDM_EXPECT_STRING(numbers(outcome->cleared, outcome->cleared_len), "");
    TDM_EXPECT_STRING(numbers(outcome->unchanged, outcome->unchanged_len), "0");
    tdm_instance_free(instance);
}

static void rows_may_be_given_with_their_slots(void) {
    tdm_instance *instance = instance_of(last_job);
    tdm_link(instance, 0, NUMBERS(1));
    PROCESS(instance, item, NUMBERS(0, 2), NUMBERS(5, 5), ITEM(1, "a"), ITEM(2, "b"), ITEM(1, "c"));
    TDM_EXPECT_STRING(emitted(1, 0, &tdm_text_record), "a,@100 c,@102");
    tdm_instance_free(instance);
}

static void state_is_exported_and_loaded_again_as_it_was(void) {
    tdm_instance *first = instance_of(last_job);
    tdm_link(first, 0, NUMBERS(1));
    PROCESS(first, item, NONE, NUMBERS(7, 7, 1), ITEM(1, "a"), ITEM(1, "b"), ITEM(2, "c"));
    tdm_bytes lent = tdm_export_state(first, 1, NUMBERS(7, 3, 1));
    uint8_t *copy = malloc(lent.len);
    memcpy(copy, lent.ptr, lent.len);
    tdm_bytes exported = {copy, lent.len};
    static const tdm_column columns[] = {{"last.value", TDM_STRING + TDM_OPTIONAL}, {"seen.block", TDM_BYTES + TDM_OPTIONAL}, {"counts.block", TDM_BYTES + TDM_OPTIONAL}};
    TDM_EXPECT(tdm_block_check(exported, columns, 3) == NULL);
    tdm_instance *second = instance_of(last_job);
    tdm_link(second, 0, NUMBERS(1));
    TDM_EXPECT(tdm_import_state(second, 1, NUMBERS(0, 1, 2), exported) == NULL);
    tdm_bytes again = tdm_export_state(second, 1, NUMBERS(0, 1, 2));
    TDM_EXPECT(again.len == exported.len && memcmp(again.ptr, exported.ptr, again.len) == 0);
    PROCESS(second, item, NONE, NUMBERS(0), ITEM(1, "look"));
    TDM_EXPECT_STRING(emitted(1, 0, &tdm_text_record), "b,@100");
    tdm_drop_state(second, 1, NUMBERS(0));
    again = tdm_export_state(second, 1, NUMBERS(0, 1, 2));
    TDM_EXPECT(again.len != exported.len || memcmp(again.ptr, exported.ptr, again.len) != 0);
    TDM_EXPECT_STRING(tdm_import_state(second, 1, NUMBERS(0), exported), "a block of 3 rows does not fit 1 slots");
    size_t len;
    const item wrong = {1, TDM_TEXT("a")};
    uint8_t *block = tdm_block_write(&item_record, &wrong, NULL, 1, true, &len);
    TDM_EXPECT_STRING(tdm_import_state(second, 1, NUMBERS(0), (tdm_bytes){block, len}), "column 0 has type 3, not optional string");
    /* A list whose bytes are no block of its items. */
    for (size_t i = 0; i + 4 < exported.len; i++) {
        if (i && memcmp(copy + i, "TBLK", 4) == 0) copy[i + 16] ^= 1;
    }
    TDM_EXPECT(tdm_import_state(second, 1, NUMBERS(0, 1, 2), exported) != NULL);
    free(block);
    free(copy);
    tdm_instance_free(first);
    tdm_instance_free(second);
}

/* ---- State of every kind, with texts, undone and not: against a plain model. ---- */

typedef struct {
    tdm_text name;
    tdm_opt_text note;
    int64_t n;
} entry;
TDM_RECORD(entry, name, note, n);

static const tdm_state one = TDM_VALUE("one", entry);
static const tdm_state all = TDM_LIST("all", entry);
static const tdm_state by_name = TDM_MAP_STATE("by-name", tdm_text, entry);

static entry entry_of(tdm_ctx *ctx, const item *in) {
    entry e = {tdm_format_text(ctx, "<%.*s>", TDM_ARG(in->text)), {in->key % 2 == 0, in->text}, in->key};
    return e;
}

/* Does what the number says, then refuses numbers that 5 divides. */
static tdm_status change(tdm_ctx *ctx, const item *in) {
    entry e = entry_of(ctx, in);
    size_t count;
    entry *items;
    switch (in->key % 11) {
    case 0: tdm_set_ptr(ctx, &one, entry, &e); break;
    case 1: tdm_edit(ctx, &one, entry)->name = in->text; break;
    case 2: {
        entry *value = tdm_edit(ctx, &one, entry);
        tdm_text kept = value->name;
        value->name = value->note.present ? value->note.value : kept;
        value->note = (tdm_opt_text){true, kept};
        break;
    }
    case 3: tdm_push_ptr(ctx, &all, entry, &e); break;
    case 4:
        items = tdm_edit_items(ctx, &all, entry, &count);
        if (count > 1) {
            entry swapped = items[0];
            items[0] = items[count - 1];
            items[count - 1] = swapped;
            items[0].name = in->text;
        }
        tdm_push_ptr(ctx, &all, entry, &e);
        break;
    case 5: tdm_truncate(ctx, &all, tdm_length(ctx, &all) / 2); break;
    case 6: {
        const entry *old = tdm_items(ctx, &all, entry, &count);
        if (count) tdm_set_items(ctx, &all, entry, old + count / 3, count - count / 3);
        break;
    }
    case 7: tdm_put_ptr(ctx, &by_name, tdm_text, &in->text, entry, &e); break;
    case 8: {
        entry *value = tdm_edit_entry(ctx, &by_name, tdm_text, &in->text, entry);
        value->n += in->key;
        value->name = in->text;
        break;
    }
    case 9: tdm_remove(ctx, &by_name, tdm_text, &in->text); break;
    default: {
        const entry *taken = tdm_take(ctx, &one, entry);
        if (taken) tdm_push_ptr(ctx, &all, entry, taken);
        if (in->key % 3 == 0) tdm_clear(ctx, &by_name);
        break;
    }
    }
    if (in->key % 5 == 0) return tdm_refuse(ctx, "five");
    return TDM_OK;
}
TDM_INPUT(change, item);

static const tdm_process changing = {.out = &int64_t_record, .inputs = {&change_input}, .state = {&one, &all, &by_name}};

static tdm_status changing_job_of(tdm_job *job, tdm_on_error policy) {
    tdm_keyed items = tdm_key_by(tdm_source(job, "items", item, tdm_json(NULL)), TDM_OF(item, text));
    tdm_sink(tdm_on_errors(tdm_processed(items, "changing", &changing), policy), "out", tdm_json(NULL));
    return TDM_OK;
}
static tdm_status undoing_job(tdm_job *job) { return changing_job_of(job, TDM_SKIP); }
static tdm_status failing_job(tdm_job *job) { return changing_job_of(job, TDM_FAIL); }

/* Undoing a refused record gives the bytes that never doing it gives. */
static void undone_is_as_never_done(void) {
    static const char *const texts[] = {"a", "b", "tide", "", "ü"};
    tdm_instance *undoing = instance_of(undoing_job), *plain = instance_of(failing_job);
    tdm_link(undoing, 0, NUMBERS(1));
    tdm_link(plain, 0, NUMBERS(1));
    uint32_t seed = 7;
    for (int round = 0; round < 3000; round++) {
        seed = seed * 1664525 + 1013904223;
        const item in = {seed >> 8 & 0xFFFF, tdm_str(texts[seed >> 24 & 3])};
        uint32_t slot = seed >> 28 & 3;
        process(undoing, &item_record, &in, 1, NONE, (tdm_numbers){&slot, 1});
        if (in.key % 5 != 0) process(plain, &item_record, &in, 1, NONE, (tdm_numbers){&slot, 1});
        if (round % 50 != 49) continue;
        tdm_bytes a = tdm_export_state(undoing, 1, NUMBERS(0, 1, 2, 3));
        tdm_bytes b = tdm_export_state(plain, 1, NUMBERS(0, 1, 2, 3));
        if (!TDM_EXPECT(a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0)) break;
        if (round % 500 == 499) {
            uint8_t *copy = malloc(a.len);
            memcpy(copy, a.ptr, a.len);
            tdm_drop_state(undoing, 1, NUMBERS(0, 1, 2, 3));
            TDM_EXPECT(tdm_import_state(undoing, 1, NUMBERS(0, 1, 2, 3), (tdm_bytes){copy, a.len}) == NULL);
            free(copy);
        }
        forget();
    }
    tdm_instance_free(undoing);
    tdm_instance_free(plain);
}

static tdm_status broken_text(tdm_ctx *ctx, const item *in) {
    tdm_text text = in->key == 1 ? (tdm_text){"\xFF", 1} : in->text;
    if (in->key < 2) tdm_set_ptr(ctx, &last, tdm_text, &text);
    if (in->key == 2) *tdm_edit(ctx, &last, tdm_text) = (tdm_text){"\x80", 1};
    if (in->key == 3) tdm_put(ctx, &counts, tdm_text, (&(tdm_text){"\xC0\x80", 2}), int64_t, 1);
    return TDM_OK;
}
TDM_INPUT(broken_text, item);
static const tdm_process breaking = {.out = &int64_t_record, .inputs = {&broken_text_input}, .state = {&last, &counts}};

static tdm_status breaking_job(tdm_job *job) {
    tdm_keyed items = tdm_key_by(tdm_source(job, "items", item, tdm_json(NULL)), TDM_OF(item, key));
    tdm_sink(tdm_on_errors(tdm_processed(items, "breaking", &breaking), TDM_SKIP), "out", tdm_json(NULL));
    return TDM_OK;
}

static void a_text_that_is_none_never_gets_into_state(void) {
    tdm_instance *instance = instance_of(breaking_job);
    tdm_link(instance, 0, NUMBERS(1));
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NUMBERS(0, 0, 0, 0), ITEM(0, "fine"), ITEM(1, "b"), ITEM(2, "c"), ITEM(3, "d"));
    TDM_EXPECT_STRING(failures(outcome), "1 by 1: field \"value\" of state \"last\" is given a text that is not UTF-8; "
                                         "2 by 1: field \"value\" of state \"last\" is given a text that is not UTF-8; "
                                         "3 by 1: field \"value\" of state \"counts\" is given a text that is not UTF-8");
    const tdm_bytes state = tdm_export_state(instance, 1, NUMBERS(0));
    static const tdm_column columns[] = {{"last.value", TDM_STRING + TDM_OPTIONAL}, {"counts.block", TDM_BYTES + TDM_OPTIONAL}};
    TDM_EXPECT(tdm_block_check(state, columns, 2) == NULL);
    tdm_instance_free(instance);
}

/* ---- State with pointers of its own. ---- */

typedef struct {
    int64_t *at;
    size_t count, room;
} sorted;

typedef struct {
    tdm_bytes block;
} packed;
TDM_RECORD(packed, block);

static int copies, frees;

static void sorted_copy(void *to, const void *from) {
    const sorted *s = from;
    sorted *copy = to;
    *copy = (sorted){malloc((s->room + 1) * sizeof(int64_t)), s->count, s->room};
    if (s->count) memcpy(copy->at, s->at, s->count * sizeof(int64_t));
    copies++;
}

static void sorted_free(void *self) {
    free(((sorted *)self)->at);
    frees++;
}

static void sorted_save(tdm_ctx *ctx, const void *self, void *record) {
    const sorted *s = self;
    ((packed *)record)->block = tdm_pack(ctx, int64_t, s->at, s->count);
}

static void sorted_add(sorted *s, int64_t n) {
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 2;
        s->at = realloc(s->at, s->room * sizeof(int64_t));
    }
    size_t i = s->count++;
    for (; i > 0 && s->at[i - 1] > n; i--) s->at[i] = s->at[i - 1];
    s->at[i] = n;
}

static bool sorted_load(tdm_ctx *ctx, void *self, const void *record) {
    sorted *s = self;
    size_t count;
    const int64_t *numbers_read = tdm_unpack(ctx, int64_t, ((const packed *)record)->block, &count);
    if (count > 100) return false;
    for (size_t i = 0; i < count; i++) sorted_add(s, numbers_read[i]);
    return true;
}

static const tdm_native sorted_native = {sizeof(sorted), &packed_record, NULL, sorted_copy, sorted_free, sorted_save, sorted_load};
static const tdm_state numbers_of_key = TDM_NATIVE_VALUE("numbers", sorted_native);

static tdm_status sort_in(tdm_ctx *ctx, const item *in) {
    sorted *s = tdm_edit_native(ctx, &numbers_of_key);
    sorted_add(s, (int64_t)in->text.len);
    if (in->text.ptr[0] == '!') return tdm_refuse(ctx, "loud");
    if (in->text.ptr[0] == '0') tdm_clear(ctx, &numbers_of_key);
    const sorted *now = tdm_get_native(ctx, &numbers_of_key);
    tdm_emit(ctx, int64_t, now ? now->at[0] * 100 + (int64_t)now->count : -1);
    return TDM_OK;
}
TDM_INPUT(sort_in, item);
static const tdm_process sorting = {.out = &int64_t_record, .inputs = {&sort_in_input}, .state = {&numbers_of_key}};

static tdm_status sorting_job(tdm_job *job) {
    tdm_keyed items = tdm_key_by(tdm_source(job, "items", item, tdm_json(NULL)), TDM_OF(item, key));
    tdm_sink(tdm_on_errors(tdm_processed(items, "sorting", &sorting), TDM_SKIP), "out", tdm_json(NULL));
    return TDM_OK;
}

static void native_state_is_copied_freed_saved_and_loaded(void) {
    copies = frees = 0;
    tdm_test *test = tdm_test_operator(sorting_job, "sorting");
    static const char *const texts[] = {"abc", "!", "ab", "!!", "abcd"};
    for (size_t i = 0; i < 5; i++) tdm_test_give(test, 0, 0, item, 1, tdm_str(texts[i]));
    size_t count;
    const int64_t *out = tdm_test_output(test, NULL, "out", int64_t, &count, NULL);
    TDM_EXPECT(count == 3 && out[0] == 301 && out[1] == 202 && out[2] == 203);
    tdm_test_restart(test);
    tdm_test_give(test, 0, 0, item, 1, TDM_TEXT("a"));
    out = tdm_test_output(test, NULL, "out", int64_t, &count, NULL);
    TDM_EXPECT(count == 1 && out[0] == 104);
    tdm_test_give(test, 0, 0, item, 1, TDM_TEXT("0"));
    out = tdm_test_output(test, NULL, "out", int64_t, &count, NULL);
    TDM_EXPECT(count == 1 && out[0] == -1);
    tdm_test_free(test);
    TDM_EXPECT(copies > 0 && frees > 0);
}

/* ---- Reducing, and two inputs. ---- */

static void longest(item *so_far, const item *next_item) {
    if (next_item->text.len > so_far->text.len) *so_far = *next_item;
}
TDM_REDUCE(longest, item);

static tdm_status reduce_job(tdm_job *job) {
    tdm_stream items = tdm_source(job, "items", item, tdm_json(NULL));
    tdm_sink(tdm_reduce(tdm_key_by(items, TDM_OF(item, key)), "longest", longest), "out", tdm_csv(NULL));
    return TDM_OK;
}

static void a_running_reduce_emits_the_result_so_far(void) {
    tdm_test *test = tdm_test_job(reduce_job);
    static const char *const texts[] = {"ab", "a", "abc"};
    for (size_t i = 0; i < 3; i++) {
        tdm_test_push(test, "items", item, 1, tdm_str(texts[i]));
        tdm_test_restart(test);
    }
    size_t count;
    const char *const *lines = tdm_test_sink_lines(test, "out", &count);
    if (TDM_EXPECT(count == 3)) {
        TDM_EXPECT_STRING(lines[0], "1,ab");
        TDM_EXPECT_STRING(lines[1], "1,ab");
        TDM_EXPECT_STRING(lines[2], "1,abc");
    }
    tdm_test_free(test);
}

static const tdm_state sum = TDM_VALUE("sum", int64_t);

static tdm_status add_item(tdm_ctx *ctx, const item *in) {
    *tdm_edit(ctx, &sum, int64_t) += (int64_t)in->text.len;
    tdm_emit(ctx, int64_t, *tdm_get(ctx, &sum, int64_t));
    return TDM_OK;
}
TDM_INPUT(add_item, item);
static tdm_status add_number(tdm_ctx *ctx, const int64_t *in) {
    *tdm_edit(ctx, &sum, int64_t) += *in;
    tdm_emit_at(ctx, 42, int64_t, *tdm_get(ctx, &sum, int64_t));
    return TDM_OK;
}
TDM_INPUT(add_number, int64_t);
static const tdm_process adding = {.out = &int64_t_record, .inputs = {&add_item_input, &add_number_input}, .state = {&sum}};

static void key_of_number(const int64_t *in, int64_t *key) { *key = *in % 10; }
TDM_KEY(key_of_number, int64_t, int64_t);

static tdm_status connected_job(tdm_job *job) {
    tdm_keyed items = tdm_key_by(tdm_source(job, "items", item, tdm_json(NULL)), TDM_OF(item, key));
    tdm_keyed numbers_stream = tdm_key_by_fn(tdm_source(job, "numbers", int64_t, tdm_json(NULL)), "last-digit", key_of_number);
    tdm_sink(tdm_connected("adding", &adding, items, numbers_stream), "out", tdm_csv(NULL));
    return TDM_OK;
}

static void two_inputs_share_the_state_of_their_key(void) {
    tdm_test *test = tdm_test_job(connected_job);
    tdm_test_push(test, "items", item, 3, TDM_TEXT("four"));
    tdm_test_push(test, "numbers", int64_t, 13);
    tdm_test_push(test, "numbers", int64_t, 14);
    size_t count;
    const int64_t *times, *out = tdm_test_output(test, "adding", "out", int64_t, &count, &times);
    TDM_EXPECT(count == 3 && out[0] == 4 && out[1] == 17 && out[2] == 14);
    TDM_EXPECT(count == 3 && times[0] == INT64_MIN && times[1] == 42);
    tdm_test_free(test);
}

static void a_process_function_is_tested_alone(void) {
    tdm_test *test = tdm_test_process(&adding, tdm_text);
    const tdm_text key = TDM_TEXT("k"), other = TDM_TEXT("l");
    tdm_test_give_keyed(test, 0, 5, tdm_text, &key, item, 1, TDM_TEXT("abc"));
    tdm_test_give_keyed(test, 1, 6, tdm_text, &key, int64_t, 10);
    tdm_test_give_keyed(test, 1, 7, tdm_text, &other, int64_t, 1);
    size_t count;
    const int64_t *out = tdm_test_output(test, NULL, "out", int64_t, &count, NULL);
    TDM_EXPECT(count == 3 && out[0] == 3 && out[1] == 13 && out[2] == 1);
    tdm_test_free(test);
}

static void a_single_function_is_tested_alone(void) {
    tdm_test *test = tdm_test_flat_map(letters);
    tdm_test_give(test, 0, 5, item, 1, TDM_TEXT("ab"));
    tdm_test_give(test, 0, 6, item, 1, TDM_TEXT("c!"));
    size_t count;
    const int64_t *times;
    const item *out = tdm_test_output(test, NULL, "out", item, &count, &times);
    TDM_EXPECT(count == 2 && times[1] == 5);
    if (count == 2) TDM_EXPECT_TEXT(out[1].text, "b");
    TDM_EXPECT_STRING(tdm_test_refused(test), "c! is too loud");
    tdm_test_free(test);
}

static void a_failing_job_is_told_from_one_that_goes_on(void) {
    tdm_test *test = tdm_test_job(inverse_job);
    tdm_test_allow_failure(test);
    tdm_test_push(test, "n", int64_t, 5);
    TDM_EXPECT(tdm_test_failure(test) == NULL);
    tdm_test_push(test, "n", int64_t, 0);
    TDM_EXPECT(tdm_test_failure(test) && strstr(tdm_test_failure(test), "operator \"inverse\" fails at row 0: tests/test_runtime.c:"));
    tdm_test_free(test);
}

/* ---- Windows. ---- */

typedef struct {
    tdm_text text;
} joined;
TDM_RECORD(joined, text);

/* Texts one after the other, in memory of their own. */
typedef struct {
    char text[64];
    size_t len;
} join_acc;

static void join_save(tdm_ctx *ctx, const void *self, void *record) {
    (void)ctx;
    const join_acc *acc = self;
    ((joined *)record)->text = (tdm_text){acc->text, acc->len};
}
static bool join_load(tdm_ctx *ctx, void *self, const void *record) {
    (void)ctx;
    const joined *from = record;
    join_acc *acc = self;
    if (from->text.len > sizeof acc->text) return false;
    memcpy(acc->text, from->text.ptr, acc->len = from->text.len);
    return true;
}
static const tdm_native join_native = {sizeof(join_acc), &joined_record, NULL, NULL, NULL, join_save, join_load};

static void join_add(join_acc *acc, const item *in) {
    memcpy(acc->text + acc->len, in->text.ptr, in->text.len);
    acc->len += in->text.len;
}
static void join_merge(join_acc *into, const join_acc *from) {
    memcpy(into->text + into->len, from->text, from->len);
    into->len += from->len;
}
TDM_NATIVE_AGGREGATOR(joining, item, join_acc, join_native, join_add, join_merge);

typedef struct {
    int64_t key, start, end, firing;
    tdm_text text;
} window_text;
TDM_RECORD(window_text, key, start, end, firing, text);

static tdm_status join_finish(tdm_ctx *ctx, const tdm_window *w, const join_acc *acc) {
    tdm_emit(ctx, window_text, *tdm_key(ctx, int64_t), w->start, w->end, w->firing, {acc->text, acc->len});
    return TDM_OK;
}
TDM_FINISH_NATIVE(join_finish, join_acc, join_native, window_text);

static tdm_status mark(tdm_ctx *ctx, const window_text *in, window_text *out) {
    *out = *in;
    out->text = tdm_format_text(ctx, "<%.*s>", TDM_ARG(in->text));
    return TDM_OK;
}
TDM_MAP(mark, window_text, window_text);

static tdm_status joined_job(tdm_job *job) {
    tdm_keyed items = tdm_key_by(tdm_source(job, "items", item, tdm_json(NULL)), TDM_OF(item, key));
    tdm_stream windows = tdm_aggregate(tdm_window_by(items, tdm_sliding(10000, 2000)), "join", joining, join_finish);
    tdm_sink(tdm_map(windows, "marked", mark), "out", tdm_json(NULL));
    return TDM_OK;
}

typedef struct {
    int64_t key, start, end;
    int32_t firing;
} fire_row;
TDM_RECORD(fire_row, key, start, end, firing);

static void fire(tdm_instance *instance, const fire_row *rows, size_t count, tdm_numbers offsets, tdm_numbers slots) {
    const int64_t times[] = {100, 101};
    size_t len;
    uint8_t *block = tdm_block_write(&fire_row_record, rows, times, count, false, &len);
    tdm_fire_windows(instance, 0, AT, (tdm_bytes){block, len}, offsets, slots);
    free(block);
}

static void a_window_is_the_merge_of_its_panes_and_leaves_them_as_they_are(void) {
    tdm_instance *instance = instance_of(joined_job);
    tdm_link(instance, 0, NUMBERS(1, 2));
    PROCESS(instance, item, NONE, NUMBERS(0, 1, 2, 3), ITEM(1, "a"), ITEM(2, "b"), ITEM(1, "c"), ITEM(1, "d"));
    const fire_row windows[] = {{1, 0, 10, 3}, {1, 10, 20, 3}};
    fire(instance, windows, 2, NUMBERS(0, 3, 5), NUMBERS(0, 2, 3, 2, 3));
    TDM_EXPECT_STRING(emitted(2, 0, &window_text_record), "1,0,10,3,<acd>,@100 1,10,20,3,<cd>,@101");
    forget();
    tdm_merge(instance, 1, NUMBERS(0), NUMBERS(3));
    fire(instance, windows, 2, NUMBERS(0, 1, 2), NUMBERS(0, 3));
    TDM_EXPECT_STRING(emitted(2, 0, &window_text_record), "1,0,10,3,<ad>,@100");
    tdm_instance_free(instance);
}

static void a_row_may_belong_to_several_windows(void) {
    tdm_instance *instance = instance_of(joined_job);
    tdm_link(instance, 0, NUMBERS(1, 2));
    PROCESS(instance, item, NUMBERS(0, 0, 2), NUMBERS(4, 5, 5), ITEM(1, "a"), ITEM(1, "b"), ITEM(1, "c"));
    const fire_row windows[] = {{1, 0, 1, 0}, {1, 0, 1, 0}};
    fire(instance, windows, 2, NUMBERS(0, 1, 2), NUMBERS(4, 5));
    TDM_EXPECT_STRING(emitted(2, 0, &window_text_record), "1,0,1,0,<a>,@100 1,0,1,0,<ac>,@101");
    tdm_instance_free(instance);
}

typedef struct {
    int64_t key, at;
} event;
TDM_RECORD(event, key, at);

static int64_t event_at(const event *in) { return in->at; }
TDM_NUMBER(event_at, event);
static void event_key(const event *in, int64_t *key) { *key = in->key; }
TDM_KEY(event_key, event, int64_t);

typedef struct {
    int64_t start, end, firing, count;
} session;
TDM_RECORD(session, start, end, firing, count);

static tdm_status list_events(tdm_ctx *ctx, const tdm_window *w, const event *events, size_t count) {
    (void)events;
    tdm_emit(ctx, session, w->start, w->end, w->firing, (int64_t)count);
    return TDM_OK;
}
TDM_WINDOW_PROCESS(list_events, event, session);

static tdm_status session_job(tdm_job *job) {
    tdm_stream events = tdm_assign_event_time(tdm_source(job, "events", event, tdm_json(NULL)), "time", event_at, tdm_out_of_order(50));
    tdm_windows windows = tdm_session(10);
    windows.lateness = 100;
    tdm_stream sessions = tdm_window_process(tdm_window_by(tdm_key_by_fn(events, "key", event_key), windows), "list", list_events);
    tdm_sink(sessions, "out", tdm_csv(NULL));
    tdm_sink(tdm_late(sessions, event), "late", tdm_csv(NULL));
    return TDM_OK;
}

static int by_line(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* The lines of a sink in order, joined. */
static const char *lines_of(tdm_test *test, const char *sink) {
    static char out[2048];
    size_t count;
    const char *const *lines = tdm_test_sink_lines(test, sink, &count);
    const char *order[64];
    for (size_t i = 0; i < count; i++) order[i] = lines[i];
    qsort(order, count, sizeof *order, by_line);
    out[0] = 0;
    for (size_t i = 0; i < count; i++) snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", i ? " " : "", order[i]);
    return out;
}

static void sessions_merge_their_accumulators_and_late_records_fire_again(void) {
    tdm_test *test = tdm_test_job(session_job);
    static const int64_t times[] = {100, 120, 110, 100, 300, 115, 500, 105};
    for (size_t i = 0; i < 8; i++) {
        tdm_test_push(test, "events", event, 1, times[i]);
        tdm_test_restart(test);
    }
    TDM_EXPECT_STRING(lines_of(test, "out"), "100,130,0,4 300,310,0,1");
    TDM_EXPECT_STRING(lines_of(test, "late"), "1,105 1,115");
    tdm_test_free(test);
}

/* Every ready aggregate of a component, over sliding windows, whose host is the kit. */
static tdm_status finish_number(tdm_ctx *ctx, const tdm_window *w, const int64_t *n) { return tdm_emit(ctx, session, w->start, w->end, w->firing, *n), TDM_OK; }
TDM_FINISH(finish_number, int64_t, session);
static tdm_status finish_mean(tdm_ctx *ctx, const tdm_window *w, const double *n) { return tdm_emit(ctx, session, w->start, w->end, w->firing, (int64_t)(*n * 100)), TDM_OK; }
TDM_FINISH(finish_mean, double, session);

static tdm_status ready_job(tdm_job *job) {
    tdm_stream events = tdm_source(job, "events", event, tdm_json(NULL));
    tdm_event_time(events, TDM_OF(event, at), tdm_monotonic());
    tdm_windowed windows = tdm_window_all(events, tdm_tumbling(10));
    tdm_sink(tdm_aggregate(windows, "count", tdm_counting(&event_record), finish_number), "counts", tdm_csv(NULL));
    tdm_sink(tdm_aggregate(windows, "sum", tdm_summing(TDM_OF(event, key)), finish_number), "sums", tdm_csv(NULL));
    tdm_sink(tdm_aggregate(windows, "mean", tdm_averaging(TDM_OF(event, key)), finish_mean), "means", tdm_csv(NULL));
    tdm_sink(tdm_aggregate(windows, "least", tdm_least(TDM_OF(event, key)), finish_number), "least-of", tdm_csv(NULL));
    tdm_sink(tdm_aggregate(windows, "greatest", tdm_greatest(TDM_OF(event, key)), finish_number), "greatest-of", tdm_csv(NULL));
    return TDM_OK;
}

static void ready_aggregates_give_what_they_say(void) {
    tdm_test *test = tdm_test_job(ready_job);
    tdm_test_push_lines(test, "events", "{\"key\":-3,\"at\":1}\n{\"key\":8,\"at\":2}\n{\"key\":2,\"at\":9}\n{\"key\":5,\"at\":10}\n");
    tdm_test_restart(test);
    tdm_test_finish(test);
    TDM_EXPECT_STRING(lines_of(test, "counts"), "0,10,0,3 10,20,0,1");
    TDM_EXPECT_STRING(lines_of(test, "sums"), "0,10,0,7 10,20,0,5");
    TDM_EXPECT_STRING(lines_of(test, "means"), "0,10,0,233 10,20,0,500");
    TDM_EXPECT_STRING(lines_of(test, "least-of"), "0,10,0,-3 10,20,0,5");
    TDM_EXPECT_STRING(lines_of(test, "greatest-of"), "0,10,0,8 10,20,0,5");
    tdm_test_free(test);
}

/* Aggregates whose accumulator holds texts: sessions of the longest text. */
static tdm_status longest_job(tdm_job *job) {
    tdm_stream items = tdm_source(job, "items", item, tdm_json(NULL));
    tdm_event_time(items, TDM_OF(item, key), tdm_out_of_order(1000));
    tdm_sink(tdm_window_reduce(tdm_window_all(items, tdm_session(10)), "longest", longest), "out", tdm_csv(NULL));
    return TDM_OK;
}

static void a_window_reduce_keeps_texts_of_its_own(void) {
    tdm_test *test = tdm_test_job(longest_job);
    static const struct { int64_t at; const char *text; } items[] = {{1, "a"}, {20, "abc"}, {40, "x"}, {12, "ab"}, {31, "abcde"}, {100, "z"}};
    for (size_t i = 0; i < 6; i++) {
        tdm_test_push(test, "items", item, items[i].at, tdm_str(items[i].text));
        tdm_test_restart(test);
    }
    tdm_test_finish(test);
    TDM_EXPECT_STRING(lines_of(test, "out"), "1,a 100,z 20,abc 31,abcde");
    tdm_test_free(test);
}

static tdm_status clock_job(tdm_job *job) {
    tdm_windows second = tdm_tumbling(tdm_seconds(1));
    second.processing_time = true;
    tdm_stream n = tdm_source(job, "n", int64_t, tdm_json(NULL));
    tdm_sink(tdm_aggregate(tdm_window_all(n, second), "count", tdm_counting(&int64_t_record), finish_number), "out", tdm_csv(NULL));
    return TDM_OK;
}

static void processing_time_windows_close_by_the_clock(void) {
    tdm_test *test = tdm_test_job(clock_job);
    tdm_test_set_now(test, 1500);
    tdm_test_push(test, "n", int64_t, 1);
    tdm_test_push(test, "n", int64_t, 2);
    tdm_test_set_now(test, 1998);
    TDM_EXPECT_STRING(lines_of(test, "out"), "");
    tdm_test_set_now(test, 1999);
    TDM_EXPECT_STRING(lines_of(test, "out"), "1000,2000,0,2");
    tdm_test_free(test);
}

/* ---- Texts. ---- */

static void words_and_parts(void) {
    tdm_text rest = TDM_TEXT("  the\ttide \xC2\xA0 t\xC3\xBCrns\n"), word;
    char out[100] = "";
    while (tdm_next_word(&rest, &word)) snprintf(out + strlen(out), sizeof out - strlen(out), "[%.*s]", TDM_ARG(word));
    TDM_EXPECT_STRING(out, "[the][tide][t\xC3\xBCrns]");
    rest = tdm_str(",a,,b");
    out[0] = 0;
    while (tdm_next_part(&rest, ',', &word)) snprintf(out + strlen(out), sizeof out - strlen(out), "[%.*s]", TDM_ARG(word));
    TDM_EXPECT_STRING(out, "[][a][][b]");
    TDM_EXPECT(tdm_compare(tdm_str("ab"), tdm_str("b")) < 0 && tdm_compare(tdm_str("ab"), tdm_str("a")) > 0 && tdm_compare(tdm_str(""), tdm_str("")) == 0);
    TDM_EXPECT(tdm_is_utf8("\xF0\x9F\x8C\x8A tide", 9) && !tdm_is_utf8("\xF4\x90\x80\x80", 4) && !tdm_is_utf8("\xED\xA0\x80", 3) && !tdm_is_utf8("\xC0\x80", 2) && !tdm_is_utf8("abcdefgh\xC3", 9));
}

int main(void) {
    TDM_RUN(what_a_refused_record_emitted_is_taken_back_through_the_chain);
    TDM_RUN(a_refusal_concerns_only_the_record_that_the_refusing_operator_was_given);
    TDM_RUN(an_operator_that_refuses_takes_failures_behind_it_back);
    TDM_RUN(texts_that_are_none_and_statuses_that_are_none_are_refused);
    TDM_RUN(a_record_that_emits_much_is_handed_on_in_pieces);
    TDM_RUN(an_abort_tells_the_host_place_operator_and_record);
    TDM_RUN(a_wrong_block_is_said_and_traps);
    TDM_RUN(a_refused_record_leaves_state_timers_and_output_as_they_were);
    TDM_RUN(a_call_says_which_slots_are_empty_and_which_unchanged);
    TDM_RUN(rows_may_be_given_with_their_slots);
    TDM_RUN(state_is_exported_and_loaded_again_as_it_was);
    TDM_RUN(undone_is_as_never_done);
    TDM_RUN(a_text_that_is_none_never_gets_into_state);
    TDM_RUN(native_state_is_copied_freed_saved_and_loaded);
    TDM_RUN(a_running_reduce_emits_the_result_so_far);
    TDM_RUN(two_inputs_share_the_state_of_their_key);
    TDM_RUN(a_process_function_is_tested_alone);
    TDM_RUN(a_single_function_is_tested_alone);
    TDM_RUN(a_failing_job_is_told_from_one_that_goes_on);
    TDM_RUN(a_window_is_the_merge_of_its_panes_and_leaves_them_as_they_are);
    TDM_RUN(a_row_may_belong_to_several_windows);
    TDM_RUN(sessions_merge_their_accumulators_and_late_records_fire_again);
    TDM_RUN(ready_aggregates_give_what_they_say);
    TDM_RUN(a_window_reduce_keeps_texts_of_its_own);
    TDM_RUN(processing_time_windows_close_by_the_clock);
    TDM_RUN(words_and_parts);
    forget();
    return tdm_test_done();
}
