//! Checkpoints that are kept: in the job's directory, and copied elsewhere.

use tidemill_core::checkpoint::CheckpointId;
use tidemill_core::checkpoint::protocol::{Object, Savepoint, name};
use tidemill_state::{Base, Error, Options, Store, Which, Wish};

use crate::engine::{Engine, asked, assert_same, files, open, restored, saved_model};

fn savepoint(name: &str) -> Savepoint {
    name.parse().unwrap()
}

#[test]
fn a_savepoint_outlives_the_checkpoints_around_it() {
    let store = Store::memory().unwrap();
    let engine = Engine::start(&store, 1, 2, Options { retain: 1, ..asked() });
    engine.change((0..100).map(|id| (id, id)));
    let wish = |name: &str| engine.coordinator.wish(Wish::Savepoint(savepoint(name)));
    // Two at once are two checkpoints.
    let (kept, other) = (wish("before"), wish("other"));
    let (kept, other) = (kept.recv().unwrap().unwrap(), other.recv().unwrap().unwrap());
    assert_ne!(kept.stamp, other.stamp);
    let taken = wish("before").recv().unwrap().unwrap_err();
    assert!(matches!(taken, Error::Exists { .. }), "{taken}");
    for round in 0..30 {
        engine.change((0..100).map(|id| (id, id * round % 7)));
        engine.checkpoint().unwrap();
    }
    let saved = tidemill_state::open(&store, &Which::Savepoint(savepoint("before"))).unwrap();
    assert_same(&saved_model(&saved, 3), engine.told().model_at(kept.stamp.checkpoint), "the savepoint");
    assert!(tidemill_state::open(&store, &Which::Checkpoint(CheckpointId(1))).is_ok(), "a savepoint is found by its number too");
    // Deleted by its user, it lets go of its parts.
    for name in ["before", "other"] {
        store.delete(&Object::Savepoint(savepoint(name)).path()).unwrap();
    }
    engine.checkpoint().unwrap();
    engine.checkpoint().unwrap();
    assert!(files(&store, name::PARTS).iter().all(|file| !kept.parts().any(|part| part.path() == *file)));
}

#[test]
fn a_savepoint_whose_checkpoint_was_never_made_is_told_from_one_and_gives_way() {
    let store = Store::memory().unwrap();
    let old = Engine::start(&store, 1, 1, asked());
    old.change([(1, 1)]);
    old.checkpoint().unwrap();
    let new = Engine::start(&store, 2, 1, asked());
    // The old one makes the copy before it learns that it has lost the job.
    assert!(old.coordinator.wish(Wish::Savepoint(savepoint("mine"))).recv().is_err());
    assert_eq!(files(&store, name::SAVEPOINTS), ["savepoints/mine"]);
    let error = tidemill_state::open(&store, &Which::Savepoint(savepoint("mine"))).unwrap_err();
    assert!(error.to_string().contains("never made"), "{error}");
    new.change([(1, 2)]);
    let manifest = new.coordinator.wish(Wish::Savepoint(savepoint("mine"))).recv().unwrap().unwrap();
    let saved = tidemill_state::open(&store, &Which::Savepoint(savepoint("mine"))).unwrap();
    assert_eq!(saved.manifest(), &manifest);
}

#[test]
fn a_copy_stands_by_itself_and_a_job_goes_on_from_it_elsewhere() {
    let (store, elsewhere, next) = (Store::memory().unwrap(), Store::memory().unwrap(), Store::memory().unwrap());
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..500).map(|id| (id, id)));
    engine.checkpoint().unwrap();
    engine.change((0..50).map(|id| (id, id % 2)));
    let copy = engine.coordinator.wish(Wish::Copy(savepoint("moved"), elsewhere.clone())).recv().unwrap().unwrap();
    assert!(copy.copied && copy.operator("counts").unwrap().layers.len() == 1);
    let model = engine.told().model_at(copy.stamp.checkpoint).clone();
    drop(engine);
    let saved = tidemill_state::open(&elsewhere, &Which::Newest).unwrap();
    assert_same(&saved_model(&saved, 3), &model, "the copy");
    let (started, _) = open(&next, 7);
    let base = Base { store: elsewhere.clone(), manifest: saved.manifest().clone() };
    let engine = Engine::start_from(&next, &started, Some(base), 3, asked());
    engine.change([(3, 0), (10_000, 1)]);
    let manifest = engine.checkpoint().unwrap();
    assert!(manifest.parts().all(|part| part.name.stamp == manifest.stamp), "nothing lies elsewhere any more");
    assert_same(&restored(&next, &manifest, 1), engine.told().model_at(manifest.stamp.checkpoint), "restored");
}
