//! Processes by a handle that cannot come to mean another process, whether they are children of this one or not.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process that runs, or has run.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    handle: AsyncFd<OwnedFd>,
}

impl Process {
    /// The process of this number at this moment; none where there is none.
    pub(crate) fn open(pid: u32) -> io::Result<Option<Process>> {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        match pidfd_open(number, PidfdFlags::empty()) {
            Ok(fd) => watched(fd).map(|handle| Some(Process { pid, handle })),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) {
        // A handle is readable from the end of its process on; one that cannot be waited for counts as ended, and its lock decides.
        let _ = self.handle.readable().await;
    }

    /// Ends it at once. One that has ended already needs no signal.
    pub(crate) fn kill(&self) {
        let _ = pidfd_send_signal(self.handle.get_ref(), Signal::KILL);
    }
}

#[expect(deprecated, reason = "what makes it unsound is a handle that closes while it is watched; this one is owned until then")]
fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_process_is_seen_by_its_handle() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Process::open(child.id()).unwrap().unwrap();
        process.kill();
        process.ended().await;
        child.wait().unwrap();
        assert!(Process::open(child.id()).unwrap().is_none());
        // A second signal meets nobody, also where the number has a new owner.
        process.kill();
    }

    #[tokio::test]
    async fn no_process_has_these_numbers() {
        assert!(Process::open(0).unwrap().is_none() && Process::open(u32::MAX).unwrap().is_none());
    }
}
