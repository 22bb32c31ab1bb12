//! The column types: bool, i32, i64, f64, String, bytes, and Option of each.

use super::{Cell, Column, Cursor, Record};
use crate::block::{Error, Fixed, Optional, RawColumn, Variable, Writer, bit};
use crate::heap::owned;
use crate::schema::Type;

/// A [`Cell`] that is not optional by itself, and so may stand in an `Option`.
pub trait Plain: Cell {}

macro_rules! fixed {
    ($($ty:ty, $width:literal, $name:ident, |$bytes:ident| $read:expr, |$value:ident| $write:expr;)*) => { $(
        #[diagnostic::do_not_recommend]
        impl Cell for $ty {
            const TYPE: Type = Type::$name;
            const OPTIONAL: bool = false;
            type Reader<'a> = &'a [[u8; $width]];
            type Writer = Fixed<$width, { Type::$name as u8 }>;

            fn open(column: RawColumn<'_>) -> Result<Self::Reader<'_>, Error> {
                Ok(column.data.as_chunks::<$width>().0)
            }

            #[inline]
            fn read(reader: &Self::Reader<'_>, row: usize) -> Self {
                let $bytes = reader[row];
                $read
            }

            #[inline]
            fn write(&self, writer: &mut Self::Writer) {
                let $value = *self;
                writer.push($write);
            }
        }
        impl Plain for $ty {}
    )* };
}

fixed! {
    bool, 1, Bool, |bytes| bytes[0] != 0, |value| [u8::from(value)];
    i32, 4, I32, |bytes| i32::from_le_bytes(bytes), |value| value.to_le_bytes();
    i64, 8, I64, |bytes| i64::from_le_bytes(bytes), |value| value.to_le_bytes();
    f64, 8, F64, |bytes| f64::from_bits(u64::from_le_bytes(bytes)), |value| value.to_bits().to_le_bytes();
}

/// An opened column of text: checked once as a whole, then cut.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    offsets: &'a [[u8; 4]],
    heap: &'a str,
}

impl<'a> Texts<'a> {
    /// The text of one row.
    #[inline]
    pub fn get(&self, row: usize) -> &'a str {
        let (start, end) = (u32::from_le_bytes(self.offsets[row]), u32::from_le_bytes(self.offsets[row + 1]));
        &self.heap[start as usize..end as usize]
    }
}

#[diagnostic::do_not_recommend]
impl Cell for String {
    const TYPE: Type = Type::String;
    const OPTIONAL: bool = false;
    type Reader<'a> = Texts<'a>;
    type Writer = Variable<{ Type::String as u8 }>;

    fn open(column: RawColumn<'_>) -> Result<Texts<'_>, Error> {
        let heap = std::str::from_utf8(column.heap).map_err(|_| Error::Value(column.index))?;
        Ok(Texts { offsets: column.data.as_chunks::<4>().0, heap })
    }

    #[inline]
    fn read(reader: &Texts<'_>, row: usize) -> String {
        owned(reader.get(row))
    }

    #[inline]
    fn write(&self, writer: &mut Self::Writer) {
        writer.push(self.as_bytes());
    }
}

impl Plain for String {}

#[diagnostic::do_not_recommend]
impl Cell for Vec<u8> {
    const TYPE: Type = Type::Bytes;
    const OPTIONAL: bool = false;
    type Reader<'a> = (&'a [[u8; 4]], &'a [u8]);
    type Writer = Variable<{ Type::Bytes as u8 }>;

    fn open(column: RawColumn<'_>) -> Result<Self::Reader<'_>, Error> {
        Ok((column.data.as_chunks::<4>().0, column.heap))
    }

    #[inline]
    fn read(reader: &Self::Reader<'_>, row: usize) -> Vec<u8> {
        bytes_at(reader, row).to_owned()
    }

    #[inline]
    fn write(&self, writer: &mut Self::Writer) {
        writer.push(self);
    }
}

impl Plain for Vec<u8> {}

/// The bytes of one row of a bytes column.
#[inline]
pub(super) fn bytes_at<'a>((offsets, heap): &(&'a [[u8; 4]], &'a [u8]), row: usize) -> &'a [u8] {
    &heap[u32::from_le_bytes(offsets[row]) as usize..u32::from_le_bytes(offsets[row + 1]) as usize]
}

#[diagnostic::do_not_recommend]
impl<T: Plain> Cell for Option<T> {
    const TYPE: Type = T::TYPE;
    const OPTIONAL: bool = true;
    type Reader<'a> = (&'a [u8], T::Reader<'a>);
    type Writer = Optional<T::Writer>;

    fn open(column: RawColumn<'_>) -> Result<Self::Reader<'_>, Error> {
        let bits = column.validity.ok_or(Error::Value(column.index))?;
        Ok((bits, T::open(column)?))
    }

    #[inline]
    fn read((bits, values): &Self::Reader<'_>, row: usize) -> Option<T> {
        bit(bits, row).then(|| T::read(values, row))
    }

    #[inline]
    fn write(&self, writer: &mut Self::Writer) {
        match self {
            Some(value) => value.write(writer.present()),
            None => writer.push_absent(),
        }
    }
}

/// A single value as a record of one column.
macro_rules! single {
    ($name:literal; $([$($generic:tt)*] $ty:ty),* $(,)?) => { $(
        #[diagnostic::do_not_recommend]
        impl<$($generic)*> Record for $ty {
            const COLUMNS: usize = 1;
            type Readers<'a> = <$ty as Cell>::Reader<'a>;
            type Writers = <$ty as Cell>::Writer;

            fn fields(fields: &mut Vec<Column>) {
                fields.push(Column::of::<$ty>($name));
            }

            fn open<'a>(columns: &mut Cursor<'_, 'a>) -> Result<Self::Readers<'a>, Error> {
                columns.open::<$ty>()
            }

            #[inline]
            fn read(readers: &Self::Readers<'_>, row: usize) -> Self {
                <$ty as Cell>::read(readers, row)
            }

            #[inline]
            fn write(&self, writers: &mut Self::Writers) {
                <$ty as Cell>::write(self, writers);
            }

            fn each_writer(writers: &mut Self::Writers, each: &mut dyn FnMut(&mut dyn Writer)) {
                each(writers);
            }

            #[inline]
            fn heap_len(writers: &Self::Writers) -> usize {
                writers.heap_len()
            }
        }
    )* };
}
pub(super) use single;

single!("value"; [] bool, [] i32, [] i64, [] f64, [] String, [] Vec<u8>, [T: Plain] Option<T>);
