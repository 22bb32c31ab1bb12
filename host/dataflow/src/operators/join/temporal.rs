//! The temporal join: each record of the first side with the version of the second that was valid at its time, which is the last one
//! until then.
//!
//! A record waits until the watermark has come to its time, since an earlier version may still be on its way; so results come in
//! order of time. A version that comes late counts for the records that still wait. Of the versions that no record on time can see
//! any more, only the last is kept. Records of a key group that was ahead at an unaligned boundary have been joined up to its own
//! watermark, which is what counts for what comes behind them (see [`Ahead`]).

use std::collections::BTreeMap;

use tidemill_core::block::{Block, gather};
use tidemill_core::checkpoint::Keyed;
use tidemill_core::explain::Held;
use tidemill_core::schema::Schema;
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

use super::store::{Place, Store};
use super::{Results, SideInput};
use crate::keyed::for_each_key;
use crate::ledger::Ledger;
use crate::logic::{Context, Given, Logic};
use crate::operators::ahead::Ahead;
use crate::report::Failure;
use crate::restore::Restored;

const RECORDS: usize = 0;
const VERSIONS: usize = 1;

/// See the module.
pub(crate) struct TemporalJoin {
    sides: Vec<SideInput>,
    store: Store,
    /// Records that wait, by time.
    waiting: BTreeMap<TimeMs, Vec<Place>>,
    /// Keys with versions that may have become old, by the time of the newer one.
    old: BTreeMap<TimeMs, Vec<u32>>,
    ahead: Ahead,
    results: Results,
}

impl TemporalJoin {
    pub(crate) fn new(sides: Vec<SideInput>, output: &Schema, ledger: Ledger) -> TemporalJoin {
        let results = Results::new(&sides, 0, output);
        TemporalJoin { sides, store: Store::new(ledger), waiting: BTreeMap::new(), old: BTreeMap::new(), ahead: Ahead::default(), results }
    }

    /// Joins a record with the version of its time.
    fn join(&mut self, key: u32, record: &Block, cx: &mut Context) {
        let time = record.time(0);
        let versions = self.store.rows(key, VERSIONS);
        let until = versions.partition_point(|held| held.time <= time);
        match until.checked_sub(1).map(|at| &versions[at]) {
            Some(version) => self.results.push(time, &[], &[Some((record, 0)), Some((&version.block, 0))], cx),
            None if self.sides[VERSIONS].required => self.sides[RECORDS].tell_unmatched(record, 0, cx),
            None => self.results.push(time, &[], &[Some((record, 0)), None], cx),
        }
    }

    /// Lets go of the versions of a key that are older than another which is valid at the watermark.
    fn trim(&mut self, key: u32, watermark: TimeMs) {
        let versions = self.store.rows(key, VERSIONS);
        let valid = versions.partition_point(|held| held.time <= watermark);
        let gone: Vec<i64> = versions[..valid.saturating_sub(1)].iter().map(|held| held.number).collect();
        for number in gone {
            self.store.remove(Place { key, side: VERSIONS, number });
        }
        self.store.settle(key);
    }
}

impl Logic for TemporalJoin {
    fn block(&mut self, input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        let key = self.sides[input].key.clone();
        let mut late = Vec::new();
        for_each_key(&block, &key, |row, hash, key| {
            let watermark = self.ahead.holds(hash, cx.at.watermark);
            let time = block.time(row);
            if input == RECORDS && time <= watermark && watermark > TIME_MIN {
                late.push(row as u32);
                return;
            }
            if let Some(one) = gather(&block, &[row as u32], &self.sides[input].schema) {
                let key = self.store.key(hash, key);
                let place = self.store.insert(key, input, time, one, false);
                match input {
                    RECORDS => self.waiting.entry(time).or_default().push(place),
                    _ => self.old.entry(time).or_default().push(key),
                }
            }
        });
        if !late.is_empty() {
            self.sides[input].tell_late(&block, &late, cx);
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| *entry.key() <= watermark) {
            for place in entry.remove() {
                if let Some(held) = self.store.remove(place) {
                    self.join(place.key, &held.block, cx);
                    self.store.settle(place.key);
                }
            }
        }
        self.results.flush(cx);
        while watermark < TIME_MAX
            && let Some(entry) = self.old.first_entry().filter(|entry| *entry.key() <= watermark)
        {
            let keys = entry.remove();
            keys.into_iter().for_each(|key| self.trim(key, watermark));
        }
        self.ahead.reached(watermark);
        Ok(())
    }

    fn held(&self) -> Held {
        let records = self.waiting.values().map(|places| places.len() as u64).sum();
        Held { records, settles: self.waiting.keys().next().copied(), ..Held::default() }
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
            match place.side {
                RECORDS => self.waiting.entry(time).or_default().push(place),
                _ => self.old.entry(time).or_default().push(place.key),
            }
        }
        Ok(())
    }
}
