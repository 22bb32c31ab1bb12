//! Components that name another contract or ask for what nobody gives are refused before anything runs.
#![allow(clippy::unwrap_used)]

use std::fs;

use tidemill_e2e::{Folder, Tidemill, exit, guest};

/// A component with every `from` replaced by a name of the same length: names stand in it as they are.
fn renamed(folder: &Folder, from: &str, to: &str) {
    assert_eq!(from.len(), to.len(), "lengths stand before names");
    let mut bytes = fs::read(guest("rust", "wordcount")).unwrap();
    let places: Vec<usize> = bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from.as_bytes()).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "{from} is not in the component");
    places.iter().for_each(|&at| bytes[at..at + to.len()].copy_from_slice(to.as_bytes()));
    folder.write("job.wasm", bytes);
}

#[test]
fn a_newer_contract_is_told_from_a_broken_component() {
    let folder = Folder::new();
    renamed(&folder, "tidemill:job/operators@0.2.0", "tidemill:job/operators@0.9.0");
    Tidemill::new(folder.path(), "run")
        .arg("job.wasm")
        .run()
        .expect(exit::REFUSED, &["contract 0.9.0", "0.1.0 and 0.2.0", "upgrade tidemill"]);
}

#[test]
fn an_older_contract_and_another_world_are_told_apart() {
    let folder = Folder::new();
    renamed(&folder, "tidemill:job/operators@0.2.0", "tidemill:job/operators@0.0.9");
    Tidemill::new(folder.path(), "run").arg("job.wasm").run().expect(exit::REFUSED, &["contract 0.0.9", "rebuild it"]);
    renamed(&folder, "tidemill:job/operators@0.2.0", "somebody:job/operators@0.2.0");
    Tidemill::new(folder.path(), "run")
        .arg("job.wasm")
        .run()
        .expect(exit::REFUSED, &["not a job of contract 0.1.0 and 0.2.0", "Tidemill SDK"]);
    renamed(&folder, "tidemill:job/host@0.2.0", "somebody:job/host@0.2.0");
    Tidemill::new(folder.path(), "run").arg("job.wasm").run().expect(exit::REFUSED, &["imports somebody:job/host@0.2.0", "nothing but"]);
}

#[test]
fn a_component_that_wants_files_is_refused_and_inspect_says_why() {
    let folder = Folder::new();
    renamed(&folder, "tidemill:job/host@0.2.0", "wasi:filesystem/x@0.2.0");
    Tidemill::new(folder.path(), "run").arg("job.wasm").run().expect(exit::REFUSED, &["wasi:filesystem/x@0.2.0", "no WASI"]);
    let inspected = Tidemill::new(folder.path(), "inspect").arg("job.wasm").run();
    inspected.expect(exit::REFUSED, &["no WASI"]);
    let row = inspected.stdout.lines().find(|line| line.starts_with("files")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["files", "yes", "REFUSED"]);
}

#[test]
fn a_component_that_is_cut_off_is_refused() {
    let folder = Folder::new();
    let bytes = fs::read(guest("rust", "wordcount")).unwrap();
    for keep in [9, bytes.len() / 2, bytes.len() - 1] {
        folder.write("job.wasm", &bytes[..keep]);
        Tidemill::new(folder.path(), "run").arg("job.wasm").run().expect(exit::REFUSED, &["job.wasm"]);
    }
}

#[test]
fn inspect_shows_what_a_job_is_and_asks_for() {
    let folder = Folder::new();
    let inspected = Tidemill::new(folder.path(), "inspect").arg(guest("rust", "wordcount")).run();
    inspected.expect(exit::OK, &[]);
    for text in ["sha256", "0.2.0 (this host speaks 0.1.0 and 0.2.0)", "tidemill:job/host@0.2.0", "tidemill:job/operators@0.2.0", "512 MiB"]
    {
        assert!(inspected.stdout.contains(text), "{text} is not in {}", inspected.stdout);
    }
    assert!(!inspected.stdout.contains("REFUSED"), "{}", inspected.stdout);
}
