//! What this process has used.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};

/// CPU time of all threads so far, user and system.
pub(crate) fn cpu() -> Duration {
    // The clock exists on every system the binary is built for.
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// The most memory that was resident, in bytes.
///
/// Linux hands the peak of whoever started a program on to it in `getrusage`; `/proc` has that of the program alone.
pub(crate) fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    memory_in(&status, "VmHWM:").unwrap_or_else(|| {
        let kib = getrusage(UsageWho::RUSAGE_SELF).map(|usage| usage.max_rss()).unwrap_or_default();
        // macOS counts bytes, everybody else KiB.
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        u64::try_from(kib).unwrap_or_default() * unit
    })
}

/// Memory that is resident now, in bytes; none where the system does not say.
pub(crate) fn rss_bytes() -> u64 {
    memory_in(&std::fs::read_to_string("/proc/self/status").unwrap_or_default(), "VmRSS:").unwrap_or_default()
}

/// Memory of the machine, in bytes; none where the system does not say.
pub(crate) fn machine_bytes() -> u64 {
    memory_in(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal:").unwrap_or_default()
}

/// A line such as `VmHWM: 1234 kB`, in bytes.
fn memory_in(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_something() {
        let before = cpu();
        let mut x = 1u64;
        (0..5_000_000u64).for_each(|i| x = std::hint::black_box(x.wrapping_mul(i | 1)));
        assert!(cpu() > before);
        assert!(peak_rss_bytes() > 100_000 && rss_bytes() > 100_000);
    }

    #[test]
    fn the_peak_is_read_from_its_line() {
        let status = "VmPeak:\t  99 kB\nVmHWM:\t   1234 kB\nVmRSS:\t 1 kB\n";
        assert_eq!((memory_in(status, "VmHWM:"), memory_in(status, "VmRSS:")), (Some(1234 * 1024), Some(1024)));
        assert_eq!(memory_in("Name: x\n", "VmHWM:"), None);
    }
}
