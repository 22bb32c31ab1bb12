//! Map, filter, flat map, key-by and timestamps.

use serde_json::Value as Json;
use tidemill_core::guest::OperatorId;
use tidemill_core::plan::Kind;

use super::{Behaviour, Done, Passing};

/// Hands a record on as the operator's kind and behaviour say.
pub(super) fn pass(kind: &Kind, behaviour: &Behaviour, operator: OperatorId, mut passing: Passing, done: &mut Done) {
    let record = &mut passing.row.record;
    if behaviour.refuse.as_ref().is_some_and(|condition| condition.holds(record)) {
        done.refuse(passing.origin, operator, "refused");
        return;
    }
    if matches!(kind, Kind::Filter) && !behaviour.keep.as_ref().is_none_or(|condition| condition.holds(record)) {
        return;
    }
    for (name, from) in &behaviour.copy {
        let value = record.get(from).cloned().unwrap_or(Json::Null);
        record.insert(name.clone(), value);
    }
    for (name, number) in &behaviour.add {
        let value = record.get(name).and_then(Json::as_i64).unwrap_or_default();
        record.insert(name.clone(), (value + number).into());
    }
    for (name, value) in &behaviour.set {
        record.insert(name.clone(), value.clone());
    }
    let number = |field: &String| passing.row.record.get(field).and_then(Json::as_i64);
    if let Some(time) = behaviour.time.as_ref().and_then(number) {
        passing.row.time = time;
    }
    let times = behaviour.repeat.as_ref().map_or(Some(1), number).unwrap_or_default();
    (0..times).for_each(|_| done.passed.push(passing.clone()));
}
