/* Windows of a number of records, of calendar days and for ever; triggers. */

#include "host.h"

typedef struct {
    tdm_text user;
    int64_t n, gap, at;
} click;
TDM_RECORD(click, user, n, gap, at);

static tdm_status show(tdm_ctx *ctx, const tdm_window *w, const click *clicks, size_t count) {
    tdm_text user = *tdm_key(ctx, tdm_text), all = tdm_format_text(ctx, "%.*s%d:", TDM_ARG(user), (int)w->firing);
    for (size_t i = 0; i < count; i++) all = tdm_format_text(ctx, "%.*s %d", TDM_ARG(all), (int)clicks[i].n);
    return tdm_emit(ctx, tdm_text, all.ptr, all.len), TDM_OK;
}
TDM_WINDOW_PROCESS(show, click, tdm_text);

/* The windows of the job that is built next. */
static tdm_windows cut;

/* Shows the numbers of each window. */
static tdm_status shown_job(tdm_job *job) {
    tdm_stream clicks = tdm_source(job, "clicks", click, tdm_json(NULL));
    tdm_event_time(clicks, TDM_OF(click, at), tdm_monotonic());
    tdm_sink(tdm_window_process(tdm_window_by(tdm_key_by(clicks, TDM_OF(click, user)), cut), "w", show), "seen", tdm_lines(NULL));
    return TDM_OK;
}

#define CLICK(user, n, at) {TDM_TEXT(user), n, 5, at}

/* The lines that have come, one beside the other. */
static const char *seen(tdm_test *test, const char *sink) {
    static char out[1024];
    size_t count;
    const char *const *lines = tdm_test_sink_lines(test, sink, &count);
    out[0] = 0;
    for (size_t i = 0; i < count; i++) snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", i ? ", " : "", lines[i]);
    return out;
}

static void give(tdm_test *test, const click *clicks, size_t count) {
    for (size_t i = 0; i < count; i++) tdm_test_push_record(test, "clicks", "out", &click_record, &clicks[i]);
}
#define GIVE(test, ...) give(test, (const click[]){__VA_ARGS__}, sizeof((const click[]){__VA_ARGS__}) / sizeof(click))

/* What windows show of clicks, over a restart in front of the end. */
#define EXPECT_SHOWN(windows, wanted, ...) \
    do { \
        cut = windows; \
        tdm_test *test = tdm_test_job(shown_job); \
        GIVE(test, __VA_ARGS__); \
        tdm_test_restart(test); \
        tdm_test_finish(test); \
        TDM_EXPECT_STRING(seen(test, "seen"), wanted); \
        tdm_test_free(test); \
    } while (false)
#define FIVE CLICK("a", 1, 1), CLICK("a", 2, 2), CLICK("a", 3, 3), CLICK("a", 4, 4), CLICK("a", 5, 5)
#define FOUR CLICK("a", 1, 1), CLICK("a", 2, 2), CLICK("a", 3, 3), CLICK("a", 4, 15)

static tdm_windows or_after(int64_t span, bool event_time) {
    tdm_windows windows = tdm_records(3);
    windows.or_after = span;
    windows.or_after_event_time = event_time;
    return windows;
}

static tdm_windows firing(tdm_windows windows, tdm_trigger trigger) {
    windows.trigger = trigger;
    return windows;
}

static void windows_of_a_number_of_records(void) {
    EXPECT_SHOWN(tdm_records(2), "a0: 1 2, a0: 3 4", FIVE);
    EXPECT_SHOWN(tdm_records_sliding(3, 2), "a0: 1 2, a0: 2 3 4", FIVE);
    EXPECT_SHOWN(or_after(10, true), "a0: 1 2, b0: 3", CLICK("a", 1, 1), CLICK("a", 2, 2), CLICK("b", 3, 20));
    cut = or_after(10, false);
    tdm_test *test = tdm_test_job(shown_job);
    tdm_test_set_now(test, 100);
    GIVE(test, CLICK("a", 1, 1));
    tdm_test_set_now(test, 109);
    GIVE(test, CLICK("a", 2, 2));
    TDM_EXPECT_STRING(seen(test, "seen"), "");
    tdm_test_set_now(test, 110);
    TDM_EXPECT_STRING(seen(test, "seen"), "a0: 1 2");
    tdm_test_free(test);
}

static void declared_triggers_fire_early_late_and_purge(void) {
    EXPECT_SHOWN(firing(tdm_tumbling(10), tdm_any_of(tdm_at_end(), tdm_every_records(2))), "a0: 1 2, a1: 1 2 3, a0: 4", FOUR);
    EXPECT_SHOWN(firing(tdm_global_window(), tdm_purging(tdm_every_records(2))), "a0: 1 2, a1: 3 4", FOUR);
    tdm_windows late = firing(tdm_tumbling(10), tdm_all_of(tdm_at_end(), tdm_every_records(3)));
    late.lateness = 100;
    EXPECT_SHOWN(late, "a0: 1 2 4", CLICK("a", 1, 1), CLICK("a", 2, 2), CLICK("a", 3, 15), CLICK("a", 4, 4));
    EXPECT_SHOWN(firing(tdm_tumbling(10), tdm_any_of(tdm_at_end(), tdm_by_event_time(tdm_early_every(4)))),
        "a0: 1 2 3, a1: 1 2 3, a0: 4, a1: 4", FOUR);
    EXPECT_SHOWN(
        firing(tdm_tumbling(10), tdm_any_of(tdm_at_end(), tdm_by_event_time(tdm_after(1)))), "a0: 1 2 3, a1: 1 2 3, a0: 4, a1: 4", FOUR);
}

static void a_trigger_by_the_clock_fires_at_its_multiples_when_something_has_come(void) {
    cut = firing(tdm_tumbling(1000), tdm_early_every(10));
    tdm_test *test = tdm_test_job(shown_job);
    tdm_test_set_now(test, 101);
    GIVE(test, CLICK("a", 1, 1), CLICK("a", 2, 2));
    tdm_test_set_now(test, 110);
    TDM_EXPECT_STRING(seen(test, "seen"), "a0: 1 2");
    tdm_test_set_now(test, 200);
    TDM_EXPECT_STRING(seen(test, "seen"), "");
    GIVE(test, CLICK("a", 3, 3));
    tdm_test_set_now(test, 210);
    TDM_EXPECT_STRING(seen(test, "seen"), "a1: 1 2 3");
    tdm_test_free(test);
    cut.trigger = tdm_any_of(tdm_early_every(10), tdm_every_records(2));
    test = tdm_test_job(shown_job);
    GIVE(test, CLICK("a", 1, 1), CLICK("a", 2, 2));
    TDM_EXPECT_STRING(seen(test, "seen"), "a0: 1 2");
    tdm_test_set_now(test, 10);
    TDM_EXPECT_STRING(seen(test, "seen"), "");
    tdm_test_free(test);
}

static void sessions_have_a_gap_of_each_record(void) {
    EXPECT_SHOWN(tdm_session_by(TDM_OF(click, gap)), "a0: 1 2 3, a0: 4", CLICK("a", 1, 0), {TDM_TEXT("a"), 2, 50, 5}, CLICK("a", 3, 55),
        CLICK("a", 4, 100));
}

typedef struct {
    tdm_text user;
    int64_t start, end, count;
} counted;
TDM_RECORD(counted, user, start, end, count);

static tdm_status counted_job(tdm_job *job) {
    tdm_stream clicks = tdm_source(job, "clicks", click, tdm_json(NULL));
    tdm_event_time(clicks, TDM_OF(click, at), tdm_monotonic());
    tdm_windowed windows = tdm_window_by(tdm_key_by(clicks, TDM_OF(click, user)), cut);
    tdm_sink(tdm_window_count(windows, "w", counted), "out", tdm_csv(NULL));
    return TDM_OK;
}

static void a_purged_window_is_empty_and_fires_when_it_has_a_record_again(void) {
    cut = firing(tdm_tumbling(10), tdm_purging(tdm_any_of(tdm_at_end(), tdm_every_records(2))));
    tdm_test *test = tdm_test_job(counted_job);
    GIVE(test, CLICK("a", 0, 0), FIVE, CLICK("a", 5, 11), CLICK("a", 6, 12));
    tdm_test_finish(test);
    TDM_EXPECT_STRING(seen(test, "out"), "a,0,10,2, a,0,10,2, a,0,10,2, a,10,20,2");
    tdm_test_free(test);
}

/* What the plan says of the windows in hand, from the assigner to the lateness or trigger. */
static const char *plan_words(tdm_windows windows) {
    static char out[512];
    cut = windows;
    static const tdm_host host = {NULL, NULL, NULL, NULL, NULL};
    tdm_text text;
    tdm_instance *instance = tdm_plan(shown_job, NULL, 0, &host, &text);
    if (!instance) {
        snprintf(out, sizeof out, "%.*s", TDM_ARG(text));
        return out;
    }
    const char *from = strstr(text.ptr, "\"assigner\":"), *to = from ? strstr(from, ",\"compute\"") : NULL;
    snprintf(out, sizeof out, "%.*s", to ? (int)(to - from) : 0, from ? from : "");
    tdm_instance_free(instance);
    return out;
}

static void the_plan_says_which_windows_there_are(void) {
    tdm_windows week = tdm_calendar_days("Asia/Shanghai");
    week.days = 7;
    week.processing_time = true;
    TDM_EXPECT_STRING(plan_words(week),
        "\"assigner\":{\"days\":{\"timezone\":\"Asia/Shanghai\",\"days\":7}},\"domain\":\"processing\",\"lateness-ms\":0");
    TDM_EXPECT_STRING(plan_words(tdm_records_sliding(3, 2)),
        "\"assigner\":{\"count\":{\"records\":3,\"slide\":2}},\"domain\":\"event\",\"lateness-ms\":0");
    TDM_EXPECT_STRING(plan_words(or_after(5000, false)),
        "\"assigner\":{\"count\":{\"records\":3,\"or-after\":{\"ms\":5000,\"domain\":\"processing\"}}},\"domain\":\"event\",\"lateness-"
        "ms\":0");
    TDM_EXPECT_STRING(plan_words(tdm_session_by(TDM_OF(click, gap))),
        "\"assigner\":{\"session-by\":{\"field\":\"gap\"}},\"domain\":\"event\",\"lateness-ms\":0");
}

static void the_plan_says_when_they_fire(void) {
    TDM_EXPECT_STRING(plan_words(firing(tdm_global_window(), tdm_purging(tdm_every_records(10)))),
        "\"assigner\":\"global\",\"domain\":\"event\",\"lateness-ms\":0,"
        "\"trigger\":{\"when\":{\"count\":{\"records\":10}},\"purge\":true}");
    tdm_trigger all = tdm_all_of(tdm_every_records(5), tdm_by_event_time(tdm_after(100)));
    TDM_EXPECT_STRING(plan_words(firing(tdm_global_window(), tdm_any_of(all, tdm_at_end(), tdm_late_each(), tdm_early_every(1000)))),
        "\"assigner\":\"global\",\"domain\":\"event\",\"lateness-ms\":0,\"trigger\":{\"when\":{\"any\":["
        "{\"all\":[{\"count\":{\"records\":5}},{\"after\":{\"ms\":100,\"domain\":\"event\"}}]},\"at-watermark\",\"late-each\","
        "{\"early-every\":{\"ms\":1000,\"domain\":\"processing\"}}]},\"purge\":false}");
}

static void what_is_wrong_with_windows_is_said_when_the_job_is_built(void) {
    TDM_EXPECT_STRING(
        plan_words(tdm_session_by(TDM_OF(click, user))), "the gap of sessions of \"w\" is an int64_t, which click.user is not");
    tdm_windows cut_short = tdm_tumbling(10);
    cut_short.or_after = 5;
    TDM_EXPECT_STRING(plan_words(cut_short), "\"w\" has .or_after, which only windows of tdm_records have");
    tdm_trigger many = tdm_at_end();
    for (int i = 0; i < 8; i++) many = tdm_any_of(many, tdm_every_records(2));
    TDM_EXPECT_STRING(plan_words(firing(tdm_tumbling(10), many)), "the trigger of \"w\" has 17 words, more than 16");
}

int main(void) {
    TDM_RUN(windows_of_a_number_of_records);
    TDM_RUN(declared_triggers_fire_early_late_and_purge);
    TDM_RUN(a_trigger_by_the_clock_fires_at_its_multiples_when_something_has_come);
    TDM_RUN(sessions_have_a_gap_of_each_record);
    TDM_RUN(a_purged_window_is_empty_and_fires_when_it_has_a_record_again);
    TDM_RUN(the_plan_says_which_windows_there_are);
    TDM_RUN(the_plan_says_when_they_fire);
    TDM_RUN(what_is_wrong_with_windows_is_said_when_the_job_is_built);
    return tdm_test_done();
}
