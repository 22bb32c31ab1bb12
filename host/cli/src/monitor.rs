//! Samples of a running job, and the steady figures they give.
//!
//! The start of a run holds compilation, page faults and empty tables, so rates are taken over the last 60 %
//! of the input: from the first sample at or past 40 % of all records to the end of the job.
//! Long runs keep few samples: whenever there are [`SAMPLES_MAX`], every second one goes and the interval doubles.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidemill_core::guest::OperatorId;
use tidemill_dataflow::{Control, Snapshot};

use crate::process;

/// The first interval: fine enough to find 40 % of a run of a second within 2 %.
const INTERVAL: Duration = Duration::from_millis(20);
/// Samples kept at most: 80 s at the first interval, 100 KiB.
const SAMPLES_MAX: usize = 4096;

/// Records read and CPU time used at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) records: u64,
    pub(crate) cpu: Duration,
}

/// Rate and cost over the last 60 % of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Steady {
    pub(crate) events_per_s: f64,
    pub(crate) cpu_us_per_event: f64,
}

/// The steady figures, unless the run was too short to have any.
pub(crate) fn steady(samples: &[Sample], end: Sample) -> Option<Steady> {
    let from = samples.iter().find(|s| s.records * 10 >= end.records * 4 && s.records > 0)?;
    let events = end.records.checked_sub(from.records).filter(|n| *n > 0)? as f64;
    let seconds = end.at.checked_duration_since(from.at).filter(|d| !d.is_zero())?.as_secs_f64();
    let cpu_us = end.cpu.saturating_sub(from.cpu).as_secs_f64() * 1e6;
    Some(Steady { events_per_s: events / seconds, cpu_us_per_event: cpu_us / events })
}

/// Records read by these sources so far.
pub(crate) fn records(snapshot: &Snapshot, sources: &[OperatorId]) -> u64 {
    sources.iter().filter_map(|id| snapshot.operators.get(*id as usize)).map(|stats| stats.records_in).sum()
}

/// Takes samples in a thread of its own until it is stopped.
pub(crate) struct Monitor {
    stop: Arc<(AtomicBool, Mutex<()>, Condvar)>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Monitor {
    /// Begins to watch `control`.
    pub(crate) fn start(control: Arc<Control>, sources: Vec<OperatorId>) -> std::io::Result<Monitor> {
        let stop = Arc::new((AtomicBool::new(false), Mutex::new(()), Condvar::new()));
        let told = Arc::clone(&stop);
        let take = move || sample(&control, &sources);
        let thread = std::thread::Builder::new().name("monitor".to_owned()).spawn(move || watch(&told, take))?;
        Ok(Monitor { stop, thread })
    }

    /// Ends the thread and hands over what it saw.
    pub(crate) fn finish(self) -> Vec<Sample> {
        self.stop.0.store(true, Relaxed);
        self.stop.2.notify_all();
        // A panic in the thread has already ended the process (main.rs).
        self.thread.join().unwrap_or_default()
    }
}

/// What the job has done up to now.
pub(crate) fn sample(control: &Control, sources: &[OperatorId]) -> Sample {
    Sample { at: Instant::now(), records: records(&control.snapshot(), sources), cpu: process::cpu() }
}

fn watch((stop, lock, wake): &(AtomicBool, Mutex<()>, Condvar), take: impl Fn() -> Sample) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut interval = INTERVAL;
    let mut guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
    while !stop.load(Relaxed) {
        samples.push(take());
        if samples.len() == SAMPLES_MAX {
            thin(&mut samples);
            interval *= 2;
        }
        guard = wake.wait_timeout(guard, interval).unwrap_or_else(PoisonError::into_inner).0;
    }
    samples
}

fn thin(samples: &mut Vec<Sample>) {
    let mut keep = false;
    samples.retain(|_| {
        keep = !keep;
        keep
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64, records: u64, cpu_ms: u64) -> Sample {
        Sample { at: start + Duration::from_millis(ms), records, cpu: Duration::from_millis(cpu_ms) }
    }

    #[test]
    fn steady_is_the_last_sixty_percent() {
        let start = Instant::now();
        // A slow second first, then 1,000 records and 2 ms CPU every millisecond.
        let mut samples = vec![at(start, 0, 0, 0), at(start, 1000, 0, 500)];
        samples.extend((1..=10).map(|i| at(start, 1000 + i * 10, i * 10_000, 500 + i * 20)));
        let figures = steady(&samples, at(start, 1100, 100_000, 700)).unwrap();
        assert!((figures.events_per_s - 1e6).abs() < 1.0, "{figures:?}");
        assert!((figures.cpu_us_per_event - 2.0).abs() < 1e-9, "{figures:?}");
    }

    #[test]
    fn a_run_without_samples_in_its_middle_has_no_steady_figures() {
        let start = Instant::now();
        assert_eq!(steady(&[], at(start, 5, 10, 1)), None);
        assert_eq!(steady(&[at(start, 0, 0, 0)], at(start, 5, 10, 1)), None);
        assert_eq!(steady(&[at(start, 0, 0, 0)], at(start, 5, 0, 1)), None);
    }

    #[test]
    fn thinning_keeps_the_first_and_halves() {
        let start = Instant::now();
        let mut samples: Vec<Sample> = (0..5).map(|i| at(start, i, i, 0)).collect();
        thin(&mut samples);
        assert_eq!(samples.iter().map(|s| s.records).collect::<Vec<_>>(), [0, 2, 4]);
    }

    #[test]
    fn the_monitor_stops_when_told() {
        let monitor = Monitor::start(Arc::new(Control::new(1, 1)), vec![0]).unwrap();
        monitor.finish();
    }
}
