//! The files of one checkpoint, in the order that the protocol asks for.

use bytes::Bytes;
use tidemill_core::checkpoint::page_schema;
use tidemill_core::checkpoint::protocol::name::SAVEPOINTS;
use tidemill_core::checkpoint::protocol::{Checkpoint, Object, Savepoint};

use super::slots::{Gathered, Slots};
use crate::error::Error;
use crate::layers::Layers;
use crate::manifest::{Manifest, Part};
use crate::part::{Origin, Writer};
use crate::record::Record;
use crate::rows::{self, Gone};
use crate::store::Store;

/// The layers of every operator, in the order of the operators.
pub(super) type AllLayers = Vec<Vec<Vec<Part>>>;

/// A checkpoint whose parts are durable and whose record is to be created, perhaps again and again.
pub(super) struct Prepared {
    pub(super) manifest: Manifest,
    pub(super) facts: Checkpoint,
    pub(super) bytes: Bytes,
    pub(super) layers: AllLayers,
    /// Bytes of the parts written for it.
    pub(super) written: u64,
}

impl Prepared {
    pub(super) fn new(manifest: Manifest, layers: AllLayers, written: u64) -> Prepared {
        let facts = manifest.facts();
        let bytes = Record::Checkpoint(Box::new(manifest.clone())).encode().into();
        Prepared { manifest, facts, bytes, layers, written }
    }
}

/// Writes all keyed state that no checkpoint has. `adopt` is where the layers so far lie when this directory may not refer to them:
/// they are written anew.
pub(super) fn parts(store: &Store, origin: Origin, slots: &mut Slots, adopt: Option<&Store>) -> Result<(AllLayers, u64), Error> {
    let mut written = 0;
    let layers = slots.operators.iter_mut().map(|operator| {
        let mut layers = operator.layers.clone();
        if let Some(from) = adopt {
            layers = adopted(store, origin, operator, from)?;
            written += bytes(&layers);
        }
        let delta = delta(store, origin, operator, layers.is_empty())?;
        if !delta.is_empty() {
            written += delta.iter().map(|part| part.bytes).sum::<u64>();
            layers.push(delta);
        }
        Ok(layers)
    });
    let layers = layers.collect::<Result<_, Error>>()?;
    Ok((layers, written))
}

fn bytes(layers: &[Vec<Part>]) -> u64 {
    layers.iter().flatten().map(|part| part.bytes).sum()
}

fn adopted(store: &Store, origin: Origin, operator: &Gathered, from: &Store) -> Result<Vec<Vec<Part>>, Error> {
    let Some(state) = operator.state.as_ref().filter(|_| !operator.layers.is_empty()) else { return Ok(Vec::new()) };
    let layers = Layers::new(from, &operator.expected.name, state, &operator.layers);
    let layer = layers.rewrite(store, origin, Gone::Drop, &|| true)?;
    Ok(if layer.is_empty() { Vec::new() } else { vec![layer] })
}

fn delta(store: &Store, origin: Origin, operator: &mut Gathered, first: bool) -> Result<Vec<Part>, Error> {
    let Some(state) = &operator.state else { return Ok(Vec::new()) };
    let name = &operator.expected.name;
    let mut writer = Writer::new(store, origin, name, state);
    let gone = if first { Gone::Drop } else { Gone::Keep };
    rows::latest(name, &mut operator.pages, origin.groups, &page_schema(state), gone, &mut |run| writer.run(&run))?;
    writer.finish()
}

/// Keeps a checkpoint under a name: a copy of its record, which no clean-up deletes.
pub(super) fn savepoint(store: &Store, manifest: &Manifest, name: &Savepoint) -> Result<Manifest, Error> {
    let copy = Manifest { savepoint: Some(name.clone()), ..manifest.clone() };
    store.create(&Object::Savepoint(name.clone()).path(), Record::Checkpoint(Box::new(copy.clone())).encode().into())?;
    Ok(copy)
}

/// Copies a checkpoint to another place, as a savepoint that stands by itself there: live state only, one layer.
///
/// # Errors
/// What cannot be read or written; [`Error::Exists`] when there is a savepoint of that name.
pub fn copy(from: &Store, manifest: &Manifest, to: &Store, name: &Savepoint) -> Result<Manifest, Error> {
    let file = Object::Savepoint(name.clone()).path();
    // Found out before parts are written that nothing would refer to; of two that copy at once the record still has one winner.
    if to.list(SAVEPOINTS)?.iter().any(|entry| entry.name == file) {
        return Err(Error::Exists { file });
    }
    let origin = Origin { stamp: manifest.stamp, groups: manifest.groups };
    let operators = manifest.operators.iter().cloned().map(|mut operator| {
        if let Some(state) = &operator.state {
            let layer = Layers::new(from, &operator.name, state, &operator.layers).rewrite(to, origin, Gone::Drop, &|| true)?;
            operator.layers = if layer.is_empty() { Vec::new() } else { vec![layer] };
        }
        Ok(operator)
    });
    let operators = operators.collect::<Result<_, Error>>()?;
    savepoint(to, &Manifest { kept: Vec::new(), operators, ..manifest.clone() }, name)
}
