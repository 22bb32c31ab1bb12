//! Records that the host computes or the SDK puts together: a key with an aggregate, a window with a record, a
//! record with columns behind it.
//!
//! Readers go by position, so that the columns may carry the names the key has in the job.

use super::{Column, Cursor, Field, Key, Record};
use crate::block::{Error, Writer};

macro_rules! composite {
    ($(#[$doc:meta])* $name:ident<$($generic:ident: $bound:ident),*> { $($(#[$field_doc:meta])* $field:ident $at:tt: $ty:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name<$($generic),*> {
            $($(#[$field_doc])* pub $field: $ty,)*
        }

        #[diagnostic::do_not_recommend]
        impl<$($generic: $bound),*> Record for $name<$($generic),*> {
            const COLUMNS: usize = 0 $(+ <$ty as Record>::COLUMNS)*;
            type Readers<'a> = ($(<$ty as Record>::Readers<'a>,)*);
            type Writers = ($(<$ty as Record>::Writers,)*);

            fn fields(fields: &mut Vec<Column>) {
                $({
                    let first = fields.len();
                    <$ty as Record>::fields(fields);
                    if let [single] = &mut fields[first..] {
                        stringify!($field).clone_into(&mut single.name);
                    }
                })*
            }

            fn open<'a>(columns: &mut Cursor<'_, 'a>) -> Result<Self::Readers<'a>, Error> {
                Ok(($(<$ty as Record>::open(columns)?,)*))
            }

            #[inline]
            fn read(readers: &Self::Readers<'_>, row: usize) -> Self {
                $name { $($field: <$ty as Record>::read(&readers.$at, row)),* }
            }

            #[inline]
            fn write(&self, writers: &mut Self::Writers) {
                $(self.$field.write(&mut writers.$at);)*
            }

            fn each_writer(writers: &mut Self::Writers, each: &mut dyn FnMut(&mut dyn Writer)) {
                $(<$ty as Record>::each_writer(&mut writers.$at, each);)*
            }

            #[inline]
            fn heap_len(writers: &Self::Writers) -> usize {
                0 $(+ <$ty as Record>::heap_len(&writers.$at))*
            }
        }
    };
}

composite! {
    /// How many records a key has had: what `count` on a keyed stream gives.
    KeyCount<K: Key> {
        /// The key.
        key 0: K,
        /// The number of records so far.
        count 1: i64,
    }
}

composite! {
    /// A running aggregate of a key: what `sum`, `min` and `max` on a keyed stream give.
    KeyValue<K: Key, V: Record> {
        /// The key.
        key 0: K,
        /// The aggregate so far.
        value 1: V,
    }
}

composite! {
    /// How many records a key has in a window: what `count` on a window gives.
    WindowCount<K: Key> {
        /// The key.
        key 0: K,
        /// The first millisecond of the window.
        start 1: i64,
        /// The first millisecond behind the window.
        end 2: i64,
        /// The number of records.
        count 3: i64,
    }
}

composite! {
    /// An aggregate of a key in a window: what `sum`, `min` and `max` on a window give.
    WindowValue<K: Key, V: Record> {
        /// The key.
        key 0: K,
        /// The first millisecond of the window.
        start 1: i64,
        /// The first millisecond behind the window.
        end 2: i64,
        /// The aggregate.
        value 3: V,
    }
}

composite! {
    /// A record of a window: what `min_by` and `max_by` on a window give.
    WindowRecord<T: Record> {
        /// The first millisecond of the window.
        start 0: i64,
        /// The first millisecond behind the window.
        end 1: i64,
        /// The record.
        record 2: T,
    }
}

composite! {
    /// A record with further columns behind it, which readers of `T` do not see.
    With<T: Record, X: Record> {
        /// The record.
        record 0: T,
        /// The columns behind it.
        extra 1: X,
    }
}

impl<K: Key> KeyCount<K> {
    /// The field `count`.
    pub const COUNT: Field<Self, i64> = Field::new(K::COLUMNS, "count", |r| &r.count);
}

impl<K: Key> WindowCount<K> {
    /// The field `start`.
    pub const START: Field<Self, i64> = Field::new(K::COLUMNS, "start", |r| &r.start);
    /// The field `end`.
    pub const END: Field<Self, i64> = Field::new(K::COLUMNS + 1, "end", |r| &r.end);
    /// The field `count`.
    pub const COUNT: Field<Self, i64> = Field::new(K::COLUMNS + 2, "count", |r| &r.count);
}

impl<K: Key, V: Record> WindowValue<K, V> {
    /// The field `start`.
    pub const START: Field<Self, i64> = Field::new(K::COLUMNS, "start", |r| &r.start);
    /// The field `end`.
    pub const END: Field<Self, i64> = Field::new(K::COLUMNS + 1, "end", |r| &r.end);
    /// The field `value`.
    pub const VALUE: Field<Self, V> = Field::new(K::COLUMNS + 2, "value", |r| &r.value);
}

impl<T: Record> WindowRecord<T> {
    /// The field `start`.
    pub const START: Field<Self, i64> = Field::new(0, "start", |r| &r.start);
    /// The field `end`.
    pub const END: Field<Self, i64> = Field::new(1, "end", |r| &r.end);
}

/// A record that was refused, as the port `dead-letter` of an operator gives it.
#[derive(Clone, Debug, PartialEq, Eq, tidemill_macros::Record)]
pub struct DeadLetter {
    /// The operator that refused it.
    pub operator: String,
    /// Where it was: file, line and byte, or operator and input.
    pub place: String,
    /// What was wrong with it.
    pub reason: String,
    /// The record, shortened.
    pub record: String,
}
