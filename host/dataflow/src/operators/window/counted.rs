//! Windows of a number of records (semantics.md #16), as panes: a pane has as many records as divide both the size and the slide, a
//! window is the last few panes, and fires when the slide's last record has come.
//!
//! The bounds of a window are those of its records' times. A window that is not full at the end of the input never fires. With
//! `or-after` it fires all the same when its first record is so old, and another one begins.

use std::collections::{BTreeMap, VecDeque};

use tidemill_core::checkpoint::Keyed;
use tidemill_core::guest::Slot;
use tidemill_core::key;
use tidemill_core::plan::{Domain, OrAfter};
use tidemill_core::window::Window;
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

use super::Rows;
use super::work::{Names, Owner, Work};
use crate::keyed::{KeyMap, for_each_key};
use crate::ledger::Pages;
use crate::logic::Context;
use crate::report::Failure;
use crate::restore::Restored;

/// No time is waited for.
const NEVER: TimeMs = TIME_MAX;

/// Some records of a key, next to each other.
#[derive(Clone, Copy, Debug)]
struct Pane {
    slot: Slot,
    /// Tells it from the key's other panes in a checkpoint; later ones are greater.
    number: i64,
    records: u64,
    least: TimeMs,
    greatest: TimeMs,
}

/// What there is of a key.
#[derive(Debug)]
struct Line {
    panes: VecDeque<Pane>,
    /// Records since the last firing.
    since: u64,
    /// When it fires although it is not full.
    due: TimeMs,
}

/// See the module.
pub(super) struct Counted {
    per_pane: u64,
    panes: usize,
    slide: u64,
    or_after: Option<OrAfter>,
    keys: KeyMap<Line>,
    due: BTreeMap<TimeMs, Vec<u32>>,
    next_number: i64,
}

impl Counted {
    pub(super) fn new(records: u64, slide: Option<u64>, or_after: Option<OrAfter>) -> Counted {
        let slide = slide.unwrap_or(records);
        let per_pane = greatest_common_divisor(records, slide);
        let panes = (records / per_pane) as usize;
        Counted { per_pane, panes, slide, or_after, keys: KeyMap::default(), due: BTreeMap::new(), next_number: 0 }
    }

    /// Adds the rows of a block; none is ever late.
    pub(super) fn add(&mut self, rows: &Rows<'_>, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let times = rows.block.times();
        let key_columns = work.key(rows.input);
        let mut result = Ok(());
        for_each_key(rows.block, &key_columns, |row, hash, key| {
            if result.is_ok() {
                let time = rows.now.unwrap_or_else(|| times.get(row));
                let index = self.keys.index(hash, key, || Line { panes: VecDeque::new(), since: 0, due: NEVER });
                result = self.add_row(index, row, time, rows, work, cx);
            }
        });
        result?;
        work.flush(rows.input, rows.block, &self.keys, cx)
    }

    fn add_row(&mut self, index: u32, row: usize, time: TimeMs, rows: &Rows<'_>, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let line = self.keys.get_mut(index).expect("the key was just looked up");
        if line.panes.back().is_none_or(|pane| pane.records == self.per_pane) {
            let pane = Pane { slot: work.slot(), number: self.next_number, records: 0, least: TIME_MAX, greatest: TIME_MIN };
            self.next_number += 1;
            line.panes.push_back(pane);
            let key = self.keys.key(index).expect("the key was just looked up");
            work.born(pane.slot, Owner { namespace: pane.number, key: index }, key);
        }
        let line = self.keys.get_mut(index).expect("the key was just looked up");
        let pane = line.panes.back_mut().expect("a pane was just made");
        pane.records += 1;
        (pane.least, pane.greatest) = (pane.least.min(time), pane.greatest.max(time));
        work.assign(row, pane.slot);
        line.since += 1;
        if let Some(after) = self.or_after.filter(|_| line.since == 1) {
            let from = if after.domain == Domain::Event { time } else { cx.at.now };
            line.due = from.saturating_add(after.ms);
            self.due.entry(line.due).or_default().push(index);
        }
        let overdue = self.or_after.is_some_and(|after| self.keys.value(index).is_some_and(|line| line.due <= now(after.domain, cx)));
        let full = self.keys.value(index).is_some_and(|line| line.since == self.slide);
        if full || overdue {
            work.flush(rows.input, rows.block, &self.keys, cx)?;
            self.fire(index, work);
            work.fire_all(cx)?;
        }
        let slots = self.leave(index, full || overdue, work);
        if !slots.is_empty() {
            work.flush(rows.input, rows.block, &self.keys, cx)?;
        }
        work.release(slots, cx)
    }

    /// Puts the window of a key on the list of those to fire.
    fn fire(&mut self, index: u32, work: &mut Work) {
        let key = self.keys.key(index).expect("a key with panes is live").to_vec();
        let line = self.keys.get_mut(index).expect("a key with panes is live");
        (line.since, line.due) = (0, NEVER);
        let first = line.panes.len().saturating_sub(self.panes);
        let panes = line.panes.range(first..);
        let least = panes.clone().map(|pane| pane.least).min().unwrap_or(TIME_MIN);
        let greatest = panes.clone().map(|pane| pane.greatest).max().unwrap_or(TIME_MIN);
        let window = Window { start: least, end: greatest.saturating_add(1) };
        work.fire_at(greatest, window, 0, &key, panes.map(|pane| pane.slot));
        if let Some(last) = line.panes.back() {
            work.ledger.touch(last.slot);
        }
    }

    /// Takes the panes off that no window needs any more; their slots are to be released.
    fn leave(&mut self, index: u32, fired: bool, work: &mut Work) -> Vec<Slot> {
        let line = self.keys.get_mut(index).expect("a key with panes is live");
        // A window that fires next has `slide` more records, and `panes` panes with them.
        let coming = (self.slide / self.per_pane) as usize;
        let most = if fired { self.panes.saturating_sub(coming) } else { self.panes };
        let gone: Vec<Pane> = line.panes.drain(..line.panes.len().saturating_sub(most)).collect();
        let empty = line.panes.is_empty();
        let key = self.keys.key(index).expect("a key with panes is live");
        gone.iter().for_each(|pane| work.ledger.died(pane.slot, key, &pane.number.to_le_bytes()));
        if empty {
            self.keys.remove(index);
        }
        gone.into_iter().map(|pane| pane.slot).collect()
    }

    /// Time in a domain has come to `to`.
    pub(super) fn advance(&mut self, of: Domain, to: TimeMs, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        if self.or_after.is_none_or(|after| after.domain != of) {
            return Ok(());
        }
        while let Some(entry) = self.due.first_entry().filter(|entry| *entry.key() <= to) {
            let (time, keys) = entry.remove_entry();
            let mut slots = Vec::new();
            for index in keys {
                if self.keys.value(index).is_some_and(|line| line.due == time) {
                    self.fire(index, work);
                    slots.extend(self.leave(index, true, work));
                }
            }
            work.fire_all(cx)?;
            work.release(slots, cx)?;
        }
        Ok(())
    }

    /// When each window that is not full fires all the same, where it does.
    pub(super) fn each_open(&self, mut each: impl FnMut(Domain, Option<TimeMs>)) {
        let domain = self.or_after.map_or(Domain::Processing, |after| after.domain);
        let lines = self.keys.iter().map(|(.., line)| line).filter(|line| line.since > 0);
        lines.for_each(|line| each(domain, Some(line.due).filter(|due| *due != NEVER)));
    }

    /// Hands over the panes that have changed, at once.
    pub(super) fn hand_over(&mut self, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        work.hand_over_whole(&self.keys, cx)
    }

    /// Says what is gone.
    pub(super) fn hand_over_more(&mut self, work: &mut Work, cx: &mut Context) -> Result<Option<Keyed>, Failure> {
        work.hand_over_more(&self.keys, cx)
    }

    /// Takes panes back.
    pub(super) fn restore(&mut self, restored: &Restored, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let schema = work.compute.state_schema();
        let other = restored.differs(&schema);
        restored.pages(|page| {
            let mut slots = Vec::new();
            for row in 0..page.rows() {
                let (key, slot) = (page.key(row), work.slot());
                let numbers = page.host(row).and_then(|host| Some((host.as_chunks::<8>().0, page.namespace(row).try_into().ok()?)));
                let Some((&[records, least, greatest, since, due], number)) =
                    numbers.and_then(|(n, name)| Some((n.first_chunk::<5>()?, name)))
                else {
                    return Err(restored.failure("a pane of counted records is cut short"));
                };
                let [records, least, greatest, since, due] = [records, least, greatest, since, due].map(i64::from_le_bytes);
                let pane = Pane { slot, number: i64::from_le_bytes(number), records: records as u64, least, greatest };
                self.next_number = self.next_number.max(pane.number + 1);
                let index = self.keys.index(key::hash(key), key, || Line { panes: VecDeque::new(), since: 0, due: NEVER });
                work.born(slot, Owner { namespace: pane.number, key: index }, key);
                work.ledger.restored(slot, other);
                let line = self.keys.get_mut(index).expect("the key was just looked up");
                let at = line.panes.partition_point(|other| other.number < pane.number);
                if at == line.panes.len() {
                    // What is of the whole key stands with each pane as it was when that changed; the last one is right.
                    (line.since, line.due) = (since as u64, due);
                }
                line.panes.insert(at, pane);
                if due != NEVER {
                    self.due.entry(due).or_default().push(index);
                }
                slots.push(slot);
            }
            let rows: Vec<u32> = (0..page.rows() as u32).collect();
            match page.state(&rows, &schema) {
                Some(state) => work.compute.import(&slots, &state, cx),
                None => Ok(()),
            }
        })
    }
}

/// The namespace is the pane's number.
impl Names for KeyMap<Line> {
    fn row(&self, slot: Slot, owner: Owner, pages: &mut Pages) {
        let line = self.value(owner.key).expect("a live slot's key is live");
        let pane = line.panes.iter().find(|pane| pane.slot == slot).expect("a live slot has a pane");
        let host = [pane.records as i64, pane.least, pane.greatest, line.since as i64, line.due].map(i64::to_le_bytes).concat();
        pages.row(self.key(owner.key).expect("a live slot's key is live"), &owner.namespace.to_le_bytes(), Some(&host));
    }
}

fn now(domain: Domain, cx: &Context) -> TimeMs {
    match domain {
        Domain::Event => cx.at.watermark,
        Domain::Processing => cx.at.now,
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
