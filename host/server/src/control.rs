//! What a running job can be asked over its control socket, by the command line and by the server.
//!
//! A request is one JSON object in a line, and so is the answer, after which the connection is closed.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use tidemill_core::checkpoint::poison::Suspect;
use tidemill_core::explain::Facts;
use utoipa::ToSchema;

/// Bytes of a request or an answer at most: a status has about 300 bytes an operator, and what explains a job as many again for each
/// worker.
pub const LINE_BYTES_MAX: u64 = 16 << 20;

/// What is asked of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Say how it goes.
    Status,
    /// Say what its operators wait for.
    Explain,
    /// Make a savepoint and go on.
    Savepoint(Savepoint),
    /// Go on with other code.
    Exchange(Exchange),
    /// Finish what is in flight and end.
    Stop {
        /// The savepoint to make of the end.
        savepoint: Option<Savepoint>,
        /// Let event time come to its end first.
        drain: bool,
    },
}

/// The code that a job is to go on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exchange {
    /// Its version, by which a request that comes twice is known.
    pub version: u32,
    /// What a runner of it would be begun with: its component or components, their wires, and all its arguments.
    pub program: Vec<String>,
}

/// The savepoint that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Savepoint {
    /// Its name; the moment when there is none.
    pub name: Option<String>,
    /// Where to, when not into the checkpoint directory of the job.
    pub to: Option<String>,
}

/// What a job answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// It is done.
    Done {
        /// The savepoint made.
        savepoint: Option<Made>,
    },
    /// How it goes.
    Status(Box<Status>),
    /// What its operators wait for.
    Facts(Box<Facts>),
    /// The code has been exchanged.
    Exchanged {
        /// The longest that one worker was kept from records, in microseconds.
        pause_us: u64,
        /// How long it took until all workers had switched, while records flowed.
        lasted_us: u64,
    },
    /// The code cannot be exchanged while the job runs; nothing has changed.
    Elsewhere {
        /// Why.
        why: String,
    },
    /// The job has ended meanwhile; how is said where it is said of every end.
    Ended,
    /// It is not.
    Refused {
        /// The exit code for whoever asked.
        exit: u8,
        /// What went wrong.
        message: String,
        /// Why.
        causes: Vec<String>,
        /// What to do next.
        hint: Option<String>,
    },
}

/// A savepoint that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Made {
    /// What `run --from` takes.
    pub url: String,
    /// The checkpoint it is.
    pub checkpoint: u64,
    /// Bytes of its keyed state.
    pub bytes: u64,
}

/// How a running job goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Whether it has been asked to end.
    pub stopping: bool,
    /// Threads that run it.
    pub workers: usize,
    /// Records that its sources have read.
    pub records_in: u64,
    /// Records that its sinks have written.
    pub records_out: u64,
    /// Event time before which everything has been written, in milliseconds; none before the first.
    pub watermark_ms: Option<i64>,
    /// How far that is behind the clock, for inputs without an end.
    pub lag_ms: Option<i64>,
    /// Records too late for their window.
    pub late: u64,
    /// Records skipped by the error policy.
    pub skipped: u64,
    /// Records handed to the dead-letter port.
    pub dead_lettered: u64,
    /// Processor time of its process, in milliseconds.
    pub cpu_ms: u64,
    /// Memory of its process that is resident, in bytes.
    pub rss_bytes: u64,
    /// The most of it so far.
    pub peak_rss_bytes: u64,
    /// Checkpoints of this start, where there are any.
    pub checkpoints: Option<Checkpoints>,
    /// Each operator of the plan.
    pub operators: Vec<Operator>,
}

/// The checkpoints of a start of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checkpoints {
    /// Completed.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// The number of the last one.
    pub last: Option<u64>,
    /// Bytes of all its parts.
    pub last_bytes: Option<u64>,
    /// How long it took, in milliseconds.
    pub last_ms: Option<u64>,
}

/// What an operator has done so far, all workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Operator {
    /// Its name in the plan.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// Records received, or read.
    pub records_in: u64,
    /// Records emitted, or written.
    pub records_out: u64,
    /// Time spent in it, in nanoseconds.
    pub busy_ns: u64,
    /// The part of it spent in the component.
    pub guest_ns: u64,
    /// Time in which a source waited for the sinks behind it, in nanoseconds: the job is held back there.
    #[serde(default)]
    pub held_ns: u64,
    /// Time in which it had nothing to do, all its workers, in nanoseconds; none of an operator that is fused with the one before it, whose
    /// time is counted there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ns: Option<u64>,
    /// Its watermark in milliseconds; none before the first.
    pub watermark_ms: Option<i64>,
    /// What its code has cost so far, about one for each instruction; none unless the job is metered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// The operators that are fused with it, and whose cost is in `fuel`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fuel_with: Vec<String>,
}

/// How a runner that works for a server says how it ended, in its job's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Outcome {
    /// The exit code.
    pub exit: u8,
    /// Whether somebody stopped it, when it ended well.
    pub stopped: bool,
    /// What went wrong, when it did not.
    pub message: Option<String>,
    /// Why.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// Its last figures.
    pub status: Option<Status>,
    /// The call of user code that it ended in, when it did in one.
    #[serde(default)]
    pub suspect: Option<Suspect>,
    /// The version that it ran at its end, or was just about to, where that is not the one it began with.
    #[serde(default)]
    pub version: Option<u32>,
}

/// What a runner answers to a request that it does not know, as one of an earlier release to a new one.
pub const NOT_UNDERSTOOD: &str = "the request cannot be understood";
/// The environment variable with the watchlist of a runner, as JSON.
pub const WATCHLIST: &str = "TIDEMILL_WATCHLIST";
/// The file in a job's folder that its runner holds locked.
pub const LOCK_FILE: &str = "lock";
/// The file in a job's folder in which its runner says how it ended.
pub const OUTCOME_FILE: &str = "outcome.json";
/// The file in a job's folder in which its runner says what its operators waited for when it ended.
pub const FACTS_FILE: &str = "facts.json";
/// The file in a job's folder to which its runner writes what it has to say.
pub const LOG_FILE: &str = "log.jsonl";
/// The exit code of a runner that found another one at work.
pub const EXIT_TAKEN: u8 = 75;

/// Reads the one line of a request or an answer.
///
/// # Errors
/// A line that is cut off, too long, or not what was expected.
pub fn read_line<T: for<'de> Deserialize<'de>>(from: impl Read) -> io::Result<T> {
    let mut line = Vec::new();
    io::BufRead::read_until(&mut io::BufReader::new(from.take(LINE_BYTES_MAX)), b'\n', &mut line)?;
    parse(&line)
}

/// A line as what it says.
pub(crate) fn parse<T: for<'de> Deserialize<'de>>(line: &[u8]) -> io::Result<T> {
    if line.last() != Some(&b'\n') {
        let why = if line.len() as u64 == LINE_BYTES_MAX { "a line that is too long" } else { "a line that is cut off" };
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    serde_json::from_slice(line).map_err(io::Error::from)
}

/// Writes the one line of a request or an answer.
///
/// # Errors
/// When the other side has left.
pub fn write_line(mut to: impl io::Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_back_and_wrong_ones_are_refused() {
        let request = Request::Stop { savepoint: Some(Savepoint { name: Some("a".to_owned()), to: None }), drain: true };
        let mut line = Vec::new();
        write_line(&mut line, &request).unwrap();
        assert_eq!(read_line::<Request>(line.as_slice()).unwrap(), request);
        let refused = |bytes: &[u8]| read_line::<Request>(bytes).unwrap_err().to_string();
        assert_eq!(refused(&line[..line.len() - 1]), "a line that is cut off");
        assert_eq!(refused(b""), "a line that is cut off");
        assert_eq!(refused(&vec![b' '; LINE_BYTES_MAX as usize + 1]), "a line that is too long");
        assert!(refused(b"{\"restart\":{}}\n").contains("unknown variant"));
    }

    #[test]
    fn a_line_of_the_greatest_length_is_read() {
        let mut line = b"{\"stop\":{\"drain\":false,\"savepoint\":null}}".to_vec();
        line.resize(LINE_BYTES_MAX as usize - 1, b' ');
        line.push(b'\n');
        assert!(read_line::<Request>(line.as_slice()).is_ok());
    }
}
