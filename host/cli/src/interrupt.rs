//! Ctrl-C and SIGTERM: the first ends the job in order, the second leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

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
