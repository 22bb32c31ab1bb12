//! Input that one reader sees from its first byte to its last: a packed file, a CSV file, standard input, a socket.
//!
//! Bytes gather until a line is whole; the rest waits for more. Memory stays below [`LINE_BYTES_MAX`] and one read: a longer
//! line is named as a bad record and its tail thrown away as it comes.

use std::io;

use memchr::{memchr, memrchr};
use tidemill_core::TimeMs;
use tidemill_core::connect::{Batch, Error, RECORD_SHOWN_MAX};

use crate::decode::{Chunk, Decoder, LINE_BYTES_MAX};

/// Bytes asked for at once.
const READ_BYTES: usize = 256 << 10;
/// Written by some editors at the beginning of UTF-8 text; no part of it.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Where a stream's bytes come from.
pub(crate) trait Bytes {
    /// Puts bytes at the front of `into`.
    fn read(&mut self, into: &mut [u8]) -> Result<Got, Error>;
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// So many bytes, more than none.
    Bytes(usize),
    /// None now.
    Pending,
    /// No more, ever.
    End,
}

/// What a stream gave.
#[derive(Debug)]
pub(crate) enum Pulled {
    /// Records and their greatest event time.
    Batch(Batch, TimeMs),
    /// Nothing now.
    Pending,
    /// The end.
    End,
}

/// Decodes bytes as they come. See the module.
#[derive(Debug)]
pub(crate) struct Stream<B> {
    bytes: B,
    name: String,
    decoder: Decoder,
    chunk: Chunk,
    /// Bytes in the buffer; those from `chunk.end` on are the beginning of a line.
    filled: usize,
    /// A line that was too long goes on.
    skipping: bool,
    ended: bool,
}

impl<B: Bytes> Stream<B> {
    pub(crate) fn new(bytes: B, name: String, decoder: Decoder) -> Stream<B> {
        let mut chunk = Chunk::default();
        chunk.lines_before = Some(0);
        Stream { bytes, name, decoder, chunk, filled: 0, skipping: false, ended: false }
    }

    /// Decodes up to `rows` records of what is there.
    pub(crate) fn pull(&mut self, rows: usize, split: usize) -> Result<Pulled, Error> {
        while self.chunk.is_empty() {
            if self.ended {
                return self.finish(split);
            }
            match self.fill()? {
                Got::Bytes(_) => {}
                Got::Pending => return Ok(Pulled::Pending),
                Got::End => self.ended = true,
            }
        }
        self.decoder.decode(&mut self.chunk, rows).map_err(|bad| {
            let line = bad.line;
            bad.error(&self.name, line)
        })?;
        let (batch, time) = self.decoder.take(split, &self.name, |_| None);
        Ok(Pulled::Batch(batch, time))
    }

    fn finish(&mut self, split: usize) -> Result<Pulled, Error> {
        self.decoder.end(&mut self.chunk).map_err(|bad| {
            let line = bad.line;
            bad.error(&self.name, line)
        })?;
        let (batch, time) = self.decoder.take(split, &self.name, |_| None);
        Ok(if batch.records == 0 { Pulled::End } else { Pulled::Batch(batch, time) })
    }

    /// Reads once and makes whole lines ready.
    fn fill(&mut self) -> Result<Got, Error> {
        self.make_room();
        let got = self.bytes.read(&mut self.chunk.bytes[self.filled..self.filled + READ_BYTES])?;
        let fresh = self.filled;
        match got {
            Got::Pending => return Ok(got),
            Got::End => self.chunk.end = self.filled,
            Got::Bytes(count) => {
                self.filled += count;
                self.find_lines(fresh);
            }
        }
        if self.chunk.base == 0 && self.chunk.at == 0 && self.chunk.bytes[..self.chunk.end].starts_with(BYTE_ORDER_MARK) {
            self.chunk.at = BYTE_ORDER_MARK.len();
        }
        self.chunk.check();
        Ok(got)
    }

    /// Moves the beginning of a line to the front of the buffer, and sees that a read fits behind it.
    fn make_room(&mut self) {
        if self.skipping {
            self.chunk.base += self.filled as u64;
            self.filled = 0;
        } else {
            self.chunk.bytes.copy_within(self.chunk.end..self.filled, 0);
            self.chunk.base += self.chunk.end as u64;
            self.filled -= self.chunk.end;
        }
        self.chunk.at = 0;
        self.chunk.end = 0;
        let needed = self.filled + READ_BYTES;
        if self.chunk.bytes.len() < needed {
            // Growing by quarters instead of doubling keeps the peak near the longest line.
            self.chunk.bytes.reserve_exact(needed.max(self.filled + self.filled / 4) - self.chunk.bytes.len());
            self.chunk.bytes.resize(needed, 0);
        }
    }

    /// Sets the chunk's end behind the last whole line, given that the bytes from `fresh` on are new.
    fn find_lines(&mut self, fresh: usize) {
        if !self.decoder.by_line() {
            self.chunk.end = self.filled;
            return;
        }
        if self.skipping {
            let Some(found) = memchr(b'\n', &self.chunk.bytes[..self.filled]) else { return };
            self.skipping = false;
            self.chunk.at = found + 1;
            self.chunk.end = found + 1;
        }
        let fresh = fresh.max(self.chunk.at);
        match memrchr(b'\n', &self.chunk.bytes[fresh..self.filled]) {
            Some(last) => self.chunk.end = fresh + last + 1,
            None if self.filled - self.chunk.at > LINE_BYTES_MAX => {
                self.chunk.too_long = Some((self.chunk.at, self.chunk.at + RECORD_SHOWN_MAX));
                self.skipping = true;
            }
            None => {}
        }
    }
}

/// A reader of bytes that never waits: a file, perhaps unpacked on the way.
pub(crate) struct Blocking<R> {
    read: R,
    /// What to say when reading fails.
    failed: Box<dyn Fn(&io::Error) -> Error>,
}

impl<R> Blocking<R> {
    pub(crate) fn new(read: R, failed: Box<dyn Fn(&io::Error) -> Error>) -> Blocking<R> {
        Blocking { read, failed }
    }
}

impl<R: io::Read> Bytes for Blocking<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<Got, Error> {
        loop {
            return match self.read.read(into) {
                Ok(0) => Ok(Got::End),
                Ok(count) => Ok(Got::Bytes(count)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => Err((self.failed)(&e)),
            };
        }
    }
}
