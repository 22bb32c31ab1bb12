/* Ways to fail at one certain record, for `tests/e2e/tests/errors.rs`: what each says, and at which line, is the same in
 * every language. */

#include "matrix.h"

#include <inttypes.h>

typedef struct {
    tdm_text sensor;
    int64_t n;
} counted;
TDM_RECORD(counted, sensor, n);

/* Fewer than what is asked of them. */
static const char *const words[] = {"zero", "one", "two"};

static tdm_status thrown(tdm_ctx *ctx, const counted *in, counted *out) {
    (void)ctx;
    if (in->n == 13) tdm_abort("thirteen is bad luck");
    *out = *in;
    return TDM_OK;
}
TDM_MAP(thrown, counted, counted);

static tdm_status fault(tdm_ctx *ctx, const counted *in, counted *out) {
    *out = *in;
    if (in->n != 14) return TDM_OK;
    const char *word = words[in->n]; /* fourteen is beyond the words */
    out->sensor = tdm_format_text(ctx, "%s", word);
    return TDM_OK;
}
TDM_MAP(fault, counted, counted);

static tdm_status refused(tdm_ctx *ctx, const counted *in, counted *out) {
    if (in->n == 15) return tdm_refuse(ctx, "fifteen is refused");
    if (in->n == 18) return (tdm_status)42;
    *out = *in;
    return TDM_OK;
}
TDM_MAP(refused, counted, counted); /* returns what is no status */

static tdm_status aside(tdm_ctx *ctx, const counted *in, counted *out) {
    if (in->n == 16) return tdm_refuse(ctx, "sixteen is put aside");
    *out = *in;
    return TDM_OK;
}
TDM_MAP(aside, counted, counted);

static const tdm_state seen = TDM_VALUE("seen", int64_t);

static tdm_status on_counted(tdm_ctx *ctx, const counted *in) {
    const int64_t *before = tdm_get(ctx, &seen, int64_t);
    int64_t count = before ? *before : 0;
    tdm_set(ctx, &seen, int64_t, count + 1);
    if (in->n == 17) tdm_abort("seventeen after %" PRId64 " of its key", count);
    tdm_emit(ctx, counted, .sensor = in->sensor, .n = in->n);
    return TDM_OK;
}
TDM_INPUT(on_counted, counted);

static const tdm_process counting = {.out = &counted_record, .inputs = {&on_counted_input}, .state = {&seen}};

void failures_case(tdm_job *job) {
    tdm_stream numbers = tdm_source(job, "numbers", counted, tdm_json(NULL));
    numbers = tdm_map(tdm_map(tdm_map(numbers, "thrown", thrown), "fault", fault), "refused", refused);
    tdm_stream kept = tdm_on_errors(tdm_map(numbers, "aside", aside), TDM_DEAD_LETTER);
    tdm_sink(tdm_dead_letters(kept), "letters", tdm_json(NULL));
    tdm_sink(tdm_processed(tdm_key_by(kept, TDM_OF(counted, sensor)), "counting", &counting), "results", tdm_json(NULL));
}
