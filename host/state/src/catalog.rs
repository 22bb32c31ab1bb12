//! Everything in a checkpoint directory, for people: which checkpoints there are, which can be used, and what is wrong with the
//! others. Only reads.

use std::collections::{HashMap, HashSet};

use tidemill_core::checkpoint::CheckpointId;
use tidemill_core::checkpoint::protocol::{Object, Savepoint, name};

use crate::directory;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::part;
use crate::record::{self, Record};
use crate::store::Store;

/// A directory as it was listed.
#[derive(Debug)]
pub struct Catalog {
    store: Store,
    /// The log and then the savepoints, each file with what it says or why it cannot be read.
    records: Vec<(Object, Result<Record, Error>)>,
    /// Files of parts.
    parts: HashMap<String, u64>,
}

/// A checkpoint of a directory.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// Where it stands: in the log or as a savepoint.
    pub object: &'a Object,
    /// What it is.
    pub manifest: &'a Manifest,
}

/// Which checkpoint is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The last of the log; in a directory of savepoints only, the last of those.
    Newest,
    /// The one of this number; of several the one of the last generation.
    Checkpoint(CheckpointId),
    /// The savepoint of this name.
    Savepoint(Savepoint),
}

impl Catalog {
    /// Lists a directory and reads its log. What is damaged is in the catalog as such.
    ///
    /// # Errors
    /// What the storage says.
    pub fn read(store: &Store) -> Result<Catalog, Error> {
        let mut objects: Vec<Object> = Vec::new();
        for folder in [name::LOG, name::SAVEPOINTS] {
            objects.extend(store.list(folder)?.iter().filter_map(|entry| Object::parse(&entry.name)));
        }
        objects.sort();
        let mut records = Vec::new();
        for object in objects {
            match record::read(store, &object) {
                Ok(Some(record)) => records.push((object, Ok(record))),
                // Deleted since it was listed: a job is running.
                Ok(None) => {}
                Err(error @ (Error::Damaged { .. } | Error::Newer { .. })) => records.push((object, Err(error))),
                Err(error) => return Err(error),
            }
        }
        Ok(Catalog { store: store.clone(), records, parts: directory::parts(store)? })
    }

    /// All checkpoints, the log's from old to new and then the savepoints.
    pub fn checkpoints(&self) -> impl Iterator<Item = Listed<'_>> {
        self.records.iter().filter_map(|(object, record)| match record {
            Ok(Record::Checkpoint(manifest)) => Some(Listed { object, manifest }),
            _ => None,
        })
    }

    /// Records that cannot be read.
    pub fn unreadable(&self) -> impl Iterator<Item = (&Object, &Error)> {
        self.records.iter().filter_map(|(object, record)| record.as_ref().err().map(|error| (object, error)))
    }

    /// Finds a checkpoint.
    pub fn find(&self, which: &Which) -> Option<Listed<'_>> {
        match which {
            Which::Newest => {
                let in_log = self.checkpoints().filter(|listed| matches!(listed.object, Object::Record(_))).last();
                in_log.or_else(|| self.checkpoints().max_by_key(|listed| listed.manifest.stamp))
            }
            Which::Checkpoint(id) => {
                let of_number = self.checkpoints().filter(|listed| listed.manifest.stamp.checkpoint == *id);
                of_number.max_by_key(|listed| listed.manifest.stamp)
            }
            Which::Savepoint(name) => self.checkpoints().find(|listed| *listed.object == Object::Savepoint(name.clone())),
        }
    }

    /// Whether a checkpoint can be used, as far as listings tell: its parts are there and as long as they were.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(&self, listed: Listed<'_>) -> Result<(), Error> {
        directory::check_lengths(listed.manifest, &self.parts)
    }

    /// Reads every byte of the directory. `each` is told of every file with what is wrong in it; the answer is the number of
    /// files and their bytes.
    ///
    /// # Errors
    /// What the storage says.
    pub fn verify(&self, each: &mut dyn FnMut(&Error)) -> Result<Verified, Error> {
        let mut verified = Verified { files: self.records.len(), bytes: 0, wrong: 0 };
        // A file that several checkpoints need is said once.
        let mut said: HashSet<String> = HashSet::new();
        let mut wrong = |error: &Error, verified: &mut Verified| {
            if error.file().is_none_or(|file| said.insert(file.to_owned())) {
                verified.wrong += 1;
                each(error);
            }
        };
        self.unreadable().for_each(|(_, error)| wrong(error, &mut verified));
        let mut parts: Vec<(&String, &u64)> = self.parts.iter().filter(|(file, _)| Object::parse(file).is_some()).collect();
        parts.sort();
        for (file, bytes) in parts {
            verified.files += 1;
            verified.bytes += bytes;
            match part::examine(&self.store, file, *bytes) {
                Ok(_) => {}
                // Deleted since it was listed: a job is running.
                Err(Error::Missing { .. }) => {}
                Err(error @ Error::Storage { .. }) => return Err(error),
                Err(error) => wrong(&error, &mut verified),
            }
        }
        for listed in self.checkpoints() {
            if let Err(error) = self.check(listed) {
                wrong(&error, &mut verified);
            }
        }
        Ok(verified)
    }
}

/// What reading a whole directory came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files read.
    pub files: usize,
    /// Bytes of parts.
    pub bytes: u64,
    /// Files that are damaged, missing or of a later format.
    pub wrong: usize,
}

/// Finds a checkpoint to restore, and reads every byte of it.
///
/// # Errors
/// There is none that is meant, it is damaged, or what the storage says.
pub fn open(store: &Store, which: &Which) -> Result<crate::Restore, Error> {
    let catalog = Catalog::read(store)?;
    let Some(listed) = catalog.find(which) else {
        let what = match which {
            Which::Newest => "no checkpoint".to_owned(),
            Which::Checkpoint(id) => format!("no checkpoint {id}"),
            Which::Savepoint(name) => format!("no savepoint {name}"),
        };
        let broken: Vec<String> = catalog.unreadable().map(|(_, error)| error.to_string()).collect();
        let broken = if broken.is_empty() { String::new() } else { format!("; {}", broken.join("; ")) };
        return Err(Error::Directory(format!("{} has {what} that can be read{broken}", store.url())));
    };
    catalog.check(listed)?;
    directory::judge(store, listed.manifest)?;
    Ok(crate::Restore::new(store, listed.manifest))
}
