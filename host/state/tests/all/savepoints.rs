//! Checkpoints that are kept: in the job's directory, and copied elsewhere.

use std::sync::Arc;

use tidemill_core::checkpoint::protocol::{Object, RunnerId, Savepoint, name};
use tidemill_state::{Backend, Base, Error, Event, Fault, Faulty, Objects, Operation, Options, Store, Which, Wish, discard, start};

use crate::engine::{Engine, PATIENCE, asked, assert_same, files, open, restored, saved_model};

fn savepoint(name: &str) -> Savepoint {
    name.parse().unwrap()
}

#[test]
fn a_savepoint_outlives_the_checkpoints_around_it() {
    let store = Store::memory().unwrap();
    let engine = Engine::start(&store, 1, 2, Options { retain: 1, ..asked() });
    engine.change((0..100).map(|id| (id, id)));
    let wish = |name: &str| engine.coordinator.wish(Wish::Savepoint(savepoint(name)));
    // Asked for at once, they are one checkpoint.
    engine.take_boundaries(false);
    let (kept, other) = (wish("before"), wish("other"));
    engine.take_boundaries(true);
    let (kept, other) = (kept.recv().unwrap().unwrap(), other.recv().unwrap().unwrap());
    assert_eq!(kept.savepoint, Some(savepoint("before")));
    assert!(kept.stamp <= other.stamp);
    let taken = wish("before").recv().unwrap().unwrap_err();
    assert!(matches!(taken, Error::Exists { .. }), "{taken}");
    for round in 0..30 {
        engine.change((0..100).map(|id| (id, id * round % 7)));
        engine.checkpoint().unwrap();
    }
    let saved = tidemill_state::open(&store, &Which::Savepoint(savepoint("before"))).unwrap();
    assert_same(&saved_model(&saved, 3), engine.told().model_at(kept.stamp.checkpoint), "the savepoint");
    assert!(tidemill_state::open(&store, &Which::Checkpoint(kept.stamp.checkpoint)).is_ok(), "a savepoint is found by its number too");
    // Deleted by its user, it lets go of its parts.
    for name in ["before", "other"] {
        store.delete(&Object::Savepoint(savepoint(name)).path()).unwrap();
    }
    engine.checkpoint().unwrap();
    engine.checkpoint().unwrap();
    assert!(files(&store, name::PARTS).iter().all(|file| !kept.parts().any(|part| part.path() == *file)));
}

#[test]
fn a_savepoint_is_told_only_while_the_job_is_ours() {
    let memory: Arc<dyn Backend> =
        Arc::new(Objects::new(Arc::new(object_store::memory::InMemory::new()), object_store::path::Path::default(), PATIENCE).unwrap());
    let seen = Store::new(Arc::clone(&memory), "seen:");
    // A successor takes the job while the copy is written.
    let successor = seen.clone();
    let store = Store::new(
        Arc::new(Faulty::new(memory, move |_, operation| {
            if matches!(operation, Operation::Put(file, ..) if file.starts_with(name::SAVEPOINTS)) {
                start(&successor, RunnerId(2)).unwrap();
            }
            Fault::None
        })),
        "faulty:",
    );
    let engine = Engine::start(&store, 1, 1, Options { retain: 1, ..asked() });
    engine.change([(1, 1)]);
    let first = engine.checkpoint().unwrap();
    engine.change([(1, 2)]);
    let refused = engine.coordinator.wish(Wish::Savepoint(savepoint("mine"))).recv().unwrap().unwrap_err();
    assert_eq!(refused, Error::Superseded);
    assert_eq!(engine.told().events.last(), Some(&Event::Superseded));
    assert!(files(&seen, name::LOG).contains(&Object::Record(first.line).path()), "it deletes nothing any more");
    assert!(engine.coordinator.wish(Wish::Checkpoint).recv().is_err(), "it has stopped");
}

#[test]
fn a_copy_stands_by_itself_and_a_job_goes_on_from_it_elsewhere() {
    let (store, elsewhere, next) = (Store::memory().unwrap(), Store::memory().unwrap(), Store::memory().unwrap());
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..500).map(|id| (id, id)));
    engine.checkpoint().unwrap();
    engine.change((0..50).map(|id| (id, id % 2)));
    let copy = engine.coordinator.wish(Wish::Copy(savepoint("moved"), elsewhere.clone())).recv().unwrap().unwrap();
    assert!(copy.kept.is_empty() && copy.operator("counts").unwrap().layers.len() == 1);
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

#[test]
fn a_discarded_savepoint_leaves_what_others_need() {
    let (store, elsewhere) = (Store::memory().unwrap(), Store::memory().unwrap());
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..500).map(|id| (id, id)));
    let wish = |wish| engine.coordinator.wish(wish).recv().unwrap().unwrap();
    let inside = wish(Wish::Savepoint(savepoint("inside")));
    for name in ["one", "two"] {
        engine.change([(1, 7)]);
        wish(Wish::Copy(savepoint(name), elsewhere.clone()));
    }
    drop(engine);
    discard(&elsewhere, &savepoint("one")).unwrap();
    assert!(tidemill_state::open(&elsewhere, &Which::Savepoint(savepoint("two"))).is_ok());
    assert!(tidemill_state::open(&elsewhere, &Which::Savepoint(savepoint("one"))).is_err());
    discard(&elsewhere, &savepoint("two")).unwrap();
    assert!(files(&elsewhere, name::PARTS).is_empty() && files(&elsewhere, name::SAVEPOINTS).is_empty());
    discard(&elsewhere, &savepoint("two")).unwrap();
    let parts = files(&store, name::PARTS);
    discard(&store, &savepoint("inside")).unwrap();
    assert_eq!(files(&store, name::PARTS), parts, "the job of that directory cleans up itself");
    assert!(!inside.operators.is_empty());
}
