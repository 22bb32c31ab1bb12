/* Tidemill for C: streaming jobs as WebAssembly components. SPDX-License-Identifier: Apache-2.0
 *
 * One header and one source file. A job is a function that connects sources, operators and sinks; functions over records
 * work on plain structs. README.md shows a whole job; the sections here are
 *
 *   1 values and records       what a record may hold, and how a struct becomes one
 *   2 functions                map, filter, flat_map, keys: typed functions made known to the runtime
 *   3 state and timers         what a process function declares
 *   4 windows and aggregates
 *   5 building a job           sources, streams, sinks, arguments
 *   6 inside of functions      emitting, refusing, state, timers, memory, log
 *   7 the runtime              what the component's exports and the test kit call
 *
 * Memory: every view (tdm_text, tdm_bytes, pointers that the functions of section 6 give) is lent until the function that
 * got it returns. Whatever is emitted or put into state is copied, so a view may be given to both as it is.
 */
#ifndef TIDEMILL_H
#define TIDEMILL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#error "tidemill.h is for C11: its records are described by _Generic and compound literals"
#endif

/* The version of this SDK and of the contract that it speaks. */
#define TDM_VERSION "0.1.0"
#define TDM_CONTRACT "0.2.0"

#define TDM_UNUSED_ __attribute__((unused))
#define TDM_PRINTF_(words, first) __attribute__((format(printf, words, first)))

/* ==== 1 values and records ==================================================================================== */

/* UTF-8 text, not ended by a zero. */
typedef struct tdm_text {
    const char *ptr;
    size_t len;
} tdm_text;

/* Any bytes. */
typedef struct tdm_bytes {
    const uint8_t *ptr;
    size_t len;
} tdm_bytes;

/* Values that may be absent. `value` counts only where `present` is true. */
typedef struct tdm_opt_bool {
    bool present;
    bool value;
} tdm_opt_bool;
typedef struct tdm_opt_i32 {
    bool present;
    int32_t value;
} tdm_opt_i32;
typedef struct tdm_opt_i64 {
    bool present;
    int64_t value;
} tdm_opt_i64;
typedef struct tdm_opt_f64 {
    bool present;
    double value;
} tdm_opt_f64;
typedef struct tdm_opt_text {
    bool present;
    tdm_text value;
} tdm_opt_text;
typedef struct tdm_opt_bytes {
    bool present;
    tdm_bytes value;
} tdm_opt_bytes;

/* The type of a column; the numbers are the codes in a block. */
typedef enum tdm_type { TDM_BOOL = 1, TDM_I32, TDM_I64, TDM_F64, TDM_STRING, TDM_BYTES } tdm_type;

/* A field of a struct that is a column. */
typedef struct tdm_field {
    const char *name;
    size_t offset;
    /* A tdm_type, plus TDM_OPTIONAL. */
    int type;
} tdm_field;

/* Set in the type of a field whose value may be absent. */
#define TDM_OPTIONAL 16

/* A struct as a record: its fields are the columns, in this order. */
typedef struct tdm_record {
    /* The name of the struct, for errors. */
    const char *name;
    size_t size;
    const tdm_field *fields;
    size_t count;
} tdm_record;

/* The type of a field, by the type of an expression. An error about _Generic here means: a field is bool, int32_t,
 * int64_t, double, tdm_text, tdm_bytes, or a tdm_opt_ of one of these. */
#define TDM_TYPE_OF(expression) \
    _Generic((expression), \
        bool: TDM_BOOL, \
        int32_t: TDM_I32, \
        int64_t: TDM_I64, \
        double: TDM_F64, \
        tdm_text: TDM_STRING, \
        tdm_bytes: TDM_BYTES, \
        tdm_opt_bool: TDM_BOOL + TDM_OPTIONAL, \
        tdm_opt_i32: TDM_I32 + TDM_OPTIONAL, \
        tdm_opt_i64: TDM_I64 + TDM_OPTIONAL, \
        tdm_opt_f64: TDM_F64 + TDM_OPTIONAL, \
        tdm_opt_text: TDM_STRING + TDM_OPTIONAL, \
        tdm_opt_bytes: TDM_BYTES + TDM_OPTIONAL)

/* One field, under its own name or another. */
#define TDM_FIELD(T, field) TDM_FIELD_AS(T, field, #field)
#define TDM_FIELD_AS(T, field, name) {name, offsetof(T, field), TDM_TYPE_OF(((T *)0)->field)}

/* Makes the struct T a record: TDM_RECORD(reading, sensor, celsius, at); with up to 32 of its fields, each under its own name.
 * The other form takes TDM_FIELD and TDM_FIELD_AS entries, any number of them. */
#define TDM_RECORD(T, ...) TDM_RECORD_OF(T, TDM_EACH_(TDM_FIELD, T, __VA_ARGS__))
#define TDM_RECORD_OF(T, ...) \
    static const tdm_field T##_fields[] TDM_UNUSED_ = {__VA_ARGS__}; \
    static const tdm_record T##_record TDM_UNUSED_ = {#T, sizeof(T), T##_fields, sizeof T##_fields / sizeof *T##_fields}

/* A member that is a struct, in TDM_RECORD_OF: its fields are columns called `member.field`. Rows of joins are made of such:
 *
 *   TDM_RECORD_OF(row, TDM_PART(row, order, id, item), TDM_PART(row, payment, cents));
 */
#define TDM_PART(T, member, ...) TDM_EACH_(TDM_PART_FIELD_, (T, member), __VA_ARGS__)
#define TDM_PART_FIELD_(T_member, field) TDM_PART_ENTRY_(TDM_PART_OF_ T_member, field)
#define TDM_PART_OF_(T, member) T, member
#define TDM_PART_ENTRY_(...) TDM_PART_NAMED_(__VA_ARGS__)
#define TDM_PART_NAMED_(T, member, field) TDM_FIELD_AS(T, member.field, #member "." #field)

/* Single values are records of one column, called `value`. */
extern const tdm_record bool_record, int32_t_record, int64_t_record, double_record, tdm_text_record, tdm_bytes_record;
extern const tdm_record tdm_opt_bool_record, tdm_opt_i32_record, tdm_opt_i64_record, tdm_opt_f64_record, tdm_opt_text_record,
    tdm_opt_bytes_record;

/* Names a field of a record where one is asked for: TDM_OF(reading, at). */
typedef struct tdm_field_of {
    const tdm_record *record;
    size_t offset;
} tdm_field_of;
#define TDM_OF(T, field) ((tdm_field_of){&T##_record, offsetof(T, field)})

/* A text from a string literal (also for static initialisers), and from a string. */
#define TDM_TEXT(literal) {"" literal, sizeof(literal) - 1}
tdm_text tdm_str(const char *string);
/* For printf's "%.*s": printf("%.*s", TDM_ARG(text)). */
#define TDM_ARG(text) (int)(text).len, (text).ptr

bool tdm_equal(tdm_text a, tdm_text b);
/* Bytewise: below, 0 or above 0. */
int tdm_compare(tdm_text a, tdm_text b);
/* Takes the next word, separated by white space, off the front of `rest`; false when there is none. */
bool tdm_next_word(tdm_text *rest, tdm_text *word);
/* Takes what stands before the next `separator` off the front of `rest`; false when `rest` has been used up (its ptr is NULL). */
bool tdm_next_part(tdm_text *rest, char separator, tdm_text *part);
/* Whether the bytes are UTF-8. What is not cannot be emitted or kept as a text. */
bool tdm_is_utf8(const char *ptr, size_t len);
/* XXH3-64 with seed 0: the hash that places keys. */
uint64_t tdm_hash(const void *bytes, size_t len);

/* ==== 2 functions ============================================================================================= */

/* What happens around a function's call: time, key, state, outputs, memory. */
typedef struct tdm_ctx tdm_ctx;

/* What a function says of its record. `return tdm_refuse(ctx, "%s is odd", ...)` refuses it. */
typedef enum tdm_status {
    TDM_OK = 0,
    /* Of a filter: the record goes on. */
    TDM_KEEP = 0,
    /* The record is refused, for the reason given to tdm_refuse. */
    TDM_REFUSED = 1,
    /* Of a filter: the record ends here. */
    TDM_DROP = 2,
} tdm_status;

/* Refuses the record in hand with a message in printf's words. The operator's policy decides what becomes of it. */
tdm_status tdm_refuse(tdm_ctx *ctx, const char *format, ...) TDM_PRINTF_(2, 3) __attribute__((warn_unused_result));

static inline tdm_status tdm_keep_if(bool keep) { return keep ? TDM_KEEP : TDM_DROP; }

/* A side output of a flat_map or process function: static const tdm_side cheap = TDM_SIDE("cheap", trade); */
typedef struct tdm_side {
    const char *name;
    const tdm_record *record;
} tdm_side;
#define TDM_SIDE(name, T) {name, &T##_record}

/* Outputs, pieces of state, timers or inputs that one function may declare. */
#define TDM_DECLARED_MAX 16

/* A function as the runtime calls it; the macros below make them. */
typedef struct tdm_function {
    const tdm_record *in;
    const tdm_record *out;
    tdm_status (*call)(tdm_ctx *ctx, const void *in, void *out);
    const tdm_side *sides[TDM_DECLARED_MAX];
} tdm_function;
typedef struct tdm_map_function {
    tdm_function function;
} tdm_map_function;
typedef struct tdm_filter_function {
    tdm_function function;
} tdm_filter_function;
typedef struct tdm_flat_map_function {
    tdm_function function;
} tdm_flat_map_function;
typedef struct tdm_key_function {
    tdm_function function;
} tdm_key_function;
typedef struct tdm_number_function {
    tdm_function function;
} tdm_number_function;

/* Passes a status on; where it is one without a reason, the function and the line that wraps it are what can be told. */
#define TDM_RETURN_(ctx, fn, status) return tdm_returned_(ctx, status, __FILE__ ":" TDM_TEXT_OF_(__LINE__) ": " #fn)
#define TDM_TEXT_OF_(line) TDM_TEXT_OF_LINE_(line)
#define TDM_TEXT_OF_LINE_(line) #line
void tdm_returned_from_(tdm_ctx *ctx, const char *place);
static inline tdm_status tdm_returned_(tdm_ctx *ctx, tdm_status status, const char *place) {
    if (status != TDM_OK) tdm_returned_from_(ctx, place);
    return status;
}

/* tdm_status fn(tdm_ctx *ctx, const IN *in, OUT *out): fills `out`, which is all zero. */
#define TDM_MAP(fn, IN, OUT) \
    static tdm_status fn##_call_(tdm_ctx *ctx, const void *in, void *out) { TDM_RETURN_(ctx, fn, fn(ctx, (const IN *)in, (OUT *)out)); } \
    static const tdm_map_function fn##_map TDM_UNUSED_ = {{&IN##_record, &OUT##_record, fn##_call_, {NULL}}}
/* tdm_status fn(tdm_ctx *ctx, const IN *in): TDM_KEEP or TDM_DROP. */
#define TDM_FILTER(fn, IN) \
    static tdm_status fn##_call_(tdm_ctx *ctx, const void *in, void *out) { \
        (void)out; \
        TDM_RETURN_(ctx, fn, fn(ctx, (const IN *)in)); \
    } \
    static const tdm_filter_function fn##_filter TDM_UNUSED_ = {{&IN##_record, &IN##_record, fn##_call_, {NULL}}}
/* tdm_status fn(tdm_ctx *ctx, const IN *in): emits any number of records by tdm_emit. TDM_SPLIT is the same with side outputs, given as
 * addresses of tdm_side. */
#define TDM_FLAT_MAP(fn, IN, OUT) \
    static tdm_status fn##_call_(tdm_ctx *ctx, const void *in, void *out) { \
        (void)out; \
        TDM_RETURN_(ctx, fn, fn(ctx, (const IN *)in)); \
    } \
    static const tdm_flat_map_function fn##_flat_map TDM_UNUSED_ = {{&IN##_record, &OUT##_record, fn##_call_, {NULL}}}
#define TDM_SPLIT(fn, IN, OUT, ...) \
    static tdm_status fn##_call_(tdm_ctx *ctx, const void *in, void *out) { \
        (void)out; \
        TDM_RETURN_(ctx, fn, fn(ctx, (const IN *)in)); \
    } \
    static const tdm_flat_map_function fn##_flat_map TDM_UNUSED_ = {{&IN##_record, &OUT##_record, fn##_call_, {__VA_ARGS__}}}
/* void fn(const IN *in, KEY *key): computes a key, a record of up to four columns. */
#define TDM_KEY(fn, IN, KEY) \
    static tdm_status fn##_call_(tdm_ctx *ctx, const void *in, void *out) { \
        (void)ctx; \
        fn((const IN *)in, (KEY *)out); \
        return TDM_OK; \
    } \
    static const tdm_key_function fn##_key TDM_UNUSED_ = {{&IN##_record, &KEY##_record, fn##_call_, {NULL}}}
/* int64_t fn(const IN *in): a time or the number of a worker. */
#define TDM_NUMBER(fn, IN) \
    static tdm_status fn##_call_(tdm_ctx *ctx, const void *in, void *out) { \
        (void)ctx; \
        *(int64_t *)out = fn((const IN *)in); \
        return TDM_OK; \
    } \
    static const tdm_number_function fn##_number TDM_UNUSED_ = {{&IN##_record, &int64_t_record, fn##_call_, {NULL}}}

/* ==== 3 state and timers ====================================================================================== */

/* A struct that is kept as state although it is not the record that is exported: it may hold pointers of its own. */
typedef struct tdm_native {
    size_t size;
    /* What is exported, and read back by other languages and later versions. */
    const tdm_record *record;
    /* Makes an empty one out of zeroed memory. NULL: zeroed memory is one. */
    void (*init)(void *self);
    /* Makes `to` (not initialised) a copy. */
    void (*copy)(void *to, const void *from);
    /* Gives back what it owns. */
    void (*free)(void *self);
    /* Fills the record; views into `self` may be given. `ctx` is for tdm_alloc and tdm_pack. */
    void (*save)(tdm_ctx *ctx, const void *self, void *record);
    /* Makes one (not initialised) of a record; false when the record cannot be one. */
    bool (*load)(tdm_ctx *ctx, void *self, const void *record);
} tdm_native;

typedef enum tdm_kind { TDM_KIND_VALUE, TDM_KIND_LIST, TDM_KIND_MAP, TDM_KIND_ACCUMULATOR } tdm_kind;

/* How long state lives after it was written last: a value as a whole, of a list each record and of a map each entry. What has expired is
 * never seen again, and is removed in the end, also of a key that no record comes for. In event time something is as old as the record it
 * was written for, or as the watermark where that is further on, and expires when the watermark comes to its end. */
typedef struct tdm_ttl {
    bool expires;
    /* In milliseconds: TDM_HOURS(1). */
    int64_t span;
    /* The host's clock counts rather than event time. */
    bool processing_time;
    /* Reading something lets it live on as writing it does. */
    bool renewed_by_reads;
} tdm_ttl;
/* Spans for static initialisers. */
#define TDM_SECONDS(n) ((int64_t)(n) * 1000)
#define TDM_MINUTES(n) ((int64_t)(n) * 60000)
#define TDM_HOURS(n) ((int64_t)(n) * 3600000)

/* A piece of state per key. Names are part of the plan: state is found by them across versions of a job. */
typedef struct tdm_state {
    const char *name;
    tdm_kind kind;
    /* The keys of a map. */
    const tdm_record *key;
    const tdm_record *record;
    const tdm_native *native;
    tdm_ttl ttl;
} tdm_state;
/* static const tdm_state last = TDM_VALUE("last", reading); and alike. Lists and maps are loaded and saved whole with their key: they
 * are meant for tens or hundreds of records. A map is in the order of its keys. */
#define TDM_VALUE(name, T) {name, TDM_KIND_VALUE, NULL, &T##_record, NULL, TDM_FOREVER_}
#define TDM_LIST(name, T) {name, TDM_KIND_LIST, NULL, &T##_record, NULL, TDM_FOREVER_}
#define TDM_MAP_STATE(name, K, V) {name, TDM_KIND_MAP, &K##_record, &V##_record, NULL, TDM_FOREVER_}
#define TDM_NATIVE_VALUE(name, native) {name, TDM_KIND_VALUE, NULL, NULL, &(native), TDM_FOREVER_}
#define TDM_FOREVER_ {false, 0, false, false}
/* The same, living for a time: TDM_EXPIRING_VALUE("seen", bool, .span = TDM_HOURS(1), .processing_time = true). */
#define TDM_EXPIRING_VALUE(name, T, ...) \
    { \
        name, TDM_KIND_VALUE, NULL, &T##_record, NULL, { true, __VA_ARGS__ } \
    }
#define TDM_EXPIRING_LIST(name, T, ...) \
    { \
        name, TDM_KIND_LIST, NULL, &T##_record, NULL, { true, __VA_ARGS__ } \
    }
#define TDM_EXPIRING_MAP(name, K, V, ...) \
    { \
        name, TDM_KIND_MAP, &K##_record, &V##_record, NULL, { true, __VA_ARGS__ } \
    }

/* A timer: any number of times per key at which on_timer is called. */
typedef struct tdm_timer {
    const char *name;
    bool processing_time;
} tdm_timer;
#define TDM_EVENT_TIMER(name) {name, false}
#define TDM_PROCESSING_TIMER(name) {name, true}

/* The function of one input of a process function: tdm_status fn(tdm_ctx *ctx, const IN *in). */
typedef struct tdm_input {
    const tdm_record *in;
    tdm_status (*call)(tdm_ctx *ctx, const void *in);
} tdm_input;
#define TDM_INPUT(fn, IN) \
    static tdm_status fn##_call_(tdm_ctx *ctx, const void *in) { TDM_RETURN_(ctx, fn, fn(ctx, (const IN *)in)); } \
    static const tdm_input fn##_input TDM_UNUSED_ = {&IN##_record, fn##_call_}

/* A process function: keyed state, timers, and full control over what is emitted when.
 *
 *   static const tdm_process watch = {
 *       .out = &alert_record, .inputs = {&on_signal_input}, .state = {&waiting, &seen}, .timers = {&wake}, .on_timer = on_wake,
 *   };
 */
typedef struct tdm_process {
    const tdm_record *out;
    const tdm_input *inputs[TDM_DECLARED_MAX];
    const tdm_state *state[TDM_DECLARED_MAX];
    const tdm_timer *timers[TDM_DECLARED_MAX];
    const tdm_side *sides[TDM_DECLARED_MAX];
    /* `timer` is one of `timers`; tdm_time(ctx) is when it was set for. */
    tdm_status (*on_timer)(tdm_ctx *ctx, const tdm_timer *timer);
    /* Beside a broadcast stream, of which every worker gets every record: its function, which changes the state that all keys share; the
     * others can read it. What is emitted here is emitted by every worker. In which order records of the two streams meet is not
     * said. */
    const tdm_input *broadcast;
    const tdm_state *shared[TDM_DECLARED_MAX];
    /* Applies each broadcast record to every key that has state or a timer, behind `broadcast`, unless that refused it. */
    const tdm_input *on_key;
} tdm_process;

/* ==== 4 windows and aggregates ================================================================================ */

/* Spans of time are milliseconds. */
static inline int64_t tdm_seconds(int64_t n) { return n * 1000; }
static inline int64_t tdm_minutes(int64_t n) { return n * 60000; }
static inline int64_t tdm_hours(int64_t n) { return n * 3600000; }
static inline int64_t tdm_days(int64_t n) { return n * 86400000; }

typedef enum tdm_assigner { TDM_TUMBLING, TDM_SLIDING, TDM_SESSION, TDM_SESSION_BY, TDM_DAYS, TDM_RECORDS, TDM_GLOBAL } tdm_assigner;

/* When a window fires: a word, or several that are combined. Made by the functions below. */
typedef enum tdm_when {
    TDM_AT_END,
    TDM_LATE_EACH,
    TDM_EARLY_EVERY,
    TDM_AFTER,
    TDM_EVERY_RECORDS,
    TDM_ANY_OF,
    TDM_ALL_OF,
} tdm_when;
typedef struct tdm_trigger {
    /* A word is followed by those that it combines. */
    struct tdm_trigger_word {
        tdm_when when;
        bool event_time;
        int64_t number;
    } words[TDM_DECLARED_MAX];
    /* 0 where windows fire as usual; more than there is room for where too many were combined. */
    size_t count;
    bool purging;
} tdm_trigger;
/* When time has come to the window's end. */
tdm_trigger tdm_at_end(void);
/* At each record that comes behind the window's end. */
tdm_trigger tdm_late_each(void);
/* Until the window's end every so long of processing time, at multiples of it, when a record has come since the last firing. */
tdm_trigger tdm_early_every(int64_t span);
/* So long of processing time after the first record since the last firing. */
tdm_trigger tdm_after(int64_t span);
/* At every so many records. */
tdm_trigger tdm_every_records(uint64_t count);
/* When one of these fires, and when each of them has fired since all had: tdm_any_of(tdm_at_end(), tdm_every_records(100)). */
#define tdm_any_of(...) tdm_combined(TDM_ANY_OF, TDM_TRIGGERS_(__VA_ARGS__))
#define tdm_all_of(...) tdm_combined(TDM_ALL_OF, TDM_TRIGGERS_(__VA_ARGS__))
#define TDM_TRIGGERS_(...) (const tdm_trigger[]){__VA_ARGS__}, sizeof((const tdm_trigger[]){__VA_ARGS__}) / sizeof(tdm_trigger)
tdm_trigger tdm_combined(tdm_when when, const tdm_trigger *triggers, size_t count);
/* Lets event time drive a tdm_early_every or tdm_after. */
tdm_trigger tdm_by_event_time(tdm_trigger trigger);
/* Empties a window when it has fired; it goes on all the same. */
tdm_trigger tdm_purging(tdm_trigger trigger);

/* What a window leaves out when it fires; only for tdm_window_process, since an aggregate does not keep its records. What is left out is
 * gone for good: a later firing does not see it either. Records stand in the order of their arrival. Set `after` to leave records out
 * behind the function rather than in front of it. */
typedef enum tdm_evict { TDM_NOTHING, TDM_ALL_BUT_LAST, TDM_OLDER_THAN, TDM_DIFFERING_BY, TDM_CHOSEN } tdm_evict;
typedef struct tdm_evictor {
    tdm_evict evict;
    int64_t number;
    tdm_field_of field;
    double threshold;
    const tdm_record *record;
    void (*choose)(const void *records, const int64_t *times, size_t count, bool *goes);
    bool after;
} tdm_evictor;
/* Keeps the last `count` records; those that are at most `span` older than the latest, by their event times; and those whose field, a
 * number, differs from that of the last one by less than `threshold`. */
tdm_evictor tdm_all_but_last(uint64_t count);
tdm_evictor tdm_older_than(int64_t span);
tdm_evictor tdm_differing_by(tdm_field_of field, double threshold);
/* void fn(const IN *records, const int64_t *times, size_t count, bool *goes): sets goes[i] of each record to be left out. */
#define TDM_EVICTOR(fn, IN) \
    static void fn##_choose_(const void *records, const int64_t *times, size_t count, bool *goes) { \
        fn((const IN *)records, times, count, goes); \
    } \
    static const tdm_evictor fn##_evictor TDM_UNUSED_ = {TDM_CHOSEN, 0, {NULL, 0}, 0, &IN##_record, fn##_choose_, false}
#define tdm_evict_by(fn) (fn##_evictor)

/* Which windows a record belongs to. Set further fields by hand:
 *
 *   offset           moves the beginnings, which otherwise are multiples of the size since 1970 in UTC
 *   lateness         keeps a window for this long after its end
 *   processing_time  lets the host's clock drive it
 *   trigger          says when it fires, instead of tdm_any_of(tdm_at_end(), tdm_late_each())
 *   evictor          says what it leaves out when it fires
 *   days             makes windows of calendar days so many days long, counted from 1970-01-01
 *   or_after         lets a window of tdm_records fire although it is not full, so long after its first record: of processing time, or of
 *                    event time where or_after_event_time says so
 */
typedef struct tdm_windows {
    tdm_assigner assigner;
    int64_t size, slide, offset, gap, lateness;
    bool processing_time;
    tdm_trigger trigger;
    tdm_evictor evictor;
    tdm_field_of gap_of;
    const char *timezone;
    uint32_t days;
    uint64_t records, slide_records;
    int64_t or_after;
    bool or_after_event_time;
} tdm_windows;
/* Every record in one window of this size. */
tdm_windows tdm_tumbling(int64_t size);
/* A window of this size begins every `slide`. */
tdm_windows tdm_sliding(int64_t size, int64_t slide);
/* Records that lie at most `gap` apart share a window; or with a gap of its own for each record, in an int64_t field of it. */
tdm_windows tdm_session(int64_t gap);
tdm_windows tdm_session_by(tdm_field_of gap);
/* Days of a time zone, by its IANA name such as "Asia/Shanghai": each begins where the day does there, also where the clock is changed. */
tdm_windows tdm_calendar_days(const char *timezone);
/* So many records of a key, one behind the other, whenever they come; the last `count` of a key, every `slide` records. A window that is
 * not full when the input ends gives nothing. Its bounds are those of its records' times. */
tdm_windows tdm_records(uint64_t count);
tdm_windows tdm_records_sliding(uint64_t count, uint64_t slide);
/* One window for ever. It fires when its trigger says so, and without one the job is refused. The event time of a result is that of the
 * record or timer that made it fire. */
tdm_windows tdm_global_window(void);

/* The window that a result is for; tdm_key gives its key. */
typedef struct tdm_window {
    /* The first millisecond, and the first one behind it. */
    int64_t start, end;
    /* How often it has fired before: more than 0 only for late records, when the result replaces the one before. */
    int32_t firing;
} tdm_window;

/* How records become an accumulator. Adding must not depend on the order of records, and merging must give what adding all records
 * to one accumulator would. An accumulator of no records is all zero (or what init of a native one makes). */
typedef struct tdm_aggregator {
    const tdm_record *in;
    /* The accumulator: a record, or native. */
    const tdm_record *acc;
    const tdm_native *native;
    /* What the finishing function is given; NULL: the accumulator. */
    const tdm_record *result;
    /* `self` is the aggregator; `first` says that `acc` has had no record. */
    void (*add)(const struct tdm_aggregator *self, void *acc, const void *in, bool first);
    void (*merge)(const struct tdm_aggregator *self, void *into, const void *from);
    void (*finish)(const struct tdm_aggregator *self, const void *acc, void *result);
    /* The field that a ready aggregator is of, and its type. */
    size_t offset;
    int type;
} tdm_aggregator;
/* void add(ACC *acc, const IN *in), void merge(ACC *into, const ACC *from); gives the aggregator `name`. */
#define TDM_AGGREGATOR(name, IN, ACC, add, merge) TDM_AGGREGATOR_(name, IN, ACC, add, merge, &IN##_record, &ACC##_record, NULL)
/* The same with an accumulator that is native: `native` is its tdm_native. */
#define TDM_NATIVE_AGGREGATOR(name, IN, ACC, native, add, merge) TDM_AGGREGATOR_(name, IN, ACC, add, merge, &IN##_record, NULL, &(native))
#define TDM_AGGREGATOR_(name, IN, ACC, add, merge, input, record, native) \
    static void name##_add_(const tdm_aggregator *self, void *acc, const void *in, bool first) { \
        (void)self; \
        (void)first; \
        add((ACC *)acc, (const IN *)in); \
    } \
    static void name##_merge_(const tdm_aggregator *self, void *into, const void *from) { \
        (void)self; \
        merge((ACC *)into, (const ACC *)from); \
    } \
    static const tdm_aggregator name TDM_UNUSED_ = {input, record, native, NULL, name##_add_, name##_merge_, NULL, 0, 0}

/* Ready ones. The result is int64_t, the sum's type (int64_t or double), double, and the field's type. */
typedef struct tdm_mean {
    double f0;
    int64_t f1;
} tdm_mean;
extern const tdm_record tdm_mean_record;
tdm_aggregator tdm_counting(const tdm_record *in);
tdm_aggregator tdm_summing(tdm_field_of field);
tdm_aggregator tdm_averaging(tdm_field_of field);
tdm_aggregator tdm_least(tdm_field_of field);
tdm_aggregator tdm_greatest(tdm_field_of field);

/* tdm_status fn(tdm_ctx *ctx, const tdm_window *window, const RESULT *result): emits OUT records by tdm_emit. A native accumulator is
 * given as it is: RESULT is then its struct, and TDM_FINISH_NATIVE takes its tdm_native. */
typedef struct tdm_finish {
    const tdm_record *result;
    const tdm_native *native;
    const tdm_record *out;
    tdm_status (*call)(tdm_ctx *ctx, const tdm_window *window, const void *result, size_t count);
} tdm_finish;
#define TDM_FINISH(fn, RESULT, OUT) TDM_FINISH_(fn, RESULT, &RESULT##_record, NULL, &OUT##_record)
#define TDM_FINISH_NATIVE(fn, RESULT, native, OUT) TDM_FINISH_(fn, RESULT, NULL, &(native), &OUT##_record)
#define TDM_FINISH_(fn, RESULT, record, native, output) \
    static tdm_status fn##_call_(tdm_ctx *ctx, const tdm_window *window, const void *result, size_t count) { \
        (void)count; \
        TDM_RETURN_(ctx, fn, fn(ctx, window, (const RESULT *)result)); \
    } \
    static const tdm_finish fn##_finish TDM_UNUSED_ = {record, native, output, fn##_call_}
/* tdm_status fn(tdm_ctx *ctx, const tdm_window *window, const IN *records, size_t count): all records of a window at once. */
#define TDM_WINDOW_PROCESS(fn, IN, OUT) \
    static tdm_status fn##_call_(tdm_ctx *ctx, const tdm_window *window, const void *records, size_t count) { \
        TDM_RETURN_(ctx, fn, fn(ctx, window, (const IN *)records, count)); \
    } \
    static const tdm_finish fn##_window_process TDM_UNUSED_ = {&IN##_record, NULL, &OUT##_record, fn##_call_}
/* tdm_status fn(tdm_ctx *ctx, const tdm_window *window, const A *first, size_t first_count, const B *second, size_t second_count): all
 * records of two streams in a window at once. */
typedef struct tdm_co_group_function {
    const tdm_record *first, *second, *out;
    tdm_status (*call)(
        tdm_ctx *ctx, const tdm_window *window, const void *first, size_t first_count, const void *second, size_t second_count);
} tdm_co_group_function;
#define TDM_CO_GROUP(fn, A, B, OUT) \
    static tdm_status fn##_call_( \
        tdm_ctx *ctx, const tdm_window *window, const void *first, size_t first_count, const void *second, size_t second_count) { \
        TDM_RETURN_(ctx, fn, fn(ctx, window, (const A *)first, first_count, (const B *)second, second_count)); \
    } \
    static const tdm_co_group_function fn##_co_group TDM_UNUSED_ = {&A##_record, &B##_record, &OUT##_record, fn##_call_}
/* void fn(T *so_far, const T *next): combines two records into one. */
typedef struct tdm_reduce_function {
    const tdm_record *record;
    void (*call)(void *so_far, const void *next);
} tdm_reduce_function;
#define TDM_REDUCE(fn, T) \
    static void fn##_call_(void *so_far, const void *next) { fn((T *)so_far, (const T *)next); } \
    static const tdm_reduce_function fn##_reduce TDM_UNUSED_ = {&T##_record, fn##_call_}

/* ==== 5 building a job ======================================================================================== */

typedef struct tdm_job tdm_job;

/* Builds a job; what it calls notes mistakes in the job, so that only its own are to be returned, by tdm_job_error. */
typedef tdm_status (*tdm_build)(tdm_job *job);
/* Makes `fn` the job of the component. The test kit finds it as tdm_the_job. */
#define TDM_JOB(fn) const tdm_build tdm_the_job = fn
extern const tdm_build tdm_the_job;

/* A stream of records: cheap to copy, read any number of times. */
typedef struct tdm_stream {
    tdm_job *job;
    uint32_t operator_id;
    const char *port;
    const tdm_record *record;
    /* How its next reader is given its records; see tdm_rebalance and others. */
    int partition;
    const char *field;
} tdm_stream;

/* A stream partitioned by a key: all records of one key are handled in one place, in order. */
typedef struct tdm_keyed {
    tdm_stream stream;
    uint32_t count;
    const char *names[4];
} tdm_keyed;

/* A keyed stream cut into windows. */
typedef struct tdm_windowed {
    tdm_keyed keyed;
    tdm_windows windows;
} tdm_windowed;

/* How bytes become records and back, and where they come from or go to unless --bind says otherwise (NULL: nowhere). */
typedef struct tdm_format {
    const char *name;
    const char *url;
} tdm_format;
tdm_format tdm_json(const char *url);
tdm_format tdm_csv(const char *url);
/* A line as one text. */
tdm_format tdm_lines(const char *url);

/* What happens to a record that an operator refuses: the job fails, it is counted and left out, it goes to the dead letters. */
typedef enum tdm_on_error { TDM_FAIL, TDM_SKIP, TDM_DEAD_LETTER } tdm_on_error;

/* Names the job, unless the command line does. */
void tdm_job_name(tdm_job *job, const char *name);
/* Says what is wrong with the job: `return tdm_job_error(job, "unknown query %s", query)`. */
tdm_status tdm_job_error(tdm_job *job, const char *format, ...) TDM_PRINTF_(2, 3);

/* The value of --arg name=value. Without a default the argument has to be given. An argument that no job asks for is refused. */
const char *tdm_arg(tdm_job *job, const char *name);
const char *tdm_arg_or(tdm_job *job, const char *name, const char *otherwise);
int64_t tdm_arg_i64(tdm_job *job, const char *name);
int64_t tdm_arg_i64_or(tdm_job *job, const char *name, int64_t otherwise);
double tdm_arg_f64(tdm_job *job, const char *name);
double tdm_arg_f64_or(tdm_job *job, const char *name, double otherwise);

/* A source of records of one type. Its name is also the name of its binding. */
#define tdm_source(job, name, T, format) tdm_add_source(job, name, &T##_record, format)
tdm_stream tdm_add_source(tdm_job *job, const char *name, const tdm_record *record, tdm_format format);
/* A source whose records are of several types, told apart by the text field `tag`; tdm_variant gives the stream of one. */
tdm_stream tdm_tagged_source(tdm_job *job, const char *name, const char *tag, tdm_format format);
#define tdm_variant(source, value, T) tdm_add_variant(source, value, &T##_record)
tdm_stream tdm_add_variant(tdm_stream source, const char *value, const tdm_record *record);

/* Watermarks that the job makes itself: what TDM_GENERATOR, TDM_PUNCTUATED and TDM_PERIODIC make. Each split of a source (a file, a
 * partition, a connection) has a `self` of its own, all zero at first. Records, and views in them, are lent until the function returns:
 * what `self` is to remember of a text is copied into it. It is no state: after a restart from a checkpoint every split begins anew, and
 * event time stays where it was until that has caught up. */
typedef struct tdm_generator {
    /* For errors. */
    const char *name;
    const tdm_record *in;
    size_t size;
    /* Sees a record and its event time; true where it gives a watermark behind it: no record of that time or before is expected any more.
     * The host asks once for each block of records: the greatest that was given within it counts, behind the block. One that is lower than
     * before changes nothing. */
    bool (*on_event)(void *self, const void *in, int64_t time, int64_t *watermark);
    /* Is asked every so often where tdm_generated_every says so, at the processing time `now`; not while the split is idle. */
    bool (*on_periodic)(void *self, int64_t now, int64_t *watermark);
} tdm_generator;
/* bool on_event(SELF *self, const IN *in, int64_t time, int64_t *watermark), bool on_periodic(SELF *self, int64_t now, int64_t *watermark);
 * gives the generator `name`. */
#define TDM_GENERATOR(name, IN, SELF, on_event, on_periodic) \
    static bool name##_on_event_(void *self, const void *in, int64_t time, int64_t *watermark) { \
        return on_event((SELF *)self, (const IN *)in, time, watermark); \
    } \
    static bool name##_on_periodic_(void *self, int64_t now, int64_t *watermark) { return on_periodic((SELF *)self, now, watermark); } \
    static const tdm_generator name##_generator TDM_UNUSED_ = {#name, &IN##_record, sizeof(SELF), name##_on_event_, name##_on_periodic_}
/* Watermarks that records bring: bool fn(const IN *in, int64_t time, int64_t *watermark). */
#define TDM_PUNCTUATED(fn, IN) \
    static bool fn##_on_event_(void *self, const void *in, int64_t time, int64_t *watermark) { \
        (void)self; \
        return fn((const IN *)in, time, watermark); \
    } \
    static const tdm_generator fn##_generator TDM_UNUSED_ = {#fn, &IN##_record, 0, fn##_on_event_, NULL}
/* Watermarks by the clock: void see(SELF *self, const IN *in, int64_t time) notes what it wants, and on_periodic is as above. */
#define TDM_PERIODIC(name, IN, SELF, see, on_periodic) \
    static bool name##_see_(SELF *self, const IN *in, int64_t time, int64_t *watermark) { \
        (void)watermark; \
        see(self, in, time); \
        return false; \
    } \
    TDM_GENERATOR(name, IN, SELF, name##_see_, on_periodic)

/* Watermarks: the greatest event time so far minus a bound, minus a millisecond; or what a generator gives. */
typedef struct tdm_watermarks {
    bool bounded;
    int64_t bound;
    const tdm_generator *generator;
    bool by_clock;
    int64_t every;
} tdm_watermarks;
/* Event times never fall. */
tdm_watermarks tdm_monotonic(void);
/* Records come at most `bound` late. */
tdm_watermarks tdm_out_of_order(int64_t bound);
/* As a generator says, by its name: behind each block of records, and every so often of processing time besides. For
 * tdm_assign_event_time. */
#define tdm_generated(name) tdm_generated_by(&name##_generator)
#define tdm_generated_every(name, span) tdm_generated_by_clock(&name##_generator, span)
tdm_watermarks tdm_generated_by(const tdm_generator *generator);
tdm_watermarks tdm_generated_by_clock(const tdm_generator *generator, int64_t every);
/* Says which field of a source holds the event time, in milliseconds since 1970 in UTC. By name: of every variant of a tagged source, even
 * one that the job does not read. */
tdm_stream tdm_event_time(tdm_stream source, tdm_field_of field, tdm_watermarks watermarks);
tdm_stream tdm_event_time_field(tdm_stream source, const char *name, tdm_watermarks watermarks);

/* Stateless operators; `fn` is the name of a function that TDM_MAP, TDM_FILTER or TDM_FLAT_MAP was given. */
#define tdm_map(stream, name, fn) tdm_add_map(stream, name, &fn##_map)
#define tdm_filter(stream, name, fn) tdm_add_filter(stream, name, &fn##_filter)
#define tdm_flat_map(stream, name, fn) tdm_add_flat_map(stream, name, &fn##_flat_map)
tdm_stream tdm_add_map(tdm_stream stream, const char *name, const tdm_map_function *function);
tdm_stream tdm_add_filter(tdm_stream stream, const char *name, const tdm_filter_function *function);
tdm_stream tdm_add_flat_map(tdm_stream stream, const char *name, const tdm_flat_map_function *function);
/* Gives each record an event time (TDM_NUMBER). Prefer tdm_event_time, which costs nothing; stands directly behind a source. */
#define tdm_assign_event_time(stream, name, fn, watermarks) tdm_add_timestamps(stream, name, &fn##_number, watermarks)
tdm_stream tdm_add_timestamps(tdm_stream stream, const char *name, const tdm_number_function *function, tdm_watermarks watermarks);
/* Streams of the same records as one: tdm_union(job, "all", a, b, c). */
#define tdm_union(job, name, ...) \
    tdm_add_union(job, name, (const tdm_stream[]){__VA_ARGS__}, sizeof((const tdm_stream[]){__VA_ARGS__}) / sizeof(tdm_stream))
tdm_stream tdm_add_union(tdm_job *job, const char *name, const tdm_stream *streams, size_t count);
/* The records of a side output that the operator which makes this stream declares. */
tdm_stream tdm_side_output(tdm_stream stream, const tdm_side *side);

/* How the next reader is given the records: spread in turn, at random, over a local subset in turn, to all, to the first worker. */
tdm_stream tdm_rebalance(tdm_stream stream);
tdm_stream tdm_shuffle(tdm_stream stream);
tdm_stream tdm_rescale(tdm_stream stream);
tdm_stream tdm_broadcast(tdm_stream stream);
tdm_stream tdm_global(tdm_stream stream);
/* To the worker of the number that a function gives (TDM_NUMBER), modulo the parallelism. */
#define tdm_partition_by(stream, name, fn) tdm_add_partition(stream, name, &fn##_number)
tdm_stream tdm_add_partition(tdm_stream stream, const char *name, const tdm_number_function *function);

/* Partitions by up to four fields: tdm_key_by(readings, TDM_OF(reading, sensor)). The host does it. */
#define tdm_key_by(stream, ...) \
    tdm_keyed_by(stream, (const tdm_field_of[]){__VA_ARGS__}, sizeof((const tdm_field_of[]){__VA_ARGS__}) / sizeof(tdm_field_of))
tdm_keyed tdm_keyed_by(tdm_stream stream, const tdm_field_of *fields, size_t count);
/* Partitions by a key that a function computes (TDM_KEY). */
#define tdm_key_by_fn(stream, name, fn) tdm_add_key(stream, name, &fn##_key)
tdm_keyed tdm_add_key(tdm_stream stream, const char *name, const tdm_key_function *function);

/* Handles a keyed stream, or several with the same key, with state and timers. */
tdm_stream tdm_processed(tdm_keyed keyed, const char *name, const tdm_process *process);
#define tdm_connected(name, process, ...) \
    tdm_add_process(name, process, (const tdm_keyed[]){__VA_ARGS__}, sizeof((const tdm_keyed[]){__VA_ARGS__}) / sizeof(tdm_keyed))
tdm_stream tdm_add_process(const char *name, const tdm_process *process, const tdm_keyed *inputs, size_t count);
/* Handles a keyed stream, or one without a key, beside a broadcast one: see tdm_process. Without a key there is no state but what is
 * shared, and no timer. */
tdm_stream tdm_connected_broadcast(tdm_keyed keyed, tdm_stream broadcast, const char *name, const tdm_process *process);
tdm_stream tdm_connected_broadcast_all(tdm_stream stream, tdm_stream broadcast, const char *name, const tdm_process *process);
/* Combines each record with the result so far of its key, and emits the new result (TDM_REDUCE). */
#define tdm_reduce(keyed, name, fn) tdm_add_reduce(keyed, name, &fn##_reduce)
tdm_stream tdm_add_reduce(tdm_keyed keyed, const char *name, const tdm_reduce_function *function);
/* Running aggregates of a key, computed by the host: the key's columns and `count`, or the field under its name; min_by and max_by give
 * the whole record. OUT is the record that the results are read as. */
#define tdm_count(keyed, name, OUT) tdm_add_rolling(keyed, name, "count", (tdm_field_of){NULL, 0}, &OUT##_record)
#define tdm_sum(keyed, name, field, OUT) tdm_add_rolling(keyed, name, "sum", field, &OUT##_record)
#define tdm_min(keyed, name, field, OUT) tdm_add_rolling(keyed, name, "min", field, &OUT##_record)
#define tdm_max(keyed, name, field, OUT) tdm_add_rolling(keyed, name, "max", field, &OUT##_record)
#define tdm_min_by(keyed, name, field) tdm_add_rolling(keyed, name, "min-by", field, NULL)
#define tdm_max_by(keyed, name, field) tdm_add_rolling(keyed, name, "max-by", field, NULL)
tdm_stream tdm_add_rolling(tdm_keyed keyed, const char *name, const char *aggregate, tdm_field_of field, const tdm_record *out);

/* Cuts a stream into windows, each key for itself; or all records together, which does not run in parallel. */
tdm_windowed tdm_window_by(tdm_keyed keyed, tdm_windows windows);
tdm_windowed tdm_window_all(tdm_stream stream, tdm_windows windows);
/* Results of windows. The aggregator is given by value or as *&: tdm_aggregate(w, "average", tdm_averaging(TDM_OF(reading, celsius)), fn).
 */
#define tdm_aggregate(windowed, name, aggregator, fn) tdm_add_aggregate(windowed, name, aggregator, &fn##_finish)
tdm_stream tdm_add_aggregate(tdm_windowed windowed, const char *name, tdm_aggregator aggregator, const tdm_finish *finish);
#define tdm_window_process(windowed, name, fn) tdm_add_window_process(windowed, name, &fn##_window_process)
tdm_stream tdm_add_window_process(tdm_windowed windowed, const char *name, const tdm_finish *process);
#define tdm_window_reduce(windowed, name, fn) tdm_add_window_reduce(windowed, name, &fn##_reduce)
tdm_stream tdm_add_window_reduce(tdm_windowed windowed, const char *name, const tdm_reduce_function *function);
/* Aggregates of windows that the host computes: key columns, `start`, `end`, and `count` or the field; min_by and max_by give `start`,
 * `end` and the whole record. */
#define tdm_window_count(windowed, name, OUT) tdm_add_host_window(windowed, name, "count", (tdm_field_of){NULL, 0}, &OUT##_record)
#define tdm_window_sum(windowed, name, field, OUT) tdm_add_host_window(windowed, name, "sum", field, &OUT##_record)
#define tdm_window_min(windowed, name, field, OUT) tdm_add_host_window(windowed, name, "min", field, &OUT##_record)
#define tdm_window_max(windowed, name, field, OUT) tdm_add_host_window(windowed, name, "max", field, &OUT##_record)
#define tdm_window_min_by(windowed, name, field, OUT) tdm_add_host_window(windowed, name, "min-by", field, &OUT##_record)
#define tdm_window_max_by(windowed, name, field, OUT) tdm_add_host_window(windowed, name, "max-by", field, &OUT##_record)
tdm_stream tdm_add_host_window(tdm_windowed windowed, const char *name, const char *aggregate, tdm_field_of field, const tdm_record *out);
/* The records that came too late for every window of the operator which makes this stream. */
#define tdm_late(results, T) tdm_late_as(results, &T##_record)
tdm_stream tdm_late_as(tdm_stream results, const tdm_record *record);

/* Joins of keyed streams, which the host runs. OUT is the record of a row: the columns `NAME.FIELD` of each side in order, see TDM_PART.
 * The fields of an optional side are of a tdm_opt_ type and absent where it has nothing: of two sides, both required is an inner join, one
 * a left or right one, none a full one. */
typedef struct tdm_join_side {
    tdm_keyed keyed;
    const char *name;
    bool optional;
} tdm_join_side;
tdm_join_side tdm_required(const char *name, tdm_keyed keyed);
tdm_join_side tdm_optional(const char *name, tdm_keyed keyed);
#define TDM_SIDES_(...) (const tdm_join_side[]){__VA_ARGS__}, sizeof((const tdm_join_side[]){__VA_ARGS__}) / sizeof(tdm_join_side)
/* How much later the record of the second side is: from `lower` to `upper`, both included unless it is said otherwise; both may be
 * negative. */
typedef struct tdm_interval {
    int64_t lower, upper;
    bool lower_exclusive, upper_exclusive;
} tdm_interval;
tdm_interval tdm_within(int64_t lower, int64_t upper);
/* Records within an interval of each other, in event time. A row has the greater time. */
#define tdm_interval_join(name, OUT, interval, first, second) tdm_add_interval_join(name, &OUT##_record, interval, first, second)
tdm_stream tdm_add_interval_join(const char *name, const tdm_record *out, tdm_interval interval, tdm_join_side first, tdm_join_side second);
/* Each record of a side with each of the others in the same window: the sides follow. OUT begins with `start` and `end`. */
#define tdm_window_join(name, OUT, windows, ...) tdm_add_window_join(name, &OUT##_record, windows, TDM_SIDES_(__VA_ARGS__))
tdm_stream tdm_add_window_join(const char *name, const tdm_record *out, tdm_windows windows, const tdm_join_side *sides, size_t count);
/* The last record of each side by key, as a table: each record that comes gives the row of its key, once every required side has one. */
#define tdm_keyed_join(name, OUT, ...) tdm_add_keyed_join(name, &OUT##_record, TDM_SIDES_(__VA_ARGS__))
tdm_stream tdm_add_keyed_join(const char *name, const tdm_record *out, const tdm_join_side *sides, size_t count);
/* Each record of the first side with what the second said last at its time, when the watermark has come to it. */
#define tdm_temporal_join(name, OUT, records, versions) tdm_add_temporal_join(name, &OUT##_record, records, versions)
tdm_stream tdm_add_temporal_join(const char *name, const tdm_record *out, tdm_join_side records, tdm_join_side versions);
/* All that two streams have in a window, handled at once (TDM_CO_GROUP). Its sides are called "first" and "second". */
#define tdm_co_group(first, second, name, windows, fn) tdm_add_co_group(first, second, name, windows, &fn##_co_group)
tdm_stream tdm_add_co_group(
    tdm_keyed first, tdm_keyed second, const char *name, tdm_windows windows, const tdm_co_group_function *function);
/* The records of a side that found nobody where somebody was required, and those that came too late. */
#define tdm_unmatched(results, side, T) tdm_unmatched_as(results, side, &T##_record)
tdm_stream tdm_unmatched_as(tdm_stream results, const char *side, const tdm_record *record);
#define tdm_late_side(results, side, T) tdm_late_side_as(results, side, &T##_record)
tdm_stream tdm_late_side_as(tdm_stream results, const char *side, const tdm_record *record);

/* Sets the parallelism of the operator that makes the stream; rarely needed. */
tdm_stream tdm_parallelism(tdm_stream stream, uint32_t workers);
/* Begins a new chain with the operator that makes the stream: it is not in one call with the operators before it; or gives it a call of its
 * own, with no operator before or behind it. Errors name the operator also inside of a chain, so this is for measuring, or for a function
 * whose call has to be short. */
tdm_stream tdm_start_new_chain(tdm_stream stream);
tdm_stream tdm_disable_chaining(tdm_stream stream);
/* Says what happens to records that the operator which makes the stream refuses. */
tdm_stream tdm_on_errors(tdm_stream stream, tdm_on_error policy);
/* A record that was refused. */
typedef struct tdm_dead_letter {
    tdm_text operator, place, reason, record;
} tdm_dead_letter;
extern const tdm_record tdm_dead_letter_record;
/* The records that the operator which makes the stream refuses. */
tdm_stream tdm_dead_letters(tdm_stream stream);
/* Writes the stream. The name is also the name of the binding. */
void tdm_sink(tdm_stream stream, const char *name, tdm_format format);

/* ==== 6 inside of functions =================================================================================== */

/* Emits a record at the time of the record, timer or window in hand: tdm_emit(ctx, word, .word = w), tdm_emit(ctx, int64_t, 5). The form
 * with _ptr takes the address of one. A text that is not UTF-8 refuses the record in hand. */
#define tdm_emit(ctx, T, ...) tdm_emit_record(ctx, &T##_record, &(const T){__VA_ARGS__})
#define tdm_emit_ptr(ctx, T, ...) tdm_emit_record(ctx, &T##_record, TDM_CHECKED_(T, __VA_ARGS__))
void tdm_emit_record(tdm_ctx *ctx, const tdm_record *type, const void *record);
/* The same at another event time, in a process function. */
#define tdm_emit_at(ctx, time, T, ...) tdm_emit_record_at(ctx, time, &T##_record, &(const T){__VA_ARGS__})
#define tdm_emit_at_ptr(ctx, time, T, ...) tdm_emit_record_at(ctx, time, &T##_record, TDM_CHECKED_(T, __VA_ARGS__))
void tdm_emit_record_at(tdm_ctx *ctx, int64_t time, const tdm_record *type, const void *record);
/* On a side output. */
#define tdm_emit_to(ctx, side, T, ...) tdm_emit_record_to(ctx, side, &T##_record, &(const T){__VA_ARGS__})
#define tdm_emit_to_ptr(ctx, side, T, ...) tdm_emit_record_to(ctx, side, &T##_record, TDM_CHECKED_(T, __VA_ARGS__))
void tdm_emit_record_to(tdm_ctx *ctx, const tdm_side *side, const tdm_record *type, const void *record);
/* A pointer of another type than const T * does not compile. */
#define TDM_CHECKED_(T, ...) (1 ? (__VA_ARGS__) : (const T *)0)

/* The event time of the record, the time a timer was set for, or a window's last millisecond. */
int64_t tdm_time(const tdm_ctx *ctx);
/* No record before it is expected any more; the least int64_t before the first. */
int64_t tdm_watermark(const tdm_ctx *ctx);
/* Processing time as the host hands it out. */
int64_t tdm_now(const tdm_ctx *ctx);
/* The key: a record of its columns. For a key of one text: *tdm_key(ctx, tdm_text). */
#define tdm_key(ctx, T) ((const T *)tdm_key_as(ctx, &T##_record))
const void *tdm_key_as(tdm_ctx *ctx, const tdm_record *type);

/* A value: read (NULL where there is none), replace, change in place (all zero, or native and fresh, where there is none yet), take out. */
#define tdm_get(ctx, piece, T) ((const T *)tdm_get_as(ctx, piece, &T##_record))
#define tdm_set(ctx, piece, T, ...) tdm_set_as(ctx, piece, &T##_record, &(const T){__VA_ARGS__})
#define tdm_set_ptr(ctx, piece, T, ...) tdm_set_as(ctx, piece, &T##_record, TDM_CHECKED_(T, __VA_ARGS__))
#define tdm_edit(ctx, piece, T) ((T *)tdm_edit_as(ctx, piece, &T##_record))
#define tdm_take(ctx, piece, T) ((const T *)tdm_take_as(ctx, piece, &T##_record))
const void *tdm_get_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type);
void tdm_set_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type, const void *value);
void *tdm_edit_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type);
const void *tdm_take_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type);
/* A native value: read (NULL where there is none), and change in place. */
const void *tdm_get_native(tdm_ctx *ctx, const tdm_state *piece);
void *tdm_edit_native(tdm_ctx *ctx, const tdm_state *piece);
/* Empties a piece of any kind. */
void tdm_clear(tdm_ctx *ctx, const tdm_state *piece);

/* A value to which records are added by a function (TDM_REDUCE): the first is kept as it is. Read it by tdm_get. */
#define tdm_reduce_into(ctx, piece, T, fn, ...) tdm_reduce_into_as(ctx, piece, &fn##_reduce, TDM_CHECKED_(T, &(const T){__VA_ARGS__}))
#define tdm_reduce_into_ptr(ctx, piece, T, fn, ...) tdm_reduce_into_as(ctx, piece, &fn##_reduce, TDM_CHECKED_(T, __VA_ARGS__))
void tdm_reduce_into_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_reduce_function *function, const void *record);
/* A value that is the accumulator of an aggregator, to which records are added; and the result, NULL where none was. The accumulator of a
 * ready aggregator is the result, and tdm_mean of tdm_averaging. */
#define tdm_aggregate_into(ctx, piece, aggregator, T, ...) \
    tdm_aggregate_into_as(ctx, piece, aggregator, &T##_record, &(const T){__VA_ARGS__})
#define tdm_aggregate_into_ptr(ctx, piece, aggregator, T, ...) \
    tdm_aggregate_into_as(ctx, piece, aggregator, &T##_record, TDM_CHECKED_(T, __VA_ARGS__))
#define tdm_aggregated(ctx, piece, aggregator, RESULT) ((const RESULT *)tdm_aggregated_as(ctx, piece, aggregator, &RESULT##_record))
void tdm_aggregate_into_as(tdm_ctx *ctx, const tdm_state *piece, tdm_aggregator aggregator, const tdm_record *type, const void *record);
const void *tdm_aggregated_as(tdm_ctx *ctx, const tdm_state *piece, tdm_aggregator aggregator, const tdm_record *type);

/* A list: read, add at the end, change in place, replace; keep only its first records. One that expires is not changed in place: replace
 * it, and all of it is written then. */
#define tdm_items(ctx, piece, T, count) ((const T *)tdm_items_as(ctx, piece, &T##_record, count))
#define tdm_push(ctx, piece, T, ...) tdm_push_as(ctx, piece, &T##_record, &(const T){__VA_ARGS__})
#define tdm_push_ptr(ctx, piece, T, ...) tdm_push_as(ctx, piece, &T##_record, TDM_CHECKED_(T, __VA_ARGS__))
#define tdm_edit_items(ctx, piece, T, count) ((T *)tdm_edit_items_as(ctx, piece, &T##_record, count))
#define tdm_set_items(ctx, piece, T, items, count) tdm_set_items_as(ctx, piece, &T##_record, TDM_CHECKED_(T, items), count)
const void *tdm_items_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type, size_t *count);
void tdm_push_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type, const void *item);
void *tdm_edit_items_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type, size_t *count);
void tdm_set_items_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type, const void *items, size_t count);
void tdm_truncate(tdm_ctx *ctx, const tdm_state *piece, size_t count);

/* A map: read an entry (NULL where there is none), set one, change one in place (all zero where there is none yet), remove one, and go
 * through all in the order of their keys. `key` is the address of one. */
#define tdm_lookup(ctx, piece, K, key, V) ((const V *)tdm_lookup_as(ctx, piece, &K##_record, TDM_CHECKED_(K, key), &V##_record))
#define tdm_put(ctx, piece, K, key, V, ...) tdm_put_as(ctx, piece, &K##_record, TDM_CHECKED_(K, key), &V##_record, &(const V){__VA_ARGS__})
#define tdm_put_ptr(ctx, piece, K, key, V, ...) \
    tdm_put_as(ctx, piece, &K##_record, TDM_CHECKED_(K, key), &V##_record, TDM_CHECKED_(V, __VA_ARGS__))
#define tdm_edit_entry(ctx, piece, K, key, V) ((V *)tdm_edit_entry_as(ctx, piece, &K##_record, TDM_CHECKED_(K, key), &V##_record))
#define tdm_remove(ctx, piece, K, key) tdm_remove_as(ctx, piece, &K##_record, TDM_CHECKED_(K, key))
#define tdm_entry_key(ctx, piece, index, K) ((const K *)tdm_entry_as(ctx, piece, index, &K##_record, false))
#define tdm_entry_value(ctx, piece, index, V) ((const V *)tdm_entry_as(ctx, piece, index, &V##_record, true))
const void *tdm_lookup_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *key_type, const void *key, const tdm_record *type);
void tdm_put_as(
    tdm_ctx *ctx, const tdm_state *piece, const tdm_record *key_type, const void *key, const tdm_record *type, const void *value);
void *tdm_edit_entry_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *key_type, const void *key, const tdm_record *type);
bool tdm_remove_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *key_type, const void *key);
const void *tdm_entry_as(tdm_ctx *ctx, const tdm_state *piece, size_t index, const tdm_record *type, bool value);
/* The number of records of a list, of entries of a map; 1 or 0 for a value. */
size_t tdm_length(tdm_ctx *ctx, const tdm_state *piece);

/* Timers of the key in hand: set one beside others, set one in place of all others of its name, remove the one of exactly this time, remove
 * all of its name. */
void tdm_timer_add(tdm_ctx *ctx, const tdm_timer *timer, int64_t time);
void tdm_timer_replace(tdm_ctx *ctx, const tdm_timer *timer, int64_t time);
void tdm_timer_delete(tdm_ctx *ctx, const tdm_timer *timer, int64_t time);
void tdm_timer_clear(tdm_ctx *ctx, const tdm_timer *timer);

/* Zeroed memory until the function returns; and texts in it. Nothing is to be freed. */
void *tdm_alloc(tdm_ctx *ctx, size_t size);
tdm_text tdm_format_text(tdm_ctx *ctx, const char *format, ...) TDM_PRINTF_(2, 3);
/* A copy with the letters A to Z as small ones. */
tdm_text tdm_ascii_lower(tdm_ctx *ctx, tdm_text text);
/* Records as one bytes value (a block of them), and back: what a field that holds a list is. NULL with *count 0 for bytes that are
 * none. The empty list is no bytes at all. */
#define tdm_pack(ctx, T, items, count) tdm_pack_as(ctx, &T##_record, TDM_CHECKED_(T, items), count)
#define tdm_unpack(ctx, T, bytes, count) ((const T *)tdm_unpack_as(ctx, &T##_record, bytes, count))
tdm_bytes tdm_pack_as(tdm_ctx *ctx, const tdm_record *type, const void *items, size_t count);
const void *tdm_unpack_as(tdm_ctx *ctx, const tdm_record *type, tdm_bytes bytes, size_t *count);

/* The log of the job. In a component, printf and everything else that goes to standard output or error arrives there too, line by
 * line, as info and warn. */
typedef enum tdm_level { TDM_TRACE, TDM_DEBUG, TDM_INFO, TDM_WARN, TDM_ERROR } tdm_level;
void tdm_log(tdm_level level, const char *format, ...) TDM_PRINTF_(2, 3);
#define tdm_printf(...) tdm_log(TDM_INFO, __VA_ARGS__)

/* Ends the instance with file and line, after telling the host which operator and record were in hand. For what must not be; a record
 * that is wrong is refused. assert() and abort() arrive in the same way in a component. */
#define tdm_abort(...) tdm_abort_at(__FILE__, __LINE__, __VA_ARGS__)
#define tdm_assert(condition) ((condition) ? (void)0 : tdm_abort_at(__FILE__, __LINE__, "%s does not hold", #condition))
_Noreturn void tdm_abort_at(const char *file, int line, const char *format, ...) TDM_PRINTF_(3, 4);

/* ==== 7 the runtime =========================================================================================== */

/* What the host offers. */
typedef struct tdm_host {
    void *data;
    void (*log)(void *data, tdm_level level, uint32_t operator_id, const char *message, size_t len);
    void (*emit)(void *data, uint32_t operator_id, uint32_t port, const uint8_t *block, size_t len);
    void (*report_failure)(void *data, uint32_t operator_id, uint32_t row, const char *message, size_t len);
    /* Ends the call; returning from it ends the process. */
    void (*trap)(void *data);
} tdm_host;

/* One --arg name=value. */
typedef struct tdm_argument {
    tdm_text name, value;
} tdm_argument;

typedef enum tdm_action { TDM_TIMER_ADD, TDM_TIMER_REPLACE, TDM_TIMER_DELETE, TDM_TIMER_CLEAR } tdm_action;

/* One change to the timers of a keyed operator; laid out as the contract's record. */
typedef struct tdm_timer_op {
    uint32_t slot, timer;
    uint8_t action;
    int64_t time;
} tdm_timer_op;

/* A record that was refused. */
typedef struct tdm_failure {
    uint32_t row, operator_id;
    tdm_text message;
} tdm_failure;

/* What a call did besides emitting; lent until the next call. */
typedef struct tdm_outcome {
    const tdm_timer_op *timers;
    size_t timers_len;
    const uint32_t *cleared;
    size_t cleared_len;
    const uint32_t *unchanged;
    size_t unchanged_len;
    const tdm_failure *failures;
    size_t failures_len;
} tdm_outcome;

/* Numbers of rows or slots. */
typedef struct tdm_numbers {
    const uint32_t *at;
    size_t len;
} tdm_numbers;

/* Event time and processing time at a call. */
typedef struct tdm_moment {
    int64_t watermark, now;
} tdm_moment;

/* A job that was built. The functions below are the calls of the contract (job.wit), by its words; a call that a host does not make
 * ends in tdm_abort. */
typedef struct tdm_instance tdm_instance;

/* Builds the job; `text` is its plan document, or what is wrong when the answer is NULL, and lent until the next call of this function
 * or the end of the instance. */
tdm_instance *tdm_plan(tdm_build build, const tdm_argument *args, size_t count, const tdm_host *host, tdm_text *text);
void tdm_instance_free(tdm_instance *instance);
void tdm_link(tdm_instance *instance, uint32_t chain, tdm_numbers members);
const tdm_outcome *tdm_process_block(
    tdm_instance *instance, uint32_t chain, uint32_t input, tdm_moment at, tdm_bytes block, tdm_numbers rows, tdm_numbers slots);
const tdm_outcome *tdm_fire_timers(tdm_instance *instance, uint32_t chain, tdm_moment at, tdm_bytes block, tdm_numbers slots);
const tdm_outcome *tdm_fire_windows(
    tdm_instance *instance, uint32_t chain, tdm_moment at, tdm_bytes block, tdm_numbers offsets, tdm_numbers slots);
/* The one record of a block, applied to keys: the rows of another block. */
const tdm_outcome *tdm_apply(
    tdm_instance *instance, uint32_t chain, uint32_t input, tdm_moment at, tdm_bytes block, tdm_bytes keys, tdm_numbers slots);
/* Empties slots of what their windows have gathered, which is all that they hold. */
void tdm_purge(tdm_instance *instance, uint32_t operator_id, tdm_numbers slots);
void tdm_merge(tdm_instance *instance, uint32_t operator_id, tdm_numbers targets, tdm_numbers sources);
tdm_bytes tdm_export_state(tdm_instance *instance, uint32_t operator_id, tdm_numbers slots);
/* NULL, or what is wrong with the block. */
const char *tdm_import_state(tdm_instance *instance, uint32_t operator_id, tdm_numbers slots, tdm_bytes block);
void tdm_drop_state(tdm_instance *instance, uint32_t operator_id, tdm_numbers slots);
/* Shows a block of a split to its generator of watermarks, or asks that by the clock where the block is empty; true where there is one. */
bool tdm_generate(tdm_instance *instance, uint32_t operator_id, uint32_t split, int64_t now, tdm_bytes block, int64_t *watermark);
/* Lets the generators of an operator, where it has any, begin anew, as in a fresh instance. */
void tdm_forget_splits(tdm_instance *instance, uint32_t operator_id);

/* A column by name and type: what a schema is made of. */
typedef struct tdm_column {
    const char *name;
    int type;
} tdm_column;
/* What is wrong with the bytes as a block of these columns, all of its rules (block.md) checked; NULL when nothing is. The text is lent
 * until the next call. */
const char *tdm_block_check(tdm_bytes block, const tdm_column *columns, size_t count);
/* A block of records and their event times (NULL: all zero), to be freed by free(); and the records of a checked block in memory to be
 * freed likewise, whose texts are views of the block. `id` says whether the schema's id is stated. */
uint8_t *tdm_block_write(const tdm_record *type, const void *records, const int64_t *times, size_t count, bool id, size_t *len);
void *tdm_block_read(const tdm_record *type, tdm_bytes block, int64_t **times, size_t *count);

/* The machinery of TDM_RECORD. */
#define TDM_EACH_(M, T, ...) \
    TDM_EACH_PICK_(__VA_ARGS__, TDM_E32_, TDM_E31_, TDM_E30_, TDM_E29_, TDM_E28_, TDM_E27_, TDM_E26_, TDM_E25_, TDM_E24_, TDM_E23_, \
        TDM_E22_, TDM_E21_, TDM_E20_, TDM_E19_, TDM_E18_, TDM_E17_, TDM_E16_, TDM_E15_, TDM_E14_, TDM_E13_, TDM_E12_, TDM_E11_, TDM_E10_, \
        TDM_E9_, TDM_E8_, TDM_E7_, TDM_E6_, TDM_E5_, TDM_E4_, TDM_E3_, TDM_E2_, TDM_E1_, 0)(M, T, __VA_ARGS__)
#define TDM_EACH_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24, a25, \
    a26, a27, a28, a29, a30, a31, a32, name, ...) \
    name
#define TDM_E1_(M, T, a) M(T, a)
#define TDM_E2_(M, T, a, ...) M(T, a), TDM_E1_(M, T, __VA_ARGS__)
#define TDM_E3_(M, T, a, ...) M(T, a), TDM_E2_(M, T, __VA_ARGS__)
#define TDM_E4_(M, T, a, ...) M(T, a), TDM_E3_(M, T, __VA_ARGS__)
#define TDM_E5_(M, T, a, ...) M(T, a), TDM_E4_(M, T, __VA_ARGS__)
#define TDM_E6_(M, T, a, ...) M(T, a), TDM_E5_(M, T, __VA_ARGS__)
#define TDM_E7_(M, T, a, ...) M(T, a), TDM_E6_(M, T, __VA_ARGS__)
#define TDM_E8_(M, T, a, ...) M(T, a), TDM_E7_(M, T, __VA_ARGS__)
#define TDM_E9_(M, T, a, ...) M(T, a), TDM_E8_(M, T, __VA_ARGS__)
#define TDM_E10_(M, T, a, ...) M(T, a), TDM_E9_(M, T, __VA_ARGS__)
#define TDM_E11_(M, T, a, ...) M(T, a), TDM_E10_(M, T, __VA_ARGS__)
#define TDM_E12_(M, T, a, ...) M(T, a), TDM_E11_(M, T, __VA_ARGS__)
#define TDM_E13_(M, T, a, ...) M(T, a), TDM_E12_(M, T, __VA_ARGS__)
#define TDM_E14_(M, T, a, ...) M(T, a), TDM_E13_(M, T, __VA_ARGS__)
#define TDM_E15_(M, T, a, ...) M(T, a), TDM_E14_(M, T, __VA_ARGS__)
#define TDM_E16_(M, T, a, ...) M(T, a), TDM_E15_(M, T, __VA_ARGS__)
#define TDM_E17_(M, T, a, ...) M(T, a), TDM_E16_(M, T, __VA_ARGS__)
#define TDM_E18_(M, T, a, ...) M(T, a), TDM_E17_(M, T, __VA_ARGS__)
#define TDM_E19_(M, T, a, ...) M(T, a), TDM_E18_(M, T, __VA_ARGS__)
#define TDM_E20_(M, T, a, ...) M(T, a), TDM_E19_(M, T, __VA_ARGS__)
#define TDM_E21_(M, T, a, ...) M(T, a), TDM_E20_(M, T, __VA_ARGS__)
#define TDM_E22_(M, T, a, ...) M(T, a), TDM_E21_(M, T, __VA_ARGS__)
#define TDM_E23_(M, T, a, ...) M(T, a), TDM_E22_(M, T, __VA_ARGS__)
#define TDM_E24_(M, T, a, ...) M(T, a), TDM_E23_(M, T, __VA_ARGS__)
#define TDM_E25_(M, T, a, ...) M(T, a), TDM_E24_(M, T, __VA_ARGS__)
#define TDM_E26_(M, T, a, ...) M(T, a), TDM_E25_(M, T, __VA_ARGS__)
#define TDM_E27_(M, T, a, ...) M(T, a), TDM_E26_(M, T, __VA_ARGS__)
#define TDM_E28_(M, T, a, ...) M(T, a), TDM_E27_(M, T, __VA_ARGS__)
#define TDM_E29_(M, T, a, ...) M(T, a), TDM_E28_(M, T, __VA_ARGS__)
#define TDM_E30_(M, T, a, ...) M(T, a), TDM_E29_(M, T, __VA_ARGS__)
#define TDM_E31_(M, T, a, ...) M(T, a), TDM_E30_(M, T, __VA_ARGS__)
#define TDM_E32_(M, T, a, ...) M(T, a), TDM_E31_(M, T, __VA_ARGS__)

#endif
