/* Keyed state, timers and their undoing; state of every kind, exported and loaded. */

#include "host.h"

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
    tdm_text text = tdm_format_text(
        ctx, "%s of %lld at %lld", due == &timer ? due->name : "?", (long long)*tdm_key(ctx, int64_t), (long long)tdm_time(ctx));
    tdm_emit_ptr(ctx, tdm_text, &text);
    return TDM_OK;
}

static const tdm_process keeping = {
    .out = &tdm_text_record,
    .inputs = {&keep_last_input},
    .state = {&last, &times_seen, &counts},
    .timers = {&timer},
    .on_timer = on_timer,
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
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NUMBERS(0, 1, 2, 0, 2, 3), ITEM(1, "a"), ITEM(2, "look"), ITEM(3, "a"),
        ITEM(1, "look"), ITEM(3, "clear"), ITEM(4, "bad"));
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
    static const tdm_column columns[] = {
        {"last.value", TDM_STRING + TDM_OPTIONAL}, {"seen.block", TDM_BYTES + TDM_OPTIONAL}, {"counts.block", TDM_BYTES + TDM_OPTIONAL}};
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

static tdm_status breaking_job_of(tdm_job *job, tdm_on_error policy) {
    tdm_keyed items = tdm_key_by(tdm_source(job, "items", item, tdm_json(NULL)), TDM_OF(item, key));
    tdm_sink(tdm_on_errors(tdm_processed(items, "breaking", &breaking), policy), "out", tdm_json(NULL));
    return TDM_OK;
}
static tdm_status breaking_job(tdm_job *job) { return breaking_job_of(job, TDM_SKIP); }
static tdm_status breaking_and_failing_job(tdm_job *job) { return breaking_job_of(job, TDM_FAIL); }

static void a_text_that_is_none_never_gets_into_state(void) {
    tdm_instance *instance = instance_of(breaking_job);
    tdm_link(instance, 0, NUMBERS(1));
    const tdm_outcome *outcome =
        PROCESS(instance, item, NONE, NUMBERS(0, 0, 0, 0), ITEM(0, "fine"), ITEM(1, "b"), ITEM(2, "c"), ITEM(3, "d"));
    TDM_EXPECT_STRING(failures(outcome),
        "1 by 1: field \"value\" of state \"last\" is given a text that is not UTF-8; "
        "2 by 1: field \"value\" of state \"last\" is given a text that is not UTF-8; "
        "3 by 1: field \"value\" of state \"counts\" is given a text that is not UTF-8");
    const tdm_bytes state = tdm_export_state(instance, 1, NUMBERS(0));
    static const tdm_column columns[] = {{"last.value", TDM_STRING + TDM_OPTIONAL}, {"counts.block", TDM_BYTES + TDM_OPTIONAL}};
    TDM_EXPECT(tdm_block_check(state, columns, 2) == NULL);
    tdm_instance_free(instance);
}

static void where_nothing_is_undone_neither(void) {
    tdm_instance *instance = instance_of(breaking_and_failing_job);
    tdm_link(instance, 0, NUMBERS(1));
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NUMBERS(0, 0), ITEM(0, "fine"), ITEM(1, "b"));
    TDM_EXPECT_STRING(failures(outcome), "1 by 1: field \"value\" of state \"last\" is given a text that is not UTF-8");
    tdm_instance_free(instance);
}

static tdm_status in_order(tdm_ctx *ctx, const item *in) {
    tdm_put(ctx, &counts, tdm_text, &in->text, int64_t, in->key);
    tdm_text all = {"", 0};
    for (size_t i = 0; i < tdm_length(ctx, &counts); i++) {
        const tdm_text *key = tdm_entry_key(ctx, &counts, i, tdm_text);
        all = tdm_format_text(ctx, "%.*s%.*s%lld", TDM_ARG(all), TDM_ARG(*key), (long long)*tdm_entry_value(ctx, &counts, i, int64_t));
    }
    tdm_emit_ptr(ctx, tdm_text, &all);
    return TDM_OK;
}
TDM_INPUT(in_order, item);
static const tdm_process ordering = {.out = &tdm_text_record, .inputs = {&in_order_input}, .state = {&counts}};

static void a_map_is_in_the_order_of_its_keys(void) {
    tdm_test *test = tdm_test_process(&ordering, int64_t);
    static const char *const texts[] = {"b", "c", "a", "ba", "b"};
    const int64_t key = 1;
    for (size_t i = 0; i < 5; i++) tdm_test_give_keyed(test, 0, 0, int64_t, &key, item, (int64_t)i, tdm_str(texts[i]));
    size_t count;
    const tdm_text *out = tdm_test_output(test, NULL, "out", tdm_text, &count, NULL);
    if (TDM_EXPECT(count == 5)) TDM_EXPECT_TEXT(out[4], "a2b4ba3c1");
    tdm_test_free(test);
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

int main(void) {
    TDM_RUN(a_refused_record_leaves_state_timers_and_output_as_they_were);
    TDM_RUN(a_call_says_which_slots_are_empty_and_which_unchanged);
    TDM_RUN(rows_may_be_given_with_their_slots);
    TDM_RUN(state_is_exported_and_loaded_again_as_it_was);
    TDM_RUN(undone_is_as_never_done);
    TDM_RUN(a_text_that_is_none_never_gets_into_state);
    TDM_RUN(where_nothing_is_undone_neither);
    TDM_RUN(a_map_is_in_the_order_of_its_keys);
    TDM_RUN(native_state_is_copied_freed_saved_and_loaded);
    forget();
    return tdm_test_done();
}
