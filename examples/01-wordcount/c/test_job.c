/* Tests of the job, natively; README.md of this example has the command. */

#include "job.c"
#include "tidemill_test.h"

static void every_word_gives_its_count_so_far(void) {
    tdm_test *test = tdm_test_job(wordcount);
    tdm_test_push(test, "lines", tdm_text, "The tide   the", 14);
    TDM_EXPECT_LINES(test, "counts", "the,1\ntide,1\nthe,2\n");
    tdm_test_free(test);
}

static void a_line_without_words_gives_nothing(void) {
    tdm_test *test = tdm_test_flat_map(split);
    tdm_test_give(test, 0, 0, tdm_text, " \t ", 3);
    size_t count;
    tdm_test_output(test, NULL, "out", word, &count, NULL);
    TDM_EXPECT(count == 0);
    tdm_test_free(test);
}

static void the_sample_is_counted(void) {
    tdm_test *test = tdm_test_job(wordcount);
    tdm_test_push_lines(test, "lines", tdm_test_read_file(test, "../input.txt"));
    tdm_test_finish(test);
    TDM_EXPECT_LINES(test, "counts", tdm_test_read_file(test, "../expected.csv"));
    tdm_test_free(test);
}

int main(void) {
    TDM_RUN(every_word_gives_its_count_so_far);
    TDM_RUN(a_line_without_words_gives_nothing);
    TDM_RUN(the_sample_is_counted);
    return tdm_test_done();
}
