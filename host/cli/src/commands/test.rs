//! `tidemill test`: a job over files, its output compared with what was expected.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use similar::TextDiff;
use tidemill_core::plan::{Kind, Plan};
use tidemill_dataflow::Control;

use crate::commands::run::Run;
use crate::fault::{Fault, Outcome};
use crate::settings::{self, JobArgs, Mode, RunArgs};
use crate::{bindings, console, prepare, suggest};

/// How long the search for the shortest difference may take; a longer one is shown after that.
const DIFF_TIME: Duration = Duration::from_secs(5);
/// Lines of a difference shown at most: nobody reads more, and the first ones tell most.
const DIFF_LINES_MAX: usize = 200;

/// Run a job over files and compare its output with what was expected
#[derive(Clone, Debug, Args)]
#[command(after_help = "Lines are compared without regard to their order, since workers write side by side; --ordered compares it too.

Examples:
  tidemill test average.wasm --input readings.json --expect averages.json
  tidemill test nexmark.wasm --arg query=q5 --input events=e.json --expect results=q5.txt -p 2
  tidemill test average.wasm --input readings.json --expect averages.json --bless")]
pub(crate) struct TestCommand {
    #[command(flatten)]
    job: JobArgs,
    /// The file a source reads; its name may be left out when there is one source
    #[arg(long, value_name = "[NAME=]FILE", required = true)]
    input: Vec<String>,
    /// The file a sink's output must equal; its name may be left out when there is one sink
    #[arg(long, value_name = "[NAME=]FILE", required = true)]
    expect: Vec<String>,
    /// Compare the order of lines too; use with --parallelism 1
    #[arg(long, conflicts_with = "unordered")]
    ordered: bool,
    /// Compare lines in any order (this is the default)
    #[arg(long)]
    unordered: bool,
    /// Write the output to the expected files instead of comparing
    #[arg(long)]
    bless: bool,
}

/// Runs the command.
pub(crate) fn run(command: &TestCommand) -> Outcome<()> {
    let run_args = RunArgs { mode: Some(Mode::Batch), ..RunArgs::default() };
    let mut settings = settings::gather(&command.job, &run_args)?;
    let prepared = prepare::prepare(&settings)?;
    let inputs = assign("--input", "source", &command.input, &names(&prepared.plan, |k| matches!(k, Kind::Source(_))))?;
    let sinks = names(&prepared.plan, |k| matches!(k, Kind::Sink(_)));
    let expected = assign("--expect", "sink", &command.expect, &sinks)?;
    let scratch = Scratch::new()?;
    settings.bindings.extend(inputs.into_iter().map(|(name, file)| (name, format!("file:{}", file.display()))));
    for name in sinks {
        let wanted = expected.contains_key(&name);
        let url = if wanted { format!("file:{}?ordered=true", scratch.folder(&name).display()) } else { "discard:".to_owned() };
        settings.bindings.insert(name, url);
    }
    let bounds = bindings::resolve(&prepared.plan, &settings.bindings)?;
    let ends = bindings::open(&prepared.plan, &bounds, false, false)?;
    let graph = prepare::resolve(&prepared.plan, &settings, ends.limits.clone());
    let control = Arc::new(Control::new(prepared.plan.operators.len(), graph.workers()));
    Run::new(prepared, graph, ends, &settings, control)?.quiet()?;
    let mut differing = Vec::new();
    for (name, file) in &expected {
        if !settle(name, file, &scratch.output(name)?, command)? {
            differing.push(name.as_str());
        }
    }
    match differing.as_slice() {
        [] => Ok(()),
        names => Err(Fault::failed(format!("the output of {} is not what was expected", names.join(", ")))
            .hint("if it is right, run again with --bless to take it as expected")),
    }
}

/// Compares or blesses one output; whether it is as expected.
fn settle(name: &str, file: &Path, actual: &[u8], command: &TestCommand) -> Outcome<bool> {
    let actual = lines(actual, !command.ordered);
    let count = actual.len();
    if command.bless {
        let text: String = actual.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        std::fs::write(file, text).map_err(|e| Fault::failed(format!("cannot write {}", file.display())).because(&e))?;
        console::result(&format!("blessed: {} now holds the {count} lines of {name}\n", file.display()))?;
        return Ok(true);
    }
    let wanted = std::fs::read(file).map_err(|e| Fault::usage(format!("cannot read expected output {}", file.display())).because(&e))?;
    let wanted = lines(&wanted, !command.ordered);
    if wanted == actual {
        console::result(&format!("ok: {name} gives the {count} lines of {}\n", file.display()))?;
        return Ok(true);
    }
    console::result(&difference(&wanted, &actual, &file.display().to_string(), name))?;
    Ok(false)
}

/// Lines without their ends; sorted when their order does not matter.
fn lines(bytes: &[u8], sorted: bool) -> Vec<String> {
    let mut lines: Vec<String> = String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
    if sorted {
        lines.sort_unstable();
    }
    lines
}

/// A unified difference, cut where it gets too long.
fn difference(wanted: &[String], actual: &[String], file: &str, name: &str) -> String {
    let joined = |lines: &[String]| lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>();
    let (old, new) = (joined(wanted), joined(actual));
    let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(&old, &new);
    let text = diff.unified_diff().context_radius(3).header(&format!("{file} (expected)"), &format!("{name} (output)")).to_string();
    let total = text.lines().count();
    let mut out: String = text.lines().take(DIFF_LINES_MAX).flat_map(|line| [line, "\n"]).collect();
    if total > DIFF_LINES_MAX {
        let _ = writeln!(out, "... and {} more lines of difference", total - DIFF_LINES_MAX);
    }
    console::printable(&out)
}

/// Binding names of the operators of a kind, each once.
fn names(plan: &Plan, wanted: fn(&Kind) -> bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _, _) in plan.operators.iter().filter(|op| wanted(&op.kind)).filter_map(bindings::of) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Gives each `[NAME=]FILE` its binding.
fn assign(flag: &str, kind: &str, given: &[String], known: &[String]) -> Outcome<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for text in given {
        let (name, file) = match text.split_once('=').filter(|(name, _)| !name.contains('/')) {
            Some((name, file)) => (name.to_owned(), file),
            None => match known {
                [only] => (only.clone(), text.as_str()),
                [] => return Err(Fault::usage(format!("{flag} {text}: the job has no {kind}"))),
                _ => {
                    let message = format!("{flag} {text} does not say which {kind} it is for; the job has {}", known.join(", "));
                    return Err(Fault::usage(message).hint(format!("write {flag} {}={text}", known[0])));
                }
            },
        };
        if !known.contains(&name) {
            let fault = Fault::usage(format!("{flag} {text}: the job has no {kind} {name:?}; it has {}", known.join(", ")));
            return Err(fault.maybe_hint(suggest::hint(&name, known.iter().map(String::as_str))));
        }
        if files.insert(name.clone(), PathBuf::from(file)).is_some() {
            return Err(Fault::usage(format!("{flag} {name}=… is given twice")).hint("keep one of them"));
        }
    }
    Ok(files)
}

/// A folder of our own for outputs, removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Outcome<Scratch> {
        let failed = |e: std::io::Error| Fault::failed("cannot make a temporary folder").because(&e);
        for attempt in 0..u16::MAX {
            let path = std::env::temp_dir().join(format!("tidemill-test-{}-{attempt}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Scratch(path)),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed(e)),
            }
        }
        Err(failed(std::io::ErrorKind::AlreadyExists.into()))
    }

    fn folder(&self, sink: &str) -> PathBuf {
        self.0.join(sink)
    }

    /// Everything a sink wrote, part by part.
    fn output(&self, sink: &str) -> Outcome<Vec<u8>> {
        let failed = |e: std::io::Error| Fault::failed(format!("cannot read the output of {sink}")).because(&e);
        let mut parts = Vec::new();
        for entry in std::fs::read_dir(self.folder(sink)).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let staged = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if !staged {
                parts.push(path);
            }
        }
        parts.sort();
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend(std::fs::read(part).map_err(failed)?);
        }
        Ok(bytes)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in the temporary folder, where the system clears up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn given(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|t| (*t).to_owned()).collect()
    }

    #[test]
    fn one_binding_needs_no_name_and_several_do() {
        let files = assign("--input", "source", &given(&["dir/a=b.json"]), &given(&["in"])).unwrap();
        assert_eq!(files["in"], PathBuf::from("dir/a=b.json"));
        let fault = assign("--input", "source", &given(&["a.json"]), &given(&["in", "out"])).unwrap_err();
        assert_eq!(fault.hint.as_deref(), Some("write --input in=a.json"));
        let fault = assign("--input", "source", &given(&["events=a"]), &given(&["event"])).unwrap_err();
        assert_eq!(fault.hint.as_deref(), Some("did you mean `event`?"));
        assert!(assign("--input", "source", &given(&["in=a", "in=b"]), &given(&["in"])).is_err());
    }

    #[test]
    fn order_matters_only_when_asked() {
        assert_eq!(lines(b"b\na\n", true), lines(b"a\nb", true));
        assert_ne!(lines(b"b\na\n", false), lines(b"a\nb\n", false));
        assert_eq!(lines(b"a\r\n", false), ["a"]);
    }

    #[test]
    fn a_difference_is_unified_and_bounded() {
        let text = difference(&given(&["a", "b"]), &given(&["a", "c"]), "want.txt", "out");
        assert_eq!(text, "--- want.txt (expected)\n+++ out (output)\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
        let many: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let text = difference(&[], &many, "want.txt", "out");
        assert_eq!(text.lines().count(), DIFF_LINES_MAX + 1);
        assert!(text.ends_with("more lines of difference\n"));
    }

    #[test]
    fn parts_are_read_in_order_and_staged_files_are_not() {
        let scratch = Scratch::new().unwrap();
        std::fs::create_dir(scratch.folder("s")).unwrap();
        for (name, text) in [("part-1", "b\n"), ("part-0", "a\n"), (".part-2", "c\n")] {
            std::fs::write(scratch.folder("s").join(name), text).unwrap();
        }
        assert_eq!(scratch.output("s").unwrap(), b"a\nb\n");
        let path = scratch.0.clone();
        drop(scratch);
        assert!(!path.exists());
    }
}
