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
pub(crate) fn peak_rss_bytes() -> u64 {
    let kib = getrusage(UsageWho::RUSAGE_SELF).map(|usage| usage.max_rss()).unwrap_or_default();
    // macOS counts bytes, everybody else KiB.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    u64::try_from(kib).unwrap_or_default() * unit
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_uses_something() {
        let before = super::cpu();
        let mut x = 1u64;
        (0..5_000_000u64).for_each(|i| x = std::hint::black_box(x.wrapping_mul(i | 1)));
        assert!(super::cpu() > before);
        assert!(super::peak_rss_bytes() > 100_000);
    }
}
