//! Blocks: rows of one schema as columns in one contiguous little-endian buffer, as `block.md` of the
//! contract lays them out.
//!
//! [`Block`] reads and [`Builder`] writes. Reading checks the header and, column by column as they are opened, that every part
//! lies inside the buffer and text is UTF-8; a job never sees a [`Block`], only records.

mod builder;
mod reader;
mod writer;

pub use builder::Builder;
pub(crate) use reader::bit;
pub use reader::{Block, RawColumn};
pub use writer::{BoolWriter, Fixed, Optional, Variable, Writer};

pub(crate) use builder::{Parts, lay_out};

/// `TBLK`, the first four bytes.
pub const MAGIC: [u8; 4] = *b"TBLK";
/// The version of the layout.
pub const VERSION: u16 = 1;
/// Bytes of one block at most, by the contract.
pub const BYTES_MAX: usize = 64 << 20;
/// Rows of one block at most, by the contract.
pub const ROWS_MAX: usize = 1 << 20;

const HEADER: usize = 32;
/// Bytes of a column in the table of columns.
pub const COLUMN_ENTRY: usize = 16;

/// What is wrong with the bytes of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not a block of this version, or cut off.
    Layout(&'static str),
    /// A column of another type than the reader's.
    Type {
        /// The index of the column.
        column: usize,
        /// The type code and optional flag found.
        found: (u8, bool),
        /// The type and optional flag wanted.
        wanted: (crate::schema::Type, bool),
    },
    /// There is no such column.
    Missing(usize),
    /// A part of the column lies outside of the block, or its text is not UTF-8.
    Value(usize),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Layout(what) => write!(f, "not a block of version {VERSION}: {what}"),
            Error::Type { column, found, wanted } => {
                let optional = |flag: bool| if flag { "optional " } else { "" };
                let (code, wanted_name) = (found.0, wanted.1);
                write!(f, "column {column} has type {}{code}, not {}{}", optional(found.1), optional(wanted_name), wanted.0.name())
            }
            Error::Missing(column) => write!(f, "there is no column {column}"),
            Error::Value(column) => write!(f, "column {column} leaves the block or holds a value that its type does not have"),
        }
    }
}

impl std::error::Error for Error {}

fn pad8(len: usize) -> usize {
    len.next_multiple_of(8)
}
