//! Reading parts. Nothing that a file says is believed before its checksum has been compared, nothing is allocated by a length
//! that the file does not have, and every damage is an error with its place.

use std::ops::Range;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tidemill_core::block::Block;
use tidemill_core::checkpoint::page_schema;
use tidemill_core::checkpoint::protocol::{self, Object};
use tidemill_core::schema::Schema;

use super::{ENTRY, Entry, FOOTER, Footer, HEADER_FIXED, Header, wrong_sum};
use crate::error::Error;
use crate::manifest::Part;
use crate::rows;
use crate::store::Store;

/// Bytes fetched at once when runs are read one after the other: an object store charges by the call, in money and in time.
const WINDOW: u64 = 4 << 20;

/// Reads the runs of one part.
pub(crate) struct Reader {
    store: Store,
    file: String,
    schema: Schema,
    header: Header,
    runs: Vec<Entry>,
    /// Where the runs end.
    end: u64,
    /// What was fetched last, and where it lies in the file.
    window: (u64, Bytes),
}

impl Reader {
    /// Opens a part that a manifest names; `operator` and `state` are what the manifest says of it.
    pub(crate) fn open(store: &Store, part: &Part, operator: &str, state: &Schema) -> Result<Reader, Error> {
        let path = part.path();
        let file = path.as_str();
        let (runs, header, window) = ends(store, file, part.bytes)?;
        let rows: u64 = runs.0.iter().map(|run| run.rows).sum();
        let groups = runs.0.first().zip(runs.0.last()).map(|(first, last)| (first.groups.0, last.groups.1));
        if header.operator != operator || header.state != state.to_string() {
            let text = format!("the part is of operator {:?} with state {:?}", header.operator, header.state);
            return Err(Error::damaged(file, HEADER_FIXED as u64, text));
        }
        if rows != part.rows || groups != Some(part.groups) {
            return Err(Error::damaged(file, runs.1, "the index is not that of the part which the manifest means"));
        }
        Ok(Reader { store: store.clone(), file: file.to_owned(), schema: page_schema(state), header, runs: runs.0, end: runs.1, window })
    }

    /// Opens a part by what it says of itself.
    fn open_unknown(store: &Store, file: &str, bytes: u64) -> Result<Reader, Error> {
        let ((runs, end), header, window) = ends(store, file, bytes)?;
        let state: Schema =
            header.state.parse().map_err(|e| Error::damaged(file, HEADER_FIXED as u64, format!("its state is no schema: {e}")))?;
        Ok(Reader { store: store.clone(), file: file.to_owned(), schema: page_schema(&state), header, runs, end, window })
    }

    /// The index of the first run that may have rows of this group or a later one.
    pub(crate) fn first_run(&self, group: u32) -> usize {
        self.runs.partition_point(|run| run.groups.1 < group)
    }

    /// The entry of a run.
    pub(crate) fn entry(&self, index: usize) -> Option<Entry> {
        self.runs.get(index).copied()
    }

    /// Compares every checksum, without looking at the rows.
    pub(crate) fn check_sums(&mut self) -> Result<(), Error> {
        for index in 0..self.runs.len() {
            self.bytes_of(self.runs[index])?;
        }
        Ok(())
    }

    fn bytes_of(&mut self, run: Entry) -> Result<Bytes, Error> {
        let bytes = self.fetch(run.offset..run.offset + run.length)?;
        match crc32c::crc32c(&bytes) == run.sum {
            true => Ok(bytes),
            false => Err(wrong_sum(&self.file, run.offset, bytes.len())),
        }
    }

    /// The pages of a run.
    pub(crate) fn pages(&mut self, run: Entry) -> Result<Vec<Block>, Error> {
        let bytes = self.bytes_of(run)?;
        let damaged = |at: usize, what: String| Err(Error::damaged(&self.file, run.offset + at as u64, what));
        let (mut pages, mut at, mut count) = (Vec::new(), 0, 0);
        while at < bytes.len() {
            let rest = bytes.len() - at;
            let length = if rest < 16 { 0 } else { super::u32_at(&bytes, at + 12) as usize };
            if length == 0 || length > rest {
                return damaged(at, format!("a page of {length} bytes where {rest} are left"));
            }
            let page = match Block::from_bytes(bytes[at..at + length].to_vec(), &self.schema) {
                Ok(page) => page,
                Err(error) => return damaged(at, error.to_string()),
            };
            if !rows::within(&page, run.groups) {
                return damaged(at, format!("a row of another key group than {} to {}", run.groups.0, run.groups.1));
            }
            count += page.rows() as u64;
            at += length;
            pages.push(page);
        }
        if count != run.rows {
            return damaged(0, format!("{count} rows where the index has {}", run.rows));
        }
        Ok(pages)
    }

    /// A range of the file: from the window, which is moved on when it has not got it.
    fn fetch(&mut self, range: Range<u64>) -> Result<Bytes, Error> {
        let (from, window) = &self.window;
        if range.start < *from || range.end > from + window.len() as u64 {
            let end = range.end.max(self.end.min(range.start + WINDOW));
            self.window = (range.start, self.store.read_range(&self.file, range.start..end)?);
        }
        let (from, window) = &self.window;
        Ok(window.slice((range.start - from) as usize..(range.end - from) as usize))
    }
}

/// Header and index of a file, where its runs end, and what of the file has been fetched for that.
type Ends = ((Vec<Entry>, u64), Header, (u64, Bytes));

/// Reads the two ends of a file of `total` bytes: one call when it is short, else three.
fn ends(store: &Store, file: &str, total: u64) -> Result<Ends, Error> {
    if total < (HEADER_FIXED + FOOTER) as u64 {
        return Err(Error::damaged(file, total, "the file is shorter than any part"));
    }
    let head = store.read_range(file, 0..total.min(WINDOW))?;
    let length = Header::length(file, &head)?;
    if length > head.len() {
        return Err(Error::damaged(file, 12, format!("a header of {length} bytes in a file of {total}")));
    }
    let header = Header::decode(file, &head[..length])?;
    let tail = |range: Range<u64>| match range.end <= head.len() as u64 {
        true => Ok(head.slice(range.start as usize..range.end as usize)),
        false => store.read_range(file, range),
    };
    let footer = Footer::decode(file, &tail(total - FOOTER as u64..total)?, total)?;
    let index = tail(footer.index..total - FOOTER as u64)?;
    if crc32c::crc32c(&index) != footer.index_sum {
        return Err(wrong_sum(file, footer.index, index.len()));
    }
    let runs: Vec<Entry> = index.chunks_exact(ENTRY).map(Entry::decode).collect();
    check_index(file, &runs, &header, length as u64, footer.index)?;
    Ok(((runs, footer.index), header, (0, head)))
}

/// The runs ascend by group and fill the file from the header to the index.
fn check_index(file: &str, runs: &[Entry], header: &Header, start: u64, end: u64) -> Result<(), Error> {
    let mut at = start;
    let mut groups = 0..header.groups;
    for (entry, run) in runs.iter().enumerate() {
        let (first, last) = run.groups;
        if first > last || !groups.contains(&first) || last >= header.groups || run.offset != at || run.length == 0 || run.rows == 0 {
            return Err(Error::damaged(file, end + (entry * ENTRY) as u64, "an entry of the index that no writer makes"));
        }
        groups.start = last + 1;
        at = match at.checked_add(run.length) {
            Some(next) if next <= end => next,
            _ => return Err(Error::damaged(file, end + (entry * ENTRY) as u64, "an entry of the index leaves the file")),
        };
    }
    if at != end { Err(Error::damaged(file, at, "bytes that belong to no run")) } else { Ok(()) }
}

/// What a part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The operator.
    pub operator: String,
    /// The columns of its state, as text.
    pub state: String,
    /// The first and the last key group that has rows.
    pub groups: Option<(u32, u32)>,
    /// Rows, also those that say that state is gone.
    pub rows: u64,
}

/// Reads every byte of a part of `bytes` bytes and checks all that its format promises.
///
/// # Errors
/// The first damage, by its place, or what the storage says.
pub fn examine(store: &Store, file: &str, bytes: u64) -> Result<Summary, Error> {
    let mut reader = Reader::open_unknown(store, file, bytes)?;
    for index in 0..reader.runs.len() {
        let run = reader.runs[index];
        let pages = reader.pages(run)?;
        if !rows::ascend(&pages) {
            return Err(Error::damaged(file, run.offset, "the rows are not in order"));
        }
    }
    let named = Object::Part(protocol::Part { stamp: reader.header.stamp, hash: Sha256::digest(store.read(file)?).into() }).path();
    if named != file {
        return Err(Error::damaged(file, 0, format!("the bytes are those of {named}")));
    }
    Ok(Summary {
        groups: reader.runs.first().zip(reader.runs.last()).map(|(first, last)| (first.groups.0, last.groups.1)),
        rows: reader.runs.iter().map(|run| run.rows).sum(),
        operator: reader.header.operator,
        state: reader.header.state,
    })
}
