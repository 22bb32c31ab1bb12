/* Tests of the job, natively; README.md of this example has the command. */

#include "job.c"
#include "tidemill_test.h"

static void a_tie_is_broken_by_name_and_the_fourth_is_left_out(void) {
    tdm_test *test = tdm_test_job(top_products);
    static const sale sales[] = {
        {TDM_TEXT("tea"), 5, 1000}, {TDM_TEXT("milk"), 7, 1000}, {TDM_TEXT("bread"), 5, 1000}, {TDM_TEXT("eggs"), 1, 1000}};
    for (size_t i = 0; i < 4; i++) tdm_test_push(test, "sales", sale, sales[i].product, sales[i].amount, sales[i].at);
    tdm_test_restart(test);
    tdm_test_finish(test);
    TDM_EXPECT_LINES(test, "top", "60000,1,milk,7\n60000,2,bread,5\n60000,3,tea,5\n");
    tdm_test_free(test);
}

static void the_sample_is_ranked(void) {
    tdm_test *test = tdm_test_job(top_products);
    tdm_test_push_lines(test, "sales", tdm_test_read_file(test, "../input.jsonl"));
    tdm_test_finish(test);
    TDM_EXPECT_LINES(test, "top", tdm_test_read_file(test, "../expected.csv"));
    tdm_test_free(test);
}

int main(void) {
    TDM_RUN(a_tie_is_broken_by_name_and_the_fourth_is_left_out);
    TDM_RUN(the_sample_is_ranked);
    return tdm_test_done();
}
