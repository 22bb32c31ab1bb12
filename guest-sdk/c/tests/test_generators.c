/* Watermarks that the job makes itself. */

#include "host.h"

/* What a teller remembers of a split: how many it was shown, and the last text. */
typedef struct {
    int64_t shown;
    char last[8];
} teller;

static size_t asked;

static bool on_event(teller *self, const item *in, int64_t time, int64_t *watermark) {
    if (time == 13) tdm_abort("13 is no time");
    self->shown++;
    snprintf(self->last, sizeof self->last, "%.*s", TDM_ARG(in->text));
    *watermark = time;
    return in->key >= 0;
}
static bool on_periodic(teller *self, int64_t now, int64_t *watermark) {
    asked++;
    *watermark = now + self->shown + (strcmp(self->last, "plus") == 0 ? 1000 : 0);
    return self->shown > 0;
}
TDM_GENERATOR(telling, item, teller, on_event, on_periodic);

static bool marks(const item *in, int64_t time, int64_t *watermark) {
    *watermark = time;
    return tdm_equal(in->text, tdm_str("mark"));
}
TDM_PUNCTUATED(marks, item);

typedef struct {
    int64_t last, before;
} two;

static void see(two *self, const int64_t *in, int64_t time) {
    (void)in;
    self->before = self->last;
    self->last = time;
}
static bool least(two *self, int64_t now, int64_t *watermark) {
    (void)now;
    *watermark = self->before < self->last ? self->before : self->last;
    return true;
}
TDM_PERIODIC(least_of_two, int64_t, two, see, least);

static int64_t by_key(const item *in) { return in->key; }
TDM_NUMBER(by_key, item);

/* The watermarks of the job that is built next. */
static tdm_watermarks rule;

static tdm_status timed_job(tdm_job *job) {
    tdm_stream timed = tdm_assign_event_time(tdm_source(job, "items", item, tdm_json(NULL)), "timed", by_key, rule);
    typedef struct {
        tdm_text text;
        int64_t start, end, count;
    } counted;
    TDM_RECORD(counted, text, start, end, count);
    tdm_windowed windows = tdm_window_by(tdm_key_by(timed, TDM_OF(item, text)), tdm_tumbling(100));
    tdm_sink(tdm_window_count(windows, "n", counted), "out", tdm_csv(NULL));
    return TDM_OK;
}

/* What a generator says of records at the times 100, 101 and so on; by the clock where there are none. */
static const char *told(tdm_instance *instance, uint32_t split, int64_t now, const item *items, size_t count) {
    static char out[64];
    int64_t watermark = -7, times[8];
    for (size_t i = 0; i < count; i++) times[i] = 100 + (int64_t)i;
    tdm_bytes block = {NULL, 0};
    uint8_t *bytes = count ? tdm_block_write(&item_record, items, times, count, true, &block.len) : NULL;
    block.ptr = bytes;
    bool given = tdm_generate(instance, 1, split, now, block, &watermark);
    free(bytes);
    snprintf(out, sizeof out, given ? "%lld" : "none", (long long)watermark);
    return out;
}
#define TOLD(instance, split, ...) told(instance, split, 0, (const item[]){__VA_ARGS__}, sizeof((const item[]){__VA_ARGS__}) / sizeof(item))
#define BY_CLOCK(instance, split, now) told(instance, split, now, NULL, 0)

static void every_split_has_a_generator_of_its_own(void) {
    rule = tdm_generated(telling);
    tdm_instance *instance = instance_of(timed_job);
    TDM_EXPECT_STRING(TOLD(instance, 7, ITEM(1, "a"), ITEM(2, "b"), ITEM(-1, "c")), "101");
    TDM_EXPECT_STRING(TOLD(instance, 2, ITEM(-1, "plus")), "none");
    TDM_EXPECT_STRING(BY_CLOCK(instance, 7, 40), "43");
    TDM_EXPECT_STRING(BY_CLOCK(instance, 2, 40), "1041");
    TDM_EXPECT_STRING(BY_CLOCK(instance, 0, 40), "none");
    tdm_forget_splits(instance, 1);
    TDM_EXPECT_STRING(BY_CLOCK(instance, 7, 40), "none");
    tdm_instance_free(instance);
}

static void the_greatest_within_a_block_counts(void) {
    static const int64_t times[] = {5, 9, 6};
    static const item items[] = {ITEM(1, "mark"), ITEM(2, "mark"), ITEM(3, "mark")};
    rule = tdm_generated(marks);
    tdm_instance *instance = instance_of(timed_job);
    tdm_bytes block = {NULL, 0};
    int64_t watermark = 1000;
    uint8_t *bytes = tdm_block_write(&item_record, items, times, 3, true, &block.len);
    block.ptr = bytes;
    TDM_EXPECT(tdm_generate(instance, 1, 0, 0, block, &watermark) && watermark == 9);
    free(bytes);
    TDM_EXPECT_STRING(BY_CLOCK(instance, 0, 40), "none");
    tdm_instance_free(instance);
}

static void an_operator_without_a_generator_is_not_asked(void) {
    rule = tdm_monotonic();
    tdm_instance *instance = instance_of(timed_job);
    if (!setjmp(trapped)) {
        BY_CLOCK(instance, 0, 0);
        TDM_EXPECT(false);
    }
    TDM_EXPECT(strstr(heard, "the host asks for a watermark of operator \"timed\", which makes none of its own") != NULL);
    tdm_instance_free(instance);
    rule = tdm_generated(telling);
    instance = instance_of(timed_job);
    int64_t watermark;
    if (!setjmp(trapped)) {
        tdm_generate(instance, 1, 0, 0, (tdm_bytes){(const uint8_t *)"no block", 8}, &watermark);
        TDM_EXPECT(false);
    }
    TDM_EXPECT(strstr(heard, "the host gave a wrong block: ") != NULL);
    tdm_instance_free(instance);
}

/* What the plan says of the operator that gives times, or what is wrong with the job. */
static const char *plan_words(tdm_watermarks watermarks) {
    static char out[512];
    static const tdm_host host = {NULL, NULL, NULL, NULL, NULL};
    tdm_text text;
    rule = watermarks;
    tdm_instance *instance = tdm_plan(timed_job, NULL, 0, &host, &text);
    const char *from = strstr(text.ptr, "\"kind\":{\"timestamps\":"), *to = from ? strstr(from, ",\"inputs\"") : NULL;
    if (instance) snprintf(out, sizeof out, "%.*s", to ? (int)(to - from) : 0, from ? from : "");
    else snprintf(out, sizeof out, "%.*s", TDM_ARG(text));
    tdm_instance_free(instance);
    return out;
}

static void the_plan_leaves_watermarks_to_the_job(void) {
    TDM_EXPECT_STRING(plan_words(tdm_generated(marks)), "\"kind\":{\"timestamps\":{\"guest\":{}}}");
    TDM_EXPECT_STRING(plan_words(tdm_generated(telling)), "\"kind\":{\"timestamps\":{\"guest\":{}}}");
    TDM_EXPECT_STRING(plan_words(tdm_generated_every(telling, 200)), "\"kind\":{\"timestamps\":{\"guest\":{\"every-ms\":200}}}");
    TDM_EXPECT_STRING(plan_words(tdm_out_of_order(5)), "\"kind\":{\"timestamps\":{\"bounded\":{\"ms\":5}}}");
}

static tdm_status at_a_source(tdm_job *job) {
    tdm_event_time(tdm_source(job, "items", item, tdm_json(NULL)), TDM_OF(item, key), tdm_generated(marks));
    return TDM_OK;
}

static void what_is_wrong_is_said_when_the_job_is_built(void) {
    TDM_EXPECT_STRING(plan_words(tdm_generated_every(marks, 5)), "marks of \"timed\" gives nothing by the clock: use tdm_generated");
    TDM_EXPECT_STRING(plan_words(tdm_generated_every(least_of_two, 5)),
        "the generator least_of_two of \"timed\" is for int64_t, but the times are of item");
    TDM_EXPECT_STRING(tdm_test_error(at_a_source),
        "\"items\" is a source, which makes no watermarks by a generator: leave its time out and put tdm_assign_event_time behind it");
}

#define GIVE(test, key, text) tdm_test_push(test, "items", item, key, TDM_TEXT(text))

static void windows_follow_watermarks_by_the_clock(void) {
    rule = tdm_generated_every(telling, 200);
    asked = 0;
    tdm_test *test = tdm_test_job(timed_job);
    GIVE(test, -50, "a");
    GIVE(test, -10, "a");
    GIVE(test, -20, "b");
    tdm_test_set_now(test, 199);
    TDM_EXPECT_LINES(test, "out", "");
    tdm_test_set_now(test, 200);
    TDM_EXPECT(tdm_test_watermark_of(test, "timed") == 203);
    TDM_EXPECT_LINES(test, "out", "a,-100,0,2\nb,-100,0,1\n");
    tdm_test_set_now(test, 399);
    TDM_EXPECT(asked == 1);
    GIVE(test, 310, "a");
    GIVE(test, 250, "b");
    TDM_EXPECT(tdm_test_watermark_of(test, "timed") == 310);
    tdm_test_restart(test); /* A new generator has seen nothing, and event time stays where it was. */
    tdm_test_set_now(test, 500);
    TDM_EXPECT(asked == 2 && tdm_test_watermark_of(test, "timed") == 310);
    TDM_EXPECT_LINES(test, "out", "");
    GIVE(test, 399, "a");
    TDM_EXPECT_LINES(test, "out", "a,300,400,2\n");
    tdm_test_free(test);
}

static void what_fails_in_a_generator_is_told_with_its_record(void) {
    rule = tdm_generated(telling);
    tdm_test *test = tdm_test_job(timed_job);
    tdm_test_allow_failure(test);
    GIVE(test, 13, "a");
    TDM_EXPECT(tdm_test_failure(test) && strstr(tdm_test_failure(test), "operator \"timed\" fails at row 0: "));
    TDM_EXPECT(tdm_test_failure(test) && strstr(tdm_test_failure(test), "13 is no time"));
    tdm_test_free(test);
}

static void a_generator_alone(void) {
    tdm_test *test = tdm_test_watermarks(tdm_generated_every(least_of_two, tdm_seconds(1)));
    tdm_test_show(test, 5000, int64_t, 1);
    tdm_test_show(test, 4000, int64_t, 2);
    TDM_EXPECT(tdm_test_watermark_of(test, NULL) == INT64_MIN);
    tdm_test_set_now(test, 1000);
    TDM_EXPECT(tdm_test_watermark_of(test, NULL) == 4000);
    tdm_test_show(test, 6000, int64_t, 3);
    tdm_test_show(test, 3000, int64_t, 4);
    tdm_test_set_now(test, 2000);
    TDM_EXPECT(tdm_test_watermark_of(test, NULL) == 4000);
    tdm_test_free(test);
}

int main(void) {
    TDM_RUN(every_split_has_a_generator_of_its_own);
    TDM_RUN(the_greatest_within_a_block_counts);
    TDM_RUN(an_operator_without_a_generator_is_not_asked);
    TDM_RUN(the_plan_leaves_watermarks_to_the_job);
    TDM_RUN(what_is_wrong_is_said_when_the_job_is_built);
    TDM_RUN(windows_follow_watermarks_by_the_clock);
    TDM_RUN(what_fails_in_a_generator_is_told_with_its_record);
    TDM_RUN(a_generator_alone);
    return tdm_test_done();
}
