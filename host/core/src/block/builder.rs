//! Building a block row by row, a column at a time.

use super::{BYTES_MAX, Block, COLUMN_ENTRY, HEADER, MAGIC, VERSION, pad8};
use crate::TimeMs;
use crate::schema::{Schema, Type};

/// Collects rows of one schema. Every row pushes one value to each column and one event time;
/// [`Builder::finish`] lays the block out and leaves the builder empty for the next one.
#[derive(Debug)]
pub struct Builder {
    schema_id: u64,
    times: Vec<u8>,
    columns: Vec<ColumnBuilder>,
}

/// Collects the values of one column.
#[derive(Debug)]
pub struct ColumnBuilder {
    ty: Type,
    rows: usize,
    /// One bit a row when the column is optional.
    validity: Option<Vec<u8>>,
    /// Fixed-width values, or the *ends* of variable ones (u32); the leading 0 is written at the end.
    values: Vec<u8>,
    heap: Vec<u8>,
}

impl Builder {
    /// An empty builder.
    pub fn new(schema: &Schema) -> Builder {
        let column = |f: &crate::schema::Field| ColumnBuilder {
            ty: f.ty,
            rows: 0,
            validity: f.optional.then(Vec::new),
            values: Vec::new(),
            heap: Vec::new(),
        };
        Builder { schema_id: schema.id(), times: Vec::new(), columns: schema.fields().iter().map(column).collect() }
    }

    /// Rows whose event time has been pushed.
    #[inline]
    pub fn rows(&self) -> usize {
        self.times.len() / 8
    }

    /// An upper bound of the finished block's length in bytes, were it finished now.
    pub fn size(&self) -> usize {
        let parts = self.columns.iter().map(|c| c.values.len() + c.heap.len() + c.validity.as_ref().map_or(0, Vec::len) + 32);
        HEADER + COLUMN_ENTRY * self.columns.len() + self.times.len() + parts.sum::<usize>()
    }

    /// Pushes the event time of a row.
    #[inline]
    pub fn push_time(&mut self, time: TimeMs) {
        self.times.extend_from_slice(&time.to_le_bytes());
    }

    /// Pushes the event times of all rows of a block.
    pub fn push_times(&mut self, times: super::I64s<'_>) {
        self.times.extend_from_slice(times.0);
    }

    /// The builder of one column.
    #[inline]
    pub fn column(&mut self, index: usize) -> &mut ColumnBuilder {
        &mut self.columns[index]
    }

    /// All columns at once, for code that fills several side by side.
    #[inline]
    pub fn columns_mut(&mut self) -> &mut [ColumnBuilder] {
        &mut self.columns
    }

    /// Takes back everything pushed for rows from `rows` on: how a row that turns out bad halfway is undone.
    pub fn truncate(&mut self, rows: usize) {
        self.times.truncate(8 * rows);
        for column in &mut self.columns {
            column.truncate(rows);
        }
    }

    /// Lays out the block, or returns `None` when there is no row.
    ///
    /// # Panics
    /// When the columns differ in length or the block would pass [`BYTES_MAX`]: both are bugs of the caller,
    /// who sees [`Builder::size`].
    pub fn finish(&mut self) -> Option<Block> {
        let rows = self.rows();
        if rows == 0 {
            return None;
        }
        let columns = self.columns.len();
        let mut out = Vec::with_capacity(self.size());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(columns as u16).to_le_bytes());
        out.extend_from_slice(&(rows as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.schema_id.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        out.resize(HEADER + COLUMN_ENTRY * columns, 0);
        out.append(&mut self.times);
        for (index, column) in self.columns.iter_mut().enumerate() {
            assert_eq!(column.rows, rows, "column {index} has {} values for {rows} rows", column.rows);
            let entry = column.lay_out(&mut out);
            out[HEADER + COLUMN_ENTRY * index..][..COLUMN_ENTRY].copy_from_slice(&entry);
        }
        assert!(out.len() <= BYTES_MAX, "a block of {} bytes", out.len());
        let length = (out.len() as u32).to_le_bytes();
        out[12..16].copy_from_slice(&length);
        Some(Block::trusted(out, rows, columns))
    }
}

impl ColumnBuilder {
    /// The type of the column.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// Values pushed so far.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    fn mark(&mut self, present: bool) {
        if let Some(bits) = &mut self.validity {
            if self.rows.is_multiple_of(8) {
                bits.push(0);
            }
            if present {
                bits[self.rows / 8] |= 1 << (self.rows % 8);
            }
        }
        self.rows += 1;
    }

    #[inline]
    fn mark_all(&mut self, present: impl ExactSizeIterator<Item = bool>) {
        match self.validity {
            Some(_) => present.for_each(|present| self.mark(present)),
            None => self.rows += present.len(),
        }
    }

    /// Pushes a bool.
    #[inline]
    pub fn push_bool(&mut self, value: bool) {
        debug_assert_eq!(self.ty, Type::Bool);
        self.values.push(u8::from(value));
        self.mark(true);
    }

    /// Pushes an i32.
    #[inline]
    pub fn push_i32(&mut self, value: i32) {
        debug_assert_eq!(self.ty, Type::I32);
        self.values.extend_from_slice(&value.to_le_bytes());
        self.mark(true);
    }

    /// Pushes an i64.
    #[inline]
    pub fn push_i64(&mut self, value: i64) {
        debug_assert_eq!(self.ty, Type::I64);
        self.values.extend_from_slice(&value.to_le_bytes());
        self.mark(true);
    }

    /// Pushes many i64.
    #[inline]
    pub fn push_i64s(&mut self, values: impl ExactSizeIterator<Item = i64>) {
        debug_assert_eq!(self.ty, Type::I64);
        if self.validity.is_some() {
            return values.for_each(|value| self.push_i64(value));
        }
        self.rows += values.len();
        self.values.reserve(8 * values.len());
        values.for_each(|value| self.values.extend_from_slice(&value.to_le_bytes()));
    }

    /// Pushes an f64.
    #[inline]
    pub fn push_f64(&mut self, value: f64) {
        debug_assert_eq!(self.ty, Type::F64);
        self.values.extend_from_slice(&value.to_bits().to_le_bytes());
        self.mark(true);
    }

    /// Pushes text.
    #[inline]
    pub fn push_str(&mut self, value: &str) {
        debug_assert_eq!(self.ty, Type::String);
        self.push_heap(value.as_bytes());
    }

    /// Pushes bytes.
    #[inline]
    pub fn push_bytes(&mut self, value: &[u8]) {
        debug_assert_eq!(self.ty, Type::Bytes);
        self.push_heap(value);
    }

    /// Pushes the bytes of a string or bytes value without looking at them; text must be UTF-8 already.
    #[inline]
    pub fn push_heap(&mut self, value: &[u8]) {
        self.heap.extend_from_slice(value);
        self.values.extend_from_slice(&(self.heap.len() as u32).to_le_bytes());
        self.mark(true);
    }

    /// Pushes an absent value; only for an optional column.
    #[inline]
    pub fn push_absent(&mut self) {
        debug_assert!(self.validity.is_some(), "absent value in a column that is not optional");
        match self.ty.width() {
            Some(width) => self.values.resize(self.values.len() + width, 0),
            None => self.values.extend_from_slice(&(self.heap.len() as u32).to_le_bytes()),
        }
        self.mark(false);
    }

    /// Copies one cell of a column of the same type; absent stays absent.
    #[inline]
    pub fn push_cell(&mut self, from: super::Column<'_>, row: usize) {
        fn fixed<const N: usize>(to: &mut Vec<u8>, from: &[u8], row: usize) {
            to.extend_from_slice(&from.as_chunks::<N>().0[row]);
        }
        // An absent value lies there as 0, or empty.
        match self.ty.width() {
            Some(1) => fixed::<1>(&mut self.values, from.raw(), row),
            Some(4) => fixed::<4>(&mut self.values, from.raw(), row),
            Some(_) => fixed::<8>(&mut self.values, from.raw(), row),
            None => {
                self.heap.extend_from_slice(from.bytes(row));
                self.values.extend_from_slice(&(self.heap.len() as u32).to_le_bytes());
            }
        }
        self.mark(from.present(row));
    }

    /// Copies the cells of `rows` of a column of the same type, in that order; absent stays absent.
    pub fn push_cells(&mut self, from: super::Column<'_>, rows: &[u32]) {
        fn fixed<const N: usize>(to: &mut Vec<u8>, from: &[u8], rows: &[u32]) {
            let cells = from.as_chunks::<N>().0;
            to.reserve(N * rows.len());
            rows.iter().for_each(|&row| to.extend_from_slice(&cells[row as usize]));
        }
        match self.ty.width() {
            Some(1) => fixed::<1>(&mut self.values, from.raw(), rows),
            Some(4) => fixed::<4>(&mut self.values, from.raw(), rows),
            Some(_) => fixed::<8>(&mut self.values, from.raw(), rows),
            None => copy_texts(&mut self.heap, &mut self.values, from, rows),
        }
        self.mark_all(rows.iter().map(|&row| from.present(row as usize)));
    }

    /// Copies all `rows` cells of a column of the same type; absent stays absent.
    pub fn push_all(&mut self, from: super::Column<'_>, rows: usize) {
        if self.ty.width().is_some() {
            self.values.extend_from_slice(from.raw());
        } else {
            let base = self.heap.len() as u32;
            self.heap.extend_from_slice(from.heap());
            let ends = from.raw().as_chunks::<4>().0.iter().skip(1);
            self.values.extend(ends.flat_map(|end| (base + u32::from_le_bytes(*end)).to_le_bytes()));
        }
        self.mark_all((0..rows).map(|row| from.present(row)));
    }

    fn truncate(&mut self, rows: usize) {
        if self.rows <= rows {
            return;
        }
        self.rows = rows;
        match self.ty.width() {
            Some(width) => self.values.truncate(width * rows),
            None => {
                self.values.truncate(4 * rows);
                let end = if rows == 0 { 0 } else { super::read_u32(&self.values, 4 * (rows - 1)) };
                self.heap.truncate(end as usize);
            }
        }
        if let Some(bits) = &mut self.validity {
            bits.truncate(rows.div_ceil(8));
            if let Some(last) = bits.last_mut().filter(|_| !rows.is_multiple_of(8)) {
                *last &= (1 << (rows % 8)) - 1;
            }
        }
    }

    /// Appends the column's parts to the block, empties the builder and returns the table entry.
    fn lay_out(&mut self, out: &mut Vec<u8>) -> [u8; COLUMN_ENTRY] {
        let mut entry = [0; COLUMN_ENTRY];
        entry[0] = self.ty as u8;
        if let Some(bits) = &mut self.validity {
            entry[1] = 1;
            entry[4..8].copy_from_slice(&(out.len() as u32).to_le_bytes());
            append_padded(out, bits);
        }
        entry[8..12].copy_from_slice(&(out.len() as u32).to_le_bytes());
        if self.ty.width().is_none() {
            out.extend_from_slice(&[0; 4]);
        }
        append_padded(out, &mut self.values);
        if self.ty.width().is_none() {
            entry[12..16].copy_from_slice(&(out.len() as u32).to_le_bytes());
            append_padded(out, &mut self.heap);
        }
        self.rows = 0;
        entry
    }
}

/// Bytes of a text that are copied in one step, also when it is shorter: a copy of a length known beforehand is no call.
const STEP: usize = 16;

/// Appends the texts of `rows` to a heap, and where each ends to `ends`.
fn copy_texts(heap: &mut Vec<u8>, ends: &mut Vec<u8>, from: super::Column<'_>, rows: &[u32]) {
    let (offsets, source) = (from.raw().as_chunks::<4>().0, from.heap());
    let range = |row: u32| {
        let row = row as usize;
        u32::from_le_bytes(offsets[row]) as usize..u32::from_le_bytes(offsets[row + 1]) as usize
    };
    let mut at = heap.len();
    let mut end = at;
    ends.reserve(4 * rows.len());
    for &row in rows {
        end += range(row).len();
        ends.extend_from_slice(&(end as u32).to_le_bytes());
    }
    heap.resize(end + STEP, 0);
    for &row in rows {
        let text = range(row);
        match source[text.start..].first_chunk::<STEP>() {
            Some(step) if text.len() <= STEP => heap[at..at + STEP].copy_from_slice(step),
            _ => heap[at..at + text.len()].copy_from_slice(&source[text.clone()]),
        }
        at += text.len();
    }
    heap.truncate(end);
}

/// Moves `part` to the end of `out` and pads to 8 bytes; `part` keeps its capacity.
fn append_padded(out: &mut Vec<u8>, part: &mut Vec<u8>) {
    out.append(part);
    out.resize(pad8(out.len()), 0);
}
