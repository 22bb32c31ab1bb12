/* Every query over the sample, against what an independent batch program made of it. */

#include "job.c"
#include "tidemill_test.h"

#include <stdio.h>

/* Half way the job is restarted from its state. */
static void expect(const char *query) {
    tdm_test *test = tdm_test_job(nexmark, "query", query);
    char expected[100];
    snprintf(expected, sizeof expected, "../expected/%s.txt", query);
    tdm_text events = tdm_str(tdm_test_read_file(test, "../input.json"));
    char *half = strchr(events.ptr + events.len / 2, '\n');
    *half = 0;
    tdm_test_push_lines(test, "events", events.ptr);
    tdm_test_restart(test);
    tdm_test_push_lines(test, "events", half + 1);
    tdm_test_finish(test);
    TDM_EXPECT_LINES(test, "results", tdm_test_read_file(test, expected));
    tdm_test_free(test);
}

static void q0_passes_every_bid(void) { expect("q0"); }
static void q1_converts_prices(void) { expect("q1"); }
static void q4_averages_winning_bids(void) { expect("q4"); }
static void q8_finds_new_sellers(void) { expect("q8"); }

static void an_unknown_query_is_named_with_those_that_are_there(void) {
    TDM_EXPECT_STRING(tdm_test_error(nexmark, "query", "q6"), "unknown query \"q6\": there are q0, q1, q4, q8");
}

int main(void) {
    TDM_RUN(q0_passes_every_bid);
    TDM_RUN(q1_converts_prices);
    TDM_RUN(q4_averages_winning_bids);
    TDM_RUN(q8_finds_new_sellers);
    TDM_RUN(an_unknown_query_is_named_with_those_that_are_there);
    return tdm_test_done();
}
