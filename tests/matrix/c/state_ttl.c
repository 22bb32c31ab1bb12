/* What users looked at, for ten seconds of event time: a value that reading renews, a list and a map whose entries expire one by one. */

#include "matrix.h"

/* Every user is told about one second before the end of each twelve. */
enum { TELL_EVERY_MS = 12000, TELL_BEFORE_MS = 1000 };

/* A look at an item; without one, a user asks what is known. */
typedef struct {
    tdm_text user, item;
    int64_t at;
} look;
TDM_RECORD(look, user, item, at);

typedef struct {
    tdm_text user;
    int64_t at;
    tdm_opt_i64 since;
    tdm_text recent, counts;
} told;
TDM_RECORD(told, user, at, since, recent, counts);

static const tdm_state since = TDM_EXPIRING_VALUE("since", int64_t, .span = TDM_SECONDS(10), .renewed_by_reads = true);
static const tdm_state recent = TDM_EXPIRING_LIST("recent", tdm_text, .span = TDM_SECONDS(10));
static const tdm_state counts = TDM_EXPIRING_MAP("counts", tdm_text, int64_t, .span = TDM_SECONDS(10));
static const tdm_timer tell = TDM_EVENT_TIMER("tell");

static tdm_status tell_at(tdm_ctx *ctx, int64_t at) {
    told out = {.user = *tdm_key(ctx, tdm_text), .at = at, .recent = TDM_TEXT(""), .counts = TDM_TEXT("")};
    const int64_t *from = tdm_get(ctx, &since, int64_t);
    if (from) out.since = (tdm_opt_i64){true, *from};
    size_t count;
    const tdm_text *items = tdm_items(ctx, &recent, tdm_text, &count);
    for (size_t i = 0; i < count; i++)
        out.recent = tdm_format_text(ctx, "%.*s%s%.*s", TDM_ARG(out.recent), i ? "," : "", TDM_ARG(items[i]));
    count = tdm_length(ctx, &counts);
    for (size_t i = 0; i < count; i++) {
        tdm_text item = *tdm_entry_key(ctx, &counts, i, tdm_text);
        long long n = *tdm_entry_value(ctx, &counts, i, int64_t);
        out.counts = tdm_format_text(ctx, "%.*s%s%.*s=%lld", TDM_ARG(out.counts), i ? "," : "", TDM_ARG(item), n);
    }
    return tdm_emit_ptr(ctx, told, &out), TDM_OK;
}

static tdm_status on_look(tdm_ctx *ctx, const look *in) {
    if (!in->item.len) return tell_at(ctx, in->at);
    if (!tdm_get(ctx, &since, int64_t)) tdm_set(ctx, &since, int64_t, in->at);
    ++*tdm_edit_entry(ctx, &counts, tdm_text, &in->item, int64_t);
    tdm_push_ptr(ctx, &recent, tdm_text, &in->item);
    tdm_timer_replace(ctx, &tell, (in->at / TELL_EVERY_MS + 1) * TELL_EVERY_MS - TELL_BEFORE_MS);
    return TDM_OK;
}
TDM_INPUT(on_look, look);

static tdm_status on_tell(tdm_ctx *ctx, const tdm_timer *timer) {
    (void)timer;
    return tell_at(ctx, tdm_time(ctx));
}

static const tdm_process looks_of = {
    .out = &told_record,
    .inputs = {&on_look_input},
    .state = {&since, &recent, &counts},
    .timers = {&tell},
    .on_timer = on_tell,
};

void state_ttl_case(tdm_job *job) {
    tdm_stream looks = tdm_event_time(tdm_source(job, "looks", look, tdm_json(NULL)), TDM_OF(look, at), tdm_monotonic());
    tdm_sink(tdm_processed(tdm_key_by(looks, TDM_OF(look, user)), "looks-of", &looks_of), "told", tdm_json(NULL));
}
