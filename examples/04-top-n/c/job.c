/* The three products that sold most in each minute, as `until,rank,product,amount`. */

#include "tidemill.h"

#include <stdlib.h>
#include <string.h>

/* How many products a minute keeps. */
enum { KEPT = 3 };

typedef struct {
    tdm_text product;
    int64_t amount, at;
} sale;
TDM_RECORD(sale, product, amount, at);

typedef struct {
    int64_t until;
    tdm_text product;
    int64_t amount;
} total;
TDM_RECORD(total, until, product, amount);

typedef struct {
    int64_t until, rank;
    tdm_text product;
    int64_t amount;
} ranked;
TDM_RECORD(ranked, until, rank, product, amount);

static tdm_status to_total(tdm_ctx *ctx, const tdm_window *window, const int64_t *amount) {
    tdm_emit(ctx, total, .until = window->end, .product = *tdm_key(ctx, tdm_text), .amount = *amount);
    return TDM_OK;
}
TDM_FINISH(to_total, int64_t, total);

/* The greatest amount first; a tie is broken by name. */
static int by_amount(const void *a, const void *b) {
    const total *x = *(const total *const *)a, *y = *(const total *const *)b;
    if (x->amount != y->amount) return x->amount < y->amount ? 1 : -1;
    return tdm_compare(x->product, y->product);
}

static tdm_status rank(tdm_ctx *ctx, const tdm_window *window, const total *totals, size_t count) {
    (void)window;
    const total **order = tdm_alloc(ctx, count * sizeof *order);
    for (size_t i = 0; i < count; i++) order[i] = &totals[i];
    qsort(order, count, sizeof *order, by_amount);
    for (size_t i = 0; i < count && i < KEPT; i++) {
        const total *t = order[i];
        tdm_emit(ctx, ranked, .until = t->until, .rank = (int64_t)i + 1, .product = t->product, .amount = t->amount);
    }
    return TDM_OK;
}
TDM_WINDOW_PROCESS(rank, total, ranked);

static tdm_status top_products(tdm_job *job) {
    tdm_stream sales = tdm_source(job, "sales", sale, tdm_json("stdin:"));
    tdm_event_time(sales, TDM_OF(sale, at), tdm_out_of_order(tdm_seconds(5)));
    tdm_windowed of_product = tdm_window_by(tdm_key_by(sales, TDM_OF(sale, product)), tdm_tumbling(tdm_minutes(1)));
    tdm_stream totals = tdm_aggregate(of_product, "total", tdm_summing(TDM_OF(sale, amount)), to_total);
    /* All totals of a minute have its last millisecond as event time, so that they meet in one window again. */
    tdm_windowed of_minute = tdm_window_by(tdm_key_by(totals, TDM_OF(total, until)), tdm_tumbling(tdm_minutes(1)));
    tdm_sink(tdm_window_process(of_minute, "rank", rank), "top", tdm_csv("stdout:"));
    return TDM_OK;
}
TDM_JOB(top_products);
