//! Word count over the field `extra` of bids: a line `word,n` for every word, each time it is seen.

use tidemill::prelude::*;

use crate::events::{bids, lines};

#[derive(Record)]
struct Bid {
    extra: String,
}

#[derive(Record)]
struct Word {
    word: String,
}

pub(crate) fn query(job: &mut Job) -> Result {
    bids::<Bid>(job)
        .flat_map("words", |bid, words| bid.extra.split(' ').for_each(|word| words.emit_row((word,))))
        .key_by(Word::WORD)
        .count("count")
        .sink("results", lines());
    Ok(())
}
