/* What `benches/measure.py languages` measures: a function over each record, without state and with it. */

#include "matrix.h"

typedef struct {
    tdm_text sensor;
    double celsius;
    int64_t at;
} row;
TDM_RECORD(row, sensor, celsius, at);

typedef struct {
    tdm_text sensor;
    double degrees;
    int64_t at;
} fahrenheit;
TDM_RECORD(fahrenheit, sensor, degrees, at);

static tdm_status to_fahrenheit(tdm_ctx *ctx, const row *in, fahrenheit *out) {
    (void)ctx;
    *out = (fahrenheit){in->sensor, in->celsius * 1.8 + 32, in->at};
    return TDM_OK;
}
TDM_MAP(to_fahrenheit, row, fahrenheit);

void map_figure(tdm_job *job) {
    tdm_stream rows = tdm_source(job, "rows", row, tdm_json(NULL));
    tdm_sink(tdm_map(rows, "work", to_fahrenheit), "out", tdm_json(NULL));
}

typedef struct {
    tdm_text sensor;
    int64_t count;
} counted;
TDM_RECORD(counted, sensor, count);

static const tdm_state count_state = TDM_VALUE("count", int64_t);

static tdm_status on_row(tdm_ctx *ctx, const row *in) {
    (void)in;
    int64_t count = ++*tdm_edit(ctx, &count_state, int64_t);
    tdm_emit(ctx, counted, .sensor = *tdm_key(ctx, tdm_text), .count = count);
    return TDM_OK;
}
TDM_INPUT(on_row, row);

static const tdm_process counter = {.out = &counted_record, .inputs = {&on_row_input}, .state = {&count_state}};

void keyed_count_figure(tdm_job *job) {
    tdm_stream rows = tdm_source(job, "rows", row, tdm_json(NULL));
    tdm_sink(tdm_processed(tdm_key_by(rows, TDM_OF(row, sensor)), "work", &counter), "out", tdm_json(NULL));
}
