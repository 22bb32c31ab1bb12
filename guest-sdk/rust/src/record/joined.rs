//! What joins give: [`Joined`] sides, of which a [`Maybe`] may be absent.
//!
//! Readers go by position: the columns carry the names of the sides in the job, those of an absent side hold nothing.

use std::cell::Cell as Shared;
use std::ops::Deref;

use super::{Column, Cursor, Record};
use crate::block::{Error, RawColumn, Writer, bit};

/// Two sides of a join. Of three and more the first two are joined, and what that gives with the third, and so on.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined<L: Record, R: Record> {
    /// The side in front.
    pub left: L,
    /// The side behind it.
    pub right: R,
}

#[diagnostic::do_not_recommend]
impl<L: Record, R: Record> Record for Joined<L, R> {
    const COLUMNS: usize = L::COLUMNS + R::COLUMNS;
    type Readers<'a> = (L::Readers<'a>, R::Readers<'a>);
    type Writers = (L::Writers, R::Writers);

    fn fields(fields: &mut Vec<Column>) {
        let first = fields.len();
        L::fields(fields);
        let middle = fields.len();
        R::fields(fields);
        let (left, right) = fields[first..].split_at_mut(middle - first);
        left.iter_mut().for_each(|column| column.name.insert_str(0, "left."));
        right.iter_mut().for_each(|column| column.name.insert_str(0, "right."));
    }

    fn open<'a>(columns: &mut Cursor<'_, 'a>) -> Result<Self::Readers<'a>, Error> {
        Ok((L::open(columns)?, R::open(columns)?))
    }

    #[inline]
    fn read((left, right): &Self::Readers<'_>, row: usize) -> Self {
        Joined { left: L::read(left, row), right: R::read(right, row) }
    }

    #[inline]
    fn write(&self, (left, right): &mut Self::Writers) {
        self.left.write(left);
        self.right.write(right);
    }

    fn each_writer((left, right): &mut Self::Writers, each: &mut dyn FnMut(&mut dyn Writer)) {
        L::each_writer(left, each);
        R::each_writer(right, each);
    }

    #[inline]
    fn heap_len((left, right): &Self::Writers) -> usize {
        L::heap_len(left) + R::heap_len(right)
    }
}

/// A record that may be absent: a side of a join that is not required. All its columns are optional, and it is absent where
/// all of them are; so a record whose every field is an `Option`, all of them `None`, cannot be told from none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Maybe<T>(pub Option<T>);

impl<T> Deref for Maybe<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.0
    }
}

#[diagnostic::do_not_recommend]
impl<T: Record> Record for Maybe<T> {
    const COLUMNS: usize = T::COLUMNS;
    type Readers<'a> = (Vec<&'a [u8]>, T::Readers<'a>);
    type Writers = MaybeWriters<T::Writers>;

    fn fields(fields: &mut Vec<Column>) {
        let first = fields.len();
        T::fields(fields);
        fields[first..].iter_mut().for_each(|column| column.optional = true);
    }

    fn open<'a>(columns: &mut Cursor<'_, 'a>) -> Result<Self::Readers<'a>, Error> {
        let validity = |at: usize| columns.peek(at).and_then(|column| column.validity.ok_or(Error::Value(column.index)));
        let presence = (0..T::COLUMNS).map(validity).collect::<Result<Vec<_>, _>>()?;
        Ok((presence, columns.all_optional(T::open)?))
    }

    #[inline]
    fn read((presence, readers): &Self::Readers<'_>, row: usize) -> Self {
        Maybe(presence.iter().any(|bits| bit(bits, row)).then(|| T::read(readers, row)))
    }

    #[inline]
    fn write(&self, writers: &mut Self::Writers) {
        match &self.0 {
            Some(record) => record.write(&mut writers.values),
            None => T::each_writer(&mut writers.values, &mut |writer| writer.push_absent()),
        }
        writers.present.push(self.0.is_some());
    }

    fn each_writer(writers: &mut Self::Writers, each: &mut dyn FnMut(&mut dyn Writer)) {
        let bits = writers.bits();
        let done = Shared::new(Done::default());
        T::each_writer(&mut writers.values, &mut |writer| each(&mut MaybeColumn { writer, bits: &bits, done: &done }));
        writers.settle(done.into_inner());
    }

    #[inline]
    fn heap_len(writers: &Self::Writers) -> usize {
        T::heap_len(&writers.values)
    }
}

/// The columns of a [`Maybe`] being written.
#[derive(Debug, Default)]
pub struct MaybeWriters<W> {
    values: W,
    /// Whether each row is there.
    present: Vec<bool>,
}

/// What was done to every column in one pass over them.
#[derive(Debug, Default)]
enum Done {
    #[default]
    Nothing,
    LaidOut,
    Truncated(usize),
    Absent,
    /// Which of the rows that were copied have something in a column.
    Copied(Vec<bool>),
}

impl<W> MaybeWriters<W> {
    fn bits(&self) -> Vec<u8> {
        let byte = |rows: &[bool]| rows.iter().enumerate().fold(0, |byte, (at, present)| byte | u8::from(*present) << at);
        self.present.chunks(8).map(byte).collect()
    }

    /// Does to the rows what was done to their columns.
    fn settle(&mut self, done: Done) {
        match done {
            Done::Nothing => {}
            Done::LaidOut => self.present.clear(),
            Done::Truncated(rows) => self.present.truncate(rows),
            Done::Absent => self.present.push(false),
            Done::Copied(rows) => self.present.extend(rows),
        }
    }
}

/// A column of a record that may be absent: optional, whatever it is by itself.
struct MaybeColumn<'w> {
    writer: &'w mut dyn Writer,
    bits: &'w [u8],
    done: &'w Shared<Done>,
}

impl Writer for MaybeColumn<'_> {
    fn heap_len(&self) -> usize {
        self.writer.heap_len()
    }

    fn push_absent(&mut self) {
        self.writer.push_absent();
        self.done.set(Done::Absent);
    }

    fn truncate(&mut self, rows: usize) {
        self.writer.truncate(rows);
        self.done.set(Done::Truncated(rows));
    }

    fn copy(&mut self, from: &RawColumn<'_>, rows: &[u32]) -> bool {
        let Some(bits) = from.validity else { return false };
        let mut present: Vec<bool> = rows.iter().map(|&row| bit(bits, row as usize)).collect();
        if let Done::Copied(before) = self.done.take() {
            present.iter_mut().zip(before).for_each(|(present, before)| *present |= before);
        }
        self.done.set(Done::Copied(present));
        self.writer.copy(from, rows) || self.writer.copy(&RawColumn { validity: None, ..*from }, rows)
    }

    fn lay_out(&mut self, out: &mut Vec<u8>, _: Option<&[u8]>) -> [u8; crate::block::COLUMN_ENTRY] {
        self.done.set(Done::LaidOut);
        self.writer.lay_out(out, Some(self.bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Block, Builder};
    use crate::schema::Schema;

    type Row = Joined<(String, i64), Maybe<(String, Option<i64>)>>;

    fn row(n: i64, right: Option<(&str, Option<i64>)>) -> Row {
        let right = Maybe(right.map(|(text, n)| (text.to_owned(), n)));
        Joined { left: (format!("row {n}"), n), right }
    }

    fn rows() -> Vec<Row> {
        let right = [Some(("a", None)), None, Some(("", Some(3))), None, None, Some(("b", Some(4)))];
        (0..).zip(right).map(|(n, right)| row(n, right)).cycle().take(20).collect()
    }

    fn read(bytes: &[u8]) -> Vec<Row> {
        let block = Block::parse(bytes).expect("a block");
        let readers = Row::open(&mut Cursor::new(&block)).expect("its columns");
        (0..block.rows()).map(|row| Row::read(&readers, row)).collect()
    }

    #[test]
    fn what_is_absent_is_absent_when_it_is_read() {
        assert_eq!(Schema::of::<Row>().to_string(), "left.f0:string,left.f1:i64,right.f0:string?,right.f1:i64?");
        let mut builder = Builder::<Row>::default();
        for _ in 0..2 {
            rows().iter().for_each(|row| builder.push(row, 0));
            builder.truncate(13);
            assert_eq!(read(builder.finish()), rows()[..13]);
        }
    }

    #[test]
    fn rows_are_copied_without_being_read() {
        let mut builder = Builder::<Row>::default();
        rows().iter().for_each(|row| builder.push(row, 0));
        let bytes = builder.finish().to_vec();
        let mut copy = Builder::<Row>::default();
        copy.copy(&Block::parse(&bytes).expect("a block"), &[1, 2, 19]).expect("the same columns");
        copy.push(&row(9, None), 0);
        let expected = [rows()[1].clone(), rows()[2].clone(), rows()[19].clone(), row(9, None)];
        assert_eq!(read(copy.finish()), expected);
    }

    #[test]
    fn what_is_absent_may_hold_what_is_absent() {
        type Nested = Maybe<Joined<Maybe<i64>, i64>>;
        let pair = |left: Option<i64>, right: i64| Maybe(Some(Joined { left: Maybe(left), right }));
        let rows = [pair(Some(1), 2), pair(None, 3), Maybe(None), pair(Some(4), 5)];
        let mut builder = Builder::<Nested>::default();
        rows.iter().for_each(|row| builder.push(row, 0));
        let block = Block::parse(builder.finish()).expect("a block");
        let readers = Nested::open(&mut Cursor::new(&block)).expect("its columns");
        assert_eq!((0..4).map(|row| Nested::read(&readers, row)).collect::<Vec<_>>(), rows);
    }
}
