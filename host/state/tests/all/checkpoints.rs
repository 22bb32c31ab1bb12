//! What a checkpoint restores is what was there at its boundary; what is written is what has changed; output becomes visible once.

use std::time::Duration;

use tidemill_core::checkpoint::protocol::name;
use tidemill_core::checkpoint::trigger::Pace;
use tidemill_state::{Access, Catalog, Ending, Event, Options, Settings, Store, Which, Wish};

use crate::engine::{Engine, PATIENCE, asked, assert_same, assert_saved, files, restored, saved_model};

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

#[test]
fn layers_are_merged_and_what_nobody_needs_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().to_str().unwrap(), Access::Write, &Settings::default()).unwrap();
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
fn a_checkpoint_is_of_the_code_that_ran_when_it_was_begun() {
    let store = Store::memory().unwrap();
    let engine = Engine::start(&store, 1, 2, asked());
    engine.change((0..10).map(|id| (id, id + 1)));
    let before = engine.checkpoint().unwrap().plan;
    engine.hold(0, true);
    let first = engine.coordinator.wish(Wish::Checkpoint);
    while engine.coordinator.statistics().pending.is_none() {
        std::thread::yield_now();
    }
    engine.coordinator.relabel("other".to_owned());
    engine.hold(0, false);
    assert_eq!(first.recv().unwrap().unwrap().plan, before);
    assert_eq!(engine.checkpoint().unwrap().plan, "other");
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
