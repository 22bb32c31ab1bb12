//! CSV with a header line into columns, fed with bytes as they come.
//!
//! Columns may stand in any order and more of them than needed; a needed one that is missing fails the job at once. An empty
//! cell is absent for an optional field, an empty string for a string, and a bad record for a number.

use csv_core::{ReadRecordResult, Reader};
use tidemill_core::block::Builder;
use tidemill_core::connect::RECORD_SHOWN_MAX;
use tidemill_core::schema::Type;

use super::json::Decoded;
use super::layout::{Layout, Wanted};
use super::row::{Row, Slot, Span};
use super::{LINE_BYTES_MAX, too_long};

/// Cells of one record at most: far more than columns, few enough that their ends are never a memory concern.
const CELLS_MAX: usize = 1 << 16;

/// Decodes CSV. See the module.
#[derive(Debug)]
pub(super) struct Csv {
    core: Reader,
    /// The cells of the record being read, one after the other.
    text: Vec<u8>,
    text_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    too_long: bool,
    /// Where the record being read begins.
    begin: Option<u64>,
    begin_line: u64,
    header: Option<Header>,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Header {
    cells: usize,
    /// For each name the cell that holds it.
    of_name: Vec<Option<usize>>,
}

/// What became of a record.
pub(super) enum Outcome {
    /// It was the header.
    Nothing,
    Stored(Decoded),
    Bad(String),
    /// The header does not fit the plan: no record can be right.
    BadHeader(String),
}

impl Csv {
    pub(super) fn new(layout: &Layout) -> Csv {
        Csv {
            core: Reader::new(),
            text: vec![0; 4096],
            text_len: 0,
            ends: vec![0; 64],
            ends_len: 0,
            too_long: false,
            begin: None,
            begin_line: 1,
            header: None,
            slots: vec![Slot::MISSING; layout.names.len()],
        }
    }

    /// Reads on in `bytes`; answers how many were used and whether a record is complete. `ended` says that no more will come.
    pub(super) fn read(&mut self, bytes: &[u8], ended: bool) -> (usize, bool) {
        let mut used = 0;
        loop {
            if used == bytes.len() && !ended {
                return (used, false);
            }
            let (result, read, wrote, cells) =
                self.core.read_record(&bytes[used..], &mut self.text[self.text_len..], &mut self.ends[self.ends_len..]);
            used += read;
            self.text_len += wrote;
            self.ends_len += cells;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record => return (used, true),
                ReadRecordResult::End => return (used, false),
                ReadRecordResult::OutputFull if self.text.len() < LINE_BYTES_MAX => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() < CELLS_MAX => self.ends.resize(self.ends.len() * 2, 0),
                // What follows of the record is written over what came after its head, until it ends.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    self.too_long = true;
                    self.text_len = self.text_len.min(RECORD_SHOWN_MAX);
                    self.ends_len = 0;
                }
            }
        }
    }

    /// Notes that the record now complete ends at `end`; answers where it began, blank lines before it included.
    pub(super) fn begin(&mut self, end: u64) -> u64 {
        self.begin.replace(end).unwrap_or(0)
    }

    /// The line at which the record read last began, from 1.
    pub(super) fn line(&self) -> u64 {
        self.begin_line
    }

    /// The record read last, for a message.
    pub(super) fn shown(&self) -> Vec<u8> {
        if self.too_long {
            return self.text[..RECORD_SHOWN_MAX.min(self.text.len())].to_vec();
        }
        let cells: Vec<&[u8]> = (0..self.ends_len).map(|i| cell(&self.text, &self.ends, i)).collect();
        cells.join(&b","[..])
    }

    /// Turns the complete record into a row, and is ready for the next. [`Csv::shown`] and [`Csv::line`] speak of it until the next read.
    pub(super) fn store(&mut self, layout: &Layout, builders: &mut [Builder]) -> Outcome {
        let outcome = self.outcome(layout, builders);
        if !matches!(outcome, Outcome::Bad(_)) {
            self.next();
        }
        outcome
    }

    /// Forgets the record: for the caller after a bad one has been shown.
    pub(super) fn next(&mut self) {
        self.text_len = 0;
        self.ends_len = 0;
        self.too_long = false;
        self.begin_line = self.core.line();
    }

    fn outcome(&mut self, layout: &Layout, builders: &mut [Builder]) -> Outcome {
        if self.too_long {
            return Outcome::Bad(too_long());
        }
        let cells: usize = self.ends_len;
        let Some(header) = &self.header else {
            return match read_header(layout, &self.text, &self.ends[..cells]) {
                Ok(header) => {
                    self.header = Some(header);
                    Outcome::Nothing
                }
                Err(reason) => Outcome::BadHeader(reason),
            };
        };
        if cells != header.cells {
            return Outcome::Bad(format!("{cells} cells where the header has {}", header.cells));
        }
        let text = |name: usize| header.of_name[name].map(|i| span(&self.ends, i));
        let port = match layout.tag {
            None => Some(0),
            Some(tag) => layout.port_of(text(tag).map_or(&[][..], |s| s.of(&self.text))),
        };
        let time = |slots: &mut [Slot]| -> Result<(), String> {
            let Some(name) = layout.time else { return Ok(()) };
            slots[name] = typed(layout, Wanted { name, ty: Type::I64, optional: false }, text(name), &self.text)?;
            Ok(())
        };
        self.slots.fill(Slot::MISSING);
        let Some(port) = port else {
            // Of a variant that nobody reads only the time counts, where it has one.
            let known = time(&mut self.slots).ok().and(layout.time).and_then(|name| self.slots[name].as_int());
            return Outcome::Stored(Decoded::Unselected(known));
        };
        for wanted in &layout.ports[port].columns {
            match typed(layout, *wanted, text(wanted.name), &self.text) {
                Ok(slot) => self.slots[wanted.name] = slot,
                Err(reason) => return Outcome::Bad(reason),
            }
        }
        if let Err(reason) = time(&mut self.slots) {
            return Outcome::Bad(reason);
        }
        let row = Row { slots: &self.slots, record: &self.text, scratch: &[] };
        match row.store(layout, port, &mut builders[port]) {
            Ok(time) => Outcome::Stored(Decoded::Stored(time)),
            Err(reason) => Outcome::Bad(reason),
        }
    }
}

fn span(ends: &[usize], index: usize) -> Span {
    Span::new(if index == 0 { 0 } else { ends[index - 1] }, ends[index])
}

fn cell<'a>(text: &'a [u8], ends: &[usize], index: usize) -> &'a [u8] {
    span(ends, index).of(text)
}

fn read_header(layout: &Layout, text: &[u8], ends: &[usize]) -> Result<Header, String> {
    let names: Vec<&[u8]> = (0..ends.len()).map(|i| cell(text, ends, i)).collect();
    let shown = || String::from_utf8_lossy(&names.join(&b","[..])).into_owned();
    let mut of_name = Vec::new();
    for (index, name) in layout.names.iter().enumerate() {
        let mut places = (0..names.len()).filter(|&i| names[i] == name.as_bytes());
        let place = places.next();
        if places.next().is_some() {
            return Err(format!("column {name:?} stands twice in the header line {}", shown()));
        }
        let required = |wanted: &Wanted| wanted.name == index && !wanted.optional;
        let needed = layout.tag == Some(index) || layout.time == Some(index) || layout.ports.iter().any(|p| p.columns.iter().any(required));
        if place.is_none() && needed {
            return Err(format!("the job needs column {name:?}, but the header line is {}", shown()));
        }
        of_name.push(place);
    }
    Ok(Header { cells: names.len(), of_name })
}

/// The value of a cell in the type that is wanted of it.
fn typed(layout: &Layout, wanted: Wanted, span: Option<Span>, text: &[u8]) -> Result<Slot, String> {
    let Some(span) = span else { return Ok(Slot::MISSING) };
    let cell = span.of(text);
    let wrong = || {
        let shown = String::from_utf8_lossy(cell);
        format!("field {:?} holds {shown:?} where {} belongs", layout.names[wanted.name], wanted.ty.name())
    };
    if cell.is_empty() && (wanted.optional || !matches!(wanted.ty, Type::String | Type::Bytes)) {
        return if wanted.optional { Ok(Slot::MISSING) } else { Err(wrong()) };
    }
    let slot = match wanted.ty {
        Type::Bytes => Some(Slot::text(span)),
        Type::String => simdutf8::basic::from_utf8(cell).ok().map(|_| Slot::text(span)),
        _ => std::str::from_utf8(cell.trim_ascii()).ok().and_then(|bare| scalar(wanted.ty, bare)),
    };
    slot.ok_or_else(wrong)
}

fn scalar(ty: Type, text: &str) -> Option<Slot> {
    match ty {
        Type::Bool => match text {
            "true" | "1" => Some(Slot::bool(true)),
            "false" | "0" => Some(Slot::bool(false)),
            _ => None,
        },
        Type::I32 => text.parse::<i32>().ok().map(|v| Slot::int(v.into())),
        Type::I64 => text.parse().ok().map(Slot::int),
        // Words such as `inf` and `nan` are no numbers here, as they are none in JSON.
        Type::F64 => text.parse().ok().filter(|v: &f64| v.is_finite()).map(Slot::float),
        Type::String | Type::Bytes => None,
    }
}
