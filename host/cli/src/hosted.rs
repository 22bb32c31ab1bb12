//! A job that runs for a server: alone in its folder, within limits of its process, and with its end written down.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use tidemill_core::checkpoint::poison::Suspect;
use tidemill_core::explain::Facts;
use tidemill_server::control::{EXIT_TAKEN, FACTS_FILE, LOCK_FILE, LOG_FILE, OUTCOME_FILE, Outcome as End, Status};
use tidemill_server::limits::RUNNER_FILES_MAX;
use tidemill_server::{durable, lock};

use crate::confine;
use crate::console;
use crate::fault::{Exit, Fault, Outcome};
use crate::rotate::RotatingLog;
use crate::value;

/// What a server tells the runner that it starts.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct HostedArgs {
    /// The folder of the job
    #[arg(long, value_name = "DIR", hide = true, requires = "control")]
    pub(crate) hosted: Option<PathBuf>,
    /// Where the job listens
    #[arg(long, value_name = "SOCKET", hide = true, requires = "hosted")]
    pub(crate) control: Option<PathBuf>,
    /// No checkpoint is taken for this long
    #[arg(long, value_name = "DURATION", value_parser = value::duration, hide = true)]
    pub(crate) hold: Option<std::time::Duration>,
}

/// A folder that this process has for as long as it lives.
#[derive(Debug)]
pub(crate) struct Hosted {
    folder: PathBuf,
    _held: lock::Held,
}

impl Hosted {
    /// Takes the folder; from then on messages go to the job's log.
    ///
    /// # Errors
    /// When another runner has it, which ends this one without a word in the job's files.
    pub(crate) fn enter(args: &HostedArgs) -> Outcome<Option<Hosted>> {
        let Some(folder) = &args.hosted else { return Ok(None) };
        let refused = |e: &io::Error| Fault::refused(format!("cannot use the folder {}", folder.display())).because(e);
        let Some(held) = lock::take(&folder.join(LOCK_FILE)).map_err(|e| refused(&e))? else { return Err(Fault::told(EXIT_TAKEN)) };
        for earlier in [OUTCOME_FILE, FACTS_FILE] {
            match fs::remove_file(folder.join(earlier)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(&error)),
                _ => {}
            }
        }
        console::set_log(RotatingLog::open(&folder.join(LOG_FILE)).map_err(|e| refused(&e))?);
        confine::runner(RUNNER_FILES_MAX);
        Ok(Some(Hosted { folder: folder.clone(), _held: held }))
    }

    /// Writes down what the operators waited for when the job ended: before [`Hosted::leave`], behind which nobody waits for this process.
    pub(crate) fn explain(&self, facts: &Facts) {
        if let Err(error) = durable::write(&self.folder.join(FACTS_FILE), facts) {
            console::log("warn", "supervisor", &format!("`tidemill explain` will not explain this job: {error}"));
        }
    }

    /// Writes down how the job ended, and in which call of user code, if in one; what went wrong is in its log as well.
    pub(crate) fn leave(&self, ended: &Outcome<()>, stopped: bool, status: Option<Status>, suspect: Option<Suspect>, version: Option<u32>) {
        let end = match ended {
            Ok(()) => End { exit: 0, stopped, message: None, causes: Vec::new(), hint: None, status, suspect: None, version },
            Err(fault) => {
                console::fault(fault);
                let exit = fault.told.unwrap_or(fault.exit as u8);
                let (message, causes, hint) = (Some(fault.message.clone()), fault.causes.clone(), fault.hint.clone());
                End { exit, stopped, message, causes, hint, status, suspect, version }
            }
        };
        if let Err(error) = durable::write(&self.folder.join(OUTCOME_FILE), &end) {
            console::log("error", "supervisor", &format!("the end of the job cannot be written down: {error}"));
        }
    }
}

/// The exit code of what has been said in the job's log.
pub(crate) fn said(ended: Outcome<()>) -> Outcome<()> {
    ended.map_err(|fault| Fault::told(fault.told.unwrap_or(fault.exit as u8)))
}

/// Never used for success.
const _: () = assert!(Exit::Failed as u8 != EXIT_TAKEN);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tidemill_core::explain::Phase;

    use super::*;

    #[test]
    fn the_end_of_a_job_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock::take(&folder.path().join(LOCK_FILE)).unwrap().unwrap();
        let hosted = Hosted { folder: folder.path().to_path_buf(), _held: held };
        hosted.leave(&Err(Fault::refused("no").hint("yes")), false, None, None, Some(3));
        let end: End = durable::read(&folder.path().join(OUTCOME_FILE)).unwrap().unwrap();
        assert_eq!((end.exit, end.message.as_deref(), end.hint.as_deref(), end.version), (3, Some("no"), Some("yes"), Some(3)));
        hosted.leave(&Ok(()), true, Some(Status::default()), None, None);
        let end: End = durable::read(&folder.path().join(OUTCOME_FILE)).unwrap().unwrap();
        assert!(end.exit == 0 && end.stopped && end.status.is_some());
        let facts = Facts { job: "counts".to_owned(), taken_ms: 7, phase: Phase::Stopped, operators: Vec::new() };
        hosted.explain(&facts);
        assert_eq!(durable::read(&folder.path().join(FACTS_FILE)).unwrap(), Some(facts));
    }
}
