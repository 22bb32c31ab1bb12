/* State that folds what is added to it, and chaining that a job says. */

#include "host.h"

static void longer(item *so_far, const item *next) {
    if (next->text.len > so_far->text.len) *so_far = *next;
}
TDM_REDUCE(longer, item);

/* The texts that were added, one after the other. */
typedef struct {
    tdm_text all;
    int64_t length;
} pasted;
TDM_RECORD(pasted, all, length);
static void paste(pasted *acc, const item *in) {
    static char all[64];
    snprintf(all, sizeof all, "%.*s%.*s", TDM_ARG(acc->all), TDM_ARG(in->text));
    acc->all = tdm_str(all);
    acc->length += (int64_t)in->text.len;
}
static void paste_both(pasted *into, const pasted *from) { into->length += from->length; }
TDM_AGGREGATOR(pasting, item, pasted, paste, paste_both);

static const tdm_state longest = TDM_VALUE("longest", item), mean = TDM_VALUE("mean", tdm_mean), least = TDM_VALUE("least", int64_t),
                       all = TDM_VALUE("all", pasted);

static tdm_status on_item(tdm_ctx *ctx, const item *in) {
    if (tdm_equal(in->text, tdm_str("clear"))) {
        tdm_clear(ctx, &longest), tdm_clear(ctx, &mean), tdm_clear(ctx, &least), tdm_clear(ctx, &all);
        return TDM_OK;
    }
    if (!tdm_equal(in->text, tdm_str("look"))) {
        tdm_reduce_into_ptr(ctx, &longest, item, longer, in);
        tdm_aggregate_into_ptr(ctx, &mean, tdm_averaging(TDM_OF(item, key)), item, in);
        tdm_aggregate_into(ctx, &least, tdm_least(TDM_OF(item, key)), item, in->key, in->text);
        tdm_aggregate_into_ptr(ctx, &all, pasting, item, in);
    }
    if (tdm_equal(in->text, tdm_str("bad"))) return tdm_refuse(ctx, "bad is refused");
    const item *found = tdm_get(ctx, &longest, item);
    const double *of = tdm_aggregated(ctx, &mean, tdm_averaging(TDM_OF(item, key)), double);
    const int64_t *at_least = tdm_aggregated(ctx, &least, tdm_least(TDM_OF(item, key)), int64_t);
    const pasted *both = tdm_aggregated(ctx, &all, pasting, pasted);
    tdm_text text = TDM_TEXT("nothing");
    if (found && of && at_least && both)
        text = tdm_format_text(
            ctx, "%.*s %d %d %.*s %d", TDM_ARG(found->text), (int)(*of * 100), (int)*at_least, TDM_ARG(both->all), (int)both->length);
    return tdm_emit_ptr(ctx, tdm_text, &text), TDM_OK;
}
TDM_INPUT(on_item, item);
static const tdm_process folding = {.out = &tdm_text_record, .inputs = {&on_item_input}, .state = {&longest, &mean, &least, &all}};

static int64_t one(const item *in) { return in->key / 100; }
static void hundred(const item *in, int64_t *key) { *key = one(in); }
TDM_KEY(hundred, item, int64_t);

static tdm_status folding_job(tdm_job *job) {
    tdm_keyed items = tdm_key_by_fn(tdm_source(job, "items", item, tdm_json(NULL)), "hundred", hundred);
    tdm_sink(tdm_on_errors(tdm_processed(items, "folding", &folding), TDM_SKIP), "out", tdm_lines(NULL));
    return TDM_OK;
}

static void state_folds_what_is_added_to_it(void) {
    static const item items[] = {ITEM(1, "look"), ITEM(3, "ab"), ITEM(2, "abc"), ITEM(5, "bad"), ITEM(7, "c"), ITEM(101, "other"),
        ITEM(1, "clear"), ITEM(1, "look"), ITEM(9, "z")};
    tdm_test *test = tdm_test_job(folding_job);
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        tdm_test_push_record(test, "items", "out", &item_record, &items[i]);
        tdm_test_restart(test);
    }
    TDM_EXPECT_LINES(
        test, "out", "nothing\nab 300 3 ab 2\nabc 250 2 ababc 5\nabc 400 2 ababcc 6\nother 10100 101 other 5\nnothing\nz 900 9 z 1\n");
    TDM_EXPECT_STRING(tdm_test_refused(test), "bad is refused");
    tdm_test_free(test);
}

static tdm_status same(tdm_ctx *ctx, const item *in, item *out) {
    (void)ctx;
    *out = *in;
    return TDM_OK;
}
TDM_MAP(same, item, item);

static tdm_status chained_job(tdm_job *job) {
    tdm_stream items = tdm_source(job, "items", item, tdm_json(NULL)), fused = tdm_map(items, "fused", same);
    tdm_stream first = tdm_start_new_chain(tdm_map(fused, "first", same));
    tdm_stream alone = tdm_disable_chaining(tdm_map(first, "alone", same));
    tdm_sink(tdm_map(alone, "last", same), "out", tdm_csv(NULL));
    return TDM_OK;
}

static void the_plan_says_how_operators_are_chained(void) {
    static const tdm_host host = {NULL, NULL, NULL, NULL, NULL};
    tdm_text text;
    tdm_instance *instance = tdm_plan(chained_job, NULL, 0, &host, &text);
    static const char *const wanted[] = {"", "", "start", "never", "", ""};
    tdm_json_value *plan = tdm_json_read(text);
    size_t i = 0;
    for (const tdm_json_value *o = tdm_json_get(plan, "operators")->first; o; o = o->next, i++) {
        const tdm_json_value *chaining = tdm_json_get(o, "chaining");
        TDM_EXPECT_TEXT(chaining ? chaining->text : tdm_str(""), wanted[i]);
    }
    TDM_EXPECT(i == 6);
    tdm_json_free(plan);
    tdm_instance_free(instance);
    tdm_test *test = tdm_test_job(chained_job);
    tdm_test_push(test, "items", item, 1, TDM_TEXT("a"));
    TDM_EXPECT_LINES(test, "out", "1,a\n");
    tdm_test_free(test);
}

int main(void) {
    TDM_RUN(state_folds_what_is_added_to_it);
    TDM_RUN(the_plan_says_how_operators_are_chained);
    return tdm_test_done();
}
