//! Evictors: what a window leaves out when it fires. Only windows that are processed whole have one, since an aggregate does not keep its
//! records.
//!
//! What is evicted is gone for good: a later firing of the window does not see it either. Records stand in the order of their
//! arrival.

use std::rc::Rc;

use crate::aggregate::Number;
use crate::plan::{self, Evict};
use crate::record::Field;
use crate::time::Span;

/// The times and records of a window; says which places go.
type Choose<T> = Rc<dyn Fn(&[i64], &[T]) -> Vec<usize>>;

/// What a window of records `T` leaves out.
#[must_use = "an evictor that no window has does nothing"]
pub struct Evictor<T> {
    pub(crate) plan: plan::Evictor,
    /// The column of the field that the plan names, whose name is the stream's to say.
    pub(crate) column: Option<usize>,
    pub(crate) choose: Choose<T>,
}

impl<T> Clone for Evictor<T> {
    fn clone(&self) -> Self {
        Evictor { plan: self.plan.clone(), column: self.column, choose: self.choose.clone() }
    }
}

impl<T> std::fmt::Debug for Evictor<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.plan.fmt(f)
    }
}

fn evictor<T>(evict: Evict, choose: impl Fn(&[i64], &[T]) -> Vec<usize> + 'static) -> Evictor<T> {
    Evictor { plan: plan::Evictor { evict, after: false }, column: None, choose: Rc::new(choose) }
}

/// Keeps the last `count` records.
pub fn all_but_last<T>(count: u64) -> Evictor<T> {
    let keep = usize::try_from(count).unwrap_or(usize::MAX);
    evictor(Evict::Count { records: count }, move |times, _| (0..times.len().saturating_sub(keep)).collect())
}

/// Keeps the records that are at most `span` older than the latest one, by their event times.
pub fn older_than<T>(span: Span) -> Evictor<T> {
    let ms = span.ms();
    evictor(Evict::Time { ms }, move |times, _| {
        let latest = times.iter().copied().max().unwrap_or(i64::MIN);
        (0..times.len()).filter(|&at| times[at] < latest.saturating_sub(ms)).collect()
    })
}

/// Keeps the records whose field differs from that of the last one by less than `threshold`.
pub fn differing_by<T: 'static, V: Number>(field: Field<T, V>, threshold: f64) -> Evictor<T> {
    let evict = Evict::Delta { field: field.name().to_owned(), threshold };
    let choose = move |_: &[i64], records: &[T]| {
        let value = |record: &T| field.get(record).as_f64();
        let Some(last) = records.last().map(value) else { return Vec::new() };
        (0..records.len()).filter(|&at| (value(&records[at]) - last).abs() >= threshold).collect()
    };
    Evictor { column: Some(field.index()), ..evictor(evict, choose) }
}

/// Leaves out what `goes` says: it is given the event times and the records, and answers with their places.
pub fn by<T>(goes: impl Fn(&[i64], &[T]) -> Vec<usize> + 'static) -> Evictor<T> {
    evictor(Evict::Guest, goes)
}

impl<T> Evictor<T> {
    /// Leaves records out behind the function rather than in front of it: the next firing does not see them.
    pub fn after(mut self) -> Evictor<T> {
        self.plan.after = true;
        self
    }

    /// Takes out what goes.
    pub(crate) fn apply(&self, times: &mut Vec<i64>, records: &mut Vec<T>) {
        let mut goes = vec![false; records.len()];
        for at in (self.choose)(times, records) {
            // A place that does not exist is nobody's record.
            if let Some(goes) = goes.get_mut(at) {
                *goes = true;
            }
        }
        let mut kept = goes.iter().map(|goes| !goes);
        times.retain(|_| kept.next().unwrap_or(true));
        let mut kept = goes.iter().map(|goes| !goes);
        records.retain(|_| kept.next().unwrap_or(true));
    }
}
