//! `file:DIR` sinks: a directory of part files.
//!
//! A worker writes `.part-N` and renames it to `part-N` at the end, so that whoever sees a part sees all of it. A worker
//! that had nothing to write makes no part.
//!
//! Where checkpoints are taken, a worker begins a new part at every boundary, `part-N-gG-S` with the generation and a number of its
//! own; the finished one is on disk before the checkpoint is, and renamed behind it. So what can be seen is exactly what a checkpoint
//! covers, and what a start finds staged and not named by its checkpoint is removed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tidemill_core::block::Block;
use tidemill_core::checkpoint::Generation;
use tidemill_core::connect::{Error, Sink, Writer};

use crate::encode::Encoder;
use crate::url::Url;

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 64 << 10;

struct Parts {
    dir: PathBuf,
    encoder: Encoder,
    header: bool,
    ordered: bool,
    eager: bool,
    /// Set where output is staged and committed.
    generation: OnceLock<Generation>,
}

/// Opens the directory that a `file:` URL names, making it where needed. One that holds something is refused, unless an earlier start
/// of the same job has put it there.
pub(crate) fn open(url: &Url, encoder: Encoder, resuming: bool) -> Result<Arc<dyn Sink>, Error> {
    url.check_options(&["format", "header", "ordered", "overwrite", "flush"])?;
    let dir = PathBuf::from(super::path_of(url)?);
    let (header, ordered) = (url.flag("header")?, url.flag("ordered")?);
    let parts = Parts { encoder, header, ordered, eager: url.flag("flush")?, generation: OnceLock::new(), dir };
    prepare(&parts.dir, url.flag("overwrite")?, resuming)?;
    Ok(Arc::new(parts))
}

/// Makes the directory, or sees that it is empty.
fn prepare(dir: &Path, overwrite: bool, resuming: bool) -> Result<(), Error> {
    let name = dir.display();
    if dir.exists() && !dir.is_dir() {
        return Err(Error::Binding(format!("{name} is a file, and a file sink writes part files into a directory: name another")));
    }
    let cannot = |e: io::Error| Error::Binding(format!("cannot use {name} as output directory: {e}"));
    fs::create_dir_all(dir).map_err(cannot)?;
    if resuming {
        return Ok(());
    }
    let mut parts = Vec::new();
    let mut others = Vec::new();
    for entry in fs::read_dir(dir).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let is_file = entry.file_type().map_err(cannot)?.is_file();
        let file = entry.file_name().to_string_lossy().into_owned();
        let stem = file.strip_prefix('.').unwrap_or(&file);
        if is_file && stem.starts_with("part-") { parts.push(entry.path()) } else { others.push(file) }
    }
    if parts.is_empty() && others.is_empty() {
        return Ok(());
    }
    if !overwrite {
        return Err(Error::Binding(format!(
            "{name} is not empty: name another directory, or add ?overwrite=true to replace its part files"
        )));
    }
    if let Some(other) = others.first() {
        return Err(Error::Binding(format!(
            "{name} holds {other:?}, which is no part file: ?overwrite=true removes nothing but part files"
        )));
    }
    parts.iter().try_for_each(fs::remove_file).map_err(cannot)
}

impl Sink for Parts {
    fn writer(&self, worker: usize, _peers: usize) -> Result<Box<dyn Writer>, Error> {
        let number = if self.ordered { 0 } else { worker };
        Ok(Box::new(Part {
            dir: self.dir.clone(),
            number,
            generation: self.generation.get().copied(),
            name: format!("part-{number}"),
            sequence: 0,
            encoder: self.encoder.clone(),
            header: self.header,
            eager: self.eager,
            file: None,
            buffer: Vec::new(),
        }))
    }

    fn recover(&self, generation: Generation, staged: &[String]) -> Result<(), Error> {
        // Set once: a sink is opened anew for every start.
        let _ = self.generation.set(generation);
        self.commit(staged)?;
        let cannot = |e: io::Error| Error::Io(format!("clearing {} of what was left behind failed: {e}", self.dir.display()));
        for entry in fs::read_dir(&self.dir).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            if entry.file_name().to_string_lossy().starts_with(".part-") {
                fs::remove_file(entry.path()).map_err(cannot)?;
            }
        }
        Ok(())
    }

    fn commit(&self, staged: &[String]) -> Result<(), Error> {
        for name in staged {
            if !name.starts_with("part-") || name.contains('/') {
                return Err(Error::Io(format!("the checkpoint names {name:?} as output, which is no part of {}", self.dir.display())));
            }
            let (hidden, shown) = (self.dir.join(format!(".{name}")), self.dir.join(name));
            match fs::rename(&hidden, &shown) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound && shown.exists() => {}
                Err(e) => return Err(Error::Io(format!("showing {} failed: {e}", shown.display()))),
            }
        }
        if staged.is_empty() {
            Ok(())
        } else {
            sync_dir(&self.dir).map_err(|e| Error::Io(format!("syncing {} failed: {e}", self.dir.display())))
        }
    }

    fn transactional(&self) -> bool {
        true
    }

    fn parallelism_max(&self) -> Option<usize> {
        self.ordered.then_some(1)
    }
}

/// A name is on disk only when its directory is.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

struct Part {
    dir: PathBuf,
    number: usize,
    generation: Option<Generation>,
    /// What the part in hand will be called; until then it has a dot in front.
    name: String,
    /// Parts begun, where output is staged.
    sequence: u64,
    encoder: Encoder,
    header: bool,
    /// Every flush reaches the file, for who follows it.
    eager: bool,
    file: Option<File>,
    buffer: Vec<u8>,
}

impl Part {
    fn staged(&self) -> PathBuf {
        self.dir.join(format!(".{}", self.name))
    }

    fn begin(&mut self) -> Result<(), Error> {
        if let Some(generation) = self.generation {
            self.sequence += 1;
            // Padded, so that the parts of a worker sort in the order in which they were written.
            self.name = format!("part-{:03}-g{:06}-{:08}", self.number, generation.0, self.sequence);
        }
        self.file = Some(File::create_new(self.staged()).map_err(|e| self.cannot(&e))?);
        if self.header {
            self.encoder.header(&mut self.buffer);
        }
        Ok(())
    }

    fn cannot(&self, e: &io::Error) -> Error {
        let advice = match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room and run the job again",
            io::ErrorKind::AlreadyExists => "; does another job write there?",
            _ => "",
        };
        Error::Io(format!("writing {} failed: {e}{advice}", self.staged().display()))
    }

    fn push(&mut self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = match &mut self.file {
            Some(file) => file.write_all(&self.buffer),
            None => Ok(()),
        };
        written.map_err(|e| self.cannot(&e))?;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the part complete on disk, then visible.
    fn publish(&self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        fs::rename(self.staged(), self.dir.join(&self.name))?;
        sync_dir(&self.dir)
    }
}

impl Writer for Part {
    fn write(&mut self, block: &Block) -> Result<(), Error> {
        if self.file.is_none() {
            self.begin()?;
        }
        self.encoder.rows(block, &mut self.buffer);
        if self.buffer.len() >= BUFFER_BYTES { self.push() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.eager { self.push() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.push()?;
        match self.file.take() {
            Some(file) => self.publish(&file).map_err(|e| self.cannot(&e)),
            None => Ok(()),
        }
    }

    fn stage(&mut self) -> Result<Vec<String>, Error> {
        self.push()?;
        let Some(file) = self.file.take() else { return Ok(Vec::new()) };
        file.sync_all().and_then(|()| sync_dir(&self.dir)).map_err(|e| self.cannot(&e))?;
        Ok(vec![self.name.clone()])
    }
}
