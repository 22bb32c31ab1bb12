//! A job: what is known of it, and the task that supervises its runner.

mod ask;
mod decide;
mod in_place;
pub(crate) mod record;
mod runner;
mod supervise;

pub(crate) use ask::{ask, is_absent};
pub(crate) use runner::{CHECKPOINTS, flags};
pub(crate) use supervise::{Context, made, supervise};

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use crate::admission::Need;
use crate::control::{LOG_FILE, Status};
use crate::durable;
use crate::error::{Code, Error};
use crate::examined::Planned;
use crate::id::{JobId, Name};
use crate::options::Places;
use record::{End, Record};

/// The file of a job's record in its folder.
pub(crate) const RECORD_FILE: &str = "job.json";

/// A job of the server.
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) name: Name,
    pub(crate) folder: PathBuf,
    pub(crate) socket: PathBuf,
    known: Mutex<Known>,
    /// One change of the record at a time, each on disk before the next.
    writing: Mutex<()>,
    /// Counts changes, for whoever waits for one.
    changes: watch::Sender<u64>,
    /// Wakes the task that supervises it.
    nudge: Notify,
    /// What its shadow takes, while it has one.
    shadow: Mutex<Option<Need>>,
}

struct Known {
    record: Record,
    live: Live,
}

/// What is known of a runner, and lost with the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    pub(crate) phase: Phase,
    pub(crate) pid: Option<u32>,
    pub(crate) status: Option<Status>,
    /// Records read and written a second, over the last interval.
    pub(crate) rates: (f64, f64),
    polled: Option<Instant>,
    /// Why the runner has not done what was asked last.
    pub(crate) refusal: Option<Error>,
    /// The last failure that was answered by a start.
    pub(crate) last_failure: Option<String>,
}

/// What a job that is not over does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its runner has not answered yet.
    #[default]
    Starting,
    Running,
    /// It was asked to end.
    Stopping,
    /// It failed and is started again at this time, in milliseconds since the epoch.
    Restarting(u64),
}

impl Job {
    pub(crate) fn new(record: Record, folder: PathBuf, places: &Places) -> Job {
        Job {
            id: record.id.clone(),
            name: record.name.clone(),
            folder,
            socket: places.socket(&record.id),
            known: Mutex::new(Known { record, live: Live::default() }),
            writing: Mutex::new(()),
            changes: watch::Sender::new(0),
            nudge: Notify::new(),
            shadow: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self) -> Record {
        self.known().record.clone()
    }

    pub(crate) fn live(&self) -> Live {
        self.known().live.clone()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.known().record.end.is_some()
    }

    /// What its shadow takes, while it has one.
    pub(crate) fn shadow(&self) -> Option<Need> {
        *self.shadow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One shadow at a time.
    pub(crate) fn enter_shadow(&self, need: Need) -> Result<(), Error> {
        let mut shadow = self.shadow.lock().unwrap_or_else(PoisonError::into_inner);
        if shadow.is_some() {
            return Err(Error::new(Code::JobBusy, "the job has a shadow already").hint("ask again when that has been compared"));
        }
        *shadow = Some(need);
        Ok(())
    }

    pub(crate) fn leave_shadow(&self) {
        *self.shadow.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(LOG_FILE)
    }

    /// What the present version plans, as it was found when it was submitted.
    pub(crate) fn planned(&self) -> Result<Planned, Error> {
        let number = self.known().record.version.number;
        let internal = |e: &std::io::Error| Error::internal("the plan of the job cannot be read", e);
        let path = self.plan_file(number);
        durable::read(&path).map_err(|e| internal(&e))?.ok_or_else(|| internal(&std::io::ErrorKind::NotFound.into()))
    }

    pub(crate) fn plan_file(&self, version: u32) -> PathBuf {
        self.folder.join(format!("plan-{version}.json"))
    }

    /// Changes the record: on disk first, then for everybody. An error changes nothing.
    pub(crate) async fn update<T: Send + 'static>(
        self: &Arc<Job>,
        change: impl FnOnce(&mut Record) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let job = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || {
            let _writing = job.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut record = job.record();
            let answer = change(&mut record)?;
            durable::write(&job.folder.join(RECORD_FILE), &record)
                .map_err(|e| Error::internal("the record of the job cannot be written", &e))?;
            job.known().record = record;
            job.changed();
            job.nudge.notify_one();
            Ok(answer)
        });
        written.await.unwrap_or_else(|e| Err(Error::internal("the record of the job was not written", &std::io::Error::other(e))))
    }

    /// Changes what is known of the runner.
    pub(crate) fn set_live(&self, change: impl FnOnce(&mut Live)) {
        change(&mut self.known().live);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Waits until something holds of the job.
    pub(crate) async fn until<T>(&self, mut holds: impl FnMut(&Record, &Live) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            {
                let known = self.known();
                if let Some(found) = holds(&known.record, &known.live) {
                    return found;
                }
            }
            // The sender lives as long as the job.
            let _ = changes.changed().await;
        }
    }

    /// How it ended, once it has.
    pub(crate) async fn over(&self) -> End {
        self.until(|record, _| record.end.clone()).await
    }
}
