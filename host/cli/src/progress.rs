//! The line at the bottom of a terminal while a job runs. Nothing in a pipe.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tidemill_core::guest::OperatorId;
use tidemill_core::{TIME_MIN, TimeMs};
use tidemill_dataflow::{Control, Snapshot};

use crate::{console, moment, monitor, report};

/// Between two drawings: a person reads no faster.
const INTERVAL: Duration = Duration::from_millis(200);
/// Drawings over which the rate is taken: two seconds follow a change and do not flicker.
const RATE_OVER: usize = 10;

/// What to show of which job.
pub(crate) struct View {
    pub(crate) control: Arc<Control>,
    pub(crate) sources: Vec<OperatorId>,
    pub(crate) sinks: Vec<OperatorId>,
    /// An endless input: how far event time is behind the clock matters.
    pub(crate) endless: bool,
}

/// Draws in a thread of its own until it is finished.
pub(crate) struct Progress {
    stop: Arc<(AtomicBool, Mutex<()>, Condvar)>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Begins to draw when a person watches standard error.
    pub(crate) fn start(view: View) -> std::io::Result<Option<Progress>> {
        if !console::watched() {
            return Ok(None);
        }
        console::bars().set_draw_target(ProgressDrawTarget::stderr());
        let stop = Arc::new((AtomicBool::new(false), Mutex::new(()), Condvar::new()));
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || draw(&told, &view))?;
        Ok(Some(Progress { stop, thread }))
    }

    /// Removes the line.
    pub(crate) fn finish(self) {
        self.stop.0.store(true, Relaxed);
        self.stop.2.notify_all();
        // A panic in the thread has already ended the process (main.rs).
        let _ = self.thread.join();
    }
}

fn draw((stop, lock, wake): &(AtomicBool, Mutex<()>, Condvar), view: &View) {
    let bar = console::bars().add(ProgressBar::new_spinner());
    bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    let mut seen: VecDeque<(Instant, u64)> = VecDeque::with_capacity(RATE_OVER + 1);
    let mut guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
    while !stop.load(Relaxed) {
        let snapshot = view.control.snapshot();
        seen.push_back((Instant::now(), monitor::records(&snapshot, &view.sources)));
        if seen.len() > RATE_OVER {
            seen.pop_front();
        }
        bar.set_message(line(&snapshot, &view.sinks, rate(&seen), seen.back().map_or(0, |s| s.1), view.endless.then(SystemTime::now)));
        bar.tick();
        guard = wake.wait_timeout(guard, INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
    }
    bar.finish_and_clear();
}

fn rate(seen: &VecDeque<(Instant, u64)>) -> u64 {
    let (Some(first), Some(last)) = (seen.front(), seen.back()) else { return 0 };
    let seconds = last.0.saturating_duration_since(first.0).as_secs_f64();
    if seconds > 0.0 { (last.1.saturating_sub(first.1) as f64 / seconds).round() as u64 } else { 0 }
}

fn line(snapshot: &Snapshot, sinks: &[OperatorId], rate: u64, records: u64, now: Option<SystemTime>) -> String {
    let mut parts = vec![format!("{} records", report::grouped(records)), format!("{} records/s", report::grouped(rate))];
    let watermark = watermark(snapshot, sinks);
    if watermark != TIME_MIN {
        parts.push(format!("watermark {}", moment::event_time(watermark)));
    }
    if let Some(lag) = now.and_then(|now| moment::lag_ms(watermark, now)) {
        // Whole seconds: the milliseconds would only flicker.
        parts.push(format!("lag {}", moment::span(lag / 1000 * 1000)));
    }
    let losses = report::losses(snapshot);
    if !losses.is_empty() {
        parts.push(losses);
    }
    parts.join(" · ")
}

/// The least watermark of the sinks: everything before it has been written.
pub(crate) fn watermark(snapshot: &Snapshot, sinks: &[OperatorId]) -> TimeMs {
    sinks.iter().filter_map(|id| snapshot.operators.get(*id as usize)).map(|s| s.watermark).min().unwrap_or(TIME_MIN)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use tidemill_dataflow::OperatorStats;

    use super::*;

    fn snapshot(watermark: TimeMs, late: u64) -> Snapshot {
        Snapshot { operators: vec![OperatorStats { watermark, late, ..OperatorStats::default() }] }
    }

    #[test]
    fn the_line_says_what_is_known_and_nothing_else() {
        assert_eq!(line(&snapshot(TIME_MIN, 0), &[0], 0, 0, Some(UNIX_EPOCH)), "0 records · 0 records/s");
        let now = UNIX_EPOCH + Duration::from_secs(90);
        assert_eq!(
            line(&snapshot(30_000, 7), &[0], 1_500, 12_345, Some(now)),
            "12,345 records · 1,500 records/s · watermark 1970-01-01T00:00:30.000Z · lag 1m · 7 late"
        );
        assert!(!line(&snapshot(30_000, 0), &[0], 0, 0, None).contains("lag"));
    }

    #[test]
    fn the_rate_is_taken_over_what_was_seen() {
        let start = Instant::now();
        let seen = VecDeque::from([(start, 100), (start + Duration::from_millis(500), 600)]);
        assert_eq!(rate(&seen), 1000);
        assert_eq!(rate(&VecDeque::new()), 0);
    }
}
