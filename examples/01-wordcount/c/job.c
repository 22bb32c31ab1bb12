/* Counts words: a line `word,n` for every word, each time it is seen. */

#include "tidemill.h"

typedef struct {
    tdm_text word;
} word;
TDM_RECORD(word, word);

/* A word and how often it has been seen: what the host's count gives. */
typedef struct {
    tdm_text word;
    int64_t count;
} word_count;
TDM_RECORD(word_count, word, count);

/* Small letters are made of A to Z; the sample has no others. */
static tdm_status split(tdm_ctx *ctx, const tdm_text *line) {
    tdm_text rest = *line, found;
    while (tdm_next_word(&rest, &found)) tdm_emit(ctx, word, .word = tdm_ascii_lower(ctx, found));
    return TDM_OK;
}
TDM_FLAT_MAP(split, tdm_text, word);

static tdm_status wordcount(tdm_job *job) {
    tdm_stream lines = tdm_source(job, "lines", tdm_text, tdm_lines("stdin:"));
    tdm_stream words = tdm_flat_map(lines, "split", split);
    tdm_stream counts = tdm_count(tdm_key_by(words, TDM_OF(word, word)), "count", word_count);
    tdm_sink(counts, "counts", tdm_csv("stdout:"));
    return TDM_OK;
}
TDM_JOB(wordcount);
