//! State that folds what is added to it: Flink's reducing and aggregating state.

use std::cell::Ref;
use std::rc::Rc;

use super::{Handle, Value, ValueRef};
use crate::aggregate::Aggregate;
use crate::record::Record;

/// A record per key, to which others are added by a function.
///
/// ```
/// # use tidemill::prelude::*;
/// struct Longest { word: ReducingState<String> }
///
/// fn declare(declare: &mut Declare) -> Longest {
///     Longest { word: declare.reducing("word", |a: &String, b| if b.len() > a.len() { b.clone() } else { a.clone() }) }
/// }
/// ```
pub struct ReducingState<T: Record + Clone> {
    pub(crate) value: Value<T>,
    pub(crate) reduce: Rc<dyn Fn(&T, &T) -> T>,
}

/// The reduced record of the key in hand.
pub struct ReducingRef<'h, T: Record + Clone> {
    value: ValueRef<'h, T>,
    reduce: &'h dyn Fn(&T, &T) -> T,
}

impl<T: Record + Clone> Handle for ReducingState<T> {
    type Ref<'h> = ReducingRef<'h, T>;

    #[inline]
    fn at(&self, slot: u32) -> ReducingRef<'_, T> {
        ReducingRef { value: self.value.at(slot), reduce: &*self.reduce }
    }
}

impl<T: Record + Clone> ReducingState<T> {
    /// As [`Value::migrates_from`].
    #[must_use]
    pub fn migrates_from<Old: Record>(self, convert: impl Fn(Old) -> T + 'static) -> ReducingState<T> {
        ReducingState { value: self.value.migrates_from(convert), reduce: self.reduce }
    }
}

impl<'h, T: Record + Clone> ReducingRef<'h, T> {
    /// Adds a record; the first is kept as it is.
    #[track_caller]
    pub fn add(&self, record: T) {
        let reduced = self.value.get().map(|before| (self.reduce)(&before, &record));
        self.value.set(reduced.unwrap_or(record));
    }

    /// What all records added so far come to, if there was one.
    #[inline]
    #[track_caller]
    pub fn get(&self) -> Option<Ref<'h, T>> {
        self.value.get()
    }

    /// A copy of that.
    #[inline]
    #[track_caller]
    pub fn cloned(&self) -> Option<T> {
        self.value.cloned()
    }

    /// Begins anew.
    #[inline]
    #[track_caller]
    pub fn clear(&self) {
        self.value.clear();
    }
}

/// An accumulator per key: an [`Aggregate`] outside of windows.
///
/// ```
/// # use tidemill::prelude::*;
/// # #[derive(Clone, Debug, Record)] struct Reading { celsius: f64 }
/// struct Mean { so_far: AggregatingState<tidemill::aggregate::Mean<Reading, f64>> }
///
/// fn declare(declare: &mut Declare) -> Mean {
///     Mean { so_far: declare.aggregating("so_far", mean(Reading::CELSIUS)) }
/// }
/// ```
pub struct AggregatingState<A: Aggregate> {
    pub(crate) value: Value<A::Acc>,
    pub(crate) aggregate: A,
}

/// The accumulator of the key in hand.
pub struct AggregatingRef<'h, A: Aggregate> {
    value: ValueRef<'h, A::Acc>,
    aggregate: &'h A,
}

impl<A: Aggregate> Handle for AggregatingState<A> {
    type Ref<'h> = AggregatingRef<'h, A>;

    #[inline]
    fn at(&self, slot: u32) -> AggregatingRef<'_, A> {
        AggregatingRef { value: self.value.at(slot), aggregate: &self.aggregate }
    }
}

impl<A: Aggregate> AggregatingState<A> {
    /// As [`Value::migrates_from`], of the accumulator.
    #[must_use]
    pub fn migrates_from<Old: Record>(self, convert: impl Fn(Old) -> A::Acc + 'static) -> AggregatingState<A> {
        AggregatingState { value: self.value.migrates_from(convert), aggregate: self.aggregate }
    }
}

impl<A: Aggregate> AggregatingRef<'_, A> {
    /// Adds a record.
    #[track_caller]
    pub fn add(&self, record: &A::In) {
        let mut acc = self.value.or_insert_with(|| self.aggregate.start());
        self.aggregate.add(&mut acc, record);
    }

    /// The result of all records added so far, if there was one.
    #[track_caller]
    pub fn get(&self) -> Option<A::Out> {
        self.value.get().map(|acc| self.aggregate.finish(&acc))
    }

    /// Begins anew.
    #[inline]
    #[track_caller]
    pub fn clear(&self) {
        self.value.clear();
    }
}
