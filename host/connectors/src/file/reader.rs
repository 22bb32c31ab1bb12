//! One worker's reader of a file source.
//!
//! It works on one stripe at a time and takes turns among its whole files; after each the book says what comes next. A stripe
//! is entered as complete when the poll after its last records begins: by then the job has said which times it gave them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, MutexGuard, PoisonError};

use flate2::read::MultiGzDecoder;
use memchr::{memchr, memrchr};
use tidemill_core::connect::{Batch, Error, Polled, Reader, SplitTime};
use tidemill_core::{TIME_MIN, TimeMs};

use super::claims::{Claim, Claims};
use super::lines::Lines;
use super::position::{FilePosition, Position, Range};
use super::{Input, Packing, Shared, advice};
use crate::decode::{Bad, Chunk, Decoder, LINE_BYTES_MAX};
use crate::stream::{BYTE_ORDER_MARK, Blocking, Pulled, Stream};

/// Bytes read behind a stripe in the same read, in the hope that its last line ends there.
const TAIL_BYTES: u64 = 8 << 10;
/// Bytes looked at in one step when a line goes on.
const PROBE_BYTES: usize = 64 << 10;
/// Whole files that one worker reads in turns at most: each holds a descriptor and the memory of its unpacking.
const WHOLE_OPEN_MAX: usize = 64;

/// Files read in stripes that one worker keeps open at most: stripes go round all of them, and opening one anew for each shows.
pub(super) const HANDLES_MAX: usize = 16;

type Whole = Stream<Blocking<Box<dyn Read>>>;

/// Reads one worker's share. See the module.
pub(super) struct FileReader {
    shared: Arc<Shared>,
    decoder: Decoder,
    chunk: Chunk,
    /// The stripe that `chunk` holds.
    stripe: Option<Stripe>,
    /// Files that are open, the one of `stripe` first.
    handles: VecDeque<(usize, File)>,
    /// Of each file.
    lines: Vec<Lines>,
    wholes: Vec<OpenWhole>,
    /// Which of the readers it is.
    number: usize,
    /// The boundary it has come to last; 0 before the first.
    passed: u64,
    ended: bool,
    /// Whole files this worker may still claim, so that the first to come does not take all.
    whole_share: usize,
    /// The greatest time this worker has read in each file.
    own: Vec<TimeMs>,
    splits: Vec<SplitTime>,
    /// Files that are not to be read for now; a stripe in hand is read to its end.
    held: Vec<bool>,
}

/// A whole file that is being read.
struct OpenWhole {
    file: usize,
    stream: Whole,
    /// Records read so far.
    records: u64,
    /// Records to pass over still.
    skip: u64,
}

#[derive(Clone, Copy, Debug)]
struct Stripe {
    file: usize,
    start: u64,
    end: u64,
}

impl FileReader {
    pub(super) fn new(shared: Arc<Shared>, number: usize, peers: usize) -> FileReader {
        let files = shared.inputs.len();
        let wholes = shared.inputs.iter().filter(|i| i.whole && i.len > 0).count();
        let mut reader = FileReader {
            decoder: Decoder::new(&shared.layout, shared.format),
            shared,
            chunk: Chunk::default(),
            stripe: None,
            handles: VecDeque::new(),
            lines: vec![Lines::default(); files],
            wholes: Vec::new(),
            number,
            passed: 0,
            ended: false,
            whole_share: wholes.div_ceil(peers.max(1)),
            own: vec![TIME_MIN; files],
            splits: vec![SplitTime { max_time: TIME_MIN, ended: false }; files],
            held: Vec::new(),
        };
        reader.claims().enter(peers);
        reader.refresh();
        reader
    }

    /// What the readers share; a reader that panicked has left the book whole, because every entry is made in one step.
    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.shared.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn saw(&mut self, file: usize, time: TimeMs) {
        if time > self.own[file] {
            self.own[file] = time;
            self.claims().saw(file, time);
        }
    }

    /// Brings `splits` up to date with what this worker and the others have read.
    fn refresh(&mut self) {
        let shared = self.shared.clone();
        let claims = shared.claims.lock().unwrap_or_else(PoisonError::into_inner);
        for (file, split) in self.splits.iter_mut().enumerate() {
            split.max_time = split.max_time.max(self.own[file]).max(claims.prefix_time(file));
            let open = self.stripe.is_some_and(|s| s.file == file) || self.wholes.iter().any(|w| w.file == file);
            split.ended = !open && !claims.left(file);
        }
    }

    fn poll_stripe(&mut self, stripe: Stripe, rows: usize) -> Result<Batch, Error> {
        if let Err(bad) = self.decoder.decode(&mut self.chunk, rows) {
            return Err(self.locate(bad, stripe.file));
        }
        let (lines, handle) = (&mut self.lines[stripe.file], self.handles.front());
        let line_of = |byte| lines.near(&handle?.1, byte);
        let (batch, time) = self.decoder.take(stripe.file, &self.shared.inputs[stripe.file].name, line_of);
        self.saw(stripe.file, time);
        Ok(batch)
    }

    /// Counts lines up to a bad record: only now is their number worth reading the file for.
    fn locate(&self, bad: Bad, file: usize) -> Error {
        let input = &self.shared.inputs[file];
        let line = File::open(&input.path).and_then(|f| Lines::default().at(&f, bad.byte)).ok();
        bad.error(&input.name, line)
    }

    fn poll_whole(&mut self, file: usize, rows: usize) -> Result<Batch, Error> {
        let Some(at) = self.wholes.iter().position(|w| w.file == file) else { return Ok(Batch::default()) };
        let whole = &mut self.wholes[at];
        // What was read before a restore is decoded again, since its bytes cannot be entered in the middle, and let go.
        let rows = if whole.skip > 0 { rows.min(whole.skip as usize) } else { rows };
        match whole.stream.pull(rows, file)? {
            Pulled::Batch(batch, time) => {
                whole.records += batch.records;
                if whole.skip > 0 {
                    whole.skip = whole.skip.saturating_sub(batch.records);
                    return Ok(Batch { split: file, ..Batch::default() });
                }
                self.saw(file, time);
                Ok(batch)
            }
            Pulled::Pending | Pulled::End => {
                self.wholes.swap_remove(at);
                Ok(Batch { split: file, ..Batch::default() })
            }
        }
    }

    fn open_whole(&mut self, file: usize, skip: u64) -> Result<(), Error> {
        let stream = open_whole(&self.shared.inputs[file], Decoder::new(&self.shared.layout, self.shared.format))?;
        self.wholes.push(OpenWhole { file, stream, records: 0, skip });
        self.whole_share = self.whole_share.saturating_sub(1);
        Ok(())
    }

    /// The rest of the stripe in hand, if anything of it is left.
    fn open_range(&self, file: usize) -> Option<Range> {
        let stripe = self.stripe.filter(|stripe| stripe.file == file && !self.chunk.is_empty())?;
        Some((self.chunk.base + self.chunk.at as u64, stripe.end))
    }

    #[cfg(test)]
    pub(super) fn open_files(&self) -> usize {
        self.handles.len()
    }

    fn open_stripe(&mut self, stripe: Stripe) -> Result<(), Error> {
        let input = &self.shared.inputs[stripe.file];
        let failed = |e: io::Error| Error::Io(format!("reading {} failed: {}", input.name, cause(&e, &input.path)));
        let handle = match self.handles.iter().position(|(file, _)| *file == stripe.file) {
            Some(at) => self.handles.remove(at).expect("it was found there").1,
            None => File::open(&input.path).map_err(failed)?,
        };
        load(&handle, &mut self.chunk, stripe.start, stripe.end, input.len).map_err(failed)?;
        self.handles.truncate(HANDLES_MAX - 1);
        self.handles.push_front((stripe.file, handle));
        self.stripe = Some(stripe);
        Ok(())
    }
}

impl Reader for FileReader {
    fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
        if let Some(stripe) = self.stripe.filter(|_| self.chunk.is_empty()) {
            self.claims().complete(stripe.file, stripe.start, stripe.end, self.own[stripe.file]);
            self.stripe = None;
        }
        let batch = if let Some(stripe) = self.stripe {
            self.poll_stripe(stripe, rows)?
        } else {
            let own: Vec<usize> = self.wholes.iter().map(|w| w.file).collect();
            let more = self.whole_share > 0 && own.len() < WHOLE_OPEN_MAX;
            let claim = self.claims().claim(self.number, &own, more, &self.held);
            match claim {
                None => {
                    self.refresh();
                    // What is held is still to be read.
                    if self.splits.iter().zip(&self.held).any(|(split, held)| *held && !split.ended) {
                        return Ok(Polled::Pending);
                    }
                    self.ended = true;
                    return Ok(Polled::Ended);
                }
                Some(Claim::Stripe { file, start, end }) => {
                    let stripe = Stripe { file, start, end };
                    self.open_stripe(stripe)?;
                    self.poll_stripe(stripe, rows)?
                }
                Some(Claim::Whole { file, skip }) => {
                    self.open_whole(file, skip)?;
                    self.poll_whole(file, rows)?
                }
                Some(Claim::Again { file }) => self.poll_whole(file, rows)?,
            }
        };
        self.refresh();
        Ok(Polled::Batch(batch))
    }

    fn splits(&self) -> &[SplitTime] {
        &self.splits
    }

    fn split_name(&self, split: usize) -> Option<String> {
        self.shared.inputs.get(split).map(|input| input.name.clone())
    }

    fn observe(&mut self, split: usize, max_time: TimeMs) {
        self.saw(split, max_time);
        self.splits[split].max_time = self.splits[split].max_time.max(max_time);
    }

    fn hold(&mut self, held: &[bool]) {
        self.held = held.to_vec();
    }

    fn position(&mut self, boundary: Option<u64>) -> Result<Option<String>, Error> {
        self.passed = boundary.unwrap_or(self.passed);
        let (order, left) = match boundary {
            Some(boundary) => self.claims().cross(boundary, self.number),
            None => self.claims().end(self.number),
        };
        let file = |(file, left): (usize, Vec<Range>)| FilePosition {
            name: self.shared.inputs[file].name.clone(),
            len: self.shared.inputs[file].len,
            time: self.splits[file].max_time,
            open: self.open_range(file),
            records: self.wholes.iter().find(|w| w.file == file).map(|w| w.records + w.skip),
            left,
        };
        let files = left.into_iter().enumerate().map(file).collect();
        let position = Position { boundary: self.passed, order, ended: self.ended, files };
        Ok(Some(serde_json::to_string(&position).expect("numbers and names become JSON")))
    }
}

/// Puts the lines that start in `start..end` into the chunk: from the first line feed at or after the byte before `start`
/// to the end of the last line, which may lie behind `end`.
fn load(file: &File, chunk: &mut Chunk, start: u64, end: u64, len: u64) -> io::Result<()> {
    let base = start.saturating_sub(1);
    let head = (len.min(end + TAIL_BYTES) - base) as usize;
    if chunk.bytes.len() < head {
        chunk.bytes.resize(head, 0);
    }
    file.read_exact_at(&mut chunk.bytes[..head], base)?;
    chunk.base = base;
    chunk.at = 0;
    chunk.end = 0;
    chunk.too_long = None;
    if start > 0 {
        match memchr(b'\n', &chunk.bytes[..(end - start) as usize]) {
            Some(before) => chunk.at = before + 1,
            None => return Ok(()),
        }
    } else if chunk.bytes[..head].starts_with(BYTE_ORDER_MARK) {
        chunk.at = BYTE_ORDER_MARK.len();
    }
    let border = (end - base) as usize;
    let last_line = memrchr(b'\n', &chunk.bytes[chunk.at..border - 1]).map_or(chunk.at, |i| chunk.at + i + 1);
    chunk.end = match memchr(b'\n', &chunk.bytes[border - 1..head]) {
        Some(i) => border + i,
        None if base + head as u64 == len => head,
        None => match line_end(file, base + head as u64, base + last_line as u64, len)? {
            Some(line_end) => {
                let needed = (line_end - base) as usize;
                if chunk.bytes.len() < needed {
                    chunk.bytes.reserve_exact(needed - chunk.bytes.len());
                    chunk.bytes.resize(needed, 0);
                }
                file.read_exact_at(&mut chunk.bytes[head..needed], base + head as u64)?;
                needed
            }
            None => {
                let shown = tidemill_core::connect::RECORD_SHOWN_MAX;
                chunk.too_long = Some((last_line, head.min(last_line + shown)));
                last_line
            }
        },
    };
    chunk.check();
    Ok(())
}

/// The end of the line that began at `line` and has not ended at `from`; none when it is too long. Looks without keeping.
fn line_end(file: &File, mut from: u64, line: u64, len: u64) -> io::Result<Option<u64>> {
    let mut probe = vec![0; PROBE_BYTES];
    while from < len {
        if from - line > LINE_BYTES_MAX as u64 {
            return Ok(None);
        }
        let count = probe.len().min((len - from) as usize);
        file.read_exact_at(&mut probe[..count], from)?;
        if let Some(found) = memchr(b'\n', &probe[..count]) {
            return Ok(Some(from + found as u64 + 1));
        }
        from += count as u64;
    }
    Ok(Some(len))
}

fn open_whole(input: &Input, decoder: Decoder) -> Result<Whole, Error> {
    let name = input.name.clone();
    let begin = |e: io::Error| Error::Io(format!("reading {name} failed: {}", cause(&e, &input.path)));
    let file = File::open(&input.path).map_err(begin)?;
    let read: Box<dyn Read> = match input.packing {
        Packing::Plain => Box::new(file),
        Packing::Gzip => Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(PROBE_BYTES, file))),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(file).map_err(begin)?),
    };
    let (packing, path) = (input.packing, input.path.clone());
    let failed = move |e: &io::Error| {
        let tool = match packing {
            Packing::Plain => return Error::Io(format!("reading {name} failed: {}", cause(e, &path))),
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
        };
        Error::Io(format!("cannot unpack {name}: {e}; was it copied whole? check it with {tool} -t {name}"))
    };
    Ok(Stream::new(Blocking::new(read, Box::new(failed)), input.name.clone(), decoder))
}

fn cause(error: &io::Error, path: &std::path::Path) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it has become shorter since the job started; a job reads files that only grow".to_owned(),
        _ => advice(error, path),
    }
}
