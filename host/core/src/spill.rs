//! Where state goes that does not fit into the memory of user code: a store of one process, gone with it.
//!
//! It is no part of a checkpoint. What is out there is handed over from there, and after a crash it comes from the checkpoint again.

use crate::guest::{OperatorId, Slot};

/// The store cannot be used, in words: no room, no permission, a file that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// The share of one instance.
pub trait Spill: Send {
    /// Writes the state of a slot, over what may be there.
    ///
    /// # Errors
    /// What the storage says.
    fn put(&mut self, operator: OperatorId, slot: Slot, state: &[u8]) -> Result<(), Error>;

    /// Reads the state of a slot that was written and not removed.
    ///
    /// # Errors
    /// What the storage says, also that it is not there.
    fn get(&mut self, operator: OperatorId, slot: Slot) -> Result<Vec<u8>, Error>;

    /// Forgets the state of a slot.
    ///
    /// # Errors
    /// What the storage says.
    fn remove(&mut self, operator: OperatorId, slot: Slot) -> Result<(), Error>;
}

/// Gives each instance a share of its own.
pub trait Spills: Send + Sync {
    /// An empty share.
    ///
    /// # Errors
    /// What the storage says.
    fn share(&self) -> Result<Box<dyn Spill>, Error>;
}
