//! Who may depend on whom, as the map of the house draws it: imports point one way.
//!
//! `core <- {guest, dataflow, state, connectors} <- server <- cli`, `wit <- guest-sdk <- examples`,
//! `harness <- tests, benches`. No arrow among guest, dataflow, state and connectors: they meet in core's traits, so that
//! wasmtime and timely upgrade on their own schedules and the dataflow is tested with closures in place of guests.
//! Dependencies for tests and builds count like all others.

use std::path::Path;

use super::{File, Finding};
use crate::workspace::Metadata;

/// The place of a crate in the map, told by its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Core,
    Guest,
    Dataflow,
    State,
    Connectors,
    Server,
    Cli,
    Sdk,
    /// An example or a guest of the test suite: what a user writes.
    Job,
    Harness,
    /// Tests that talk to the binary only.
    Outside,
    /// Other tests and the benchmarks, which put parts of the host together.
    Tests,
    Xtask,
}

use Place::{Cli, Connectors, Core, Dataflow, Guest, Harness, Job, Outside, Sdk, Server, State, Tests, Xtask};

/// A crate of the workspace.
#[derive(Debug)]
pub(super) struct Member {
    name: String,
    /// Relative to the root.
    folder: String,
    dependencies: Vec<Edge>,
}

/// One dependency of a crate.
#[derive(Debug)]
struct Edge {
    name: String,
    /// The folder when the dependency is a crate of the workspace.
    folder: Option<String>,
    /// Its line in the manifest, from 1.
    line: usize,
}

/// The members with the lines of their dependencies.
pub(super) fn members(metadata: &Metadata, root: &Path, files: &[File]) -> Vec<Member> {
    let members = metadata.packages.iter().map(|package| {
        let folder = package.folder(root);
        let manifest = files.iter().find(|file| file.path == manifest_of(&folder)).map_or("", |file| file.text.as_str());
        let edges = package.dependencies.iter().map(|dependency| Edge {
            name: dependency.name.clone(),
            folder: dependency.path.as_deref().map(|path| path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()),
            line: line_of(manifest, &dependency.name),
        });
        Member { name: package.name.clone(), dependencies: edges.collect(), folder }
    });
    members.collect()
}

/// Every edge that the map does not have.
pub(super) fn check(members: &[Member]) -> Vec<Finding> {
    members.iter().flat_map(check_member).collect()
}

fn check_member(member: &Member) -> Vec<Finding> {
    let manifest = manifest_of(&member.folder);
    let Some(from) = place(&member.folder) else {
        let text = format!(
            "the crate {} has no place in the map of docs/ARCHITECTURE.md; move it, or give {} a place",
            member.name, member.folder
        );
        return vec![Finding::new(&manifest, 1, text)];
    };
    let wrong = member.dependencies.iter().filter_map(|edge| {
        let advice = match &edge.folder {
            Some(folder) if place(folder).is_some_and(|to| allowed(from, to)) => return None,
            Some(_) => "imports point one way and parts of the host meet in core's traits",
            None => foreign(from, &edge.name)?,
        };
        Some(Finding::new(&manifest, edge.line, format!("{} may not depend on {}; {advice}", member.name, edge.name)))
    });
    wrong.collect()
}

fn place(folder: &str) -> Option<Place> {
    let parts: Vec<&str> = folder.split('/').collect();
    Some(match parts[..] {
        ["host", "core"] => Core,
        ["host", "guest"] => Guest,
        ["host", "dataflow"] => Dataflow,
        ["host", "state"] => State,
        ["host", "connectors"] => Connectors,
        ["host", "server"] => Server,
        ["host", "cli"] => Cli,
        ["guest-sdk", "rust", ..] => Sdk,
        ["examples", _, "rust"] | ["tests", "matrix", "rust"] | ["tests", "guests", "rust", _] => Job,
        ["tests", "harness"] => Harness,
        ["tests", "e2e", ..] => Outside,
        ["tests" | "benches", ..] => Tests,
        ["xtask"] => Xtask,
        _ => return None,
    })
}

/// The arrows of the map.
fn allowed(from: Place, to: Place) -> bool {
    match from {
        Core | Xtask => false,
        Guest | Dataflow | State | Connectors => to == Core,
        Server => matches!(to, Core | Guest | Dataflow | State | Connectors),
        Cli => matches!(to, Core | Guest | Dataflow | State | Connectors | Server),
        Sdk | Job => to == Sdk,
        Harness => matches!(to, Core | Dataflow | State | Connectors),
        Outside => to == Harness,
        // Benchmarks run the closures of a job natively beside its component.
        Tests => matches!(to, Core | Guest | Dataflow | State | Connectors | Server | Harness | Sdk | Job | Tests),
    }
}

/// Why a crate of this place may not use a foreign crate; none when it may.
fn foreign(from: Place, name: &str) -> Option<&'static str> {
    let family = |stem: &str| name == stem || name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('-'));
    if family("wasmtime") && from != Guest {
        return Some("wasmtime stays behind tidemill-guest, so that it upgrades alone");
    }
    if (family("timely") || family("differential-dataflow")) && from != Dataflow {
        return Some("timely stays behind tidemill-dataflow, so that it upgrades alone");
    }
    if name == "anyhow" && !matches!(from, Cli | Xtask | Harness | Outside | Tests) {
        return Some("a library has errors of its own (thiserror), so that callers can tell them apart");
    }
    None
}

fn manifest_of(folder: &str) -> String {
    if folder.is_empty() { "Cargo.toml".to_owned() } else { format!("{folder}/Cargo.toml") }
}

/// The first line that mentions the dependency as a key or a table.
fn line_of(manifest: &str, name: &str) -> usize {
    let mentions = |line: &str| {
        let line = line.trim_start_matches(['[', '"', ' ']);
        let key = line.rsplit_once("dependencies.").map_or(line, |(_, key)| key);
        key.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=', ']', '"']))
    };
    manifest.lines().position(mentions).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(folder: &str, dependencies: &[&str]) -> Member {
        let edge = |name: &&str| Edge { name: (*name).to_owned(), folder: name.contains('/').then(|| (*name).to_owned()), line: 7 };
        Member { name: folder.replace('/', "-"), folder: folder.to_owned(), dependencies: dependencies.iter().map(edge).collect() }
    }

    fn refused(folder: &str, dependency: &str) -> bool {
        let findings = check(&[member(folder, &[dependency])]);
        assert!(findings.iter().all(|finding| finding.line == 7 && finding.path == format!("{folder}/Cargo.toml")), "{findings:?}");
        !findings.is_empty()
    }

    #[test]
    fn the_arrows_of_the_map_pass() {
        for (from, to) in [
            ("host/guest", "host/core"),
            ("host/dataflow", "host/core"),
            ("host/server", "host/connectors"),
            ("host/cli", "host/server"),
            ("host/cli", "host/core"),
            ("guest-sdk/rust", "guest-sdk/rust/macros"),
            ("examples/01-wordcount/rust", "guest-sdk/rust"),
            ("tests/guests/rust/trap", "guest-sdk/rust"),
            ("tests/e2e", "tests/harness"),
            ("tests/sim", "host/dataflow"),
            ("benches", "host/dataflow"),
            ("benches", "tests/harness"),
            ("benches/engine", "examples/03-nexmark/rust"),
        ] {
            assert!(!refused(from, to), "{from} -> {to}");
        }
    }

    #[test]
    fn every_other_arrow_is_refused() {
        for (from, to) in [
            ("host/core", "host/guest"),
            ("host/guest", "host/dataflow"),
            ("host/dataflow", "host/connectors"),
            ("host/connectors", "host/state"),
            ("host/state", "host/guest"),
            ("host/server", "host/cli"),
            ("guest-sdk/rust", "host/core"),
            ("examples/01-wordcount/rust", "host/core"),
            ("tests/guests/rust/trap", "tests/harness"),
            ("tests/e2e", "host/core"),
            ("xtask", "host/core"),
        ] {
            assert!(refused(from, to), "{from} -> {to}");
        }
    }

    #[test]
    fn wasmtime_timely_and_anyhow_stay_where_they_belong() {
        assert!(!refused("host/guest", "wasmtime"));
        assert!(refused("host/cli", "wasmtime"));
        assert!(refused("host/guest", "wasmtime-wasi") != refused("host/cli", "wasmtime-wasi"));
        assert!(!refused("host/dataflow", "timely"));
        assert!(refused("benches", "timely"));
        assert!(refused("host/connectors", "differential-dataflow"));
        assert!(!refused("host/cli", "anyhow"));
        assert!(refused("host/core", "anyhow"));
        assert!(refused("examples/01-wordcount/rust", "anyhow"));
        assert!(!refused("host/core", "timeless"));
    }

    #[test]
    fn a_crate_outside_of_the_map_is_named() {
        let findings = check(&[member("host/helpers", &[])]);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].path.as_str(), findings[0].line), ("host/helpers/Cargo.toml", 1));
    }

    #[test]
    fn the_line_of_a_dependency_is_found_in_every_spelling() {
        let manifest =
            "[package]\nname = \"x\"\n[dependencies]\nserde_json.workspace = true\nserde = \"1\"\n[dependencies.toml]\nversion = \"1\"\n";
        assert_eq!(line_of(manifest, "serde"), 5);
        assert_eq!(line_of(manifest, "serde_json"), 4);
        assert_eq!(line_of(manifest, "toml"), 6);
        assert_eq!(line_of(manifest, "absent"), 1);
    }
}
