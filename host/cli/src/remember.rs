//! What a job knows of itself, written down every few seconds, for whoever asks when it has been killed.
//!
//! One small file for each job, replaced as a whole. Operators are asked for it as `explain` asks them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tidemill_core::explain::Facts;
use tidemill_server::control::FACTS_FILE;

use crate::console;
use crate::socket::{Tells, left};

/// Before the first: a job that is killed right away has had nothing to say.
const FIRST: Duration = Duration::from_secs(1);
/// From one to the next: what is known of a killed job is at most so old.
const INTERVAL: Duration = Duration::from_secs(5);

/// Whether the job has ended, and who is to be told.
type End = Arc<(Mutex<bool>, Condvar)>;

/// Writes in a thread of its own until it is dropped; nothing is written behind that.
pub(crate) struct Remember {
    end: End,
    thread: Option<JoinHandle<()>>,
}

impl Remember {
    /// Begins: in the folder of a job of a server, else beside the sockets of this user.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn start(telling: Arc<dyn Tells>, hosted: Option<&Path>) -> io::Result<Remember> {
        let place: Option<PathBuf> = hosted.map(|folder| folder.join(FACTS_FILE));
        let write = move |facts: &Facts| match &place {
            Some(path) => left::replace(path, facts),
            None => left::write(facts),
        };
        Remember::every([FIRST, INTERVAL], move || write(&telling.facts()))
    }

    fn every([first, interval]: [Duration; 2], write: impl Fn() -> io::Result<()> + Send + 'static) -> io::Result<Remember> {
        let end = End::default();
        let told = Arc::clone(&end);
        let work = move || {
            let mut wait = first;
            while !has_ended(&told, wait) {
                wait = interval;
                if let Err(error) = write() {
                    return console::log(
                        "warn",
                        "control",
                        &format!("`tidemill explain` will not explain this job if it is killed: {error}"),
                    );
                }
            }
        };
        let thread = std::thread::Builder::new().name("remember".to_owned()).spawn(work)?;
        Ok(Remember { end, thread: Some(thread) })
    }
}

/// Waits for the end, but no longer than that.
fn has_ended((ended, wake): &(Mutex<bool>, Condvar), wait: Duration) -> bool {
    let ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
    *wake.wait_timeout_while(ended, wait, |ended| !*ended).unwrap_or_else(PoisonError::into_inner).0
}

impl Drop for Remember {
    fn drop(&mut self) {
        *self.end.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.end.1.notify_all();
        // A panic in the thread has already ended the process (main.rs).
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn it_writes_until_it_is_dropped_and_gives_up_where_it_cannot() {
        let (wrote, written) = channel();
        let remember = Remember::every([Duration::ZERO; 2], move || wrote.send(()).map_err(io::Error::other)).unwrap();
        (0..3).for_each(|_| written.recv().unwrap());
        drop(remember);
        // Comes to an end only where the thread has.
        written.iter().for_each(drop);
        let (tried, tries) = channel();
        let failing = Remember::every([Duration::ZERO; 2], move || {
            tried.send(()).unwrap();
            Err(io::Error::other("no disk"))
        });
        assert_eq!(tries.iter().count(), 1, "the thread ends by itself");
        drop(failing.unwrap());
    }
}
