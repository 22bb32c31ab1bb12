//! Windows of any kind with a trigger of their own (semantics.md #14-#16, #19): one list of windows per key, each with the marks of
//! its trigger.
//!
//! What `aligned` and `session` do for the usual trigger is done here for every other one, and for windows that those do not know: the
//! global window, days of a time zone, sessions with a gap of each record. Nothing is shared between windows, so a record costs a
//! step for each window that it is in.
//!
//! Promises: a window that has something due waits under the earliest of its times in each domain, and time that passes several of
//! them comes to each in order; a window that was emptied by its firing goes on, and does not fire before it has a record
//! again. A global window is never let go, since nothing says that its key is done.

use std::collections::BTreeMap;

use tidemill_core::checkpoint::Keyed;
use tidemill_core::guest::Slot;
use tidemill_core::key;
use tidemill_core::plan::Domain;
use tidemill_core::trigger::{At, Machine};
use tidemill_core::window::Window;
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

use super::Rows;
use super::asked::{self, Pending};
use super::assign::Assign;
use super::work::{Names, Owner, Work};
use crate::keyed::{KeyMap, for_each_key};
use crate::ledger::Pages;
use crate::logic::Context;
use crate::report::Failure;
use crate::restore::Restored;

/// The mark of a time that is not set: no window waits for it.
pub(super) const NEVER: TimeMs = TIME_MAX;

/// Who says when a window fires.
pub(super) enum Decides {
    /// A declared trigger; what fires is emptied where `purge` says so.
    Host { machine: Machine, purge: bool },
    /// The component. The marks of a window are the times it asked for, in event and in processing time.
    Guest,
}

/// One window of one key.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) window: Window,
    pub(super) slot: Slot,
    /// Tells it from the key's other windows in a checkpoint.
    pub(super) number: i64,
    pub(super) fired: i32,
    /// It has records.
    pub(super) filled: bool,
    /// Some have come since it fired last.
    pub(super) fresh: bool,
    pub(super) marks: Vec<i64>,
    /// The times it waits for, in event and in processing time.
    pub(super) waits: [TimeMs; 2],
    /// How often the component was asked in one advance of time, and in which.
    pub(super) asked: (u64, u32),
}

/// Windows that wait, by time, key and number.
type Due = BTreeMap<TimeMs, Vec<(u32, i64)>>;

/// See the module.
pub(super) struct Triggered {
    /// The operator's.
    pub(super) name: String,
    pub(super) assign: Assign,
    pub(super) decides: Decides,
    domain: Domain,
    lateness_ms: TimeMs,
    pub(super) keys: KeyMap<Vec<Open>>,
    due: [Due; 2],
    next_number: i64,
    /// Event and processing time.
    pub(super) now: [TimeMs; 2],
    /// Records that the component is still to be asked about.
    pub(super) pending: Vec<Pending>,
    /// Windows of the record at hand.
    windows: Vec<Window>,
    /// Time comes to its end.
    pub(super) ends: bool,
    /// How many times it has gone on.
    pub(super) advances: u64,
}

/// The place of a domain in what is kept for both.
pub(super) fn place(domain: Domain) -> usize {
    match domain {
        Domain::Event => 0,
        Domain::Processing => 1,
    }
}

impl Triggered {
    pub(super) fn new(name: &str, assign: Assign, decides: Decides, domain: Domain, lateness_ms: TimeMs) -> Triggered {
        Triggered {
            name: name.to_owned(),
            assign,
            decides,
            domain,
            lateness_ms,
            keys: KeyMap::default(),
            due: [Due::new(), Due::new()],
            next_number: 0,
            now: [TIME_MIN; 2],
            pending: Vec::new(),
            windows: Vec::new(),
            ends: false,
            advances: 0,
        }
    }

    /// Adds the rows of a block; too late ones go to `late`.
    pub(super) fn add(&mut self, rows: &Rows<'_>, work: &mut Work, late: &mut Vec<u32>, cx: &mut Context) -> Result<(), Failure> {
        self.now[place(Domain::Processing)] = cx.at.now;
        self.now[place(self.domain)] = rows.watermark;
        let times = rows.block.times();
        let key_columns = work.key(rows.input);
        let (domain, lateness_ms) = (self.domain, self.lateness_ms);
        let over = |w: &Window| domain == Domain::Event && w.is_late(lateness_ms, rows.watermark);
        let mut result = Ok(());
        for_each_key(rows.block, &key_columns, |row, hash, key| {
            if result.is_err() {
                return;
            }
            let time = rows.now.unwrap_or_else(|| times.get(row));
            self.windows.clear();
            let any = self.assign.windows(rows.block, row, time, &mut self.windows);
            let windows = std::mem::take(&mut self.windows);
            let mut kept = !any;
            let index = self.keys.index(hash, key, Vec::new);
            for &window in &windows {
                let opened = if self.assign.merges() {
                    self.merged(index, window, over(&window), work, rows, cx)
                } else {
                    Ok(self.opened(index, window, over(&window), work))
                };
                match opened {
                    Ok(Some(at)) => {
                        kept = true;
                        result = self.added(index, at, (row, time), rows, work, cx);
                    }
                    Ok(None) => {}
                    Err(failure) => result = Err(failure),
                }
            }
            self.windows = windows;
            if self.keys.value(index).is_some_and(Vec::is_empty) {
                self.keys.remove(index);
            }
            if !kept {
                late.push(row as u32);
            }
        });
        result?;
        self.settle(rows, work, cx)?;
        work.flush(rows.input, rows.block, &self.keys, cx)
    }

    /// The marks of a new window.
    fn marks(&self) -> Vec<i64> {
        match &self.decides {
            Decides::Host { machine, .. } => machine.marks(),
            Decides::Guest => vec![NEVER; 2],
        }
    }

    /// The place of a window in its key's list; it is opened where it is not there, unless it is over.
    fn opened(&mut self, index: u32, window: Window, over: bool, work: &mut Work) -> Option<usize> {
        let list = self.keys.get_mut(index).expect("the key was just looked up");
        if let Some(at) = list.iter().position(|open| open.window == window) {
            return Some(at);
        }
        (!over).then(|| self.open(index, window, work))
    }

    fn open(&mut self, index: u32, window: Window, work: &mut Work) -> usize {
        let (slot, number) = (work.slot(), self.next_number);
        self.next_number += 1;
        work.born(slot, Owner { namespace: number, key: index }, self.keys.key(index).expect("the key was just looked up"));
        let marks = self.marks();
        let open = Open { window, slot, number, fired: 0, filled: false, fresh: false, marks, waits: [NEVER; 2], asked: (0, 0) };
        let list = self.keys.get_mut(index).expect("the key was just looked up");
        list.push(open);
        list.len() - 1
    }

    /// The place of the session that a record's own window is part of, after it has taken in all that it touches.
    fn merged(
        &mut self,
        index: u32,
        own: Window,
        over: bool,
        work: &mut Work,
        rows: &Rows<'_>,
        cx: &mut Context,
    ) -> Result<Option<usize>, Failure> {
        if self.keys.value(index).is_some_and(|list| list.iter().filter(|open| open.window.touches(&own)).count() > 1) {
            // What the component says about a window is about that window, not about one that it became part of.
            self.settle(rows, work, cx)?;
        }
        let list = self.keys.get_mut(index).expect("the key was just looked up");
        let Some(first) = list.iter().position(|open| open.window.touches(&own)) else {
            return Ok((!over).then(|| self.open(index, own, work)));
        };
        let mut window = list[first].window.cover(&own);
        let mut gone = Vec::new();
        let mut at = first + 1;
        while at < list.len() {
            if list[at].window.touches(&window) {
                let other = list.swap_remove(at);
                window = window.cover(&other.window);
                gone.push(other);
                // What did not touch before may touch the grown window.
                at = first + 1;
            } else {
                at += 1;
            }
        }
        let grown = list[first].window != window;
        list[first].window = window;
        let at = At { window, event: self.now[0], processing: self.now[1] };
        let open = &mut list[first];
        for other in &gone {
            match &self.decides {
                Decides::Host { machine, .. } => machine.merge(&mut open.marks, &other.marks, &at),
                Decides::Guest => asked::merge(&mut open.marks, &other.marks),
            }
            open.fired = open.fired.max(other.fired);
            (open.filled, open.fresh) = (open.filled || other.filled, open.fresh || other.fresh);
            work.merge(open.slot, other.slot);
        }
        if let Decides::Host { machine, .. } = &self.decides
            && grown
        {
            machine.grown(&mut open.marks, &at);
        }
        let key = self.keys.key(index).expect("the key was just looked up");
        gone.iter().for_each(|other| work.ledger.died(other.slot, key, &other.number.to_le_bytes()));
        if !gone.is_empty() {
            work.flush(rows.input, rows.block, &self.keys, cx)?;
        }
        Ok(Some(first))
    }

    /// A record has come to a window.
    fn added(
        &mut self,
        index: u32,
        at: usize,
        (row, time): (usize, TimeMs),
        rows: &Rows<'_>,
        work: &mut Work,
        cx: &mut Context,
    ) -> Result<(), Failure> {
        let list = self.keys.get_mut(index).expect("the key was just looked up");
        let open = &mut list[at];
        let Decides::Host { machine, .. } = &self.decides else {
            self.pending.push(Pending { row: row as u32, time, key: index, number: open.number });
            return Ok(());
        };
        work.assign(row, open.slot);
        (open.filled, open.fresh) = (true, true);
        let moment = At { window: open.window, event: self.now[0], processing: self.now[1] };
        if machine.record(&mut open.marks, &moment, time) {
            work.flush(rows.input, rows.block, &self.keys, cx)?;
            self.fire(index, at, time, work);
            work.fire_all(cx)?;
            self.empty(index, at, work, cx)?;
        }
        self.wait(index, at);
        Ok(())
    }

    /// Puts a window on the list of those to fire. `time` is when; it is the result's time where the window has no end.
    pub(super) fn fire(&mut self, index: u32, at: usize, time: TimeMs, work: &mut Work) {
        let key = self.keys.key(index).expect("the window's key is live").to_vec();
        let list = self.keys.get_mut(index).expect("the window's key is live");
        let open = &mut list[at];
        if let Decides::Host { machine, .. } = &self.decides {
            machine.fired(&mut open.marks);
        }
        if open.filled {
            let time = if self.assign.is_endless() { time } else { open.window.max_time() };
            work.fire_at(time, open.window, open.fired, &key, [open.slot]);
            open.fired += 1;
        }
        open.fresh = false;
        work.ledger.touch(open.slot);
    }

    /// Empties a window that has fired, where the trigger says so.
    fn empty(&mut self, index: u32, at: usize, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let open = &mut self.keys.get_mut(index).expect("the window's key is live")[at];
        if matches!(self.decides, Decides::Host { purge: true, .. }) && std::mem::take(&mut open.filled) {
            work.ledger.touch(open.slot);
            return work.compute.drop_slots(&[open.slot], cx);
        }
        Ok(())
    }

    /// When a window goes; never where it has no end.
    fn cleanup(&self, window: &Window) -> TimeMs {
        if self.assign.is_endless() { NEVER } else { window.cleanup_time(self.lateness_ms) }
    }

    /// Lets a window wait for the next of its times.
    pub(super) fn wait(&mut self, index: u32, at: usize) {
        let window = self.keys.value(index).expect("the window's key is live")[at].window;
        let cleanup = self.cleanup(&window);
        let domain = self.domain;
        let open = &mut self.keys.get_mut(index).expect("the window's key is live")[at];
        for of in [Domain::Event, Domain::Processing] {
            let due = match &self.decides {
                Decides::Host { machine, .. } => machine.due(&open.marks, &window, of).unwrap_or(NEVER),
                Decides::Guest => open.marks[place(of)],
            };
            let due = if of == domain { due.min(cleanup) } else { due };
            let waits = &mut open.waits[place(of)];
            if *waits != due {
                *waits = due;
                if due != NEVER {
                    self.due[place(of)].entry(due).or_default().push((index, open.number));
                }
            }
        }
    }

    /// Time in a domain has come to `to`: everything due by then, in order.
    pub(super) fn advance(&mut self, of: Domain, to: TimeMs, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let domain = place(of);
        // What held for the rows that were added last may be ahead of what holds for all keys.
        self.now[place(Domain::Event)] = cx.at.watermark;
        self.ends = to == TIME_MAX;
        self.advances += 1;
        while let Some(entry) = self.due[domain].first_entry().filter(|entry| *entry.key() <= to) {
            let (time, waiting) = entry.remove_entry();
            self.now[domain] = self.now[domain].max(time);
            let waiting = self.woken(domain, time, waiting);
            match self.decides {
                Decides::Host { .. } => self.time_passed(time, &waiting, work, cx)?,
                Decides::Guest => self.ask_about_time(of, time, &waiting, work, cx)?,
            }
            let mut over = Vec::new();
            for (index, number) in waiting {
                let Some(at) = self.find(index, number) else { continue };
                let open = &self.keys.value(index).expect("the window's key is live")[at];
                if of == self.domain && self.cleanup(&open.window) <= time {
                    over.push((index, number));
                } else {
                    work.ledger.touch(open.slot);
                    self.wait(index, at);
                }
            }
            self.let_go(over, work, cx)?;
        }
        self.now[domain] = self.now[domain].max(to);
        Ok(())
    }

    /// The windows that still wait for a time, and do so no longer.
    fn woken(&mut self, domain: usize, time: TimeMs, mut waiting: Vec<(u32, i64)>) -> Vec<(u32, i64)> {
        waiting.retain(|&(index, number)| {
            let open = self.keys.get_mut(index).and_then(|list| list.iter_mut().find(|open| open.number == number));
            open.is_some_and(|open| open.waits[domain] == time && std::mem::replace(&mut open.waits[domain], NEVER) == time)
        });
        waiting
    }

    /// The place of a window in its key's list.
    pub(super) fn find(&self, index: u32, number: i64) -> Option<usize> {
        self.keys.value(index)?.iter().position(|open| open.number == number)
    }

    /// A time that windows have waited for has come.
    fn time_passed(&mut self, time: TimeMs, waiting: &[(u32, i64)], work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let mut fired = Vec::new();
        for &(index, number) in waiting {
            let Some(at) = self.find(index, number) else { continue };
            let Decides::Host { machine, .. } = &self.decides else { continue };
            let open = &mut self.keys.get_mut(index).expect("the window's key is live")[at];
            let moment = At { window: open.window, event: self.now[0], processing: self.now[1] };
            let fresh = open.fresh;
            if machine.time(&mut open.marks, &moment, fresh) {
                self.fire(index, at, time, work);
                fired.push((index, number));
            }
        }
        work.fire_all(cx)?;
        for (index, number) in fired {
            self.find(index, number).map_or(Ok(()), |at| self.empty(index, at, work, cx))?;
        }
        Ok(())
    }

    fn let_go(&mut self, over: Vec<(u32, i64)>, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let mut slots = Vec::with_capacity(over.len());
        for (index, number) in over {
            let Some(list) = self.keys.get_mut(index) else { continue };
            let Some(at) = list.iter().position(|open| open.number == number) else { continue };
            slots.push(list.swap_remove(at).slot);
            let (slot, empty) = (slots[slots.len() - 1], list.is_empty());
            let key = self.keys.key(index).expect("the window's key is live");
            work.ledger.died(slot, key, &number.to_le_bytes());
            if empty {
                self.keys.remove(index);
            }
        }
        work.release(slots, cx)
    }

    /// Hands over the windows that have changed, at once.
    pub(super) fn hand_over(&mut self, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        work.hand_over_whole(&self.keys, cx)
    }

    /// Says what is gone.
    pub(super) fn hand_over_more(&mut self, work: &mut Work, cx: &mut Context) -> Result<Option<Keyed>, Failure> {
        work.hand_over_more(&self.keys, cx)
    }

    /// Takes windows back. Where the trigger is another than the one that was saved, its marks begin anew.
    pub(super) fn restore(&mut self, restored: &Restored, watermark: TimeMs, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        self.now[0] = watermark;
        let schema = work.compute.state_schema();
        let other = restored.differs(&schema);
        restored.pages(|page| {
            let (mut rows, mut slots) = (Vec::new(), Vec::new());
            for row in 0..page.rows() {
                let (key, slot) = (page.key(row), work.slot());
                let open = page.host(row).and_then(|host| Open::decode(slot, page.namespace(row), host));
                let mut open = open.ok_or_else(|| restored.failure("a window without bounds"))?;
                let marks = self.marks();
                if open.marks.len() != marks.len() {
                    open.marks = marks;
                }
                let index = self.keys.index(key::hash(key), key, Vec::new);
                self.next_number = self.next_number.max(open.number + 1);
                work.born(slot, Owner { namespace: open.number, key: index }, key);
                work.ledger.restored(slot, other);
                // What a trigger of the component keeps is there also where nothing is left in the window.
                if open.filled || matches!(self.decides, Decides::Guest) {
                    rows.push(row as u32);
                    slots.push(slot);
                }
                let list = self.keys.get_mut(index).expect("the key was just looked up");
                list.push(open);
                let at = list.len() - 1;
                self.wait(index, at);
            }
            match page.state(&rows, &schema) {
                Some(state) => work.compute.import(&slots, &state, cx),
                None => Ok(()),
            }
        })
    }
}

/// The namespace is the window's number.
impl Names for KeyMap<Vec<Open>> {
    fn row(&self, slot: Slot, owner: Owner, pages: &mut Pages) {
        let open = self.value(owner.key).and_then(|list| list.iter().find(|open| open.slot == slot));
        let key = self.key(owner.key).expect("a live window's key is live");
        pages.row(key, &owner.namespace.to_le_bytes(), Some(&open.expect("a live slot has a window").encode()));
    }
}

impl Open {
    /// Bounds, firings, what it has, and its trigger's marks.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(22 + 8 * self.marks.len());
        bytes.extend_from_slice(&self.window.start.to_le_bytes());
        bytes.extend_from_slice(&self.window.end.to_le_bytes());
        bytes.extend_from_slice(&self.fired.to_le_bytes());
        bytes.extend([u8::from(self.filled), u8::from(self.fresh)]);
        self.marks.iter().for_each(|mark| bytes.extend_from_slice(&mark.to_le_bytes()));
        bytes
    }

    fn decode(slot: Slot, namespace: &[u8], host: &[u8]) -> Option<Open> {
        let (start, rest) = host.split_first_chunk::<8>()?;
        let (end, rest) = rest.split_first_chunk::<8>()?;
        let (fired, rest) = rest.split_first_chunk::<4>()?;
        let ([filled, fresh], rest) = rest.split_first_chunk::<2>()?;
        let (marks, []) = rest.as_chunks::<8>() else { return None };
        let window = Window { start: TimeMs::from_le_bytes(*start), end: TimeMs::from_le_bytes(*end) };
        let number = i64::from_le_bytes(namespace.try_into().ok()?);
        let marks = marks.iter().map(|mark| i64::from_le_bytes(*mark)).collect();
        let (filled, fresh) = (*filled != 0, *fresh != 0);
        Some(Open { window, slot, number, fired: i32::from_le_bytes(*fired), filled, fresh, marks, waits: [NEVER; 2], asked: (0, 0) })
    }
}
