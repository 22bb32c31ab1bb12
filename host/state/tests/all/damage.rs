//! A checkpoint directory with a flipped bit, or with a file cut short: every damage is found and named, and a job starts from the
//! newest checkpoint that is whole, or not at all. It never starts from anything else.

use std::collections::BTreeMap;

use tidemill_core::checkpoint::protocol::{Object, Refused, RunnerId, name};
use tidemill_state::{Access, Catalog, Ending, Error, Manifest, Options, Restore, Settings, Store, start};

use crate::engine::{Engine, Model, assert_same, saved_model};

/// Damages tried by default; ten times as many where the environment asks for all of the tests.
const FLIPS: u64 = 1_000;

/// A directory of some checkpoints that share parts.
struct Directory {
    files: BTreeMap<String, Vec<u8>>,
    /// From the newest to the oldest, with the state of each.
    checkpoints: Vec<(Manifest, Model)>,
}

impl Directory {
    /// Makes it on disk, by a job that runs twice.
    fn make() -> Directory {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_str().unwrap(), Access::Write, &Settings::default()).unwrap();
        let mut checkpoints = Vec::new();
        for run in 1..=2i64 {
            let engine = Engine::start(&store, run as u64, 2, Options { retain: 3, ..Options::default() });
            for round in 1..=2 {
                engine.change((0..400 / (run * round)).map(|id| (id * run, id % (3 + round) + run)));
                let manifest = engine.checkpoint().unwrap();
                let model = engine.told().model_at(manifest.stamp.checkpoint).clone();
                checkpoints.insert(0, (manifest, model));
            }
            // Without its last handovers a job leaves no final checkpoint.
            engine.coordinator.finish(Ending::Stopped, std::time::Duration::ZERO).unwrap();
        }
        checkpoints.truncate(3);
        let mut files = BTreeMap::new();
        for folder in [name::LOG, name::PARTS] {
            for entry in store.list(folder).unwrap() {
                files.insert(entry.name.clone(), std::fs::read(dir.path().join(&entry.name)).unwrap());
            }
        }
        Directory { files, checkpoints }
    }

    /// A copy with one file replaced.
    fn with(&self, file: &str, bytes: &[u8]) -> Store {
        let store = Store::memory().unwrap();
        for (name, whole) in &self.files {
            let bytes = if name == file { bytes } else { whole };
            store.put(name, bytes.to_vec().into()).unwrap();
        }
        store
    }

    /// The newest checkpoint that does not need the file.
    fn without(&self, file: &str) -> Option<usize> {
        let needs = |manifest: &Manifest| Object::Record(manifest.line).path() == file || manifest.parts().any(|part| part.path() == file);
        self.checkpoints.iter().position(|(manifest, _)| !needs(manifest))
    }

    /// Everything that is asked of a damaged directory.
    fn check(&self, file: &str, bytes: &[u8], what: &str) {
        let store = self.with(file, bytes);
        let mut named = Vec::new();
        let verified = Catalog::read(&store).unwrap().verify(&mut |error| named.push(error.clone())).unwrap();
        assert_eq!(verified.wrong, named.len());
        assert!(named.iter().all(|error| matches!(error, Error::Damaged { .. })), "{what}: {named:?}");
        assert!(named.iter().any(|error| error.file() == Some(file)), "{what}: {named:?}");
        match (start(&store, RunnerId(99)), self.without(file)) {
            (Ok(start), Some(whole)) => {
                let (manifest, model) = &self.checkpoints[whole];
                assert_eq!(start.base.as_ref(), Some(manifest), "{what}");
                assert_same(&saved_model(&Restore::new(&store, manifest), 2), model, what);
                let said: String = start.opened.said.iter().map(ToString::to_string).collect();
                assert_eq!(said.contains(file), whole > 0, "{what}: said {said:?}");
            }
            (Err(Error::Refused(Refused::NothingUsable(said))), None) => {
                assert!(said.iter().any(|skipped| skipped.to_string().contains(file)), "{what}: said {said:?}");
            }
            (answer, whole) => panic!("{what}: {whole:?} is whole, and the start says {answer:?}"),
        }
    }
}

/// A generator of numbers, always the same ones.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let directory = Directory::make();
    let flips = if std::env::var_os("TIDEMILL_TEST_FULL").is_some() { 10 * FLIPS } else { FLIPS };
    let bits: usize = directory.files.values().map(|bytes| 8 * bytes.len()).sum();
    let mut numbers = Numbers(7);
    for _ in 0..flips {
        let mut bit = numbers.below(bits);
        let (file, whole) = directory
            .files
            .iter()
            .find(|(_, bytes)| match bit.checked_sub(8 * bytes.len()) {
                Some(rest) => {
                    bit = rest;
                    false
                }
                None => true,
            })
            .unwrap();
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        directory.check(file, &bytes, &format!("bit {bit} of {file}"));
    }
}

#[test]
fn every_cut_is_found() {
    let directory = Directory::make();
    for (file, whole) in &directory.files {
        for length in (0..whole.len()).step_by(512) {
            directory.check(file, &whole[..length], &format!("{file} cut to {length} bytes"));
        }
    }
}

#[test]
fn a_directory_in_which_all_is_well_is_said_to_be_well_and_a_missing_part_is_named() {
    let directory = Directory::make();
    let (file, whole) = directory.files.iter().find(|(file, _)| file.starts_with(name::PARTS)).unwrap();
    let store = directory.with(file, whole);
    let catalog = Catalog::read(&store).unwrap();
    let verified = catalog.verify(&mut |error| panic!("{error}")).unwrap();
    assert_eq!((verified.files, verified.wrong), (directory.files.len(), 0));
    assert_eq!(catalog.checkpoints().count(), directory.checkpoints.len());
    store.delete(file).unwrap();
    let mut named = Vec::new();
    Catalog::read(&store).unwrap().verify(&mut |error| named.push(error.clone())).unwrap();
    assert_eq!(named, [Error::Missing { file: file.clone() }], "it is named once, though several checkpoints need it");
}
