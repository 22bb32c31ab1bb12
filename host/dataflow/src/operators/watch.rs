//! Records at which the job has ended before: given to user code alone, or not at all.
//!
//! An operator in which the last run ended is fed one row a call (carefully), so that the next end shows the row in flight. It is
//! fed blocks again when the suspect has been passed: it was given and nothing happened, or, where it is not known by its content,
//! twice as many records have come as by the end of the last run. What is condemned is never given to user code.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, gather};
use tidemill_core::checkpoint::Keyed;
use tidemill_core::checkpoint::poison::{Watchlist, content};
use tidemill_core::explain::Held;
use tidemill_core::schema::Schema;

use crate::logic::{Context, Given, Logic};
use crate::operators::guest_call::{GuestCall, Shown};
use crate::report::Failure;
use crate::restore::Restored;

/// Records of all workers that may come in another order than in the run before: more than are under way at once.
const SLACK: u64 = 1 << 16;

/// A record that is set aside.
#[derive(Debug)]
pub(crate) struct Condemned {
    pub(crate) content: u64,
    /// The member of the chain that trapped.
    pub(crate) operator: String,
    pub(crate) reason: String,
}

/// The export at which records of an input come to user code, whatever else is called with the same record: a record at which the
/// trigger or the broadcast function traps is set aside before it is given to anybody.
pub(crate) const ENTRY: &str = "process";

/// Under which a call is watched.
fn place(call: &str) -> &str {
    if matches!(call, "trigger" | "apply") { ENTRY } else { call }
}

/// How a part of a block is to be dealt with.
#[derive(Debug)]
pub(crate) enum Piece {
    /// These rows go to user code in one call.
    Rows(Range<u32>),
    /// This row is set aside.
    Aside(u32, Rc<Condemned>),
}

/// The last end in this operator.
#[derive(Debug)]
struct Suspect {
    call: String,
    input: u32,
    content: Option<u64>,
    /// It has been passed when the operator has been given so many records.
    until: u64,
    /// It has been given.
    given: Cell<bool>,
    passed: Cell<bool>,
}

/// What one operator of one worker has to watch. See the module.
#[derive(Debug)]
pub(crate) struct Watch {
    suspect: Option<Suspect>,
    /// By call and input, then by content.
    condemned: HashMap<(String, u32), HashMap<u64, Rc<Condemned>>>,
}

impl Watch {
    /// For the operator of this name; none where it has nothing to watch.
    pub(crate) fn new(list: &Watchlist, entry: &str) -> Option<Rc<Watch>> {
        let suspect = list.suspect.as_ref().filter(|suspect| suspect.entry == entry).map(|suspect| Suspect {
            call: place(&suspect.call).to_owned(),
            input: suspect.input,
            content: suspect.content,
            until: suspect.seen.saturating_mul(2).saturating_add(SLACK),
            given: Cell::new(false),
            passed: Cell::new(false),
        });
        let mut condemned: HashMap<_, HashMap<_, _>> = HashMap::new();
        for one in list.condemned.iter().filter(|one| one.entry == entry) {
            if let Some(content) = one.content {
                let aside = Condemned { content, operator: one.operator.clone(), reason: one.reason.clone() };
                condemned.entry((place(&one.call).to_owned(), one.input)).or_default().insert(content, Rc::new(aside));
            }
        }
        (suspect.is_some() || !condemned.is_empty()).then(|| Rc::new(Watch { suspect, condemned }))
    }

    /// Whether rows are to be given one by one.
    fn is_careful(&self, call: &str, input: u32, cx: &Context) -> bool {
        let Some(suspect) = &self.suspect else { return false };
        // Whoever asks again has come through the call before.
        if suspect.given.get() || cx.counters().records_in.load(Relaxed) > suspect.until {
            suspect.passed.set(true);
        }
        !suspect.passed.get() && (suspect.call.as_str(), suspect.input) == (call, input)
    }

    /// Cuts a block that is to be given to an export.
    pub(crate) fn cut(&self, call: &str, input: u32, block: &Block, cx: &Context) -> Vec<Piece> {
        let careful = self.is_careful(call, input, cx);
        let condemned = self.condemned.get(&(call.to_owned(), input));
        let rows = block.rows() as u32;
        if !careful && condemned.is_none() {
            return vec![Piece::Rows(0..rows)];
        }
        let mut pieces = Vec::new();
        let mut start = 0;
        for row in 0..rows {
            let content = content(block, row as usize);
            let aside = condemned.and_then(|condemned| condemned.get(&content));
            if careful && let Some(suspect) = self.suspect.as_ref().filter(|suspect| suspect.content == Some(content)) {
                suspect.given.set(true);
            }
            if (careful || aside.is_some()) && start < row {
                pieces.push(Piece::Rows(start..row));
                start = row;
            }
            if let Some(aside) = aside {
                pieces.push(Piece::Aside(row, Rc::clone(aside)));
                start = row + 1;
            }
        }
        if start < rows {
            pieces.push(Piece::Rows(start..rows));
        }
        pieces
    }
}

/// Some adjacent rows of a block; they are one or more.
pub(crate) fn part(block: &Block, rows: &Range<u32>, schema: &Schema) -> Block {
    if rows.len() == block.rows() {
        return block.clone();
    }
    let rows: Vec<u32> = rows.clone().collect();
    gather(block, &rows, schema).expect("a piece has a row")
}

/// An operator whose records are watched.
pub(crate) struct Watched {
    inner: Box<dyn Logic>,
    call: GuestCall,
    /// The schema of each input.
    inputs: Vec<Schema>,
    /// Inputs whose records another worker speaks of.
    mute: Vec<usize>,
}

impl Watched {
    /// `call` is one like the operator's own.
    pub(crate) fn new(inner: Box<dyn Logic>, call: GuestCall, inputs: Vec<Schema>, mute: Vec<usize>) -> Watched {
        Watched { inner, call, inputs, mute }
    }
}

impl Logic for Watched {
    fn block(&mut self, input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        let schema = &self.inputs[input];
        for piece in self.call.pieces(ENTRY, input as u32, &block, cx) {
            match piece {
                Piece::Rows(rows) => self.inner.block(input, part(&block, &rows, schema), cx)?,
                // Of a broadcast record every worker has a copy, and one of them speaks of it.
                Piece::Aside(..) if self.mute.contains(&input) => {}
                Piece::Aside(row, condemned) => {
                    self.call.set_aside(row, &condemned, Shown { block: &block, schema, input: input as u32 }, cx)?;
                }
            }
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        self.inner.watermark(watermark, cx)
    }

    fn clock(&mut self, now: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        self.inner.clock(now, cx)
    }

    fn hand_over(&mut self, cx: &mut Context) -> Result<Given, Failure> {
        self.inner.hand_over(cx)
    }

    fn hand_over_more(&mut self, cx: &mut Context) -> Result<Option<Keyed>, Failure> {
        self.inner.hand_over_more(cx)
    }

    fn ahead(&self) -> &[TimeMs] {
        self.inner.ahead()
    }

    fn restore(&mut self, restored: &Restored, watermarks: &[TimeMs], cx: &mut Context) -> Result<(), Failure> {
        self.inner.restore(restored, watermarks, cx)
    }

    fn held(&self) -> Held {
        self.inner.held()
    }

    fn rest(&mut self) -> Result<(), Failure> {
        self.inner.rest()
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.inner.end()
    }
}
