//! The rules of the layout, checked on bytes that come from a guest, a peer or a disk.
//!
//! Whoever wrote the bytes may be hostile: every offset is compared with the length before it is used, and
//! nothing is allocated.

use super::{BYTES_MAX, COLUMN_ENTRY, HEADER, MAGIC, ROWS_MAX, VERSION, pad8, read_u32};
use crate::schema::{Schema, Type};

/// Which rule of the block layout was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too short, too long, or not the length it states.
    #[error("a block of {actual} bytes states a length of {stated} (at most {BYTES_MAX}, a multiple of 8)")]
    Length {
        /// Bytes given.
        actual: usize,
        /// Bytes stated in the header.
        stated: usize,
    },
    /// Not a block, or one of another version.
    #[error("not a block of version {VERSION}")]
    Magic,
    /// Too many rows.
    #[error("{0} rows are more than {ROWS_MAX}")]
    Rows(usize),
    /// The columns are not those of the schema.
    #[error("column {column} is not the one that the schema {schema} has there")]
    Schema {
        /// Index of the column, or the number of columns when that is what differs.
        column: usize,
        /// The schema expected.
        schema: String,
    },
    /// A part of a column is not where the layout puts it.
    #[error("the {part} of column {column} does not lie at byte {expected}")]
    Offset {
        /// Index of the column.
        column: usize,
        /// validity, data or heap.
        part: &'static str,
        /// Where it must lie.
        expected: usize,
    },
    /// Offsets of a string or bytes column fall or leave the heap.
    #[error("the offsets of column {0} fall or leave the block")]
    Heap(usize),
    /// Text that is not UTF-8, a bool that is neither 0 nor 1, or an absent value that is not empty.
    #[error("column {0} holds a value that its type does not have")]
    Value(usize),
    /// Reserved bytes, gaps or spare bits that are not zero, or a schema id that is not the schema's.
    #[error("{0} is not what the layout says")]
    Reserved(&'static str),
}

/// Checks `bytes` against the layout and the schema; returns the numbers of rows and columns.
pub(super) fn check(bytes: &[u8], schema: &Schema) -> Result<(u32, u16), Error> {
    if bytes.len() < HEADER {
        return Err(Error::Length { actual: bytes.len(), stated: 0 });
    }
    if bytes[..4] != MAGIC || u16::from_le_bytes([bytes[4], bytes[5]]) != VERSION {
        return Err(Error::Magic);
    }
    let stated = read_u32(bytes, 12) as usize;
    if stated != bytes.len() || bytes.len() > BYTES_MAX || !bytes.len().is_multiple_of(8) {
        return Err(Error::Length { actual: bytes.len(), stated });
    }
    let columns = u16::from_le_bytes([bytes[6], bytes[7]]);
    let rows = read_u32(bytes, 8) as usize;
    if rows > ROWS_MAX {
        return Err(Error::Rows(rows));
    }
    if usize::from(columns) != schema.fields().len() {
        return Err(Error::Schema { column: usize::from(columns), schema: schema.to_string() });
    }
    let id = u64::from_le_bytes(bytes[16..24].try_into().expect("eight bytes"));
    if id != 0 && id != schema.id() {
        return Err(Error::Reserved("the schema id"));
    }
    if bytes[24..32] != [0; 8] {
        return Err(Error::Reserved("the reserved part of the header"));
    }
    let mut at = HEADER + COLUMN_ENTRY * usize::from(columns) + 8 * rows;
    for (column, field) in schema.fields().iter().enumerate() {
        let entry = HEADER + COLUMN_ENTRY * column;
        if bytes.len() < entry + COLUMN_ENTRY {
            return Err(Error::Length { actual: bytes.len(), stated });
        }
        if bytes[entry + 2..entry + 4] != [0; 2] {
            return Err(Error::Reserved("the reserved part of a column's entry"));
        }
        if bytes[entry] != field.ty as u8 || bytes[entry + 1] != u8::from(field.optional) {
            return Err(Error::Schema { column, schema: schema.to_string() });
        }
        at = check_column(bytes, column, field.ty, field.optional, rows, at)?;
    }
    if at != bytes.len() {
        return Err(Error::Length { actual: bytes.len(), stated: at });
    }
    Ok((rows as u32, columns))
}

/// Checks one column whose first part must lie at `at`; returns where the next column begins.
fn check_column(bytes: &[u8], column: usize, ty: Type, optional: bool, rows: usize, mut at: usize) -> Result<usize, Error> {
    let entry = HEADER + COLUMN_ENTRY * column;
    let expect = |slot: usize, part: &'static str, expected: usize, len: usize| {
        if read_u32(bytes, entry + slot) as usize != expected || expected.checked_add(len).is_none_or(|end| end > bytes.len()) {
            return Err(Error::Offset { column, part, expected });
        }
        Ok(())
    };
    let validity_len = if optional { rows.div_ceil(8) } else { 0 };
    expect(4, "validity", if optional { at } else { 0 }, validity_len)?;
    let validity = optional.then(|| &bytes[at..at + validity_len]);
    at = check_gap(bytes, at + validity_len)?;
    let data_len = ty.width().map_or(4 * (rows + 1), |width| width * rows);
    expect(8, "data", at, data_len)?;
    let data = &bytes[at..at + data_len];
    at = check_gap(bytes, at + data_len)?;
    if let Some(bits) = validity {
        check_absent(column, ty, bits, data, rows)?;
    }
    if ty.width().is_some() {
        expect(12, "heap", 0, 0)?;
        if ty == Type::Bool && data.iter().fold(0, |all, b| all | b) > 1 {
            return Err(Error::Value(column));
        }
        return Ok(at);
    }
    let heap_len = read_u32(data, 4 * rows) as usize;
    expect(12, "heap", at, heap_len)?;
    let heap = &bytes[at..at + heap_len];
    check_heap(column, ty, data, heap)?;
    check_gap(bytes, at + heap_len)
}

/// The bytes from `at` to the next multiple of 8 are there and zero; returns where the next part begins.
fn check_gap(bytes: &[u8], at: usize) -> Result<usize, Error> {
    let end = pad8(at);
    match bytes.get(at..end) {
        Some(gap) if gap.iter().all(|b| *b == 0) => Ok(end),
        _ => Err(Error::Reserved("the gap behind a part of a column")),
    }
}

/// Bits behind the last row are 0, and absent values are zero or empty.
fn check_absent(column: usize, ty: Type, bits: &[u8], data: &[u8], rows: usize) -> Result<(), Error> {
    if !rows.is_multiple_of(8) && bits.last().is_some_and(|last| last >> (rows % 8) != 0) {
        return Err(Error::Reserved("a validity bit behind the last row"));
    }
    for row in (0..rows).filter(|row| bits[row / 8] >> (row % 8) & 1 == 0) {
        let empty = match ty.width() {
            Some(width) => data[width * row..width * (row + 1)].iter().all(|b| *b == 0),
            None => data[4 * row..4 * row + 4] == data[4 * row + 4..4 * row + 8],
        };
        if !empty {
            return Err(Error::Value(column));
        }
    }
    Ok(())
}

/// Offsets start at 0 and never fall; text is UTF-8 and no offset splits a character.
fn check_heap(column: usize, ty: Type, offsets: &[u8], heap: &[u8]) -> Result<(), Error> {
    let text = match ty {
        Type::String => Some(simdutf8::basic::from_utf8(heap).map_err(|_| Error::Value(column))?),
        _ => None,
    };
    let ascii = heap.is_ascii();
    let mut last = 0;
    for (i, offset) in offsets.as_chunks::<4>().0.iter().enumerate() {
        let offset = u32::from_le_bytes(*offset) as usize;
        if offset < last || (i == 0 && offset != 0) || offset > heap.len() {
            return Err(Error::Heap(column));
        }
        if !ascii && text.is_some_and(|text| !text.is_char_boundary(offset)) {
            return Err(Error::Value(column));
        }
        last = offset;
    }
    Ok(())
}
