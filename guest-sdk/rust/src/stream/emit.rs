//! What functions emit on.

use crate::record::{Record, Row};
use crate::runtime::{Call, Push};

/// Takes the records that a function emits.
pub struct Emit<'a, T: Record> {
    push: &'a mut Push<T>,
    time: i64,
    operator: u32,
    call: &'a Call,
}

impl<'a, T: Record> Emit<'a, T> {
    #[inline]
    pub(crate) fn new(push: &'a mut Push<T>, time: i64, operator: u32, call: &'a Call) -> Self {
        Emit { push, time, operator, call }
    }

    /// Emits a record; its event time is that of the record or window in hand.
    #[inline]
    pub fn emit(&mut self, record: T) {
        self.push.push(record, self.time);
        self.call.at(self.operator);
    }

    /// Emits a record as the tuple of its fields, in which text may be borrowed: `words.emit_row((word,))` copies a word of
    /// a line into the output without a `String` of its own in between.
    #[inline]
    pub fn emit_row(&mut self, row: impl Row<T>) {
        self.push.push_row(row, self.time);
        self.call.at(self.operator);
    }
}
