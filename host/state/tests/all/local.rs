//! A local directory as a store: what is durable, created once, and left behind by writers that were killed.

use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use tidemill_core::checkpoint::protocol::RunnerId;
use tidemill_state::{Access, Error, Objects, Settings, Store, start};

fn local() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().to_str().unwrap(), Access::Write, &Settings::default()).unwrap();
    (dir, store)
}

#[test]
fn a_file_is_created_by_one_writer() {
    let (_dir, store) = local();
    store.create("log/a", "one".into()).unwrap();
    assert_eq!(store.create("log/a", "one".into()), Err(Error::Exists { file: "log/a".to_owned() }));
    assert_eq!(store.create("log/a", "two".into()), Err(Error::Exists { file: "log/a".to_owned() }));
    assert_eq!(&store.read("log/a").unwrap()[..], b"one");
    store.put("log/a", "two".into()).unwrap();
    assert_eq!(&store.read("log/a").unwrap()[..], b"two");
    let names: Vec<_> = store.list("log/").unwrap().into_iter().map(|entry| (entry.name, entry.bytes)).collect();
    assert_eq!(names, [("log/a".to_owned(), 3)]);
    store.delete("log/a").unwrap();
    store.delete("log/a").unwrap();
    assert_eq!(store.read("log/a"), Err(Error::Missing { file: "log/a".to_owned() }));
    assert!(store.list("nothing/").unwrap().is_empty());
}

#[test]
fn a_range_that_the_file_does_not_have_is_damage_with_its_place() {
    for store in [local().1, Store::memory().unwrap()] {
        // The directory may be gone by now; it is made again.
        store.put("parts/a", "0123456789".into()).unwrap();
        assert_eq!(&store.read_range("parts/a", 2..5).unwrap()[..], b"234");
        for range in [8..12, 10..12, 11..12] {
            match store.read_range("parts/a", range.clone()) {
                Err(Error::Damaged { file, at: 10, what }) => assert!(file == "parts/a" && what.contains("ends here"), "{what}"),
                other => panic!("{range:?}: {other:?}"),
            }
        }
        assert_eq!(store.read_range("parts/b", 0..1), Err(Error::Missing { file: "parts/b".to_owned() }));
    }
}

#[test]
fn what_a_killed_writer_leaves_is_swept_by_the_next_start() {
    let (dir, store) = local();
    let part = format!("parts/g1-c1-{}", "ab".repeat(32));
    std::fs::create_dir_all(dir.path().join("parts")).unwrap();
    let left = dir.path().join(format!("{part}#1"));
    let others = ["parts/mine#1", "parts/notes.txt"].map(|name| dir.path().join(name));
    for file in others.iter().chain([&left]) {
        std::fs::write(file, "half").unwrap();
    }
    assert!(store.list("parts/").unwrap().iter().all(|entry| !entry.name.contains('#')), "nobody sees half a file");
    start(&store, RunnerId(1)).unwrap();
    assert!(!left.exists());
    assert!(others.iter().all(|file| file.exists()), "what is not ours is left alone");
}

#[test]
fn what_the_system_refuses_is_said_in_its_words() {
    let (dir, store) = local();
    std::fs::write(dir.path().join("parts"), "a file where the folder should be").unwrap();
    let error = store.put("parts/a", "x".into()).unwrap_err();
    assert!(matches!(&error, Error::Storage { file, reason } if file == "parts/a" && reason.contains("os error")), "{error}");
}

#[test]
fn a_storage_that_does_not_answer_fails_the_call() {
    let never = ThrottleConfig { wait_get_per_call: Duration::from_secs(3600), ..ThrottleConfig::default() };
    let slow = ThrottledStore::new(object_store::memory::InMemory::new(), never);
    let objects = Objects::new(Arc::new(slow), Path::default(), Duration::from_millis(20)).unwrap();
    let store = Store::new(Arc::new(objects), "slow:");
    store.put("log/a", "x".into()).unwrap();
    let error = store.read("log/a").unwrap_err();
    assert_eq!(error.to_string(), "log/a: no answer within 0.02 s");
}
