/* Tidemill for C: the test kit. SPDX-License-Identifier: Apache-2.0
 *
 * Runs a function, an operator or a whole job natively: compile the test, the job, tidemill.c and tidemill_test.c with any C compiler.
 * There is no cluster and no clock: a test pushes records and watermarks and looks at what comes out. The job's code goes through the same
 * blocks, slots and timers as in a component; windows, timers and the aggregates of the host are played by a small, slow and simple
 * host of the kit, which reads the job's plan as a host does.
 *
 *   static void a_window_closes(void) {
 *       tdm_test *test = tdm_test_job(averages);
 *       tdm_test_push(test, "readings", reading, .sensor = TDM_TEXT("attic"), .celsius = 20, .at = 1000);
 *       tdm_test_finish(test);
 *       size_t count;
 *       const average *out = tdm_test_sink(test, "averages", average, &count);
 *       TDM_EXPECT(count == 1 && out[0].celsius == 20);
 *       tdm_test_free(test);
 *   }
 *
 *   int main(void) {
 *       TDM_RUN(a_window_closes);
 *       return tdm_test_done();
 *   }
 *
 * What a function here returns by pointer is lent until tdm_test_free.
 */
#ifndef TIDEMILL_TEST_H
#define TIDEMILL_TEST_H

#include "tidemill.h"

/* ---- What a test program is made of. ---- */

/* Runs a test: a function without arguments and result. */
#define TDM_RUN(test) tdm_test_run(#test, test)
void tdm_test_run(const char *name, void (*test)(void));
/* Prints `test result: ok. N passed; N failed` and gives the exit code. */
int tdm_test_done(void);
/* A condition that must hold; the test goes on, and fails where it does not. */
#define TDM_EXPECT(...) tdm_test_expect((__VA_ARGS__), __FILE__, __LINE__, #__VA_ARGS__)
bool tdm_test_expect(bool holds, const char *file, int line, const char *condition);
/* Two texts that must be the same; both are shown where they are not. The first is a tdm_text, or a string (or NULL). */
#define TDM_EXPECT_TEXT(text, string) tdm_test_expect_text((text), (string), __FILE__, __LINE__, #text)
bool tdm_test_expect_text(tdm_text text, const char *string, const char *file, int line, const char *shown);
#define TDM_EXPECT_STRING(actual, string) tdm_test_expect_string((actual), (string), __FILE__, __LINE__, #actual)
bool tdm_test_expect_string(const char *actual, const char *string, const char *file, int line, const char *shown);

/* ---- What is tested. ---- */

typedef struct tdm_test tdm_test;

/* A whole job: records in at its sources, results out at its sinks. Arguments may follow in pairs: tdm_test_job(job, "n", "3"). */
#define tdm_test_job(...) tdm_test_job_of(__VA_ARGS__, (const char *)NULL)
tdm_test *tdm_test_job_of(tdm_build job, ...);
/* One operator of a job, by its name. */
#define tdm_test_operator(...) tdm_test_operator_of(__VA_ARGS__, (const char *)NULL)
tdm_test *tdm_test_operator_of(tdm_build job, const char *name, ...);
/* What is wrong with a job or its arguments; NULL when nothing is. Lent until the next call. */
#define tdm_test_error(...) tdm_test_error_of(__VA_ARGS__, (const char *)NULL)
const char *tdm_test_error_of(tdm_build job, ...);
/* One function: the name that TDM_MAP, TDM_FILTER, TDM_FLAT_MAP or TDM_SPLIT was given. */
#define tdm_test_map(fn) tdm_test_function(&fn##_map.function, "map")
#define tdm_test_filter(fn) tdm_test_function(&fn##_filter.function, "filter")
#define tdm_test_flat_map(fn) tdm_test_function(&fn##_flat_map.function, "flat-map")
tdm_test *tdm_test_function(const tdm_function *function, const char *kind);
/* A process function alone, keyed by KEY. */
#define tdm_test_process(process, KEY) tdm_test_process_of(process, &KEY##_record)
tdm_test *tdm_test_process_of(const tdm_process *process, const tdm_record *key);
/* Watermarks that the job makes itself, as tdm_assign_event_time takes them, of one split. */
tdm_test *tdm_test_watermarks(tdm_watermarks watermarks);
void tdm_test_free(tdm_test *test);

/* ---- Records and time. ---- */

/* Gives a record to a source of a whole job; its event time is the field that the source declares, and watermarks follow as the plan says.
 */
#define tdm_test_push(test, source, T, ...) tdm_test_push_record(test, source, "out", &T##_record, &(const T){__VA_ARGS__})
#define tdm_test_push_variant(test, source, variant, T, ...) \
    tdm_test_push_record(test, source, variant, &T##_record, &(const T){__VA_ARGS__})
void tdm_test_push_record(tdm_test *test, const char *source, const char *port, const tdm_record *type, const void *record);
/* Gives lines in the source's format (for CSV without a header). */
void tdm_test_push_lines(tdm_test *test, const char *source, const char *text);
/* The content of a file, such as the job's sample input; a file that cannot be read ends the test program. */
const char *tdm_test_read_file(tdm_test *test, const char *path);
/* Whether a sink has been given the lines of a text, in any order; what differs is shown where it has not. Takes them. */
#define TDM_EXPECT_LINES(test, sink, text) tdm_test_expect_lines(test, sink, text, __FILE__, __LINE__)
bool tdm_test_expect_lines(tdm_test *test, const char *sink, const char *text, const char *file, int line);
/* Gives a record with an event time to an input of the one operator that is tested; of tdm_test_process with its key. */
#define tdm_test_give(test, input, time, T, ...) tdm_test_give_record(test, input, time, NULL, NULL, &T##_record, &(const T){__VA_ARGS__})
#define tdm_test_give_keyed(test, input, time, KEY, key, T, ...) \
    tdm_test_give_record(test, input, time, &KEY##_record, TDM_CHECKED_(KEY, key), &T##_record, &(const T){__VA_ARGS__})
void tdm_test_give_record(
    tdm_test *test, size_t input, int64_t time, const tdm_record *key_type, const void *key, const tdm_record *type, const void *record);
/* Shows the generator of tdm_test_watermarks a record with its event time. */
#define tdm_test_show(test, time, T, ...) tdm_test_show_record(test, time, &T##_record, &(const T){__VA_ARGS__})
void tdm_test_show_record(tdm_test *test, int64_t time, const tdm_record *type, const void *record);
/* Raises the watermark of the one operator. */
void tdm_test_watermark(tdm_test *test, int64_t watermark);
/* Sets the processing time. */
void tdm_test_set_now(tdm_test *test, int64_t now);
/* Ends all sources: every window closes and every event timer fires. */
void tdm_test_finish(tdm_test *test);
/* Exports the state that the job's code keeps, drops it and loads it again, as a restart from a checkpoint does. */
void tdm_test_restart(tdm_test *test);

/* ---- What came of it. ---- */

/* Takes what a sink has been given so far; as lines in its format. */
#define tdm_test_sink(test, name, T, count) ((const T *)tdm_test_sink_as(test, name, &T##_record, count))
const void *tdm_test_sink_as(tdm_test *test, const char *name, const tdm_record *type, size_t *count);
const char *const *tdm_test_sink_lines(tdm_test *test, const char *name, size_t *count);
/* Takes what has left an operator's port so far (`operator_name` NULL: the one that is tested) and, where asked for, the event times.
 * The main port is "out". */
#define tdm_test_output(test, operator_name, port, T, count, times) \
    ((const T *)tdm_test_output_as(test, operator_name, port, &T##_record, count, times))
const void *tdm_test_output_as(
    tdm_test *test, const char *operator_name, const char *port, const tdm_record *type, size_t *count, const int64_t **times);
/* The watermark of an operator (NULL: of the one that is tested); the least int64_t before the first. */
int64_t tdm_test_watermark_of(const tdm_test *test, const char *operator_name);
/* The timers that are set in the operator, the earliest first: `name@time name@time`. */
const char *tdm_test_timers(tdm_test *test, const char *operator_name);
/* Why records were refused, one reason a line, where the job goes on; and what was logged. */
const char *tdm_test_refused(const tdm_test *test);
const char *tdm_test_log(const tdm_test *test);
/* Lets the job fail: without it a refused record whose operator says TDM_FAIL, and tdm_abort, end the test program. NULL while it has not
 * failed; afterwards it takes nothing more. */
void tdm_test_allow_failure(tdm_test *test);
const char *tdm_test_failure(const tdm_test *test);

/* ---- JSON, as far as the kit reads it. ---- */

typedef struct tdm_json_value {
    /* 'o'bject, 'a'rray, 's'tring, 'n'umber, 'b'ool, '0' for null. */
    char kind;
    /* The name in an object. */
    tdm_text name;
    /* A string's content, a number's or bool's text. */
    tdm_text text;
    struct tdm_json_value *first, *next;
} tdm_json_value;
/* Reads one document; NULL when it is none. To be freed by tdm_json_free. */
tdm_json_value *tdm_json_read(tdm_text document);
void tdm_json_free(tdm_json_value *value);
/* A field of an object, the last one of this name; NULL when there is none, or no object. */
const tdm_json_value *tdm_json_get(const tdm_json_value *object, const char *name);

#endif
