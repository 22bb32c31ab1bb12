//! Windows that gather the values of a field.

use serde_json::Value as Json;
use tidemill_core::guest::{Asked, Decision, OperatorId, Slot, TriggerAction, TriggerEvent};
use tidemill_core::plan::{Evict, Evictor, Kind};

use super::{Done, Interpreter, Passing};
use crate::record::Row;

impl Interpreter {
    /// Adds the records to their slots; those of a co-group with the name of their side in front.
    pub(super) fn gather(&mut self, operator: OperatorId, input: u32, records: &[Row], rows: &[u32], slots: &[Slot]) {
        let side = self.plan.operators[operator as usize].sides().map(|sides| format!("{}:", sides[input as usize].name));
        let field = self.behaviour(operator).collect;
        for (at, &slot) in slots.iter().enumerate() {
            let row = rows.get(at).map_or(at, |&row| row as usize);
            let value = field.as_ref().and_then(|field| records[row].record.get(field)).cloned().unwrap_or(Json::Null);
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text = side.clone().unwrap_or_default() + &text;
            self.lists.entry((operator, slot)).or_default().push(text);
        }
    }

    /// Emits, for each window, its key, its bounds, how often it has fired, and what it has gathered: in a text, and counted.
    pub(super) fn close(&mut self, operator: OperatorId, windows: Vec<Row>, offsets: &[u32], slots: &[Slot], done: &mut Done) {
        for (at, mut row) in windows.into_iter().enumerate() {
            let slots = &slots[offsets[at] as usize..offsets[at + 1] as usize];
            self.evict(operator, slots, false);
            let values: Vec<&String> = slots.iter().filter_map(|&slot| self.lists.get(&(operator, slot))).flatten().collect();
            for name in ["start", "end", "firing"] {
                let value = row.record.remove(&format!("${name}")).unwrap_or(Json::Null);
                row.record.insert(name.to_owned(), value);
            }
            row.record.insert("count".to_owned(), values.len().into());
            row.record.insert("values".to_owned(), values.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(" ").into());
            done.passed.push(Passing { origin: at as u32, row });
            self.evict(operator, slots, true);
        }
    }

    /// Takes out what the plan's evictor says: by count, or all but the last so many.
    fn evict(&mut self, operator: OperatorId, slots: &[Slot], behind: bool) {
        let Kind::Window(spec) = &self.plan.operators[operator as usize].kind else { return };
        let keep = match &spec.evictor {
            Some(Evictor { evict: Evict::Count { records }, after }) if *after == behind => Some(*records as usize),
            Some(Evictor { evict: Evict::Guest, after }) if *after == behind => self.behaviour(operator).keep_last,
            _ => None,
        };
        for slot in slots {
            if let (Some(keep), Some(list)) = (keep, self.lists.get_mut(&(operator, *slot))) {
                list.drain(..list.len().saturating_sub(keep));
            }
        }
    }

    /// What the trigger of an operator decides.
    pub(super) fn decide(&self, operator: OperatorId, asked: &Asked<'_>) -> Vec<Decision> {
        let behaviour = self.behaviour(operator);
        let records = asked.records.map(|block| crate::record::rows(block, &self.input(operator, 0)));
        let text = |at: usize| match asked.event {
            TriggerEvent::EventTime => behaviour.on_event_time.clone(),
            TriggerEvent::ProcessingTime => behaviour.on_processing_time.clone(),
            TriggerEvent::Record => {
                let record = records.as_ref().and_then(|rows| rows.get(*asked.rows.get(at)? as usize));
                let value = record.zip(behaviour.trigger.as_ref()).and_then(|(row, field)| row.record.get(field));
                value.and_then(Json::as_str).unwrap_or_default().to_owned()
            }
        };
        (0..asked.slots.len()).map(|at| decision(&text(at))).collect()
    }
}

/// Words with `;` between them: `fire`, `purge`, `event-time N`, `processing-time N`.
fn decision(text: &str) -> Decision {
    let mut decision = Decision { action: TriggerAction::Continue, event_time: None, processing_time: None };
    let (mut fire, mut purge) = (false, false);
    for word in text.split(';').map(str::trim) {
        match word.split_once(' ') {
            None if word == "fire" => fire = true,
            None if word == "purge" => purge = true,
            Some(("event-time", time)) => decision.event_time = time.parse().ok(),
            Some(("processing-time", time)) => decision.processing_time = time.parse().ok(),
            _ => {}
        }
    }
    decision.action = match (fire, purge) {
        (true, true) => TriggerAction::FireAndPurge,
        (true, false) => TriggerAction::Fire,
        (false, true) => TriggerAction::Purge,
        (false, false) => TriggerAction::Continue,
    };
    decision
}
