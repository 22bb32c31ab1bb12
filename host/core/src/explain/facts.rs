//! What a job knows of itself at one moment.

use serde::{Deserialize, Serialize};

use crate::{TIME_MIN, TimeMs};

/// A job at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    /// Its name.
    pub job: String,
    /// When, by the clock.
    pub taken_ms: TimeMs,
    /// What it was doing.
    pub phase: Phase,
    /// The operators as they run, each behind those it reads from: a fused chain is one.
    pub operators: Vec<OperatorFacts>,
}

/// What a job is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It runs.
    Running,
    /// It has been asked to end.
    Stopping,
    /// Its input has ended.
    Finished,
    /// Somebody stopped it.
    Stopped,
    /// It failed; why.
    Failed(String),
    /// It is gone and has not said how it ended, as one that was killed: these facts are the last that it wrote down.
    Lost,
}

impl Phase {
    /// Whether nothing comes after it.
    pub fn is_over(&self) -> bool {
        !matches!(self, Phase::Running | Phase::Stopping)
    }
}

/// An operator as it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OperatorFacts {
    /// Its name in the plan; of a chain, that of its first member.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// What runs in it behind the first, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fused: Vec<Member>,
    /// Where its records come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputFacts>,
    /// Whether it makes watermarks itself: a source that knows event time, and what gives records a time.
    #[serde(default)]
    pub makes_watermarks: bool,
    /// Records received, or read.
    pub records_in: u64,
    /// Records emitted, or written.
    pub records_out: u64,
    /// Records too late.
    #[serde(default)]
    pub late: u64,
    /// Records skipped by the error policy.
    #[serde(default)]
    pub skipped: u64,
    /// Records handed to the dead-letter port.
    #[serde(default)]
    pub dead_lettered: u64,
    /// Records emitted on a port that nobody reads.
    #[serde(default)]
    pub unread: u64,
    /// What it holds back, where it is a sink that shows its output with the checkpoint that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Staged>,
    /// It on each worker.
    pub workers: Vec<WorkerFacts>,
}

/// Output that has been written and cannot be seen before a checkpoint covers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Staged {
    /// Records of it.
    pub records: u64,
    /// Checkpoints of the job that have completed since it was started.
    pub completed: u64,
    /// Those that have failed.
    pub failed: u64,
}

/// A member of a fused chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Member {
    /// Its name in the plan.
    pub name: String,
    /// What it is.
    pub kind: String,
}

/// An input of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct InputFacts {
    /// The operator whose records come, by its place among the operators.
    pub from: usize,
    /// The port they leave by.
    pub port: String,
}

/// An operator on one worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WorkerFacts {
    /// Which.
    pub worker: usize,
    /// Its watermark: `null` before the first, `"end"` when the input has ended.
    #[serde(with = "event_time")]
    pub watermark: TimeMs,
    /// The one it sends on, where it makes watermarks itself.
    #[serde(with = "event_time", default = "none_yet")]
    pub made: TimeMs,
    /// Its watermark before the input ended.
    #[serde(with = "event_time", default = "none_yet")]
    pub before_end: TimeMs,
    /// When the watermark rose last, by the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rose_ms: Option<TimeMs>,
    /// Everything before it is idle, and it holds nobody back.
    #[serde(default)]
    pub idle: bool,
    /// What has been heard of each input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<SenderFacts>,
    /// What it reads, where it is a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceFacts>,
    /// What it keeps until a time or a record comes.
    #[serde(default)]
    pub held: Held,
    /// It has not said anything, or not lately: these facts are as old as that.
    #[serde(default)]
    pub silent: bool,
    /// Since it said nothing: the worker is in this very operator.
    #[serde(default)]
    pub at_work: bool,
}

impl Default for WorkerFacts {
    fn default() -> WorkerFacts {
        WorkerFacts {
            worker: 0,
            watermark: TIME_MIN,
            made: TIME_MIN,
            before_end: TIME_MIN,
            rose_ms: None,
            idle: false,
            senders: Vec::new(),
            source: None,
            held: Held::default(),
            silent: false,
            at_work: false,
        }
    }
}

fn none_yet() -> TimeMs {
    TIME_MIN
}

/// What an operator on a worker has heard of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SenderFacts {
    /// The input.
    pub input: usize,
    /// The worker whose watermark is the least of those that count; none where none counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<usize>,
    /// That watermark.
    #[serde(with = "event_time")]
    pub watermark: TimeMs,
    /// Workers that are idle.
    pub idle: usize,
}

/// What a source does on one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SourceFacts {
    /// Whether it reads.
    pub pace: Pace,
    /// Splits that are read, idle ones among them.
    pub open: usize,
    /// Of them idle.
    pub idle: usize,
    /// Splits that have ended.
    pub ended: usize,
    /// Some of the splits: those that are behind most, then idle ones, then ended ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<SplitFacts>,
    /// When a record was read last, by the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_ms: Option<TimeMs>,
}

/// Whether a source reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// It has not read yet.
    #[default]
    NotStarted,
    /// It reads.
    Reading,
    /// There is nothing to read at the moment.
    Waiting,
    /// What it has read already has not reached the sinks: it waits for them.
    HeldBack,
    /// All it could read is too far ahead of others.
    Aligned,
    /// It has read everything, or was stopped.
    Ended,
}

/// A split of a source: a file, a partition, a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SplitFacts {
    /// What it is called.
    pub name: String,
    /// The greatest event time read in it.
    #[serde(with = "event_time")]
    pub max_time: TimeMs,
    /// Its watermark.
    #[serde(with = "event_time", default = "none_yet")]
    pub watermark: TimeMs,
    /// Whether the component makes its watermarks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
    /// Whether it has ended.
    #[serde(default)]
    pub ended: bool,
    /// Whether it holds nobody back because it has been silent.
    #[serde(default)]
    pub idle: bool,
    /// Whether it is not read because it is too far ahead of others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aligned: bool,
    /// When a record of it was read last, by the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_ms: Option<TimeMs>,
}

/// What an operator keeps until a time or a record comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Held {
    /// Windows that are open, each of one key. Overlapping windows share what they have in common, which is counted once.
    #[serde(skip_serializing_if = "is_zero")]
    pub windows: u64,
    /// Of them those that no time makes fire, only a record or the component.
    #[serde(skip_serializing_if = "is_zero")]
    pub untimed: u64,
    /// The earliest event time at which one of them fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes: Option<TimeMs>,
    /// The earliest processing time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_by_clock: Option<TimeMs>,
    /// Timers that are set.
    #[serde(skip_serializing_if = "is_zero")]
    pub timers: u64,
    /// The earliest of them in event time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer: Option<TimeMs>,
    /// The earliest in processing time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer_by_clock: Option<TimeMs>,
    /// Records that wait for others: for a partner, or for the version of their time.
    #[serde(skip_serializing_if = "is_zero")]
    pub records: u64,
    /// The earliest event time at which one of them need wait no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settles: Option<TimeMs>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Held {
    /// What two workers hold together.
    pub fn and(self, other: &Held) -> Held {
        let least = |a: Option<TimeMs>, b: Option<TimeMs>| a.into_iter().chain(b).min();
        Held {
            windows: self.windows + other.windows,
            untimed: self.untimed + other.untimed,
            closes: least(self.closes, other.closes),
            closes_by_clock: least(self.closes_by_clock, other.closes_by_clock),
            timers: self.timers + other.timers,
            timer: least(self.timer, other.timer),
            timer_by_clock: least(self.timer_by_clock, other.timer_by_clock),
            records: self.records + other.records,
            settles: least(self.settles, other.settles),
        }
    }

    /// The earliest event time that releases something.
    pub fn next_event(&self) -> Option<TimeMs> {
        [self.closes, self.timer, self.settles].into_iter().flatten().min()
    }

    /// The earliest processing time that does.
    pub fn next_by_clock(&self) -> Option<TimeMs> {
        [self.closes_by_clock, self.timer_by_clock].into_iter().flatten().min()
    }
}

impl Facts {
    /// As they are to be understood where the job that wrote them down does not run any more.
    #[must_use]
    pub fn left(self) -> Facts {
        let phase = if self.phase.is_over() { self.phase } else { Phase::Lost };
        Facts { phase, ..self }
    }
}

impl OperatorFacts {
    /// Its watermark: the least over its workers.
    pub fn watermark(&self) -> TimeMs {
        self.workers.iter().map(|worker| worker.watermark).min().unwrap_or(TIME_MIN)
    }

    /// What all its workers hold.
    pub fn held(&self) -> Held {
        self.workers.iter().fold(Held::default(), |held, worker| held.and(&worker.held))
    }

    /// The worker with the least watermark.
    pub fn slowest(&self) -> Option<&WorkerFacts> {
        self.workers.iter().min_by_key(|worker| worker.watermark)
    }

    /// Those of what runs in it that may let a record go without passing it on: the first of a chain, and filters and flat maps behind it.
    pub fn droppers(&self) -> Vec<Member> {
        let first = Member { name: self.name.clone(), kind: self.kind.clone() };
        let passes_all = |kind: &str| matches!(kind, "map" | "key_by" | "timestamps" | "source");
        std::iter::once(&first).chain(&self.fused).filter(|member| !passes_all(&member.kind)).cloned().collect()
    }

    /// Whether it reads a binding.
    pub fn is_source(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Whether it writes one.
    pub fn is_sink(&self) -> bool {
        self.kind == "sink"
    }
}

/// An event time in JSON: a number, `null` before the first, `"end"` behind the last. The two stand at the ends of the range of 64
/// bits, which many a reader of JSON would round.
pub(super) mod event_time {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{TIME_MAX, TIME_MIN, TimeMs};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written {
        Time(TimeMs),
        Word(End),
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum End {
        End,
    }

    pub(in crate::explain) fn serialize<S: Serializer>(time: &TimeMs, to: S) -> Result<S::Ok, S::Error> {
        let written = match *time {
            TIME_MIN => None,
            TIME_MAX => Some(Written::Word(End::End)),
            time => Some(Written::Time(time)),
        };
        written.serialize(to)
    }

    pub(in crate::explain) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TimeMs, D::Error> {
        Ok(match Option::<Written>::deserialize(from)? {
            None => TIME_MIN,
            Some(Written::Word(End::End)) => TIME_MAX,
            Some(Written::Time(time)) => time,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::TIME_MAX;

    #[test]
    fn times_without_a_number_have_words_and_read_back() {
        let worker = |watermark| WorkerFacts { watermark, ..WorkerFacts::default() };
        for (watermark, written) in [(TIME_MIN, "null"), (TIME_MAX, "\"end\""), (-5, "-5")] {
            let text = serde_json::to_string(&worker(watermark)).unwrap();
            assert!(text.contains(&format!("\"watermark\":{written},")), "{text}");
            assert_eq!(serde_json::from_str::<WorkerFacts>(&text).unwrap(), worker(watermark));
        }
    }

    #[test]
    fn facts_of_a_job_that_is_gone_are_its_last_unless_it_has_said_its_end() {
        let left = |phase| Facts { job: "job".to_owned(), taken_ms: 7, phase, operators: Vec::new() }.left().phase;
        assert_eq!([left(Phase::Running), left(Phase::Stopping)], [Phase::Lost, Phase::Lost]);
        for said in [Phase::Finished, Phase::Stopped, Phase::Failed("no disk".to_owned())] {
            assert_eq!(left(said.clone()), said);
        }
        assert!(Phase::Lost.is_over());
    }

    #[test]
    fn what_workers_hold_adds_up_and_the_earliest_counts() {
        let one = Held { windows: 2, closes: Some(30), timers: 1, timer: Some(9), ..Held::default() };
        let other = Held { windows: 1, closes: Some(20), records: 4, ..Held::default() };
        let both = one.and(&other);
        assert_eq!((both.windows, both.closes, both.timer, both.records), (3, Some(20), Some(9), 4));
        assert_eq!((both.next_event(), both.next_by_clock()), (Some(9), None));
    }
}
