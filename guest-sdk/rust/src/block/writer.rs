//! The columns of a block while it is being written: each keeps its parts apart until the block is laid out.
//!
//! The writers are typed, so that pushing a value is an append to a vector; what does not happen once per value is
//! behind the trait [`Writer`].

use super::{COLUMN_ENTRY, RawColumn, bit, pad8};
use crate::heap::append;
use crate::schema::Type;

/// A column being written.
pub trait Writer {
    /// The bytes of its heap so far: what may make a block large although its rows are few.
    fn heap_len(&self) -> usize;

    /// Pushes what an absent value looks like.
    fn push_absent(&mut self);

    /// Forgets all rows from `rows` on.
    fn truncate(&mut self, rows: usize);

    /// Copies rows of a column of the same type; false if it is of another.
    fn copy(&mut self, from: &RawColumn<'_>, rows: &[u32]) -> bool;

    /// Appends the column's parts to a block, forgets its rows and returns its entry in the column table.
    /// `presence` makes the column optional that by itself is not: one bit a row.
    fn lay_out(&mut self, out: &mut Vec<u8>, presence: Option<&[u8]>) -> [u8; COLUMN_ENTRY];
}

/// A column of `N`-byte values of the type with code `CODE`.
#[derive(Debug, Default)]
pub struct Fixed<const N: usize, const CODE: u8> {
    values: Vec<[u8; N]>,
}

/// A column of bools.
pub type BoolWriter = Fixed<1, { Type::Bool as u8 }>;

impl<const N: usize, const CODE: u8> Fixed<N, CODE> {
    /// Pushes a value.
    #[inline]
    pub fn push(&mut self, value: [u8; N]) {
        self.values.push(value);
    }
}

impl<const N: usize, const CODE: u8> Writer for Fixed<N, CODE> {
    #[inline]
    fn heap_len(&self) -> usize {
        0
    }

    fn push_absent(&mut self) {
        self.push([0; N]);
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
    }

    fn copy(&mut self, from: &RawColumn<'_>, rows: &[u32]) -> bool {
        if from.code != CODE || from.validity.is_some() {
            return false;
        }
        let cells = from.data.as_chunks::<N>().0;
        self.values.extend(rows.iter().map(|&row| cells[row as usize]));
        true
    }

    fn lay_out(&mut self, out: &mut Vec<u8>, presence: Option<&[u8]>) -> [u8; COLUMN_ENTRY] {
        let mut entry = begin(CODE, out, presence);
        entry[8..12].copy_from_slice(&(out.len() as u32).to_le_bytes());
        append_padded(out, &mut self.values);
        entry
    }
}

/// A column of strings (code 5) or bytes (code 6).
#[derive(Debug, Default)]
pub struct Variable<const CODE: u8> {
    /// Where each value ends in the heap.
    ends: Vec<[u8; 4]>,
    heap: Vec<u8>,
}

impl<const CODE: u8> Variable<CODE> {
    /// Pushes a value; of a string column it must be UTF-8.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        append(&mut self.heap, value);
        self.end();
    }

    /// Lets `fill` append a value to the heap.
    pub fn push_with(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        fill(&mut self.heap);
        self.end();
    }

    #[inline]
    fn end(&mut self) {
        self.ends.push((self.heap.len() as u32).to_le_bytes());
    }
}

impl<const CODE: u8> Writer for Variable<CODE> {
    #[inline]
    fn heap_len(&self) -> usize {
        self.heap.len()
    }

    fn push_absent(&mut self) {
        self.end();
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        let end = self.ends.last().map_or(0, |end| u32::from_le_bytes(*end));
        self.heap.truncate(end as usize);
    }

    fn copy(&mut self, from: &RawColumn<'_>, rows: &[u32]) -> bool {
        if from.code != CODE || from.validity.is_some() {
            return false;
        }
        let offsets = from.data.as_chunks::<4>().0;
        for &row in rows {
            let (start, end) = (u32::from_le_bytes(offsets[row as usize]), u32::from_le_bytes(offsets[row as usize + 1]));
            self.push(&from.heap[start as usize..end as usize]);
        }
        true
    }

    fn lay_out(&mut self, out: &mut Vec<u8>, presence: Option<&[u8]>) -> [u8; COLUMN_ENTRY] {
        let mut entry = begin(CODE, out, presence);
        entry[8..12].copy_from_slice(&(out.len() as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        append_padded(out, &mut self.ends);
        entry[12..16].copy_from_slice(&(out.len() as u32).to_le_bytes());
        out.append(&mut self.heap);
        out.resize(pad8(out.len()), 0);
        entry
    }
}

/// A column whose values may be absent.
#[derive(Debug, Default)]
pub struct Optional<W> {
    validity: Vec<u8>,
    rows: usize,
    values: W,
}

impl<W: Writer> Optional<W> {
    /// The writer of the values, after noting that the next row has one.
    #[inline]
    pub fn present(&mut self) -> &mut W {
        self.mark(true);
        &mut self.values
    }

    #[inline]
    fn mark(&mut self, present: bool) {
        if self.rows.is_multiple_of(8) {
            self.validity.push(0);
        }
        if present {
            self.validity[self.rows / 8] |= 1 << (self.rows % 8);
        }
        self.rows += 1;
    }
}

impl<W: Writer> Writer for Optional<W> {
    #[inline]
    fn heap_len(&self) -> usize {
        self.values.heap_len()
    }

    fn push_absent(&mut self) {
        self.mark(false);
        self.values.push_absent();
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.rows = self.rows.min(rows);
        self.validity.truncate(rows.div_ceil(8));
        if let Some(last) = self.validity.last_mut().filter(|_| !rows.is_multiple_of(8)) {
            *last &= (1 << (rows % 8)) - 1;
        }
    }

    fn copy(&mut self, from: &RawColumn<'_>, rows: &[u32]) -> bool {
        let Some(bits) = from.validity else { return false };
        if !self.values.copy(&RawColumn { validity: None, ..*from }, rows) {
            return false;
        }
        rows.iter().for_each(|&row| self.mark(bit(bits, row as usize)));
        true
    }

    fn lay_out(&mut self, out: &mut Vec<u8>, _presence: Option<&[u8]>) -> [u8; COLUMN_ENTRY] {
        let validity = std::mem::take(&mut self.validity);
        let entry = self.values.lay_out(out, Some(&validity));
        self.validity = validity;
        self.validity.clear();
        self.rows = 0;
        entry
    }
}

/// Begins a column's entry and appends its validity, if it has one.
fn begin(code: u8, out: &mut Vec<u8>, presence: Option<&[u8]>) -> [u8; COLUMN_ENTRY] {
    let mut entry = [0; COLUMN_ENTRY];
    entry[0] = code;
    if let Some(bits) = presence {
        entry[1] = 1;
        entry[4..8].copy_from_slice(&(out.len() as u32).to_le_bytes());
        out.extend_from_slice(bits);
        out.resize(pad8(out.len()), 0);
    }
    entry
}

/// Moves the cells of `part` to the end of `out` and pads to 8 bytes; `part` keeps its capacity.
fn append_padded<const N: usize>(out: &mut Vec<u8>, part: &mut Vec<[u8; N]>) {
    out.extend_from_slice(part.as_flattened());
    part.clear();
    out.resize(pad8(out.len()), 0);
}
