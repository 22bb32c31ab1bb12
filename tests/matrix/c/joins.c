/* Orders and payments of an account: joined by their distance in time, where an order may go without, and in windows. */

#include "matrix.h"

typedef struct {
    tdm_text kind, account;
    tdm_opt_text item;
    tdm_opt_i64 cents;
    tdm_opt_text note;
    int64_t at;
} event;
TDM_RECORD(event, kind, account, item, cents, note, at);

typedef struct {
    tdm_text account, item;
    int64_t at;
} order;
TDM_RECORD(order, account, item, at);

/* A payment without a note is another thing than no payment. */
typedef struct {
    tdm_text account;
    int64_t cents;
    tdm_opt_text note;
    int64_t at;
} payment;
TDM_RECORD(payment, account, cents, note, at);

/* A payment that may be none. */
typedef struct {
    tdm_opt_text account;
    tdm_opt_i64 cents;
    tdm_opt_text note;
    tdm_opt_i64 at;
} maybe_payment;

typedef struct {
    order order;
    maybe_payment payment;
} near_row;
TDM_RECORD_OF(near_row, TDM_PART(near_row, order, account, item, at), TDM_PART(near_row, payment, account, cents, note, at));

typedef struct {
    int64_t start, end;
    order order;
    payment payment;
} window_row;
TDM_RECORD_OF(window_row, TDM_FIELD(window_row, start), TDM_FIELD(window_row, end), TDM_PART(window_row, order, account, item, at),
    TDM_PART(window_row, payment, account, cents, note, at));

typedef struct {
    tdm_text account, item;
    bool paid;
    tdm_opt_i64 cents;
    tdm_opt_text note;
} paid_order;
TDM_RECORD(paid_order, account, item, paid, cents, note);

typedef struct {
    tdm_text account;
    int64_t start, end;
    tdm_text item;
    int64_t cents;
} pair;
TDM_RECORD(pair, account, start, end, item, cents);

static tdm_status orders_of(tdm_ctx *ctx, const event *in) {
    if (in->item.present) tdm_emit(ctx, order, .account = in->account, .item = in->item.value, .at = in->at);
    return TDM_OK;
}
TDM_FLAT_MAP(orders_of, event, order);

static tdm_status payments_of(tdm_ctx *ctx, const event *in) {
    if (in->cents.present) tdm_emit(ctx, payment, .account = in->account, .cents = in->cents.value, .note = in->note, .at = in->at);
    return TDM_OK;
}
TDM_FLAT_MAP(payments_of, event, payment);

static tdm_status paid(tdm_ctx *ctx, const near_row *in, paid_order *out) {
    (void)ctx;
    *out = (paid_order){in->order.account, in->order.item, in->payment.account.present, in->payment.cents, in->payment.note};
    return TDM_OK;
}
TDM_MAP(paid, near_row, paid_order);

static tdm_status paired(tdm_ctx *ctx, const window_row *in, pair *out) {
    (void)ctx;
    *out = (pair){in->order.account, in->start, in->end, in->order.item, in->payment.cents};
    return TDM_OK;
}
TDM_MAP(paired, window_row, pair);

void joins_case(tdm_job *job) {
    tdm_stream events =
        tdm_event_time(tdm_source(job, "events", event, tdm_json(NULL)), TDM_OF(event, at), tdm_out_of_order(tdm_seconds(2)));
    tdm_keyed orders = tdm_key_by(tdm_flat_map(events, "orders", orders_of), TDM_OF(order, account));
    tdm_keyed payments = tdm_key_by(tdm_flat_map(events, "payments", payments_of), TDM_OF(payment, account));

    tdm_interval within = tdm_within(-tdm_seconds(2), tdm_seconds(5));
    within.upper_exclusive = true;
    tdm_stream near = tdm_interval_join("near", near_row, within, tdm_required("order", orders), tdm_optional("payment", payments));
    tdm_sink(tdm_unmatched(near, "payment", payment), "orphans-out", tdm_json(NULL));
    tdm_sink(tdm_map(near, "paid", paid), "paid-out", tdm_json(NULL));

    tdm_stream together = tdm_window_join(
        "together", window_row, tdm_tumbling(tdm_seconds(10)), tdm_required("order", orders), tdm_required("payment", payments));
    tdm_sink(tdm_map(together, "pair", paired), "pairs-out", tdm_json(NULL));
}
