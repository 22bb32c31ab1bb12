/* An alert when a device has sent nothing for thirty seconds, and the number of signals until then.
 *
 * Signals may arrive out of order, and a file is read faster than its time passes. So that alerts depend on the signals
 * alone, each waits in state until the watermark says that nothing earlier will come. */

#include "tidemill.h"

#include <stdlib.h>

/* How long a device may be silent, in milliseconds. */
enum { SILENCE_MS = 30000 };

typedef struct {
    tdm_text device;
    int64_t at;
} signal;
TDM_RECORD(signal, device, at);

typedef struct {
    tdm_text device;
    int64_t silent_since, signals;
} alert;
TDM_RECORD(alert, device, silent_since, signals);

/* What is known of a device that is not silent. */
typedef struct {
    int64_t last, signals;
} seen;
TDM_RECORD(seen, last, signals);

static const tdm_state waiting = TDM_LIST("waiting", int64_t);
static const tdm_state known = TDM_VALUE("seen", seen);
static const tdm_timer wake = TDM_EVENT_TIMER("wake");

static tdm_status on_signal(tdm_ctx *ctx, const signal *in) {
    tdm_push(ctx, &waiting, int64_t, in->at);
    tdm_timer_add(ctx, &wake, in->at);
    return TDM_OK;
}
TDM_INPUT(on_signal, signal);

/* Alerts when the device was silent at `now`, and counts anew from then on. */
static void end_if_silent(tdm_ctx *ctx, seen *device, int64_t now) {
    if (!device->signals || now <= device->last + SILENCE_MS) return;
    tdm_emit(ctx, alert, .device = *tdm_key(ctx, tdm_text), .silent_since = device->last, .signals = device->signals);
    *device = (seen){0, 0};
}

static int by_time(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static tdm_status on_wake(tdm_ctx *ctx, const tdm_timer *timer) {
    (void)timer;
    int64_t now = tdm_watermark(ctx);
    const seen *before = tdm_take(ctx, &known, seen);
    seen device = before ? *before : (seen){0, 0};
    size_t count, due = 0;
    int64_t *times = tdm_edit_items(ctx, &waiting, int64_t, &count);
    if (count) qsort(times, count, sizeof *times, by_time);
    for (; due < count && times[due] <= now; due++) {
        end_if_silent(ctx, &device, times[due]);
        device = (seen){times[due], device.signals + 1};
    }
    for (size_t i = due; i < count; i++) times[i - due] = times[i];
    tdm_truncate(ctx, &waiting, count - due);
    end_if_silent(ctx, &device, now);
    if (device.signals) {
        tdm_timer_add(ctx, &wake, device.last + SILENCE_MS + 1);
        tdm_set_ptr(ctx, &known, seen, &device);
    }
    return TDM_OK;
}

static const tdm_process watch = {
    .out = &alert_record,
    .inputs = {&on_signal_input},
    .state = {&waiting, &known},
    .timers = {&wake},
    .on_timer = on_wake,
};

static tdm_status inactivity_alerts(tdm_job *job) {
    tdm_stream signals = tdm_source(job, "signals", signal, tdm_json("stdin:"));
    tdm_event_time(signals, TDM_OF(signal, at), tdm_out_of_order(tdm_seconds(2)));
    tdm_sink(tdm_processed(tdm_key_by(signals, TDM_OF(signal, device)), "watch", &watch), "alerts", tdm_json("stdout:"));
    return TDM_OK;
}
TDM_JOB(inactivity_alerts);
