//! The keyed join of any number of streams (semantics.md #35): a table of the last record of each side by key. Whenever a record comes and
//! every required side has one, the row of the table is a result.

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, gather};
use tidemill_core::checkpoint::Keyed;
use tidemill_core::explain::Held;
use tidemill_core::guest::Slot;
use tidemill_core::key::hash;
use tidemill_core::schema::Schema;

use super::{Picked, Results, SideInput};
use crate::keyed::{KeyMap, for_each_key};
use crate::ledger::{Ledger, Pages};
use crate::logic::{Context, Given, Logic};
use crate::report::Failure;
use crate::restore::Restored;

/// See the module.
pub(crate) struct KeyedJoin {
    sides: Vec<SideInput>,
    /// The last record of each side, alone in its block.
    keys: KeyMap<Vec<Option<Block>>>,
    ledger: Ledger,
    results: Results,
}

impl KeyedJoin {
    pub(crate) fn new(sides: Vec<SideInput>, output: &Schema, ledger: Ledger) -> KeyedJoin {
        let results = Results::new(&sides, 0, output);
        KeyedJoin { sides, keys: KeyMap::default(), ledger, results }
    }
}

impl Logic for KeyedJoin {
    fn block(&mut self, input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        let key = self.sides[input].key.clone();
        for_each_key(&block, &key, |row, hash, key| {
            let mut new = false;
            let count = self.sides.len();
            let index = self.keys.index(hash, key, || {
                new = true;
                vec![None; count]
            });
            if new {
                self.ledger.born(index, key, &[]);
            }
            self.ledger.touch(index);
            let last = self.keys.get_mut(index).expect("the key was just looked up");
            last[input] = gather(&block, &[row as u32], &self.sides[input].schema);
            if self.sides.iter().zip(&*last).all(|(side, last)| last.is_some() || !side.required) {
                let picked: Vec<Picked<'_>> = last.iter().map(|last| last.as_ref().map(|block| (block, 0))).collect();
                self.results.push(block.time(row), &[], &picked, cx);
            }
        });
        self.results.flush(cx);
        Ok(())
    }

    fn held(&self) -> Held {
        let lacks = |last: &[Option<Block>]| self.sides.iter().zip(last).any(|(side, last)| side.required && last.is_none());
        Held { records: self.keys.iter().filter(|(.., last)| lacks(last)).count() as u64, ..Held::default() }
    }

    /// The blocks of all sides, each behind its length; 0 for none.
    fn hand_over(&mut self, _: &mut Context) -> Result<Given, Failure> {
        self.ledger.open(&Schema::default());
        loop {
            let batch = self.ledger.next();
            if batch.is_empty() {
                return Ok(Given { keyed: true, ..Given::default() });
            }
            let keys = &self.keys;
            let row = |slot: Slot, pages: &mut Pages| {
                let mut host = Vec::new();
                for last in keys.value(slot).expect("a key of a join is never removed") {
                    let bytes = last.as_ref().map_or(&[][..], Block::as_bytes);
                    host.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                    host.extend_from_slice(bytes);
                }
                pages.bare(keys.key(slot).expect("a key of a join is never removed"), &[], Some(&host));
            };
            self.ledger.export(&batch, row, |_| unreachable!("a join has no columns of state"))?;
        }
    }

    fn hand_over_more(&mut self, _: &mut Context) -> Result<Option<Keyed>, Failure> {
        Ok(self.ledger.close())
    }

    fn restore(&mut self, restored: &Restored, _: &[TimeMs], _: &mut Context) -> Result<(), Failure> {
        restored.pages(|page| {
            for row in 0..page.rows() {
                let wrong = |what: &str| restored.failure(format!("the last records of a key {what}"));
                let mut rest = page.host(row).ok_or_else(|| wrong("are missing"))?;
                let mut last = Vec::new();
                for side in &self.sides {
                    let (length, tail) = rest.split_first_chunk::<4>().ok_or_else(|| wrong("are cut short"))?;
                    let bytes = tail.split_at_checked(u32::from_le_bytes(*length) as usize);
                    let (bytes, tail) = bytes.ok_or_else(|| wrong("are cut short"))?;
                    rest = tail;
                    let read = |bytes: &[u8]| Block::from_bytes(bytes.to_vec(), &side.schema);
                    let block = (!bytes.is_empty()).then(|| read(bytes)).transpose();
                    last.push(block.map_err(|error| wrong(&format!("cannot be read: {error}")))?);
                }
                let index = self.keys.index(hash(page.key(row)), page.key(row), Vec::new);
                *self.keys.get_mut(index).expect("the key was just looked up") = last;
                self.ledger.restored(index, false);
            }
            Ok(())
        })
    }
}
