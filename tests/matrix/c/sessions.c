/* Visits of users: clicks that lie at most half a minute apart, which come out of order. */

#include "matrix.h"

typedef struct {
    tdm_text user;
    int64_t bytes, at;
} click;
TDM_RECORD(click, user, bytes, at);

typedef struct {
    int64_t clicks, bytes;
} sums;
TDM_RECORD(sums, clicks, bytes);

typedef struct {
    tdm_text user;
    int64_t start, end, clicks, bytes;
} visit;
TDM_RECORD(visit, user, start, end, clicks, bytes);

static void add(sums *acc, const click *in) {
    acc->clicks++;
    acc->bytes += in->bytes;
}

static void merge(sums *into, const sums *from) {
    into->clicks += from->clicks;
    into->bytes += from->bytes;
}
TDM_AGGREGATOR(summing, click, sums, add, merge);

static tdm_status to_visit(tdm_ctx *ctx, const tdm_window *window, const sums *of) {
    tdm_emit(
        ctx, visit, .user = *tdm_key(ctx, tdm_text), .start = window->start, .end = window->end, .clicks = of->clicks, .bytes = of->bytes);
    return TDM_OK;
}
TDM_FINISH(to_visit, sums, visit);

void sessions_case(tdm_job *job) {
    tdm_stream clicks =
        tdm_event_time(tdm_source(job, "clicks", click, tdm_json(NULL)), TDM_OF(click, at), tdm_out_of_order(tdm_seconds(5)));
    tdm_windowed windows = tdm_window_by(tdm_key_by(clicks, TDM_OF(click, user)), tdm_session(tdm_seconds(30)));
    tdm_sink(tdm_aggregate(windows, "visits", summing, to_visit), "visits-out", tdm_json(NULL));
}
