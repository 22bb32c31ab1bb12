//! Keys: what a stream may be partitioned by.

use super::{Field, Plain, Record};

/// A key. Keys have an order, so that whatever goes over keys does so in the same order every time; that is why a
/// number with a fraction is none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "not a key",
    note = "keys are bool, i32, i64, String, Vec<u8>, an Option of one of these, or a tuple of up to four of them; f64 is none: round it to an i64"
)]
pub trait Key: Record + Clone + Ord {}

impl Key for () {}
impl Key for bool {}
impl Key for i32 {}
impl Key for i64 {}
impl Key for String {}
impl Key for Vec<u8> {}
impl<T: Plain + Clone + Ord> Key for Option<T> {}
impl<A: Single, B: Single> Key for (A, B) {}
impl<A: Single, B: Single, C: Single> Key for (A, B, C) {}
impl<A: Single, B: Single, C: Single, D: Single> Key for (A, B, C, D) {}

/// A key of one column.
pub trait Single: super::Cell + Clone + Ord {}
impl<T: super::Cell + Clone + Ord> Single for T {}

/// One field or a tuple of fields of the record `R` that together are a key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a key of `{R}`",
    label = "not a key of `{R}`",
    note = "give a field such as `{R}::ID`, or a tuple of up to four; for a computed key use `key_by_fn(\"name\", |record| …)`"
)]
pub trait KeyFields<R> {
    /// The type of the key.
    type Key: Key;

    /// The indexes of its columns.
    fn indexes(&self) -> Vec<usize>;
}

impl<R, T: Key> KeyFields<R> for Field<R, T> {
    type Key = T;

    fn indexes(&self) -> Vec<usize> {
        vec![self.index()]
    }
}

macro_rules! fields {
    ($($ty:ident $at:tt),*) => {
        #[diagnostic::do_not_recommend]
        impl<R, $($ty),*> KeyFields<R> for ($(Field<R, $ty>,)*)
        where
            ($($ty,)*): Key,
        {
            type Key = ($($ty,)*);

            fn indexes(&self) -> Vec<usize> {
                vec![$(self.$at.index()),*]
            }
        }
    };
}

fields!(A 0, B 1);
fields!(A 0, B 1, C 2);
fields!(A 0, B 1, C 2, D 3);
