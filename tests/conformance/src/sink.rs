//! Where output goes: a list, each record with the number of marks that had passed.

use std::sync::{Arc, Mutex, PoisonError};

use tidemill_core::block::Block;
use tidemill_core::connect::{Error, Sink, Writer};
use tidemill_core::schema::Schema;

use crate::case::Out;
use crate::record::rows;
use crate::script::Script;

/// All that came out.
#[derive(Clone, Default)]
pub(crate) struct Outputs(Arc<Mutex<Vec<(usize, Out)>>>);

impl Outputs {
    /// In the order of arrival.
    pub(crate) fn take(&self) -> Vec<(usize, Out)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A sink operator of a case.
#[derive(Clone)]
pub(crate) struct ListSink {
    pub(crate) name: String,
    pub(crate) schema: Schema,
    pub(crate) script: Arc<Script>,
    pub(crate) outputs: Outputs,
}

impl Sink for ListSink {
    fn writer(&self, _: usize, _: usize) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(ListWriter(self.clone())))
    }
}

struct ListWriter(ListSink);

impl Writer for ListWriter {
    fn write(&mut self, block: &Block) -> Result<(), Error> {
        let phase = self.0.script.phase();
        let out = |row: crate::record::Row| (phase, Out { sink: self.0.name.clone(), time: row.time, record: row.record });
        let mut outputs = self.0.outputs.0.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.extend(rows(block, &self.0.schema).into_iter().map(out));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
