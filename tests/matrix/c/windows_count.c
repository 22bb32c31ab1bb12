/* Hits of pages, so many at a time: in threes, the last four of them at every second one, and in fives that need not be full. */

#include "matrix.h"

typedef struct {
    tdm_text page;
    int64_t bytes, at;
} hit;
TDM_RECORD(hit, page, bytes, at);

typedef struct {
    tdm_text page;
    int64_t start, end;
    tdm_text bytes;
} batch;
TDM_RECORD(batch, page, start, end, bytes);

typedef struct {
    tdm_text page;
    int64_t start, end, bytes;
} moving;
TDM_RECORD(moving, page, start, end, bytes);

typedef struct {
    int64_t hits, bytes;
} sums;
TDM_RECORD(sums, hits, bytes);

typedef struct {
    tdm_text page;
    int64_t until, hits, bytes;
} figure;
TDM_RECORD(figure, page, until, hits, bytes);

static tdm_status to_batch(tdm_ctx *ctx, const tdm_window *window, const hit *hits, size_t count) {
    tdm_text bytes = TDM_TEXT("");
    for (size_t i = 0; i < count; i++) bytes = tdm_format_text(ctx, "%.*s%s%lld", TDM_ARG(bytes), i ? "+" : "", (long long)hits[i].bytes);
    tdm_emit(ctx, batch, .page = *tdm_key(ctx, tdm_text), .start = window->start, .end = window->end, .bytes = bytes);
    return TDM_OK;
}
TDM_WINDOW_PROCESS(to_batch, hit, batch);

static void add(sums *acc, const hit *in) {
    acc->hits++;
    acc->bytes += in->bytes;
}
static void merge(sums *into, const sums *from) {
    into->hits += from->hits;
    into->bytes += from->bytes;
}
TDM_AGGREGATOR(summing, hit, sums, add, merge);

static tdm_status to_figure(tdm_ctx *ctx, const tdm_window *window, const sums *of) {
    tdm_emit(ctx, figure, .page = *tdm_key(ctx, tdm_text), .until = window->end, .hits = of->hits, .bytes = of->bytes);
    return TDM_OK;
}
TDM_FINISH(to_figure, sums, figure);

void windows_count_case(tdm_job *job) {
    tdm_stream source = tdm_source(job, "hits", hit, tdm_csv(NULL));
    tdm_keyed hits = tdm_key_by(tdm_event_time(source, TDM_OF(hit, at), tdm_monotonic()), TDM_OF(hit, page));
    tdm_sink(tdm_window_process(tdm_window_by(hits, tdm_records(3)), "threes", to_batch), "threes-out", tdm_json(NULL));
    tdm_windowed fours = tdm_window_by(hits, tdm_records_sliding(4, 2));
    tdm_sink(tdm_window_sum(fours, "moving", TDM_OF(hit, bytes), moving), "moving-out", tdm_json(NULL));
    /* What is not full fires when the input ends. */
    tdm_windows fives = tdm_records(5);
    fives.or_after = tdm_days(1);
    fives.or_after_event_time = true;
    tdm_sink(tdm_aggregate(tdm_window_by(hits, fives), "fives", summing, to_figure), "fives-out", tdm_json(NULL));
}
