//! Records: the typed rows of blocks.
//!
//! A [`Record`] knows its columns, opens typed readers over a block once, and then makes row after row from them; writing
//! goes the same way back. `#[derive(Record)]` implements it for flat structs; [tuples](self) of up to eight
//! fields and single values are records too. A field is a [`Cell`].

mod carrier;
mod cell;
mod composite;
mod joined;
mod key;
mod row;
mod tuple;

pub use carrier::{Bin, Json, List};
pub use cell::{Plain, Texts};
pub use composite::{DeadLetter, KeyCount, KeyValue, WindowCount, WindowRecord, WindowValue, With};
pub use joined::{Joined, Maybe, MaybeWriters};
pub use key::{Key, KeyFields};
pub use row::{Part, Row};

pub use crate::schema::Column;

use std::marker::PhantomData;

use crate::block::{Block, Error, RawColumn, Writer};
use crate::schema::Type;

/// A row of a block. Derive it for flat structs.
// No implementation of `Record` and `Cell` is recommended by the compiler: the notes here name the choices, and in fewer words.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a record",
    label = "not a record",
    note = "put `#[derive(Record)]` on the struct; single values, tuples of up to eight fields, `Json<T>` and `Bin<T>` are records too"
)]
pub trait Record: Sized + 'static {
    /// How many columns it has.
    const COLUMNS: usize;
    /// Its columns opened for reading.
    type Readers<'a>;
    /// Its columns being written.
    type Writers: Default;

    /// Appends its columns' names and types.
    fn fields(fields: &mut Vec<Column>);

    /// Opens its columns.
    fn open<'a>(columns: &mut Cursor<'_, 'a>) -> Result<Self::Readers<'a>, Error>;

    /// Makes the record of one row.
    fn read(readers: &Self::Readers<'_>, row: usize) -> Self;

    /// Appends itself as a row.
    fn write(&self, writers: &mut Self::Writers);

    /// Calls `each` for every column in order.
    fn each_writer(writers: &mut Self::Writers, each: &mut dyn FnMut(&mut dyn Writer));

    /// The bytes of text and bytes written so far.
    fn heap_len(writers: &Self::Writers) -> usize;
}

/// The type of a field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a record",
    label = "not a column type",
    note = "fields are bool, i32, i64, f64, String, Vec<u8> (bytes), an Option of one of these, or List<T> of records",
    note = "for other integers use i64; for a nested or foreign type that serde knows use Json<T> or Bin<T>"
)]
pub trait Cell: Sized + 'static {
    /// The type of its column.
    const TYPE: Type;
    /// Whether values may be absent.
    const OPTIONAL: bool;
    /// The column opened for reading.
    type Reader<'a>;
    /// The column being written.
    type Writer: Writer + Default;

    /// Opens a column of this type.
    fn open(column: RawColumn<'_>) -> Result<Self::Reader<'_>, Error>;

    /// The value of one row.
    fn read(reader: &Self::Reader<'_>, row: usize) -> Self;

    /// Appends the value.
    fn write(&self, writer: &mut Self::Writer);
}

/// Hands out the columns of a block one after the other.
#[derive(Debug)]
pub struct Cursor<'c, 'a> {
    block: &'c Block<'a>,
    /// The columns to hand out, or all in order.
    picked: Option<&'c [usize]>,
    next: usize,
    /// Every column is optional, whatever the record says: a block of state.
    state: bool,
}

impl<'c, 'a> Cursor<'c, 'a> {
    /// All columns in order.
    pub fn new(block: &'c Block<'a>) -> Self {
        Cursor { block, picked: None, next: 0, state: false }
    }

    /// Some columns.
    pub fn pick(block: &'c Block<'a>, columns: &'c [usize]) -> Self {
        Cursor { block, picked: Some(columns), next: 0, state: false }
    }

    /// The columns of a block of state from `first` on.
    pub(crate) fn state(block: &'c Block<'a>, first: usize) -> Self {
        Cursor { block, picked: None, next: first, state: true }
    }

    /// The column `ahead` of the next one.
    fn peek(&self, ahead: usize) -> Result<RawColumn<'a>, Error> {
        let next = self.next + ahead;
        let index = self.picked.map_or(Some(next), |picked| picked.get(next).copied());
        self.block.column(index.ok_or(Error::Missing(next))?)
    }

    /// Opens columns that are optional, whatever the record says.
    fn all_optional<R>(&mut self, open: impl FnOnce(&mut Self) -> Result<R, Error>) -> Result<R, Error> {
        let before = std::mem::replace(&mut self.state, true);
        let opened = open(self);
        self.state = before;
        opened
    }

    /// Opens the next column for values of type `T`.
    pub fn open<T: Cell>(&mut self) -> Result<T::Reader<'a>, Error> {
        let index = match self.picked {
            Some(picked) => *picked.get(self.next).ok_or(Error::Missing(self.next))?,
            None => self.next,
        };
        self.next += 1;
        let mut column = self.block.column(index)?;
        if self.state && !T::OPTIONAL {
            column.validity = None;
        }
        column.expect(T::TYPE, T::OPTIONAL)?;
        T::open(column)
    }
}

/// The name of a field of the record `R`: a constant that `#[derive(Record)]` makes, such as `Bid::BIDDER`.
pub struct Field<R, T> {
    index: usize,
    name: &'static str,
    get: fn(&R) -> &T,
    _types: PhantomData<fn(R) -> T>,
}

impl<R, T> Clone for Field<R, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, T> Copy for Field<R, T> {}

impl<R, T> std::fmt::Debug for Field<R, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Field({:?})", self.name)
    }
}

impl<R, T> Field<R, T> {
    /// The field at a column, with its accessor.
    pub const fn new(index: usize, name: &'static str, get: fn(&R) -> &T) -> Self {
        Field { index, name, get, _types: PhantomData }
    }

    /// The index of its column.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The name of its column as the record declares it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The value in a record.
    #[inline]
    pub fn get<'r>(&self, record: &'r R) -> &'r T {
        (self.get)(record)
    }
}
