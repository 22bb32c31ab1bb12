//! A Rust job as a [`Guest`] without WebAssembly: the SDK's runtime called directly, in the engine's own process.
//!
//! It does what a component does and no more: blocks come as bytes, results leave as bytes. What it leaves out is the sandbox:
//! no copy into another memory, no check of what comes back, no deadline, no limits.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result, anyhow};
use tidemill::runtime::{self, Host, Instance, Level};
use tidemill_core::block::Block;
use tidemill_core::guest::{ChainId, Emission, Error, Factory, Failure, Guest, Moment, OperatorId, Outcome, Slot, TimerAction, TimerOp};
use tidemill_core::plan::Plan;

/// The function that builds a job.
pub type Build = fn(&mut tidemill::Job) -> tidemill::Result<()>;

/// A job with its arguments.
#[derive(Clone, Debug)]
pub struct Native {
    build: Build,
    arguments: Vec<(String, String)>,
}

impl Native {
    /// Of a function and what it is told.
    pub fn new(build: Build, arguments: Vec<(String, String)>) -> Native {
        Native { build, arguments }
    }

    /// The plan of the job.
    ///
    /// # Errors
    /// What the function answers to such arguments.
    pub fn plan(&self) -> Result<Plan> {
        let (_, document) = Instance::plan(self.build, &self.arguments, Rc::new(Emitted::default())).map_err(|text| anyhow!(text))?;
        serde_json::from_str(&document).context("the plan of the job")
    }
}

impl Factory for Native {
    fn instantiate(&self) -> Result<Box<dyn Guest>, Error> {
        let emitted = Rc::new(Emitted::default());
        let (instance, _) =
            Instance::plan(self.build, &self.arguments, emitted.clone()).map_err(|message| Error::Refused { export: "plan", message })?;
        Ok(Box::new(NativeGuest { instance, emitted }))
    }
}

/// What a call has emitted so far.
#[derive(Default)]
struct Emitted(RefCell<Vec<Emission>>);

impl Host for Emitted {
    fn log(&self, _: Level, _: u32, _: &str) {}

    fn emit(&self, operator: u32, port: u32, block: &[u8]) {
        self.0.borrow_mut().push(Emission { operator, port, block: Block::from_peer(block.to_vec()) });
    }

    fn report_failure(&self, _: u32, _: u32, _: &str) {}
}

struct NativeGuest {
    instance: Instance,
    emitted: Rc<Emitted>,
}

impl NativeGuest {
    fn settle(&self, outcome: runtime::Outcome) -> Outcome {
        let failure = |f: runtime::Failure| Failure { row: f.row, operator: f.operator, message: f.message };
        Outcome {
            emitted: self.emitted.0.take(),
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

impl Guest for NativeGuest {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
        self.instance.link(chain, members);
        Ok(())
    }

    fn process(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, rows: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        let outcome = self.instance.process(chain, input, moment(at), block.as_bytes(), rows, slots);
        Ok(self.settle(outcome))
    }

    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        let outcome = self.instance.on_timer(chain, moment(at), block.as_bytes(), slots);
        Ok(self.settle(outcome))
    }

    fn fire(&mut self, chain: ChainId, at: Moment, block: &Block, offsets: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        let outcome = self.instance.fire(chain, moment(at), block.as_bytes(), offsets, slots);
        Ok(self.settle(outcome))
    }

    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error> {
        self.instance.merge(operator, targets, sources);
        Ok(())
    }

    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error> {
        Ok(Block::from_peer(self.instance.export_state(operator, slots).to_vec()))
    }

    fn import_state(&mut self, operator: OperatorId, slots: &[Slot], block: &Block) -> Result<(), Error> {
        let loaded = self.instance.import_state(operator, slots, block.as_bytes());
        loaded.map_err(|message| Error::Refused { export: "import-state", message })
    }

    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        self.instance.drop_state(operator, slots);
        Ok(())
    }
}
