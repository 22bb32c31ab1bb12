//! Blocks: rows of one schema as columns in one contiguous little-endian buffer (`wit/…/block.md`).
//!
//! Two invariants carry everything else. A [`Block`] has been checked: whoever holds one may read any
//! cell without an error. And a block is immutable and shared: cloning it costs a reference count,
//! so a broadcast copies nothing.

mod builder;
mod check;
mod gather;

pub use builder::{Builder, ColumnBuilder};
pub use check::Error;
pub use gather::{concat, gather, gather_append};

use std::sync::Arc;

use crate::TimeMs;
use crate::schema::Type;

/// `TBLK`, the first four bytes.
pub const MAGIC: [u8; 4] = *b"TBLK";
/// The version of the layout this code reads and writes.
pub const VERSION: u16 = 1;
/// Rows in one block at most: a block is a unit of transport, not a table.
pub const ROWS_MAX: usize = 1 << 20;
/// Bytes of one block at most, so that an offset always fits 32 bits with room to spare.
pub const BYTES_MAX: usize = 64 << 20;

const HEADER: usize = 32;
const COLUMN_ENTRY: usize = 16;

/// Some rows of one schema. See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    bytes: Arc<Vec<u8>>,
    rows: u32,
    columns: u16,
}

impl Block {
    /// Takes bytes from outside as a block of the given column types, after checking every rule of the layout. A writer that
    /// does not state the schema id has it filled in, so that equal rows are equal bytes.
    pub fn from_bytes(mut bytes: Vec<u8>, schema: &crate::schema::Schema) -> Result<Block, Error> {
        let (rows, columns) = check::check(&bytes, schema)?;
        bytes[16..24].copy_from_slice(&schema.id().to_le_bytes());
        Ok(Block { bytes: Arc::new(bytes), rows, columns })
    }

    /// Takes bytes that [`Builder`] or a peer of this release wrote.
    fn trusted(bytes: Vec<u8>, rows: usize, columns: usize) -> Block {
        Block { bytes: Arc::new(bytes), rows: rows as u32, columns: columns as u16 }
    }

    /// Takes bytes that a peer of the same release sent over a channel the host itself set up: only the header is
    /// looked at.
    ///
    /// # Panics
    /// When the bytes are too short for a header, or a later read finds them cut: a bug of the peer.
    pub fn from_peer(bytes: Vec<u8>) -> Block {
        let (rows, columns) = (read_u32(&bytes, 8) as usize, u16::from_le_bytes([bytes[6], bytes[7]]));
        Block::trusted(bytes, rows, usize::from(columns))
    }

    /// The number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// The number of columns, event time not counted.
    #[inline]
    pub fn columns(&self) -> usize {
        usize::from(self.columns)
    }

    /// The whole buffer.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The event times.
    #[inline]
    pub fn times(&self) -> I64s<'_> {
        let at = HEADER + COLUMN_ENTRY * self.columns();
        I64s(&self.bytes[at..at + 8 * self.rows()])
    }

    /// The event time of one row.
    #[inline]
    pub fn time(&self, row: usize) -> TimeMs {
        self.times().get(row)
    }

    /// A view of one column.
    pub fn column(&self, index: usize) -> Column<'_> {
        assert!(index < self.columns(), "column {index} of {}", self.columns());
        let entry = HEADER + COLUMN_ENTRY * index;
        let u32_at = |at: usize| read_u32(&self.bytes, at) as usize;
        let ty = Type::from_code(self.bytes[entry]).expect("a block's column types are checked on entry");
        let rows = self.rows();
        let (data, heap) = (u32_at(entry + 8), u32_at(entry + 12));
        let validity = (self.bytes[entry + 1] != 0).then(|| {
            let at = u32_at(entry + 4);
            &self.bytes[at..at + rows.div_ceil(8)]
        });
        let values = match ty.width() {
            Some(width) => &self.bytes[data..data + width * rows],
            None => &self.bytes[data..data + 4 * (rows + 1)],
        };
        let heap = match ty.width() {
            Some(_) => &[][..],
            None => &self.bytes[heap..heap + read_u32(values, 4 * rows) as usize],
        };
        Column { ty, validity, values, heap }
    }
}

/// A view of one column of a block.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    ty: Type,
    validity: Option<&'a [u8]>,
    values: &'a [u8],
    heap: &'a [u8],
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// An absent optional value.
    Absent,
    /// A bool.
    Bool(bool),
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// A number.
    F64(f64),
    /// Text.
    String(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> Column<'a> {
    /// The type of the column.
    #[inline]
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// Whether values may be absent.
    #[inline]
    pub fn optional(&self) -> bool {
        self.validity.is_some()
    }

    /// Whether the row has a value.
    #[inline]
    pub fn present(&self, row: usize) -> bool {
        self.validity.is_none_or(|bits| bits[row / 8] >> (row % 8) & 1 == 1)
    }

    /// The bytes of a fixed-width column, or the offsets of a variable one.
    #[inline]
    pub fn raw(&self) -> &'a [u8] {
        self.values
    }

    /// The i64 values (only of an i64 column; absent ones read 0).
    pub fn i64s(&self) -> I64s<'a> {
        assert_eq!(self.ty, Type::I64);
        I64s(self.values)
    }

    /// The bytes of a string or bytes value (absent ones read empty).
    #[inline]
    pub fn bytes(&self, row: usize) -> &'a [u8] {
        let start = read_u32(self.values, 4 * row) as usize;
        let end = read_u32(self.values, 4 * row + 4) as usize;
        &self.heap[start..end]
    }

    /// The whole heap of a string or bytes column.
    #[inline]
    pub fn heap(&self) -> &'a [u8] {
        self.heap
    }

    /// One cell.
    #[inline]
    pub fn value(&self, row: usize) -> Value<'a> {
        if !self.present(row) {
            return Value::Absent;
        }
        match self.ty {
            Type::Bool => Value::Bool(self.values[row] != 0),
            Type::I32 => Value::I32(read_u32(self.values, 4 * row) as i32),
            Type::I64 => Value::I64(read_i64(self.values, 8 * row)),
            Type::F64 => Value::F64(f64::from_bits(read_i64(self.values, 8 * row) as u64)),
            Type::String => Value::String(std::str::from_utf8(self.bytes(row)).expect("text is checked on entry")),
            Type::Bytes => Value::Bytes(self.bytes(row)),
        }
    }
}

/// A column of i64.
#[derive(Clone, Copy, Debug)]
pub struct I64s<'a>(&'a [u8]);

impl<'a> I64s<'a> {
    /// The value of one row.
    #[inline]
    pub fn get(&self, row: usize) -> i64 {
        read_i64(self.0, 8 * row)
    }

    /// All values in row order.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = i64> + 'a {
        self.0.as_chunks::<8>().0.iter().map(|c| i64::from_le_bytes(*c))
    }
}

#[inline]
fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[inline]
fn read_i64(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn pad8(len: usize) -> usize {
    len.next_multiple_of(8)
}
