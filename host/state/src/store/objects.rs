//! The backend over the crate `object_store`, which is asynchronous: its futures run on a small runtime with a thread of its own,
//! and the caller waits.

use std::future::Future;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};
use tidemill_core::checkpoint::protocol::Object;
use tokio::runtime::{Builder, Handle};

use super::{Backend, Entry, Put};
use crate::error::Error;

/// A call that has not been answered by then has failed, unless the settings say otherwise: a storage that hangs must fail
/// checkpoints and not stop them for ever. Longer than a retry of `object_store` takes, shorter than anybody waits.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Files under a prefix of an object store.
pub struct Objects {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The directory when the store is a local one.
    local: Option<PathBuf>,
    timeout: Duration,
    runtime: Handle,
}

impl Objects {
    /// The files under `prefix`; calls fail after `timeout`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(objects: Arc<dyn ObjectStore>, prefix: Path, timeout: Duration) -> Result<Objects, Error> {
        Ok(Objects { objects, prefix, local: None, timeout, runtime: runtime()? })
    }

    /// The files of a local directory, which is where killed writers leave something behind.
    pub(super) fn local(objects: Arc<dyn ObjectStore>, directory: PathBuf, timeout: Duration) -> Result<Objects, Error> {
        Ok(Objects { local: Some(directory), ..Objects::new(objects, Path::default(), timeout)? })
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').filter(|segment| !segment.is_empty()).fold(self.prefix.clone(), |path, segment| path.join(segment))
    }

    /// Waits for an answer.
    fn wait<T>(&self, name: &str, future: impl Future<Output = object_store::Result<T>>) -> Result<T, Failure> {
        // The timer needs the runtime, so the future is made inside.
        match self.runtime.block_on(async { tokio::time::timeout(self.timeout, future).await }) {
            Ok(answer) => answer.map_err(Failure::Said),
            Err(_) => Err(Failure::Silent(Error::storage(name, format!("no answer within {} s", self.timeout.as_secs_f64())))),
        }
    }

    /// The error for a range that the file does not have.
    fn cut(&self, name: &str, range: &Range<u64>) -> Error {
        match self.wait(name, self.objects.head(&self.path(name))) {
            Ok(meta) if meta.size < range.end => ends_early(name, meta.size, range.end),
            Ok(_) => Error::storage(name, format!("bytes {} to {} were not answered", range.start, range.end)),
            Err(failure) => failure.named(name),
        }
    }
}

/// Why there is no answer.
enum Failure {
    Said(object_store::Error),
    Silent(Error),
}

impl Failure {
    fn named(self, name: &str) -> Error {
        match self {
            Failure::Silent(error) => error,
            Failure::Said(object_store::Error::NotFound { .. }) => Error::Missing { file: name.to_owned() },
            Failure::Said(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Error::Exists { file: name.to_owned() }
            }
            Failure::Said(error) => Error::storage(name, deepest(&error)),
        }
    }
}

impl Backend for Objects {
    fn list(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        let path = self.path(folder);
        let listed = self.wait(folder, async { self.objects.list_with_delimiter(Some(&path)).await });
        let objects = listed.map_err(|failure| failure.named(folder))?.objects;
        let name =
            |meta: object_store::ObjectMeta| Some(Entry { name: format!("{folder}{}", meta.location.filename()?), bytes: meta.size });
        let mut entries: Vec<Entry> = objects.into_iter().filter_map(name).collect();
        entries.sort();
        Ok(entries)
    }

    fn read(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, Error> {
        let path = self.path(name);
        let options = GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        let answer = self.wait(name, async { self.objects.get_opts(&path, options).await?.bytes().await });
        match (answer, range) {
            (Ok(bytes), Some(range)) if bytes.len() as u64 != range.end - range.start => {
                Err(ends_early(name, range.start + bytes.len() as u64, range.end))
            }
            (Ok(bytes), _) => Ok(bytes),
            // A range behind the end of a file has no kind of its own.
            (Err(Failure::Said(object_store::Error::Generic { .. })), Some(range)) => Err(self.cut(name, &range)),
            (Err(failure), _) => Err(failure.named(name)),
        }
    }

    fn put(&self, name: &str, bytes: Bytes, how: Put) -> Result<(), Error> {
        let mode = match how {
            Put::Create => PutMode::Create,
            Put::Replace => PutMode::Overwrite,
        };
        let path = self.path(name);
        let put = self.wait(name, async { self.objects.put_opts(&path, PutPayload::from_bytes(bytes), mode.into()).await });
        put.map(|_| ()).map_err(|failure| failure.named(name))
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        match self.wait(name, async { self.objects.delete(&path).await }).map_err(|failure| failure.named(name)) {
            Err(Error::Missing { .. }) => Ok(()),
            answer => answer,
        }
    }

    /// `object_store` writes a local file under its name, `#` and a number, before it gives it its name.
    fn sweep(&self, folder: &str) -> Result<(), Error> {
        let Some(directory) = &self.local else { return Ok(()) };
        let said = |error: std::io::Error| Error::storage(folder, error.to_string());
        let entries = match std::fs::read_dir(directory.join(folder)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(said)?,
        };
        for entry in entries {
            let entry = entry.map_err(said)?;
            let name = entry.file_name();
            let staged = name.to_str().and_then(|name| Some((Object::parse(&format!("{folder}{}", name.split_once('#')?.0))?, name)));
            if staged.is_some_and(|(_, name)| name.rsplit('#').next().is_some_and(|end| end.bytes().all(|byte| byte.is_ascii_digit()))) {
                std::fs::remove_file(entry.path()).map_err(said)?;
            }
        }
        Ok(())
    }
}

fn ends_early(name: &str, end: u64, expected: u64) -> Error {
    Error::damaged(name, end, format!("the file ends here, where at least {expected} bytes were written"))
}

/// The last error of the chain, which is what the system said; those above it say which function of the crate passed it on.
fn deepest(error: &object_store::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// One runtime serves all stores of the process; its thread runs timers and connections, calls to files go to threads that
/// come and go.
pub(super) fn runtime() -> Result<Handle, Error> {
    static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);
    let mut running = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*running {
        return Ok(handle.clone());
    }
    let failed = |error: std::io::Error| Error::Directory(format!("no thread for storage can be started: {error}"));
    let runtime = Builder::new_current_thread().enable_all().thread_name("storage-call").build().map_err(failed)?;
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("storage".to_owned()).spawn(run).map_err(failed)?;
    *running = Some(handle.clone());
    Ok(handle)
}
