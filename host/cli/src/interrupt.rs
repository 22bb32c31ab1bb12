//! Ctrl-C and SIGTERM: the first ends the job in order, the second leaves at once.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use tidemill_dataflow::Control;

use crate::console;
use crate::fault::{Exit, Fault, Outcome};

/// Wires the signals to a job. Once per process.
///
/// # Errors
/// When the system refuses a signal handler.
pub(crate) fn stop_on_signal(control: Arc<Control>) -> Outcome<()> {
    let heard = AtomicU32::new(0);
    let handler = move || match heard.fetch_add(1, Relaxed) {
        0 => {
            console::note("stopping: finishing what is in flight (press Ctrl-C again to leave at once)");
            control.stop();
        }
        // Sinks are not finished: what they staged stays staged, as after a crash.
        _ => std::process::exit(Exit::Interrupted as i32),
    };
    ctrlc::set_handler(handler).map_err(|e| Fault::failed("cannot listen for Ctrl-C").because(&e))
}

/// Hands signals on to the process that runs the job.
#[derive(Clone)]
pub(crate) struct Forward(Arc<(Mutex<Heard>, Condvar)>);

#[derive(Default)]
struct Heard {
    runner: Option<u32>,
    any: bool,
}

impl Forward {
    /// Listens. Once per process.
    ///
    /// # Errors
    /// When the system refuses a signal handler.
    pub(crate) fn listen() -> Outcome<Forward> {
        let forward = Forward(Arc::default());
        let own = forward.clone();
        let handler = move || {
            let mut heard = own.state();
            heard.any = true;
            own.0.1.notify_all();
            if let Some(runner) = heard.runner {
                // One that has just ended needs no signal.
                let _ = kill(Pid::from_raw(runner as i32), Signal::SIGINT);
            }
        };
        ctrlc::set_handler(handler).map_err(|e| Fault::failed("cannot listen for Ctrl-C").because(&e))?;
        Ok(forward)
    }

    fn state(&self) -> MutexGuard<'_, Heard> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom to hand them on to.
    pub(crate) fn to(&self, runner: Option<u32>) {
        self.state().runner = runner;
    }

    /// Whether any has come.
    pub(crate) fn heard(&self) -> bool {
        self.state().any
    }

    /// Waits, but not when a signal has come or comes; answers whether one has.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let waited = self.0.1.wait_timeout_while(self.state(), time, |heard| !heard.any);
        waited.unwrap_or_else(PoisonError::into_inner).0.any
    }
}

/// Makes this process end with the one that started it.
///
/// # Errors
/// When that one is gone already.
pub(crate) fn end_with_supervisor(supervisor: i32) -> Outcome<()> {
    // Without the promise of the system the generation of the checkpoints still keeps two runners apart.
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    if nix::unistd::getppid().as_raw() == supervisor { Ok(()) } else { Err(Fault::told(Exit::Failed as u8)) }
}
