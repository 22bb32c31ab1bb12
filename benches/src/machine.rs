//! What a figure was measured on, and how quiet it was there.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::place;

/// The share of CPU that must be unused before a run begins.
const IDLE_SHARE: f64 = 0.8;
/// How long idleness is looked at.
const IDLE_WINDOW: Duration = Duration::from_millis(500);

/// The lines above a table: command, machine, commit.
pub(crate) fn heading(title: &str) -> String {
    let command: Vec<String> = std::env::args().enumerate().map(|(i, arg)| if i == 0 { program(&arg) } else { quoted(&arg) }).collect();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    format!("### {title}\n\n- Command: `{}`\n- Machine: {}, {cores} cores\n- Commit: {}\n", command.join(" "), cpu_model(), commit())
}

fn program(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

fn quoted(arg: &str) -> String {
    if arg.contains([' ', '*', '?', '&', '\'']) { format!("'{}'", arg.replace('\'', r"'\''")) } else { arg.to_owned() }
}

fn cpu_model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "unknown processor".to_owned(), |(_, name)| name.trim().to_owned())
}

/// The commit of the checkout; `-dirty` when files differ from it.
pub(crate) fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").current_dir(place::root()).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let hash = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let clean = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| changes.is_empty());
    if clean { hash } else { format!("{hash}-dirty") }
}

/// CPU of the whole machine so far, in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    total: u64,
    idle: u64,
}

/// Reads the first line of `/proc/stat`; waiting for a disk counts as idle.
fn ticks(stat: &str) -> Option<Ticks> {
    let values: Vec<u64> = stat.lines().next()?.split_whitespace().skip(1).map_while(|value| value.parse().ok()).collect();
    (values.len() >= 8).then(|| Ticks { total: values[..8].iter().sum(), idle: values[3] + values[4] })
}

fn now() -> Option<Ticks> {
    ticks(&fs::read_to_string("/proc/stat").ok()?)
}

/// Waits until nobody else uses the machine, `limit` at most; tells whether it is quiet.
pub(crate) fn wait_until_idle(limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        let Some(before) = now() else { return false };
        thread::sleep(IDLE_WINDOW);
        let Some(after) = now() else { return false };
        let share = (after.idle - before.idle) as f64 / (after.total - before.total).max(1) as f64;
        if share >= IDLE_SHARE {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
    }
}

/// Watches who uses the machine while a child runs.
pub(crate) struct Watch {
    before: Option<Ticks>,
    children: Duration,
}

impl Watch {
    /// Begins to watch.
    pub(crate) fn start() -> Watch {
        Watch { before: now(), children: children_cpu() }
    }

    /// CPU that the children which ended since the start have used, and the share of the machine that anybody else used.
    pub(crate) fn finish(self) -> (Duration, Option<f64>) {
        let used = children_cpu().saturating_sub(self.children);
        let share = |before: Ticks, after: Ticks| {
            let busy = (after.total - before.total).saturating_sub(after.idle - before.idle) as f64;
            // A tick is 10 ms on every Linux that this runs on (USER_HZ).
            (busy - used.as_secs_f64() * 100.0).max(0.0) / (after.total - before.total).max(1) as f64
        };
        let other = self.before.zip(now()).map(|(before, after)| share(before, after));
        (used, other)
    }
}

fn children_cpu() -> Duration {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(Duration::ZERO, |usage| {
        let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(u64::try_from(us).unwrap_or_default())
    })
}

/// The most memory this process had resident, in MiB.
pub(crate) fn own_peak_mib() -> f64 {
    // KiB on Linux, which is where the figures come from.
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |usage| usage.max_rss() as f64 / 1024.0)
}

/// CPU of all threads of this process so far.
pub(crate) fn own_cpu() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_stat_is_read() {
        let stat = "cpu  10 1 5 100 7 0 2 3 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(ticks(stat), Some(Ticks { total: 128, idle: 107 }));
        assert_eq!(ticks("nonsense"), None);
    }

    #[test]
    fn patterns_are_quoted_for_a_shell() {
        assert_eq!(quoted("file:a*.json"), "'file:a*.json'");
        assert_eq!(quoted("--rounds"), "--rounds");
    }
}
