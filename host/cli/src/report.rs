//! What a run did, as one JSON object: for scripts and for the figures in `benches/`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tidemill_core::guest::OperatorId;
use tidemill_core::plan::Plan;
use tidemill_core::{TIME_MAX, TIME_MIN};
use tidemill_dataflow::{OperatorStats, Snapshot};
use tidemill_guest::Fuel;

use crate::monitor::{Sample, Steady};

/// The facts of one run, durations measured on the monotonic clock.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) job: &'a str,
    pub(crate) plan: &'a Plan,
    pub(crate) workers: usize,
    pub(crate) snapshot: Snapshot,
    pub(crate) stopped: bool,
    /// The command's start.
    pub(crate) start: Instant,
    /// The first record read.
    pub(crate) first_record: Option<Instant>,
    /// The same by the machine's calendar, for who compares it with times of another process.
    pub(crate) first_record_at: Option<SystemTime>,
    /// The first output flushed.
    pub(crate) first_output: Option<Instant>,
    /// Sinks closed: time, records and CPU.
    pub(crate) end: Sample,
    pub(crate) steady: Option<Steady>,
    pub(crate) peak_rss_bytes: u64,
    /// Instances of the component replaced because their memory had grown.
    pub(crate) recycled: u64,
    /// How long each step of a checkpoint kept a worker from records.
    pub(crate) pauses_us: Vec<u32>,
    /// Pieces of state moved out of memory, and back.
    pub(crate) moved: (u64, u64),
    /// What the code of operators has cost, where that was asked for.
    pub(crate) fuel: Option<BTreeMap<OperatorId, Fuel>>,
}

/// The report. Units stand in the names; what was not measured is null.
pub(crate) fn json(facts: &Facts<'_>) -> Value {
    let events = facts.end.records;
    let wall = facts.end.at.saturating_duration_since(facts.start);
    let job = facts.first_record.map(|first| facts.end.at.saturating_duration_since(first));
    let all = facts.plan.operators.iter().zip(&facts.snapshot.operators).zip(0..);
    let operators: Vec<Value> = all.map(|((op, stats), id)| operator(&op.name, op.kind_name(), stats, fuel(facts, id))).collect();
    json!({
        "job": facts.job,
        "workers": facts.workers,
        "stopped": facts.stopped,
        "wall_s": seconds(wall),
        "job_s": job.map(seconds),
        "cpu_s": seconds(facts.end.cpu),
        "events": events,
        "events_per_s": job.and_then(|job| rate(events, job)),
        "cpu_us_per_event": (events > 0).then(|| round(facts.end.cpu.as_secs_f64() * 1e6 / events as f64)),
        "steady_eps": facts.steady.map(|s| s.events_per_s.round()),
        "steady_cpu_us_per_ev": facts.steady.map(|s| round(s.cpu_us_per_event)),
        "first_record_unix_us": facts.first_record_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok()).map(|d| d.as_micros() as u64),
        "first_output_s": facts.first_output.map(|at| seconds(at.saturating_duration_since(facts.start))),
        "peak_rss_mib": round(facts.peak_rss_bytes as f64 / f64::from(1 << 20)),
        "recycled": facts.recycled,
        "checkpoint_pause_us": pauses(&facts.pauses_us),
        "state_moved_out": facts.moved.0,
        "state_moved_back": facts.moved.1,
        "operators": operators,
    })
}

/// Null where no checkpoint was taken.
fn pauses(pauses: &[u32]) -> Value {
    let mut sorted = pauses.to_vec();
    sorted.sort_unstable();
    let share = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
    json!(sorted.last().map(|max| json!({ "count": sorted.len(), "p50": share(50), "p99": share(99), "max": max })))
}

/// Null where nothing was counted: not asked for, or no code of the component in it or behind it in its chain.
fn fuel(facts: &Facts<'_>, id: OperatorId) -> Value {
    let name = |id: &OperatorId| facts.plan.operators[*id as usize].name.as_str();
    let fuel = facts.fuel.as_ref().and_then(|fuel| fuel.get(&id));
    json!(fuel.map(|fuel| json!({ "used": fuel.used, "with": fuel.with.iter().map(name).collect::<Vec<_>>() })))
}

fn operator(name: &str, kind: &str, stats: &OperatorStats, fuel: Value) -> Value {
    let watermark = match stats.watermark {
        TIME_MIN => json!(null),
        TIME_MAX => json!("end"),
        ms => json!(ms),
    };
    json!({
        "name": name,
        "kind": kind,
        "records_in": stats.records_in,
        "records_out": stats.records_out,
        "bytes_in": stats.bytes_in,
        "late": stats.late,
        "skipped": stats.skipped,
        "dead_lettered": stats.dead_lettered,
        "dropped": stats.dropped,
        "busy_ns": stats.busy_ns,
        "guest_ns": stats.guest_ns,
        "held_ns": stats.held_ns,
        "fuel": fuel,
        "watermark": watermark,
    })
}

/// The line for people, e.g. `5,000,000 records in 2.1s (2,380,952 records/s), 1.3 s CPU, 41 MiB`.
pub(crate) fn summary(facts: &Facts<'_>) -> String {
    let events = facts.end.records;
    let wall = facts.end.at.saturating_duration_since(facts.start);
    let job = facts.first_record.map_or(wall, |first| facts.end.at.saturating_duration_since(first));
    let written: u64 = sinks(facts).map(|stats| stats.records_out).sum();
    let mib = facts.peak_rss_bytes >> 20;
    let mut text = format!("{}: {} records read, {} written", facts.job, grouped(events), grouped(written));
    text.push_str(&format!(" in {:.2} s", wall.as_secs_f64()));
    if let Some(rate) = rate(events, job) {
        text.push_str(&format!(" ({} records/s)", grouped(rate.round() as u64)));
    }
    text.push_str(&format!(", {:.2} s CPU, {mib} MiB", facts.end.cpu.as_secs_f64()));
    let lost = losses(&facts.snapshot);
    if !lost.is_empty() {
        text.push_str(&format!("; {lost}"));
    }
    text
}

fn sinks<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = &'a OperatorStats> {
    let operators = facts.plan.operators.iter().zip(&facts.snapshot.operators);
    operators.filter(|(op, _)| matches!(op.kind, tidemill_core::plan::Kind::Sink(_))).map(|(_, stats)| stats)
}

/// The records that did not go the usual way, in words; empty when there are none.
pub(crate) fn losses(snapshot: &Snapshot) -> String {
    let total = |count: fn(&OperatorStats) -> u64| snapshot.operators.iter().map(count).sum::<u64>();
    let words = [(total(|s| s.late), "late"), (total(|s| s.skipped), "skipped"), (total(|s| s.dead_lettered), "dead-lettered")];
    words.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", grouped(*n))).collect::<Vec<_>>().join(", ")
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}

fn rate(events: u64, span: Duration) -> Option<f64> {
    (events > 0 && !span.is_zero()).then(|| (events as f64 / span.as_secs_f64()).round())
}

fn seconds(span: Duration) -> f64 {
    round(span.as_secs_f64())
}

/// Thousandths are as fine as anything here is measured.
fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan { contract: "0.1.0".to_owned(), name: None, fuse: true, operators: Vec::new() }
    }

    fn facts(plan: &Plan) -> Facts<'_> {
        let start = Instant::now();
        let at = start + Duration::from_secs(2);
        Facts {
            job: "j",
            plan,
            workers: 2,
            snapshot: Snapshot { operators: vec![OperatorStats { late: 3, skipped: 1000, ..OperatorStats::default() }] },
            stopped: false,
            start,
            first_record: Some(start + Duration::from_secs(1)),
            first_record_at: Some(SystemTime::UNIX_EPOCH + Duration::from_micros(7)),
            first_output: None,
            end: Sample { at, records: 5_000, cpu: Duration::from_millis(10) },
            steady: None,
            peak_rss_bytes: 10 << 20,
            recycled: 4,
            pauses_us: (1..=200).rev().collect(),
            moved: (9, 8),
            fuel: None,
        }
    }

    #[test]
    fn figures_are_taken_from_the_first_record_and_costs_from_the_start() {
        let plan = plan();
        let report = json(&facts(&plan));
        assert_eq!(report["wall_s"], 2.0);
        assert_eq!(report["job_s"], 1.0);
        assert_eq!(report["events_per_s"], 5000.0);
        assert_eq!(report["cpu_us_per_event"], 2.0);
        assert_eq!(report["peak_rss_mib"], 10.0);
        assert_eq!(report["first_record_unix_us"], 7);
        assert_eq!(report["recycled"], 4);
        assert_eq!(report["checkpoint_pause_us"], json!({ "count": 200, "p50": 101, "p99": 199, "max": 200 }));
        assert!(pauses(&[]).is_null());
        assert_eq!((&report["state_moved_out"], &report["state_moved_back"]), (&json!(9), &json!(8)));
        assert!(report["first_output_s"].is_null() && report["steady_eps"].is_null());
    }

    #[test]
    fn the_summary_names_what_was_lost() {
        let plan = plan();
        let text = summary(&facts(&plan));
        assert_eq!(text, "j: 5,000 records read, 0 written in 2.00 s (5,000 records/s), 0.01 s CPU, 10 MiB; 3 late, 1,000 skipped");
    }
}
