/* Dead letters of a source, of a stateless function and of one with state, which forgets what it did for a record that it refuses. */

#include "matrix.h"

#include <inttypes.h>

typedef struct {
    tdm_text sensor, text;
} reading;
TDM_RECORD(reading, sensor, text);

typedef struct {
    tdm_text sensor;
    int64_t value;
} number;
TDM_RECORD(number, sensor, value);

typedef struct {
    tdm_text sensor;
    int64_t value, seen;
} step;
TDM_RECORD(step, sensor, value, seen);

static tdm_status parse(tdm_ctx *ctx, const reading *in, number *out) {
    out->sensor = in->sensor;
    for (size_t i = 0; i < in->text.len; i++) {
        char digit = in->text.ptr[i];
        if (digit < '0' || digit > '9') return tdm_refuse(ctx, "'%.*s' is no number", TDM_ARG(in->text));
        out->value = out->value * 10 + (digit - '0');
    }
    return TDM_OK;
}
TDM_MAP(parse, reading, number);

/* A dead letter without its place, which depends on how blocks are cut. */
typedef struct {
    tdm_text operator, reason, record;
} refused;
TDM_RECORD(refused, operator, reason, record);

static tdm_status to_refused(tdm_ctx *ctx, const tdm_dead_letter *in, refused *out) {
    (void)ctx;
    *out = (refused){in->operator, in->reason, in->record};
    return TDM_OK;
}
TDM_MAP(to_refused, tdm_dead_letter, refused);

static const tdm_state last_state = TDM_VALUE("last", int64_t);
static const tdm_state seen = TDM_LIST("seen", int64_t);

static tdm_status on_number(tdm_ctx *ctx, const number *in) {
    const int64_t *before = tdm_get(ctx, &last_state, int64_t);
    int64_t last = before ? *before : 0;
    tdm_set(ctx, &last_state, int64_t, in->value);
    tdm_push(ctx, &seen, int64_t, in->value);
    tdm_emit(ctx, step, .sensor = *tdm_key(ctx, tdm_text), .value = in->value, .seen = (int64_t)tdm_length(ctx, &seen));
    if (in->value < last) return tdm_refuse(ctx, "%" PRId64 " falls below %" PRId64, in->value, last);
    return TDM_OK;
}
TDM_INPUT(on_number, number);

static const tdm_process rising = {.out = &step_record, .inputs = {&on_number_input}, .state = {&last_state, &seen}};

void errors_case(tdm_job *job) {
    tdm_stream readings = tdm_on_errors(tdm_source(job, "readings", reading, tdm_json(NULL)), TDM_DEAD_LETTER);
    tdm_sink(tdm_dead_letters(readings), "unread", tdm_json(NULL));
    tdm_stream numbers = tdm_map(readings, "numbers", parse);
    tdm_stream steps = tdm_processed(tdm_key_by(numbers, TDM_OF(number, sensor)), "rising", &rising);
    tdm_stream letters = tdm_union(job, "letters", tdm_dead_letters(numbers), tdm_dead_letters(steps));
    tdm_sink(tdm_map(letters, "refused", to_refused), "refused-out", tdm_json(NULL));
    tdm_sink(steps, "steps", tdm_json(NULL));
}
