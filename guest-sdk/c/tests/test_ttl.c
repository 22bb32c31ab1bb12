/* State that lives for a time, beside a model that keeps every write with its time. */

#include "host.h"

enum { LIFE = 10, KEYS = 3, ENTRIES = 3, LIST = 64 };

/* What a record asks for, and a number to do it with. */
typedef struct {
    int64_t key;
    tdm_text what;
    int64_t n;
} command;
TDM_RECORD(command, key, what, n);

/* The four times-to-live: by event time or the clock, renewed by reads as well or not. */
#define PIECES(which, ...) \
    static const tdm_state value##which = TDM_EXPIRING_VALUE("value", int64_t, __VA_ARGS__); \
    static const tdm_state list##which = TDM_EXPIRING_LIST("list", tdm_text, __VA_ARGS__); \
    static const tdm_state map##which = TDM_EXPIRING_MAP("map", int64_t, int64_t, __VA_ARGS__)
PIECES(0, .span = LIFE);
PIECES(1, .span = LIFE, .processing_time = true);
PIECES(2, .span = LIFE, .renewed_by_reads = true);
PIECES(3, .span = LIFE, .processing_time = true, .renewed_by_reads = true);

/* The pieces that the job in hand has. */
static const tdm_state *value, *list, *map;

static tdm_text seen(tdm_ctx *ctx) {
    const int64_t *v = tdm_get(ctx, value, int64_t);
    tdm_text out = tdm_format_text(ctx, "%d %s", v ? (int)*v : 0, v ? "yes" : "no");
    size_t count;
    const tdm_text *items = tdm_items(ctx, list, tdm_text, &count);
    for (size_t i = 0; i < count; i++) out = tdm_format_text(ctx, "%.*s %.*s", TDM_ARG(out), TDM_ARG(items[i]));
    count = tdm_length(ctx, map);
    for (size_t i = 0; i < count; i++) {
        int key = (int)*tdm_entry_key(ctx, map, i, int64_t), n = (int)*tdm_entry_value(ctx, map, i, int64_t);
        out = tdm_format_text(ctx, "%.*s %d=%d", TDM_ARG(out), key, n);
    }
    return out;
}

static tdm_status on_command(tdm_ctx *ctx, const command *in) {
    bool refused = tdm_equal(in->what, tdm_str("refuse"));
    int64_t key = in->n % ENTRIES;
    if (tdm_equal(in->what, tdm_str("set"))) tdm_set(ctx, value, int64_t, in->n);
    if (tdm_equal(in->what, tdm_str("edit")) || refused) *tdm_edit(ctx, value, int64_t) = in->n;
    if (tdm_equal(in->what, tdm_str("push")) || refused)
        tdm_push_ptr(ctx, list, tdm_text, (tdm_text[]){tdm_format_text(ctx, "n%d", (int)in->n)});
    if (tdm_equal(in->what, tdm_str("put"))) tdm_put(ctx, map, int64_t, &key, int64_t, in->n);
    if (tdm_equal(in->what, tdm_str("entry")) || refused) *tdm_edit_entry(ctx, map, int64_t, &key, int64_t) = in->n;
    if (tdm_equal(in->what, tdm_str("clear"))) tdm_clear(ctx, value), tdm_clear(ctx, list), tdm_clear(ctx, map);
    if (tdm_equal(in->what, tdm_str("read"))) tdm_emit_ptr(ctx, tdm_text, (tdm_text[]){seen(ctx)});
    return refused ? tdm_refuse(ctx, "refused") : TDM_OK;
}
TDM_INPUT(on_command, command);

#define PROCESS_OF(which) \
    { \
        .out = &tdm_text_record, \
        .inputs = {&on_command_input}, \
        .state = {&value##which, &list##which, &map##which}, \
    }
static const tdm_process expiring[] = {PROCESS_OF(0), PROCESS_OF(1), PROCESS_OF(2), PROCESS_OF(3)};
static size_t chosen;

static tdm_status expiring_job(tdm_job *job) {
    tdm_keyed commands = tdm_key_by(tdm_source(job, "commands", command, tdm_json(NULL)), TDM_OF(command, key));
    tdm_sink(tdm_on_errors(tdm_processed(commands, "expiring", &expiring[chosen]), TDM_SKIP), "out", tdm_lines(NULL));
    return TDM_OK;
}

static void choose(size_t which) {
    chosen = which;
    value = expiring[which].state[0];
    list = expiring[which].state[1];
    map = expiring[which].state[2];
}

/* ---- The model. ---- */

typedef struct {
    bool is;
    int64_t n, at;
} written;

static struct {
    written value, entries[ENTRIES], list[LIST];
    size_t pushed;
} models[KEYS];
/* How many writes a model holds, which lie one behind the other. */
enum { WRITES = 1 + ENTRIES + LIST };

static void forget_expired(int64_t clock) {
    for (size_t k = 0; k < KEYS; k++) {
        written *all = (written *)(void *)&models[k];
        for (size_t i = 0; i < WRITES; i++) all[i].is = all[i].is && clock < all[i].at + LIFE;
    }
}

static void write_model(written *to, int64_t n, int64_t at) { *to = (written){true, n, to->is && to->at > at ? to->at : at}; }

static void do_in_model(const command *in, int64_t at, bool by_reads) {
    const char *what = in->what.ptr;
    if (strncmp(what, "set", 3) == 0 || strncmp(what, "edit", 4) == 0) write_model(&models[in->key].value, in->n, at);
    if (strncmp(what, "pu", 2) == 0 && what[2] == 't') write_model(&models[in->key].entries[in->n % ENTRIES], in->n, at);
    if (strncmp(what, "entry", 5) == 0) write_model(&models[in->key].entries[in->n % ENTRIES], in->n, at);
    if (strncmp(what, "clear", 5) == 0) memset(&models[in->key], 0, sizeof *models);
    if (strncmp(what, "push", 4) == 0) models[in->key].list[models[in->key].pushed++] = (written){true, in->n, at};
    written *all = (written *)(void *)&models[in->key];
    for (size_t i = 0; by_reads && strncmp(what, "read", 4) == 0 && i < WRITES; i++) {
        if (all[i].is && at > all[i].at) all[i].at = at;
    }
}

static const char *seen_in_model(int64_t key) {
    static char out[1024];
    char *to = out + sprintf(out, "%d %s", models[key].value.is ? (int)models[key].value.n : 0, models[key].value.is ? "yes" : "no");
    for (size_t i = 0; i < LIST; i++) {
        if (models[key].list[i].is) to += sprintf(to, " n%d", (int)models[key].list[i].n);
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        if (models[key].entries[i].is) to += sprintf(to, " %d=%d", (int)i, (int)models[key].entries[i].n);
    }
    return out;
}

/* A small generator of our own, so that a seed means the same everywhere. */
static uint64_t state_of_chance;
static int64_t chance(int64_t below) {
    state_of_chance = state_of_chance * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(state_of_chance >> 33) % below;
}

static void tick(tdm_test *test, int64_t clock) {
    tdm_test_watermark(test, clock);
    tdm_test_set_now(test, clock);
}

static bool compare_with_model(uint64_t seed) {
    static const char *const names[] = {"set", "edit", "push", "put", "entry", "read", "read", "clear"};
    choose(seed % 4);
    state_of_chance = seed;
    memset(models, 0, sizeof models);
    tdm_test *test = tdm_test_operator(expiring_job, "expiring");
    int64_t clock = 100;
    bool same = true;
    tick(test, clock);
    for (size_t step = 0; step < 60 && same; step++) {
        int64_t what = chance(13);
        if (what == 0) tdm_test_restart(test);
        else if (what < 5) clock += chance(7), tick(test, clock);
        else {
            const command in = {chance(KEYS), tdm_str(names[chance(8)]), chance(100)};
            int64_t offset = chance(16) - 8, at = chosen % 2 || offset < 0 ? clock : clock + offset;
            forget_expired(clock);
            size_t count;
            const char *wanted = seen_in_model(in.key);
            tdm_test_give_record(test, 0, clock + offset, NULL, NULL, &command_record, &in);
            const tdm_text *out = tdm_test_output(test, NULL, "out", tdm_text, &count, NULL);
            if (tdm_equal(in.what, tdm_str("read"))) same = TDM_EXPECT(count == 1) && TDM_EXPECT_TEXT(out[0], wanted);
            do_in_model(&in, at, chosen > 1);
        }
    }
    /* Twice the time is enough for everything to be removed, whatever the timers were set for. */
    tick(test, clock + LIFE + 8);
    tick(test, clock + 2 * (LIFE + 8));
    same = TDM_EXPECT_STRING(tdm_test_timers(test, NULL), "") && same;
    tdm_test_free(test);
    return same;
}

static void what_expired_is_never_seen_and_is_removed(void) {
    for (uint64_t seed = 0; seed < 400; seed++) {
        if (compare_with_model(seed)) continue;
        printf("    seed %d\n", (int)seed);
        break;
    }
}

static void what_a_refused_record_wrote_is_not_there(void) {
    choose(1);
    tdm_test *test = tdm_test_job(expiring_job);
    static const char *const names[] = {"set", "push", "put", "refuse", "read"};
    for (int64_t i = 0; i < 5; i++) tdm_test_push(test, "commands", command, 7, tdm_str(names[i]), i);
    TDM_EXPECT_LINES(test, "out", "0 yes n1 2=2\n");
    /* Nor has it written anything anew. */
    tdm_test_set_now(test, LIFE - 1);
    tdm_test_push(test, "commands", command, 7, TDM_TEXT("refuse"), 3);
    tdm_test_set_now(test, LIFE);
    tdm_test_push(test, "commands", command, 7, TDM_TEXT("read"), 0);
    TDM_EXPECT_LINES(test, "out", "0 no\n");
    tdm_test_free(test);
}

static void a_key_that_nobody_comes_back_to_is_let_go(void) {
    choose(0);
    tdm_test *test = tdm_test_operator(expiring_job, "expiring");
    for (int64_t key = 0; key < 3; key++) tdm_test_give(test, 0, 0, command, key, TDM_TEXT("set"), 1);
    tdm_test_watermark(test, LIFE - 1);
    TDM_EXPECT_STRING(tdm_test_timers(test, NULL), "$expire-event@10 $expire-event@10 $expire-event@10");
    tdm_test_watermark(test, LIFE);
    TDM_EXPECT_STRING(tdm_test_timers(test, NULL), "");
    tdm_test_free(test);
}

static void the_plan_says_how_long_state_lives(void) {
    choose(2);
    static const tdm_host host = {NULL, NULL, NULL, NULL, NULL};
    tdm_text text;
    tdm_instance *instance = tdm_plan(expiring_job, NULL, 0, &host, &text);
    static const char wanted[] =
        "{\"process\":{\"keys\":[[\"key\"]],\"state\":["
        "{\"name\":\"value\",\"kind\":\"value\",\"schema\":\"value:i64,$event:i64,$processing:i64\","
        "\"ttl\":{\"ms\":10,\"domain\":\"event\",\"on-read\":true}},"
        "{\"name\":\"list\",\"kind\":\"list\",\"schema\":\"block:bytes\",\"ttl\":{\"ms\":10,\"domain\":\"event\",\"on-read\":true}},"
        "{\"name\":\"map\",\"kind\":\"map\",\"schema\":\"block:bytes\",\"ttl\":{\"ms\":10,\"domain\":\"event\",\"on-read\":true}}],"
        "\"timers\":[{\"name\":\"$expire-event\",\"domain\":\"event\"}]}}";
    const char *from = strstr(text.ptr, "{\"process\":");
    if (TDM_EXPECT(from != NULL)) TDM_EXPECT_TEXT(((tdm_text){from, sizeof wanted - 1}), wanted);
    tdm_instance_free(instance);
}

/* The same without a time-to-live. */
static const tdm_state value_for_ever = TDM_VALUE("value", int64_t), list_for_ever = TDM_LIST("list", tdm_text),
                       map_for_ever = TDM_MAP_STATE("map", int64_t, int64_t);
static const tdm_process for_ever = {
    .out = &tdm_text_record, .inputs = {&on_command_input}, .state = {&list_for_ever, &map_for_ever, &value_for_ever}};
static const tdm_process young = {.out = &tdm_text_record, .inputs = {&on_command_input}, .state = {&list1, &map1, &value_for_ever}};
static const tdm_process *aged;

static tdm_status aged_job(tdm_job *job) {
    tdm_keyed commands = tdm_key_by(tdm_source(job, "commands", command, tdm_json(NULL)), TDM_OF(command, key));
    tdm_sink(tdm_processed(commands, "aged", aged), "out", tdm_lines(NULL));
    return TDM_OK;
}

static const tdm_outcome *give_at(tdm_instance *instance, int64_t now, const char *what) {
    const command in = {1, tdm_str(what), 1};
    const int64_t time = 0;
    tdm_bytes block;
    uint8_t *bytes = tdm_block_write(&command_record, &in, &time, 1, true, &block.len);
    block.ptr = bytes;
    const tdm_outcome *outcome = tdm_process_block(instance, 0, 0, (tdm_moment){INT64_MIN, now}, block, NONE, NUMBERS(0));
    free(bytes);
    return outcome;
}

static void a_time_to_live_that_is_new_begins_when_state_is_used(void) {
    value = &value_for_ever, list = &list_for_ever, map = &map_for_ever, aged = &for_ever;
    tdm_instance *before = instance_of(aged_job);
    tdm_link(before, 0, NUMBERS(1));
    give_at(before, 0, "push");
    give_at(before, 0, "put");
    tdm_bytes saved = tdm_export_state(before, 1, NUMBERS(0));
    list = &list1, map = &map1, aged = &young;
    tdm_instance *after = instance_of(aged_job);
    tdm_link(after, 0, NUMBERS(1));
    TDM_EXPECT(tdm_import_state(after, 1, NUMBERS(0), saved) == NULL);
    give_at(after, 1000, "read");
    give_at(after, 1000 + LIFE - 1, "read");
    give_at(after, 1000 + LIFE, "read");
    TDM_EXPECT_STRING(emitted(1, 0, &tdm_text_record), "0 no n1 1=1,@0 0 no n1 1=1,@0 0 no,@0");
    /* What nobody looks at begins to live when its key is swept first. */
    tdm_drop_state(after, 1, NUMBERS(0));
    TDM_EXPECT(tdm_import_state(after, 1, NUMBERS(0), saved) == NULL);
    forget();
    give_at(after, 2000, "put");
    give_at(after, 2000 + LIFE, "read");
    TDM_EXPECT_STRING(emitted(1, 0, &tdm_text_record), "0 no,@0");
    tdm_instance_free(before);
    tdm_instance_free(after);
}

static const tdm_process lasting = {.out = &tdm_text_record, .inputs = {&on_command_input}, .state = {&value0, &list0, &map0}};

static void a_slot_that_is_another_keys_gets_a_timer_of_its_own(void) {
    choose(0);
    aged = &lasting;
    tdm_instance *instance = instance_of(aged_job);
    tdm_link(instance, 0, NUMBERS(1));
    TDM_EXPECT(give_at(instance, 0, "set")->timers_len == 1);
    TDM_EXPECT(give_at(instance, 0, "set")->timers_len == 0);
    tdm_drop_state(instance, 1, NUMBERS(0));
    const tdm_outcome *outcome = give_at(instance, 0, "set");
    TDM_EXPECT(outcome->timers_len == 1 && outcome->timers[0].time == LIFE && outcome->timers[0].action == TDM_TIMER_REPLACE);
    tdm_instance_free(instance);
}

int main(void) {
    TDM_RUN(what_expired_is_never_seen_and_is_removed);
    TDM_RUN(what_a_refused_record_wrote_is_not_there);
    TDM_RUN(a_key_that_nobody_comes_back_to_is_let_go);
    TDM_RUN(the_plan_says_how_long_state_lives);
    TDM_RUN(a_time_to_live_that_is_new_begins_when_state_is_used);
    TDM_RUN(a_slot_that_is_another_keys_gets_a_timer_of_its_own);
    forget();
    return tdm_test_done();
}
