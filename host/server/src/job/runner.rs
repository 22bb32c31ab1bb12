//! Starts the runner of a job, or finds the one that runs.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tidemill_core::checkpoint::poison::Watchlist;

use super::Job;
use super::decide::Ended;
use super::record::{Record, Version};
use crate::control::{EXIT_TAKEN, LOCK_FILE, OUTCOME_FILE, Outcome, WATCHLIST};
use crate::process::Process;
use crate::{child, durable, lock};

/// Where a runner's last words go that are no messages of the job: of a panic, an abort.
const STDERR_FILE: &str = "stderr";
/// Bytes of them that are shown.
const LAST_WORDS_BYTES: usize = 2 << 10;

/// A runner that was started or found.
pub(super) struct Runner {
    pub(super) process: Process,
    /// Only of one that this server has started.
    child: Option<Child>,
}

impl Runner {
    /// The process that holds the job's lock.
    pub(super) fn find(job: &Job) -> io::Result<Option<Runner>> {
        let path = job.folder.join(LOCK_FILE);
        let Some(pid) = lock::holder(&path)? else { return Ok(None) };
        let Some(process) = Process::open(pid)? else { return Ok(None) };
        // Between the two steps the holder may have ended and its number gone to another; then it no longer holds the lock.
        Ok((lock::holder(&path)? == Some(pid)).then_some(Runner { process, child: None }))
    }

    /// Starts one. It outlives this server, which may be killed at any moment.
    pub(super) fn start(job: &Job, record: &Record, list: &Watchlist, options: &crate::Options) -> io::Result<Runner> {
        let version = &record.version;
        match fs::remove_file(job.folder.join(OUTCOME_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut command = Command::new(&options.program);
        command.args(["--log-format", "json", "runner"]).args(version.program(&options.places().components())).args(flags(version));
        command.args(["--name", job.name.as_str()]);
        command.arg("--hosted").arg(&job.folder).arg("--control").arg(&job.socket);
        command.arg("--checkpoint-dir").arg(job.folder.join(CHECKPOINTS));
        command.arg(format!("--checkpoint-interval={}ms", version.checkpoint_interval_ms));
        if let Some(from) = &record.from {
            command.arg(format!("--from={from}"));
        }
        if version.allow_dropped_state {
            command.arg("--allow-dropped-state");
        }
        if record.probation.is_some() && version.hold_ms > 0 {
            command.arg(format!("--hold={}ms", version.hold_ms));
        }
        command.env_clear().envs(child::environment(options)).current_dir(&job.folder);
        if *list != Watchlist::default() {
            command.env(WATCHLIST, serde_json::to_string(list).map_err(io::Error::other)?);
        }
        // A group of its own: what a terminal sends the server is not meant for the job.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(job.folder.join(STDERR_FILE))?);
        let child = command.spawn()?;
        // A child that has ended is there until it is waited for, so its number is its own.
        let process = Process::open(child.id())?.ok_or_else(|| io::Error::other("the process has gone"))?;
        Ok(Runner { process, child: Some(child) })
    }

    /// How it ended. To be asked once the process has.
    pub(super) fn ended(mut self, folder: &Path) -> Ended {
        let status = self.child.as_mut().and_then(|child| child.wait().ok());
        if status.is_some_and(|status| status.code() == Some(i32::from(EXIT_TAKEN))) {
            return Ended::Taken;
        }
        match said(folder) {
            Some(outcome) => Ended::Said(outcome),
            None => {
                let how = match status.map(|status| (status.code(), status.signal())) {
                    Some((Some(code), _)) => format!("the job's process ended with exit code {code}"),
                    Some((None, Some(signal))) => format!("the job's process was killed by {}", name(signal)),
                    _ => "the job's process ended without a word".to_owned(),
                };
                Ended::Died(with_last_words(how, folder))
            }
        }
    }
}

/// The folder of a job's checkpoints.
pub(crate) const CHECKPOINTS: &str = "checkpoints";

/// How a job's last runner ended that this server has not seen end.
pub(super) fn ended_unseen(folder: &Path) -> Ended {
    let unseen = || Ended::Died(with_last_words("the job's process ended while no server watched it".to_owned(), folder));
    said(folder).map_or_else(unseen, Ended::Said)
}

fn said(folder: &Path) -> Option<Box<Outcome>> {
    durable::read(&folder.join(OUTCOME_FILE)).unwrap_or_default()
}

fn with_last_words(how: String, folder: &Path) -> String {
    let words = fs::read(folder.join(STDERR_FILE)).unwrap_or_default();
    let words = String::from_utf8_lossy(&words[words.len().saturating_sub(LAST_WORDS_BYTES)..]).trim().to_owned();
    if words.is_empty() { how } else { format!("{how}: {words}") }
}

fn name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}

/// The flags of `run` that a version stands for, for planning as well.
pub(crate) fn flags(version: &Version) -> Vec<std::ffi::OsString> {
    let pairs = |flag: &str, pairs: &std::collections::BTreeMap<String, String>| {
        pairs.iter().map(|(name, value)| format!("{flag}={name}={value}")).collect::<Vec<_>>()
    };
    let mut flags = pairs("--arg", &version.args);
    flags.extend(pairs("--bind", &version.bindings));
    flags.extend(version.parallelism.map(|workers| format!("--parallelism={workers}")));
    flags.push(format!("--memory={}", version.instance_bytes));
    flags.push(format!("--mode={}", if version.batch { "batch" } else { "stream" }));
    flags.extend(version.meter.then(|| "--meter".to_owned()));
    flags.extend(version.idle_timeout_ms.map(|ms| match ms {
        0 => "--idle-timeout=off".to_owned(),
        ms => format!("--idle-timeout={ms}ms"),
    }));
    flags.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::version;
    use super::*;

    #[test]
    fn a_value_cannot_become_a_flag() {
        let mut version = version(1, 2);
        version.args.insert("--hosted".to_owned(), "--control=/x".to_owned());
        version.bindings.insert("in".to_owned(), "-p".to_owned());
        let flags = flags(&version);
        assert_eq!(&flags[..3], ["--arg=--hosted=--control=/x", "--bind=in=-p", "--parallelism=2"]);
    }

    #[test]
    fn a_version_is_metered_that_was_asked_to_be() {
        let version = version(1, 1);
        let metered = |version: &Version| flags(version).contains(&"--meter".into());
        assert!(!metered(&version) && metered(&Version { meter: true, ..version }));
    }

    #[test]
    fn the_last_words_of_a_runner_are_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ended_unseen(folder.path()).reason(), "the job's process ended while no server watched it");
        fs::write(folder.path().join(STDERR_FILE), "internal error: a\n").unwrap();
        assert!(ended_unseen(folder.path()).reason().ends_with(": internal error: a"));
        let outcome =
            Outcome { exit: 0, stopped: true, message: None, causes: vec![], hint: None, status: None, suspect: None, version: None };
        durable::write(&folder.path().join(OUTCOME_FILE), &outcome).unwrap();
        assert!(ended_unseen(folder.path()).is_good());
    }
}
