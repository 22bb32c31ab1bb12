//! Checkpoints of a scripted engine: what is restored is what was there at the boundary, whatever storage does, and output becomes
//! visible once.

#![allow(clippy::unwrap_used)]

mod engine;
mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{Engine, Told, assert_same, open, saved_model};
use tidemill_core::checkpoint::protocol::{Object, RunnerId, Savepoint, name};
use tidemill_core::checkpoint::trigger::Pace;
use tidemill_core::checkpoint::{CheckpointId, Saved as _};
use tidemill_state::{
    Base, Catalog, Ending, Error, Event, Fault, Faulty, Manifest, Objects, Operation, Options, Restore, Store, Which, Wish, judge, start,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Checkpoints are made when they are asked for.
fn asked() -> Options {
    Options { timeout: PATIENCE, ..Options::default() }
}

/// The newest checkpoint is the state at its boundary, at any parallelism, and what was staged up to it is visible, and nothing else.
fn assert_saved(store: &Store, told: &Told) -> CheckpointId {
    let saved = tidemill_state::open(store, &Which::Newest).unwrap();
    let checkpoint = saved.checkpoint();
    for workers in [1, 2, 5] {
        assert_same(&saved_model(&saved, workers), told.model_at(checkpoint), &format!("checkpoint {checkpoint} read by {workers}"));
    }
    assert_eq!(&told.output(), told.output_at(checkpoint), "checkpoint {checkpoint}");
    checkpoint
}

fn files(store: &Store, folder: &str) -> Vec<String> {
    store.list(folder).unwrap().into_iter().map(|entry| entry.name).collect()
}

fn savepoint(name: &str) -> Savepoint {
    name.parse().unwrap()
}

/// A store in memory whose calls are judged.
fn faulty(judge: impl FnMut(u64, &Operation) -> Fault + Send + 'static) -> Store {
    let memory = Objects::new(Arc::new(object_store::memory::InMemory::new()), object_store::path::Path::default(), PATIENCE).unwrap();
    Store::new(Arc::new(Faulty::new(Arc::new(memory), judge)), "faulty:")
}

#[test]
fn every_checkpoint_restores_the_state_at_its_boundary() {
    let store = Store::memory().unwrap();
    let engine = Engine::start(&store, 1, 3, asked());
    let mut written = Vec::new();
    for round in 1..60 {
        // A base, and then few changes at a time; some places go.
        let ids = if round == 1 { 0..3000 } else { round * 7..round * 7 + 40 };
        engine.change(ids.map(|id| (id, (id + round) % 11)));
        let manifest = engine.checkpoint().unwrap();
        let told = engine.told();
        assert_same(&restored(&store, &manifest, 2), told.model_at(manifest.stamp.checkpoint), "restored");
        assert_eq!(&told.output(), told.output_at(manifest.stamp.checkpoint));
        assert_eq!(manifest.operator("source").unwrap().positions.len(), 3);
        written.push(engine.coordinator.statistics().last.unwrap().written);
    }
    let (answer, told) = engine.finish(Ending::Stopped, PATIENCE);
    answer.unwrap();
    assert_eq!(told.committed.len(), told.output().len(), "nothing is committed twice");
    assert!(written[1..].iter().all(|delta| delta * 5 < written[0]), "only what has changed is written: {written:?}");
}

fn restored(store: &Store, manifest: &Manifest, workers: usize) -> engine::Model {
    judge(store, manifest).unwrap();
    saved_model(&Restore::new(store, manifest), workers)
}

#[test]
fn layers_are_merged_and_what_nobody_needs_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().to_str().unwrap(), tidemill_state::Access::Write, &Default::default()).unwrap();
    let engine = Engine::start(&store, 1, 2, Options { retain: 3, ..asked() });
    for round in 0..80 {
        engine.change((0..200).map(|id| (id, (id * round) % 5)));
        engine.checkpoint().unwrap();
    }
    let statistics = engine.coordinator.statistics();
    assert_eq!((statistics.count, statistics.failed), (80, 0));
    assert!(statistics.merges.0 >= 4, "{statistics:?}");
    let (answer, told) = engine.finish(Ending::Finished, PATIENCE);
    answer.unwrap();
    assert_eq!(files(&store, name::LOG).len(), 1 + 3, "a claim and three checkpoints");
    let referred: usize = Catalog::read(&store).unwrap().checkpoints().map(|listed| listed.manifest.parts().count()).sum();
    assert!(files(&store, name::PARTS).len() <= referred, "no part without a checkpoint");
    let last = tidemill_state::open(&store, &Which::Newest).unwrap();
    assert!(last.manifest().finished);
    assert_same(&saved_model(&last, 3), &told.model, "the end");
    assert_eq!(told.events.iter().filter(|event| !matches!(event, Event::Completed(_))).collect::<Vec<_>>(), [] as [&Event; 0]);
}

/// Each call of the storage in turn fails once, in each way; the checkpoint that fails for it loses nothing.
#[test]
fn whichever_call_fails_the_next_checkpoint_has_everything() {
    for fault in [Fault::Refused, Fault::Full, Fault::ReplyLost] {
        let mut failed = 0;
        for broken in 0.. {
            let (armed, at) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(AtomicU64::new(0)));
            let (armed_at, counted) = (Arc::clone(&armed), Arc::clone(&at));
            let store = faulty(move |_, _| {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                if number == armed_at.load(Ordering::Relaxed) { fault } else { Fault::None }
            });
            let engine = Engine::start(&store, 1, 2, asked());
            engine.change((0..100).map(|id| (id, id)));
            engine.checkpoint().unwrap();
            engine.change((50..150).map(|id| (id, id % 7)));
            let target = at.load(Ordering::Relaxed) + broken;
            armed.store(target, Ordering::Relaxed);
            let first = engine.checkpoint();
            failed += u64::from(first.is_err());
            engine.change((0..20).map(|id| (id, id % 3)));
            // The first may have needed fewer calls; then this one fails.
            let second = engine.checkpoint().or_else(|_| engine.checkpoint()).unwrap();
            let calls = at.load(Ordering::Relaxed);
            armed.store(u64::MAX, Ordering::Relaxed);
            assert_eq!(assert_saved(&store, &engine.told()), second.stamp.checkpoint, "{fault:?} at call {broken}");
            let told = engine.told();
            assert_eq!(told.committed.len(), told.output().len(), "nothing is committed twice");
            engine.finish(Ending::Stopped, PATIENCE).0.unwrap();
            if target >= calls {
                break;
            }
        }
        assert!(failed >= 1, "{fault:?} made no checkpoint fail");
    }
}

#[test]
fn a_full_disk_fails_checkpoints_and_not_the_job() {
    let full = Arc::new(AtomicU64::new(0));
    let is_full = Arc::clone(&full);
    let store = faulty(move |_, operation| match operation {
        Operation::Put(..) if is_full.load(Ordering::Relaxed) > 0 => Fault::Full,
        _ => Fault::None,
    });
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..100).map(|id| (id, id)));
    engine.checkpoint().unwrap();
    full.store(1, Ordering::Relaxed);
    for round in 0..10 {
        engine.change((round..round + 30).map(|id| (id, round)));
        let error = engine.checkpoint().unwrap_err();
        assert!(error.to_string().contains("No space left on device"), "{error}");
    }
    assert_eq!(engine.coordinator.statistics().failed, 10);
    let rows: Vec<u32> =
        engine.told().events.iter().filter_map(|event| if let Event::Failed { row, .. } = event { Some(*row) } else { None }).collect();
    assert_eq!(rows, (1..=10).collect::<Vec<_>>(), "failures in a row are counted");
    // What is there is the checkpoint before.
    assert_eq!(tidemill_state::open(&store, &Which::Newest).unwrap().checkpoint(), CheckpointId(1));
    full.store(0, Ordering::Relaxed);
    let manifest = engine.checkpoint().unwrap();
    assert_eq!(assert_saved(&store, &engine.told()), manifest.stamp.checkpoint);
}

/// The parts are written, but the record is refused: no other checkpoint is begun before it is known what became of it.
#[test]
fn a_record_that_cannot_be_created_is_created_later() {
    let refused = Arc::new(AtomicU64::new(0));
    let left = Arc::clone(&refused);
    let store = faulty(move |_, operation| match operation {
        Operation::Put(file, ..) if file.starts_with("log/") && left.load(Ordering::Relaxed) > 0 => {
            left.fetch_sub(1, Ordering::Relaxed);
            Fault::Refused
        }
        _ => Fault::None,
    });
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..100).map(|id| (id, id)));
    refused.store(2, Ordering::Relaxed);
    let manifest = engine.checkpoint().unwrap();
    assert_eq!(manifest.stamp.checkpoint, CheckpointId(1), "it is the one that was begun");
    let statistics = engine.coordinator.statistics();
    assert_eq!((statistics.count, statistics.failed), (1, 2));
    assert_saved(&store, &engine.told());
}

#[test]
fn a_boundary_that_is_not_reached_fails_its_checkpoint_and_is_made_up_for() {
    let store = Store::memory().unwrap();
    let engine = Engine::start(&store, 1, 2, Options { timeout: Duration::from_millis(50), ..asked() });
    engine.change((0..100).map(|id| (id, id)));
    engine.hold(1, true);
    let error = engine.checkpoint().unwrap_err().to_string();
    assert!(error.contains("by source (1 of 2 workers), counts (1 of 2 workers), sink (1 of 2 workers)"), "{error}");
    engine.change((0..50).map(|id| (id, id + 1)));
    engine.hold(1, false);
    // The worker hands over for the boundary that has failed, and then for this one.
    let manifest = loop {
        if let Ok(manifest) = engine.checkpoint() {
            break manifest;
        }
    };
    assert_eq!(assert_saved(&store, &engine.told()), manifest.stamp.checkpoint);
}

#[test]
fn an_operator_that_has_ended_counts_for_later_checkpoints_and_not_for_earlier_ones() {
    let store = Store::memory().unwrap();
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..100).map(|id| (id, id)));
    engine.hold(0, true);
    let first = engine.coordinator.wish(Wish::Checkpoint);
    while engine.coordinator.statistics().pending.is_none() {
        std::thread::yield_now();
    }
    // Worker 1 has passed the boundary, changes more and ends; worker 0 has not passed it yet.
    engine.change((0..100).map(|id| (id, id + 5)));
    engine.end(1);
    engine.hold(0, false);
    let manifest = first.recv().unwrap().unwrap();
    assert_same(&restored(&store, &manifest, 2), engine.told().model_at(manifest.stamp.checkpoint), "restored");
    // The boundaries that are announced from here on never reach worker 1.
    let told = {
        let (answer, told) = engine.finish(Ending::Stopped, PATIENCE);
        answer.unwrap();
        told
    };
    let last = tidemill_state::open(&store, &Which::Newest).unwrap();
    assert_same(&saved_model(&last, 2), &told.model, "the end");
    assert_eq!(told.output(), told.staged);
    assert!(!last.manifest().finished, "somebody stopped it");
}

#[test]
fn a_successor_goes_on_where_the_last_checkpoint_was_and_the_one_before_stops() {
    let store = Store::memory().unwrap();
    let old = Engine::start(&store, 1, 2, asked());
    old.change((0..100).map(|id| (id, id)));
    let manifest = old.checkpoint().unwrap();
    old.change((0..100).map(|id| (id, id + 1)));
    let new = Engine::start(&store, 2, 3, asked());
    assert_same(&new.told().model, old.told().model_at(manifest.stamp.checkpoint), "what came later was in no checkpoint");
    // The old one does not know yet.
    assert!(old.coordinator.wish(Wish::Checkpoint).recv().is_err(), "the coordinator has stopped");
    let told = old.told();
    assert_eq!(told.events.last(), Some(&Event::Superseded));
    assert_eq!(&told.output(), told.output_at(manifest.stamp.checkpoint), "it commits nothing any more");
    new.change((0..10).map(|id| (id, 0)));
    let manifest = new.checkpoint().unwrap();
    assert_same(&restored(&store, &manifest, 1), new.told().model_at(manifest.stamp.checkpoint), "restored");
    assert!(manifest.stamp.checkpoint > CheckpointId(1), "numbers rise over the life of the job");
    let (answer, _) = old.finish(Ending::Finished, PATIENCE);
    answer.unwrap();
    assert_eq!(tidemill_state::open(&store, &Which::Newest).unwrap().manifest(), &manifest);
}

#[test]
fn output_that_cannot_be_committed_is_committed_with_the_next_checkpoint() {
    let store = Store::memory().unwrap();
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..10).map(|id| (id, 1)));
    engine.take_commits(false);
    engine.checkpoint().unwrap();
    let told = engine.told();
    assert!(told.committed.is_empty());
    assert!(told.events.iter().any(|event| matches!(event, Event::Uncommitted { operator, .. } if operator == "sink")));
    assert_eq!(engine.coordinator.statistics().uncommitted, 10);
    engine.take_commits(true);
    engine.change((0..10).map(|id| (id, 2)));
    let manifest = engine.checkpoint().unwrap();
    assert_eq!(manifest.operator("sink").unwrap().staged.len(), 20, "a restart would commit all of it");
    assert_eq!(engine.coordinator.statistics().uncommitted, 0);
    assert_saved(&store, &engine.told());
}

#[test]
fn checkpoints_are_made_by_themselves_at_their_pace() {
    let store = Store::memory().unwrap();
    let pace = Pace { interval: Duration::from_millis(5), pause: Duration::ZERO, failures_max: None };
    let engine = Engine::start(&store, 1, 2, Options { pace: Some(pace), ..asked() });
    engine.change((0..10).map(|id| (id, 1)));
    while engine.coordinator.statistics().count < 5 {
        std::thread::yield_now();
    }
    assert_saved(&store, &{
        engine.take_boundaries(false);
        // The one under way may still be written.
        while engine.coordinator.statistics().pending.is_some() {
            std::thread::yield_now();
        }
        engine.told()
    });
}

#[test]
fn a_job_fails_after_as_many_failures_as_it_was_given() {
    let store = faulty(|_, operation| match operation {
        Operation::Put(file, ..) if file.starts_with("parts/") => Fault::Refused,
        _ => Fault::None,
    });
    let pace = Pace { interval: Duration::from_millis(1), pause: Duration::ZERO, failures_max: Some(3) };
    let engine = Engine::start(&store, 1, 1, Options { pace: Some(pace), ..asked() });
    engine.change([(1, 1)]);
    let fails = |event: &Event| matches!(event, Event::FailJob { row: 3, reason } if reason.contains("refused"));
    while !engine.told().events.iter().any(fails) {
        std::thread::yield_now();
    }
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

#[test]
fn after_a_fall_back_nothing_of_the_base_is_referred_to() {
    let store = Store::memory().unwrap();
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..300).map(|id| (id, id)));
    let good = engine.checkpoint().unwrap();
    engine.change((0..10).map(|id| (id, 9)));
    let bad = engine.checkpoint().unwrap();
    let model = engine.told().model_at(good.stamp.checkpoint).clone();
    drop(engine);
    let file = bad.parts().find(|part| part.name.stamp == bad.stamp).unwrap().path();
    let mut bytes = store.read(&file).unwrap().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    store.put(&file, bytes.into()).unwrap();
    let (started, base) = open(&store, 2);
    let said: Vec<String> = started.opened.said.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains(&file) && said[0].contains("is damaged at byte"), "{said:?}");
    assert_eq!(base.as_ref().unwrap().manifest, good);
    let engine = Engine::start_from(&store, &started, base, 2, asked());
    assert_same(&engine.told().model, &model, "the older checkpoint");
    engine.change([(1, 77)]);
    let manifest = engine.checkpoint().unwrap();
    assert!(manifest.parts().all(|part| part.name.stamp == manifest.stamp), "an older runner may delete the parts of the base");
    assert_eq!(assert_saved(&store, &engine.told()), manifest.stamp.checkpoint);
}

#[test]
fn the_final_checkpoint_is_tried_again_as_long_as_there_is_patience() {
    let refused = Arc::new(Mutex::new(0));
    let left = Arc::clone(&refused);
    let store = faulty(move |_, operation| match operation {
        Operation::Put(..) if *left.lock().unwrap() > 0 => {
            *left.lock().unwrap() -= 1;
            Fault::Full
        }
        _ => Fault::None,
    });
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..10).map(|id| (id, 1)));
    *refused.lock().unwrap() = 2;
    let (answer, told) = engine.finish(Ending::Finished, PATIENCE);
    answer.unwrap();
    let saved = tidemill_state::open(&store, &Which::Newest).unwrap();
    assert!(saved.manifest().finished);
    assert_same(&saved_model(&saved, 2), &told.model, "the end");
    assert_eq!(told.output(), told.staged);

    let engine = Engine::start(&store, 2, 2, asked());
    engine.change((0..10).map(|id| (id, 2)));
    *refused.lock().unwrap() = u64::MAX;
    let (answer, told) = engine.finish(Ending::Finished, Duration::from_millis(10));
    assert!(answer.unwrap_err().to_string().contains("No space left"), "output that was staged is not visible");
    assert!(told.committed.is_empty());
}

#[test]
fn a_job_that_failed_writes_nothing_more() {
    let store = Store::memory().unwrap();
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..10).map(|id| (id, 1)));
    let manifest = engine.checkpoint().unwrap();
    engine.change((0..10).map(|id| (id, 2)));
    engine.coordinator.finish(Ending::Stopped, PATIENCE).unwrap();
    assert_eq!(tidemill_state::open(&store, &Which::Newest).unwrap().manifest(), &manifest);
    assert!(engine.coordinator.wish(Wish::Checkpoint).recv().is_err(), "it has stopped");
}

#[test]
fn two_starts_at_once_get_numbers_of_their_own() {
    let store = Store::memory().unwrap();
    let starts: Vec<_> = (0..8u64)
        .map(|runner| {
            let store = store.clone();
            std::thread::spawn(move || start(&store, RunnerId(runner)).map(|start| start.opened.generation()))
        })
        .collect();
    let mut generations: Vec<_> = starts.into_iter().filter_map(|start| start.join().unwrap().ok()).collect();
    let count = generations.len();
    generations.sort();
    generations.dedup();
    assert_eq!(generations.len(), count);
    assert!(count >= 1);
}
