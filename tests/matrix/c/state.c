/* What users bought: a value, a list, a map and a timer for each of them, all of which a savepoint has to hold. */

#include "matrix.h"

/* A basket is told after every fifth purchase of a user, and at the end. */
enum { EVERY = 5, RECENT = 3 };

typedef struct {
    tdm_text user, item;
    double price;
    int64_t at;
} purchase;
TDM_RECORD(purchase, user, item, price, at);

typedef struct {
    int64_t count;
    double spent;
} total;
TDM_RECORD(total, count, spent);

typedef struct {
    tdm_text user;
    int64_t count;
    double spent;
    tdm_text recent, favourite;
    int64_t items;
} basket;
TDM_RECORD(basket, user, count, spent, recent, favourite, items);

static const tdm_state total_state = TDM_VALUE("total", total);
static const tdm_state recent = TDM_LIST("recent", tdm_text);
static const tdm_state counts = TDM_MAP_STATE("counts", tdm_text, int64_t);
static const tdm_timer day = TDM_EVENT_TIMER("day");

static void tell(tdm_ctx *ctx) {
    size_t length;
    const tdm_text *items = tdm_items(ctx, &recent, tdm_text, &length);
    tdm_text joined = TDM_TEXT("");
    for (size_t i = 0; i < length; i++) {
        joined = tdm_format_text(ctx, "%.*s%s%.*s", TDM_ARG(joined), i ? "," : "", TDM_ARG(items[i]));
    }
    tdm_text favourite = TDM_TEXT("");
    int64_t most = 0;
    size_t kinds = tdm_length(ctx, &counts);
    /* Of items that were bought equally often, the first in the order of their names. */
    for (size_t i = 0; i < kinds; i++) {
        int64_t count = *tdm_entry_value(ctx, &counts, i, int64_t);
        if (count <= most) continue;
        most = count;
        favourite = *tdm_entry_key(ctx, &counts, i, tdm_text);
    }
    const total *of = tdm_get(ctx, &total_state, total);
    tdm_emit(ctx, basket, .user = *tdm_key(ctx, tdm_text), .count = of->count, .spent = of->spent, .recent = joined, .favourite = favourite,
        .items = (int64_t)kinds);
}

static tdm_status on_purchase(tdm_ctx *ctx, const purchase *in) {
    tdm_timer_replace(ctx, &day, in->at + tdm_days(1));
    total *of = tdm_edit(ctx, &total_state, total);
    of->count++;
    of->spent += in->price;
    ++*tdm_edit_entry(ctx, &counts, tdm_text, &in->item, int64_t);
    tdm_push(ctx, &recent, tdm_text, in->item.ptr, in->item.len);
    size_t length;
    const tdm_text *items = tdm_items(ctx, &recent, tdm_text, &length);
    if (length > RECENT) tdm_set_items(ctx, &recent, tdm_text, items + (length - RECENT), RECENT);
    if (tdm_get(ctx, &total_state, total)->count % EVERY == 0) tell(ctx);
    return TDM_OK;
}
TDM_INPUT(on_purchase, purchase);

static tdm_status on_day(tdm_ctx *ctx, const tdm_timer *timer) {
    (void)timer;
    tell(ctx);
    tdm_clear(ctx, &total_state);
    tdm_clear(ctx, &recent);
    tdm_clear(ctx, &counts);
    return TDM_OK;
}

static const tdm_process baskets = {
    .out = &basket_record,
    .inputs = {&on_purchase_input},
    .state = {&total_state, &recent, &counts},
    .timers = {&day},
    .on_timer = on_day,
};

void state_case(tdm_job *job) {
    tdm_stream purchases = tdm_event_time(tdm_source(job, "purchases", purchase, tdm_json(NULL)), TDM_OF(purchase, at), tdm_monotonic());
    tdm_sink(tdm_processed(tdm_key_by(purchases, TDM_OF(purchase, user)), "basket", &baskets), "baskets", tdm_json(NULL));
}
