/* Queries of the Nexmark benchmark over an auction house: persons open auctions, others bid. `--arg query=q4` chooses one of q0, q1, q4,
 * q8; README.md of the example says what a line of each result is. A query declares only the fields that it reads, since the host decodes
 * no others. */

#include "tidemill.h"

#include <string.h>

/* Every line is one JSON object; its field `type` says whether it is a person, an auction or a bid. Events come up to four seconds late. */
static tdm_stream events_of(tdm_job *job) {
    tdm_stream events = tdm_tagged_source(job, "events", "type", tdm_json("stdin:"));
    return tdm_event_time_field(events, "dateTime", tdm_out_of_order(tdm_seconds(4)));
}

/* ---- q0, pass through, and q1, currency conversion ---- */

typedef struct {
    int64_t auction, bidder, price, date_time;
    tdm_text extra;
} bid;
TDM_RECORD_OF(bid, TDM_FIELD(bid, auction), TDM_FIELD(bid, bidder), TDM_FIELD(bid, price), TDM_FIELD_AS(bid, date_time, "dateTime"),
    TDM_FIELD(bid, extra));

/* Nothing is computed, so no code of this component runs: the host decodes and writes. */
static void q0(tdm_job *job) { tdm_sink(tdm_variant(events_of(job), "bid", bid), "results", tdm_csv("stdout:")); }

static tdm_status to_euros(tdm_ctx *ctx, const bid *in, bid *out) {
    (void)ctx;
    *out = *in;
    out->price = in->price * 908 / 1000;
    return TDM_OK;
}
TDM_MAP(to_euros, bid, bid);

static void q1(tdm_job *job) {
    tdm_sink(tdm_map(tdm_variant(events_of(job), "bid", bid), "to-euros", to_euros), "results", tdm_csv("stdout:"));
}

/* ---- q4, average price per category ----
 *
 * The winning bid is the highest one between the auction's beginning and its end, both inclusive. It is known when the watermark reaches
 * `expires`. Bids may come before their auction: they are kept until the watermark has passed them, for an auction that comes later than
 * that begins later too. */

typedef struct {
    int64_t id, category, date_time, expires;
} auction;
TDM_RECORD_OF(auction, TDM_FIELD(auction, id), TDM_FIELD(auction, category), TDM_FIELD_AS(auction, date_time, "dateTime"),
    TDM_FIELD(auction, expires));

typedef struct {
    int64_t auction, price, date_time;
} offer;
TDM_RECORD_OF(offer, TDM_FIELD(offer, auction), TDM_FIELD(offer, price), TDM_FIELD_AS(offer, date_time, "dateTime"));

typedef struct {
    int64_t category, price;
} sale;
TDM_RECORD(sale, category, price);

static const tdm_state auction_state = TDM_VALUE("auction", auction);
static const tdm_state best = TDM_VALUE("best", int64_t);
/* Bids that came before their auction. */
static const tdm_state early = TDM_LIST("early", offer);
static const tdm_timer expires = TDM_EVENT_TIMER("expires");
static const tdm_timer forget = TDM_EVENT_TIMER("forget");

static void consider(tdm_ctx *ctx, const auction *of, const offer *in) {
    const int64_t *highest = tdm_get(ctx, &best, int64_t);
    bool in_time = in->date_time >= of->date_time && in->date_time <= of->expires;
    if (in_time && (!highest || in->price > *highest)) tdm_set(ctx, &best, int64_t, in->price);
}

static tdm_status on_auction(tdm_ctx *ctx, const auction *in) {
    size_t count;
    const offer *offers = tdm_items(ctx, &early, offer, &count);
    for (size_t i = 0; i < count; i++) consider(ctx, in, &offers[i]);
    tdm_clear(ctx, &early);
    tdm_timer_add(ctx, &expires, in->expires);
    tdm_set_ptr(ctx, &auction_state, auction, in);
    return TDM_OK;
}
TDM_INPUT(on_auction, auction);

static tdm_status on_offer(tdm_ctx *ctx, const offer *in) {
    const auction *of = tdm_get(ctx, &auction_state, auction);
    if (of) {
        consider(ctx, of, in);
    } else {
        tdm_timer_add(ctx, &forget, in->date_time);
        tdm_push_ptr(ctx, &early, offer, in);
    }
    return TDM_OK;
}
TDM_INPUT(on_offer, offer);

static tdm_status on_timer(tdm_ctx *ctx, const tdm_timer *timer) {
    if (timer == &forget) {
        size_t count, kept = 0;
        offer *offers = tdm_edit_items(ctx, &early, offer, &count);
        for (size_t i = 0; i < count; i++) {
            if (offers[i].date_time > tdm_time(ctx)) offers[kept++] = offers[i];
        }
        tdm_truncate(ctx, &early, kept);
        return TDM_OK;
    }
    const auction *of = tdm_take(ctx, &auction_state, auction);
    const int64_t *price = of ? tdm_take(ctx, &best, int64_t) : NULL;
    if (price) tdm_emit(ctx, sale, .category = of->category, .price = *price);
    return TDM_OK;
}

static const tdm_process winning = {
    .out = &sale_record,
    .inputs = {&on_auction_input, &on_offer_input},
    .state = {&auction_state, &best, &early},
    .timers = {&expires, &forget},
    .on_timer = on_timer,
};

/* f0 and f1 are what the pair of sum and count is called in the state of the job in Rust. */
typedef struct {
    int64_t sum, count;
} prices;
TDM_RECORD_OF(prices, TDM_FIELD_AS(prices, sum, "f0"), TDM_FIELD_AS(prices, count, "f1"));

static void add_price(prices *acc, const sale *in) {
    acc->sum += in->price;
    acc->count++;
}

static void merge_prices(prices *into, const prices *from) {
    into->sum += from->sum;
    into->count += from->count;
}
TDM_AGGREGATOR(adding_prices, sale, prices, add_price, merge_prices);

typedef struct {
    int64_t window_end, category, price, sales;
} average;
TDM_RECORD(average, window_end, category, price, sales);

static tdm_status to_average(tdm_ctx *ctx, const tdm_window *window, const prices *of) {
    tdm_emit(ctx, average, .window_end = window->end, .category = *tdm_key(ctx, int64_t), .price = of->sum / of->count, .sales = of->count);
    return TDM_OK;
}
TDM_FINISH(to_average, prices, average);

static void q4(tdm_job *job) {
    tdm_stream events = events_of(job);
    tdm_keyed auctions = tdm_key_by(tdm_variant(events, "auction", auction), TDM_OF(auction, id));
    tdm_keyed offers = tdm_key_by(tdm_variant(events, "bid", offer), TDM_OF(offer, auction));
    tdm_stream sales = tdm_connected("winning-bid", &winning, auctions, offers);
    tdm_windowed windows = tdm_window_by(tdm_key_by(sales, TDM_OF(sale, category)), tdm_tumbling(tdm_seconds(10)));
    tdm_sink(tdm_aggregate(windows, "average", adding_prices, to_average), "results", tdm_csv("stdout:"));
}

/* ---- q8, monitor new users: persons who opened an auction in the ten seconds in which they came ---- */

typedef struct {
    int64_t id;
    tdm_text name;
} person;
TDM_RECORD(person, id, name);

typedef struct {
    int64_t seller;
} opening;
TDM_RECORD(opening, seller);

/* That a person came, with their name, or that they opened an auction, without. */
typedef struct {
    int64_t person;
    tdm_opt_text name;
} sign;
TDM_RECORD(sign, person, name);

static tdm_status came(tdm_ctx *ctx, const person *in, sign *out) {
    (void)ctx;
    *out = (sign){in->id, {true, in->name}};
    return TDM_OK;
}
TDM_MAP(came, person, sign);

static tdm_status sells(tdm_ctx *ctx, const opening *in, sign *out) {
    (void)ctx;
    out->person = in->seller;
    return TDM_OK;
}
TDM_MAP(sells, opening, sign);

/* What a window knows of a person. */
typedef struct {
    tdm_opt_text name;
    bool sells;
} signs;
TDM_RECORD(signs, name, sells);

static void merge_signs(signs *into, const signs *from) {
    into->sells = into->sells || from->sells;
    if (!into->name.present) into->name = from->name;
}

static void add_sign(signs *acc, const sign *in) {
    const signs one = {in->name, !in->name.present};
    merge_signs(acc, &one);
}
TDM_AGGREGATOR(both, sign, signs, add_sign, merge_signs);

typedef struct {
    int64_t id;
    tdm_text name;
    int64_t window_start;
} new_seller;
TDM_RECORD(new_seller, id, name, window_start);

static tdm_status to_new_seller(tdm_ctx *ctx, const tdm_window *window, const signs *of) {
    if (of->sells && of->name.present)
        tdm_emit(ctx, new_seller, .id = *tdm_key(ctx, int64_t), .name = of->name.value, .window_start = window->start);
    return TDM_OK;
}
TDM_FINISH(to_new_seller, signs, new_seller);

static void q8(tdm_job *job) {
    tdm_stream events = events_of(job);
    tdm_stream persons = tdm_map(tdm_variant(events, "person", person), "came", came);
    tdm_stream openings = tdm_map(tdm_variant(events, "auction", opening), "sells", sells);
    tdm_keyed all = tdm_key_by(tdm_union(job, "signs", persons, openings), TDM_OF(sign, person));
    tdm_stream sellers = tdm_aggregate(tdm_window_by(all, tdm_tumbling(tdm_seconds(10))), "new-sellers", both, to_new_seller);
    tdm_sink(sellers, "results", tdm_csv("stdout:"));
}

static tdm_status nexmark(tdm_job *job) {
    static const struct {
        const char *name;
        void (*build)(tdm_job *job);
    } queries[] = {{"q0", q0}, {"q1", q1}, {"q4", q4}, {"q8", q8}};
    const char *name = tdm_arg_or(job, "query", "q4");
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        if (strcmp(queries[i].name, name) != 0) continue;
        queries[i].build(job);
        return TDM_OK;
    }
    return tdm_job_error(job, "unknown query \"%s\": there are q0, q1, q4, q8", name);
}
TDM_JOB(nexmark);
