//! Writing parts: runs come group by group, and a part is closed when it is long enough.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tidemill_core::checkpoint::protocol::{self, Object, Stamp};
use tidemill_core::schema::Schema;

use super::{ENTRY, Entry, FOOTER, Footer, Header};
use crate::error::Error;
use crate::manifest::Part;
use crate::rows::{RUN_BYTES, Run};
use crate::store::Store;

/// A part is closed once it is this long: it is held in memory until its hash, which is its name, is known. Only a
/// single key group can make one much longer.
pub(crate) const PART_BYTES: usize = 8 << 20;

/// For whom and when parts are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) stamp: Stamp,
    /// Key groups of the job.
    pub(crate) groups: u32,
}

/// Writes the state of one operator as a layer of parts.
pub(crate) struct Writer<'a> {
    store: &'a Store,
    header: Header,
    /// The part being written: its bytes and runs.
    bytes: Vec<u8>,
    runs: Vec<Entry>,
    done: Vec<Part>,
    part_bytes: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(store: &'a Store, origin: Origin, operator: &str, state: &Schema) -> Writer<'a> {
        let header = Header { stamp: origin.stamp, groups: origin.groups, operator: operator.to_owned(), state: state.to_string() };
        Writer { store, header, bytes: Vec::new(), runs: Vec::new(), done: Vec::new(), part_bytes: PART_BYTES }
    }

    /// Closes parts at another length.
    #[cfg(test)]
    pub(crate) fn part_bytes(mut self, bytes: usize) -> Self {
        self.part_bytes = bytes;
        self
    }

    /// Adds a run; their groups ascend, and none has a group of another.
    pub(crate) fn run(&mut self, Run { groups, pages }: &Run) -> Result<(), Error> {
        if self.bytes.is_empty() {
            self.bytes.reserve(self.part_bytes + 2 * RUN_BYTES);
            self.bytes.extend_from_slice(&self.header.encode());
        }
        let offset = self.bytes.len();
        pages.iter().for_each(|page| self.bytes.extend_from_slice(page.as_bytes()));
        self.runs.push(Entry {
            groups: *groups,
            sum: crc32c::crc32c(&self.bytes[offset..]),
            offset: offset as u64,
            length: (self.bytes.len() - offset) as u64,
            rows: pages.iter().map(|page| page.rows() as u64).sum(),
        });
        if self.bytes.len() >= self.part_bytes { self.close() } else { Ok(()) }
    }

    /// Closes the last part; returns the layer.
    pub(crate) fn finish(mut self) -> Result<Vec<Part>, Error> {
        self.close()?;
        Ok(self.done)
    }

    fn close(&mut self) -> Result<(), Error> {
        let (Some(first), Some(last)) = (self.runs.first(), self.runs.last()) else { return Ok(()) };
        let groups = (first.groups.0, last.groups.1);
        let mut bytes = std::mem::take(&mut self.bytes);
        let index = bytes.len();
        self.runs.iter().for_each(|run| run.encode(&mut bytes));
        let footer = Footer {
            index: index as u64,
            entries: self.runs.len() as u32,
            index_sum: crc32c::crc32c(&bytes[index..]),
            total: (index + ENTRY * self.runs.len() + FOOTER) as u64,
        };
        footer.encode(&mut bytes);
        let name = protocol::Part { stamp: self.header.stamp, hash: Sha256::digest(&bytes).into() };
        let part = Part { name, bytes: bytes.len() as u64, rows: self.runs.iter().map(|run| run.rows).sum(), groups };
        let bytes = Bytes::from(bytes);
        self.store.put(&Object::Part(name).path(), bytes.clone())?;
        // The next part goes where this one was, unless the store still has a hold on it: new memory costs more than writing does.
        if let Ok(mut again) = bytes.try_into_mut() {
            again.clear();
            self.bytes = again.into();
        }
        self.runs.clear();
        self.done.push(part);
        Ok(())
    }
}
