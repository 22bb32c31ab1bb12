//! Records that are emitted without being made: the tuple of a record's fields, in which text may be borrowed.
//!
//! A word cut out of a line has to be copied into the column of the output anyway; made into a `String` first, it is copied
//! twice and allocated once. `#[derive(Record)]` makes such a tuple a [`Row`] of the struct.

use super::{Cell, Record};
use crate::block::Writer;

/// What can be emitted in place of a record of type `T`: `(&str, i64)` for `struct Count { word: String, n: i64 }`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row of `{T}`",
    label = "not the tuple of its fields",
    note = "a row is the tuple of all fields in their order, such as `(&str, i64)` for `struct Count {{ word: String, n: i64 }}`"
)]
pub trait Row<T: Record> {
    /// Appends itself as a row of the record's columns.
    fn write(&self, writers: &mut T::Writers);

    /// Makes the record: where another operator of the component takes it.
    fn into_record(self) -> T;
}

/// What can stand for a field of type `C` in a [`Row`]: a value of it, or what it owns, borrowed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand for a field of type `{C}`",
    note = "a field is given as it is, or as `&str` for a `String` and `&[u8]` for bytes"
)]
pub trait Part<C> {
    /// Appends the value. (The bound stands here so that a field of a wrong type is said once, not once more for this trait.)
    fn write(&self, writer: &mut C::Writer)
    where
        C: Cell;

    /// Makes the value of the field.
    fn into_cell(self) -> C;
}

impl<C: Cell> Part<C> for C {
    #[inline]
    fn write(&self, writer: &mut C::Writer) {
        Cell::write(self, writer);
    }

    fn into_cell(self) -> C {
        self
    }
}

macro_rules! borrowed {
    ($owned:ty, $borrowed:ty) => {
        impl Part<$owned> for &$borrowed {
            #[inline]
            fn write(&self, writer: &mut <$owned as Cell>::Writer) {
                writer.push(self.as_ref());
            }

            fn into_cell(self) -> $owned {
                self.to_owned()
            }
        }

        impl Part<Option<$owned>> for Option<&$borrowed> {
            #[inline]
            fn write(&self, writer: &mut <Option<$owned> as Cell>::Writer) {
                match self {
                    Some(value) => writer.present().push(value.as_ref()),
                    None => writer.push_absent(),
                }
            }

            fn into_cell(self) -> Option<$owned> {
                self.map(ToOwned::to_owned)
            }
        }

        impl Row<$owned> for &$borrowed {
            #[inline]
            fn write(&self, writers: &mut <$owned as Record>::Writers) {
                writers.push(self.as_ref());
            }

            fn into_record(self) -> $owned {
                self.to_owned()
            }
        }
    };
}

borrowed!(String, str);
borrowed!(Vec<u8>, [u8]);
