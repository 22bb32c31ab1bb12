//! What one operator gets back from a checkpoint, on one worker.

use std::ops::Range;
use std::sync::Arc;

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Builder};
use tidemill_core::checkpoint::{Saved, SavedOperator, column, compare};
use tidemill_core::schema::Schema;
use tidemill_core::{connect, key};

use crate::in_flight::{self, Found, Lane};
use crate::report::{Cause, Failure};

/// See the module.
#[derive(Clone)]
pub(crate) struct Restored {
    saved: Arc<dyn Saved>,
    operator: String,
    groups: Range<u32>,
}

impl Restored {
    /// What was saved of an operator, for the key groups of one worker; `None` where the operator is new.
    pub(crate) fn new(saved: &Arc<dyn Saved>, operator: &str, groups: Range<u32>) -> Option<Restored> {
        saved.operator(operator)?;
        Some(Restored { saved: Arc::clone(saved), operator: operator.to_owned(), groups })
    }

    fn operator(&self) -> &SavedOperator {
        self.saved.operator(&self.operator).expect("looked up when this was made")
    }

    /// The operator's watermark at the boundary.
    pub(crate) fn watermark(&self) -> TimeMs {
        self.operator().watermark
    }

    /// Whether the state had other columns than these.
    pub(crate) fn differs(&self, state: &Schema) -> bool {
        self.operator().state.as_ref().is_some_and(|saved| saved != state)
    }

    /// The columns that the state had, where the component has to turn some of them into today's.
    pub(crate) fn migrates(&self, state: &Schema, migrates: &[Schema]) -> Option<&Schema> {
        self.operator().state.as_ref().filter(|saved| !compare::migrated(saved, state, migrates).is_empty())
    }

    /// A failure to restore.
    pub(crate) fn failure(&self, message: impl Into<String>) -> Failure {
        let cause =
            Cause::Connector(connect::Error::Io(format!("cannot restore from checkpoint {}: {}", self.saved.checkpoint(), message.into())));
        Failure { operator: self.operator.clone(), cause, record: None }
    }

    /// What was under way to the operator, where that was saved. Every worker reads all of it, since each says of some key groups
    /// what all have to know.
    pub(crate) fn under_way(&self, lanes: &[Lane]) -> Result<Option<Found>, Failure> {
        let name = in_flight::operator(&self.operator);
        if self.saved.operator(&name).is_none() {
            return Ok(None);
        }
        let mut found = Found::default();
        let read = self.saved.pages(&name, 0..key::GROUPS, &mut |page| found.page(&page, &self.groups, lanes).map_err(connect::Error::Io));
        read.map(|()| Some(found.done())).map_err(|error| self.failure(error.to_string()))
    }

    /// Calls `each` for every page of this worker's state.
    pub(crate) fn pages(&self, each: impl FnMut(&Page) -> Result<(), Failure>) -> Result<(), Failure> {
        self.pages_of(self.groups.clone(), each)
    }

    /// Calls `each` for every page of these key groups, whichever worker has them.
    pub(crate) fn pages_of(&self, groups: Range<u32>, mut each: impl FnMut(&Page) -> Result<(), Failure>) -> Result<(), Failure> {
        let Some(state) = &self.operator().state else { return Ok(()) };
        let mut failure = None;
        let read = self.saved.pages(&self.operator, groups, &mut |block| {
            each(&Page { block, state }).map_err(|f| {
                let text = f.to_string();
                failure = Some(f);
                connect::Error::Io(text)
            })
        });
        match failure {
            Some(failure) => Err(failure),
            None => read.map_err(|error| self.failure(error.to_string())),
        }
    }
}

/// A page with the schema of its state.
pub(crate) struct Page<'a> {
    block: Block,
    state: &'a Schema,
}

impl Page<'_> {
    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.block.rows()
    }

    /// The canonical key of a row.
    pub(crate) fn key(&self, row: usize) -> &[u8] {
        self.block.column(column::KEY).bytes(row)
    }

    /// The namespace of a row.
    pub(crate) fn namespace(&self, row: usize) -> &[u8] {
        self.block.column(column::NAMESPACE).bytes(row)
    }

    /// What the host kept of a row.
    pub(crate) fn host(&self, row: usize) -> Option<&[u8]> {
        let column = self.block.column(column::HOST);
        column.present(row).then(|| column.bytes(row))
    }

    /// The state of some rows in the columns that the operator has today, found by name; what it did not have then is absent.
    /// `None` when there is no column or no row.
    pub(crate) fn state(&self, rows: &[u32], wanted: &Schema) -> Option<Block> {
        if wanted.fields().is_empty() || rows.is_empty() {
            return None;
        }
        let mut builder = Builder::new(wanted);
        rows.iter().for_each(|_| builder.push_time(0));
        for (index, field) in wanted.fields().iter().enumerate() {
            let saved = self.state.index_of(&field.name).filter(|&i| self.state.fields()[i].ty == field.ty);
            match saved {
                Some(saved) => builder.column(index).push_cells(self.block.column(column::STATE + saved), rows),
                None => rows.iter().for_each(|_| builder.column(index).push_absent()),
            }
        }
        builder.finish()
    }
}
