//! How a running job goes and what it waits for, for whoever asks over its control socket.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tidemill_core::explain::{self, Facts, Phase};
use tidemill_core::guest::OperatorId;
use tidemill_core::plan::{Graph, Plan};
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};
use tidemill_dataflow::{Control, OperatorStats, Snapshot};
use tidemill_server::control::{self, Checkpoints, Operator, Reply, Status};
use tidemill_state::Coordinator;

use crate::exchange::Exchange;
use crate::fault::Outcome;
use crate::loaded::Present;
use crate::socket::Tells;
use crate::staged::Staged;
use crate::{moment, monitor, process, progress};

/// What a job can tell of itself.
pub(crate) struct Telling {
    pub(crate) control: Arc<Control>,
    pub(crate) coordinator: Option<Arc<Coordinator>>,
    pub(crate) job: String,
    pub(crate) plan: Arc<Plan>,
    pub(crate) components: Arc<Present>,
    pub(crate) graph: Arc<Graph>,
    pub(crate) sources: Vec<OperatorId>,
    pub(crate) sinks: Vec<OperatorId>,
    /// What sinks hold back, where there are checkpoints.
    pub(crate) staged: Staged,
    /// Whether some input has no end, so that a lag means something.
    pub(crate) endless: bool,
    /// When it began to run.
    pub(crate) begun: Instant,
    /// Where its code can be exchanged.
    pub(crate) exchange: Option<Exchange>,
}

impl Tells for Telling {
    fn status(&self) -> Status {
        self.now()
    }

    fn facts(&self) -> Facts {
        self.facts_of(if self.control.is_stopping() { Phase::Stopping } else { Phase::Running })
    }

    fn exchange(&self, wanted: control::Exchange) -> Outcome<Reply> {
        match &self.exchange {
            Some(exchange) => exchange.exchange(wanted),
            None => Ok(Reply::Elsewhere { why: "the job is not run by a server".to_owned() }),
        }
    }
}

impl Telling {
    /// What its operators wait for, or waited for when it ended so.
    pub(crate) fn facts_of(&self, phase: Phase) -> Facts {
        let mut facts = tidemill_dataflow::facts(&self.job, &self.plan, &self.graph, &self.control, phase);
        let statistics = self.coordinator.as_deref().map(Coordinator::statistics).unwrap_or_default();
        for &sink in &self.sinks {
            let name = &self.plan.operators[sink as usize].name;
            let (completed, failed) = (statistics.count, statistics.failed);
            let staged = self.staged.records(sink).map(|records| explain::Staged { records, completed, failed });
            facts.operators.iter_mut().filter(|operator| operator.name == *name).for_each(|operator| operator.staged = staged);
        }
        facts
    }

    /// As it is at this moment.
    pub(crate) fn now(&self) -> Status {
        let snapshot = self.control.snapshot();
        let total = |count: fn(&OperatorStats) -> u64| snapshot.operators.iter().map(count).sum::<u64>();
        let watermark = progress::watermark(&snapshot, &self.sinks);
        Status {
            stopping: self.control.is_stopping(),
            workers: self.graph.workers(),
            records_in: monitor::records(&snapshot, &self.sources),
            records_out: self.sinks.iter().filter_map(|id| snapshot.operators.get(*id as usize)).map(|stats| stats.records_out).sum(),
            watermark_ms: event_time(watermark),
            lag_ms: if self.endless { moment::lag_ms(watermark, SystemTime::now()) } else { None },
            late: total(|stats| stats.late),
            skipped: total(|stats| stats.skipped),
            dead_lettered: total(|stats| stats.dead_lettered),
            cpu_ms: u64::try_from(process::cpu().as_millis()).unwrap_or(u64::MAX),
            rss_bytes: process::rss_bytes(),
            peak_rss_bytes: process::peak_rss_bytes(),
            checkpoints: self.coordinator.as_deref().map(checkpoints),
            operators: self.operators(&snapshot),
        }
    }

    /// The time in which an operator had nothing to do; none of one that runs as a part of another.
    fn idle_ns(&self, id: OperatorId, stats: &OperatorStats) -> Option<u64> {
        let node = &self.graph.nodes[id as usize];
        let is_fused = node.chain.is_some_and(|chain| self.graph.chains[chain as usize].members[0] != id);
        (!is_fused).then(|| idle(self.begun.elapsed(), node.parallelism.workers, stats))
    }

    fn operators(&self, snapshot: &Snapshot) -> Vec<Operator> {
        let fuel = self.components.cost().fuel.unwrap_or_default();
        let name = |id: &OperatorId| self.plan.operators[*id as usize].name.clone();
        let operators = self.plan.operators.iter().zip(&snapshot.operators).zip(0..).map(|((operator, stats), id)| Operator {
            name: operator.name.clone(),
            kind: operator.kind_name().to_owned(),
            records_in: stats.records_in,
            records_out: stats.records_out,
            busy_ns: stats.busy_ns,
            guest_ns: stats.guest_ns,
            held_ns: stats.held_ns,
            idle_ns: self.idle_ns(id, stats),
            watermark_ms: event_time(stats.watermark),
            fuel: fuel.get(&id).map(|fuel| fuel.used),
            fuel_with: fuel.get(&id).map(|fuel| fuel.with.iter().map(name).collect()).unwrap_or_default(),
        });
        operators.collect()
    }
}

/// What is left of the time of so many workers.
fn idle(since: Duration, workers: usize, stats: &OperatorStats) -> u64 {
    let all = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX).saturating_mul(workers as u64);
    all.saturating_sub(stats.busy_ns).saturating_sub(stats.held_ns)
}

/// A watermark that is a time, and neither none yet nor the end.
fn event_time(watermark: TimeMs) -> Option<i64> {
    (watermark != TIME_MIN && watermark != TIME_MAX).then_some(watermark)
}

fn checkpoints(coordinator: &Coordinator) -> Checkpoints {
    let statistics = coordinator.statistics();
    Checkpoints {
        completed: statistics.count,
        failed: statistics.failed,
        last: statistics.last.map(|last| last.checkpoint.0),
        last_bytes: statistics.last.map(|last| last.bytes),
        last_ms: statistics.last.and_then(|last| u64::try_from(last.duration.as_millis()).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_busy_nor_held_back_is_idle() {
        let stats = OperatorStats { busy_ns: 300_000_000, held_ns: 1_200_000_000, ..OperatorStats::default() };
        assert_eq!(idle(Duration::from_secs(1), 2, &stats), 500_000_000);
        assert_eq!(idle(Duration::from_secs(1), 1, &stats), 0, "clocks of several threads may add up to more");
    }
}
