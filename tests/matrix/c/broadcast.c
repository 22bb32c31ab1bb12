/* Purchases of users and rules that come beside them: a rule finds the purchases it is about, those before it and those after it.
 *
 * In which order purchases and rules meet is not said, so every pair of them has to be found once in either order: a purchase looks
 * through the rules that are shared, a rule is applied to every user who has purchases. */

#include "matrix.h"

typedef struct {
    tdm_text kind, name;
    int64_t cents, at;
} event;
TDM_RECORD(event, kind, name, cents, at);

typedef struct {
    tdm_text user;
    int64_t cents, at;
} bought;
TDM_RECORD(bought, user, cents, at);

/* Is about purchases of so many cents and more. */
typedef struct {
    tdm_text name;
    int64_t least;
} rule;
TDM_RECORD(rule, name, least);

typedef struct {
    tdm_text user, rule;
    int64_t cents;
} hit;
TDM_RECORD(hit, user, rule, cents);

static const tdm_state seen = TDM_LIST("seen", int64_t);
static const tdm_timer day = TDM_EVENT_TIMER("day");
static const tdm_state rules = TDM_MAP_STATE("rules", tdm_text, int64_t);
static const tdm_state count = TDM_VALUE("count", int64_t);

static tdm_status on_bought(tdm_ctx *ctx, const bought *in) {
    tdm_timer_replace(ctx, &day, in->at + tdm_days(1));
    tdm_push(ctx, &seen, int64_t, in->cents);
    size_t length = tdm_length(ctx, &rules);
    for (size_t i = 0; i < length; i++) {
        if (in->cents < *tdm_entry_value(ctx, &rules, i, int64_t)) continue;
        tdm_emit(ctx, hit, .user = in->user, .rule = *tdm_entry_key(ctx, &rules, i, tdm_text), .cents = in->cents);
    }
    return TDM_OK;
}
TDM_INPUT(on_bought, bought);

static tdm_status on_rule(tdm_ctx *ctx, const rule *in) {
    tdm_put(ctx, &rules, tdm_text, &in->name, int64_t, in->least);
    ++*tdm_edit(ctx, &count, int64_t);
    return TDM_OK;
}
TDM_INPUT(on_rule, rule);

static tdm_status on_key(tdm_ctx *ctx, const rule *in) {
    int64_t least = *tdm_lookup(ctx, &rules, tdm_text, &in->name, int64_t);
    size_t length;
    const int64_t *cents = tdm_items(ctx, &seen, int64_t, &length);
    for (size_t i = 0; i < length; i++) {
        if (cents[i] >= least) tdm_emit(ctx, hit, .user = *tdm_key(ctx, tdm_text), .rule = in->name, .cents = cents[i]);
    }
    return TDM_OK;
}
TDM_INPUT(on_key, rule);

/* Tells what a user has spent under how many rules. */
static tdm_status on_day(tdm_ctx *ctx, const tdm_timer *timer) {
    (void)timer;
    const int64_t *known = tdm_get(ctx, &count, int64_t);
    int64_t spent = 0;
    size_t length;
    const int64_t *cents = tdm_items(ctx, &seen, int64_t, &length);
    for (size_t i = 0; i < length; i++) spent += cents[i];
    tdm_text told = tdm_format_text(ctx, "%lld rules", (long long)(known ? *known : 0));
    tdm_emit(ctx, hit, .user = *tdm_key(ctx, tdm_text), .rule = told, .cents = spent);
    return TDM_OK;
}

static const tdm_process match = {
    .out = &hit_record,
    .inputs = {&on_bought_input},
    .state = {&seen},
    .timers = {&day},
    .on_timer = on_day,
    .broadcast = &on_rule_input,
    .shared = {&rules, &count},
    .on_key = &on_key_input,
};

static tdm_status is_purchase(tdm_ctx *ctx, const event *in) {
    (void)ctx;
    return tdm_keep_if(tdm_equal(in->kind, tdm_str("purchase")));
}
TDM_FILTER(is_purchase, event);

static tdm_status is_rule(tdm_ctx *ctx, const event *in) {
    (void)ctx;
    return tdm_keep_if(tdm_equal(in->kind, tdm_str("rule")));
}
TDM_FILTER(is_rule, event);

static tdm_status as_bought(tdm_ctx *ctx, const event *in, bought *out) {
    (void)ctx;
    *out = (bought){in->name, in->cents, in->at};
    return TDM_OK;
}
TDM_MAP(as_bought, event, bought);

static tdm_status as_rule(tdm_ctx *ctx, const event *in, rule *out) {
    (void)ctx;
    *out = (rule){in->name, in->cents};
    return TDM_OK;
}
TDM_MAP(as_rule, event, rule);

void broadcast_case(tdm_job *job) {
    tdm_stream events = tdm_event_time(tdm_source(job, "events", event, tdm_json(NULL)), TDM_OF(event, at), tdm_monotonic());
    tdm_stream purchases = tdm_map(tdm_filter(events, "is-purchase", is_purchase), "purchases", as_bought);
    tdm_stream all_rules = tdm_map(tdm_filter(events, "is-rule", is_rule), "rules", as_rule);
    tdm_sink(tdm_connected_broadcast(tdm_key_by(purchases, TDM_OF(bought, user)), all_rules, "match", &match), "hits", tdm_json(NULL));
}
