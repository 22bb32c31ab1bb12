//! A place for files, with blocking calls: a local directory, memory, an object store.
//!
//! A [`Store`] promises what the protocol of checkpoints rests on: a file that [`Store::put`] or [`Store::create`] has answered for is
//! durable and whole; a file is created by one writer only; and nobody sees half a file. It does not promise that a failed call has
//! done nothing: an answer can be lost.

mod faulty;
mod objects;
mod url;

pub use faulty::{Fault, Faulty, Operation};
pub use objects::Objects;
pub use url::{Access, Settings};

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Error;

/// A file of a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name below the directory, e.g. `log/00000000000000000007`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Only if there is none of that name.
    Create,
    /// In place of one of that name.
    Replace,
}

/// What a [`Store`] is made of. Calls block, and come from several threads at once.
pub trait Backend: Send + Sync {
    /// The files of a folder; `folder` ends with `/`. What was written before the call is in the list.
    ///
    /// # Errors
    /// What the storage says.
    fn list(&self, folder: &str) -> Result<Vec<Entry>, Error>;

    /// A file, or exactly this part of it.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Damaged`] when the file ends before the range does, or what the storage says.
    fn read(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, Error>;

    /// Writes a file, durable and whole when this returns.
    ///
    /// # Errors
    /// [`Error::Exists`] for [`Put::Create`], or what the storage says. The file may be there all the same.
    fn put(&self, name: &str, bytes: Bytes, how: Put) -> Result<(), Error>;

    /// Deletes a file; one that is not there is deleted already.
    ///
    /// # Errors
    /// What the storage says.
    fn delete(&self, name: &str) -> Result<(), Error>;

    /// Removes what writers that were killed have left half written in a folder.
    ///
    /// # Errors
    /// What the storage says.
    fn sweep(&self, folder: &str) -> Result<(), Error> {
        let _ = folder;
        Ok(())
    }
}

/// A place for files; clones are the same place.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    url: Arc<str>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.url).finish()
    }
}

impl Store {
    /// A store over any backend; `url` is how messages call it.
    pub fn new(backend: Arc<dyn Backend>, url: &str) -> Store {
        Store { backend, url: url.into() }
    }

    /// How messages call this place.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether both are one place: files of one need not be copied to the other.
    pub fn same_place(&self, other: &Store) -> bool {
        Arc::ptr_eq(&self.backend, &other.backend) || (self.url == other.url && &*self.url != url::MEMORY)
    }

    /// The files of a folder.
    ///
    /// # Errors
    /// See [`Backend::list`].
    pub fn list(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        self.backend.list(folder)
    }

    /// A whole file.
    ///
    /// # Errors
    /// See [`Backend::read`].
    pub fn read(&self, name: &str) -> Result<Bytes, Error> {
        self.backend.read(name, None)
    }

    /// Exactly this part of a file.
    ///
    /// # Errors
    /// See [`Backend::read`].
    pub fn read_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, Error> {
        self.backend.read(name, Some(range))
    }

    /// Writes a file whose name says what is in it, so that writing it again changes nothing.
    ///
    /// # Errors
    /// See [`Backend::put`].
    pub fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        self.backend.put(name, bytes, Put::Replace)
    }

    /// Writes a file if there is none of that name.
    ///
    /// # Errors
    /// [`Error::Exists`]; see [`Backend::put`].
    pub fn create(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        self.backend.put(name, bytes, Put::Create)
    }

    /// Deletes a file; one that is not there is deleted already.
    ///
    /// # Errors
    /// See [`Backend::delete`].
    pub fn delete(&self, name: &str) -> Result<(), Error> {
        self.backend.delete(name)
    }

    /// Removes what killed writers have left half written in a folder.
    ///
    /// # Errors
    /// See [`Backend::sweep`].
    pub fn sweep(&self, folder: &str) -> Result<(), Error> {
        self.backend.sweep(folder)
    }
}
