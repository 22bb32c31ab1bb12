//! Counts words: a line `word,n` for every word, each time it is seen.

use tidemill::prelude::*;

#[derive(Record)]
struct Word {
    word: String,
}

/// The job.
#[tidemill::job]
pub fn wordcount(job: &mut Job) -> Result {
    job.source::<String>("lines", text().default("stdin:"))
        .flat_map("split", |line, words| line.split_whitespace().for_each(|word| words.emit(Word { word: word.to_lowercase() })))
        .key_by(Word::WORD)
        .count("count")
        .sink("counts", csv().default("stdout:"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidemill::testing;

    use super::wordcount;

    #[test]
    fn every_word_gives_its_count_so_far() {
        let mut test = testing::job(wordcount).start();
        test.push("lines", "The tide   the".to_owned());
        assert_eq!(test.sink_lines("counts"), ["the,1", "tide,1", "the,2"]);
    }

    #[test]
    fn a_line_without_words_gives_nothing() {
        let mut test = testing::job(wordcount).start();
        test.push("lines", " \t ".to_owned());
        assert!(test.sink_lines("counts").is_empty());
    }

    #[test]
    fn the_sample_is_counted() {
        let mut test = testing::job(wordcount).start();
        test.push_lines("lines", include_str!("../../input.txt"));
        test.finish();
        let mut lines = test.sink_lines("counts");
        lines.sort();
        assert_eq!(lines, include_str!("../../expected.csv").lines().collect::<Vec<_>>());
    }
}
