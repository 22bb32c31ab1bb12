//! `tidemill checkpoint show`: what one checkpoint has, operator by operator.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};
use tidemill_state::{Manifest, Operator};

use super::{catalog, find, open, size};
use crate::fault::Outcome;
use crate::{console, moment};

/// Show what a checkpoint has of each operator: parts, bytes, rows, watermark, positions
#[derive(Clone, Debug, Args)]
pub(super) struct ShowCommand {
    /// The checkpoint directory
    #[arg(value_name = "URL")]
    url: String,
    /// The number of a checkpoint or the name of a savepoint; the newest by default
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &ShowCommand) -> Outcome<()> {
    let catalog = catalog(&open(&command.url)?)?;
    let manifest = find(&catalog, command.id.as_deref())?.manifest;
    console::result(&if command.json { format!("{:#}\n", document(manifest)) } else { console::printable(&text(manifest)) })
}

fn bytes(operator: &Operator) -> u64 {
    operator.layers.iter().flatten().map(|part| part.bytes).sum()
}

/// Rows of all layers: at most so many pieces of state, less where layers hide each other.
fn rows(operator: &Operator) -> u64 {
    operator.layers.iter().flatten().map(|part| part.rows).sum()
}

fn text(manifest: &Manifest) -> String {
    let mut out = format!("{}: checkpoint {}, generation {}", manifest.job, manifest.stamp.checkpoint, manifest.stamp.generation);
    if let Some(name) = &manifest.savepoint {
        let _ = write!(out, ", savepoint {name}");
    }
    if manifest.finished {
        out.push_str(", final");
    }
    let created = moment::event_time(manifest.created_ms);
    let _ =
        writeln!(out, "\ncreated {created}, plan {}, {} key groups, {} of state", manifest.plan, manifest.groups, size(manifest.bytes()));
    for operator in &manifest.operators {
        let _ = writeln!(out, "\n{} - {}, watermark {}", operator.name, operator.kind, moment::event_time(operator.watermark));
        lines(operator).iter().for_each(|line| {
            let _ = writeln!(out, "     {line}");
        });
    }
    out
}

fn lines(operator: &Operator) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(key) = &operator.key {
        lines.push(format!("key {key}"));
    }
    if let Some(state) = &operator.state {
        let parts = operator.layers.iter().flatten().count();
        lines.push(format!("state {state}"));
        lines.push(format!("{} in {parts} parts of {} layers, {} rows", size(bytes(operator)), operator.layers.len(), rows(operator)));
    }
    lines.extend(operator.positions.iter().map(|position| format!("position {position}")));
    lines.extend(operator.staged.iter().map(|name| format!("output {name}")));
    lines
}

fn document(manifest: &Manifest) -> Value {
    let operators = manifest.operators.iter().map(|operator| {
        json!({
            "name": operator.name,
            "kind": operator.kind,
            "watermark": operator.watermark,
            "key": operator.key,
            "state": operator.state,
            "bytes": bytes(operator),
            "rows": rows(operator),
            "layers": operator.layers,
            "positions": operator.positions,
            "staged": operator.staged,
        })
    });
    json!({
        "job": manifest.job,
        "id": manifest.stamp.checkpoint,
        "generation": manifest.stamp.generation,
        "created_ms": manifest.created_ms,
        "plan": manifest.plan,
        "groups": manifest.groups,
        "finished": manifest.finished,
        "savepoint": manifest.savepoint,
        "bytes": manifest.bytes(),
        "operators": operators.collect::<Vec<_>>(),
    })
}
