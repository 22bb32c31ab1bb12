//! The component: binds an [`Instance`] to the exports of the contract and to the host's imports.
//!
//! Only a WebAssembly build has this module. `#[tidemill::job]` uses it.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::runtime::{self, Host, Instance, Level, Moment, TimerAction};
use crate::trigger::{Action, Decision, Event};

/// The generated bindings.
#[allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, reason = "wit-bindgen wrote it")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "job",
        pub_export_macro: true,
        export_macro_name: "export_job",
        default_bindings_module: "::tidemill::component::bindings",
    });
}

pub use bindings::export_job;

use bindings::exports::tidemill::job::operators::{Guest, Outcome};
use bindings::tidemill::job::{host, types};

/// The job of a component.
pub trait Entry {
    /// Builds it.
    fn job(job: &mut crate::Job) -> crate::Result<()>;
}

/// The exports for a job.
pub struct Exports<E>(PhantomData<E>);

thread_local! {
    static INSTANCE: RefCell<Option<Instance>> = const { RefCell::new(None) };
}

/// The host's imports.
struct Imports;

impl Host for Imports {
    fn log(&self, level: Level, operator: u32, message: &str) {
        let level = match level {
            Level::Trace => types::LogLevel::Trace,
            Level::Debug => types::LogLevel::Debug,
            Level::Info => types::LogLevel::Info,
            Level::Warn => types::LogLevel::Warn,
            Level::Error => types::LogLevel::Error,
        };
        host::log(level, operator, message);
    }

    fn emit(&self, operator: u32, port: u32, block: &[u8]) {
        host::emit(operator, port, block);
    }

    fn report_failure(&self, operator: u32, row: u32, message: &str) {
        host::report_failure(operator, row, message);
    }
}

fn with<R>(body: impl FnOnce(&mut Instance) -> R) -> R {
    INSTANCE.with_borrow_mut(|instance| body(instance.as_mut().expect("the host calls plan before anything else")))
}

fn outcome(outcome: runtime::Outcome) -> Outcome {
    let timer = |op: runtime::TimerOp| types::TimerOp {
        slot: op.slot,
        timer: op.timer,
        action: match op.action {
            TimerAction::Add => types::TimerAction::Add,
            TimerAction::Replace => types::TimerAction::Replace,
            TimerAction::Delete => types::TimerAction::Delete,
            TimerAction::Clear => types::TimerAction::Clear,
        },
        time: op.time,
    };
    let failure = |f: runtime::Failure| types::Failure { row: f.row, operator: f.operator, message: f.message };
    Outcome {
        timers: outcome.timers.into_iter().map(timer).collect(),
        cleared: outcome.cleared,
        unchanged: outcome.unchanged,
        failures: outcome.failures.into_iter().map(failure).collect(),
    }
}

fn decision(decision: Decision) -> types::Decision {
    types::Decision {
        action: match decision.action {
            Action::Continue => types::TriggerAction::Continue,
            Action::Fire => types::TriggerAction::Fire,
            Action::Purge => types::TriggerAction::Purge,
            Action::FireAndPurge => types::TriggerAction::FireAndPurge,
        },
        event_time: decision.asked[0],
        processing_time: decision.asked[1],
    }
}

impl<E: Entry> Guest for Exports<E> {
    fn plan(args: Vec<types::Argument>) -> Result<String, String> {
        let arguments: Vec<_> = args.into_iter().map(|argument| (argument.name, argument.value)).collect();
        let (instance, document) = Instance::plan(E::job, &arguments, Rc::new(Imports))?;
        INSTANCE.set(Some(instance));
        Ok(document)
    }

    fn link(chain: u32, members: Vec<u32>) {
        with(|instance| instance.link(chain, &members));
    }

    fn process(chain: u32, input: u32, watermark: i64, now: i64, block: Vec<u8>, rows: Vec<u32>, slots: Vec<u32>) -> Outcome {
        outcome(with(|instance| instance.process(chain, input, Moment { watermark, now }, &block, &rows, &slots)))
    }

    fn on_timer(chain: u32, watermark: i64, now: i64, block: Vec<u8>, slots: Vec<u32>) -> Outcome {
        outcome(with(|instance| instance.on_timer(chain, Moment { watermark, now }, &block, &slots)))
    }

    fn fire(chain: u32, watermark: i64, now: i64, block: Vec<u8>, offsets: Vec<u32>, slots: Vec<u32>) -> Outcome {
        outcome(with(|instance| instance.fire(chain, Moment { watermark, now }, &block, &offsets, &slots)))
    }

    fn merge(operator: u32, targets: Vec<u32>, sources: Vec<u32>) {
        with(|instance| instance.merge(operator, &targets, &sources));
    }

    fn trigger(
        operator: u32,
        event: types::TriggerEvent,
        watermark: i64,
        now: i64,
        windows: Vec<u8>,
        slots: Vec<u32>,
        records: Vec<u8>,
        rows: Vec<u32>,
    ) -> Vec<types::Decision> {
        let event = match event {
            types::TriggerEvent::Record => Event::Record,
            types::TriggerEvent::EventTime => Event::EventTime,
            types::TriggerEvent::ProcessingTime => Event::ProcessingTime,
        };
        let decisions = with(|instance| instance.trigger(operator, event, Moment { watermark, now }, &windows, &slots, &records, &rows));
        decisions.into_iter().map(decision).collect()
    }

    fn purge(operator: u32, slots: Vec<u32>) {
        with(|instance| instance.purge(operator, &slots));
    }

    fn apply(chain: u32, _: u32, watermark: i64, now: i64, block: Vec<u8>, keys: Vec<u8>, slots: Vec<u32>) -> Outcome {
        outcome(with(|instance| instance.apply(chain, Moment { watermark, now }, &block, &keys, &slots)))
    }

    fn watermark(operator: u32, split: u32, now: i64, block: Vec<u8>) -> Option<i64> {
        with(|instance| instance.watermark(operator, split, now, &block))
    }

    fn export_state(operator: u32, slots: Vec<u32>) -> Vec<u8> {
        with(|instance| instance.export_state(operator, &slots).to_vec())
    }

    fn import_state(operator: u32, slots: Vec<u32>, block: Vec<u8>) -> Result<(), String> {
        with(|instance| instance.import_state(operator, &slots, &block))
    }

    fn migrate_state(operator: u32, from: String, block: Vec<u8>) -> Result<Vec<u8>, String> {
        with(|instance| instance.migrate_state(operator, &from, &block).map(<[u8]>::to_vec))
    }

    fn drop_state(operator: u32, slots: Vec<u32>) {
        with(|instance| instance.drop_state(operator, &slots));
    }
}
