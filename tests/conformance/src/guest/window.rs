//! Windows that gather the values of a field.

use serde_json::Value as Json;
use tidemill_core::guest::{OperatorId, Slot};

use super::{Done, Interpreter, Passing};
use crate::record::Row;

impl Interpreter {
    /// Adds the records to their slots.
    pub(super) fn gather(&mut self, operator: OperatorId, records: &[Row], rows: &[u32], slots: &[Slot]) {
        let field = self.behaviour(operator).collect;
        for (at, &slot) in slots.iter().enumerate() {
            let row = rows.get(at).map_or(at, |&row| row as usize);
            let value = field.as_ref().and_then(|field| records[row].record.get(field)).cloned().unwrap_or(Json::Null);
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.lists.entry((operator, slot)).or_default().push(text);
        }
    }

    /// Emits, for each window, its key, its bounds, how often it has fired, and what it has gathered: in a text, and counted.
    pub(super) fn close(&mut self, operator: OperatorId, windows: Vec<Row>, offsets: &[u32], slots: &[Slot], done: &mut Done) {
        for (at, mut row) in windows.into_iter().enumerate() {
            let slots = &slots[offsets[at] as usize..offsets[at + 1] as usize];
            let values: Vec<&String> = slots.iter().filter_map(|&slot| self.lists.get(&(operator, slot))).flatten().collect();
            for name in ["start", "end", "firing"] {
                let value = row.record.remove(&format!("${name}")).unwrap_or(Json::Null);
                row.record.insert(name.to_owned(), value);
            }
            row.record.insert("count".to_owned(), values.len().into());
            row.record.insert("values".to_owned(), values.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(" ").into());
            done.passed.push(Passing { origin: at as u32, row });
        }
    }
}
