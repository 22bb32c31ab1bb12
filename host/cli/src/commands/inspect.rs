//! `tidemill inspect`: what a component is and asks for, without running it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use tidemill_core::guest::Limits;
use tidemill_core::plan::spoken;
use tidemill_guest::{CacheUse, Description};
use tidemill_server::examined::{Capability, Verdict};
use wit_component::DecodedWasm;
use wit_parser::WorldItem;

use crate::fault::{Fault, Outcome};
use crate::{console, job_file, pack, prepare};

/// Show what a component imports and exports, what it asks for and whether it gets it
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  tidemill inspect wordcount.wasm
  tidemill inspect job.toml              # every component that it names

Ends with 3 when the component would be refused; the table says which import is the reason.")]
pub(crate) struct InspectCommand {
    /// The component, or a job file that names it
    #[arg(value_name = "JOB.wasm|job.toml")]
    component: PathBuf,
}

/// One import of a component.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    name: String,
    functions: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(command: &InspectCommand) -> Outcome<()> {
    if command.component.extension().is_none_or(|extension| extension != "toml") {
        return one(&command.component);
    }
    let file = job_file::read(&command.component)?;
    if file.components.is_empty() {
        return one(&file.component);
    }
    let mut first = Ok(());
    for (name, keys) in &file.components {
        console::result(&format!("[components.{name}]\n"))?;
        let looked_at = one(&keys.component).map_err(|fault| Fault { message: format!("component {name:?}: {}", fault.message), ..fault });
        console::result("\n")?;
        first = first.and(looked_at);
    }
    first
}

fn one(path: &Path) -> Outcome<()> {
    let bytes = prepare::read(path)?;
    let loaded = prepare::load(path, prepare::plain_options());
    if let Ok(component) = &loaded {
        console::result(&described(&path.display().to_string(), component.describe()))?;
    }
    if let Some(asked) = asked(&bytes) {
        console::result(&capabilities(&asked))?;
    }
    loaded.map(|_| ())
}

/// The imports, read from the bytes alone, so that a component that is refused can be looked at too.
pub(crate) fn asked(bytes: &[u8]) -> Option<Vec<Asked>> {
    // `load` says what anything else is; the decoder takes a core module for a component of no imports.
    if !pack::is_component(bytes) {
        return None;
    }
    let Ok(DecodedWasm::Component(resolve, world)) = wit_component::decode(bytes) else { return None };
    let import = |(key, item): (&wit_parser::WorldKey, &WorldItem)| {
        let functions = match item {
            WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.keys().cloned().collect(),
            _ => Vec::new(),
        };
        Asked { name: resolve.name_world_key(key), functions }
    };
    Some(resolve.worlds[world].imports.iter().map(import).collect())
}

fn described(path: &str, about: &Description) -> String {
    let ready_ms = about.ready_after.as_secs_f64() * 1e3;
    let code = match &about.cache {
        CacheUse::Hit => format!("read from the cache in {ready_ms:.1} ms"),
        CacheUse::Stored => format!("compiled in {ready_ms:.0} ms, cached now"),
        CacheUse::Replaced(why) => format!("compiled in {ready_ms:.0} ms; the cached one was unusable: {why}"),
        CacheUse::Failed(why) => format!("compiled in {ready_ms:.0} ms, not cached: {why}"),
        CacheUse::Off => format!("compiled in {ready_ms:.0} ms, no cache"),
    };
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<13}{value}");
    };
    line("component", path);
    line("sha256", &about.sha256);
    line("contract", &format!("{} (this host speaks {})", contract(&about.exports), spoken()));
    line("size", &kib(about.bytes));
    line("machine code", &format!("{}, {code}", kib(about.compiled_bytes)));
    line("imports", &listed(&about.imports));
    line("exports", &listed(&about.exports));
    out
}

/// The version in the name of the exported interface.
pub(crate) fn contract(exports: &[String]) -> &str {
    exports.iter().find_map(|name| name.strip_prefix("tidemill:job/operators@")).unwrap_or("unknown")
}

/// What a component may ask for, what it asks for, and what it gets (design: nothing by default).
pub(crate) fn verdicts(asked: &[Asked]) -> Vec<Capability> {
    let row = |what: &str, asks: bool, offered: Verdict| Capability {
        capability: what.to_owned(),
        asks,
        verdict: if asks { offered } else { Verdict::None },
    };
    let host = |function: &str| asked.iter().any(|a| a.name.starts_with("tidemill:job/host@") && a.functions.iter().any(|f| f == function));
    let mut rows = vec![
        row("emit records", host("emit"), Verdict::Granted),
        row("write to the job's log", host("log"), Verdict::Granted),
        row("name the record of a trap", host("report-failure"), Verdict::Granted),
    ];
    for (what, marks) in [
        ("files", &["wasi:filesystem"][..]),
        ("network", &["wasi:sockets", "wasi:http"]),
        ("clock", &["wasi:clocks"]),
        ("randomness", &["wasi:random"]),
        ("environment", &["wasi:cli"]),
    ] {
        rows.push(row(what, asked.iter().any(|a| marks.iter().any(|m| a.name.starts_with(m))), Verdict::Refused));
    }
    rows.extend(asked.iter().filter(|a| !known(&a.name)).map(|other| row(&other.name, true, Verdict::Refused)));
    rows
}

/// The same as a table, with the limits.
fn capabilities(asked: &[Asked]) -> String {
    let limits = Limits::default();
    let mut rows = vec![["capability".to_owned(), "asks".to_owned(), "gets".to_owned()]];
    rows.extend(verdicts(asked).into_iter().map(|row| {
        let gets = match row.verdict {
            Verdict::None => "-",
            Verdict::Granted => "granted",
            Verdict::Refused => "REFUSED",
        };
        [row.capability, yes(row.asks), gets.to_owned()]
    }));
    rows.push(["memory".to_owned(), "-".to_owned(), format!("{} MiB per worker (--memory)", limits.memory_bytes >> 20)]);
    rows.push(["time in one call".to_owned(), "-".to_owned(), format!("{} ms", limits.call_ms)]);
    rows.push(["log".to_owned(), "-".to_owned(), format!("{} KiB/s per worker", limits.log_bytes_per_s >> 10)]);
    let width = rows.iter().map(|r| r[0].chars().count()).max().unwrap_or(0);
    rows.iter().fold("\n".to_owned(), |mut out, [what, asks, gets]| {
        let _ = writeln!(out, "{what:<width$}  {asks:<4}  {gets}");
        out
    })
}

/// Whether an import has a row of its own, or carries nothing but types.
fn known(name: &str) -> bool {
    ["tidemill:job/", "wasi:filesystem", "wasi:sockets", "wasi:http", "wasi:clocks", "wasi:random", "wasi:cli"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

fn yes(asks: bool) -> String {
    if asks { "yes" } else { "no" }.to_owned()
}

fn kib(bytes: usize) -> String {
    format!("{:.1} KiB", bytes as f64 / 1024.0)
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(name: &str, functions: &[&str]) -> Asked {
        Asked { name: name.to_owned(), functions: functions.iter().map(|f| (*f).to_owned()).collect() }
    }

    fn row<'a>(table: &'a str, what: &str) -> Vec<&'a str> {
        let line = table.lines().find(|l| l.starts_with(what)).unwrap_or_default();
        line[what.len()..].split_whitespace().collect()
    }

    #[test]
    fn what_is_asked_is_granted_or_refused() {
        let table =
            capabilities(&[asks("tidemill:job/host@0.1.0", &["emit"]), asks("wasi:sockets/tcp@0.2.0", &[]), asks("acme:gpu/run", &[])]);
        assert_eq!(row(&table, "emit records"), ["yes", "granted"]);
        assert_eq!(row(&table, "write to the job's log"), ["no", "-"]);
        assert_eq!(row(&table, "network"), ["yes", "REFUSED"]);
        assert_eq!(row(&table, "files"), ["no", "-"]);
        assert_eq!(row(&table, "acme:gpu/run"), ["yes", "REFUSED"]);
    }

    #[test]
    fn bytes_that_are_no_component_ask_for_nothing() {
        assert_eq!(asked(b"\0asm\x01\0\0\0"), None);
        assert_eq!(asked(b"no wasm"), None);
    }

    #[test]
    fn the_contract_is_read_from_the_exports() {
        assert_eq!(contract(&["tidemill:job/operators@0.1.0".to_owned()]), "0.1.0");
        assert_eq!(contract(&[]), "unknown");
    }
}
