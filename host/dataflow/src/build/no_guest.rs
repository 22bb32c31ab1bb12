//! The instance of a component where there is none.

use tidemill_core::block::Block;
use tidemill_core::guest::{self, ChainId, Guest, Moment, OperatorId, Outcome, Slot};

/// Stands in where a job has no guest operator, or where the component could not be instantiated.
pub(crate) struct NoGuest;

impl NoGuest {
    fn none<T>(&self, export: &'static str) -> Result<T, guest::Error> {
        Err(guest::Error::Contract { export, message: "there is no instance of the component".to_owned() })
    }
}

impl Guest for NoGuest {
    fn link(&mut self, _: ChainId, _: &[OperatorId]) -> Result<(), guest::Error> {
        self.none("link")
    }

    fn process(&mut self, _: ChainId, _: u32, _: Moment, _: &Block, _: &[u32], _: &[Slot]) -> Result<Outcome, guest::Error> {
        self.none("process")
    }

    fn on_timer(&mut self, _: ChainId, _: Moment, _: &Block, _: &[Slot]) -> Result<Outcome, guest::Error> {
        self.none("on-timer")
    }

    fn fire(&mut self, _: ChainId, _: Moment, _: &Block, _: &[u32], _: &[Slot]) -> Result<Outcome, guest::Error> {
        self.none("fire")
    }

    fn merge(&mut self, _: OperatorId, _: &[Slot], _: &[Slot]) -> Result<(), guest::Error> {
        self.none("merge")
    }

    fn export_state(&mut self, _: OperatorId, _: &[Slot]) -> Result<Block, guest::Error> {
        self.none("export-state")
    }

    fn import_state(&mut self, _: OperatorId, _: &[Slot], _: &Block) -> Result<(), guest::Error> {
        self.none("import-state")
    }

    fn drop_state(&mut self, _: OperatorId, _: &[Slot]) -> Result<(), guest::Error> {
        self.none("drop-state")
    }
}
