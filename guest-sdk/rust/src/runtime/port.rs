//! Ports: where records leave a chain and become blocks again.

use std::cell::RefCell;
use std::rc::Rc;

use super::Call;
use crate::block::{Block, Builder};
use crate::record::{Record, Row};
use crate::schema::Schema;

/// Rows after which a block is handed on: at 4,096 rows the cost of a call is spread thin, and the block stays in cache.
const ROWS_FLUSH: usize = 4096;
/// Bytes of text after which a block is handed on.
const HEAP_FLUSH: usize = 1 << 20;
/// Rows after which a block is handed on in the middle of a record that emits very many.
const ROWS_HARD: usize = 1 << 18;
/// Bytes of text after which a block is handed on in the middle of a record.
const HEAP_HARD: usize = 16 << 20;

/// An output of an operator.
pub(crate) struct Port<T: Record> {
    operator: u32,
    index: u32,
    call: Rc<Call>,
    builder: RefCell<Builder<T>>,
}

/// What a chain does with its ports without knowing their records.
pub(crate) trait AnyPort {
    /// Rows that have not been handed on.
    fn rows(&self) -> usize;
    /// Takes back the rows behind the first `rows`.
    fn truncate(&self, rows: usize);
    /// Hands the block on if it is full.
    fn flush_if_full(&self);
    /// Hands the block on if it has records.
    fn flush(&self);
}

impl<T: Record> Port<T> {
    pub(crate) fn new(operator: u32, index: u32, schema: &Schema, call: &Rc<Call>) -> Rc<Port<T>> {
        let builder = RefCell::new(Builder::new(schema.id()));
        Rc::new(Port { operator, index, call: call.clone(), builder })
    }

    #[inline]
    pub(crate) fn push(&self, record: &T, time: i64) {
        let mut builder = self.builder.borrow_mut();
        builder.push(record, time);
        if full(&builder) {
            self.overflow(&mut builder);
        }
    }

    #[inline]
    pub(crate) fn push_row(&self, row: &impl Row<T>, time: i64) {
        let mut builder = self.builder.borrow_mut();
        builder.push_row(row, time);
        if full(&builder) {
            self.overflow(&mut builder);
        }
    }

    /// Copies rows of a block that begins with this port's columns.
    pub(crate) fn copy(&self, block: &Block<'_>, rows: &[u32]) {
        self.builder.borrow_mut().copy(block, rows).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
    }

    #[cold]
    fn overflow(&self, builder: &mut Builder<T>) {
        self.call.call_attention();
        if builder.rows() < ROWS_HARD && builder.heap_len() < HEAP_HARD {
            return;
        }
        assert!(!self.call.attempting(), "one record emitted more than {ROWS_HARD} records, which cannot be undone should it be refused");
        self.send(builder);
    }

    fn send(&self, builder: &mut Builder<T>) {
        if builder.rows() > 0 {
            self.call.host().emit(self.operator, self.index, builder.finish());
        }
    }
}

#[inline]
fn full<T: Record>(builder: &Builder<T>) -> bool {
    builder.rows() >= ROWS_FLUSH || builder.heap_len() >= HEAP_FLUSH
}

impl<T: Record> AnyPort for Port<T> {
    fn rows(&self) -> usize {
        self.builder.borrow().rows()
    }

    fn truncate(&self, rows: usize) {
        self.builder.borrow_mut().truncate(rows);
    }

    fn flush_if_full(&self) {
        let mut builder = self.builder.borrow_mut();
        if full(&builder) {
            self.send(&mut builder);
        }
    }

    fn flush(&self) {
        self.send(&mut self.builder.borrow_mut());
    }
}
