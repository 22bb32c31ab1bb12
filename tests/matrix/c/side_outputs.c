/* Bills of ten seconds: large orders leave by a side output, orders that come behind their bill by the late one. */

#include "matrix.h"

#include <inttypes.h>

enum { LARGE = 1000 };

typedef struct {
    tdm_text customer;
    int64_t amount, at;
} order;
TDM_RECORD(order, customer, amount, at);

/* `number` is which of the customer's orders it is. */
typedef struct {
    tdm_text customer;
    int64_t amount, number;
} large_order;
TDM_RECORD(large_order, customer, amount, number);

typedef struct {
    tdm_text customer;
    int64_t until;
    tdm_text amounts;
} bill;
TDM_RECORD(bill, customer, until, amounts);

static const tdm_state orders = TDM_VALUE("orders", int64_t);
static const tdm_side large = TDM_SIDE("large", large_order);

static tdm_status on_order(tdm_ctx *ctx, const order *in) {
    int64_t number = ++*tdm_edit(ctx, &orders, int64_t);
    if (in->amount >= LARGE)
        tdm_emit_to(ctx, &large, large_order, .customer = *tdm_key(ctx, tdm_text), .amount = in->amount, .number = number);
    else tdm_emit_ptr(ctx, order, in);
    return TDM_OK;
}
TDM_INPUT(on_order, order);

static const tdm_process check = {.out = &order_record, .inputs = {&on_order_input}, .state = {&orders}, .sides = {&large}};

static tdm_status to_bill(tdm_ctx *ctx, const tdm_window *window, const order *in, size_t count) {
    tdm_text amounts = tdm_format_text(ctx, "%" PRId64, in[0].amount);
    for (size_t i = 1; i < count; i++) amounts = tdm_format_text(ctx, "%.*s+%" PRId64, TDM_ARG(amounts), in[i].amount);
    tdm_emit(ctx, bill, .customer = *tdm_key(ctx, tdm_text), .until = window->end, .amounts = amounts);
    return TDM_OK;
}
TDM_WINDOW_PROCESS(to_bill, order, bill);

void side_outputs_case(tdm_job *job) {
    tdm_stream source = tdm_event_time(tdm_source(job, "orders", order, tdm_json(NULL)), TDM_OF(order, at), tdm_monotonic());
    tdm_stream checked = tdm_processed(tdm_key_by(source, TDM_OF(order, customer)), "check", &check);
    tdm_sink(tdm_side_output(checked, &large), "large-out", tdm_json(NULL));
    tdm_windowed windows = tdm_window_by(tdm_key_by(checked, TDM_OF(order, customer)), tdm_tumbling(tdm_seconds(10)));
    tdm_stream bills = tdm_window_process(windows, "bills", to_bill);
    tdm_sink(tdm_late(bills, order), "late-out", tdm_json(NULL));
    tdm_sink(bills, "bills-out", tdm_json(NULL));
}
