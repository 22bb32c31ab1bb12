/* Calls of callers in windows that fire when their triggers say so: early, some time after the first record, at late ones, by number. */

#include "matrix.h"

typedef struct {
    tdm_text caller;
    int64_t cents, at;
} call;
TDM_RECORD(call, caller, cents, at);

typedef struct {
    int64_t calls, cents;
} sums;
TDM_RECORD(sums, calls, cents);

typedef struct {
    tdm_text what, caller;
    int64_t until;
    int32_t firing;
    int64_t calls, cents;
} figure;
TDM_RECORD(figure, what, caller, until, firing, calls, cents);

typedef struct {
    tdm_text caller;
    int32_t firing;
    tdm_text cents;
} listed;
TDM_RECORD(listed, caller, firing, cents);

typedef struct {
    tdm_text caller;
    int64_t start, end, count;
} counted;
TDM_RECORD(counted, caller, start, end, count);

/* Who calls late, and is not seen where late records are left out. */
static tdm_status punctual(tdm_ctx *ctx, const call *in) {
    (void)ctx;
    return tdm_keep_if(!tdm_equal(in->caller, tdm_str("ivy")));
}
TDM_FILTER(punctual, call);

static void add(sums *acc, const call *in) {
    acc->calls++;
    acc->cents += in->cents;
}
static void merge(sums *into, const sums *from) {
    into->calls += from->calls;
    into->cents += from->cents;
}
TDM_AGGREGATOR(summing, call, sums, add, merge);

static tdm_status emit_figure(tdm_ctx *ctx, const char *what, const tdm_window *window, const sums *of) {
    tdm_emit(ctx, figure, .what = tdm_str(what), .caller = *tdm_key(ctx, tdm_text), .until = window->end, .firing = window->firing,
        .calls = of->calls, .cents = of->cents);
    return TDM_OK;
}
static tdm_status early(tdm_ctx *ctx, const tdm_window *window, const sums *of) { return emit_figure(ctx, "early", window, of); }
TDM_FINISH(early, sums, figure);
static tdm_status after(tdm_ctx *ctx, const tdm_window *window, const sums *of) { return emit_figure(ctx, "after", window, of); }
TDM_FINISH(after, sums, figure);

static tdm_status list(tdm_ctx *ctx, const tdm_window *window, const call *calls, size_t count) {
    tdm_text cents = TDM_TEXT("");
    for (size_t i = 0; i < count; i++) cents = tdm_format_text(ctx, "%.*s%s%lld", TDM_ARG(cents), i ? "+" : "", (long long)calls[i].cents);
    tdm_emit(ctx, listed, .caller = *tdm_key(ctx, tdm_text), .firing = window->firing, .cents = cents);
    return TDM_OK;
}
TDM_WINDOW_PROCESS(list, call, listed);

static tdm_windowed firing(tdm_keyed keyed, tdm_windows windows, tdm_trigger trigger) {
    windows.trigger = trigger;
    return tdm_window_by(keyed, windows);
}

void windows_triggers_case(tdm_job *job) {
    tdm_stream calls = tdm_event_time(tdm_source(job, "calls", call, tdm_json(NULL)), TDM_OF(call, at), tdm_monotonic());
    tdm_keyed all = tdm_key_by(calls, TDM_OF(call, caller)),
              in_time = tdm_key_by(tdm_filter(calls, "punctual", punctual), TDM_OF(call, caller));
    tdm_windows ten = tdm_tumbling(tdm_seconds(10)), patient = ten;
    patient.lateness = tdm_minutes(1);

    tdm_trigger at_four = tdm_by_event_time(tdm_early_every(tdm_seconds(4)));
    tdm_windowed early_ones = firing(all, patient, tdm_any_of(tdm_at_end(), at_four, tdm_late_each()));
    tdm_windowed after_ones = firing(in_time, ten, tdm_any_of(tdm_at_end(), tdm_by_event_time(tdm_after(tdm_seconds(4)))));
    tdm_stream figures =
        tdm_union(job, "figures", tdm_aggregate(early_ones, "early", summing, early), tdm_aggregate(after_ones, "after", summing, after));
    tdm_sink(figures, "figures-out", tdm_json(NULL));

    tdm_windowed purged = firing(in_time, ten, tdm_purging(tdm_any_of(tdm_at_end(), tdm_every_records(2))));
    tdm_sink(tdm_window_process(purged, "purged", list), "purged-out", tdm_json(NULL));
    tdm_windowed both = firing(in_time, ten, tdm_all_of(tdm_at_end(), tdm_every_records(2)));
    tdm_sink(tdm_window_count(both, "both", counted), "both-out", tdm_json(NULL));
    tdm_windowed global = firing(in_time, tdm_global_window(), tdm_every_records(3));
    tdm_sink(tdm_window_process(global, "global", list), "global-out", tdm_json(NULL));
}
