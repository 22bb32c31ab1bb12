//! Reading blocks.

use super::{COLUMN_ENTRY, Error, HEADER, MAGIC, VERSION};
use crate::schema::Type;

/// The bytes of a block, with the header read.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    bytes: &'a [u8],
    rows: usize,
    columns: usize,
}

/// The parts of one column.
#[derive(Clone, Copy, Debug)]
pub struct RawColumn<'a> {
    /// Its index.
    pub index: usize,
    /// The type code.
    pub code: u8,
    /// One bit a row when the column is optional.
    pub validity: Option<&'a [u8]>,
    /// Fixed-width values, or offsets.
    pub data: &'a [u8],
    /// The heap of a string or bytes column.
    pub heap: &'a [u8],
}

impl<'a> Block<'a> {
    /// Takes the bytes of a block.
    pub fn parse(bytes: &'a [u8]) -> Result<Block<'a>, Error> {
        if bytes.len() < HEADER {
            return Err(Error::Layout("shorter than a header"));
        }
        if bytes[..4] != MAGIC || bytes[4..6] != VERSION.to_le_bytes() {
            return Err(Error::Layout("another beginning"));
        }
        let columns = usize::from(u16::from_le_bytes([bytes[6], bytes[7]]));
        let rows = read_u32(bytes, 8);
        if read_u32(bytes, 12) != bytes.len() {
            return Err(Error::Layout("another length than stated"));
        }
        if HEADER + COLUMN_ENTRY * columns + 8 * rows > bytes.len() {
            return Err(Error::Layout("shorter than its table"));
        }
        Ok(Block { bytes, rows, columns })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns, event time not counted.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The event times.
    pub fn times(&self) -> &'a [[u8; 8]] {
        let at = HEADER + COLUMN_ENTRY * self.columns;
        self.bytes[at..at + 8 * self.rows].as_chunks::<8>().0
    }

    /// The parts of one column.
    pub fn column(&self, index: usize) -> Result<RawColumn<'a>, Error> {
        if index >= self.columns {
            return Err(Error::Missing(index));
        }
        let entry = HEADER + COLUMN_ENTRY * index;
        let part = |offset: usize, len: usize| self.bytes.get(offset..offset.saturating_add(len)).ok_or(Error::Value(index));
        let code = self.bytes[entry];
        let validity = match self.bytes[entry + 1] {
            0 => None,
            _ => Some(part(read_u32(self.bytes, entry + 4), self.rows.div_ceil(8))?),
        };
        let width = match code {
            1 => Some(1),
            2 => Some(4),
            3 | 4 => Some(8),
            _ => None,
        };
        let data = part(read_u32(self.bytes, entry + 8), width.map_or(4 * (self.rows + 1), |width| width * self.rows))?;
        let heap = match width {
            Some(_) => &[][..],
            None => part(read_u32(self.bytes, entry + 12), read_u32(data, 4 * self.rows))?,
        };
        Ok(RawColumn { index, code, validity, data, heap })
    }
}

impl<'a> RawColumn<'a> {
    /// Whether the column is of this type.
    pub(crate) fn expect(&self, ty: Type, optional: bool) -> Result<(), Error> {
        if self.code == ty as u8 && self.validity.is_some() == optional {
            return Ok(());
        }
        Err(Error::Type { column: self.index, found: (self.code, self.validity.is_some()), wanted: (ty, optional) })
    }

    /// Whether a row has a value.
    pub fn present(&self, row: usize) -> bool {
        self.validity.is_none_or(|bits| bit(bits, row))
    }
}

/// Bit `row` of a validity bitmap.
#[inline]
pub(crate) fn bit(bits: &[u8], row: usize) -> bool {
    bits[row / 8] >> (row % 8) & 1 == 1
}

fn read_u32(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
}
