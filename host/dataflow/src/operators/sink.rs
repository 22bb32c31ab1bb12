//! The end of the line: writes blocks, makes them visible at the end of each activation, final at the end of input. Where
//! checkpoints are taken, a writer that can holds its output back until the checkpoint that covers it.
//!
//! When whoever reads the output has left, the job stops quietly.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tidemill_core::block::Block;
use tidemill_core::connect::{self, Writer};

use crate::control::Control;
use crate::logic::{Context, Given, Logic};
use crate::report::{Cause, Failure};

/// See the module.
pub(crate) struct Sink {
    name: String,
    /// Gone once the reader of the output has left.
    writer: Option<Box<dyn Writer>>,
    control: Arc<Control>,
    dirty: bool,
}

impl Sink {
    /// Without a writer on workers beyond the parallelism, which never receive a record.
    pub(crate) fn new(name: String, writer: Option<Box<dyn Writer>>, control: Arc<Control>) -> Sink {
        Sink { name, writer, control, dirty: false }
    }

    fn write<T: Default>(&mut self, write: impl FnOnce(&mut dyn Writer) -> Result<T, connect::Error>) -> Result<T, Failure> {
        let Some(writer) = self.writer.as_deref_mut() else { return Ok(T::default()) };
        match write(writer) {
            Ok(done) => Ok(done),
            Err(connect::Error::Closed) => {
                self.writer = None;
                self.control.stop();
                Ok(T::default())
            }
            Err(error) => Err(Failure { operator: self.name.clone(), cause: Cause::Connector(error), record: None }),
        }
    }
}

impl Logic for Sink {
    fn block(&mut self, _input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        self.dirty = true;
        self.write(|writer| writer.write(&block))?;
        cx.counters().records_out.fetch_add(block.rows() as u64, Relaxed);
        Ok(())
    }

    fn hand_over(&mut self, _: &mut Context) -> Result<Given, Failure> {
        let staged = self.write(|writer| writer.stage())?;
        Ok(Given { staged, ..Given::default() })
    }

    fn rest(&mut self) -> Result<(), Failure> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(());
        }
        self.write(|writer| writer.flush())
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.write(|writer| writer.finish())
    }
}
