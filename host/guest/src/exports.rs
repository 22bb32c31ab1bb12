//! A job's exports, whichever contract it was built for, in the words of `tidemill_core::guest`.
//!
//! What comes back has not been held against anything yet: that is for `outcome`.

use tidemill_core::guest::{
    Asked, ChainId, Decision, Failure, Moment, OperatorId, Slot, TimerAction, TimerOp, TriggerAction, TriggerEvent,
};
use tidemill_core::plan::Contract;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Result, Store};

use crate::bindings::{v1, v2};
use crate::state::State;

/// One `--arg name=value`.
#[derive(Clone, Debug)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// An outcome as the component gave it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    pub(crate) timers: Vec<TimerOp>,
    pub(crate) cleared: Vec<Slot>,
    pub(crate) unchanged: Vec<Slot>,
    pub(crate) failures: Vec<Failure>,
}

/// A linked component.
#[derive(Clone)]
pub(crate) enum JobPre {
    V1(v1::JobPre<State>),
    V2(v2::JobPre<State>),
}

/// Its exports in an instance.
pub(crate) enum Exports {
    V1(v1::Job),
    V2(v2::Job),
}

impl JobPre {
    /// Links a component of a contract.
    pub(crate) fn link(engine: &Engine, component: &Component, contract: Contract) -> Result<JobPre> {
        let mut linker = Linker::new(engine);
        Ok(match contract {
            Contract::V1 => {
                v1::Job::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
                JobPre::V1(v1::JobPre::new(linker.instantiate_pre(component)?)?)
            }
            Contract::V2 => {
                v2::Job::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
                JobPre::V2(v2::JobPre::new(linker.instantiate_pre(component)?)?)
            }
        })
    }

    /// The contract that the component was built for.
    pub(crate) fn contract(&self) -> Contract {
        match self {
            JobPre::V1(_) => Contract::V1,
            JobPre::V2(_) => Contract::V2,
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        match self {
            JobPre::V1(pre) => pre.engine(),
            JobPre::V2(pre) => pre.engine(),
        }
    }

    pub(crate) fn instantiate(&self, store: &mut Store<State>) -> Result<Exports> {
        Ok(match self {
            JobPre::V1(pre) => Exports::V1(pre.instantiate(store)?),
            JobPre::V2(pre) => Exports::V2(pre.instantiate(store)?),
        })
    }
}

/// Calls the export of whichever contract it is; the arguments are the same.
macro_rules! call {
    ($exports:expr, $export:ident($($argument:expr),*)) => {
        match $exports {
            Exports::V1(job) => job.tidemill_job_operators().$export($($argument),*),
            Exports::V2(job) => job.tidemill_job_operators().$export($($argument),*),
        }
    };
}

/// As [`call`], for an export that gives an outcome.
macro_rules! compute {
    ($exports:expr, $export:ident($($argument:expr),*)) => {
        match $exports {
            Exports::V1(job) => job.tidemill_job_operators().$export($($argument),*).map(Raw::from),
            Exports::V2(job) => job.tidemill_job_operators().$export($($argument),*).map(Raw::from),
        }
    };
}

/// What a component of contract 0.1.0 is never asked, since its plan has nothing that asks it.
fn unknown<T>(export: &str) -> Result<T> {
    Err(wasmtime::Error::msg(format!("contract 0.1.0 has no {export}")))
}

impl Exports {
    pub(crate) fn plan(&self, store: &mut Store<State>, args: &[Argument]) -> Result<std::result::Result<String, String>> {
        match self {
            Exports::V1(job) => {
                let args: Vec<_> = args.iter().map(|a| v1::exports::tidemill::job::operators::Argument::from(a.clone())).collect();
                job.tidemill_job_operators().call_plan(store, &args)
            }
            Exports::V2(job) => {
                let args: Vec<_> = args.iter().map(|a| v2::exports::tidemill::job::operators::Argument::from(a.clone())).collect();
                job.tidemill_job_operators().call_plan(store, &args)
            }
        }
    }

    pub(crate) fn link(&self, store: &mut Store<State>, chain: ChainId, members: &[OperatorId]) -> Result<()> {
        call!(self, call_link(store, chain, members))
    }

    #[allow(clippy::too_many_arguments, reason = "the export's own")]
    pub(crate) fn process(
        &self,
        store: &mut Store<State>,
        chain: ChainId,
        input: u32,
        at: Moment,
        block: &[u8],
        rows: &[u32],
        slots: &[Slot],
    ) -> Result<Raw> {
        compute!(self, call_process(store, chain, input, at.watermark, at.now, block, rows, slots))
    }

    pub(crate) fn on_timer(&self, store: &mut Store<State>, chain: ChainId, at: Moment, block: &[u8], slots: &[Slot]) -> Result<Raw> {
        compute!(self, call_on_timer(store, chain, at.watermark, at.now, block, slots))
    }

    pub(crate) fn fire(
        &self,
        store: &mut Store<State>,
        chain: ChainId,
        at: Moment,
        block: &[u8],
        offsets: &[u32],
        slots: &[Slot],
    ) -> Result<Raw> {
        compute!(self, call_fire(store, chain, at.watermark, at.now, block, offsets, slots))
    }

    pub(crate) fn merge(&self, store: &mut Store<State>, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<()> {
        call!(self, call_merge(store, operator, targets, sources))
    }

    pub(crate) fn trigger(&self, store: &mut Store<State>, operator: OperatorId, at: Moment, asked: &Asked<'_>) -> Result<Vec<Decision>> {
        use v2::tidemill::job::types;
        let Exports::V2(job) = self else { return unknown("trigger") };
        let event = match asked.event {
            TriggerEvent::Record => types::TriggerEvent::Record,
            TriggerEvent::EventTime => types::TriggerEvent::EventTime,
            TriggerEvent::ProcessingTime => types::TriggerEvent::ProcessingTime,
        };
        let records = asked.records.map_or(&[][..], |block| block.as_bytes());
        let (windows, slots, rows) = (asked.windows.as_bytes(), asked.slots, asked.rows);
        let operators = job.tidemill_job_operators();
        let decisions = operators.call_trigger(store, operator, event, at.watermark, at.now, windows, slots, records, rows)?;
        let decision = |d: types::Decision| Decision {
            action: match d.action {
                types::TriggerAction::Continue => TriggerAction::Continue,
                types::TriggerAction::Fire => TriggerAction::Fire,
                types::TriggerAction::Purge => TriggerAction::Purge,
                types::TriggerAction::FireAndPurge => TriggerAction::FireAndPurge,
            },
            event_time: d.event_time,
            processing_time: d.processing_time,
        };
        Ok(decisions.into_iter().map(decision).collect())
    }

    pub(crate) fn purge(&self, store: &mut Store<State>, operator: OperatorId, slots: &[Slot]) -> Result<()> {
        let Exports::V2(job) = self else { return unknown("purge") };
        job.tidemill_job_operators().call_purge(store, operator, slots)
    }

    #[allow(clippy::too_many_arguments, reason = "the export's own")]
    pub(crate) fn apply(
        &self,
        store: &mut Store<State>,
        chain: ChainId,
        input: u32,
        at: Moment,
        block: &[u8],
        keys: &[u8],
        slots: &[Slot],
    ) -> Result<Raw> {
        let Exports::V2(job) = self else { return unknown("apply") };
        job.tidemill_job_operators().call_apply(store, chain, input, at.watermark, at.now, block, keys, slots).map(Raw::from)
    }

    pub(crate) fn watermark(
        &self,
        store: &mut Store<State>,
        operator: OperatorId,
        split: u32,
        now: i64,
        block: &[u8],
    ) -> Result<Option<i64>> {
        let Exports::V2(job) = self else { return unknown("watermark") };
        job.tidemill_job_operators().call_watermark(store, operator, split, now, block)
    }

    pub(crate) fn export_state(&self, store: &mut Store<State>, operator: OperatorId, slots: &[Slot]) -> Result<Vec<u8>> {
        call!(self, call_export_state(store, operator, slots))
    }

    pub(crate) fn import_state(
        &self,
        store: &mut Store<State>,
        operator: OperatorId,
        slots: &[Slot],
        block: &[u8],
    ) -> Result<std::result::Result<(), String>> {
        call!(self, call_import_state(store, operator, slots, block))
    }

    pub(crate) fn migrate_state(
        &self,
        store: &mut Store<State>,
        operator: OperatorId,
        from: &str,
        block: &[u8],
    ) -> Result<std::result::Result<Vec<u8>, String>> {
        let Exports::V2(job) = self else { return unknown("migrate-state") };
        job.tidemill_job_operators().call_migrate_state(store, operator, from, block)
    }

    pub(crate) fn drop_state(&self, store: &mut Store<State>, operator: OperatorId, slots: &[Slot]) -> Result<()> {
        call!(self, call_drop_state(store, operator, slots))
    }
}

/// What the two contracts have in common, from the generated types of one.
macro_rules! convert {
    ($version:ident) => {
        impl From<Argument> for $version::exports::tidemill::job::operators::Argument {
            fn from(argument: Argument) -> Self {
                Self { name: argument.name, value: argument.value }
            }
        }

        impl From<$version::tidemill::job::types::Outcome> for Raw {
            fn from(outcome: $version::tidemill::job::types::Outcome) -> Raw {
                use $version::tidemill::job::types;
                let timer = |op: types::TimerOp| TimerOp {
                    slot: op.slot,
                    timer: op.timer,
                    action: match op.action {
                        types::TimerAction::Add => TimerAction::Add,
                        types::TimerAction::Replace => TimerAction::Replace,
                        types::TimerAction::Delete => TimerAction::Delete,
                        types::TimerAction::Clear => TimerAction::Clear,
                    },
                    time: op.time,
                };
                let failure = |f: types::Failure| Failure { row: f.row, operator: f.operator, message: f.message };
                Raw {
                    timers: outcome.timers.into_iter().map(timer).collect(),
                    cleared: outcome.cleared,
                    unchanged: outcome.unchanged,
                    failures: outcome.failures.into_iter().map(failure).collect(),
                }
            }
        }

        impl $version::tidemill::job::types::Host for State {}

        impl $version::tidemill::job::host::Host for State {
            fn log(&mut self, level: $version::tidemill::job::types::LogLevel, operator: OperatorId, message: String) -> Result<()> {
                use $version::tidemill::job::types::LogLevel;

                use crate::log::Level;
                let level = match level {
                    LogLevel::Trace => Level::Trace,
                    LogLevel::Debug => Level::Debug,
                    LogLevel::Info => Level::Info,
                    LogLevel::Warn => Level::Warn,
                    LogLevel::Error => Level::Error,
                };
                self.write_log(level, operator, &message);
                Ok(())
            }

            fn emit(&mut self, operator: OperatorId, port: u32, block: Vec<u8>) -> Result<()> {
                Ok(self.take_block(operator, port, block)?)
            }

            fn report_failure(&mut self, operator: OperatorId, row: u32, message: String) -> Result<()> {
                self.note_failure(operator, row, &message);
                Ok(())
            }
        }
    };
}

convert!(v1);
convert!(v2);
