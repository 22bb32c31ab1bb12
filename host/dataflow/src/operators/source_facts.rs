//! What a source says of itself when it is asked: whether it reads, and how far its splits have come.

use std::time::Instant;

use tidemill_core::TimeMs;
use tidemill_core::connect::{Reader, SplitTime};
use tidemill_core::explain::{Pace, SourceFacts, SplitFacts};

use crate::board::by_clock;

/// Splits described at most on each worker, of a folder of thousands of files: the first of them explain everything.
const SPLITS_SHOWN: usize = 24;

/// What is noted while a source reads, a word for each block.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) pace: Pace,
    /// The split of the records that were read last, unless that has been noted.
    pub(super) split: Option<usize>,
    /// When each split was read last.
    read: Vec<Option<Instant>>,
}

impl Reading {
    /// A block has been read.
    pub(super) fn note(&mut self, at: Instant) {
        self.pace = Pace::Reading;
        if let Some(split) = self.split.take() {
            if self.read.len() <= split {
                self.read.resize(split + 1, None);
            }
            self.read[split] = Some(at);
        }
    }

    /// In words. `seen` tells what the source knows of a split beside its times.
    pub(super) fn facts(&self, reader: Option<&dyn Reader>, seen: impl Fn(usize, &SplitTime) -> Seen) -> SourceFacts {
        let splits = reader.map_or(&[][..], |reader| reader.splits());
        let seen: Vec<Seen> = splits.iter().enumerate().map(|(index, split)| seen(index, split)).collect();
        let of = |index: usize, split: &SplitTime| SplitFacts {
            name: reader.and_then(|reader| reader.split_name(index)).unwrap_or_else(|| (index + 1).to_string()),
            max_time: split.max_time,
            watermark: seen[index].watermark,
            generated: seen[index].generated,
            ended: split.ended,
            idle: seen[index].idle,
            aligned: seen[index].aligned,
            read_ms: self.read.get(index).copied().flatten().map(by_clock),
        };
        let open = splits.iter().filter(|split| !split.ended).count();
        SourceFacts {
            pace: self.pace,
            open,
            idle: seen.iter().filter(|seen| seen.idle).count(),
            ended: splits.len() - open,
            splits: shown(splits, &seen).into_iter().map(|index| of(index, &splits[index])).collect(),
            read_ms: self.read.iter().flatten().max().copied().map(by_clock),
        }
    }
}

/// What a source knows of a split that its reader does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// It holds nobody, as nothing comes from it.
    pub(super) idle: bool,
    pub(super) watermark: TimeMs,
    /// The component makes its watermarks.
    pub(super) generated: bool,
    /// It is not read, being too far ahead of others.
    pub(super) aligned: bool,
}

/// The splits to describe: those that are behind most, and the one that is furthest ahead.
fn shown(splits: &[SplitTime], seen: &[Seen]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..splits.len()).collect();
    order.sort_by_key(|&index| (splits[index].ended, seen[index].idle, seen[index].watermark, splits[index].max_time));
    let newest = order.iter().copied().max_by_key(|&index| splits[index].max_time);
    order.truncate(SPLITS_SHOWN);
    if let Some(newest) = newest.filter(|newest| !order.contains(newest)) {
        order.push(newest);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_splits_the_slowest_and_the_newest_are_shown() {
        let split = |index: usize| SplitTime { max_time: 1_000 - index as i64, ended: index < 2 };
        let splits: Vec<SplitTime> = (0..500).map(split).collect();
        let seen: Vec<Seen> = splits
            .iter()
            .enumerate()
            .map(|(i, s)| Seen { idle: i == 499, watermark: s.max_time - 1, generated: false, aligned: false })
            .collect();
        let shown = shown(&splits, &seen);
        assert_eq!((shown.len(), shown[0], shown.last()), (SPLITS_SHOWN + 1, 498, Some(&0)));
        assert!(!shown.contains(&499), "an idle one is behind all that hold");
    }
}
