//! Writing parts: runs come group by group, and a part is closed when it is long enough.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tidemill_core::block::Block;
use tidemill_core::checkpoint::protocol::{self, Object, Stamp};
use tidemill_core::schema::Schema;

use super::{ENTRY, FOOTER, Footer, Header, Run};
use crate::error::Error;
use crate::manifest::Part;
use crate::store::Store;

/// A part is closed once it is this long: it is held in memory until its hash, which is its name, is known. Only a single
/// key group can make one longer.
pub(crate) const PART_BYTES: usize = 32 << 20;

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
    runs: Vec<Run>,
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

    /// Adds the run of a group; groups ascend. No page is no run.
    pub(crate) fn run(&mut self, group: u32, pages: &[Block]) -> Result<(), Error> {
        if pages.is_empty() {
            return Ok(());
        }
        if self.bytes.is_empty() {
            self.bytes = self.header.encode();
        }
        let offset = self.bytes.len();
        pages.iter().for_each(|page| self.bytes.extend_from_slice(page.as_bytes()));
        self.runs.push(Run {
            group,
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
        let groups = (first.group, last.group);
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
        self.store.put(&Object::Part(name).path(), Bytes::from(bytes))?;
        self.runs.clear();
        self.done.push(part);
        Ok(())
    }
}
