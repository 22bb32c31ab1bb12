//! How a job survives its process: flags laid over the table `[checkpoints]` of the job file.

use std::time::Duration;

use clap::{Args, ValueEnum};
use tidemill_core::checkpoint::restart::{Delay, Policy};
use tidemill_dataflow::Mode;

use crate::fault::{Fault, Outcome};
use crate::job_file::{CheckpointKeys, Scalar};
use crate::value;

/// The flags of a job that survives its process.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Checkpoints")]
pub(crate) struct KeepArgs {
    /// Keep state and progress here, and go on from there at the next start: a directory, file:DIR or s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL")]
    pub(crate) checkpoint_dir: Option<String>,
    /// How often a checkpoint is taken [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub(crate) checkpoint_interval: Option<Duration>,
    /// The least time between two checkpoints [default: none]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub(crate) checkpoint_pause: Option<Duration>,
    /// What fast inputs do at a checkpoint while slow ones come to it [default: aligned]
    #[arg(long, value_enum)]
    pub(crate) checkpoint_mode: Option<CheckpointMode>,
    /// Checkpoints that are kept [default: 2]
    #[arg(long, value_name = "N", value_parser = value::count)]
    pub(crate) checkpoint_retain: Option<usize>,
    /// Begin with the newest checkpoint of this directory, or with URL/savepoints/NAME, at the first start
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// Delete the savepoint of --from once the job has a checkpoint of its own
    #[arg(long, requires = "from")]
    pub(crate) claim: bool,
    /// Leave behind state of the checkpoint that the job no longer has
    #[arg(long)]
    pub(crate) allow_dropped_state: bool,
    /// What to do when the process that runs the job fails [default: exponential]
    #[arg(long, value_enum)]
    pub(crate) restart: Option<Restart>,
    /// The wait before the first start after a failure [default: 500ms]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub(crate) restart_delay: Option<Duration>,
    /// Starts in a row after which the job is given up [default: 10]
    #[arg(long, value_name = "N", value_parser = value::count)]
    pub(crate) restart_attempts: Option<usize>,
}

/// What happens at a checkpoint that some inputs have reached and others have not (semantics.md #46).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckpointMode {
    /// Fast inputs wait for slow ones; every record counts once
    #[default]
    #[value(alias = "exactly-once")]
    Aligned,
    /// Nothing waits, and what is under way becomes part of the checkpoint; every record counts once
    Unaligned,
    /// Nothing waits; after a crash some records count twice
    AtLeastOnce,
}

impl CheckpointMode {
    /// In the words of the engine.
    pub(crate) fn engine(self) -> Mode {
        match self {
            CheckpointMode::Aligned => Mode::Aligned,
            CheckpointMode::Unaligned => Mode::Unaligned,
            CheckpointMode::AtLeastOnce => Mode::AtLeastOnce,
        }
    }
}

/// What becomes of a job whose process has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Restart {
    /// It stays down
    None,
    /// It is started again, always after the same delay
    Fixed,
    /// It is started again after a delay that doubles with each failure in a row
    #[default]
    Exponential,
}

/// How often a checkpoint is taken, unless it is said.
const INTERVAL: Duration = Duration::from_secs(10);
/// The wait before the first start after a failure, unless it is said: long enough not to spin, short enough for recovery within a second.
const RESTART_DELAY: Duration = Duration::from_millis(500);
/// The longest delay before a start.
const RESTART_DELAY_MAX: Duration = Duration::from_secs(60);
/// Starts in a row, unless it is said.
const RESTART_ATTEMPTS: usize = 10;
/// A runner that has run this long has not failed at its start: delay and budget begin anew.
const RESTART_RESET: Duration = Duration::from_secs(60);

/// How a job is kept, defaults filled in.
#[derive(Clone, Debug)]
pub(crate) struct KeepSettings {
    pub(crate) dir: String,
    pub(crate) interval: Duration,
    pub(crate) pause: Duration,
    pub(crate) mode: CheckpointMode,
    pub(crate) retain: usize,
    pub(crate) from: Option<String>,
    pub(crate) claim: bool,
    pub(crate) allow_dropped_state: bool,
    pub(crate) restarts: Policy,
    /// No checkpoint is taken for this long after the start.
    pub(crate) hold: Duration,
}

impl KeepArgs {
    /// With the keys of the job file and defaults; none where no checkpoints are wanted.
    ///
    /// # Errors
    /// A flag that means nothing without a directory, and a key that cannot be understood.
    pub(super) fn settings(&self, keys: Option<&CheckpointKeys>) -> Outcome<Option<KeepSettings>> {
        let Some(dir) = self.checkpoint_dir.clone().or_else(|| keys.map(|keys| keys.dir.clone())) else {
            return match self.given() {
                None => Ok(None),
                Some(flag) => Err(Fault::usage(format!("{flag} needs --checkpoint-dir: without it nothing is kept"))
                    .hint("add --checkpoint-dir DIR, or a table [checkpoints] with dir = \"DIR\" to the job file")),
            };
        };
        let keys = Keys(keys);
        let first = self.restart_delay.or(keys.duration("restart-delay", |k| &k.restart_delay)?).unwrap_or(RESTART_DELAY);
        let attempts = self.restart_attempts.or(keys.count("restart-attempts", |k| &k.restart_attempts)?).unwrap_or(RESTART_ATTEMPTS);
        let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
        let (delay, starts_max) = match self.restart.or(keys.choice("restart", |k| &k.restart)?).unwrap_or_default() {
            Restart::None => (Delay::Fixed(first), 0),
            Restart::Fixed => (Delay::Fixed(first), attempts),
            Restart::Exponential => (Delay::Exponential { first, longest: RESTART_DELAY_MAX.max(first) }, attempts),
        };
        Ok(Some(KeepSettings {
            dir,
            interval: self.checkpoint_interval.or(keys.duration("interval", |k| &k.interval)?).unwrap_or(INTERVAL),
            pause: self.checkpoint_pause.or(keys.duration("pause", |k| &k.pause)?).unwrap_or_default(),
            mode: self.checkpoint_mode.or(keys.choice("mode", |k| &k.mode)?).unwrap_or_default(),
            retain: self.checkpoint_retain.or(keys.count("retain", |k| &k.retain)?).unwrap_or(tidemill_state::RETAIN),
            from: self.from.clone(),
            claim: self.claim,
            hold: Duration::ZERO,
            allow_dropped_state: self.allow_dropped_state,
            restarts: Policy { delay, starts_max: Some(starts_max), reset_after: RESTART_RESET },
        }))
    }

    /// A flag that was given, the directory aside.
    fn given(&self) -> Option<&'static str> {
        let flags = [
            (self.checkpoint_interval.is_some(), "--checkpoint-interval"),
            (self.checkpoint_pause.is_some(), "--checkpoint-pause"),
            (self.checkpoint_mode.is_some(), "--checkpoint-mode"),
            (self.checkpoint_retain.is_some(), "--checkpoint-retain"),
            (self.from.is_some(), "--from"),
            (self.allow_dropped_state, "--allow-dropped-state"),
            (self.restart.is_some(), "--restart"),
            (self.restart_delay.is_some(), "--restart-delay"),
            (self.restart_attempts.is_some(), "--restart-attempts"),
        ];
        flags.into_iter().find_map(|(given, flag)| given.then_some(flag))
    }
}

/// The table of the job file, where there is one.
#[derive(Clone, Copy)]
struct Keys<'a>(Option<&'a CheckpointKeys>);

impl<'a> Keys<'a> {
    fn duration(self, name: &str, key: impl Fn(&'a CheckpointKeys) -> &'a Option<String>) -> Outcome<Option<Duration>> {
        super::key(&format!("checkpoints.{name}"), self.0.and_then(|keys| key(keys).as_deref()), value::duration)
    }

    fn count(self, name: &str, key: impl Fn(&'a CheckpointKeys) -> &'a Option<Scalar>) -> Outcome<Option<usize>> {
        let text = self.0.and_then(|keys| key(keys).as_ref()).map(Scalar::to_string);
        super::key(&format!("checkpoints.{name}"), text.as_deref(), value::count)
    }

    fn choice<T: ValueEnum>(self, name: &str, key: impl Fn(&'a CheckpointKeys) -> &'a Option<String>) -> Outcome<Option<T>> {
        let names = || T::value_variants().iter().filter_map(|v| Some(v.to_possible_value()?.get_name().to_owned())).collect::<Vec<_>>();
        let parse = |text: &str| T::from_str(text, false).map_err(|_| format!("write {}", names().join(" or ")));
        super::key(&format!("checkpoints.{name}"), self.0.and_then(|keys| key(keys).as_deref()), parse)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn keys() -> CheckpointKeys {
        CheckpointKeys {
            dir: "kept".to_owned(),
            interval: Some("3s".to_owned()),
            mode: Some("at-least-once".to_owned()),
            retain: Some(Scalar::Whole(5)),
            ..CheckpointKeys::default()
        }
    }

    #[test]
    fn flags_win_over_the_table() {
        let args = KeepArgs { checkpoint_interval: Some(Duration::from_secs(1)), ..KeepArgs::default() };
        let kept = args.settings(Some(&keys())).unwrap().unwrap();
        assert_eq!((kept.dir.as_str(), kept.interval, kept.retain), ("kept", Duration::from_secs(1), 5));
        assert_eq!(kept.mode, CheckpointMode::AtLeastOnce);
    }

    #[test]
    fn a_wrong_key_is_named() {
        let wrong = CheckpointKeys { mode: Some("sometimes".to_owned()), ..keys() };
        let fault = KeepArgs::default().settings(Some(&wrong)).unwrap_err();
        assert_eq!(fault.message, "checkpoints.mode = \"sometimes\": write aligned or unaligned or at-least-once");
    }

    #[test]
    fn a_flag_without_a_directory_is_not_passed_over() {
        let args = KeepArgs { restart: Some(Restart::None), ..KeepArgs::default() };
        assert!(args.settings(None).unwrap_err().message.starts_with("--restart needs --checkpoint-dir"));
        assert!(KeepArgs::default().settings(None).unwrap().is_none());
    }
}
