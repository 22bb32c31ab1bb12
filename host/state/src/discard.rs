//! Deleting a savepoint that nobody needs any more.

use std::collections::HashSet;

use tidemill_core::checkpoint::protocol::{Object, Savepoint};

use crate::catalog::{Catalog, Which};
use crate::error::Error;
use crate::store::Store;

/// Deletes a savepoint. In a directory that some job keeps its checkpoints in, its parts are left to the clean-up of that job, which
/// knows what else needs them; elsewhere those go too that no other savepoint needs.
///
/// # Errors
/// What the storage says. The record goes first, so that whatever is left belongs to nothing.
pub fn discard(store: &Store, name: &Savepoint) -> Result<(), Error> {
    let catalog = Catalog::read(store)?;
    let object = Object::Savepoint(name.clone());
    let found = catalog.find(&Which::Savepoint(name.clone())).map(|listed| listed.manifest.clone());
    store.delete(&object.path())?;
    let lone = catalog.unreadable().next().is_none() && catalog.checkpoints().all(|listed| matches!(listed.object, Object::Savepoint(_)));
    let Some(manifest) = found.filter(|_| lone) else { return Ok(()) };
    let others = catalog.checkpoints().filter(|listed| *listed.object != object);
    let needed: HashSet<_> = others.flat_map(|listed| listed.manifest.parts()).map(|part| part.name).collect();
    manifest.parts().filter(|part| !needed.contains(&part.name)).try_for_each(|part| store.delete(&part.path()))
}
