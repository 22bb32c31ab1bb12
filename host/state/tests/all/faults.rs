//! Storage that fails: a checkpoint that fails for it is made up for by the next, and the job never notices.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill_core::checkpoint::trigger::Pace;
use tidemill_core::checkpoint::{CheckpointId, Saved as _};
use tidemill_state::{Ending, Event, Fault, Faulty, Objects, Operation, Options, Store, Which};

use crate::engine::{Engine, PATIENCE, asked, assert_same, assert_saved, saved_model};

/// A store in memory whose calls are judged.
fn faulty(judge: impl FnMut(u64, &Operation) -> Fault + Send + 'static) -> Store {
    let memory = Objects::new(Arc::new(object_store::memory::InMemory::new()), object_store::path::Path::default(), PATIENCE).unwrap();
    Store::new(Arc::new(Faulty::new(Arc::new(memory), judge)), "faulty:")
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
