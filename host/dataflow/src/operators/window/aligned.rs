//! Tumbling and sliding windows as panes (semantics.md #9-#13, #21).
//!
//! A window is a run of whole **panes**: one for tumbling windows, `size / slide` of them where the slide divides the
//! size, so that a record is added once and shared by all its windows. Where it does not divide, each
//! window is a pane of its own and a record is added to every one.
//!
//! Invariant: a pane lives until its last window is past its allowed lateness; a window fires once when the watermark
//! passes its last millisecond, and again at once for each later record that is not too late (#7).

use std::collections::BTreeSet;

use tidemill_core::checkpoint::Keyed;
use tidemill_core::guest::Slot;
use tidemill_core::key;
use tidemill_core::window::{Window, panes_per_window, sliding, window_start};
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

use super::Rows;
use super::firings::Firings;
use super::work::{Names, Owner, Work};
use crate::keyed::{KeyMap, for_each_key};
use crate::ledger::Pages;
use crate::logic::Context;
use crate::operators::ahead::Ahead;
use crate::report::Failure;
use crate::restore::{Page, Restored};

/// The records of a stretch of time, by key.
struct Pane {
    start: TimeMs,
    keys: KeyMap<Slot>,
}

struct Panes(Vec<Pane>);

impl std::ops::Deref for Panes {
    type Target = Vec<Pane>;

    fn deref(&self) -> &Vec<Pane> {
        &self.0
    }
}

impl std::ops::DerefMut for Panes {
    fn deref_mut(&mut self) -> &mut Vec<Pane> {
        &mut self.0
    }
}

/// The namespace is the pane's beginning.
impl Names for Panes {
    fn row(&self, _: Slot, owner: Owner, pages: &mut Pages) {
        let pane = self.binary_search_by_key(&owner.namespace, |p| p.start).expect("a live slot's pane is live");
        let key = self[pane].keys.key(owner.key).expect("a live slot's key is live");
        pages.row(key, &owner.namespace.to_le_bytes(), None);
    }
}

/// See the module.
pub(super) struct Aligned {
    size_ms: TimeMs,
    slide_ms: TimeMs,
    offset_ms: TimeMs,
    lateness_ms: TimeMs,
    /// Panes are shared by windows.
    shared: bool,
    /// By start.
    panes: Panes,
    /// The pane of the last record: the next one is probably in it too.
    last: usize,
    /// The watermark up to which windows have fired.
    fired_to: TimeMs,
    /// No window is due before this watermark.
    next_due: TimeMs,
    /// How often a window has fired, by end and key; kept only with allowed lateness.
    firings: Firings,
}

impl Aligned {
    pub(super) fn new(size_ms: TimeMs, slide_ms: TimeMs, offset_ms: TimeMs, lateness_ms: TimeMs) -> Aligned {
        Aligned {
            size_ms,
            slide_ms,
            offset_ms,
            lateness_ms,
            shared: panes_per_window(size_ms, slide_ms).is_some(),
            panes: Panes(Vec::new()),
            last: 0,
            fired_to: TIME_MIN,
            next_due: TIME_MAX,
            firings: Firings::default(),
        }
    }

    /// Adds the rows of a block; too late ones go to `late`.
    pub(super) fn add(&mut self, given: &Rows<'_>, work: &mut Work, late: &mut Vec<u32>, cx: &mut Context) -> Result<(), Failure> {
        let Rows { input, block, now, watermark } = *given;
        let times = block.times();
        let key = work.key(input);
        let mut result = Ok(());
        for_each_key(block, &key, |row, hash, key| {
            if result.is_err() {
                return;
            }
            let time = now.unwrap_or_else(|| times.get(row));
            if !self.add_row(row, time, hash, key, watermark, work) {
                late.push(row as u32);
            } else if self.lateness_ms > 0 {
                result = self.refire(given, time, hash, key, work, cx);
            }
        });
        result?;
        work.flush(input, block, &self.panes, cx)
    }

    /// Files a row under its panes; false when all its windows are too late.
    fn add_row(&mut self, row: usize, time: TimeMs, hash: u64, key: &[u8], watermark: TimeMs, work: &mut Work) -> bool {
        if self.shared {
            let start = match self.panes.get(self.last) {
                Some(pane) if pane.start <= time && time.checked_sub(pane.start).is_some_and(|into| into < self.slide_ms) => pane.start,
                _ => window_start(time, self.offset_ms, self.slide_ms),
            };
            if self.window(start).is_late(self.lateness_ms, watermark) {
                return false;
            }
            let slot = self.slot(start, hash, key, work);
            work.assign(row, slot);
            return true;
        }
        let mut any = false;
        for window in sliding(time, self.offset_ms, self.size_ms, self.slide_ms) {
            if !window.is_late(self.lateness_ms, watermark) {
                let slot = self.slot(window.start, hash, key, work);
                work.assign(row, slot);
                any = true;
            }
        }
        // A slide longer than the size leaves gaps: a record in one belongs to no window, which is not late.
        any || sliding(time, self.offset_ms, self.size_ms, self.slide_ms).next().is_none()
    }

    fn window(&self, start: TimeMs) -> Window {
        Window { start, end: start.saturating_add(self.size_ms) }
    }

    fn slot(&mut self, start: TimeMs, hash: u64, key: &[u8], work: &mut Work) -> Slot {
        if self.panes.get(self.last).is_none_or(|pane| pane.start != start) {
            self.last = match self.panes.binary_search_by_key(&start, |p| p.start) {
                Ok(index) => index,
                Err(index) => {
                    self.panes.insert(index, Pane { start, keys: KeyMap::default() });
                    self.note_due(start);
                    index
                }
            };
        }
        let keys = &mut self.panes[self.last].keys;
        let mut new = false;
        let index = keys.index(hash, key, || {
            new = true;
            work.slot()
        });
        let slot = *keys.get_mut(index).expect("the key was just looked up");
        if new {
            work.born(slot, Owner { namespace: start, key: index }, key);
        }
        slot
    }

    /// The ends of the windows that a pane is part of, earliest first.
    fn ends(&self, start: TimeMs) -> impl Iterator<Item = TimeMs> + use<> {
        let (size_ms, step) = (self.size_ms, if self.shared { self.slide_ms } else { self.size_ms });
        (1..=size_ms / step).map(move |i| start.saturating_add(step.saturating_mul(i)))
    }

    /// The panes with windows that have not fired: how many keys each has, and the last millisecond of the first of its windows.
    pub(super) fn each_open(&self, mut each: impl FnMut(u64, TimeMs)) {
        for pane in self.panes.iter() {
            if let Some(last) = self.ends(pane.start).map(|end| end.saturating_sub(1)).find(|last| *last > self.fired_to) {
                each(pane.keys.iter().count() as u64, last);
            }
        }
    }

    fn note_due(&mut self, start: TimeMs) {
        let fired_to = self.fired_to;
        let due = self.ends(start).map(|end| end.saturating_sub(1)).find(|&due| due > fired_to);
        let cleanup = self.window(start).cleanup_time(self.lateness_ms);
        self.next_due = self.next_due.min(due.unwrap_or(cleanup));
    }

    /// Fires what `to` releases, in order of window end, and lets go of panes that are over.
    pub(super) fn advance(&mut self, to: TimeMs, ahead: &Ahead, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        if to < self.next_due {
            self.fired_to = self.fired_to.max(to);
            return Ok(());
        }
        let ends: BTreeSet<TimeMs> = self
            .panes
            .iter()
            .flat_map(|p| self.ends(p.start))
            .filter(|end| end.saturating_sub(1) > self.fired_to && end.saturating_sub(1) <= to)
            .collect();
        for end in ends {
            self.fire_window(end, ahead, work);
            work.fire_all(cx)?;
        }
        self.fired_to = self.fired_to.max(to);
        self.clean_up(to, work, cx)?;
        self.next_due = TIME_MAX;
        let starts: Vec<TimeMs> = self.panes.iter().map(|p| p.start).collect();
        starts.into_iter().for_each(|start| self.note_due(start));
        Ok(())
    }

    /// The panes of the window that ends at `end`.
    fn panes_of(&self, end: TimeMs) -> &[Pane] {
        let start = end.saturating_sub(self.size_ms);
        let from = self.panes.partition_point(|p| p.start < start);
        let to = if self.shared { self.panes.partition_point(|p| p.start < end) } else { self.panes.partition_point(|p| p.start <= start) };
        &self.panes[from..to]
    }

    fn fire_window(&mut self, end: TimeMs, ahead: &Ahead, work: &mut Work) {
        let window = Window { start: end.saturating_sub(self.size_ms), end };
        let mut firings = std::mem::take(&mut self.firings);
        let mut count = |key: &[u8]| if self.lateness_ms > 0 { firings.next(end, key) } else { 0 };
        match self.panes_of(end) {
            [] => {}
            [pane] => {
                let keys = pane.keys.iter().filter(|(hash, ..)| !ahead.has_fired(end, *hash));
                keys.for_each(|(_, key, &slot)| work.fire(window, count(key), key, [slot]));
            }
            panes => {
                let mut merged: KeyMap<Vec<Slot>> = KeyMap::default();
                for pane in panes {
                    for (hash, key, &slot) in pane.keys.iter().filter(|(hash, ..)| !ahead.has_fired(end, *hash)) {
                        let index = merged.index(hash, key, || Vec::with_capacity(panes.len()));
                        merged.get_mut(index).expect("the key was just looked up").push(slot);
                    }
                }
                merged.iter().for_each(|(_, key, slots)| work.fire(window, count(key), key, slots.iter().copied()));
            }
        }
        self.firings = firings;
    }

    /// A record for windows that have fired already but are not too late fires them again, for its key, at once (#7).
    fn refire(&mut self, given: &Rows<'_>, time: TimeMs, hash: u64, key: &[u8], work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let Rows { input, block, watermark, .. } = *given;
        let over = |w: &Window| w.max_time() <= watermark && !w.is_late(self.lateness_ms, watermark);
        let mut windows: Vec<Window> = sliding(time, self.offset_ms, self.size_ms, self.slide_ms).filter(over).collect();
        if windows.is_empty() {
            return Ok(());
        }
        work.flush(input, block, &self.panes, cx)?;
        windows.reverse();
        for window in windows {
            let slots: Vec<Slot> = self.panes_of(window.end).iter().filter_map(|p| p.keys.find(hash, key).copied()).collect();
            work.fire(window, self.firings.next(window.end, key), key, slots);
        }
        work.fire_all(cx)
    }

    fn clean_up(&mut self, to: TimeMs, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let over = self.panes.iter().take_while(|p| self.window(p.start).is_late(self.lateness_ms, to)).count();
        if work.ledger.is_open() {
            work.save(self.panes[..over].iter().flat_map(|pane| pane.keys.iter().map(|(_, _, &slot)| slot)), &self.panes, cx)?;
        }
        let mut slots = Vec::new();
        for pane in self.panes.drain(..over) {
            for (_, key, &slot) in pane.keys.iter() {
                work.ledger.died(slot, key, &pane.start.to_le_bytes());
                slots.push(slot);
            }
        }
        self.last = self.last.saturating_sub(over);
        let lateness_ms = self.lateness_ms;
        self.firings.forget(|end| end.saturating_sub(1).saturating_add(lateness_ms) <= to);
        work.release(slots, cx)
    }

    /// Opens a handover of the panes that have changed. The counts of firings, which are few, go into it at once.
    pub(super) fn hand_over(&mut self, work: &mut Work) {
        work.ledger.open(&work.compute.state_schema());
        self.firings.hand_over(work.ledger.pages());
        work.ledger.pages().finish();
    }

    /// Goes on with it.
    pub(super) fn hand_over_more(&mut self, work: &mut Work, cx: &mut Context) -> Result<Option<Keyed>, Failure> {
        work.hand_over_more(&self.panes, cx)
    }

    /// Takes panes back; windows up to `watermark` have fired.
    pub(super) fn restore(&mut self, restored: &Restored, watermark: TimeMs, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        self.fired_to = watermark;
        let schema = work.compute.state_schema();
        let other = restored.differs(&schema);
        restored.pages(|page| {
            let (mut rows, mut slots) = (Vec::new(), Vec::new());
            for row in 0..page.rows() {
                if self.firings.restore(page, row) {
                    continue;
                }
                let key = page.key(row);
                let slot = self.slot(pane_start(restored, page, row)?, key::hash(key), key, work);
                work.ledger.restored(slot, other);
                rows.push(row as u32);
                slots.push(slot);
            }
            match page.state(&rows, &schema) {
                Some(state) => work.compute.import(&slots, &state, cx),
                None => Ok(()),
            }
        })
    }
}

fn pane_start(restored: &Restored, page: &Page<'_>, row: usize) -> Result<TimeMs, Failure> {
    let bytes = page.namespace(row).try_into().map_err(|_| restored.failure("a pane of a window has a name that is not a time"))?;
    Ok(TimeMs::from_le_bytes(bytes))
}
