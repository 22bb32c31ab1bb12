//! `file:` sources and sinks.
//!
//! A source reads one file or all that match a pattern (`*`, `?`, `[a-z]`). Plain JSON and text files are read by all workers in
//! stripes (see [`claims`]); `.gz`, `.zst` and CSV files by one worker each, because their bytes cannot be entered in the
//! middle. What a file holds when the job starts is read; what is appended later is not.

mod claims;
mod lines;
mod position;
mod reader;
mod sink;
#[cfg(test)]
mod tests;

pub(crate) use sink::open as open_sink;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tidemill_core::connect::{Error, Reader, Source, Waker};
use tidemill_core::plan::Format;

use crate::decode::Layout;
use crate::url::Url;
use claims::Claims;

/// Bytes of one stripe: large enough that a claim costs nothing beside it, small enough that workers stay close in event time.
const STRIPE_BYTES: u64 = 256 << 10;
/// The least bytes of one stripe.
const STRIPE_BYTES_MIN: u64 = 4 << 10;
/// Bytes of a small record, to guess how many bytes a source with a rate reads in a second.
const RECORD_BYTES: u64 = 128;
/// A source with a rate has its stripes this many times a second: workers read theirs side by side, so a stripe that took long would
/// hold back the events in front of it for as long.
const STRIPES_PER_SECOND: u64 = 500;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// One file of the source.
#[derive(Debug)]
struct Input {
    path: PathBuf,
    /// The path in messages.
    name: String,
    len: u64,
    packing: Packing,
    /// Read by one worker from its first byte to its last.
    whole: bool,
}

/// What the readers of a source share.
#[derive(Debug)]
struct Shared {
    inputs: Vec<Input>,
    layout: Arc<Layout>,
    format: Format,
    claims: Mutex<Claims>,
}

struct FileSource(Arc<Shared>);

impl Source for FileSource {
    fn reader(&self, worker: usize, peers: usize, _waker: Waker) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(reader::FileReader::new(self.0.clone(), worker, peers)))
    }

    fn bounded(&self) -> bool {
        true
    }

    fn restore(&self, positions: &[String]) -> Result<(), Error> {
        // A source that is new in the job begins at the beginning.
        if positions.is_empty() {
            return Ok(());
        }
        let positions = position::parse(positions)?;
        let inputs = &self.0.inputs;
        if let Some(name) = position::missing(&positions, |name| inputs.iter().any(|input| input.name == name)) {
            return Err(Error::Binding(format!("{name} was not read to its end when the checkpoint was taken, and is not there now")));
        }
        let mut claims = self.0.claims.lock().unwrap_or_else(PoisonError::into_inner);
        for (file, input) in inputs.iter().enumerate() {
            claims.restore(file, position::rest(&positions, &input.name, input.len)?);
        }
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }
}

/// Opens the files that a `file:` URL names. `rate` is that at which they will be read, in records a second, where it is limited.
pub(crate) fn open_source(url: &Url, layout: Arc<Layout>, format: Format, rate: Option<u64>) -> Result<Arc<dyn Source>, Error> {
    Ok(Arc::new(FileSource(Arc::new(share(url, layout, format, stripe_bytes(rate))?))))
}

fn stripe_bytes(rate: Option<u64>) -> u64 {
    let slow = |rate: u64| (rate.saturating_mul(RECORD_BYTES) / STRIPES_PER_SECOND).clamp(STRIPE_BYTES_MIN, STRIPE_BYTES);
    rate.map_or(STRIPE_BYTES, slow)
}

fn share(url: &Url, layout: Arc<Layout>, format: Format, stripe_bytes: u64) -> Result<Shared, Error> {
    let inputs = paths(url)?.into_iter().map(|path| input(path, format)).collect::<Result<Vec<_>, _>>()?;
    let claims = Claims::new(inputs.iter().map(|i| (i.len, i.whole)), stripe_bytes);
    Ok(Shared { inputs, layout, format, claims: Mutex::new(claims) })
}

/// The path of a `file:` URL, with or without the two slashes of an empty host.
fn path_of(url: &Url) -> Result<&str, Error> {
    match url.rest.strip_prefix("//") {
        _ if url.rest.is_empty() => Err(url.wrong("a path belongs behind the colon, such as file:events.json")),
        None => Ok(&url.rest),
        Some(path) if path.starts_with('/') => Ok(path),
        Some(path) => Err(url.wrong(&format!("two slashes begin the name of a host; write file:{path}"))),
    }
}

fn paths(url: &Url) -> Result<Vec<PathBuf>, Error> {
    let path = path_of(url)?;
    // A file that is really called so wins over the pattern.
    if !path.contains(['*', '?', '[']) || Path::new(path).exists() {
        return Ok(vec![PathBuf::from(path)]);
    }
    let found = glob::glob(path).map_err(|e| url.wrong(&format!("not a pattern: {}", e.msg)))?;
    let mut files = Vec::new();
    for entry in found {
        let entry = entry.map_err(|e| Error::Binding(format!("cannot look into {}: {}", e.path().display(), e.error())))?;
        if !entry.is_dir() {
            files.push(entry);
        }
    }
    if files.is_empty() {
        return Err(url.wrong(&format!("no file matches {path:?}{}", beside(Path::new(path)))));
    }
    Ok(files)
}

/// Looks at one file, so that what is wrong with it is said before the job runs.
fn input(path: PathBuf, format: Format) -> Result<Input, Error> {
    let name = path.display().to_string();
    let cannot = |e: io::Error| Error::Binding(format!("cannot read {name}: {}", advice(&e, &path)));
    let meta = std::fs::metadata(&path).map_err(cannot)?;
    if meta.is_dir() {
        return Err(Error::Binding(format!("{name} is a directory: write file:{}/* for all its files", name.trim_end_matches('/'))));
    }
    if !meta.is_file() {
        return Err(Error::Binding(format!("{name} is no regular file: for a pipe or device use stdin: and redirect it")));
    }
    File::open(&path).map_err(cannot)?;
    let packing = match path.extension().and_then(|e| e.to_str()) {
        Some("gz" | "gzip") => Packing::Gzip,
        Some("zst" | "zstd") => Packing::Zstd,
        _ => Packing::Plain,
    };
    let whole = packing != Packing::Plain || format == Format::Csv;
    Ok(Input { len: meta.len(), name, path, packing, whole })
}

fn advice(error: &io::Error, path: &Path) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no such file{}", beside(path)),
        io::ErrorKind::PermissionDenied => {
            "permission denied: the user that runs the job must be allowed to read it (try ls -l)".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Where a relative path was looked for: the usual mistake is the wrong working directory.
fn beside(path: &Path) -> String {
    match std::env::current_dir() {
        Ok(here) if path.is_relative() => format!(" (looked for from {})", here.display()),
        _ => String::new(),
    }
}
