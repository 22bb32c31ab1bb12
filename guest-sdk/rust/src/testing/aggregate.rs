//! The aggregates that a host computes.

use super::row::{Row, Value};
use crate::plan::Aggregate;

/// A running aggregate.
#[derive(Clone, Debug, Default)]
pub(super) struct Acc {
    count: i64,
    value: Option<Value>,
    row: Option<Row>,
}

impl Acc {
    /// Adds a row; `column` is the index of the aggregate's field.
    pub(super) fn add(&mut self, aggregate: &Aggregate, column: usize, row: &Row) {
        let one = Acc { count: 1, value: row.values.get(column).cloned().map(|value| widened(aggregate, value)), row: Some(row.clone()) };
        self.merge(aggregate, one);
    }

    /// Adds what another holds, which comes later.
    pub(super) fn merge(&mut self, aggregate: &Aggregate, other: Acc) {
        self.count += other.count;
        let (Some(before), Some(after)) = (&self.value, &other.value) else {
            if self.value.is_none() {
                (self.value, self.row) = (other.value, other.row);
            }
            return;
        };
        let better = match aggregate {
            Aggregate::Count => return,
            Aggregate::Sum(_) => {
                self.value = Some(sum(before, after));
                return;
            }
            Aggregate::Min(_) | Aggregate::MinBy(_) => after < before,
            Aggregate::Max(_) | Aggregate::MaxBy(_) => after > before,
        };
        if better {
            (self.value, self.row) = (other.value, other.row);
        }
    }

    /// The columns of the result.
    pub(super) fn result(&self, aggregate: &Aggregate) -> Vec<Value> {
        match aggregate {
            Aggregate::Count => vec![Value::I64(self.count)],
            Aggregate::Sum(_) | Aggregate::Min(_) | Aggregate::Max(_) => vec![self.value.clone().unwrap_or(Value::Absent)],
            Aggregate::MinBy(_) | Aggregate::MaxBy(_) => self.row.as_ref().map(|row| row.values.clone()).unwrap_or_default(),
        }
    }
}

/// Whether the result is the whole record rather than key and value.
pub(super) fn is_record(aggregate: &Aggregate) -> bool {
    matches!(aggregate, Aggregate::MinBy(_) | Aggregate::MaxBy(_))
}

/// The field that an aggregate is of.
pub(super) fn field(aggregate: &Aggregate) -> Option<&str> {
    match aggregate {
        Aggregate::Count => None,
        Aggregate::Sum(f) | Aggregate::Min(f) | Aggregate::Max(f) | Aggregate::MinBy(f) | Aggregate::MaxBy(f) => Some(f),
    }
}

fn widened(aggregate: &Aggregate, value: Value) -> Value {
    match (aggregate, value) {
        (Aggregate::Sum(_), Value::I32(n)) => Value::I64(i64::from(n)),
        (_, value) => value,
    }
}

fn sum(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::I64(a), Value::I64(b)) => Value::I64(a.wrapping_add(*b)),
        (Value::F64(a), Value::F64(b)) => Value::F64(a + b),
        _ => panic!("only numbers have a sum"),
    }
}
