//! Sources and sinks as the dataflow sees them.
//!
//! A [`Source`] is opened once per job and gives each worker a [`Reader`]; a [`Sink`] likewise gives
//! [`Writer`]s. Readers decode: what leaves them are blocks of the plan's schemas.
//!
//! Event time is kept per **split**: something whose records are in event-time order but for the bounded
//! disorder the job declared (a file, a partition, a connection). A reader tells the greatest event
//! time it has read in each of its splits; the dataflow makes watermarks of that (semantics.md #1-#6).

use std::sync::Arc;

use crate::TimeMs;
use crate::block::Block;
use crate::checkpoint::Generation;

/// Wakes the dataflow when a reader that said [`Polled::Pending`] has something again.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Why a source or sink failed, in words for the operator of the job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The binding cannot work as written: unknown scheme, missing file, no permission.
    #[error("{0}")]
    Binding(String),
    /// A record could not be decoded and the job's choice is to fail.
    #[error("{place}: {reason}")]
    Record {
        /// File, line and byte, as far as the source has them.
        place: String,
        /// What is wrong, and the record, shortened.
        reason: String,
    },
    /// Reading or writing failed in the middle.
    #[error("{0}")]
    Io(String),
    /// Whoever reads our output has left (`| head`): no error of ours, the job just ends.
    #[error("the reader of the output has closed it")]
    Closed,
}

/// What to do with a record that cannot be decoded or that user code refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// Fail the job, naming the record.
    #[default]
    Fail,
    /// Count it and go on.
    Skip,
    /// Hand it to the operator's `dead-letter` port.
    DeadLetter,
}

/// A record that went wrong, with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it was: file, line, byte; or operator and input.
    pub place: String,
    /// What went wrong.
    pub reason: String,
    /// The record, as text where it is text; cut at [`RECORD_SHOWN_MAX`] bytes.
    pub record: String,
}

/// Bytes of a record shown in an error or dead letter.
pub const RECORD_SHOWN_MAX: usize = 4096;

/// Records read from one split in one poll.
#[derive(Debug, Default)]
pub struct Batch {
    /// The split, an index into the reader's [`Reader::splits`].
    pub split: usize,
    /// Output port of the source (the variant) and records. Ports ascend; none is empty.
    pub blocks: Vec<(usize, Block)>,
    /// Records read, selected or not.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Records that could not be decoded (policies skip and dead-letter).
    pub bad: Vec<DeadLetter>,
    /// Records that could not be decoded, also those whose text is not kept.
    pub bad_count: u64,
}

/// How far a split has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitTime {
    /// The greatest event time read, [`crate::TIME_MIN`] before the first. Advances on read, not on emit (semantics.md #8).
    pub max_time: TimeMs,
    /// The split has ended and leaves the minimum.
    pub ended: bool,
}

/// The answer to a poll.
#[derive(Debug)]
pub enum Polled {
    /// Records (perhaps none selected), poll again soon.
    Batch(Batch),
    /// Nothing now; the waker will be called.
    Pending,
    /// All splits of this reader have ended.
    Ended,
}

/// Reads one worker's share of a source.
pub trait Reader {
    /// Reads up to about `rows` records of one split. Never blocks for longer than a disk read.
    fn poll(&mut self, rows: usize) -> Result<Polled, Error>;

    /// The splits of this reader and how far they have come. The list only grows.
    fn splits(&self) -> &[SplitTime];

    /// What people call a split: a file, a partition, an address.
    fn split_name(&self, split: usize) -> Option<String> {
        let _ = split;
        None
    }

    /// Told when the job, not the source, assigns event time: the greatest time that the records of the last
    /// batch were given.
    fn observe(&mut self, split: usize, max_time: TimeMs);

    /// Which splits are too far ahead of others to be read, told when that has changed; they are all that is open only where the reader is
    /// not polled. A reader of one split has nothing to do.
    fn hold(&mut self, held: &[bool]) {
        let _ = held;
    }

    /// Where the reader stands at a boundary, as text that [`Source::restore`] understands; `None` when what has been read cannot be read
    /// again. `boundary` is the same number for all readers of the source, and greater for every later boundary; none when the reader
    /// has come to its end, or is not going to be polled any more, and answers for every boundary to come.
    fn position(&mut self, boundary: Option<u64>) -> Result<Option<String>, Error> {
        let _ = boundary;
        Ok(None)
    }
}

/// An opened source.
pub trait Source: Send + Sync {
    /// This worker's reader. Called once for each of `peers` workers.
    fn reader(&self, worker: usize, peers: usize, waker: Waker) -> Result<Box<dyn Reader>, Error>;

    /// Whether the input has an end.
    fn bounded(&self) -> bool;

    /// Goes back to where all its readers stood at a boundary, however many there were; called before any reader is made.
    ///
    /// # Errors
    /// When the positions are of another kind of source, or the input is no longer what it was.
    fn restore(&self, positions: &[String]) -> Result<(), Error> {
        match positions {
            [] => Ok(()),
            _ => Err(Error::Binding("this source cannot go back to where a checkpoint found it".to_owned())),
        }
    }

    /// Whether what has been read can be read again after a restore.
    fn replayable(&self) -> bool {
        false
    }

    /// The number of workers that can read at once, when limited (a socket: 1).
    fn parallelism_max(&self) -> Option<usize> {
        None
    }
}

/// Writes one worker's share of a sink.
pub trait Writer {
    /// Writes records, perhaps into a buffer.
    fn write(&mut self, block: &Block) -> Result<(), Error>;

    /// Makes everything written visible to readers of an unbounded output. Called at the end of an activation.
    fn flush(&mut self) -> Result<(), Error>;

    /// The input has ended: makes the output final.
    fn finish(&mut self) -> Result<(), Error>;

    /// A boundary: makes everything written so far durable without showing it, and says under which names
    /// [`Sink::commit`] will find it. A writer that cannot hold anything back flushes and names nothing.
    fn stage(&mut self) -> Result<Vec<String>, Error> {
        self.flush()?;
        Ok(Vec::new())
    }
}

/// An opened sink.
pub trait Sink: Send + Sync {
    /// This worker's writer.
    fn writer(&self, worker: usize, peers: usize) -> Result<Box<dyn Writer>, Error>;

    /// From now on output is staged and committed. `generation` tells apart what this start of the job stages from what
    /// earlier ones did; `staged` is what the checkpoint to begin with had staged, which is committed now unless it has been.
    /// What else is staged belongs to nobody and is removed.
    ///
    /// # Errors
    /// When something of `staged` is neither staged nor committed.
    fn recover(&self, generation: Generation, staged: &[String]) -> Result<(), Error> {
        let (_, _) = (generation, staged);
        Ok(())
    }

    /// Shows what was staged. May be called again with names that have been committed before.
    ///
    /// # Errors
    /// When something of it is neither staged nor committed.
    fn commit(&self, staged: &[String]) -> Result<(), Error> {
        let _ = staged;
        Ok(())
    }

    /// Whether output is shown with the checkpoint that covers it, and only then.
    fn transactional(&self) -> bool {
        false
    }

    /// The number of workers that may write at once, when limited (stdout, one ordered file: 1).
    fn parallelism_max(&self) -> Option<usize> {
        None
    }
}
