//! The interval join (semantics.md #37): rows of one key whose times are at most so far apart.
//!
//! A row is kept until the watermark has passed the last time at which a partner of it could be on time; then, if it found nobody, it is
//! told as unmatched, or joined with nothing where the other side is not required. A row is late when its time is below the
//! watermark: one that equals it still finds its partners. Of key groups that were ahead at an unaligned boundary rows have been let go
//! that the operator's watermark would still keep, so what counts for a row is its group's watermark (see [`Ahead`]).

use std::collections::BTreeMap;

use tidemill_core::block::{Block, gather};
use tidemill_core::checkpoint::Keyed;
use tidemill_core::explain::Held;
use tidemill_core::schema::Schema;
use tidemill_core::{TIME_MAX, TimeMs};

use super::store::{Place, Store};
use super::{Results, SideInput};
use crate::keyed::for_each_key;
use crate::ledger::Ledger;
use crate::logic::{Context, Given, Logic};
use crate::operators::ahead::Ahead;
use crate::report::Failure;
use crate::restore::Restored;

/// See the module.
pub(crate) struct IntervalJoin {
    sides: Vec<SideInput>,
    /// How much later than the left row the right one is, at least and at most.
    bounds: (TimeMs, TimeMs),
    store: Store,
    /// Rows by the last time of a partner.
    closing: BTreeMap<TimeMs, Vec<Place>>,
    ahead: Ahead,
    results: Results,
}

impl IntervalJoin {
    pub(crate) fn new(sides: Vec<SideInput>, bounds: (TimeMs, TimeMs), output: &Schema, ledger: Ledger) -> IntervalJoin {
        let results = Results::new(&sides, 0, output);
        IntervalJoin { sides, bounds, store: Store::new(ledger), closing: BTreeMap::new(), ahead: Ahead::default(), results }
    }

    /// The first and the last time of a partner of a row.
    fn partners(&self, side: usize, time: TimeMs) -> (TimeMs, TimeMs) {
        let (lower, upper) = self.bounds;
        match side {
            0 => (time.saturating_add(lower), time.saturating_add(upper)),
            _ => (time.saturating_sub(upper), time.saturating_sub(lower)),
        }
    }

    fn add(&mut self, side: usize, key: u32, row: Block, watermark: TimeMs, cx: &mut Context) {
        let time = row.time(0);
        let (first, last) = self.partners(side, time);
        let other = 1 - side;
        let mut found = Vec::new();
        let rows = self.store.rows(key, other);
        let from = rows.partition_point(|held| held.time < first);
        for held in rows[from..].iter().take_while(|held| held.time <= last) {
            let mine = Some((&row, 0));
            let theirs = Some((&held.block, 0));
            let sides = if side == 0 { [mine, theirs] } else { [theirs, mine] };
            self.results.push(time.max(held.time), &[], &sides, cx);
            found.extend((!held.matched).then_some(held.number));
        }
        let matched = rows[from..].first().is_some_and(|held| held.time <= last);
        found.into_iter().for_each(|number| self.store.mark_matched(key, other, number));
        if is_closed(last, watermark) {
            if !matched {
                self.alone(side, &row, cx);
            }
        } else {
            let place = self.store.insert(key, side, time, row, matched);
            self.closing.entry(last).or_default().push(place);
        }
    }

    /// A row has found nobody and never will.
    fn alone(&mut self, side: usize, row: &Block, cx: &mut Context) {
        if self.sides[1 - side].required {
            return self.sides[side].tell_unmatched(row, 0, cx);
        }
        let mine = Some((row, 0));
        let sides = if side == 0 { [mine, None] } else { [None, mine] };
        self.results.push(row.time(0), &[], &sides, cx);
    }
}

/// Whether no partner at this time can come on time any more.
fn is_closed(last: TimeMs, watermark: TimeMs) -> bool {
    watermark > last || watermark == TIME_MAX
}

impl Logic for IntervalJoin {
    fn block(&mut self, input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        let key = self.sides[input].key.clone();
        let mut late = Vec::new();
        for_each_key(&block, &key, |row, hash, key| {
            let watermark = self.ahead.holds(hash, cx.at.watermark);
            if block.time(row) < watermark {
                late.push(row as u32);
                return;
            }
            if let Some(one) = gather(&block, &[row as u32], &self.sides[input].schema) {
                let key = self.store.key(hash, key);
                self.add(input, key, one, watermark, cx);
                self.store.settle(key);
            }
        });
        self.results.flush(cx);
        if !late.is_empty() {
            self.sides[input].tell_late(&block, &late, cx);
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        while let Some(entry) = self.closing.first_entry().filter(|entry| is_closed(*entry.key(), watermark)) {
            for place in entry.remove() {
                let Some(held) = self.store.remove(place) else { continue };
                self.store.settle(place.key);
                if !held.matched {
                    self.alone(place.side, &held.block, cx);
                }
            }
        }
        self.results.flush(cx);
        self.ahead.reached(watermark);
        Ok(())
    }

    fn held(&self) -> Held {
        Held { records: self.store.unmatched(), settles: self.closing.keys().next().copied(), ..Held::default() }
    }

    fn ahead(&self) -> &[TimeMs] {
        self.ahead.watermarks()
    }

    fn hand_over(&mut self, _: &mut Context) -> Result<Given, Failure> {
        self.store.hand_over()?;
        Ok(Given { keyed: true, ..Given::default() })
    }

    fn hand_over_more(&mut self, _: &mut Context) -> Result<Option<Keyed>, Failure> {
        Ok(self.store.hand_over_more())
    }

    fn restore(&mut self, restored: &Restored, watermarks: &[TimeMs], _: &mut Context) -> Result<(), Failure> {
        self.ahead = Ahead::new(watermarks);
        self.ahead.reached(restored.watermark());
        let mut kept = Vec::new();
        self.store.restore(restored, [&self.sides[0].schema, &self.sides[1].schema], |place, time| kept.push((place, time)))?;
        for (place, time) in kept {
            let (_, last) = self.partners(place.side, time);
            self.closing.entry(last).or_default().push(place);
        }
        Ok(())
    }
}
