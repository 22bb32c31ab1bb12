//! The SDK's runtime as native code behind the engine's trait of guests: what a job costs without WebAssembly.
//!
//! It is as fast as a native engine would be that trusts its users: blocks are borrowed on the way in, one copy makes an
//! emitted block the engine's, and nothing is checked. So what the component costs above it is the whole price of the border.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tidemill::Job;
use tidemill::runtime::{self, Host, Instance, Level};
use tidemill_core::block::Block;
use tidemill_core::guest::{ChainId, Emission, Error, Factory, Failure, Guest, Moment, OperatorId, Outcome, Slot, TimerAction, TimerOp};

/// A function that builds a job.
pub(crate) type Build = fn(&mut Job) -> tidemill::Result<()>;

/// Collects what a call emits.
#[derive(Default)]
struct Collector {
    emitted: RefCell<Vec<Emission>>,
}

impl Host for Collector {
    fn log(&self, _: Level, _: u32, message: &str) {
        eprintln!("{message}");
    }

    fn emit(&self, operator: u32, port: u32, block: &[u8]) {
        let block = Block::from_peer(block.to_vec());
        if block.rows() > 0 {
            self.emitted.borrow_mut().push(Emission { operator, port, block });
        }
    }

    fn report_failure(&self, operator: u32, row: u32, message: &str) {
        eprintln!("operator {operator} fails at row {row}: {message}");
    }
}

/// A job as native code. A panic in it ends the worker: this is for benchmarks of jobs that do not.
pub(crate) struct Native {
    instance: Instance,
    host: Rc<Collector>,
}

impl Native {
    /// Builds the job; returns its plan document beside it.
    pub(crate) fn plan(build: Build, args: &[(String, String)]) -> Result<(Native, String), Error> {
        let host = Rc::new(Collector::default());
        let (instance, document) =
            Instance::plan(build, args, host.clone()).map_err(|message| Error::Refused { export: "plan", message })?;
        Ok((Native { instance, host }, document))
    }

    fn outcome(&self, outcome: runtime::Outcome) -> Outcome {
        let failure = |f: runtime::Failure| Failure { row: f.row, operator: f.operator, message: f.message };
        Outcome {
            emitted: self.host.emitted.take(),
            timers: outcome.timers.into_iter().map(timer).collect(),
            cleared: outcome.cleared,
            unchanged: outcome.unchanged,
            failures: outcome.failures.into_iter().map(failure).collect(),
        }
    }
}

fn timer(op: runtime::TimerOp) -> TimerOp {
    let action = match op.action {
        runtime::TimerAction::Add => TimerAction::Add,
        runtime::TimerAction::Replace => TimerAction::Replace,
        runtime::TimerAction::Delete => TimerAction::Delete,
        runtime::TimerAction::Clear => TimerAction::Clear,
    };
    TimerOp { slot: op.slot, timer: op.timer, action, time: op.time }
}

fn moment(at: Moment) -> runtime::Moment {
    runtime::Moment { watermark: at.watermark, now: at.now }
}

impl Guest for Native {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
        self.instance.link(chain, members);
        Ok(())
    }

    fn process(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, rows: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        let outcome = self.instance.process(chain, input, moment(at), block.as_bytes(), rows, slots);
        Ok(self.outcome(outcome))
    }

    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        let outcome = self.instance.on_timer(chain, moment(at), block.as_bytes(), slots);
        Ok(self.outcome(outcome))
    }

    fn fire(&mut self, chain: ChainId, at: Moment, block: &Block, offsets: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        let outcome = self.instance.fire(chain, moment(at), block.as_bytes(), offsets, slots);
        Ok(self.outcome(outcome))
    }

    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error> {
        self.instance.merge(operator, targets, sources);
        Ok(())
    }

    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error> {
        Ok(Block::from_peer(self.instance.export_state(operator, slots).to_vec()))
    }

    fn import_state(&mut self, operator: OperatorId, slots: &[Slot], block: &Block) -> Result<(), Error> {
        let imported = self.instance.import_state(operator, slots, block.as_bytes());
        imported.map_err(|message| Error::Refused { export: "import-state", message })
    }

    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        self.instance.drop_state(operator, slots);
        Ok(())
    }
}

/// Makes native instances.
struct Natives {
    build: Build,
    args: Vec<(String, String)>,
}

impl Factory for Natives {
    fn instantiate(&self) -> Result<Box<dyn Guest>, Error> {
        Ok(Box::new(Native::plan(self.build, &self.args)?.0))
    }
}

/// The factory of a job's native instances.
pub(crate) fn factory(build: Build, args: &[(String, String)]) -> Arc<dyn Factory> {
    Arc::new(Natives { build, args: args.to_vec() })
}
