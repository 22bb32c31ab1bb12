//! Parts: files of keyed state, the rows of some key groups of one operator (`docs/formats/checkpoint.md`).
//!
//! A part is a header, a **run** of pages for each key group that has rows, an index of the runs, and a footer. Every byte is under
//! a checksum, and each run can be read alone. In a run the rows are sorted by key and namespace and none stands twice,
//! so that runs can be merged and searched. This file has the layout; all numbers are little-endian.

mod read;
mod write;

pub(crate) use read::Reader;
pub use read::{Summary, examine};
pub(crate) use write::{Origin, Writer};

use tidemill_core::checkpoint::protocol::Stamp;
use tidemill_core::checkpoint::{CheckpointId, Generation};

use crate::error::Error;

/// The first eight bytes.
const MAGIC: [u8; 8] = *b"TMILPART";
/// The last four bytes.
const END: [u8; 4] = *b"TMEF";
/// The format this release writes and reads.
const FORMAT: u32 = 1;
/// Bytes of a header before its texts.
const HEADER_FIXED: usize = 48;
/// Bytes of a header at most: a name and a schema of [`tidemill_core::schema`]'s limits fit many times.
const HEADER_MAX: usize = 1 << 20;
/// Bytes of one entry of the index.
const ENTRY: usize = 32;
/// Bytes of the footer.
const FOOTER: usize = 32;
/// Key groups of a job at most; bounds the index before it is read.
pub(crate) const GROUPS_MAX: u32 = 1 << 16;

/// What a part says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The attempt that wrote it.
    pub(crate) stamp: Stamp,
    /// Key groups of the job.
    pub(crate) groups: u32,
    pub(crate) operator: String,
    /// The columns of the state, as text.
    pub(crate) state: String,
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let length = (HEADER_FIXED + self.operator.len() + self.state.len() + 4).next_multiple_of(8);
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&(length as u32).to_le_bytes());
        out.extend_from_slice(&self.stamp.checkpoint.0.to_le_bytes());
        out.extend_from_slice(&self.stamp.generation.0.to_le_bytes());
        out.extend_from_slice(&self.groups.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(self.operator.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.state.len() as u32).to_le_bytes());
        out.extend_from_slice(self.operator.as_bytes());
        out.extend_from_slice(self.state.as_bytes());
        out.resize(length - 4, 0);
        let sum = crc32c::crc32c(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// The length that the first bytes of a file state for its header, if they can be those of a part of this format.
    fn length(file: &str, bytes: &[u8]) -> Result<usize, Error> {
        if bytes.len() < HEADER_FIXED || bytes[..8] != MAGIC {
            return Err(Error::damaged(file, 0, "these are not the first bytes of a part"));
        }
        let length = u32_at(bytes, 12) as usize;
        if !(HEADER_FIXED + 4..=HEADER_MAX).contains(&length) || !length.is_multiple_of(8) {
            return Err(Error::damaged(file, 12, format!("a header of {length} bytes")));
        }
        Ok(length)
    }

    /// Reads a header of exactly these bytes.
    fn decode(file: &str, bytes: &[u8]) -> Result<Header, Error> {
        let sum_at = bytes.len() - 4;
        if crc32c::crc32c(&bytes[..sum_at]) != u32_at(bytes, sum_at) {
            return Err(wrong_sum(file, 0, sum_at));
        }
        let format = u32_at(bytes, 8);
        if format != FORMAT {
            return Err(Error::Newer { file: file.to_owned(), found: format, known: FORMAT });
        }
        let (operator, state) = (u32_at(bytes, 40) as usize, u32_at(bytes, 44) as usize);
        if operator.checked_add(state).is_none_or(|texts| HEADER_FIXED + texts > sum_at) {
            return Err(Error::damaged(file, 40, "the texts of the header are longer than the header"));
        }
        let text = |from: usize, length: usize| {
            let text = std::str::from_utf8(&bytes[from..from + length]);
            text.map(str::to_owned).map_err(|_| Error::damaged(file, from as u64, "no text"))
        };
        Ok(Header {
            stamp: Stamp { checkpoint: CheckpointId(u64_at(bytes, 16)), generation: Generation(u64_at(bytes, 24)) },
            groups: u32_at(bytes, 32),
            operator: text(HEADER_FIXED, operator)?,
            state: text(HEADER_FIXED + operator, state)?,
        })
    }
}

/// Where the run of one key group lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) group: u32,
    sum: u32,
    offset: u64,
    length: u64,
    pub(crate) rows: u64,
}

impl Run {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.group.to_le_bytes());
        out.extend_from_slice(&self.sum.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.rows.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Run {
        Run { group: u32_at(bytes, 0), sum: u32_at(bytes, 4), offset: u64_at(bytes, 8), length: u64_at(bytes, 16), rows: u64_at(bytes, 24) }
    }
}

/// The end of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Footer {
    index: u64,
    entries: u32,
    index_sum: u32,
    total: u64,
}

impl Footer {
    fn encode(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&self.index_sum.to_le_bytes());
        out.extend_from_slice(&self.total.to_le_bytes());
        let sum = crc32c::crc32c(&out[from..]);
        out.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&END);
    }

    /// Reads the last [`FOOTER`] bytes of a file of `total` bytes.
    fn decode(file: &str, bytes: &[u8], total: u64) -> Result<Footer, Error> {
        let at = total - FOOTER as u64;
        if bytes[28..32] != END {
            return Err(Error::damaged(file, at + 28, "these are not the last bytes of a part"));
        }
        if crc32c::crc32c(&bytes[..24]) != u32_at(bytes, 24) {
            return Err(wrong_sum(file, at, 24));
        }
        let footer = Footer { index: u64_at(bytes, 0), entries: u32_at(bytes, 8), index_sum: u32_at(bytes, 12), total: u64_at(bytes, 16) };
        let index = u64::from(footer.entries) * ENTRY as u64;
        if footer.total != total || footer.entries > GROUPS_MAX || footer.index.checked_add(index) != Some(at) {
            return Err(Error::damaged(file, at, format!("the footer is that of a file of {} bytes", footer.total)));
        }
        Ok(footer)
    }
}

fn wrong_sum(file: &str, from: u64, length: usize) -> Error {
    let end = from + length as u64;
    Error::damaged(file, from, format!("the checksum of bytes {from} to {end} is not the one that was written"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
