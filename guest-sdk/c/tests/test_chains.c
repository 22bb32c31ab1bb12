/* Chains of stateless operators: refusals and what they take back, blocks in pieces, traps; single functions tested alone; texts. */

#include "host.h"

/* ---- Chains. ---- */

/* Emits the text letter by letter; refuses it at a `!`, when some letters have been emitted already. */
static tdm_status letters(tdm_ctx *ctx, const item *in) {
    for (size_t i = 0; i < in->text.len; i++) {
        tdm_emit(ctx, item, .key = in->key, .text = {in->text.ptr + i, 1});
        if (in->text.ptr[i] == '!') return tdm_refuse(ctx, "%.*s is too loud", TDM_ARG(in->text));
    }
    return TDM_OK;
}
TDM_FLAT_MAP(letters, item, item);

static tdm_status not_x(tdm_ctx *ctx, const item *in) {
    if (in->text.ptr[0] == '?') return tdm_refuse(ctx, "a question of %lld", (long long)in->key);
    return tdm_keep_if(in->text.ptr[0] != 'x');
}
TDM_FILTER(not_x, item);

static const tdm_side seen_side = TDM_SIDE("seen", item);

/* Says what it sees on a side output before it refuses digits. */
static tdm_status no_digits(tdm_ctx *ctx, const item *in) {
    tdm_emit_to_ptr(ctx, &seen_side, item, in);
    tdm_emit_ptr(ctx, item, in);
    tdm_log(TDM_DEBUG, "after %.*s", TDM_ARG(in->text));
    if (in->text.ptr[0] >= '0' && in->text.ptr[0] <= '9') return tdm_refuse(ctx, "digit %c", in->text.ptr[0]);
    return TDM_OK;
}
TDM_SPLIT(no_digits, item, item, &seen_side);

static tdm_status chain_job(tdm_job *job) {
    tdm_stream items = tdm_source(job, "items", item, tdm_json(NULL));
    tdm_stream split = tdm_on_errors(tdm_flat_map(items, "letters", letters), TDM_DEAD_LETTER);
    tdm_stream plain = tdm_on_errors(tdm_flat_map(split, "no-digits", no_digits), TDM_SKIP);
    tdm_sink(tdm_on_errors(tdm_filter(plain, "not-x", not_x), TDM_SKIP), "out", tdm_json(NULL));
    tdm_sink(tdm_side_output(plain, &seen_side), "seen", tdm_json(NULL));
    return TDM_OK;
}

static void what_a_refused_record_emitted_is_taken_back_through_the_chain(void) {
    tdm_instance *instance = instance_of(chain_job);
    tdm_link(instance, 0, NUMBERS(1, 2, 3));
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NONE, ITEM(1, "ab"), ITEM(2, "cd!e"), ITEM(3, "xf"));
    TDM_EXPECT_STRING(failures(outcome), "1 by 1: cd!e is too loud");
    TDM_EXPECT_STRING(emitted(3, 0, &item_record), "1,a,@100 1,b,@100 3,f,@102");
    TDM_EXPECT_STRING(emitted(2, 1, &item_record), "1,a,@100 1,b,@100 3,x,@102 3,f,@102");
    tdm_instance_free(instance);
}

static void a_refusal_concerns_only_the_record_that_the_refusing_operator_was_given(void) {
    tdm_instance *instance = instance_of(chain_job);
    tdm_link(instance, 0, NUMBERS(1, 2, 3));
    /* The second of three letters is refused by the middle member, of the next record the first by the last one. */
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NONE, ITEM(1, "a7b"), ITEM(2, "?c"), ITEM(3, "d"));
    TDM_EXPECT_STRING(failures(outcome), "0 by 2: digit 7; 1 by 3: a question of 2");
    TDM_EXPECT_STRING(emitted(3, 0, &item_record), "1,a,@100 1,b,@100 2,c,@101 3,d,@102");
    /* A line that is written after emitting is the emitter's. */
    TDM_EXPECT(strstr(heard, "log 1 operator 2: after a\n") != NULL && !strstr(heard, "operator 3: after"));
    /* What the middle member said of the question stands: it did not refuse it. */
    TDM_EXPECT_STRING(emitted(2, 1, &item_record), "1,a,@100 1,b,@100 2,?,@101 2,c,@101 3,d,@102");
    tdm_instance_free(instance);
}

static void an_operator_that_refuses_takes_failures_behind_it_back(void) {
    tdm_instance *instance = instance_of(chain_job);
    tdm_link(instance, 0, NUMBERS(1, 2, 3));
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NONE, ITEM(1, "7?a!"), ITEM(2, "8"));
    TDM_EXPECT_STRING(failures(outcome), "0 by 1: 7?a! is too loud; 1 by 2: digit 8");
    TDM_EXPECT_STRING(emitted(3, 0, &item_record), "");
    TDM_EXPECT(blocks_len == 0);
    tdm_instance_free(instance);
}

static tdm_status bad_bytes(tdm_ctx *ctx, const item *in, item *out) {
    (void)ctx;
    *out = *in;
    if (in->key == 2) out->text = (tdm_text){"\xC3", 1};
    return TDM_OK;
}
TDM_MAP(bad_bytes, item, item);

static tdm_status silent(tdm_ctx *ctx, const item *in) {
    (void)ctx;
    if (in->key == 2) {
        tdm_log(TDM_INFO, "half of a character: \xC3");
        return tdm_refuse(ctx, "\xFF is none");
    }
    return in->key == 1 ? TDM_REFUSED : in->key == 3 ? TDM_DROP : TDM_OK;
}
TDM_FLAT_MAP(silent, item, item);

static tdm_status bad_job(tdm_job *job) {
    tdm_stream items = tdm_source(job, "items", item, tdm_json(NULL));
    tdm_sink(tdm_on_errors(tdm_map(items, "bad", bad_bytes), TDM_SKIP), "out", tdm_json(NULL));
    tdm_sink(tdm_on_errors(tdm_flat_map(items, "silent", silent), TDM_SKIP), "none", tdm_json(NULL));
    return TDM_OK;
}

static void texts_that_are_none_and_statuses_that_are_none_are_refused(void) {
    tdm_instance *instance = instance_of(bad_job);
    tdm_link(instance, 0, NUMBERS(1));
    const tdm_outcome *outcome = PROCESS(instance, item, NONE, NONE, ITEM(1, "a"), ITEM(2, "b"), ITEM(3, "c"));
    TDM_EXPECT_STRING(failures(outcome), "1 by 1: field \"text\" of what it emits is not UTF-8");
    TDM_EXPECT_STRING(emitted(1, 0, &item_record), "1,a,@100 3,c,@102");
    tdm_link(instance, 0, NUMBERS(3));
    outcome = PROCESS(instance, item, NONE, NONE, ITEM(1, "a"), ITEM(2, "b"), ITEM(3, "c"));
    TDM_EXPECT_STRING(failures(outcome),
        "0 by 3: tests/test_chains.c:94: silent refused without a reason: return tdm_refuse(ctx, ...); 1 by 3: ? is none; 2 by 3: "
        "tests/test_chains.c:94: silent returned 2, which is no status here");
    TDM_EXPECT(strstr(heard, "log 2 operator 3: half of a character: ?\n") != NULL);
    tdm_instance_free(instance);
}

typedef struct {
    tdm_opt_i64 n;
    tdm_opt_text text;
} maybe;
TDM_RECORD(maybe, n, text);

/* Emits what is there before it refuses twos, and what is absent for threes. */
static tdm_status maybe_of(tdm_ctx *ctx, const item *in) {
    if (in->key == 3) tdm_emit(ctx, maybe, .n = {false, 7}, .text = {false, {"junk", 4}});
    else tdm_emit(ctx, maybe, {true, in->key}, {true, in->text});
    if (in->key == 2) return tdm_refuse(ctx, "two");
    return TDM_OK;
}
TDM_FLAT_MAP(maybe_of, item, maybe);

static tdm_status maybe_job(tdm_job *job) {
    tdm_stream items = tdm_source(job, "items", item, tdm_json(NULL));
    tdm_sink(tdm_on_errors(tdm_flat_map(items, "maybe", maybe_of), TDM_SKIP), "out", tdm_json(NULL));
    return TDM_OK;
}

static void absent_values_are_absent_also_where_a_refused_record_had_some(void) {
    tdm_instance *instance = instance_of(maybe_job);
    tdm_link(instance, 0, NUMBERS(1));
    PROCESS(instance, item, NONE, NONE, ITEM(1, "a"), ITEM(2, "b"), ITEM(3, "c"), ITEM(4, "d"));
    static const tdm_column columns[] = {{"n", TDM_I64 + TDM_OPTIONAL}, {"text", TDM_STRING + TDM_OPTIONAL}};
    const tdm_bytes block = {blocks[0].bytes, blocks[0].len};
    TDM_EXPECT(blocks_len == 1 && tdm_block_check(block, columns, 2) == NULL);
    size_t count;
    maybe *out = tdm_block_read(&maybe_record, block, NULL, &count);
    TDM_EXPECT(count == 3 && out[0].n.present && !out[1].n.present && !out[1].text.present && out[2].n.value == 4);
    free(out);
    tdm_instance_free(instance);
}

static tdm_status many(tdm_ctx *ctx, const int64_t *n) {
    for (int64_t i = 0; i < *n; i++) tdm_emit(ctx, int64_t, i);
    return TDM_OK;
}
TDM_FLAT_MAP(many, int64_t, int64_t);

static tdm_status many_job(tdm_job *job) {
    tdm_sink(tdm_flat_map(tdm_source(job, "n", int64_t, tdm_json(NULL)), "many", many), "out", tdm_json(NULL));
    return TDM_OK;
}

static void a_record_that_emits_much_is_handed_on_in_pieces(void) {
    tdm_instance *instance = instance_of(many_job);
    tdm_link(instance, 0, NUMBERS(1));
    PROCESS(instance, int64_t, NONE, NONE, 10000, 600000, 1);
    size_t all = 0;
    for (size_t i = 0; i < blocks_len; i++) {
        uint32_t rows;
        memcpy(&rows, blocks[i].bytes + 8, 4);
        TDM_EXPECT(rows <= 1 << 18);
        all += rows;
    }
    TDM_EXPECT(all == 610001 && blocks_len > 3);
    tdm_instance_free(instance);
}

/* ---- Traps. ---- */

static tdm_status inverse(tdm_ctx *ctx, const int64_t *n, int64_t *out) {
    (void)ctx;
    tdm_assert(*n != 0);
    *out = 100 / *n;
    return TDM_OK;
}
TDM_MAP(inverse, int64_t, int64_t);

static tdm_status plain_copy(tdm_ctx *ctx, const int64_t *n, int64_t *out) {
    tdm_log(TDM_WARN, "%lld is here", (long long)*n);
    return (void)ctx, *out = *n, TDM_OK;
}
TDM_MAP(plain_copy, int64_t, int64_t);

static tdm_status inverse_job(tdm_job *job) {
    tdm_stream n = tdm_map(tdm_source(job, "n", int64_t, tdm_json(NULL)), "same", plain_copy);
    tdm_sink(tdm_map(n, "inverse", inverse), "out", tdm_json(NULL));
    return TDM_OK;
}

static void an_abort_tells_the_host_place_operator_and_record(void) {
    tdm_instance *instance = instance_of(inverse_job);
    tdm_link(instance, 0, NUMBERS(1, 2));
    if (!setjmp(trapped)) {
        PROCESS(instance, int64_t, NONE, NONE, 5, 0, 7);
        TDM_EXPECT(false);
    }
    TDM_EXPECT(strstr(heard, "log 3 operator 1: 5 is here\n") != NULL);
    TDM_EXPECT(strstr(heard, "operator 2 row 1: ") != NULL && strstr(heard, "test_chains.c:") != NULL);
    TDM_EXPECT(strstr(heard, ": *n != 0 does not hold\n") != NULL);
    tdm_instance_free(instance);
}

static void a_wrong_block_is_said_and_traps(void) {
    tdm_instance *instance = instance_of(inverse_job);
    tdm_link(instance, 0, NUMBERS(1));
    if (!setjmp(trapped)) {
        PROCESS(instance, item, NONE, NONE, ITEM(1, "a"), ITEM(2, "b"));
        /* The first column of an item fits; a text does not. */
        PROCESS(instance, tdm_text, NONE, NONE, TDM_TEXT("a"));
        TDM_EXPECT(false);
    }
    TDM_EXPECT(strstr(heard, "the host gave a wrong block: column 0 has type 5, not i64") != NULL);
    tdm_instance_free(instance);
}

static void a_single_function_is_tested_alone(void) {
    tdm_test *test = tdm_test_flat_map(letters);
    tdm_test_give(test, 0, 5, item, 1, TDM_TEXT("ab"));
    tdm_test_give(test, 0, 6, item, 1, TDM_TEXT("c!"));
    size_t count;
    const int64_t *times;
    const item *out = tdm_test_output(test, NULL, "out", item, &count, &times);
    TDM_EXPECT(count == 2 && times[1] == 5);
    if (count == 2) TDM_EXPECT_TEXT(out[1].text, "b");
    TDM_EXPECT_STRING(tdm_test_refused(test), "c! is too loud");
    tdm_test_free(test);
}

static void a_failing_job_is_told_from_one_that_goes_on(void) {
    tdm_test *test = tdm_test_job(inverse_job);
    tdm_test_allow_failure(test);
    tdm_test_push(test, "n", int64_t, 5);
    TDM_EXPECT(tdm_test_failure(test) == NULL);
    tdm_test_push(test, "n", int64_t, 0);
    TDM_EXPECT(tdm_test_failure(test) && strstr(tdm_test_failure(test), "operator \"inverse\" fails at row 0: ") &&
        strstr(tdm_test_failure(test), "test_chains.c:"));
    tdm_test_free(test);
}

/* ---- Texts. ---- */

static void words_and_parts(void) {
    tdm_text rest = TDM_TEXT("  the\ttide \xC2\xA0 t\xC3\xBCrns\n"), word;
    char out[100] = "";
    while (tdm_next_word(&rest, &word)) snprintf(out + strlen(out), sizeof out - strlen(out), "[%.*s]", TDM_ARG(word));
    TDM_EXPECT_STRING(out, "[the][tide][t\xC3\xBCrns]");
    rest = tdm_str(",a,,b");
    out[0] = 0;
    while (tdm_next_part(&rest, ',', &word)) snprintf(out + strlen(out), sizeof out - strlen(out), "[%.*s]", TDM_ARG(word));
    TDM_EXPECT_STRING(out, "[][a][][b]");
    TDM_EXPECT(tdm_compare(tdm_str("ab"), tdm_str("b")) < 0 && tdm_compare(tdm_str("ab"), tdm_str("a")) > 0 &&
        tdm_compare(tdm_str(""), tdm_str("")) == 0);
    TDM_EXPECT(tdm_is_utf8("\xF0\x9F\x8C\x8A tide", 9) && !tdm_is_utf8("\xF4\x90\x80\x80", 4) && !tdm_is_utf8("\xED\xA0\x80", 3) &&
        !tdm_is_utf8("\xC0\x80", 2) && !tdm_is_utf8("abcdefgh\xC3", 9));
}

int main(void) {
    TDM_RUN(what_a_refused_record_emitted_is_taken_back_through_the_chain);
    TDM_RUN(a_refusal_concerns_only_the_record_that_the_refusing_operator_was_given);
    TDM_RUN(an_operator_that_refuses_takes_failures_behind_it_back);
    TDM_RUN(texts_that_are_none_and_statuses_that_are_none_are_refused);
    TDM_RUN(absent_values_are_absent_also_where_a_refused_record_had_some);
    TDM_RUN(a_record_that_emits_much_is_handed_on_in_pieces);
    TDM_RUN(an_abort_tells_the_host_place_operator_and_record);
    TDM_RUN(a_wrong_block_is_said_and_traps);
    TDM_RUN(a_single_function_is_tested_alone);
    TDM_RUN(a_failing_job_is_told_from_one_that_goes_on);
    TDM_RUN(words_and_parts);
    forget();
    return tdm_test_done();
}
