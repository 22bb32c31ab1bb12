//! Who reads what: the book of a file source, shared by its readers. Arithmetic only, no files.
//!
//! A plain file is read in **stripes** by all workers. Stripes of a file are claimed in file order, so whatever a worker claims
//! later lies later in the file. That carries the watermarks: what a worker has read in a file, and what anyone has read in
//! the **prefix** (the stripes before the first one not yet complete), lies before all it will read there. A packed or
//! CSV file is one piece, claimed **whole**.
//!
//! The next claim goes to the file whose event time is furthest behind, so that files of one time range advance together.

use std::collections::{BTreeMap, VecDeque};

use tidemill_core::{TIME_MIN, TimeMs};

use super::position::{Crossing, Range, Rest};

/// The book. See the module.
#[derive(Debug)]
pub(crate) struct Claims {
    files: Vec<Marks>,
    stripe_bytes: u64,
    readers: usize,
    crossing: Crossing,
}

#[derive(Debug)]
struct Marks {
    whole: bool,
    /// What is left to claim, in file order.
    left: VecDeque<Range>,
    /// Records of a whole file to pass over, since they were read before a restore.
    skip: u64,
    /// Everything before is completely read.
    prefix: u64,
    prefix_time: TimeMs,
    /// Stripes that are complete while one before them is not: end and greatest time by beginning.
    done: BTreeMap<u64, (u64, TimeMs)>,
    /// The greatest time that anyone has read.
    seen: TimeMs,
}

/// Something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The lines that start in these bytes of a file.
    Stripe { file: usize, start: u64, end: u64 },
    /// A whole file, from now on this worker's own, but for so many records.
    Whole { file: usize, skip: u64 },
    /// Some more of a whole file that this worker has claimed before.
    Again { file: usize },
}

impl Claims {
    /// A book of files with these lengths in bytes, and whether each is read whole.
    pub(crate) fn new(files: impl Iterator<Item = (u64, bool)>, stripe_bytes: u64) -> Claims {
        let marks = |(len, whole)| Marks {
            whole,
            left: if len > 0 { VecDeque::from([(0, len)]) } else { VecDeque::new() },
            skip: 0,
            prefix: 0,
            prefix_time: TIME_MIN,
            done: BTreeMap::new(),
            seen: TIME_MIN,
        };
        Claims { files: files.map(marks).collect(), stripe_bytes, readers: 0, crossing: Crossing::default() }
    }

    /// Begins a file where a checkpoint found it.
    pub(super) fn restore(&mut self, file: usize, rest: Rest) {
        let marks = &mut self.files[file];
        // What lies between the ranges has been read: complete, as far as the prefix is concerned.
        let mut at = 0;
        for &(from, to) in &rest.ranges {
            if at < from {
                marks.done.insert(at, (from, TIME_MIN));
            }
            at = to;
        }
        (marks.left, marks.skip, marks.seen, marks.prefix_time) = (rest.ranges.into(), rest.skip, rest.time, rest.time);
        marks.grow_prefix();
    }

    /// One of `peers` readers begins. All count from now on: what is claimed before the others have begun is to be noted as well.
    pub(super) fn enter(&mut self, peers: usize) {
        self.readers = peers;
    }

    /// A reader comes to a boundary: how many have, and for each file what nobody has claimed before it.
    pub(super) fn cross(&mut self, boundary: u64, reader: usize) -> (usize, Vec<Vec<Range>>) {
        let order = self.crossing.pass(boundary, reader);
        let left = |(file, marks): (usize, &Marks)| {
            let mut left: Vec<Range> = self.crossing.after(file).chain(marks.left.iter().copied()).collect();
            left.sort_unstable();
            left
        };
        (order, self.files.iter().enumerate().map(left).collect())
    }

    /// A reader comes to its end: its place in the order, and for each file what nobody has claimed.
    pub(super) fn end(&mut self, reader: usize) -> (usize, Vec<Vec<Range>>) {
        let order = self.crossing.end(reader, self.readers);
        (order, self.files.iter().map(|marks| marks.left.iter().copied().collect()).collect())
    }

    /// Claims the next piece for a reader. `own` are the whole files it has open; `more` says whether it may open another; `held` are the
    /// files that it is to leave alone.
    pub(crate) fn claim(&mut self, reader: usize, own: &[usize], more: bool, held: &[bool]) -> Option<Claim> {
        let is_held = |file: usize| held.get(file).copied().unwrap_or_default();
        let candidates = self.files.iter().enumerate().filter(|(file, _)| !is_held(*file));
        let candidates = candidates.filter(|(file, marks)| own.contains(file) || (marks.left() && (more || !marks.whole)));
        let (file, _) = candidates.min_by_key(|(file, marks)| (marks.seen, !own.contains(file)))?;
        if own.contains(&file) {
            return Some(Claim::Again { file });
        }
        let marks = &mut self.files[file];
        let (start, end) = marks.left.pop_front().expect("something of the file is left");
        let stop = if marks.whole { end } else { end.min(start + self.stripe_bytes) };
        if stop < end {
            marks.left.push_front((stop, end));
        }
        self.crossing.claimed(reader, self.readers, file, (start, stop));
        Some(if marks.whole { Claim::Whole { file, skip: marks.skip } } else { Claim::Stripe { file, start, end: stop } })
    }

    /// Notes an event time read in a file.
    pub(crate) fn saw(&mut self, file: usize, time: TimeMs) {
        let seen = &mut self.files[file].seen;
        *seen = time.max(*seen);
    }

    /// Notes that a stripe is completely read; `time` is the greatest its reader has met in the file.
    pub(crate) fn complete(&mut self, file: usize, start: u64, end: u64, time: TimeMs) {
        let marks = &mut self.files[file];
        marks.done.insert(start, (end, time));
        marks.grow_prefix();
    }

    /// Whether anything of the file is left to claim.
    pub(crate) fn left(&self, file: usize) -> bool {
        self.files[file].left()
    }

    /// The greatest event time in the prefix of a file.
    pub(crate) fn prefix_time(&self, file: usize) -> TimeMs {
        self.files[file].prefix_time
    }
}

impl Marks {
    fn left(&self) -> bool {
        !self.left.is_empty()
    }

    fn grow_prefix(&mut self) {
        while let Some((end, time)) = self.done.remove(&self.prefix) {
            self.prefix = end;
            self.prefix_time = self.prefix_time.max(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_come_in_file_order_and_end() {
        let mut claims = Claims::new([(25, false)].into_iter(), 10);
        let stripe = |start, end| Some(Claim::Stripe { file: 0, start, end });
        assert_eq!(claims.claim(0, &[], true, &[]), stripe(0, 10));
        assert_eq!(claims.claim(0, &[], true, &[]), stripe(10, 20));
        assert!(claims.left(0));
        assert_eq!(claims.claim(0, &[], true, &[]), stripe(20, 25));
        assert!(!claims.left(0));
        assert_eq!(claims.claim(0, &[], true, &[]), None);
    }

    #[test]
    fn the_prefix_grows_only_without_gaps() {
        let mut claims = Claims::new([(30, false)].into_iter(), 10);
        for _ in 0..3 {
            claims.claim(0, &[], true, &[]);
        }
        claims.complete(0, 10, 20, 200);
        assert_eq!(claims.prefix_time(0), TIME_MIN);
        claims.complete(0, 0, 10, 100);
        assert_eq!(claims.prefix_time(0), 200);
        claims.complete(0, 20, 30, 150);
        assert_eq!(claims.prefix_time(0), 200);
    }

    #[test]
    fn the_file_that_is_behind_is_read_next() {
        let mut claims = Claims::new([(100, false), (100, false), (0, false)].into_iter(), 10);
        let file = |claim| match claim {
            Some(Claim::Stripe { file, .. } | Claim::Whole { file, .. } | Claim::Again { file }) => file,
            None => panic!("something is left"),
        };
        assert_eq!(file(claims.claim(0, &[], true, &[])), 0);
        claims.saw(0, 50);
        assert_eq!(file(claims.claim(0, &[], true, &[])), 1, "a file not started comes first");
        claims.saw(1, 70);
        assert_eq!(file(claims.claim(0, &[], true, &[])), 0);
        claims.saw(0, 90);
        assert_eq!(file(claims.claim(0, &[], true, &[])), 1);
    }

    #[test]
    fn whole_files_belong_to_one_worker() {
        let mut claims = Claims::new([(5, true), (5, true)].into_iter(), 10);
        assert_eq!(claims.claim(0, &[], true, &[]), Some(Claim::Whole { file: 0, skip: 0 }));
        assert_eq!(claims.claim(0, &[0], false, &[]), Some(Claim::Again { file: 0 }));
        assert_eq!(claims.claim(0, &[0], true, &[]), Some(Claim::Again { file: 0 }), "without times one file after the other");
        claims.saw(0, 10);
        assert_eq!(claims.claim(0, &[0], true, &[]), Some(Claim::Whole { file: 1, skip: 0 }));
        assert_eq!(claims.claim(0, &[], true, &[]), None);
    }
}
