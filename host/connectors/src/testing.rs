//! What the tests of this crate share: operators from a few words, and a reader drained to values.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use tidemill_core::block::{Block, Value};
use tidemill_core::connect::{Batch, Error, Polled, Reader, Source};
use tidemill_core::plan::Operator;

/// A source operator: `extra` are further members of the spec, such as `"time":"at"`.
pub(crate) fn source(schema: &str, format: &str, extra: &str, on_error: &str) -> Operator {
    let comma = if extra.is_empty() { "" } else { "," };
    let plan = format!(
        r#"{{"name":"in","kind":{{"source":{{"binding":"in","format":"{format}"{comma}{extra}}}}},"on-error":"{on_error}",
            "outputs":[{{"schema":"{schema}"}}]}}"#
    );
    serde_json::from_str(&plan).unwrap()
}

/// A sink operator.
pub(crate) fn sink(format: &str) -> Operator {
    serde_json::from_str(&format!(r#"{{"name":"out","kind":{{"sink":{{"binding":"out","format":"{format}"}}}}}}"#)).unwrap()
}

/// A reader of the only worker.
pub(crate) fn reader(source: &dyn Source) -> Box<dyn Reader> {
    source.reader(0, 1, Arc::new(|| {})).unwrap()
}

/// All batches up to the end.
pub(crate) fn drain(reader: &mut dyn Reader, rows: usize) -> Result<Vec<Batch>, Error> {
    let mut batches = Vec::new();
    while let Polled::Batch(batch) = reader.poll(rows)? {
        batches.push(batch);
    }
    Ok(batches)
}

/// The rows of a block, one line each.
pub(crate) fn lines(block: &Block) -> Vec<String> {
    let cell = |value: Value<'_>| match value {
        Value::Absent => "-".to_owned(),
        Value::Bool(v) => v.to_string(),
        Value::I32(v) => v.to_string(),
        Value::I64(v) => v.to_string(),
        Value::F64(v) => format!("{v:?}"),
        Value::String(v) => v.to_owned(),
        Value::Bytes(v) => format!("{v:?}"),
    };
    let row = |row| (0..block.columns()).map(|c| cell(block.column(c).value(row))).collect::<Vec<_>>().join("|");
    (0..block.rows()).map(row).collect()
}

/// The rows of all batches.
pub(crate) fn all_lines(batches: &[Batch]) -> Vec<String> {
    batches.iter().flat_map(|b| &b.blocks).flat_map(|(_, block)| lines(block)).collect()
}
