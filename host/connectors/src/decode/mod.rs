//! Bytes into blocks: JSON, CSV and text decoders with one face.
//!
//! A [`Decoder`] belongs to one reader. It takes a [`Chunk`] and appends its records to the columns of their ports, and
//! [`Decoder::take`] hands over what has gathered. What a bad record means is decided here, once for all formats.

mod chunk;
mod csv;
mod json;
mod layout;
mod row;

pub(crate) use chunk::Chunk;
pub(crate) use layout::Layout;
pub(crate) use row::{Row, Slot, Span};

use std::sync::Arc;

use tidemill_core::block::Builder;
use tidemill_core::connect::{Batch, DeadLetter, Error, OnError, RECORD_SHOWN_MAX};
use tidemill_core::plan::Format;
use tidemill_core::{TIME_MIN, TimeMs};

use chunk::Line;
use json::{Decoded, Json};

/// Bytes of one record at most. Longer ones are bad records, and are recognised without being held whole: one missing
/// line end must not take the memory of the machine.
pub(crate) const LINE_BYTES_MAX: usize = 8 << 20;
/// Input bytes of one batch at most, the last record not counted: keeps a block far below the limit of a block.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Dead letters of one batch at most: a batch ends early there, so that with [`RECORD_SHOWN_MAX`] their memory is bounded.
const DEAD_LETTERS_MAX: usize = 1024;

/// A record that fails the job. The reader knows where the bytes came from and makes an error of it.
#[derive(Debug)]
pub(crate) struct Bad {
    /// Where the record begins in the input.
    pub(crate) byte: u64,
    /// Its line, from 1, where the decoder knows it.
    pub(crate) line: Option<u64>,
    reason: String,
}

impl Bad {
    /// The error, once the line is known or cannot be.
    pub(crate) fn error(self, input: &str, line: Option<u64>) -> Error {
        Error::Record { place: place(input, line, self.byte), reason: self.reason }
    }
}

fn place(input: &str, line: Option<u64>, byte: u64) -> String {
    match line {
        Some(line) => format!("{input}:{line} (byte {byte})"),
        None => format!("{input} (byte {byte})"),
    }
}

/// Decodes the records of one reader. See the module.
#[derive(Debug)]
pub(crate) struct Decoder {
    layout: Arc<Layout>,
    kind: Kind,
    builders: Vec<Builder>,
    batch: Batch,
    letters: Vec<Letter>,
    max_time: TimeMs,
}

/// A dead letter whose line is perhaps not known yet.
#[derive(Debug)]
struct Letter {
    byte: u64,
    line: Option<u64>,
    reason: String,
    record: String,
}

#[derive(Debug)]
enum Kind {
    Json(Json),
    /// The first name is the field that takes the line.
    Text(Vec<Slot>),
    Csv(Box<csv::Csv>),
}

impl Decoder {
    pub(crate) fn new(layout: &Arc<Layout>, format: Format) -> Decoder {
        let kind = match format {
            Format::Json => Kind::Json(Json::new(layout)),
            Format::Text => Kind::Text(vec![Slot::MISSING; layout.names.len()]),
            Format::Csv => Kind::Csv(Box::new(csv::Csv::new(layout))),
        };
        let builders = layout.builders();
        Decoder { layout: layout.clone(), kind, builders, batch: Batch::default(), letters: Vec::new(), max_time: TIME_MIN }
    }

    /// Whether the decoder wants whole lines; CSV takes bytes as they come, because a quoted cell may hold line ends.
    pub(crate) fn by_line(&self) -> bool {
        !matches!(self.kind, Kind::Csv(_))
    }

    /// Decodes at most `rows` records from the front of the chunk.
    pub(crate) fn decode(&mut self, chunk: &mut Chunk, rows: usize) -> Result<(), Bad> {
        let rows = rows.clamp(1, self.layout.rows_max) as u64;
        let from = chunk.at;
        let result = if self.by_line() { self.decode_lines(chunk, rows) } else { self.decode_csv(chunk, rows, false) };
        self.batch.bytes += (chunk.at - from) as u64;
        result
    }

    /// The input has ended: a CSV record without line end is complete now.
    pub(crate) fn end(&mut self, chunk: &mut Chunk) -> Result<(), Bad> {
        if self.by_line() { Ok(()) } else { self.decode_csv(chunk, u64::MAX, true) }
    }

    /// Whether the batch takes one more record.
    #[inline]
    fn has_room(&self, rows: u64, bytes: usize) -> bool {
        self.batch.records < rows && bytes < BATCH_BYTES_MAX && self.letters.len() < DEAD_LETTERS_MAX
    }

    fn decode_lines(&mut self, chunk: &mut Chunk, rows: u64) -> Result<(), Bad> {
        let from = chunk.at;
        let base = chunk.base;
        while self.has_room(rows, chunk.at - from) {
            let number = chunk.lines_before.map(|n| n + 1);
            let Some((start, line)) = chunk.next_line() else {
                let Some((start, end)) = chunk.too_long.take() else { break };
                chunk.lines_before = number;
                self.batch.records += 1;
                let reason = too_long();
                let head = &chunk.bytes[start..end];
                self.bad(Place { line: number, byte: base + start as u64 }, reason, head)?;
                break;
            };
            if let Err(reason) = self.line(line) {
                let record = line.bytes;
                self.bad(Place { line: number, byte: base + start as u64 }, reason, record)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn line(&mut self, line: Line<'_>) -> Result<(), String> {
        if line.bytes.is_empty() {
            return Ok(());
        }
        if line.bytes.len() > LINE_BYTES_MAX {
            self.batch.records += 1;
            return Err(too_long());
        }
        let decoded = match &mut self.kind {
            Kind::Json(json) => {
                if is_blank(line.bytes) {
                    return Ok(());
                }
                self.batch.records += 1;
                json.line(line.bytes, line.plain, &self.layout, &mut self.builders)?
            }
            Kind::Text(slots) => {
                self.batch.records += 1;
                if !line.utf8 {
                    return Err("not UTF-8".to_owned());
                }
                slots[0] = Slot::text(Span::new(0, line.bytes.len()));
                let row = Row { slots, record: line.bytes, scratch: &[] };
                Decoded::Stored(row.store(&self.layout, 0, &mut self.builders[0])?)
            }
            Kind::Csv(_) => unreachable!("CSV is not decoded by line"),
        };
        self.note(decoded);
        Ok(())
    }

    #[inline]
    fn note(&mut self, decoded: Decoded) {
        if self.layout.time.is_some()
            && let Decoded::Stored(time) | Decoded::Unselected(Some(time)) = decoded
        {
            self.max_time = self.max_time.max(time);
        }
    }

    fn decode_csv(&mut self, chunk: &mut Chunk, rows: u64, ended: bool) -> Result<(), Bad> {
        let from = chunk.at;
        while self.has_room(rows, chunk.at - from) {
            let Kind::Csv(csv) = &mut self.kind else { return Ok(()) };
            let bytes = if ended { &[][..] } else { &chunk.bytes[chunk.at..chunk.end] };
            let (used, record) = csv.read(bytes, ended);
            let offset = chunk.base + chunk.at as u64;
            chunk.at += used;
            if !record {
                return Ok(());
            }
            let begin = csv.begin(offset + used as u64);
            match csv.store(&self.layout, &mut self.builders) {
                csv::Outcome::Nothing => {}
                csv::Outcome::Stored(decoded) => {
                    self.batch.records += 1;
                    self.note(decoded);
                }
                csv::Outcome::Bad(reason) => {
                    self.batch.records += 1;
                    let (line, text) = (csv.line(), csv.shown());
                    csv.next();
                    self.bad(Place { line: Some(line), byte: begin }, reason, &text)?;
                }
                csv::Outcome::BadHeader(reason) => return Err(Bad { byte: 0, line: Some(1), reason }),
            }
        }
        Ok(())
    }

    #[cold]
    fn bad(&mut self, at: Place, reason: String, record: &[u8]) -> Result<(), Bad> {
        let shown = || String::from_utf8_lossy(&record[..record.len().min(RECORD_SHOWN_MAX)]).into_owned();
        self.batch.bad_count += 1;
        match self.layout.on_error {
            OnError::Fail => {
                self.batch.bad_count -= 1;
                return Err(Bad { byte: at.byte, line: at.line, reason: format!("{reason}: {}", shown()) });
            }
            OnError::DeadLetter if self.letters.len() < DEAD_LETTERS_MAX => {
                self.letters.push(Letter { byte: at.byte, line: at.line, reason, record: shown() });
            }
            OnError::DeadLetter | OnError::Skip => {}
        }
        Ok(())
    }

    /// Hands over what has gathered, as a batch of this split, and the greatest event time in it. `line_of` tells the line that holds a byte
    /// of the input, where that is known; it is asked for dead letters only, in the order of the input.
    pub(crate) fn take(&mut self, split: usize, input: &str, mut line_of: impl FnMut(u64) -> Option<u64>) -> (Batch, TimeMs) {
        let mut batch = std::mem::take(&mut self.batch);
        batch.split = split;
        batch.blocks = self.builders.iter_mut().enumerate().filter_map(|(port, b)| b.finish().map(|block| (port, block))).collect();
        let letter = |Letter { byte, line, reason, record }| {
            let line = line.or_else(|| line_of(byte));
            DeadLetter { place: place(input, line, byte), reason, record }
        };
        batch.bad = self.letters.drain(..).map(letter).collect();
        (batch, std::mem::replace(&mut self.max_time, TIME_MIN))
    }
}

/// Where a bad record stood.
struct Place {
    line: Option<u64>,
    byte: u64,
}

fn too_long() -> String {
    format!("a line of more than {LINE_BYTES_MAX} bytes; is the input really lines?")
}

fn is_blank(line: &[u8]) -> bool {
    // A record begins with a brace: one comparison decides for nearly every line.
    line[0] != b'{' && line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r'))
}
