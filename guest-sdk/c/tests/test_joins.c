/* Joins, co-groups, and rows whose parts are structs. */

#include "host.h"

typedef struct {
    int64_t id;
    tdm_text item;
    int64_t at;
} order;
TDM_RECORD(order, id, item, at);

typedef struct {
    int64_t order, cents;
    tdm_opt_text note;
    int64_t at;
} payment;
TDM_RECORD(payment, order, cents, note, at);

typedef struct {
    int64_t order;
    tdm_text place;
} parcel;
TDM_RECORD(parcel, order, place);

/* What an optional side gives. */
typedef struct {
    tdm_opt_i64 id;
    tdm_opt_text item;
    tdm_opt_i64 at;
} maybe_order;
typedef struct {
    tdm_opt_i64 order, cents;
    tdm_opt_text note;
    tdm_opt_i64 at;
} maybe_payment;

typedef struct {
    order o;
    payment p;
} inner;
TDM_RECORD_OF(inner, TDM_PART(inner, o, id, item, at), TDM_PART(inner, p, order, cents, note, at));

typedef struct {
    order o;
    maybe_payment p;
} left;
TDM_RECORD_OF(left, TDM_PART(left, o, id, item, at), TDM_PART(left, p, order, cents, note, at));

typedef struct {
    maybe_order o;
    maybe_payment p;
} full;
TDM_RECORD_OF(full, TDM_PART(full, o, id, item, at), TDM_PART(full, p, order, cents, note, at));

typedef struct {
    int64_t start, end;
    order o;
    payment p;
} windowed;
TDM_RECORD_OF(windowed, TDM_FIELD(windowed, start), TDM_FIELD(windowed, end), TDM_PART(windowed, o, id, item, at),
    TDM_PART(windowed, p, order, cents, note, at));

typedef struct {
    order order;
    maybe_payment payment;
    parcel parcel;
} status;
TDM_RECORD_OF(status, TDM_PART(status, order, id, item, at), TDM_PART(status, payment, order, cents, note, at),
    TDM_PART(status, parcel, order, place));

/* Shows a row as `item cents`, `-` for what is absent. */
static tdm_text shown(tdm_ctx *ctx, const tdm_text *item, const int64_t *cents) {
    tdm_text nothing = TDM_TEXT("-"), paid = cents ? tdm_format_text(ctx, "%lld", (long long)*cents) : nothing;
    return tdm_format_text(ctx, "%.*s %.*s", TDM_ARG(item ? *item : nothing), TDM_ARG(paid));
}

static tdm_status show_inner(tdm_ctx *ctx, const inner *in, tdm_text *out) {
    *out = shown(ctx, &in->o.item, &in->p.cents);
    return TDM_OK;
}
TDM_MAP(show_inner, inner, tdm_text);
static tdm_status show_left(tdm_ctx *ctx, const left *in, tdm_text *out) {
    *out = shown(ctx, &in->o.item, in->p.cents.present ? &in->p.cents.value : NULL);
    return TDM_OK;
}
TDM_MAP(show_left, left, tdm_text);
static tdm_status show_full(tdm_ctx *ctx, const full *in, tdm_text *out) {
    *out = shown(ctx, in->o.item.present ? &in->o.item.value : NULL, in->p.cents.present ? &in->p.cents.value : NULL);
    return TDM_OK;
}
TDM_MAP(show_full, full, tdm_text);
static tdm_status show_windowed(tdm_ctx *ctx, const windowed *in, tdm_text *out) {
    tdm_text row = shown(ctx, &in->o.item, &in->p.cents);
    *out = tdm_format_text(ctx, "%.*s %lld-%lld", TDM_ARG(row), (long long)in->start, (long long)in->end);
    return TDM_OK;
}
TDM_MAP(show_windowed, windowed, tdm_text);

static tdm_keyed orders_of(tdm_job *job) {
    tdm_stream orders = tdm_event_time(tdm_source(job, "orders", order, tdm_json(NULL)), TDM_OF(order, at), tdm_monotonic());
    return tdm_key_by(orders, TDM_OF(order, id));
}

static tdm_keyed payments_of(tdm_job *job) {
    tdm_stream payments = tdm_event_time(tdm_source(job, "payments", payment, tdm_json(NULL)), TDM_OF(payment, at), tdm_monotonic());
    return tdm_key_by(payments, TDM_OF(payment, order));
}

/* The lines of a sink so far, one behind the other. */
static const char *lines_of(tdm_test *test, const char *sink) {
    static char out[1024];
    size_t count;
    const char *const *lines = tdm_test_sink_lines(test, sink, &count);
    out[0] = 0;
    for (size_t i = 0; i < count; i++) snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", i ? ", " : "", lines[i]);
    return out;
}

/* ---- Within an interval. ---- */

static tdm_interval some_time(void) {
    tdm_interval within = tdm_within(-5, 10);
    within.upper_exclusive = true;
    return within;
}

static void read_rest(tdm_stream rows) {
    tdm_sink(tdm_unmatched(rows, "o", order), "orders-alone", tdm_csv(NULL));
    tdm_sink(tdm_unmatched(rows, "p", payment), "payments-alone", tdm_csv(NULL));
    tdm_sink(tdm_late_side(rows, "p", payment), "late", tdm_csv(NULL));
}

static tdm_status inner_job(tdm_job *job) {
    tdm_stream rows = tdm_interval_join("near", inner, some_time(), tdm_required("o", orders_of(job)), tdm_required("p", payments_of(job)));
    tdm_sink(tdm_map(rows, "shown", show_inner), "out", tdm_csv(NULL));
    read_rest(rows);
    return TDM_OK;
}

static tdm_status left_job(tdm_job *job) {
    tdm_stream rows = tdm_interval_join("near", left, some_time(), tdm_required("o", orders_of(job)), tdm_optional("p", payments_of(job)));
    tdm_sink(tdm_map(rows, "shown", show_left), "out", tdm_csv(NULL));
    read_rest(rows);
    return TDM_OK;
}

static tdm_status full_job(tdm_job *job) {
    tdm_stream rows = tdm_interval_join("near", full, some_time(), tdm_optional("o", orders_of(job)), tdm_optional("p", payments_of(job)));
    tdm_sink(tdm_map(rows, "shown", show_full), "out", tdm_csv(NULL));
    read_rest(rows);
    return TDM_OK;
}

static tdm_test *pushed(tdm_build job) {
    tdm_test *test = tdm_test_job(job);
    tdm_test_push(test, "orders", order, 1, TDM_TEXT("a"), 100);
    tdm_test_push(test, "orders", order, 2, TDM_TEXT("b"), 200);
    static const int64_t times[] = {94, 95, 109, 110};
    for (size_t i = 0; i < 4; i++) tdm_test_push(test, "payments", payment, .order = 1, .cents = times[i], .at = times[i]);
    tdm_test_push(test, "orders", order, 1, TDM_TEXT("c"), 400);
    tdm_test_push(test, "payments", payment, .order = 2, .cents = 1, .at = 300);
    tdm_test_push(test, "payments", payment, .order = 1, .cents = 7, .at = 250);
    tdm_test_finish(test);
    return test;
}

static void an_interval_join_finds_what_is_near_and_tells_the_rest(void) {
    tdm_test *test = pushed(inner_job);
    TDM_EXPECT_STRING(lines_of(test, "out"), "a 95, a 109");
    TDM_EXPECT_STRING(lines_of(test, "orders-alone"), "2,b,200, 1,c,400");
    TDM_EXPECT_STRING(lines_of(test, "payments-alone"), "1,94,,94, 1,110,,110, 2,1,,300");
    TDM_EXPECT_STRING(lines_of(test, "late"), "1,7,,250");
    tdm_test_free(test);
}

static void an_optional_side_is_absent_where_it_has_nothing(void) {
    tdm_test *test = pushed(left_job);
    TDM_EXPECT_STRING(lines_of(test, "out"), "a 95, a 109, b -, c -");
    TDM_EXPECT_STRING(lines_of(test, "payments-alone"), "1,94,,94, 1,110,,110, 2,1,,300");
    tdm_test_free(test);
    test = pushed(full_job);
    TDM_EXPECT_STRING(lines_of(test, "out"), "a 95, a 109, - 94, - 110, b -, - 1, c -");
    TDM_EXPECT_STRING(lines_of(test, "payments-alone"), "");
    tdm_test_free(test);
}

/* ---- By key, with three sides; rows are records like others. ---- */

static const tdm_state last_row = TDM_VALUE("row", status);

static tdm_text show_status(tdm_ctx *ctx, const status *row) {
    tdm_text paid = shown(ctx, &row->order.item, row->payment.cents.present ? &row->payment.cents.value : NULL);
    tdm_text note = row->payment.note.present ? row->payment.note.value : tdm_str("");
    return tdm_format_text(ctx, "%.*s %.*s %.*s", TDM_ARG(paid), TDM_ARG(note), TDM_ARG(row->parcel.place));
}

static tdm_status on_row(tdm_ctx *ctx, const status *in) {
    const status *before = tdm_get(ctx, &last_row, status);
    tdm_text last = before ? show_status(ctx, before) : tdm_str("none"), now = show_status(ctx, in);
    tdm_emit(ctx, tdm_text, .ptr = tdm_format_text(ctx, "%.*s; %.*s", TDM_ARG(last), TDM_ARG(now)).ptr, .len = last.len + 2 + now.len);
    tdm_set_ptr(ctx, &last_row, status, in);
    return TDM_OK;
}
TDM_INPUT(on_row, status);
static const tdm_process before_now = {.out = &tdm_text_record, .inputs = {&on_row_input}, .state = {&last_row}};

static tdm_status table_job(tdm_job *job) {
    tdm_keyed orders = tdm_key_by(tdm_source(job, "orders", order, tdm_json(NULL)), TDM_OF(order, id));
    tdm_keyed payments = tdm_key_by(tdm_source(job, "payments", payment, tdm_json(NULL)), TDM_OF(payment, order));
    tdm_keyed parcels = tdm_key_by(tdm_source(job, "parcels", parcel, tdm_json(NULL)), TDM_OF(parcel, order));
    tdm_stream rows =
        tdm_keyed_join("table", status, tdm_required("order", orders), tdm_optional("payment", payments), tdm_required("parcel", parcels));
    tdm_sink(tdm_processed(tdm_key_by(rows, TDM_OF(status, order.id)), "before", &before_now), "out", tdm_lines(NULL));
    return TDM_OK;
}

static const char *plan(tdm_build build) {
    static char out[8192];
    static const tdm_host host = {NULL, NULL, NULL, NULL, NULL};
    tdm_text text;
    tdm_instance *instance = tdm_plan(build, NULL, 0, &host, &text);
    snprintf(out, sizeof out, "%.*s", TDM_ARG(text));
    tdm_instance_free(instance);
    return out;
}

static void says(tdm_build build, const char *part) {
    const char *document = plan(build);
    if (!TDM_EXPECT(strstr(document, part) != NULL)) printf("    %s\n    lacks %s\n", document, part);
}

static void a_keyed_join_is_a_table_of_any_number_of_sides(void) {
    tdm_test *test = tdm_test_job(table_job);
    tdm_test_push(test, "orders", order, 1, TDM_TEXT("a"), 0);
    tdm_test_push(test, "parcels", parcel, 1, TDM_TEXT("hall"));
    tdm_test_push(test, "parcels", parcel, 2, TDM_TEXT("roof"));
    tdm_test_restart(test);
    tdm_test_push(test, "payments", payment, 1, 5, {true, TDM_TEXT("cash")}, 0);
    tdm_test_restart(test);
    tdm_test_push(test, "orders", order, 1, TDM_TEXT("b"), 0);
    tdm_test_push(test, "orders", order, 2, TDM_TEXT("c"), 0);
    TDM_EXPECT_STRING(lines_of(test, "out"), "none; a -  hall, a -  hall; a 5 cash hall, a 5 cash hall; b 5 cash hall, none; c -  roof");
    tdm_test_free(test);
    says(table_job,
        "{\"keyed-join\":{\"sides\":[{\"name\":\"order\",\"key\":[\"id\"]},{\"name\":\"payment\",\"key\":[\"order\"],\"required\":false},"
        "{\"name\":\"parcel\",\"key\":[\"order\"]}]}}");
    says(table_job,
        "\"outputs\":[{\"schema\":\"order.id:i64,order.item:string,order.at:i64,payment.order:i64?,payment.cents:i64?,"
        "payment.note:string?,payment.at:i64?,parcel.order:i64,parcel.place:string\"}]");
}

/* ---- As of a time. ---- */

static tdm_status temporal_job(tdm_job *job) {
    tdm_stream rows = tdm_temporal_join("as-of", left, tdm_required("o", orders_of(job)), tdm_optional("p", payments_of(job)));
    tdm_sink(tdm_map(rows, "shown", show_left), "out", tdm_lines(NULL));
    tdm_sink(tdm_late_side(rows, "o", order), "late", tdm_csv(NULL));
    return TDM_OK;
}

static void a_temporal_join_waits_for_the_version_of_its_time(void) {
    tdm_test *test = tdm_test_job(temporal_job);
    tdm_test_push(test, "payments", payment, .order = 1, .cents = 10, .at = 10);
    static const struct {
        tdm_text item;
        int64_t at;
    } orders[] = {{TDM_TEXT("a"), 5}, {TDM_TEXT("b"), 20}, {TDM_TEXT("c"), 30}};
    for (size_t i = 0; i < 3; i++) tdm_test_push(test, "orders", order, 1, orders[i].item, orders[i].at);
    TDM_EXPECT_STRING(lines_of(test, "out"), "a -");
    tdm_test_push(test, "payments", payment, .order = 1, .cents = 25, .at = 25);
    TDM_EXPECT_STRING(lines_of(test, "out"), "b 10");
    tdm_test_push(test, "orders", order, 1, TDM_TEXT("d"), 20);
    TDM_EXPECT_STRING(lines_of(test, "late"), "1,d,20");
    tdm_test_finish(test);
    TDM_EXPECT_STRING(lines_of(test, "out"), "c 25");
    tdm_test_free(test);
}

/* ---- In windows. ---- */

static tdm_status window_job(tdm_job *job) {
    tdm_windows windows = tdm_session(10);
    windows.lateness = 5;
    tdm_stream rows =
        tdm_window_join("together", windowed, windows, tdm_required("o", orders_of(job)), tdm_required("p", payments_of(job)));
    tdm_sink(tdm_map(rows, "shown", show_windowed), "out", tdm_lines(NULL));
    tdm_sink(tdm_unmatched(rows, "o", order), "alone", tdm_csv(NULL));
    return TDM_OK;
}

static void a_window_join_joins_each_with_each(void) {
    tdm_test *test = tdm_test_job(window_job);
    tdm_test_push(test, "orders", order, 1, TDM_TEXT("a"), 100);
    tdm_test_push(test, "orders", order, 2, TDM_TEXT("c"), 100);
    tdm_test_push(test, "orders", order, 1, TDM_TEXT("b"), 108);
    tdm_test_push(test, "payments", payment, .order = 1, .cents = 1, .at = 115);
    tdm_test_push(test, "payments", payment, .order = 1, .cents = 2, .at = 200);
    tdm_test_finish(test);
    TDM_EXPECT_STRING(lines_of(test, "out"), "a 1 100-125, b 1 100-125");
    TDM_EXPECT_STRING(lines_of(test, "alone"), "2,c,100");
    tdm_test_free(test);
    says(window_job,
        "{\"window-join\":{\"sides\":[{\"name\":\"o\",\"key\":[\"id\"]},{\"name\":\"p\",\"key\":[\"order\"]}],\"assigner\":{\"session\":{"
        "\"gap_ms\":10}},\"domain\":\"event\",\"lateness-ms\":5}}");
    says(window_job,
        "\"outputs\":[{\"schema\":\"start:i64,end:i64,o.id:i64,o.item:string,o.at:i64,p.order:i64,p.cents:i64,p.note:string?,"
        "p.at:i64\"},{\"name\":\"unmatched-o\",\"schema\":\"id:i64,item:string,at:i64\"}]");
    says(inner_job, "\"lower-ms\":-5,\"upper-ms\":10,\"upper-exclusive\":true}}");
}

/* ---- Co-groups. ---- */

static tdm_status both(
    tdm_ctx *ctx, const tdm_window *window, const order *orders, size_t orders_len, const payment *payments, size_t payments_len) {
    tdm_text out =
        tdm_format_text(ctx, "%lld %lld-%lld", (long long)*tdm_key(ctx, int64_t), (long long)window->start, (long long)window->end);
    for (size_t i = 0; i < orders_len; i++) out = tdm_format_text(ctx, "%.*s %.*s", TDM_ARG(out), TDM_ARG(orders[i].item));
    for (size_t i = 0; i < payments_len; i++) out = tdm_format_text(ctx, "%.*s %lld", TDM_ARG(out), (long long)payments[i].cents);
    tdm_emit_ptr(ctx, tdm_text, &out);
    return TDM_OK;
}
TDM_CO_GROUP(both, order, payment, tdm_text);

static tdm_status co_group_job(tdm_job *job) {
    tdm_stream results = tdm_co_group(orders_of(job), payments_of(job), "both", tdm_session(10), both);
    tdm_sink(results, "out", tdm_lines(NULL));
    tdm_sink(tdm_late_side(results, "second", payment), "late", tdm_csv(NULL));
    return TDM_OK;
}

static void a_co_group_handles_what_both_streams_have_in_a_window(void) {
    tdm_test *test = tdm_test_job(co_group_job);
    tdm_test_push(test, "orders", order, 1, TDM_TEXT("a"), 100);
    tdm_test_push(test, "orders", order, 2, TDM_TEXT("b"), 101);
    tdm_test_push(test, "payments", payment, .order = 1, .cents = 5, .at = 115);
    tdm_test_push(test, "payments", payment, .order = 2, .cents = 6, .at = 116);
    tdm_test_restart(test);
    tdm_test_push(test, "orders", order, 1, TDM_TEXT("c"), 108);
    tdm_test_push(test, "orders", order, 1, TDM_TEXT("d"), 200);
    tdm_test_push(test, "payments", payment, .order = 1, .cents = 9, .at = 200);
    tdm_test_push(test, "payments", payment, .order = 2, .cents = 7, .at = 100);
    tdm_test_restart(test);
    tdm_test_finish(test);
    TDM_EXPECT_STRING(lines_of(test, "out"), "2 101-111 b, 1 100-125 a c 5, 2 116-126 6, 1 200-210 d 9");
    TDM_EXPECT_STRING(lines_of(test, "late"), "2,7,,100");
    tdm_test_free(test);
    says(co_group_job,
        "{\"co-group\":{\"sides\":[{\"name\":\"first\",\"key\":[\"id\"]},{\"name\":\"second\",\"key\":[\"order\"]}],\"assigner\":{"
        "\"session\":{\"gap_ms\":10}},\"domain\":\"event\",\"lateness-ms\":0,\"state\":[{\"name\":\"first\",\"kind\":\"list\",\"schema\":"
        "\"block:bytes\"},{\"name\":\"second\",\"kind\":\"list\",\"schema\":\"block:bytes\"}]}}");
}

typedef struct {
    int64_t key, start, end;
    int32_t firing;
} fired;
TDM_RECORD(fired, key, start, end, firing);

static void a_co_group_fires_with_the_panes_of_its_window(void) {
    tdm_instance *instance = instance_of(co_group_job);
    tdm_link(instance, 0, NUMBERS(2));
    PROCESS(instance, order, NONE, NUMBERS(0, 1), {1, TDM_TEXT("a"), 1}, {1, TDM_TEXT("b"), 2});
    size_t len;
    const payment payments[] = {{1, 5, {false, {NULL, 0}}, 1}, {1, 6, {false, {NULL, 0}}, 2}};
    uint8_t *bytes = tdm_block_write(&payment_record, payments, NULL, 2, true, &len);
    tdm_process_block(instance, 0, 1, AT, (tdm_bytes){bytes, len}, NUMBERS(0, 0, 1), NUMBERS(1, 2, 2));
    free(bytes);
    const fired windows[] = {{1, 0, 10, 0}, {1, 5, 15, 0}};
    const int64_t times[] = {9, 14};
    bytes = tdm_block_write(&fired_record, windows, times, 2, true, &len);
    for (int i = 0; i < 2; i++) {
        forget();
        tdm_fire_windows(instance, 0, AT, (tdm_bytes){bytes, len}, NUMBERS(0, 3, 4), NUMBERS(0, 1, 2, 2));
        TDM_EXPECT_STRING(emitted(2, 0, &tdm_text_record), "1 0-10 a b 5 5 6,@9 1 5-15 5 6,@14");
    }
    tdm_merge(instance, 2, NUMBERS(0), NUMBERS(2));
    tdm_purge(instance, 2, NUMBERS(1));
    forget();
    tdm_fire_windows(instance, 0, AT, (tdm_bytes){bytes, len}, NUMBERS(0, 3, 4), NUMBERS(0, 1, 2, 2));
    TDM_EXPECT_STRING(emitted(2, 0, &tdm_text_record), "1 0-10 a 5 6,@9");
    free(bytes);
    tdm_instance_free(instance);
    forget();
}

/* ---- What is wrong is said when the job is built. ---- */

static tdm_status other_rows(tdm_job *job) {
    tdm_keyed orders = orders_of(job), payments = payments_of(job);
    tdm_interval_join("a", inner, tdm_within(0, 1), tdm_required("o", orders), tdm_optional("p", payments));
    tdm_keyed_join("b", inner, tdm_required("o", orders), tdm_required("q", payments));
    tdm_keyed_join("c", inner, tdm_required("o", orders), tdm_required("o", payments));
    return TDM_OK;
}

static void half_key(const payment *in, int64_t *key) { *key = in->order / 2; }
TDM_KEY(half_key, payment, int64_t);

static tdm_status other_keys(tdm_job *job) {
    tdm_keyed orders = orders_of(job), payments = payments_of(job);
    tdm_keyed_join("a", inner, tdm_required("o", tdm_key_by(orders.stream, TDM_OF(order, item))), tdm_required("p", payments));
    tdm_keyed_join("b", inner, tdm_required("o", orders), tdm_required("p", tdm_key_by_fn(payments.stream, "half", half_key)));
    return TDM_OK;
}

static tdm_status other_ports(tdm_job *job) {
    tdm_join_side orders = tdm_required("o", orders_of(job)), payments = tdm_required("p", payments_of(job));
    tdm_windows windows = tdm_tumbling(10);
    windows.processing_time = true;
    tdm_stream as_of = tdm_temporal_join("a", inner, orders, payments);
    tdm_unmatched(as_of, "q", order);
    tdm_unmatched(as_of, "o", payment);
    tdm_late_side(as_of, "p", payment);
    tdm_late_side(tdm_keyed_join("b", inner, orders, payments), "o", order);
    tdm_late_side(tdm_window_join("c", windowed, windows, orders, payments), "o", order);
    tdm_unmatched(tdm_co_group(orders.keyed, payments.keyed, "d", tdm_tumbling(10), both), "first", order);
    tdm_late_side(orders.keyed.stream, "o", order);
    return TDM_OK;
}

static void refuses(tdm_build job, const char *part) {
    const char *error = tdm_test_error(job);
    if (!TDM_EXPECT(error && strstr(error, part))) printf("    %s\n    lacks %s\n", error ? error : "nothing", part);
}

static void what_is_wrong_with_a_join_is_said_in_its_words(void) {
    refuses(other_rows, "the reader of \"a\" takes inner (o.id:i64,o.item:string,o.at:i64,p.order:i64,");
    refuses(other_rows, "but \"a\" gives it (o.id:i64,o.item:string,o.at:i64,p.order:i64?,");
    refuses(other_rows, "but \"b\" gives it (o.id:i64,o.item:string,o.at:i64,q.order:i64,");
    refuses(other_rows, "two sides of \"c\" are called \"o\"");
    refuses(other_keys, "sides of \"a\" have keys of the same types, those of \"o\" and \"p\" are not");
    refuses(other_keys, "side \"p\" of \"b\" has a key or a worker that is computed");
    refuses(other_ports, "\"a\" has no side \"q\"");
    refuses(other_ports, "the reader of the unmatched records of \"a\" takes payment");
    refuses(other_ports, "join \"a\" takes versions at any time: none of \"p\" is late");
    refuses(other_ports, "join \"b\" joins whenever a record comes, where nothing is late");
    refuses(other_ports, "\"c\" is in processing time, where nothing is late");
    refuses(other_ports, "co-group \"d\" has all records of its sides");
    refuses(other_ports, "\"orders\" is no join or co-group: it has no side \"o\"");
}

int main(void) {
    TDM_RUN(an_interval_join_finds_what_is_near_and_tells_the_rest);
    TDM_RUN(an_optional_side_is_absent_where_it_has_nothing);
    TDM_RUN(a_keyed_join_is_a_table_of_any_number_of_sides);
    TDM_RUN(a_temporal_join_waits_for_the_version_of_its_time);
    TDM_RUN(a_window_join_joins_each_with_each);
    TDM_RUN(a_co_group_handles_what_both_streams_have_in_a_window);
    TDM_RUN(a_co_group_fires_with_the_panes_of_its_window);
    TDM_RUN(what_is_wrong_with_a_join_is_said_in_its_words);
    return tdm_test_done();
}
