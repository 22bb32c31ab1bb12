//! A directory that format 1 wrote, opened for ever: `tests/fixtures/checkpoint-1/`, whose README says how it was made.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tidemill_core::checkpoint::Saved as _;
use tidemill_core::checkpoint::protocol::Savepoint;
use tidemill_state::{Access, Catalog, Ending, Manifest, Options, Restore, Settings, Store, Which, Wish};

use crate::engine::{Engine, Model, asked, saved_model};

fn fixture() -> PathBuf {
    // Asked when it runs: two checkouts may share a target folder, and cargo does not compile a test anew for the other one.
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the test")).join("../../tests/fixtures/checkpoint-1")
}

fn open(dir: &Path, access: Access) -> Store {
    Store::open(dir.to_str().unwrap(), access, &Settings::default()).unwrap()
}

fn savepoint() -> Savepoint {
    "kept".parse().unwrap()
}

/// Everything that the directory says, as text.
fn described(store: &Store) -> String {
    let mut out = String::new();
    for which in [Which::Newest, Which::Savepoint(savepoint())] {
        let saved = tidemill_state::open(store, &which).unwrap();
        writeln!(out, "{}", manifest(saved.manifest())).unwrap();
        write!(out, "{}", rows(&saved_model(&saved, 2))).unwrap();
    }
    out
}

fn manifest(manifest: &Manifest) -> String {
    let Manifest { job, stamp, line, created_ms, plan, groups, finished, savepoint, .. } = manifest;
    let mut out =
        format!("{job} {stamp} line {line} at {created_ms} plan {plan} groups {groups} finished {finished} savepoint {savepoint:?}");
    for operator in &manifest.operators {
        let saved = Restore::operator(&Restore::new(&Store::memory().unwrap(), manifest), &operator.name).cloned().unwrap();
        let text = |schema: &Option<tidemill_core::schema::Schema>| schema.as_ref().map(ToString::to_string);
        write!(out, "\n  {} {} key {:?} layers {}", operator.name, operator.kind, text(&operator.key), operator.layers.len()).unwrap();
        write!(out, " state {:?} watermark {} at {:?}", text(&saved.state), saved.watermark, saved.positions).unwrap();
        write!(out, " staged {:?}", saved.staged).unwrap();
    }
    out
}

fn rows(model: &Model) -> String {
    model.iter().fold(String::new(), |mut out, ((group, key, namespace), (host, number, text))| {
        writeln!(out, "    {group} {key:?} {namespace:?} {host:?} {number} {text:?}").unwrap();
        out
    })
}

/// Makes the fixture anew. What it holds is always the same.
fn bless(dir: &Path) {
    for folder in ["log", "parts", "savepoints"] {
        let _ = std::fs::remove_dir_all(dir.join(folder));
    }
    let store = open(dir, Access::Write);
    let engine = Engine::start(&store, 1, 2, Options { retain: 2, ..asked() });
    engine.change((0..40).map(|id| (id, id % 9)));
    engine.checkpoint().unwrap();
    engine.change((30..50).map(|id| (id, id % 4)));
    engine.coordinator.wish(Wish::Savepoint(savepoint())).recv().unwrap().unwrap();
    engine.change((0..5).map(|id| (id, 100 + id)));
    engine.finish(Ending::Finished, std::time::Duration::from_secs(60)).0.unwrap();
    std::fs::write(dir.join("expected.txt"), described(&store)).unwrap();
}

#[test]
fn format_1_is_read() {
    let dir = fixture();
    if std::env::var_os("TIDEMILL_BLESS").is_some() {
        bless(&dir);
    }
    let store = open(&dir, Access::Read);
    let verified = Catalog::read(&store).unwrap().verify(&mut |error| panic!("{error}")).unwrap();
    assert!(verified.files >= 6 && verified.wrong == 0, "{verified:?}");
    assert_eq!(described(&store), std::fs::read_to_string(dir.join("expected.txt")).unwrap());
}
