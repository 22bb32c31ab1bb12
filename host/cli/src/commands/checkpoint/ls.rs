//! `tidemill checkpoint ls`: the checkpoints of a directory, one a line.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Value, json};
use tidemill_core::TimeMs;
use tidemill_core::checkpoint::protocol::Object;
use tidemill_state::{Catalog, Listed, Manifest};

use super::{catalog, open, size, table};
use crate::console;
use crate::fault::Outcome;

/// List checkpoints and savepoints, from old to new
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "A checkpoint counts as ok here when all of its files are there and as long as they were; `verify` reads every byte."
)]
pub(super) struct LsCommand {
    /// The checkpoint directory
    #[arg(value_name = "URL")]
    url: String,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &LsCommand) -> Outcome<()> {
    let catalog = catalog(&open(&command.url)?)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let text = if command.json { format!("{:#}\n", Value::Array(objects(&catalog)?)) } else { text(&catalog, now)? };
    console::result(&text)
}

/// What keeps a checkpoint from being used; none when nothing does.
fn trouble(catalog: &Catalog, listed: Listed<'_>) -> Outcome<Option<String>> {
    match catalog.check(listed) {
        Ok(()) => Ok(None),
        Err(error) if error.is_damage() => Ok(Some(error.to_string())),
        Err(error) => Err(super::fault(&error)),
    }
}

fn kind(listed: &Listed<'_>) -> String {
    match (listed.object, listed.manifest.finished) {
        (Object::Savepoint(name), _) => format!("savepoint {name}"),
        (_, true) => "final".to_owned(),
        (_, false) => "checkpoint".to_owned(),
    }
}

fn text(catalog: &Catalog, now: TimeMs) -> Outcome<String> {
    let mut rows = vec![["id", "generation", "age", "size", "kind", "state"].map(str::to_owned).to_vec()];
    for listed in catalog.checkpoints() {
        let Manifest { stamp, created_ms, .. } = listed.manifest;
        rows.push(vec![
            stamp.checkpoint.to_string(),
            stamp.generation.to_string(),
            age(now, *created_ms),
            size(listed.manifest.bytes()),
            kind(&listed),
            trouble(catalog, listed)?.unwrap_or_else(|| "ok".to_owned()),
        ]);
    }
    for (_, error) in catalog.unreadable() {
        rows.push(vec!["?".to_owned(), "?".to_owned(), "?".to_owned(), "?".to_owned(), "?".to_owned(), error.to_string()]);
    }
    Ok(console::printable(&table(&rows)))
}

fn objects(catalog: &Catalog) -> Outcome<Vec<Value>> {
    let mut objects = Vec::new();
    for listed in catalog.checkpoints() {
        let manifest = listed.manifest;
        let trouble = trouble(catalog, listed)?;
        objects.push(json!({
            "file": listed.object.path(),
            "job": manifest.job,
            "id": manifest.stamp.checkpoint,
            "generation": manifest.stamp.generation,
            "created_ms": manifest.created_ms,
            "bytes": manifest.bytes(),
            "finished": manifest.finished,
            "savepoint": manifest.savepoint,
            "ok": trouble.is_none(),
            "trouble": trouble,
        }));
    }
    objects.extend(catalog.unreadable().map(|(object, error)| json!({"file": object.path(), "ok": false, "trouble": error.to_string()})));
    Ok(objects)
}

/// `5s`, `2m 3s`, `3days 4h`: the two greatest units.
fn age(now: TimeMs, then: TimeMs) -> String {
    let seconds = now.saturating_sub(then).max(0) / 1000;
    let text = crate::moment::span(seconds.saturating_mul(1000));
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units() {
        assert_eq!(age(10_999, 10_000), "0s");
        assert_eq!(age(133_000, 10_000), "2m 3s");
        assert_eq!(age(3 * 86_400_000 + 3_661_000, 0), "3days 1h");
        assert_eq!(age(0, 10_000), "0s", "the clock of the writer may be ahead");
    }
}
