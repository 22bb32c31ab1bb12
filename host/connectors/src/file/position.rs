//! Where the readers of a file source stand at a boundary, and how all of them together begin again, however many there are.
//!
//! Readers come to a boundary one after the other, and one that has passed it may claim stripes before the last has come to it. So
//! the book notes what is claimed from behind the boundary ([`Crossing`]), and each reader's position holds the rest of its own stripe and
//! what the book said at that moment. **The last position in the order of arrival tells what nobody had claimed before the boundary; with
//! the open stripes of all it is exactly what has not been read.**
//!
//! A reader that comes to its end, of the input or because the job stops, says once more where it stands, for every boundary to come. That
//! is behind the boundary it passed last, and so is what it has claimed since: nothing of it is left but what it has open itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tidemill_core::connect::Error;
use tidemill_core::{TIME_MIN, TimeMs};

/// Bytes of a file: lines that start in them are meant.
pub(super) type Range = (u64, u64);

/// The book's note of one boundary.
#[derive(Debug, Default)]
pub(super) struct Crossing {
    boundary: u64,
    passed: BTreeSet<usize>,
    /// What readers that have passed have claimed since.
    after: Vec<(usize, Range)>,
    /// Readers that have come to their end.
    gone: BTreeSet<usize>,
}

impl Crossing {
    /// A reader comes to a boundary; answers how many have come to it, itself included.
    pub(super) fn pass(&mut self, boundary: u64, reader: usize) -> usize {
        if self.boundary != boundary {
            self.boundary = boundary;
            self.passed.clear();
            self.after.clear();
        }
        self.passed.insert(reader);
        self.passed.len()
    }

    /// One of so many readers comes to its end; answers its place in the order, behind all that have come to the boundary.
    pub(super) fn end(&mut self, reader: usize, readers: usize) -> usize {
        self.gone.insert(reader);
        readers + self.gone.len()
    }

    /// One of so many readers claims something. Once all have passed nobody will ask.
    pub(super) fn claimed(&mut self, reader: usize, readers: usize, file: usize, range: Range) {
        let is_to_come = |other: usize| !self.passed.contains(&other) && !self.gone.contains(&other);
        if self.passed.contains(&reader) && (0..readers).any(is_to_come) {
            self.after.push((file, range));
        }
    }

    /// What has been claimed of a file from behind the boundary.
    pub(super) fn after(&self, file: usize) -> impl Iterator<Item = Range> + '_ {
        self.after.iter().filter(move |(f, _)| *f == file).map(|(_, range)| *range)
    }
}

/// Where one reader stands.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Position {
    /// The last that it has come to.
    pub(super) boundary: u64,
    /// How many readers had come to the boundary then; of one at its end, more than that.
    pub(super) order: usize,
    /// The reader has nothing more to read.
    pub(super) ended: bool,
    pub(super) files: Vec<FilePosition>,
}

/// Where one reader stands in one file.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct FilePosition {
    pub(super) name: String,
    pub(super) len: u64,
    /// The split's greatest event time on this reader.
    pub(super) time: TimeMs,
    /// The rest of the stripe it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) open: Option<Range>,
    /// Records read of a file that it reads whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) records: Option<u64>,
    /// What nobody had claimed before the boundary, as far as the book knew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) left: Vec<Range>,
}

/// What is to be read of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// In file order, none touching another.
    pub(super) ranges: Vec<Range>,
    /// Records to pass over, in a file that is read whole.
    pub(super) skip: u64,
    /// What every reader had read at least up to.
    pub(super) time: TimeMs,
}

/// The texts that readers gave.
pub(super) fn parse(positions: &[String]) -> Result<Vec<Position>, Error> {
    let parsed: Result<Vec<Position>, _> = positions.iter().map(|text| serde_json::from_str(text)).collect();
    parsed.map_err(|e| {
        Error::Binding(format!("the checkpoint's positions are not those of a file source: {e}; was the binding of another kind?"))
    })
}

/// What is left of the file `name`, which has `len` bytes now.
pub(super) fn rest(positions: &[Position], name: &str, len: u64) -> Result<Rest, Error> {
    let here = || positions.iter().filter_map(|p| Some((p, p.files.iter().find(|f| f.name == name)?)));
    let Some((_, last)) = here().max_by_key(|(p, _)| (p.boundary, p.order)) else {
        return Ok(Rest { ranges: Vec::new(), skip: 0, time: TIME_MIN });
    };
    let mut ranges: Vec<Range> =
        last.left.iter().copied().chain(here().filter_map(|(_, f)| f.open)).filter(|(from, to)| from < to).collect();
    let skip = here().find_map(|(_, f)| f.records);
    if skip.is_some() {
        ranges = vec![(0, last.len)];
    }
    if len < last.len && !ranges.is_empty() {
        return Err(Error::Binding(format!(
            "{name} had {} bytes when the checkpoint was taken and has {len} now: a job goes on only with files that have not become shorter",
            last.len
        )));
    }
    ranges.sort_unstable();
    ranges.dedup();
    let time = here().filter(|(p, _)| !p.ended).map(|(_, f)| f.time).min().unwrap_or(TIME_MIN);
    Ok(Rest { ranges, skip: skip.unwrap_or(0), time })
}

/// Every file in which something is left has to be there.
pub(super) fn missing(positions: &[Position], there: impl Fn(&str) -> bool) -> Option<&str> {
    let names: BTreeSet<&str> = positions.iter().flat_map(|p| &p.files).map(|f| f.name.as_str()).collect();
    let is_left = |name: &str| rest(positions, name, u64::MAX).is_ok_and(|rest| !rest.ranges.is_empty());
    names.into_iter().find(|name| !there(name) && is_left(name))
}
