//! What one call of a guest costs, by the rows of its block: through `tidemill-guest` alone, without an engine around it.
//!
//! Two guests: `identity` decodes every record of about ninety bytes and writes it again, a count adds one to the accumulator of
//! each record's slot and answers nothing. The cost of a row at large blocks is the work itself; what a
//! call of a single row costs beyond that is the crossing.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tidemill_core::block::{Block, Builder};
use tidemill_core::guest::{Guest, Moment, OperatorId, Slot};
use tidemill_core::plan::check;
use tidemill_core::schema::{Schema, Type};
use tidemill_guest::{Component, Instance, LoadOptions};

use crate::clock;
use crate::results::Results;

/// Rows of a block: from a call per record to the size of the engine's own blocks and twice that.
const ROWS: [usize; 5] = [1, 10, 100, 1_000, 4_096];
/// Processor time of one measure: a hundred thousand calls of one row, some hundred of the largest.
const MEASURE: Duration = Duration::from_millis(200);
/// The same where nothing is to be measured.
const MEASURE_QUICK: Duration = Duration::from_millis(2);
/// Calls between two looks at the clock.
const CALLS: usize = 16;
/// Keys of the count, and with them the slots that a block names.
const KEYS: usize = 1_000;
/// The text of a record of about ninety bytes.
const TEXT: &str = "level of the tide at the mill, measured at the weir gate";
/// All calls happen at the same time.
const AT: Moment = Moment { watermark: 0, now: 0 };

/// A guest that is linked and what to give to it.
struct Bench {
    instance: Instance,
    schema: Schema,
    /// Whether every record has a slot.
    keyed: bool,
    /// Rows handed on for every row given.
    handed_on: usize,
}

/// Measures both guests at every size.
pub(crate) fn measure(guests: &Path, rounds: usize, quick: bool, results: &mut Results) -> Result<()> {
    let least = if quick { MEASURE_QUICK } else { MEASURE };
    results.heading("(a) Calls of a guest by size of block", &["rows of a block", "identity ns/call", "ns/row", "count ns/call", "ns/row"]);
    let mut identity = start(&guests.join("test/identity.wasm"), &[], "identity", false)?;
    let guest = [("query".to_owned(), "q5".to_owned()), ("aggregate".to_owned(), "guest".to_owned())];
    let mut count = start(&guests.join("rust/nexmark.wasm"), &guest, "count", true)?;
    for rows in ROWS {
        let mut cells = vec![rows.to_string()];
        for (name, bench) in [("identity", &mut identity), ("count", &mut count)] {
            let runs = (0..rounds).map(|_| bench.ns_per_call(rows, least));
            let ns_per_call = clock::median(&mut runs.collect::<Result<Vec<_>>>()?);
            let ns_per_row = ns_per_call / rows as f64;
            results.keep(&json!({
                "bench": "call", "guest": name, "rows": rows, "rounds": rounds, "ns_per_call": ns_per_call, "ns_per_row": ns_per_row,
            }))?;
            cells.extend([format!("{ns_per_call:.0}"), format!("{ns_per_row:.1}")]);
        }
        results.row(cells);
    }
    Ok(())
}

/// Links the operator of this name alone.
fn start(path: &Path, arguments: &[(String, String)], operator: &str, keyed: bool) -> Result<Bench> {
    let bytes = fs::read(path).with_context(|| format!("{} is not there: `cargo xtask dist` makes it", path.display()))?;
    let component = Component::load(&bytes, &LoadOptions::default())?;
    let (plan, document) = component.plan(arguments)?;
    check(&plan).map_err(|error| anyhow::anyhow!("{error}"))?;
    let id = plan.operators.iter().position(|o| o.name == operator).with_context(|| format!("there is no operator {operator}"))?;
    let from = &plan.operators[id].inputs[0];
    let sender = plan.operators.iter().find(|o| o.name == from.from).context("an input names an operator")?;
    let output = sender.outputs.iter().find(|o| o.name == from.port).context("an input names a port")?;
    let schema = output.schema.clone();
    let mut instance = component.instantiate(arguments, &document, Arc::new(plan))?;
    instance.link(0, &[id as OperatorId])?;
    Ok(Bench { instance, schema, keyed, handed_on: usize::from(!keyed) })
}

impl Bench {
    /// The processor time of one call with a block of this many rows.
    fn ns_per_call(&mut self, rows: usize, least: Duration) -> Result<f64> {
        let block = block(&self.schema, rows)?;
        let slots: Vec<Slot> = (0..rows).map(|row| (row * 7 % KEYS) as Slot).filter(|_| self.keyed).collect();
        let (mut calls, begun) = (0, clock::thread());
        loop {
            for _ in 0..CALLS {
                let outcome = self.instance.process(0, 0, AT, &block, &[], &slots)?;
                let emitted: usize = outcome.emitted.iter().map(|emission| emission.block.rows()).sum();
                if emitted != rows * self.handed_on {
                    bail!("{emitted} rows came back of {rows}");
                }
            }
            calls += CALLS;
            let taken = clock::thread() - begun;
            if taken >= least {
                return Ok(taken.as_nanos() as f64 / calls as f64);
            }
        }
    }
}

fn block(schema: &Schema, rows: usize) -> Result<Block> {
    let mut builder = Builder::new(schema);
    for row in 0..rows {
        builder.push_time(row as i64);
        for (index, field) in schema.fields().iter().enumerate() {
            let column = builder.column(index);
            match field.ty {
                Type::I64 => column.push_i64((row * (index + 1)) as i64),
                Type::String => column.push_str(TEXT),
                other => bail!("no values for a column of type {}", other.name()),
            }
        }
    }
    builder.finish().context("a block has rows")
}
