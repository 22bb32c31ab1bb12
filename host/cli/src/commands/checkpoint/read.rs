//! `tidemill checkpoint read`: keyed state as JSON lines.

use std::io::{self, BufWriter, Write};

use clap::Args;
use serde_json::{Map, Value, json};
use tidemill_core::block::Block;
use tidemill_core::checkpoint::column;
use tidemill_core::key;
use tidemill_state::{Error, Manifest, Operator, Restore};

use super::value::{bytes_shown, cell, fields, key_bytes, namespace};
use super::{catalog, find, open};
use crate::console;
use crate::fault::{Fault, Outcome};
use crate::suggest;

/// Print the keyed state of an operator, one JSON object a line
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "A line has `key` (its fields where they are known), `namespace` (what the state is of besides its key, e.g. a window;
absent where there is none), `host` (what the host keeps, absent where there is none) and `state`. Bytes are shown as 0x...

Examples:
  tidemill checkpoint read checkpoints --operator counts
  tidemill checkpoint read checkpoints 42 --operator totals --key '[\"blue\", 7]'"
)]
pub(super) struct ReadCommand {
    /// The checkpoint directory
    #[arg(value_name = "URL")]
    url: String,
    /// The number of a checkpoint or the name of a savepoint; the newest by default
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The operator
    #[arg(long, value_name = "NAME")]
    operator: String,
    /// Only this key: the value of its field, a JSON array where it has several, 0x and its bytes where they are not known
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// Why reading ends.
enum End {
    State(Error),
    Output(io::Error),
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::State(error)
    }
}

pub(super) fn run(command: &ReadCommand) -> Outcome<()> {
    let store = open(&command.url)?;
    let catalog = catalog(&store)?;
    let manifest = find(&catalog, command.id.as_deref())?.manifest;
    let operator = operator(manifest, &command.operator)?;
    let key = command.key.as_deref().map(|text| key_bytes(text, operator.key.as_ref())).transpose()?;
    let groups = match &key {
        Some(key) => {
            let group = (key::hash(key) % u64::from(manifest.groups)) as u32;
            group..group + 1
        }
        None => 0..manifest.groups,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let saved = Restore::new(&store, manifest);
    let each = &mut |page: Block| {
        (0..page.rows()).try_for_each(|row| {
            let wanted = key.as_ref().is_none_or(|key| page.column(column::KEY).bytes(row) == &key[..]);
            if wanted { writeln!(out, "{}", line(operator, &page, row)).map_err(End::Output) } else { Ok(()) }
        })
    };
    let read = saved.read(&operator.name, groups, each).and_then(|()| out.flush().map_err(End::Output));
    read.map_err(|end| match end {
        End::State(error) => super::fault(&error),
        End::Output(error) => console::output_fault(&error),
    })
}

fn operator<'a>(manifest: &'a Manifest, name: &str) -> Outcome<&'a Operator> {
    let names = || manifest.operators.iter().filter(|operator| operator.state.is_some()).map(|operator| operator.name.as_str());
    match manifest.operator(name) {
        Some(operator) if operator.state.is_some() => Ok(operator),
        found => {
            let what = if found.is_some() { "has no keyed state" } else { "is not in this checkpoint" };
            let listed = names().collect::<Vec<_>>().join(", ");
            let known =
                if listed.is_empty() { "no operator has keyed state".to_owned() } else { format!("operators with keyed state: {listed}") };
            Err(Fault::refused(format!("operator {name:?} {what}")).hint(suggest::hint(name, names()).unwrap_or(known)))
        }
    }
}

fn line(operator: &Operator, page: &Block, row: usize) -> Value {
    let mut line = Map::new();
    let bytes = page.column(column::KEY).bytes(row);
    let decoded = operator.key.as_ref().and_then(|schema| Some((schema, key::decode(bytes, schema)?)));
    line.insert("key".to_owned(), decoded.map_or_else(|| json!(bytes_shown(bytes)), |(schema, values)| fields(schema, &values)));
    if let Some(namespace) = namespace(page.column(column::NAMESPACE).bytes(row)) {
        line.insert("namespace".to_owned(), namespace);
    }
    if page.column(column::HOST).present(row) {
        line.insert("host".to_owned(), json!(bytes_shown(page.column(column::HOST).bytes(row))));
    }
    let columns = operator.state.iter().flat_map(|state| state.fields());
    let state = columns.enumerate().map(|(index, field)| (field.name.clone(), cell(page.column(column::STATE + index).value(row))));
    line.insert("state".to_owned(), Value::Object(state.collect()));
    Value::Object(line)
}
