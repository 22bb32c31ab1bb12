/* Evictors: what windows leave out when they fire. */

#include "host.h"

typedef struct {
    tdm_text user;
    int64_t n, at;
} click;
TDM_RECORD(click, user, n, at);

static tdm_status show(tdm_ctx *ctx, const tdm_window *w, const click *clicks, size_t count) {
    tdm_text all = tdm_format_text(ctx, "%d:", (int)w->firing);
    for (size_t i = 0; i < count; i++) all = tdm_format_text(ctx, "%.*s %.*s%d", TDM_ARG(all), TDM_ARG(clicks[i].user), (int)clicks[i].n);
    return tdm_emit_ptr(ctx, tdm_text, &all), TDM_OK;
}
TDM_WINDOW_PROCESS(show, click, tdm_text);

static void odd(const click *clicks, const int64_t *times, size_t count, bool *goes) {
    for (size_t i = 0; i < count; i++) goes[i] = clicks[i].n % 2 == 1 && times[i] == clicks[i].at;
}
TDM_EVICTOR(odd, click);

static tdm_evictor evictor;

/* Shows the numbers that windows have left: each fires at every second record and at its end. */
static tdm_windowed cut(tdm_job *job) {
    tdm_stream clicks = tdm_source(job, "clicks", click, tdm_json(NULL));
    tdm_event_time(clicks, TDM_OF(click, at), tdm_out_of_order(10));
    tdm_windows windows = tdm_tumbling(10);
    windows.trigger = tdm_any_of(tdm_at_end(), tdm_every_records(2));
    windows.evictor = evictor;
    return tdm_window_all(clicks, windows);
}

static tdm_status shown_job(tdm_job *job) {
    tdm_sink(tdm_window_process(cut(job), "w", show), "seen", tdm_lines(NULL));
    return TDM_OK;
}

static void expect_left(tdm_evictor of, const char *wanted) {
    static const click clicks[] = {
        {TDM_TEXT("a"), 1, 4}, {TDM_TEXT("b"), 8, 1}, {TDM_TEXT("c"), 7, 9}, {TDM_TEXT("d"), 6, 8}, {TDM_TEXT("e"), 9, 5}};
    evictor = of;
    tdm_test *test = tdm_test_job(shown_job);
    for (size_t i = 0; i < sizeof clicks / sizeof *clicks; i++) {
        tdm_test_push_record(test, "clicks", "out", &click_record, &clicks[i]);
        tdm_test_restart(test);
    }
    tdm_test_finish(test);
    TDM_EXPECT_LINES(test, "seen", wanted);
    tdm_test_free(test);
}

static void evictors_take_records_out_of_windows_that_fire(void) {
    expect_left(tdm_all_but_last(2), "0: a1 b8\n1: c7 d6\n2: d6 e9\n");
    tdm_evictor behind = tdm_all_but_last(1);
    behind.after = true;
    expect_left(behind, "0: a1 b8\n1: b8 c7 d6\n2: d6 e9\n");
    expect_left(tdm_older_than(4), "0: a1 b8\n1: c7 d6\n2: c7 d6 e9\n");
    expect_left(tdm_differing_by(TDM_OF(click, n), 2), "0: b8\n1: c7 d6\n2: e9\n");
    expect_left(tdm_evict_by(odd), "0: b8\n1: b8 d6\n2: b8 d6\n");
}

/* What the plan says of the evictor in hand, or what is wrong with it. */
static const char *plan_words(tdm_build build, tdm_evictor of) {
    static char out[256];
    evictor = of;
    static const tdm_host host = {NULL, NULL, NULL, NULL, NULL};
    tdm_text text;
    tdm_instance *instance = tdm_plan(build, NULL, 0, &host, &text);
    const char *from = instance ? strstr(text.ptr, "\"evictor\":") : text.ptr, *to = instance ? strstr(text.ptr, ",\"trigger\"") : NULL;
    snprintf(out, sizeof out, "%.*s", to ? (int)(to - from) : (int)text.len, from);
    tdm_instance_free(instance);
    return out;
}

static tdm_status reduced_job(tdm_job *job) {
    typedef struct {
        tdm_text user;
        int64_t start, end, count;
    } counted;
    TDM_RECORD(counted, start, end, count);
    tdm_sink(tdm_window_count(cut(job), "counts", counted), "out", tdm_csv(NULL));
    return TDM_OK;
}

static void number_goes(const int64_t *numbers, const int64_t *times, size_t count, bool *goes) {
    (void)numbers, (void)times, (void)count, (void)goes;
}
TDM_EVICTOR(number_goes, int64_t);

static void the_plan_says_what_is_evicted(void) {
    tdm_evictor behind = tdm_all_but_last(2);
    behind.after = true;
    TDM_EXPECT_STRING(plan_words(shown_job, behind), "\"evictor\":{\"evict\":{\"count\":{\"records\":2}},\"after\":true}");
    TDM_EXPECT_STRING(plan_words(shown_job, tdm_older_than(1000)), "\"evictor\":{\"evict\":{\"time\":{\"ms\":1000}},\"after\":false}");
    TDM_EXPECT_STRING(plan_words(shown_job, tdm_differing_by(TDM_OF(click, n), 5.5)),
        "\"evictor\":{\"evict\":{\"delta\":{\"field\":\"n\",\"threshold\":5.5}},\"after\":false}");
    TDM_EXPECT_STRING(plan_words(shown_job, tdm_evict_by(odd)), "\"evictor\":{\"evict\":\"guest\",\"after\":false}");
    TDM_EXPECT_STRING(
        plan_words(shown_job, tdm_differing_by(TDM_OF(click, user), 1)), "an evictor of \"w\" compares field \"user\", which is no number");
    TDM_EXPECT_STRING(plan_words(shown_job, tdm_evict_by(number_goes)), "the evictor of \"w\" takes int64_t, but the records are click");
    TDM_EXPECT_STRING(plan_words(reduced_job, behind),
        "window \"counts\" keeps an aggregate and no records, so it has no evictor: use tdm_window_process");
}

int main(void) {
    TDM_RUN(evictors_take_records_out_of_windows_that_fire);
    TDM_RUN(the_plan_says_what_is_evicted);
    return tdm_test_done();
}
