//! Input whose reading can wait for ever: standard input, a socket. A thread of its own reads it.
//!
//! The thread hands over what each read gave at once, through a bounded channel, and calls the waker; so a line typed by hand is
//! decoded without delay, and a fast writer is held back when the job is slower.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tidemill_core::connect::{Batch, Error, Polled, Reader, Source, SplitTime, Waker};
use tidemill_core::plan::Format;
use tidemill_core::{TIME_MIN, TimeMs};

use crate::decode::{Decoder, Layout};
use crate::stream::{Bytes, Got, Pulled, Stream};

/// Bytes of one read, and with [`READS_AHEAD`] of what is read ahead of the job: 1 MiB in all.
const READ_BYTES: usize = 64 << 10;
/// Reads that may wait in the channel.
const READS_AHEAD: usize = 16;

/// Something to read in a thread.
pub(crate) struct Input {
    /// What is read.
    pub(crate) read: Box<dyn Read + Send>,
    /// Makes a waiting read return, when the job ends before its input does.
    pub(crate) stop: Option<Box<dyn FnOnce() + Send>>,
}

/// A source with one reader over one input.
pub(crate) struct PipeSource {
    name: String,
    layout: Arc<Layout>,
    format: Format,
    bounded: bool,
    input: Mutex<Option<Input>>,
}

impl PipeSource {
    pub(crate) fn new(name: String, layout: Arc<Layout>, format: Format, bounded: bool, input: Input) -> PipeSource {
        PipeSource { name, layout, format, bounded, input: Mutex::new(Some(input)) }
    }
}

impl Source for PipeSource {
    /// The first worker to ask reads; the others have nothing to do.
    fn reader(&self, _worker: usize, _peers: usize, waker: Waker) -> Result<Box<dyn Reader>, Error> {
        let Some(input) = self.input.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(Box::new(PipeReader { name: self.name.clone(), stream: None, stop: None, splits: Vec::new() }));
        };
        let (send, receive) = sync_channel(READS_AHEAD);
        let Input { read, stop } = input;
        let pump = move || pump(read, send, waker);
        let failed = |e: io::Error| Error::Io(format!("cannot start the thread that reads {}: {e}", self.name));
        thread::Builder::new().name("read".to_owned()).spawn(pump).map_err(failed)?;
        let handed = Handed { name: self.name.clone(), receive, rest: Vec::new(), used: 0 };
        let stream = Stream::new(handed, self.name.clone(), Decoder::new(&self.layout, self.format));
        Ok(Box::new(PipeReader {
            name: self.name.clone(),
            stream: Some(stream),
            stop,
            splits: vec![SplitTime { max_time: TIME_MIN, ended: false }],
        }))
    }

    fn bounded(&self) -> bool {
        self.bounded
    }

    fn parallelism_max(&self) -> Option<usize> {
        Some(1)
    }
}

/// Reads until the end, an error, or nobody listens any more. The end is told by hanging up.
fn pump(mut read: Box<dyn Read + Send>, send: SyncSender<io::Result<Vec<u8>>>, waker: Waker) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let message = match read.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => Ok(buffer[..count].to_vec()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => Err(e),
        };
        let last = message.is_err();
        if send.send(message).is_err() || last {
            break;
        }
        waker();
    }
    // Whoever is woken must find the channel closed already, or would wait for ever.
    drop(send);
    waker();
}

/// What the thread hands over.
struct Handed {
    name: String,
    receive: Receiver<io::Result<Vec<u8>>>,
    /// The message being copied out, and how far.
    rest: Vec<u8>,
    used: usize,
}

impl Bytes for Handed {
    fn read(&mut self, into: &mut [u8]) -> Result<Got, Error> {
        let mut filled = 0;
        while filled < into.len() {
            if self.used == self.rest.len() {
                match self.receive.try_recv() {
                    Ok(Ok(bytes)) => (self.rest, self.used) = (bytes, 0),
                    Ok(Err(e)) => return Err(Error::Io(format!("reading {} failed: {e}", self.name))),
                    Err(TryRecvError::Empty) if filled == 0 => return Ok(Got::Pending),
                    Err(TryRecvError::Disconnected) if filled == 0 => return Ok(Got::End),
                    Err(_) => break,
                }
            }
            let count = (self.rest.len() - self.used).min(into.len() - filled);
            into[filled..filled + count].copy_from_slice(&self.rest[self.used..self.used + count]);
            self.used += count;
            filled += count;
        }
        Ok(Got::Bytes(filled))
    }
}

struct PipeReader {
    name: String,
    stream: Option<Stream<Handed>>,
    stop: Option<Box<dyn FnOnce() + Send>>,
    splits: Vec<SplitTime>,
}

impl Reader for PipeReader {
    fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
        let Some(stream) = &mut self.stream else { return Ok(Polled::Ended) };
        match stream.pull(rows, 0)? {
            Pulled::Batch(batch, time) => {
                self.observe(0, time);
                Ok(Polled::Batch(Batch { split: 0, ..batch }))
            }
            Pulled::Pending => Ok(Polled::Pending),
            Pulled::End => {
                self.stream = None;
                self.splits[0].ended = true;
                Ok(Polled::Ended)
            }
        }
    }

    fn splits(&self) -> &[SplitTime] {
        &self.splits
    }

    fn split_name(&self, _: usize) -> Option<String> {
        Some(self.name.clone())
    }

    fn observe(&mut self, split: usize, max_time: TimeMs) {
        let known = &mut self.splits[split].max_time;
        *known = max_time.max(*known);
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_is_woken_at_the_end_finds_the_channel_closed() {
        let (send, receive) = sync_channel::<io::Result<Vec<u8>>>(READS_AHEAD);
        let receive = Mutex::new(receive);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let theirs = seen.clone();
        let waker: Waker = Arc::new(move || {
            let found = match receive.lock().unwrap().try_recv() {
                Ok(bytes) => String::from_utf8(bytes.unwrap()).unwrap(),
                Err(error) => format!("{error:?}"),
            };
            theirs.lock().unwrap().push(found);
        });
        pump(Box::new(&b"last words"[..]), send, waker);
        assert_eq!(*seen.lock().unwrap(), ["last words", "Disconnected"]);
    }
}
