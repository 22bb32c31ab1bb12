//! One instance of a component: a store of its own, ready to compute.
//!
//! Every call re-arms the deadline and empties the budgets before it, and holds what came back against what was given after it.
//! After the first error the instance is over: each later call answers with that error and no guest code runs again.

use std::sync::Arc;

use tidemill_core::TimeMs;
use tidemill_core::block::Block;
use tidemill_core::guest::{Asked, ChainId, Decision, Error, Guest, Limits, Moment, OperatorId, Outcome, Slot};
use tidemill_core::plan::Plan;
use tidemill_core::schema::Schema;
use wasmtime::Store;

use crate::engine::epochs;
use crate::exports::{Argument, Exports, JobPre, Raw};
use crate::fault::{Stop, classify};
use crate::fuel::Meter;
use crate::log::LogSink;
use crate::named::Named;
use crate::outcome::{Given, accept};
use crate::recycle::Measured;
use crate::state::{HOSTCALL_BYTES_MAX, State};

/// Resources handles a component may hold: the contract has none, language runtimes a few of their own.
const HANDLES_MAX: usize = 10_000;

/// What instances of one component have in common.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) pre: JobPre,
    pub(crate) limits: Limits,
    pub(crate) log: Arc<dyn LogSink>,
    /// Where the cost of calls goes, if it is counted.
    pub(crate) meter: Option<Arc<Meter>>,
}

/// Whose work a call is.
#[derive(Clone, Copy)]
enum Scope {
    /// The host's: it moves state or links chains.
    Host,
    /// An operator's, on no rows that it may emit for.
    Operator(OperatorId),
    /// Of a chain whose operators may emit, on so many rows.
    Chain(ChainId, usize),
}

/// An instance that has built its plan.
pub(crate) struct Planned {
    store: Store<State>,
    job: Exports,
    /// The plan document, unread.
    pub(crate) document: String,
}

/// Tries to instantiate while the system is busy: the image of a component's memory is sealed when it is first needed, which Linux refuses
/// while it moves one of its pages, for at most a fraction of a second.
const BUSY_TRIES: u32 = 5;

/// Whether the system could not do it at the moment, which is no fault of the component.
fn is_busy(error: &wasmtime::Error) -> bool {
    /// Of Linux.
    const EBUSY: i32 = 16;
    // wasmtime has it from a crate whose errors it does not show; its words are the system's.
    error.root_cause().to_string() == std::io::Error::from_raw_os_error(EBUSY).to_string()
}

impl Setup {
    /// Instantiates the component and lets it build its plan.
    pub(crate) fn plan(&self, args: &[Argument]) -> Result<Planned, Error> {
        let mut tries = 1;
        let (mut store, job) = loop {
            let mut store = self.store();
            match self.pre.instantiate(&mut store) {
                Ok(job) => break (store, job),
                Err(error) if is_busy(&error) && tries < BUSY_TRIES => tries += 1,
                Err(error) => return Err(self.fault(&mut store, "instantiate", &error)),
            }
        };
        store.set_epoch_deadline(epochs(self.limits.call_ms));
        match job.plan(&mut store, args) {
            Ok(Ok(document)) => Ok(Planned { store, job, document }),
            Ok(Err(message)) => {
                let message = crate::text::printable(&message, crate::text::Lines::Many);
                Err(Error::Refused { export: "plan", message })
            }
            Err(error) => Err(self.fault(&mut store, "plan", &error)),
        }
    }

    fn store(&self) -> Store<State> {
        let mut store = Store::new(self.pre.engine(), State::new(&self.limits, Arc::clone(&self.log)));
        // All limits stand before the first instruction: instantiation runs guest code too.
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
        store.set_max_component_handles(HANDLES_MAX);
        store.set_epoch_deadline(epochs(self.limits.call_ms));
        if self.meter.is_some() {
            Meter::fill(&mut store);
        }
        store
    }

    fn fault(&self, store: &mut Store<State>, export: &'static str, error: &wasmtime::Error) -> Error {
        classify(error, export, self.limits.call_ms, store.data_mut().take_report())
    }
}

/// See the module.
pub struct Instance {
    store: Store<State>,
    job: Exports,
    limits: Limits,
    state_schemas: Vec<Schema>,
    named: Named,
    ended: Option<Error>,
    meter: Option<Arc<Meter>>,
}

impl Instance {
    pub(crate) fn new(planned: Planned, plan: Arc<Plan>, setup: &Setup) -> Instance {
        let Planned { mut store, job, .. } = planned;
        let state_schemas = plan.operators.iter().map(|operator| operator.state_schema()).collect();
        store.data_mut().set_plan(plan);
        let (limits, meter) = (setup.limits.clone(), setup.meter.clone());
        Instance { store, job, limits, state_schemas, named: Named::default(), ended: None, meter }
    }

    /// Bytes of linear memory and tables that the instance holds; it never shrinks.
    pub fn memory_bytes(&self) -> usize {
        self.store.data().limiter.used()
    }

    /// Log lines that were over the rate limit.
    pub fn dropped_log_lines(&self) -> u64 {
        self.store.data().dropped_log_lines()
    }

    /// Runs one export.
    fn call<R>(
        &mut self,
        export: &'static str,
        scope: Scope,
        run: impl FnOnce(&Exports, &mut Store<State>) -> wasmtime::Result<R>,
    ) -> Result<R, Error> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        self.store.data_mut().begin(match scope {
            Scope::Chain(chain, rows) => Some((chain, rows)),
            Scope::Host | Scope::Operator(_) => None,
        });
        self.store.set_epoch_deadline(epochs(self.limits.call_ms));
        if self.meter.is_some() {
            Meter::fill(&mut self.store);
        }
        let result = run(&self.job, &mut self.store);
        self.charge(scope);
        match result {
            Ok(value) => Ok(value),
            Err(error) => {
                let report = self.store.data_mut().take_report();
                Err(self.end(classify(&error, export, self.limits.call_ms, report)))
            }
        }
    }

    /// Adds what a call has cost to whose work it was.
    fn charge(&self, scope: Scope) {
        let Some(meter) = &self.meter else { return };
        let operator = match scope {
            Scope::Host => None,
            Scope::Operator(operator) => Some(operator),
            Scope::Chain(chain, _) => self.store.data().members(chain).first().copied(),
        };
        if let Some(operator) = operator {
            meter.add(operator, Meter::used(&self.store));
        }
    }

    /// Runs an export that processes rows of a chain.
    fn compute(
        &mut self,
        export: &'static str,
        chain: ChainId,
        (rows, slots): (usize, &[Slot]),
        run: impl FnOnce(&Exports, &mut Store<State>) -> wasmtime::Result<Raw>,
    ) -> Result<Outcome, Error> {
        let raw = self.call(export, Scope::Chain(chain, rows), run)?;
        let state = self.store.data_mut();
        let (members, timers) = (state.members(chain), state.timers(chain));
        let given = Given { rows, slots, members, timers, timer_ops_max: self.limits.timer_ops };
        match accept(raw, &given, &mut self.named) {
            Ok(outcome) => Ok(Outcome { emitted: state.take_emitted(), ..outcome }),
            Err(stop) => Err(self.end(stop.in_export(export))),
        }
    }

    fn end(&mut self, error: Error) -> Error {
        self.ended = Some(error.clone());
        error
    }

    /// The component has said no to state that it was given.
    fn refused(&mut self, export: &'static str, message: &str) -> Error {
        let message = crate::text::printable(message, crate::text::Lines::Many);
        self.end(Error::Refused { export, message })
    }

    fn exported(&self, operator: OperatorId, rows: usize, bytes: Vec<u8>) -> Result<Block, String> {
        let schema = self.state_schemas.get(operator as usize).ok_or_else(|| format!("there is no operator {operator}"))?;
        let block = Block::from_bytes(bytes, schema).map_err(|e| format!("the state of operator {operator} cannot be read: {e}"))?;
        if block.rows() != rows {
            return Err(format!("it gave {} rows of state of operator {operator}, asked for {rows}", block.rows()));
        }
        if block.times().iter().any(|time| time != 0) {
            return Err(format!("it gave state of operator {operator} with event times, which must be 0"));
        }
        Ok(block)
    }
}

impl Measured for Instance {
    fn memory_bytes(&self) -> usize {
        Instance::memory_bytes(self)
    }
}

impl Guest for Instance {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
        self.call("link", Scope::Host, |exports, store| exports.link(store, chain, members))?;
        self.store.data_mut().link(chain, members);
        if let Some(meter) = &self.meter {
            meter.link(members);
        }
        Ok(())
    }

    fn process(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, rows: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.compute("process", chain, (block.rows(), slots), |exports, store| {
            exports.process(store, chain, input, at, block.as_bytes(), rows, slots)
        })
    }

    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.compute("on-timer", chain, (block.rows(), slots), |exports, store| exports.on_timer(store, chain, at, block.as_bytes(), slots))
    }

    fn fire(&mut self, chain: ChainId, at: Moment, block: &Block, offsets: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.compute("fire", chain, (block.rows(), slots), |exports, store| {
            exports.fire(store, chain, at, block.as_bytes(), offsets, slots)
        })
    }

    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error> {
        self.call("merge", Scope::Operator(operator), |exports, store| exports.merge(store, operator, targets, sources))
    }

    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error> {
        let bytes = self.call("export-state", Scope::Host, |exports, store| exports.export_state(store, operator, slots))?;
        self.exported(operator, slots.len(), bytes).map_err(|message| self.end(Stop::Contract(message).in_export("export-state")))
    }

    fn import_state(&mut self, operator: OperatorId, slots: &[Slot], block: &Block) -> Result<(), Error> {
        let answer =
            self.call("import-state", Scope::Host, |exports, store| exports.import_state(store, operator, slots, block.as_bytes()))?;
        answer.map_err(|message| self.refused("import-state", &message))
    }

    fn migrate_state(&mut self, operator: OperatorId, from: &Schema, block: &Block) -> Result<Block, Error> {
        let from = from.to_string();
        let answer =
            self.call("migrate-state", Scope::Host, |exports, store| exports.migrate_state(store, operator, &from, block.as_bytes()))?;
        let bytes = answer.map_err(|message| self.refused("migrate-state", &message))?;
        let migrated = self.exported(operator, block.rows(), bytes);
        migrated.map_err(|message| self.end(Stop::Contract(message).in_export("migrate-state")))
    }

    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        self.call("drop-state", Scope::Operator(operator), |exports, store| exports.drop_state(store, operator, slots))
    }

    fn trigger(&mut self, operator: OperatorId, at: Moment, asked: &Asked<'_>) -> Result<Vec<Decision>, Error> {
        let decisions = self.call("trigger", Scope::Operator(operator), |exports, store| exports.trigger(store, operator, at, asked))?;
        if decisions.len() != asked.slots.len() {
            let message = format!("it gave {} decisions about {} windows of operator {operator}", decisions.len(), asked.slots.len());
            return Err(self.end(Stop::Contract(message).in_export("trigger")));
        }
        Ok(decisions)
    }

    fn purge(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        self.call("purge", Scope::Operator(operator), |exports, store| exports.purge(store, operator, slots))
    }

    fn apply(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, keys: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.compute("apply", chain, (block.rows(), slots), |exports, store| {
            exports.apply(store, chain, input, at, block.as_bytes(), keys.as_bytes(), slots)
        })
    }

    fn watermark(&mut self, operator: OperatorId, split: u32, now: TimeMs, block: Option<&Block>) -> Result<Option<TimeMs>, Error> {
        let bytes = block.map_or(&[][..], Block::as_bytes);
        self.call("watermark", Scope::Operator(operator), |exports, store| exports.watermark(store, operator, split, now, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_that_is_busy_is_told_from_a_component_that_is_at_fault() {
        let of = |code| wasmtime::Error::new(std::io::Error::from_raw_os_error(code)).context("making the image of a memory");
        assert!(is_busy(&of(16)));
        assert!(!is_busy(&of(12)) && !is_busy(&wasmtime::Error::msg("busy")));
    }
}
