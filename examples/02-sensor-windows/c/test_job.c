/* Tests of the job, natively; README.md of this example has the command. */

#include "job.c"
#include "tidemill_test.h"

static void a_window_is_averaged_once_event_time_has_passed_it(void) {
    tdm_test *test = tdm_test_job(sensor_averages);
    tdm_test_push(test, "readings", reading, TDM_TEXT("cellar"), 20.0, 1000);
    tdm_test_push(test, "readings", reading, TDM_TEXT("cellar"), 22.0, 9999);
    tdm_test_restart(test);
    size_t count;
    tdm_test_sink(test, "averages", average, &count);
    TDM_EXPECT(count == 0);
    tdm_test_push(test, "readings", reading, TDM_TEXT("cellar"), 30.0, 12000);
    const average *out = tdm_test_sink(test, "averages", average, &count);
    if (TDM_EXPECT(count == 1)) {
        TDM_EXPECT_TEXT(out[0].sensor, "cellar");
        TDM_EXPECT(out[0].celsius == 21.0 && out[0].until == 10000);
    }
    tdm_test_free(test);
}

static void the_sample_is_averaged(void) {
    tdm_test *test = tdm_test_job(sensor_averages);
    tdm_test_push_lines(test, "readings", tdm_test_read_file(test, "../input.jsonl"));
    tdm_test_finish(test);
    TDM_EXPECT_LINES(test, "averages", tdm_test_read_file(test, "../expected.jsonl"));
    tdm_test_free(test);
}

int main(void) {
    TDM_RUN(a_window_is_averaged_once_event_time_has_passed_it);
    TDM_RUN(the_sample_is_averaged);
    return tdm_test_done();
}
