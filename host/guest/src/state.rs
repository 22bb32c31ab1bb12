//! What the host knows of one instance while its code runs, and the three functions that it offers to it.
//!
//! Everything here is charged to a budget of the call or of the instance: emitted bytes, log bytes, the size of messages.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use tidemill_core::block::{BYTES_MAX, Block};
use tidemill_core::guest::{ChainId, Emission, Limits, OperatorId};
use tidemill_core::plan::{Kind, Plan};
use tidemill_core::schema::Schema;

use crate::fault::{Report, Stop};
use crate::limiter::Limiter;
use crate::log::{Level, Log, LogSink};
use crate::text::{Lines, printable};

/// Bytes that one crossing from guest to host may carry: a block of the greatest size, and as much for the rest.
pub(crate) const HOSTCALL_BYTES_MAX: usize = 2 * BYTES_MAX;

/// What an emitted block costs beside its bytes, so that a flood of tiny blocks is no way around the limit.
const EMISSION_BYTES: usize = 256;

/// See the module.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    emit_bytes_max: usize,
    plan: Option<Arc<Plan>>,
    chains: Vec<Vec<OperatorId>>,
    log: Log,
    chain: Option<ChainId>,
    rows: usize,
    emitted: Vec<Emission>,
    emitted_bytes: usize,
    report: Option<Report>,
}

impl State {
    pub(crate) fn new(limits: &Limits, sink: Arc<dyn LogSink>) -> State {
        State {
            limiter: Limiter::new(limits.memory_bytes),
            emit_bytes_max: limits.emit_bytes,
            plan: None,
            chains: Vec::new(),
            log: Log::new(sink, limits.log_bytes_per_s, Instant::now()),
            chain: None,
            rows: 0,
            emitted: Vec::new(),
            emitted_bytes: 0,
            report: None,
        }
    }

    /// From here on blocks are held against this plan.
    pub(crate) fn set_plan(&mut self, plan: Arc<Plan>) {
        self.plan = Some(plan);
    }

    pub(crate) fn link(&mut self, chain: ChainId, members: &[OperatorId]) {
        let index = chain as usize;
        if self.chains.len() <= index {
            self.chains.resize(index + 1, Vec::new());
        }
        self.chains[index] = members.to_vec();
    }

    /// Forgets the call before. `scope` is the chain that may emit and the rows it is given.
    pub(crate) fn begin(&mut self, scope: Option<(ChainId, usize)>) {
        self.chain = scope.map(|(chain, _)| chain);
        self.rows = scope.map_or(0, |(_, rows)| rows);
        self.emitted.clear();
        self.emitted_bytes = 0;
        self.report = None;
    }

    pub(crate) fn take_emitted(&mut self) -> Vec<Emission> {
        mem::take(&mut self.emitted)
    }

    pub(crate) fn take_report(&mut self) -> Option<Report> {
        self.report.take()
    }

    /// The operators of a chain; none where it was not linked.
    pub(crate) fn members(&self, chain: ChainId) -> &[OperatorId] {
        self.chains.get(chain as usize).map_or(&[], Vec::as_slice)
    }

    /// How many timers the head of a chain declares.
    pub(crate) fn timers(&self, chain: ChainId) -> usize {
        let head = self.members(chain).first().and_then(|&id| self.plan.as_ref()?.operators.get(id as usize));
        head.map_or(0, |operator| match &operator.kind {
            Kind::Process(spec) => spec.timers.len(),
            _ => 0,
        })
    }

    pub(crate) fn dropped_log_lines(&self) -> u64 {
        self.log.dropped()
    }

    pub(crate) fn take_block(&mut self, operator: OperatorId, port: u32, bytes: Vec<u8>) -> Result<(), Stop> {
        self.emitted_bytes = self.emitted_bytes.saturating_add(bytes.len()).saturating_add(EMISSION_BYTES);
        if self.emitted_bytes > self.emit_bytes_max {
            return Err(Stop::Limit(format!("{} MiB emitted in one call", self.emit_bytes_max >> 20)));
        }
        let block = Block::from_bytes(bytes, self.schema(operator, port)?).map_err(|e| {
            let name = self.operator_name(operator);
            Stop::Contract(format!("it emitted a block on port {port} of operator {name} that cannot be read: {e}"))
        })?;
        // Progress counts records: a block without any has nothing to say.
        if block.rows() > 0 {
            self.emitted.push(Emission { operator, port, block });
        }
        Ok(())
    }

    /// The schema of a port on which the current call may emit.
    fn schema(&self, operator: OperatorId, port: u32) -> Result<&Schema, Stop> {
        let (Some(plan), Some(chain)) = (&self.plan, self.chain) else {
            return Err(Stop::Contract("it emitted a block in a call that has no records".to_owned()));
        };
        let members = self.members(chain);
        if !members.contains(&operator) {
            return Err(Stop::Contract(format!("it emitted a block of operator {operator}, which is not of this chain")));
        }
        if port == 0 && members.last() != Some(&operator) {
            let name = self.operator_name(operator);
            return Err(Stop::Contract(format!("it emitted on port 0 of operator {name}, which the next operator of the chain reads")));
        }
        let output = plan.operators.get(operator as usize).and_then(|o| o.outputs.get(port as usize));
        output.map(|output| &output.schema).ok_or_else(|| {
            let name = self.operator_name(operator);
            Stop::Contract(format!("it emitted on port {port} of operator {name}, which has no such port"))
        })
    }

    /// Writes a line of the component to the job's log.
    pub(crate) fn write_log(&mut self, level: Level, operator: OperatorId, message: &str) {
        let plan = self.plan.as_ref();
        let name = plan.map_or(Some("plan"), |plan| Some(plan.operators.get(operator as usize)?.name.as_str()));
        self.log.write(level, name.unwrap_or("?"), message, Instant::now());
    }

    /// The component says which row is about to cause a trap.
    pub(crate) fn note_failure(&mut self, operator: OperatorId, row: u32, message: &str) {
        let there = (row as usize) < self.rows && self.chain.is_some_and(|chain| self.members(chain).contains(&operator));
        self.report = Some(Report { at: there.then_some((operator, row)), message: printable(message, Lines::Many) });
    }

    fn operator_name(&self, operator: OperatorId) -> &str {
        let Some(plan) = &self.plan else { return "plan" };
        plan.operators.get(operator as usize).map_or("?", |o| o.name.as_str())
    }
}
