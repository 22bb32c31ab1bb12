//! Counts words: a line `word,n` for every word, each time it is seen.

use tidemill::prelude::*;

#[derive(Record)]
struct Word {
    word: String,
}

#[tidemill::job]
fn wordcount(job: &mut Job) -> Result {
    job.source::<String>("lines", text().default("stdin:"))
        .flat_map("split", |line, words| line.split_whitespace().for_each(|word| words.emit(Word { word: word.to_lowercase() })))
        .key_by(Word::WORD)
        .count("count")
        .sink("counts", csv().default("stdout:"));
    Ok(())
}
