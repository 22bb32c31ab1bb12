//! One runner after the other, and two at once.

use tidemill_core::checkpoint::CheckpointId;
use tidemill_core::checkpoint::protocol::RunnerId;
use tidemill_state::{Ending, Event, Store, Which, Wish, start};

use crate::engine::{Engine, PATIENCE, asked, assert_same, assert_saved, open, restored};

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
