/* Windows, running results, and several inputs. */

#include "host.h"

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
static tdm_status finish_number(tdm_ctx *ctx, const tdm_window *w, const int64_t *n) {
    return tdm_emit(ctx, session, w->start, w->end, w->firing, *n), TDM_OK;
}
TDM_FINISH(finish_number, int64_t, session);
static tdm_status finish_mean(tdm_ctx *ctx, const tdm_window *w, const double *n) {
    return tdm_emit(ctx, session, w->start, w->end, w->firing, (int64_t)(*n * 100)), TDM_OK;
}
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
    static const struct {
        int64_t at;
        const char *text;
    } items[] = {{1, "a"}, {20, "abc"}, {40, "x"}, {12, "ab"}, {31, "abcde"}, {100, "z"}};
    for (size_t i = 0; i < 6; i++) {
        tdm_test_push(test, "items", item, items[i].at, tdm_str(items[i].text));
        tdm_test_restart(test);
    }
    tdm_test_finish(test);
    TDM_EXPECT_STRING(lines_of(test, "out"), "1,a 100,z 20,abc 31,abcde");
    tdm_test_free(test);
}

typedef struct {
    double sum;
    int64_t n;
} sum_acc;
TDM_RECORD(sum_acc, sum, n);

static void sum_add(sum_acc *acc, const event *in) {
    acc->sum += (double)in->at / 2;
    acc->n++;
}
static void sum_merge(sum_acc *into, const sum_acc *from) {
    into->sum += from->sum;
    into->n += from->n;
}
TDM_AGGREGATOR(sums, event, sum_acc, sum_add, sum_merge);
static tdm_status sum_finish(tdm_ctx *ctx, const tdm_window *w, const sum_acc *acc) {
    return tdm_emit(ctx, session, w->start, w->end, w->firing, acc->n), TDM_OK;
}
TDM_FINISH(sum_finish, sum_acc, session);

static tdm_status sum_job(tdm_job *job) {
    tdm_keyed events = tdm_key_by(tdm_source(job, "events", event, tdm_json(NULL)), TDM_OF(event, key));
    tdm_sink(tdm_aggregate(tdm_window_by(events, tdm_tumbling(10)), "sum", sums, sum_finish), "out", tdm_csv(NULL));
    return TDM_OK;
}

/* The block that wit/vectors/blocks.json calls "state of an accumulator", whatever the language. */
static void state_is_exported_byte_for_byte_as_the_contract_says(void) {
    static const char expected[] =
        "54424c4b010002000200000080000000c5a013b2fee230fe0000000000000000040100005000000058000000000000000301000068000000"
        "70000000000000000000000000000000000000000000000001000000000000000000000000404f4000000000000000000100000000000000"
        "03000000000000000000000000000000";
    tdm_instance *instance = instance_of(sum_job);
    tdm_link(instance, 0, NUMBERS(1));
    PROCESS(instance, event, NONE, NUMBERS(0, 0, 0), {1, 40}, {1, 40}, {1, 45}, {1, 1000});
    tdm_bytes state = tdm_export_state(instance, 1, NUMBERS(0, 1));
    char hex[sizeof expected] = "";
    for (size_t i = 0; i < state.len && 2 * i + 2 < sizeof hex; i++) snprintf(hex + 2 * i, 3, "%02x", state.ptr[i]);
    TDM_EXPECT_STRING(hex, expected);
    tdm_instance_free(instance);
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

int main(void) {
    TDM_RUN(a_running_reduce_emits_the_result_so_far);
    TDM_RUN(two_inputs_share_the_state_of_their_key);
    TDM_RUN(a_process_function_is_tested_alone);
    TDM_RUN(a_window_is_the_merge_of_its_panes_and_leaves_them_as_they_are);
    TDM_RUN(a_row_may_belong_to_several_windows);
    TDM_RUN(sessions_merge_their_accumulators_and_late_records_fire_again);
    TDM_RUN(ready_aggregates_give_what_they_say);
    TDM_RUN(a_window_reduce_keeps_texts_of_its_own);
    TDM_RUN(state_is_exported_byte_for_byte_as_the_contract_says);
    TDM_RUN(processing_time_windows_close_by_the_clock);
    forget();
    return tdm_test_done();
}
