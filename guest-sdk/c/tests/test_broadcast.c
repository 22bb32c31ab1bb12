/* Broadcast state, beside records with a key and without. */

#include "host.h"

typedef struct {
    tdm_text name;
    int64_t least;
} rule;
TDM_RECORD(rule, name, least);

typedef struct {
    tdm_text account;
    int64_t n;
} amount;
TDM_RECORD(amount, account, n);

static const tdm_state seen = TDM_LIST("seen", int64_t);
static const tdm_timer wake = TDM_EVENT_TIMER("t");
static const tdm_state rules = TDM_MAP_STATE("rules", tdm_text, int64_t);
static const tdm_state count = TDM_VALUE("count", int64_t);
static const tdm_side told = TDM_SIDE("side", tdm_text);

static void say(tdm_ctx *ctx, tdm_text text) { tdm_emit_ptr(ctx, tdm_text, &text); }

static tdm_status on_amount(tdm_ctx *ctx, const amount *in) {
    tdm_push(ctx, &seen, int64_t, in->n);
    tdm_timer_replace(ctx, &wake, 100);
    size_t length = tdm_length(ctx, &rules);
    for (size_t i = 0; i < length; i++) {
        if (in->n < *tdm_entry_value(ctx, &rules, i, int64_t)) continue;
        const tdm_text *name = tdm_entry_key(ctx, &rules, i, tdm_text);
        say(ctx, tdm_format_text(ctx, "%.*s %lld %.*s", TDM_ARG(in->account), (long long)in->n, TDM_ARG(*name)));
    }
    return in->n < 0 ? tdm_refuse(ctx, "below zero") : TDM_OK;
}
TDM_INPUT(on_amount, amount);

static tdm_status on_rule(tdm_ctx *ctx, const rule *in) {
    tdm_put(ctx, &rules, tdm_text, &in->name, int64_t, in->least);
    ++*tdm_edit(ctx, &count, int64_t);
    tdm_emit_to_ptr(ctx, &told, tdm_text, &in->name);
    say(ctx, tdm_format_text(ctx, "rule %.*s at %lld", TDM_ARG(in->name), (long long)tdm_time(ctx)));
    if (!in->name.len) return tdm_refuse(ctx, "a rule has a name");
    if (tdm_equal(in->name, tdm_str("none"))) {
        tdm_clear(ctx, &rules);
        tdm_clear(ctx, &count);
    }
    return TDM_OK;
}
TDM_INPUT(on_rule, rule);

static tdm_status on_key(tdm_ctx *ctx, const rule *in) {
    const int64_t *least = tdm_lookup(ctx, &rules, tdm_text, &in->name, int64_t);
    size_t length;
    const int64_t *numbers_seen = tdm_items(ctx, &seen, int64_t, &length);
    for (size_t i = 0; least && i < length; i++) {
        if (numbers_seen[i] < *least) continue;
        say(ctx, tdm_format_text(ctx, "%.*s %lld %.*s", TDM_ARG(*tdm_key(ctx, tdm_text)), (long long)numbers_seen[i], TDM_ARG(in->name)));
    }
    if (in->least != 13) return TDM_OK;
    tdm_clear(ctx, &seen);
    return tdm_refuse(ctx, "no luck for %.*s", TDM_ARG(*tdm_key(ctx, tdm_text)));
}
TDM_INPUT(on_key, rule);

static tdm_status on_wake(tdm_ctx *ctx, const tdm_timer *timer) {
    (void)timer;
    const int64_t *known = tdm_get(ctx, &count, int64_t);
    say(ctx,
        tdm_format_text(ctx, "%.*s has %zu under %lld of %zu", TDM_ARG(*tdm_key(ctx, tdm_text)), tdm_length(ctx, &seen),
            (long long)(known ? *known : 0), tdm_length(ctx, &rules)));
    return TDM_OK;
}

static const tdm_process match = {
    .out = &tdm_text_record,
    .inputs = {&on_amount_input},
    .state = {&seen},
    .timers = {&wake},
    .sides = {&told},
    .on_timer = on_wake,
    .broadcast = &on_rule_input,
    .shared = {&rules, &count},
    .on_key = &on_key_input,
};

static tdm_status rules_job(tdm_job *job) {
    tdm_keyed amounts = tdm_key_by(tdm_source(job, "amounts", amount, tdm_json(NULL)), TDM_OF(amount, account));
    tdm_stream out = tdm_connected_broadcast(amounts, tdm_source(job, "rules", rule, tdm_json(NULL)), "match", &match);
    tdm_sink(tdm_on_errors(out, TDM_SKIP), "out", tdm_lines(NULL));
    tdm_sink(tdm_side_output(out, &told), "side", tdm_lines(NULL));
    return TDM_OK;
}

static const char *out_of(tdm_test *test, const char *port) {
    static char all[1024];
    size_t length;
    const tdm_text *texts = tdm_test_output(test, NULL, port, tdm_text, &length, NULL);
    all[0] = 0;
    for (size_t i = 0; i < length; i++) snprintf(all + strlen(all), sizeof all - strlen(all), "%s%.*s", i ? ", " : "", TDM_ARG(texts[i]));
    return all;
}

static void a_rule_finds_what_came_before_it_and_behind_it(void) {
    tdm_test *test = tdm_test_operator(rules_job, "match");
    tdm_test_give(test, 0, 1, amount, TDM_TEXT("ann"), 5);
    tdm_test_give(test, 0, 2, amount, TDM_TEXT("bob"), 20);
    tdm_test_give(test, 1, 3, rule, TDM_TEXT("some"), 5);
    TDM_EXPECT_STRING(out_of(test, "out"), "rule some at 3, ann 5 some, bob 20 some");
    tdm_test_restart(test);
    tdm_test_give(test, 1, 4, rule, TDM_TEXT("many"), 10);
    tdm_test_give(test, 0, 5, amount, TDM_TEXT("ann"), 30);
    tdm_test_restart(test);
    TDM_EXPECT_STRING(out_of(test, "out"), "rule many at 4, bob 20 many, ann 30 many, ann 30 some");
    TDM_EXPECT_STRING(out_of(test, "side"), "some, many");
    tdm_test_watermark(test, 100);
    TDM_EXPECT_STRING(out_of(test, "out"), "ann has 2 under 2 of 2, bob has 1 under 2 of 2");
    tdm_test_free(test);
}

static void a_refused_record_leaves_what_is_shared_as_it_was(void) {
    tdm_test *test = tdm_test_operator(rules_job, "match");
    tdm_test_give(test, 0, 1, amount, TDM_TEXT("ann"), 15);
    tdm_test_give(test, 1, 2, rule, TDM_TEXT("some"), 20);
    out_of(test, "out");
    tdm_test_give(test, 1, 3, rule, TDM_TEXT(""), 0);
    tdm_test_give(test, 0, 4, amount, TDM_TEXT("ann"), -1);
    TDM_EXPECT_STRING(out_of(test, "out"), "");
    tdm_test_give(test, 1, 5, rule, TDM_TEXT("luck"), 13);
    TDM_EXPECT_STRING(out_of(test, "out"), "rule luck at 5");
    TDM_EXPECT_STRING(tdm_test_refused(test), "a rule has a name\nbelow zero\nno luck for ann");
    tdm_test_watermark(test, 100);
    TDM_EXPECT_STRING(out_of(test, "out"), "ann has 1 under 2 of 2");
    tdm_test_give(test, 1, 101, rule, TDM_TEXT("none"), 99);
    tdm_test_give(test, 0, 102, amount, TDM_TEXT("ann"), 15);
    tdm_test_watermark(test, 200);
    TDM_EXPECT_STRING(out_of(test, "out"), "rule none at 101, ann has 2 under 0 of 0");
    tdm_test_free(test);
}

static const tdm_outcome *broadcast(tdm_instance *instance, const rule *records, size_t length, tdm_numbers slots) {
    tdm_bytes block = {NULL, 0};
    uint8_t *bytes = tdm_block_write(&rule_record, records, NULL, length, true, &block.len);
    block.ptr = bytes;
    const tdm_outcome *outcome = tdm_process_block(instance, 0, 1, AT, block, NONE, slots);
    free(bytes);
    return outcome;
}

/* What the host is told of slots: the shared one only where a broadcast record may change it. */
static void slots_of_a_call_are_told(void) {
    tdm_instance *instance = instance_of(rules_job);
    tdm_link(instance, 0, NUMBERS(2));
    const rule none[] = {{TDM_TEXT("none"), 1}}, two[] = {{TDM_TEXT("a"), 1}, {TDM_TEXT(""), 1}}, luck[] = {{TDM_TEXT("a"), 13}};
    const tdm_outcome *outcome = broadcast(instance, none, 1, NUMBERS(7));
    TDM_EXPECT_STRING(numbers(outcome->cleared, outcome->cleared_len), "7");
    outcome = broadcast(instance, two, 2, NUMBERS(7));
    TDM_EXPECT(outcome->cleared_len == 0 && outcome->unchanged_len == 0);
    TDM_EXPECT_STRING(failures(outcome), "1 by 2: a rule has a name");
    outcome = PROCESS(instance, amount, NONE, NUMBERS(3, 7), {TDM_TEXT("ann"), 1});
    TDM_EXPECT(outcome->cleared_len == 0 && outcome->unchanged_len == 0);
    const tdm_text keys[] = {TDM_TEXT("ann"), TDM_TEXT("bob")};
    tdm_bytes block = {NULL, 0}, named = {NULL, 0};
    uint8_t *bytes = tdm_block_write(&rule_record, luck, NULL, 1, true, &block.len),
            *key_bytes = tdm_block_write(&tdm_text_record, keys, NULL, 2, true, &named.len);
    block.ptr = bytes;
    named.ptr = key_bytes;
    outcome = tdm_apply(instance, 0, 1, AT, block, named, NUMBERS(3, 4, 7));
    free(bytes);
    free(key_bytes);
    TDM_EXPECT_STRING(failures(outcome), "0 by 2: no luck for ann; 0 by 2: no luck for bob");
    TDM_EXPECT_STRING(numbers(outcome->unchanged, outcome->unchanged_len), "3");
    TDM_EXPECT_STRING(numbers(outcome->cleared, outcome->cleared_len), "4");
    tdm_instance_free(instance);
    forget();
}

/* ---- Without a key. ---- */

static const tdm_state limit = TDM_VALUE("limit", int64_t);

static tdm_status below(tdm_ctx *ctx, const int64_t *n) {
    const int64_t *most = tdm_get(ctx, &limit, int64_t);
    if (!most || *n <= *most) tdm_emit(ctx, int64_t, *n);
    return TDM_OK;
}
TDM_INPUT(below, int64_t);
static tdm_status on_limit(tdm_ctx *ctx, const int32_t *most) {
    tdm_set(ctx, &limit, int64_t, *most);
    return TDM_OK;
}
TDM_INPUT(on_limit, int32_t);
static const tdm_process limited = {.out = &int64_t_record, .inputs = {&below_input}, .broadcast = &on_limit_input, .shared = {&limit}};

static tdm_status limits_job(tdm_job *job) {
    tdm_stream out = tdm_connected_broadcast_all(
        tdm_source(job, "numbers", int64_t, tdm_json(NULL)), tdm_source(job, "limits", int32_t, tdm_json(NULL)), "limited", &limited);
    tdm_sink(out, "out", tdm_csv(NULL));
    return TDM_OK;
}

static void a_stream_without_a_key_sees_what_is_shared(void) {
    tdm_test *test = tdm_test_job(limits_job);
    tdm_test_push(test, "numbers", int64_t, 7);
    tdm_test_push(test, "limits", int32_t, 5);
    tdm_test_restart(test);
    tdm_test_push(test, "numbers", int64_t, 6);
    tdm_test_push(test, "numbers", int64_t, 5);
    size_t length;
    const int64_t *out = tdm_test_sink(test, "out", int64_t, &length);
    TDM_EXPECT(length == 2 && out[0] == 7 && out[1] == 5);
    tdm_test_free(test);
    tdm_instance *instance = instance_of(limits_job);
    tdm_link(instance, 0, NUMBERS(2));
    const tdm_outcome *outcome = PROCESS(instance, int64_t, NONE, NUMBERS(0), 1, 2);
    TDM_EXPECT(outcome->cleared_len == 0 && outcome->unchanged_len == 0);
    tdm_instance_free(instance);
    forget();
}

static void what_is_shared_is_said_in_the_plan(void) {
    static const tdm_host host = {NULL, NULL, NULL, NULL, NULL};
    static const struct {
        tdm_build job;
        const char *part;
    } expected[] = {
        {limits_job,
            "{\"process\":{\"keys\":[[]],\"broadcast\":{\"apply\":false,\"state\":[{\"name\":\"limit\",\"kind\":\"value\",\"schema\":"
            "\"value:i64\"}]}}},\"inputs\":[{\"from\":\"numbers\"},{\"from\":\"limits\",\"partition\":\"broadcast\"}]"},
        {rules_job,
            "{\"process\":{\"keys\":[[\"account\"]],\"state\":[{\"name\":\"seen\",\"kind\":\"list\",\"schema\":\"block:bytes\"}],"
            "\"broadcast\":{\"apply\":true,\"state\":[{\"name\":\"rules\",\"kind\":\"map\",\"schema\":\"block:bytes\"},{\"name\":\"count\","
            "\"kind\":\"value\",\"schema\":\"value:i64\"}]},\"timers\":[{\"name\":\"t\",\"domain\":\"event\"}]}}"},
    };
    for (size_t i = 0; i < 2; i++) {
        tdm_text text;
        tdm_instance *instance = tdm_plan(expected[i].job, NULL, 0, &host, &text);
        char *document = calloc(text.len + 1, 1);
        memcpy(document, text.ptr, text.len);
        if (!TDM_EXPECT(strstr(document, expected[i].part) != NULL)) printf("    %s\n", document);
        free(document);
        tdm_instance_free(instance);
    }
}

/* ---- What is not to be done. ---- */

static tdm_status stray_record(tdm_ctx *ctx, const amount *in) {
    tdm_set(ctx, &limit, int64_t, in->n);
    return TDM_OK;
}
TDM_INPUT(stray_record, amount);
static tdm_status stray_list(tdm_ctx *ctx, const amount *in) {
    static const tdm_state list = TDM_LIST("list", int64_t);
    tdm_push(ctx, &list, int64_t, in->n);
    return TDM_OK;
}
TDM_INPUT(stray_list, amount);
static tdm_status stray_limit(tdm_ctx *ctx, const int32_t *most) {
    if (*most == 0) tdm_timer_clear(ctx, &wake);
    if (*most == 1) tdm_key(ctx, tdm_text);
    tdm_push(ctx, &seen, int64_t, *most);
    return TDM_OK;
}
TDM_INPUT(stray_limit, int32_t);
static const tdm_state shared_list = TDM_LIST("list", int64_t);
static tdm_status no_timer(tdm_ctx *ctx, const tdm_timer *timer) { return (void)ctx, (void)timer, TDM_OK; }

static const tdm_process stray = {.out = &int64_t_record,
    .inputs = {&stray_record_input},
    .state = {&seen},
    .timers = {&wake},
    .on_timer = no_timer,
    .broadcast = &stray_limit_input,
    .shared = {&limit}};
static const tdm_process stray_pushing = {
    .out = &int64_t_record, .inputs = {&stray_list_input}, .broadcast = &stray_limit_input, .shared = {&shared_list}};

static tdm_status stray_job(tdm_job *job) {
    tdm_keyed amounts = tdm_key_by(tdm_source(job, "amounts", amount, tdm_json(NULL)), TDM_OF(amount, account));
    tdm_stream limits = tdm_source(job, "limits", int32_t, tdm_json(NULL));
    tdm_sink(tdm_connected_broadcast(amounts, limits, "p", &stray), "out", tdm_csv(NULL));
    tdm_sink(tdm_connected_broadcast(amounts, limits, "q", &stray_pushing), "out-q", tdm_csv(NULL));
    return TDM_OK;
}

static void ends(const char *name, bool is_limit, int32_t most, const char *part) {
    tdm_test *test = tdm_test_operator(stray_job, name);
    tdm_test_allow_failure(test);
    if (is_limit) tdm_test_give(test, 1, 0, int32_t, most);
    else tdm_test_give(test, 0, 0, amount, TDM_TEXT("ann"), 1);
    const char *failure = tdm_test_failure(test);
    if (!TDM_EXPECT(failure && strstr(failure, part))) printf("    %s\n", failure ? failure : "nothing");
    tdm_test_free(test);
}

static void only_a_broadcast_record_changes_what_is_shared_and_nothing_else(void) {
    ends("p", false, 0, "broadcast state \"limit\" is changed by .broadcast only");
    ends("q", false, 0, "broadcast state \"list\" is changed by .broadcast only");
    ends("p", true, 0, "timer \"t\" belongs to a key, which a broadcast record has not");
    ends("p", true, 1, "operator \"p\" has no key");
    ends("p", true, 2, "state \"seen\" belongs to a key, which a broadcast record has not");
}

static const tdm_process wanting = {.out = &int64_t_record, .inputs = {&below_input}, .state = {&seen}, .broadcast = &on_limit_input};
static const tdm_process plain = {.out = &int64_t_record, .inputs = {&below_input}};

static tdm_status wrong_job(tdm_job *job) {
    tdm_stream all = tdm_source(job, "numbers", int64_t, tdm_json(NULL)), limits = tdm_source(job, "limits", int32_t, tdm_json(NULL));
    tdm_connected_broadcast_all(all, limits, "a", &wanting);
    tdm_processed(tdm_key_by(all, (tdm_field_of){&int64_t_record, 0}), "b", &limited);
    tdm_connected_broadcast_all(all, limits, "c", &plain);
    tdm_connected_broadcast_all(all, all, "d", &limited);
    return TDM_OK;
}

static void what_is_wrong_with_broadcast_state_is_said_in_its_words(void) {
    static const char *const parts[] = {
        "process \"a\" has records without a key, so it has no .state, .timers and .on_key",
        "process \"b\" has .broadcast or .shared, but is given no broadcast stream",
        "process \"c\" is given a broadcast stream, but has no .broadcast",
        "process \"d\" takes int32_t (value:i32), but \"numbers\" gives it (value:i64)",
    };
    for (size_t i = 0; i < 4; i++) {
        const char *error = tdm_test_error(wrong_job);
        if (!TDM_EXPECT(error && strstr(error, parts[i]))) printf("    %s\n    lacks %s\n", error ? error : "nothing", parts[i]);
    }
}

int main(void) {
    TDM_RUN(a_rule_finds_what_came_before_it_and_behind_it);
    TDM_RUN(a_refused_record_leaves_what_is_shared_as_it_was);
    TDM_RUN(slots_of_a_call_are_told);
    TDM_RUN(a_stream_without_a_key_sees_what_is_shared);
    TDM_RUN(what_is_shared_is_said_in_the_plan);
    TDM_RUN(only_a_broadcast_record_changes_what_is_shared_and_nothing_else);
    TDM_RUN(what_is_wrong_with_broadcast_state_is_said_in_its_words);
    return tdm_test_done();
}
