/* What a job says of itself: the plan document, byte for byte as the SDK for Rust writes it, and what is wrong with a job. */

#include "../tidemill_test.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    tdm_text symbol;
    tdm_opt_text exchange;
    double price;
    int64_t trade_time;
    int32_t shares;
} trade;
TDM_RECORD_OF(trade, TDM_FIELD(trade, symbol), TDM_FIELD(trade, exchange), TDM_FIELD_AS(trade, price, "px"),
    TDM_FIELD_AS(trade, trade_time, "tradeTime"), TDM_FIELD(trade, shares));
#define TRADE "symbol:string,exchange:string?,px:f64,tradeTime:i64,shares:i32"

typedef struct {
    tdm_text f0;
    double f1;
} pair;
TDM_RECORD(pair, f0, f1);

typedef struct {
    tdm_text symbol;
    tdm_opt_text exchange;
} trade_key;
TDM_RECORD(trade_key, symbol, exchange);

/* The plan of a job; the same in every instance. */
static const char *plan(tdm_build build) {
    static char first[20000];
    const tdm_host host = {NULL, NULL, NULL, NULL, NULL};
    tdm_text text;
    tdm_instance *instance = tdm_plan(build, NULL, 0, &host, &text);
    snprintf(first, sizeof first, "%.*s", TDM_ARG(text));
    tdm_instance_free(instance);
    tdm_instance *again = tdm_plan(build, NULL, 0, &host, &text);
    TDM_EXPECT_TEXT(text, first);
    tdm_instance_free(again);
    return first;
}

/* The part of a plan that describes an operator. */
static const char *operator_in(const char *document, const char *name) {
    static char found[4000];
    char begin[200];
    snprintf(begin, sizeof begin, "{\"name\":\"%s\",\"kind\"", name);
    const char *at = strstr(document, begin), *end = at;
    if (!at) return "no such operator";
    int depth = 0;
    do {
        depth += (*end == '{') - (*end == '}');
        end++;
    } while (depth > 0);
    snprintf(found, sizeof found, "%.*s", (int)(end - at), at);
    return found;
}

static tdm_status mean_of(tdm_ctx *ctx, const tdm_window *window, const double *price) {
    (void)window;
    tdm_emit(ctx, pair, .f0 = tdm_key(ctx, trade_key)->symbol, .f1 = *price);
    return TDM_OK;
}
TDM_FINISH(mean_of, double, pair);

static tdm_status averages(tdm_job *job) {
    tdm_job_name(job, "averages");
    tdm_stream trades = tdm_source(job, "trades", trade, tdm_json("stdin:"));
    tdm_event_time(trades, TDM_OF(trade, trade_time), tdm_out_of_order(tdm_seconds(2)));
    tdm_windows windows = tdm_sliding(tdm_minutes(1), tdm_seconds(10));
    windows.offset = -tdm_seconds(5);
    windows.lateness = tdm_seconds(30);
    tdm_keyed keyed = tdm_key_by(trades, TDM_OF(trade, symbol), TDM_OF(trade, exchange));
    tdm_sink(
        tdm_aggregate(tdm_window_by(keyed, windows), "average", tdm_averaging(TDM_OF(trade, price)), mean_of), "averages", tdm_csv(NULL));
    return TDM_OK;
}

static void a_windowed_job_says_what_it_is(void) {
    TDM_EXPECT_STRING(plan(averages),
        "{\"contract\":\"0.2.0\",\"name\":\"averages\",\"operators\":["
        "{\"name\":\"trades\",\"kind\":{\"source\":{\"binding\":\"trades\",\"default\":\"stdin:\",\"format\":\"json\",\"time\":"
        "\"tradeTime\","
        "\"watermarks\":{\"bounded\":{\"ms\":2000}}}},\"outputs\":[{\"schema\":\"" TRADE "\"}]},"
        "{\"name\":\"average\",\"kind\":{\"window\":{\"key\":[\"symbol\",\"exchange\"],\"assigner\":{\"sliding\":{\"size_ms\":60000,"
        "\"slide_ms\":10000,\"offset_ms\":-5000}},"
        "\"domain\":\"event\",\"lateness-ms\":30000,\"compute\":\"guest\",\"state\":[{\"name\":\"acc\",\"kind\":\"accumulator\",\"schema\":"
        "\"f0:f64,f1:i64\"}]}},"
        "\"inputs\":[{\"from\":\"trades\"}],\"outputs\":[{\"schema\":\"f0:string,f1:f64\"}]},"
        "{\"name\":\"averages\",\"kind\":{\"sink\":{\"binding\":\"averages\",\"format\":\"csv\"}},\"inputs\":[{\"from\":\"average\"}]}]}");
}

typedef struct {
    tdm_text symbol;
    int64_t count;
} symbol_count;
TDM_RECORD(symbol_count, symbol, count);

typedef struct {
    tdm_text symbol;
    int64_t shares;
} volume;
TDM_RECORD(volume, symbol, shares);

typedef struct {
    tdm_text symbol;
    int64_t start, end, shares;
} window_volume;
TDM_RECORD(window_volume, symbol, start, end, shares);

typedef struct {
    tdm_text symbol;
    int64_t start, end;
    double price;
} window_price;
TDM_RECORD_OF(window_price, TDM_FIELD(window_price, symbol), TDM_FIELD(window_price, start), TDM_FIELD(window_price, end),
    TDM_FIELD_AS(window_price, price, "px"));

typedef struct {
    int64_t start, end;
    tdm_text symbol;
    tdm_opt_text exchange;
    double price;
    int64_t trade_time;
    int32_t shares;
} window_trade;
TDM_RECORD_OF(window_trade, TDM_FIELD(window_trade, start), TDM_FIELD(window_trade, end), TDM_FIELD(window_trade, symbol),
    TDM_FIELD(window_trade, exchange), TDM_FIELD_AS(window_trade, price, "px"), TDM_FIELD_AS(window_trade, trade_time, "tradeTime"),
    TDM_FIELD(window_trade, shares));

typedef struct {
    int64_t lot;
    bool dear;
} lots;
TDM_RECORD(lots, lot, dear);

typedef struct {
    int64_t lot;
    bool dear;
    int64_t count;
} lots_count;
TDM_RECORD(lots_count, lot, dear, count);

static void lots_of(const trade *in, lots *key) { *key = (lots){in->shares / 100, in->price > 1}; }
TDM_KEY(lots_of, trade, lots);

static tdm_status aggregates(tdm_job *job) {
    tdm_stream trades = tdm_source(job, "trades", trade, tdm_json(NULL));
    tdm_keyed by_symbol = tdm_key_by(trades, TDM_OF(trade, symbol));
    tdm_sink(tdm_count(by_symbol, "n", symbol_count), "a", tdm_csv(NULL));
    tdm_sink(tdm_sum(by_symbol, "volume", TDM_OF(trade, shares), volume), "b", tdm_csv(NULL));
    tdm_sink(tdm_max_by(by_symbol, "greatest", TDM_OF(trade, price)), "c", tdm_csv(NULL));
    tdm_windows second = tdm_tumbling(tdm_seconds(1));
    second.processing_time = true;
    tdm_windowed windows = tdm_window_by(by_symbol, second);
    tdm_sink(tdm_window_sum(windows, "volume-per-second", TDM_OF(trade, shares), window_volume), "d", tdm_csv(NULL));
    tdm_sink(tdm_window_min(windows, "least", TDM_OF(trade, price), window_price), "e", tdm_csv(NULL));
    tdm_sink(tdm_window_max_by(windows, "last", TDM_OF(trade, trade_time), window_trade), "f", tdm_csv(NULL));
    tdm_sink(tdm_count(tdm_key_by_fn(trades, "lots", lots_of), "by-lots", lots_count), "g", tdm_csv(NULL));
    return TDM_OK;
}

static void aggregates_of_the_host_carry_the_names_of_the_job(void) {
    const char *document = plan(aggregates);
    TDM_EXPECT_STRING(operator_in(document, "n"),
        "{\"name\":\"n\",\"kind\":{\"rolling\":{\"key\":[\"symbol\"],\"aggregate\":\"count\"}},\"inputs\":[{\"from\":\"trades\"}],"
        "\"outputs\":[{\"schema\":\"symbol:string,count:i64\"}]}");
    TDM_EXPECT_STRING(operator_in(document, "volume"),
        "{\"name\":\"volume\",\"kind\":{\"rolling\":{\"key\":[\"symbol\"],\"aggregate\":{\"sum\":\"shares\"}}},"
        "\"inputs\":[{\"from\":\"trades\"}],\"outputs\":[{\"schema\":\"symbol:string,shares:i64\"}]}");
    TDM_EXPECT(strstr(operator_in(document, "greatest"), "\"outputs\":[{\"schema\":\"" TRADE "\"}]") != NULL);
    TDM_EXPECT_STRING(operator_in(document, "volume-per-second"),
        "{\"name\":\"volume-per-second\",\"kind\":{\"window\":{\"key\":[\"symbol\"],\"assigner\":{\"tumbling\":{\"size_ms\":1000,\"offset_"
        "ms\":0}},\"domain\":\"processing\","
        "\"lateness-ms\":0,\"compute\":{\"host\":{\"sum\":\"shares\"}}}},\"inputs\":[{\"from\":\"trades\"}],\"outputs\":[{\"schema\":"
        "\"symbol:string,start:i64,end:i64,shares:i64\"}]}");
    TDM_EXPECT(strstr(operator_in(document, "least"), "\"schema\":\"symbol:string,start:i64,end:i64,px:f64\"") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "last"), "\"schema\":\"start:i64,end:i64," TRADE "\"") != NULL);
    TDM_EXPECT_STRING(operator_in(document, "lots"),
        "{\"name\":\"lots\",\"kind\":\"key-by\",\"inputs\":[{\"from\":\"trades\"}],\"outputs\":[{\"schema\":\"" TRADE
        ",$key0:i64,$key1:bool\"}]}");
    TDM_EXPECT_STRING(operator_in(document, "by-lots"),
        "{\"name\":\"by-lots\",\"kind\":{\"rolling\":{\"key\":[\"$key0\",\"$key1\"],\"aggregate\":\"count\"}},"
        "\"inputs\":[{\"from\":\"lots\"}],\"outputs\":[{\"schema\":\"$key0:i64,$key1:bool,count:i64\"}]}");
}

static tdm_status same(tdm_ctx *ctx, const trade *in, trade *out) {
    (void)ctx;
    *out = *in;
    return TDM_OK;
}
TDM_MAP(same, trade, trade);

static tdm_status never(tdm_ctx *ctx, const trade *in, int64_t *out) {
    (void)out;
    return tdm_refuse(ctx, "%.*s", TDM_ARG(in->symbol));
}
TDM_MAP(never, trade, int64_t);

static int64_t shares_of(const trade *in) { return in->shares; }
TDM_NUMBER(shares_of, trade);
static int64_t time_of_pair(const pair *in) { return (int64_t)in->f1; }
TDM_NUMBER(time_of_pair, pair);

static const tdm_side cheap = TDM_SIDE("cheap", trade);

static tdm_status by_price(tdm_ctx *ctx, const trade *in) {
    if (in->price > 9) tdm_emit_ptr(ctx, trade, in);
    else tdm_emit_to_ptr(ctx, &cheap, trade, in);
    return TDM_OK;
}
TDM_SPLIT(by_price, trade, trade, &cheap);

typedef struct {
    int64_t start, end, count;
} window_count;
TDM_RECORD(window_count, start, end, count);

static tdm_status streams(tdm_job *job) {
    tdm_stream events = tdm_tagged_source(job, "events", "type", tdm_json(NULL));
    tdm_event_time_field(events, "at", tdm_monotonic());
    tdm_stream trades = tdm_on_errors(tdm_parallelism(tdm_variant(events, "trade", trade), 3), TDM_SKIP);
    tdm_stream quotes = tdm_variant(events, "quote", pair);
    tdm_sink(tdm_broadcast(tdm_map(tdm_rebalance(trades), "a", same)), "all", tdm_json(NULL));
    tdm_sink(tdm_dead_letters(tdm_map(tdm_partition_by(trades, "b", shares_of), "c", never)), "bad", tdm_json(NULL));
    tdm_stream dear = tdm_flat_map(trades, "d", by_price);
    tdm_sink(tdm_union(job, "e", dear, tdm_side_output(dear, &cheap), trades), "all-again", tdm_json(NULL));
    tdm_stream timed = tdm_assign_event_time(quotes, "f", time_of_pair, tdm_monotonic());
    tdm_stream counts = tdm_window_count(tdm_window_all(timed, tdm_session(7)), "g", window_count);
    tdm_sink(tdm_late(counts, pair), "late", tdm_json(NULL));
    tdm_sink(tdm_global(tdm_map(tdm_shuffle(trades), "h", same)), "once", tdm_json(NULL));
    tdm_sink(tdm_rescale(trades), "near", tdm_json(NULL));
    return TDM_OK;
}

static void ports_partitions_and_policies_are_said(void) {
    const char *document = plan(streams);
    TDM_EXPECT_STRING(operator_in(document, "events"),
        "{\"name\":\"events\",\"kind\":{\"source\":{\"binding\":\"events\",\"format\":\"json\",\"tag\":\"type\",\"time\":\"at\","
        "\"watermarks\":\"monotonic\"}},"
        "\"outputs\":[{\"name\":\"trade\",\"schema\":\"" TRADE
        "\",\"variant\":\"trade\"},{\"name\":\"quote\",\"schema\":\"f0:string,f1:f64\",\"variant\":\"quote\"}],"
        "\"parallelism\":3,\"on-error\":\"skip\"}");
    TDM_EXPECT(
        strstr(operator_in(document, "a"), "\"inputs\":[{\"from\":\"events\",\"port\":\"trade\",\"partition\":\"rebalance\"}]") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "all"), "\"inputs\":[{\"from\":\"a\",\"partition\":\"broadcast\"}]") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "b"), "\"schema\":\"" TRADE ",$partition:i64\"") != NULL);
    TDM_EXPECT_STRING(operator_in(document, "c"),
        "{\"name\":\"c\",\"kind\":\"map\",\"inputs\":[{\"from\":\"b\",\"partition\":{\"custom\":\"$partition\"}}],"
        "\"outputs\":[{\"schema\":\"value:i64\"}],\"on-error\":\"dead-letter\"}");
    TDM_EXPECT(strstr(operator_in(document, "bad"), "\"inputs\":[{\"from\":\"c\",\"port\":\"dead-letter\"}]") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "d"),
                   "\"outputs\":[{\"schema\":\"" TRADE "\"},{\"name\":\"cheap\",\"schema\":\"" TRADE "\"}]") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "e"),
                   "\"inputs\":[{\"from\":\"d\"},{\"from\":\"d\",\"port\":\"cheap\"},{\"from\":\"events\",\"port\":\"trade\"}]") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "f"), "\"kind\":{\"timestamps\":\"monotonic\"}") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "g"), "\"key\":[],\"assigner\":{\"session\":{\"gap_ms\":7}}") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "late"), "\"inputs\":[{\"from\":\"g\",\"port\":\"late\"}]") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "h"), "\"partition\":\"shuffle\"") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "once"), "\"partition\":\"global\"") != NULL);
    TDM_EXPECT(strstr(operator_in(document, "near"), "\"partition\":\"rescale\"") != NULL);
}

typedef struct {
    tdm_text f0;
    int64_t f1;
} entry_key;
TDM_RECORD(entry_key, f0, f1);

static const tdm_state value_piece = TDM_VALUE("v", trade);
static const tdm_state list_piece = TDM_LIST("l", pair);
static const tdm_state map_piece = TDM_MAP_STATE("m", entry_key, bool);
static const tdm_side side_piece = TDM_SIDE("s", int64_t);
static const tdm_timer event_piece = TDM_EVENT_TIMER("e");
static const tdm_timer processing_piece = TDM_PROCESSING_TIMER("q");

static tdm_status nothing(tdm_ctx *ctx, const trade *in) { return (void)ctx, (void)in, TDM_OK; }
TDM_INPUT(nothing, trade);
static tdm_status nothing_at(tdm_ctx *ctx, const tdm_timer *timer) { return (void)ctx, (void)timer, TDM_OK; }

static const tdm_process everything = {
    .out = &int64_t_record,
    .inputs = {&nothing_input},
    .state = {&value_piece, &list_piece, &map_piece},
    .timers = {&event_piece, &processing_piece},
    .sides = {&side_piece},
    .on_timer = nothing_at,
};

static tdm_status declared(tdm_job *job) {
    tdm_stream trades = tdm_source(job, "trades", trade, tdm_json(NULL));
    tdm_stream results = tdm_processed(tdm_key_by(trades, TDM_OF(trade, symbol)), "p", &everything);
    tdm_sink(results, "out", tdm_json(NULL));
    tdm_sink(tdm_side_output(results, &side_piece), "side", tdm_json(NULL));
    return TDM_OK;
}

static void state_timers_and_side_outputs_are_declared(void) {
    TDM_EXPECT_STRING(operator_in(plan(declared), "p"),
        "{\"name\":\"p\",\"kind\":{\"process\":{\"keys\":[[\"symbol\"]],\"state\":[{\"name\":\"v\",\"kind\":\"value\",\"schema\":\"" TRADE
        "\"},"
        "{\"name\":\"l\",\"kind\":\"list\",\"schema\":\"block:bytes\"},{\"name\":\"m\",\"kind\":\"map\",\"schema\":\"block:bytes\"}],"
        "\"timers\":[{\"name\":\"e\",\"domain\":\"event\"},{\"name\":\"q\",\"domain\":\"processing\"}]}},\"inputs\":[{\"from\":\"trades\"}]"
        ","
        "\"outputs\":[{\"schema\":\"value:i64\"},{\"name\":\"s\",\"schema\":\"value:i64\"}]}");
}

static tdm_status twice(tdm_job *job) {
    tdm_stream a = tdm_source(job, "a", trade, tdm_json(NULL));
    tdm_sink(tdm_map(a, "a", same), "b", tdm_json(NULL));
    return TDM_OK;
}

static tdm_status tags(tdm_job *job) {
    tdm_stream a = tdm_source(job, "a", trade, tdm_json(NULL));
    tdm_variant(a, "x", trade);
    tdm_stream b = tdm_tagged_source(job, "b", "t", tdm_json(NULL));
    tdm_variant(b, "v", trade);
    tdm_variant(b, "v", trade);
    return TDM_OK;
}

static tdm_status foreign(tdm_job *job) {
    tdm_stream a = tdm_source(job, "a", pair, tdm_json(NULL));
    tdm_map(a, "m", same);
    tdm_key_by(a, TDM_OF(trade, symbol));
    tdm_event_time(a, TDM_OF(pair, f0), tdm_monotonic());
    tdm_key_by(a, TDM_OF(pair, f1));
    tdm_aggregate(tdm_window_all(a, tdm_tumbling(1)), "mean", tdm_averaging(TDM_OF(pair, f0)), mean_of);
    return TDM_OK;
}

static tdm_status sides(tdm_job *job) {
    static const tdm_side other = TDM_SIDE("s", int32_t), missing = TDM_SIDE("t", int64_t);
    tdm_stream trades = tdm_source(job, "trades", trade, tdm_json(NULL));
    tdm_stream results = tdm_processed(tdm_key_by(trades, TDM_OF(trade, symbol)), "p", &everything);
    tdm_side_output(results, &other);
    tdm_side_output(results, &missing);
    return TDM_OK;
}

static tdm_status late(tdm_job *job) {
    tdm_stream a = tdm_source(job, "a", trade, tdm_json(NULL));
    tdm_windows second = tdm_tumbling(tdm_seconds(1));
    second.processing_time = true;
    tdm_late(tdm_window_count(tdm_window_all(a, second), "n", window_count), trade);
    return TDM_OK;
}

static tdm_status result_of_another_type(tdm_job *job) {
    tdm_stream a = tdm_source(job, "a", trade, tdm_json(NULL));
    tdm_keyed keyed = tdm_key_by(a, TDM_OF(trade, symbol), TDM_OF(trade, exchange));
    tdm_aggregate(tdm_window_by(keyed, tdm_tumbling(1)), "w", tdm_counting(&trade_record), mean_of);
    tdm_count(keyed, "c", symbol_count);
    return TDM_OK;
}

static void expect_error(tdm_build build, const char *words) {
    const char *error = tdm_test_error(build);
    if (!TDM_EXPECT(error && strstr(error, words))) printf("    %s\nhas no\n    %s\n", error ? error : "no error", words);
}

static void what_is_wrong_with_a_job_is_said_in_its_words(void) {
    expect_error(twice, "two operators are called \"a\": names are how state is found, so each is used once");
    expect_error(tags, "\"a\" has no variants: only a tagged source has");
    expect_error(tags, "variant \"v\" is asked for twice");
    expect_error(foreign, "map \"m\" takes trade (" TRADE "), but \"a\" gives it (f0:string,f1:f64)");
    expect_error(foreign, "a key field of \"a\" is a field of trade, but the records are pair");
    expect_error(foreign, "the event time of \"a\" is an int64_t, which pair.f0 is not");
    expect_error(foreign, "\"f1\" of \"a\" cannot be a key: it is a double; round it to an int64_t");
    expect_error(foreign, "window \"mean\" aggregates a field of pair that is no int32_t, int64_t or double");
    expect_error(sides, "side output \"s\" of \"p\" has other records than int32_t");
    expect_error(sides, "operator \"p\" declares no side output \"t\"");
    expect_error(late, "window \"n\" is in processing time, where nothing is late");
    expect_error(result_of_another_type, "window \"w\" finishes double, but its aggregate gives int64_t");
    expect_error(result_of_another_type,
        "the reader of \"c\" takes symbol_count (symbol:string,count:i64), but \"c\" gives it (symbol:string,exchange:string?,count:i64)");
}

static tdm_status with_arguments(tdm_job *job) {
    int64_t n = tdm_arg_i64(job, "n");
    double ratio = tdm_arg_f64_or(job, "ratio", 0.5);
    const char *path = tdm_arg_or(job, "path", "x");
    if (ratio > 1) return tdm_job_error(job, "ratio is at most 1, not %g (n is %d)", ratio, (int)n);
    tdm_sink(tdm_source(job, "lines", tdm_text, tdm_lines(path)), "out", tdm_lines(NULL));
    return TDM_OK;
}

static void arguments_are_asked_for_read_and_otherwise_refused(void) {
    TDM_EXPECT(tdm_test_error(with_arguments, "n", "3") == NULL);
    TDM_EXPECT_STRING(tdm_test_error(with_arguments), "missing argument \"n\": give it as --arg n=VALUE");
    TDM_EXPECT_STRING(tdm_test_error(with_arguments, "n", "3.5"), "argument n=\"3.5\": not a whole number of 64 bits");
    TDM_EXPECT_STRING(
        tdm_test_error(with_arguments, "n", "99999999999999999999"), "argument n=\"99999999999999999999\": not a whole number of 64 bits");
    TDM_EXPECT_STRING(tdm_test_error(with_arguments, "n", "3", "ratio", "half"), "argument ratio=\"half\": not a number");
    TDM_EXPECT_STRING(tdm_test_error(with_arguments, "n", "3", "ratio", "2"), "ratio is at most 1, not 2 (n is 3)");
    TDM_EXPECT_STRING(tdm_test_error(with_arguments, "n", "3", "m", "4"), "unknown argument \"m\": this job takes n, path, ratio");
}

int main(void) {
    TDM_RUN(a_windowed_job_says_what_it_is);
    TDM_RUN(aggregates_of_the_host_carry_the_names_of_the_job);
    TDM_RUN(ports_partitions_and_policies_are_said);
    TDM_RUN(state_timers_and_side_outputs_are_declared);
    TDM_RUN(what_is_wrong_with_a_job_is_said_in_its_words);
    TDM_RUN(arguments_are_asked_for_read_and_otherwise_refused);
    return tdm_test_done();
}
