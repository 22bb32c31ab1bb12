//! Aggregates of windows: a small accumulator per window instead of all its records.
//!
//! [`count`], [`sum`], [`mean`], [`min`] and [`max`] are ready; implement [`Aggregate`] for others.

use std::marker::PhantomData;

use crate::record::{Cell, Field, Record};

/// How records become an accumulator and the accumulator a result.
///
/// Adding must not depend on the order of records, and merging must give what adding all records to one accumulator would:
/// the host merges sessions that grow together, and shares accumulators between sliding windows.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "not an aggregate",
    note = "`count()`, `sum(…)`, `mean(…)`, `min(…)` and `max(…)` of a field are ready; implement `Aggregate` for others, or use `.fold` with closures"
)]
pub trait Aggregate: 'static {
    /// The records.
    type In: Record;
    /// What is kept for a window: state, so a record itself.
    type Acc: Record + Clone;
    /// The result.
    type Out;

    /// The accumulator of no records.
    fn start(&self) -> Self::Acc;

    /// Adds a record.
    fn add(&self, acc: &mut Self::Acc, record: &Self::In);

    /// Adds what another accumulator holds.
    fn merge(&self, into: &mut Self::Acc, from: &Self::Acc);

    /// The result of an accumulator.
    fn finish(&self, acc: &Self::Acc) -> Self::Out;
}

/// A number that can be summed, averaged and compared.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number",
    label = "not a number",
    note = "fields of type i32, i64 and f64 can be summed, averaged and compared; turn others into one of these by a `map` before"
)]
pub trait Number: Cell + Record + Copy + PartialOrd {
    /// What a sum of such numbers is.
    type Sum: Number;
    /// Below or equal to all others.
    const LEAST: Self;
    /// Above or equal to all others.
    const GREATEST: Self;

    /// The number as a sum of one.
    fn widen(self) -> Self::Sum;

    /// The sum; integers wrap around, as Flink's do.
    #[must_use]
    fn plus(self, other: Self) -> Self;

    /// The nearest f64.
    fn as_f64(self) -> f64;
}

impl Number for i32 {
    type Sum = i64;
    const LEAST: i32 = i32::MIN;
    const GREATEST: i32 = i32::MAX;

    fn widen(self) -> i64 {
        i64::from(self)
    }

    fn plus(self, other: i32) -> i32 {
        self.wrapping_add(other)
    }

    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Number for i64 {
    type Sum = i64;
    const LEAST: i64 = i64::MIN;
    const GREATEST: i64 = i64::MAX;

    fn widen(self) -> i64 {
        self
    }

    fn plus(self, other: i64) -> i64 {
        self.wrapping_add(other)
    }

    fn as_f64(self) -> f64 {
        self as f64
    }
}

impl Number for f64 {
    type Sum = f64;
    const LEAST: f64 = f64::NEG_INFINITY;
    const GREATEST: f64 = f64::INFINITY;

    fn widen(self) -> f64 {
        self
    }

    fn plus(self, other: f64) -> f64 {
        self + other
    }

    fn as_f64(self) -> f64 {
        self
    }
}

/// See [`count`].
pub struct Count<T>(PhantomData<fn(T)>);

/// The number of records.
pub fn count<T: Record>() -> Count<T> {
    Count(PhantomData)
}

impl<T: Record> Aggregate for Count<T> {
    type In = T;
    type Acc = i64;
    type Out = i64;

    fn start(&self) -> i64 {
        0
    }

    fn add(&self, acc: &mut i64, _: &T) {
        *acc += 1;
    }

    fn merge(&self, into: &mut i64, from: &i64) {
        *into += from;
    }

    fn finish(&self, acc: &i64) -> i64 {
        *acc
    }
}

/// See [`sum`].
pub struct Sum<T, V>(Field<T, V>);

/// The sum of a field.
pub fn sum<T: Record, V: Number>(field: Field<T, V>) -> Sum<T, V> {
    Sum(field)
}

impl<T: Record, V: Number> Aggregate for Sum<T, V>
where
    V::Sum: Default,
{
    type In = T;
    type Acc = V::Sum;
    type Out = V::Sum;

    fn start(&self) -> V::Sum {
        V::Sum::default()
    }

    fn add(&self, acc: &mut V::Sum, record: &T) {
        *acc = acc.plus(self.0.get(record).widen());
    }

    fn merge(&self, into: &mut V::Sum, from: &V::Sum) {
        *into = into.plus(*from);
    }

    fn finish(&self, acc: &V::Sum) -> V::Sum {
        *acc
    }
}

/// See [`mean`].
pub struct Mean<T, V>(Field<T, V>);

/// The arithmetic mean of a field.
pub fn mean<T: Record, V: Number>(field: Field<T, V>) -> Mean<T, V> {
    Mean(field)
}

impl<T: Record, V: Number> Aggregate for Mean<T, V> {
    type In = T;
    type Acc = (f64, i64);
    type Out = f64;

    fn start(&self) -> (f64, i64) {
        (0.0, 0)
    }

    fn add(&self, (sum, n): &mut (f64, i64), record: &T) {
        *sum += self.0.get(record).as_f64();
        *n += 1;
    }

    fn merge(&self, into: &mut (f64, i64), from: &(f64, i64)) {
        into.0 += from.0;
        into.1 += from.1;
    }

    fn finish(&self, (sum, n): &(f64, i64)) -> f64 {
        sum / *n as f64
    }
}

macro_rules! extreme {
    ($name:ident, $function:ident, $doc:literal, $start:ident, $better:tt) => {
        #[doc = concat!("See [`", stringify!($function), "`].")]
        pub struct $name<T, V>(Field<T, V>);

        #[doc = $doc]
        pub fn $function<T: Record, V: Number>(field: Field<T, V>) -> $name<T, V> {
            $name(field)
        }

        impl<T: Record, V: Number> Aggregate for $name<T, V> {
            type In = T;
            type Acc = V;
            type Out = V;

            fn start(&self) -> V {
                V::$start
            }

            fn add(&self, acc: &mut V, record: &T) {
                self.merge(acc, self.0.get(record));
            }

            fn merge(&self, into: &mut V, from: &V) {
                if *from $better *into {
                    *into = *from;
                }
            }

            fn finish(&self, acc: &V) -> V {
                *acc
            }
        }
    };
}

extreme!(Min, min, "The least value of a field.", GREATEST, <);
extreme!(Max, max, "The greatest value of a field.", LEAST, >);
