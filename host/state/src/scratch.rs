//! State that does not fit into memory, on local disk: an LSM tree that lives as long as its process.
//!
//! Nothing in it is durable or has to be: a checkpoint is the truth. What a killed process left behind is removed by the next one that
//! uses the same folder; a lock on each one's folder tells which of them live. The lock goes with the process, and no moment lies between the
//! folder and its lock for others to see: who makes or removes one has locked the folder they lie in.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use tempfile::TempDir;
use tidemill_core::guest::{OperatorId, Slot};
use tidemill_core::spill::{Error, Spill, Spills};

/// How folders of scratch begin.
const PREFIX: &str = "tidemill-state-";
/// Memory for blocks read from disk: state that is read back is in the guest afterwards, so that a second read is rare.
const CACHE_BYTES: u64 = 16 << 20;
/// Memory for what an instance has written and is not in a file yet.
const WRITE_BYTES: u64 = 8 << 20;
/// Disk for what is in no file yet: the least that the tree takes.
const JOURNAL_BYTES: u64 = 64 << 20;

/// See the module.
pub struct Scratch {
    // Dropped in this order: the files are closed before their folder is removed.
    database: Database,
    next: AtomicU64,
    _lock: File,
    _folder: TempDir,
}

impl Scratch {
    /// A new one in a folder of its own below `parent`.
    ///
    /// # Errors
    /// A folder that cannot be made or written.
    pub fn create(parent: &Path) -> Result<Scratch, Error> {
        let io = |e: io::Error| Error(format!("cannot use {} for state that is not in memory: {e}", parent.display()));
        std::fs::create_dir_all(parent).map_err(io)?;
        let (folder, lock) = enter(parent).map_err(io)?;
        let database = Database::builder(folder.path().join("tree"))
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .manual_journal_persist(true)
            .worker_threads(1)
            .open()
            .map_err(|e| Error(format!("cannot use {} for state that is not in memory: {e}", parent.display())))?;
        Ok(Scratch { database, next: AtomicU64::new(0), _lock: lock, _folder: folder })
    }
}

/// Makes a folder that is locked, and removes others that nobody has.
fn enter(parent: &Path) -> io::Result<(TempDir, File)> {
    let entrance = File::open(parent)?;
    entrance.lock()?;
    remove_orphans(parent)?;
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
    let lock = File::open(folder.path())?;
    lock.lock()?;
    Ok((folder, lock))
}

/// Removes what processes that are gone have left behind.
fn remove_orphans(parent: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(parent)? {
        let path = entry?.path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)) {
            continue;
        }
        // One that ends at this moment removes it itself.
        let Ok(lock) = File::open(&path) else { continue };
        match lock.try_lock() {
            Ok(()) => drop(std::fs::remove_dir_all(&path)),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
    Ok(())
}

impl Spills for Scratch {
    fn share(&self) -> Result<Box<dyn Spill>, Error> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let options = || KeyspaceCreateOptions::default().max_memtable_size(WRITE_BYTES);
        Ok(Box::new(Share(self.database.keyspace(&name, options).map_err(failed)?)))
    }
}

/// One instance's.
struct Share(Keyspace);

fn failed(error: fjall::Error) -> Error {
    Error(error.to_string())
}

fn key(operator: OperatorId, slot: Slot) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&operator.to_be_bytes());
    key[4..].copy_from_slice(&slot.to_be_bytes());
    key
}

impl Spill for Share {
    fn put(&mut self, operator: OperatorId, slot: Slot, state: &[u8]) -> Result<(), Error> {
        self.0.insert(key(operator, slot), state).map_err(failed)
    }

    fn get(&mut self, operator: OperatorId, slot: Slot) -> Result<Vec<u8>, Error> {
        let state = self.0.get(key(operator, slot)).map_err(failed)?;
        state.map(|state| state.to_vec()).ok_or_else(|| Error(format!("slot {slot} of operator {operator} is not there")))
    }

    fn remove(&mut self, operator: OperatorId, slot: Slot) -> Result<(), Error> {
        self.0.remove(key(operator, slot)).map_err(failed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn folders(parent: &Path) -> usize {
        std::fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn shares_keep_what_is_put_and_nothing_of_each_other() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(parent.path()).unwrap();
        let (mut one, mut two) = (scratch.share().unwrap(), scratch.share().unwrap());
        let state = |slot: u32, round: u32| vec![(slot * 7 + round) as u8; 100 + (slot % 1000) as usize];
        for round in 0..3 {
            (0..20_000).for_each(|slot| one.put(1, slot, &state(slot, round)).unwrap());
        }
        two.put(1, 5, b"other").unwrap();
        one.put(2, 5, b"operator").unwrap();
        one.remove(1, 7).unwrap();
        assert_eq!(one.get(1, 5).unwrap(), state(5, 2));
        assert_eq!((two.get(1, 5).unwrap(), one.get(2, 5).unwrap()), (b"other".to_vec(), b"operator".to_vec()));
        assert!((8..20_000).all(|slot| one.get(1, slot).unwrap() == state(slot, 2)));
        assert_eq!(one.get(1, 7), Err(Error("slot 7 of operator 1 is not there".to_owned())));
        assert!(two.get(1, 6).is_err());
        drop((one, two));
        drop(scratch);
        assert_eq!(folders(parent.path()), 0, "it is gone with its process");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_lives_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let orphan = parent.path().join("tidemill-state-orphan");
        std::fs::create_dir_all(orphan.join("tree")).unwrap();
        // Killed before it had anything in it.
        let empty = parent.path().join("tidemill-state-empty");
        std::fs::create_dir(&empty).unwrap();
        let stranger = parent.path().join("other");
        std::fs::create_dir(&stranger).unwrap();
        let first = Scratch::create(parent.path()).unwrap();
        assert!(!orphan.exists() && !empty.exists() && stranger.exists());
        let mut share = first.share().unwrap();
        share.put(1, 1, b"state").unwrap();
        let second = Scratch::create(parent.path()).unwrap();
        assert_eq!(folders(parent.path()), 3);
        assert_eq!(share.get(1, 1).unwrap(), b"state");
        drop(second);
        assert_eq!(folders(parent.path()), 2);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let error = Scratch::create(&file).err().unwrap().to_string();
        assert!(error.contains("cannot use") && error.contains("file"), "{error}");
    }
}
