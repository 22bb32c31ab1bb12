//! A checkpoint as the engine is started from it.

use std::collections::HashMap;
use std::ops::Range;

use tidemill_core::block::Block;
use tidemill_core::checkpoint::{CheckpointId, Saved, SavedOperator};
use tidemill_core::connect;

use crate::error::Error;
use crate::layers::Layers;
use crate::manifest::Manifest;
use crate::rows::Gone;
use crate::store::Store;

/// A saved job, read from its store as it is asked for: by several workers at once, each for its key groups.
#[derive(Debug)]
pub struct Restore {
    store: Store,
    manifest: Manifest,
    operators: HashMap<String, SavedOperator>,
}

impl Restore {
    /// The checkpoint of a manifest in `store`.
    pub fn new(store: &Store, manifest: &Manifest) -> Restore {
        let operators = manifest.operators.iter().map(|operator| (operator.name.clone(), operator.into())).collect();
        Restore { store: store.clone(), manifest: manifest.clone(), operators }
    }

    /// What it is read from.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads the keyed state of an operator for some key groups; groups ascend, and rows of one are sorted by key and namespace.
    ///
    /// # Errors
    /// What cannot be read, and what `each` says.
    pub fn read<E: From<Error>>(&self, name: &str, groups: Range<u32>, each: &mut dyn FnMut(Block) -> Result<(), E>) -> Result<(), E> {
        let Some(operator) = self.manifest.operator(name) else { return Ok(()) };
        let Some(state) = &operator.state else { return Ok(()) };
        let groups = groups.start..groups.end.min(self.manifest.groups);
        let mut layers = Layers::new(&self.store, name, state, &operator.layers);
        layers.merge(groups, Gone::Drop, &mut |_, pages| pages.into_iter().try_for_each(&mut *each))
    }
}

impl Saved for Restore {
    fn checkpoint(&self) -> CheckpointId {
        self.manifest.stamp.checkpoint
    }

    fn operator(&self, name: &str) -> Option<&SavedOperator> {
        self.operators.get(name)
    }

    fn pages(
        &self,
        name: &str,
        groups: Range<u32>,
        each: &mut dyn FnMut(Block) -> Result<(), connect::Error>,
    ) -> Result<(), connect::Error> {
        self.read(name, groups, each)
    }
}
