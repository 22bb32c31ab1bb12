/* Tests of the job, natively; README.md of this example has the command. */

#include "job.c"
#include "tidemill_test.h"

static void a_device_is_silent_thirty_seconds_after_its_last_signal(void) {
    tdm_test *test = tdm_test_job(inactivity_alerts);
    static const signal signals[] = {{TDM_TEXT("pump"), 0}, {TDM_TEXT("fan"), 1000}, {TDM_TEXT("pump"), 20000}, {TDM_TEXT("fan"), 60000}};
    for (size_t i = 0; i < 4; i++) {
        tdm_test_push(test, "signals", signal, signals[i].device, signals[i].at);
        tdm_test_restart(test);
    }
    TDM_EXPECT_LINES(test, "alerts",
        "{\"device\":\"fan\",\"silent_since\":1000,\"signals\":1}\n"
        "{\"device\":\"pump\",\"silent_since\":20000,\"signals\":2}\n");
    tdm_test_finish(test);
    TDM_EXPECT_LINES(test, "alerts", "{\"device\":\"fan\",\"silent_since\":60000,\"signals\":1}\n");
    tdm_test_free(test);
}

static void a_signal_waits_in_state_for_the_watermark(void) {
    tdm_test *test = tdm_test_process(&watch, tdm_text);
    const tdm_text fan = TDM_TEXT("fan");
    tdm_test_give_keyed(test, 0, 5000, tdm_text, &fan, signal, fan, 5000);
    tdm_test_give_keyed(test, 0, 1000, tdm_text, &fan, signal, fan, 1000);
    TDM_EXPECT_STRING(tdm_test_timers(test, NULL), "wake@1000 wake@5000");
    tdm_test_watermark(test, 2000);
    TDM_EXPECT_STRING(tdm_test_timers(test, NULL), "wake@5000 wake@31001");
    tdm_test_watermark(test, 40000);
    size_t count;
    const alert *out = tdm_test_output(test, NULL, "out", alert, &count, NULL);
    TDM_EXPECT(count == 1 && out[0].silent_since == 5000 && out[0].signals == 2);
    TDM_EXPECT_STRING(tdm_test_timers(test, NULL), "");
    tdm_test_free(test);
}

static void the_sample_gives_its_alerts(void) {
    tdm_test *test = tdm_test_job(inactivity_alerts);
    tdm_test_push_lines(test, "signals", tdm_test_read_file(test, "../input.jsonl"));
    tdm_test_finish(test);
    TDM_EXPECT_LINES(test, "alerts", tdm_test_read_file(test, "../expected.jsonl"));
    tdm_test_free(test);
}

int main(void) {
    TDM_RUN(a_device_is_silent_thirty_seconds_after_its_last_signal);
    TDM_RUN(a_signal_waits_in_state_for_the_watermark);
    TDM_RUN(the_sample_gives_its_alerts);
    return tdm_test_done();
}
