//! Writing blocks of records.

use super::{BYTES_MAX, Block, COLUMN_ENTRY, HEADER, MAGIC, VERSION, Writer};
use crate::record::{Record, Row};
use crate::schema::Schema;

/// Collects records of one type. [`Builder::finish`] lays a block out and leaves the builder empty for the next one,
/// with the memory of this one.
pub struct Builder<T: Record> {
    schema_id: u64,
    times: Vec<[u8; 8]>,
    writers: T::Writers,
    out: Vec<u8>,
}

impl<T: Record> Default for Builder<T> {
    fn default() -> Self {
        Builder::new(Schema::of::<T>().id())
    }
}

impl<T: Record> Builder<T> {
    /// An empty builder; `schema_id` is 0 where the schema is not to be stated.
    pub fn new(schema_id: u64) -> Builder<T> {
        Builder { schema_id, times: Vec::new(), writers: T::Writers::default(), out: Vec::new() }
    }

    /// Adds a record with its event time in milliseconds.
    #[inline]
    pub fn push(&mut self, record: &T, time: i64) {
        record.write(&mut self.writers);
        self.times.push(time.to_le_bytes());
    }

    /// Adds a record that has not been made.
    #[inline]
    pub(crate) fn push_row(&mut self, row: &impl Row<T>, time: i64) {
        row.write(&mut self.writers);
        self.times.push(time.to_le_bytes());
    }

    /// The records so far.
    #[inline]
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    /// The bytes of text and bytes so far.
    #[inline]
    pub fn heap_len(&self) -> usize {
        T::heap_len(&self.writers)
    }

    /// Takes back all records from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        if rows < self.rows() {
            self.times.truncate(rows);
            T::each_writer(&mut self.writers, &mut |writer| writer.truncate(rows));
        }
    }

    /// Copies rows of a block whose first columns are those of the record, without decoding them.
    pub(crate) fn copy(&mut self, block: &Block<'_>, rows: &[u32]) -> Result<(), super::Error> {
        let times = block.times();
        self.times.extend(rows.iter().map(|&row| times[row as usize]));
        let (mut index, mut result) = (0, Ok(()));
        T::each_writer(&mut self.writers, &mut |writer| {
            match block.column(index) {
                Ok(column) if writer.copy(&column, rows) => {}
                Ok(_) => result = Err(super::Error::Value(index)),
                Err(error) => result = Err(error),
            }
            index += 1;
        });
        result
    }

    /// Lays the block out and forgets its records.
    ///
    /// # Panics
    /// When the block would pass [`BYTES_MAX`].
    pub fn finish(&mut self) -> &[u8] {
        let parts = Parts { schema_id: self.schema_id, rows: self.times.len(), columns: T::COLUMNS, times: self.times.as_flattened() };
        lay_out(&mut self.out, parts, &mut |each| T::each_writer(&mut self.writers, &mut |writer| each(writer, None)));
        self.times.clear();
        &self.out
    }
}

/// What a block is made of besides its columns.
pub(crate) struct Parts<'a> {
    pub(crate) schema_id: u64,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// The event times, little-endian.
    pub(crate) times: &'a [u8],
}

/// Is called with a column and, where the column is made optional, its presence bits.
pub(crate) type EachColumn<'e> = dyn FnMut(&mut dyn Writer, Option<&[u8]>) + 'e;

/// Writes a block into `out`, replacing what it holds; `columns` calls its argument for each column in order.
pub(crate) fn lay_out(out: &mut Vec<u8>, parts: Parts<'_>, columns: &mut dyn FnMut(&mut EachColumn<'_>)) {
    out.clear();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(parts.columns as u16).to_le_bytes());
    out.extend_from_slice(&(parts.rows as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&parts.schema_id.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.resize(HEADER + COLUMN_ENTRY * parts.columns, 0);
    out.extend_from_slice(parts.times);
    let mut index = 0;
    columns(&mut |writer, presence| {
        let entry = writer.lay_out(out, presence);
        out[HEADER + COLUMN_ENTRY * index..][..COLUMN_ENTRY].copy_from_slice(&entry);
        index += 1;
    });
    assert!(
        out.len() <= BYTES_MAX,
        "a block of {} bytes is larger than a block may be ({BYTES_MAX} bytes): emit less at a time",
        out.len()
    );
    let length = (out.len() as u32).to_le_bytes();
    out[12..16].copy_from_slice(&length);
}
