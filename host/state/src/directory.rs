//! A start of a job over its checkpoint directory: asks the store what [`protocol::Opening`] wants to know.

use std::collections::HashMap;

use bytes::Bytes;
use tidemill_core::checkpoint::protocol::{Answer, Created, Found, Line, Object, Opened, Opening, RunnerId, Step, Verdict, name};

use crate::error::Error;
use crate::manifest::Manifest;
use crate::part::Reader;
use crate::record::{self, Record};
use crate::store::Store;

/// A job that this process has claimed.
#[derive(Clone, Debug)]
pub struct Start {
    /// What the protocol knows of it: the generation, the base, what was passed over.
    pub opened: Opened,
    /// The checkpoint to begin with; none for a job without one.
    pub base: Option<Manifest>,
}

/// Claims the job and finds the checkpoint to begin with; every byte of it has been read and is whole.
///
/// # Errors
/// What the storage says, [`Error::Newer`], and [`Error::Refused`]. The job may have been claimed all the same, which harms nobody.
pub fn start(store: &Store, runner: RunnerId) -> Result<Start, Error> {
    let mut opening = Opening::new(runner);
    let mut read: Option<Manifest> = None;
    loop {
        let answer = match opening.step() {
            Step::List => Answer::Listed(lines(store)?),
            Step::Read(line) => {
                let (found, manifest) = record::find(store, &Object::Record(line))?;
                read = manifest;
                Answer::Read(found)
            }
            Step::Create(line, claim) => Answer::Created(create(store, line, &Record::Claim(claim).encode().into())?),
            Step::Judge(..) => Answer::Judged(match read.as_ref().map(|manifest| judge(store, manifest)) {
                None | Some(Ok(())) => Verdict::Whole,
                Some(Err(error)) if error.is_damage() => Verdict::Damaged(error.to_string()),
                Some(Err(error)) => return Err(error),
            }),
            Step::Opened(opened) => {
                let line = opened.base.as_ref().map(|(line, _)| *line);
                store.sweep(name::PARTS)?;
                return Ok(Start { opened, base: read.filter(|manifest| Some(manifest.line) == line) });
            }
            Step::Refused(refused) => return Err(Error::Refused(refused)),
        };
        opening.answer(answer);
    }
}

/// The lines of a log, in no order.
pub(crate) fn lines(store: &Store) -> Result<Vec<Line>, Error> {
    let line = |name: &str| match Object::parse(name) {
        Some(Object::Record(line)) => Some(line),
        _ => None,
    };
    Ok(store.list(name::LOG)?.iter().filter_map(|entry| line(&entry.name)).collect())
}

/// Creates a line of the log.
///
/// # Errors
/// What the storage says; the line may have been created all the same.
pub(crate) fn create(store: &Store, line: Line, bytes: &Bytes) -> Result<Created, Error> {
    let object = Object::Record(line);
    match store.create(&object.path(), bytes.clone()) {
        Ok(()) => return Ok(Created::New),
        Err(Error::Exists { .. }) => {}
        Err(error) => return Err(error),
    }
    match store.read(&object.path()) {
        Ok(standing) if standing == *bytes => Ok(Created::Same),
        Ok(_) => Ok(Created::Other(record::find(store, &object)?.0)),
        Err(Error::Missing { .. }) => Ok(Created::Other(Found::Missing)),
        Err(error) => Err(error),
    }
}

/// Reads every byte of the parts of a checkpoint and compares their checksums.
///
/// # Errors
/// The first damage, or what the storage says.
pub fn judge(store: &Store, manifest: &Manifest) -> Result<(), Error> {
    check_lengths(manifest, &parts(store)?)?;
    for operator in &manifest.operators {
        let Some(state) = &operator.state else { continue };
        for part in operator.layers.iter().flatten() {
            Reader::open(store, part, &operator.name, state)?.check_sums()?;
        }
    }
    Ok(())
}

/// The files of parts and their lengths.
pub(crate) fn parts(store: &Store) -> Result<HashMap<String, u64>, Error> {
    Ok(store.list(name::PARTS)?.into_iter().map(|entry| (entry.name, entry.bytes)).collect())
}

/// The parts of a checkpoint are there and as long as they were.
pub(crate) fn check_lengths(manifest: &Manifest, listed: &HashMap<String, u64>) -> Result<(), Error> {
    for part in manifest.parts() {
        let file = part.path();
        match listed.get(&file) {
            Some(bytes) if *bytes == part.bytes => {}
            None => return Err(Error::Missing { file }),
            Some(bytes) => {
                let what = format!("the file has {bytes} bytes and {} were written", part.bytes);
                return Err(Error::damaged(&file, (*bytes).min(part.bytes), what));
            }
        }
    }
    Ok(())
}
