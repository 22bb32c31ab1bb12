/* The average temperature of every sensor in windows of ten seconds. */

#include "tidemill.h"

typedef struct {
    tdm_text sensor;
    double celsius;
    int64_t at;
} reading;
TDM_RECORD(reading, sensor, celsius, at);

typedef struct {
    tdm_text sensor;
    double celsius;
    int64_t until;
} average;
TDM_RECORD(average, sensor, celsius, until);

static tdm_status to_average(tdm_ctx *ctx, const tdm_window *window, const double *celsius) {
    tdm_emit(ctx, average, .sensor = *tdm_key(ctx, tdm_text), .celsius = *celsius, .until = window->end);
    return TDM_OK;
}
TDM_FINISH(to_average, double, average);

static tdm_status sensor_averages(tdm_job *job) {
    tdm_stream readings = tdm_source(job, "readings", reading, tdm_json("stdin:"));
    tdm_event_time(readings, TDM_OF(reading, at), tdm_out_of_order(tdm_seconds(2)));
    tdm_windowed windows = tdm_window_by(tdm_key_by(readings, TDM_OF(reading, sensor)), tdm_tumbling(tdm_seconds(10)));
    tdm_stream averages = tdm_aggregate(windows, "average", tdm_averaging(TDM_OF(reading, celsius)), to_average);
    tdm_sink(averages, "averages", tdm_json("stdout:"));
    return TDM_OK;
}
TDM_JOB(sensor_averages);
