/* Rides by calendar days and weeks of a time zone, over the nights in which its clocks are changed. */

#include "matrix.h"

typedef struct {
    tdm_text line;
    int64_t metres, at;
} ride;
TDM_RECORD(ride, line, metres, at);

typedef struct {
    tdm_text line;
    int64_t start, end, count;
} counted;
TDM_RECORD(counted, line, start, end, count);

typedef struct {
    int64_t rides, metres;
} sums;
TDM_RECORD(sums, rides, metres);

typedef struct {
    tdm_text line;
    int64_t from, hours, rides, metres;
} week;
TDM_RECORD(week, line, from, hours, rides, metres);

static void add(sums *acc, const ride *in) {
    acc->rides++;
    acc->metres += in->metres;
}
static void merge(sums *into, const sums *from) {
    into->rides += from->rides;
    into->metres += from->metres;
}
TDM_AGGREGATOR(summing, ride, sums, add, merge);

static tdm_status to_week(tdm_ctx *ctx, const tdm_window *window, const sums *of) {
    int64_t hours = (window->end - window->start) / tdm_hours(1);
    tdm_emit(ctx, week, .line = *tdm_key(ctx, tdm_text), .from = window->start, .hours = hours, .rides = of->rides, .metres = of->metres);
    return TDM_OK;
}
TDM_FINISH(to_week, sums, week);

void windows_day_case(tdm_job *job) {
    tdm_stream source = tdm_source(job, "rides", ride, tdm_json(NULL));
    tdm_keyed rides = tdm_key_by(tdm_event_time(source, TDM_OF(ride, at), tdm_out_of_order(tdm_hours(2))), TDM_OF(ride, line));
    tdm_windows day = tdm_calendar_days("Europe/Berlin"), seven = day;
    seven.days = 7;
    tdm_sink(tdm_window_count(tdm_window_by(rides, day), "daily", counted), "days-out", tdm_json(NULL));
    tdm_sink(tdm_aggregate(tdm_window_by(rides, seven), "weekly", summing, to_week), "weeks-out", tdm_json(NULL));
}
