//! Rows of two sides by key and time, each with a name of its own in checkpoints.

use tidemill_core::TimeMs;
use tidemill_core::block::Block;
use tidemill_core::checkpoint::Keyed;
use tidemill_core::guest::Slot;
use tidemill_core::key;
use tidemill_core::schema::Schema;

use crate::keyed::KeyMap;
use crate::ledger::{Ledger, Pages};
use crate::report::Failure;
use crate::restore::Restored;

/// A row that is kept.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) time: TimeMs,
    /// The row, alone in its block.
    pub(super) block: Block,
    /// Tells it from the other rows of its side.
    pub(super) number: i64,
    /// It has found somebody.
    pub(super) matched: bool,
    slot: Slot,
}

/// Where a row is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: u32,
    pub(super) side: usize,
    pub(super) number: i64,
}

/// See the module. Rows of a side are in the order of their times, those of one time in the order of arrival.
pub(super) struct Store {
    keys: KeyMap<[Vec<Held>; 2]>,
    ledger: Ledger,
    places: Vec<Option<Place>>,
    free: Vec<Slot>,
    next_number: i64,
}

/// The namespace of a row: its side and its number.
fn namespace(place: Place) -> [u8; 9] {
    let mut name = [place.side as u8; 9];
    name[1..].copy_from_slice(&place.number.to_le_bytes());
    name
}

impl Store {
    pub(super) fn new(ledger: Ledger) -> Store {
        Store { keys: KeyMap::default(), ledger, places: Vec::new(), free: Vec::new(), next_number: 0 }
    }

    /// The index of a key, which is there until [`Store::settle`] finds it without rows.
    pub(super) fn key(&mut self, hash: u64, key: &[u8]) -> u32 {
        self.keys.index(hash, key, || [Vec::new(), Vec::new()])
    }

    /// The rows of a side of a key.
    pub(super) fn rows(&self, key: u32, side: usize) -> &[Held] {
        self.keys.value(key).map_or(&[], |sides| &sides[side])
    }

    /// Rows that have found nobody.
    pub(super) fn unmatched(&self) -> u64 {
        self.keys.iter().flat_map(|(.., sides)| sides.iter().flatten()).filter(|held| !held.matched).count() as u64
    }

    /// Keeps a row.
    pub(super) fn insert(&mut self, key: u32, side: usize, time: TimeMs, block: Block, matched: bool) -> Place {
        let place = Place { key, side, number: self.next_number };
        self.next_number += 1;
        self.put(place, time, block, matched);
        place
    }

    fn put(&mut self, place: Place, time: TimeMs, block: Block, matched: bool) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            (self.places.len() - 1) as Slot
        });
        self.places[slot as usize] = Some(place);
        let name = self.keys.key(place.key).expect("a key with rows is live");
        self.ledger.born(slot, name, &namespace(place));
        self.ledger.touch(slot);
        let rows = &mut self.keys.get_mut(place.key).expect("a key with rows is live")[place.side];
        let at = rows.partition_point(|held| (held.time, held.number) < (time, place.number));
        rows.insert(at, Held { time, block, number: place.number, matched, slot });
        slot
    }

    /// Says that a row has found somebody.
    pub(super) fn mark_matched(&mut self, key: u32, side: usize, number: i64) {
        let rows = &mut self.keys.get_mut(key).expect("a key with rows is live")[side];
        if let Some(held) = rows.iter_mut().find(|held| held.number == number && !held.matched) {
            held.matched = true;
            self.ledger.touch(held.slot);
        }
    }

    /// Takes a row out; `None` when it is gone.
    pub(super) fn remove(&mut self, place: Place) -> Option<Held> {
        let rows = &mut self.keys.get_mut(place.key)?[place.side];
        let at = rows.iter().position(|held| held.number == place.number)?;
        let held = rows.remove(at);
        let name = self.keys.key(place.key).expect("a key with rows is live");
        self.ledger.died(held.slot, name, &namespace(place));
        self.places[held.slot as usize] = None;
        self.free.push(held.slot);
        Some(held)
    }

    /// Forgets a key that has no rows.
    pub(super) fn settle(&mut self, key: u32) {
        if self.keys.value(key).is_some_and(|sides| sides.iter().all(Vec::is_empty)) {
            self.keys.remove(key);
        }
    }

    /// Hands over the rows that have changed, at once: time, whether matched, and the block. What is gone follows.
    pub(super) fn hand_over(&mut self) -> Result<(), Failure> {
        self.ledger.open(&Schema::default());
        loop {
            let batch = self.ledger.next();
            if batch.is_empty() {
                return Ok(());
            }
            let (keys, places) = (&self.keys, &self.places);
            let row = |slot: Slot, pages: &mut Pages| {
                let place = places[slot as usize].expect("a changed row is live");
                let rows = &keys.value(place.key).expect("a live row's key is live")[place.side];
                let held = rows.iter().find(|held| held.number == place.number).expect("a live row is kept");
                let mut host = held.time.to_le_bytes().to_vec();
                host.push(u8::from(held.matched));
                host.extend_from_slice(held.block.as_bytes());
                pages.bare(keys.key(place.key).expect("a live row's key is live"), &namespace(place), Some(&host));
            };
            self.ledger.export(&batch, row, |_| unreachable!("rows of a join have no columns of state"))?;
        }
    }

    /// Goes on with the handover; the whole at its end.
    pub(super) fn hand_over_more(&mut self) -> Option<Keyed> {
        self.ledger.close()
    }

    /// Takes rows back; `each` is told of every one.
    pub(super) fn restore(
        &mut self,
        restored: &Restored,
        schemas: [&Schema; 2],
        mut each: impl FnMut(Place, TimeMs),
    ) -> Result<(), Failure> {
        restored.pages(|page| {
            for row in 0..page.rows() {
                let wrong = |what: &str| restored.failure(format!("a kept row {what}"));
                let Some(([side], number)) = page.namespace(row).split_first_chunk::<1>() else { return Err(wrong("has no side")) };
                let (side, number) = (usize::from(*side), number.try_into().map_err(|_| wrong("has no number"))?);
                let schema = schemas.get(side).ok_or_else(|| wrong("is of a side that the join does not have"))?;
                let host = page.host(row).and_then(|host| host.split_first_chunk::<8>());
                let Some((time, [matched, bytes @ ..])) = host else { return Err(wrong("is cut short")) };
                let block = Block::from_bytes(bytes.to_vec(), schema).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
                let key = self.key(key::hash(page.key(row)), page.key(row));
                let place = Place { key, side, number: i64::from_le_bytes(number) };
                self.next_number = self.next_number.max(place.number + 1);
                let time = TimeMs::from_le_bytes(*time);
                let slot = self.put(place, time, block, *matched != 0);
                self.ledger.restored(slot, false);
                each(place, time);
            }
            Ok(())
        })
    }
}
