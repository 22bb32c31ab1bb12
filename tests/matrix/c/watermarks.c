/* Readings of meters in windows of ten seconds, by two rules of the job's own for event time: marks that some readings bring, and the
 * slowest meter, told by the clock. */

#include "matrix.h"

/* How many meters there are: none may be missing for the slowest to be known. */
enum { METERS = 3 };

/* What a meter read. Some tell that nothing as old as `through` follows; each meter's own readings come in order, save late ones. */
typedef struct {
    tdm_text meter;
    int64_t units, at;
    tdm_opt_i64 through;
} reading;
TDM_RECORD(reading, meter, units, at, through);

typedef struct {
    int64_t readings, units;
} sums;
TDM_RECORD(sums, readings, units);

typedef struct {
    tdm_text by, meter;
    int64_t until, readings, units;
} total;
TDM_RECORD(total, by, meter, until, readings, units);

static int64_t time_of(const reading *in) { return in->at; }
TDM_NUMBER(time_of, reading);

static bool marks(const reading *in, int64_t time, int64_t *watermark) {
    (void)time;
    *watermark = in->through.value;
    return in->through.present;
}
TDM_PUNCTUATED(marks, reading);

/* The greatest time of each meter, by the hash of its name. */
typedef struct {
    size_t count;
    struct {
        uint64_t meter;
        int64_t time;
    } of[METERS];
} meters;

static void see(meters *self, const reading *in, int64_t time) {
    uint64_t meter = tdm_hash(in->meter.ptr, in->meter.len);
    size_t i = 0;
    while (i < self->count && self->of[i].meter != meter) i++;
    if (i == self->count) {
        tdm_assert(i < METERS);
        self->of[i].meter = meter;
        self->of[i].time = time;
        self->count++;
    }
    if (time > self->of[i].time) self->of[i].time = time;
}
static bool say(meters *self, int64_t now, int64_t *watermark) {
    (void)now;
    if (self->count < METERS) return false;
    int64_t least = self->of[0].time;
    for (size_t i = 1; i < METERS; i++) least = self->of[i].time < least ? self->of[i].time : least;
    *watermark = least - 1; /* Another reading of the same millisecond may follow. */
    return true;
}
TDM_PERIODIC(slowest, reading, meters, see, say);

static void add(sums *acc, const reading *in) {
    acc->readings++;
    acc->units += in->units;
}
static void merge(sums *into, const sums *from) {
    into->readings += from->readings;
    into->units += from->units;
}
TDM_AGGREGATOR(summing, reading, sums, add, merge);

static void emit_total(tdm_ctx *ctx, tdm_text by, const tdm_window *window, const sums *of) {
    tdm_emit(ctx, total, .by = by, .meter = *tdm_key(ctx, tdm_text), .until = window->end, .readings = of->readings, .units = of->units);
}
static tdm_status by_marks(tdm_ctx *ctx, const tdm_window *window, const sums *of) {
    return emit_total(ctx, tdm_str("marks"), window, of), TDM_OK;
}
TDM_FINISH(by_marks, sums, total);
static tdm_status by_clock(tdm_ctx *ctx, const tdm_window *window, const sums *of) {
    return emit_total(ctx, tdm_str("clock"), window, of), TDM_OK;
}
TDM_FINISH(by_clock, sums, total);

static tdm_windowed cut(tdm_stream timed) {
    return tdm_window_by(tdm_key_by(timed, TDM_OF(reading, meter)), tdm_tumbling(tdm_seconds(10)));
}

void watermarks_case(tdm_job *job) {
    tdm_stream readings = tdm_source(job, "readings", reading, tdm_json(NULL));
    tdm_stream marked = tdm_assign_event_time(readings, "marked", time_of, tdm_generated(marks));
    marked = tdm_aggregate(cut(marked), "by-marks", summing, by_marks);
    tdm_sink(tdm_late(marked, reading), "late-by-marks-out", tdm_json(NULL));
    tdm_stream clocked = tdm_assign_event_time(readings, "clocked", time_of, tdm_generated_every(slowest, 10));
    clocked = tdm_aggregate(cut(clocked), "by-clock", summing, by_clock);
    tdm_sink(tdm_late(clocked, reading), "late-by-clock-out", tdm_json(NULL));
    tdm_sink(tdm_union(job, "totals", marked, clocked), "totals-out", tdm_json(NULL));
}
