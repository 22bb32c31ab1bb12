//! What has changed in an operator's keyed state since it last handed over, and the pages it hands over.
//!
//! A piece of state is known by its slot while it lives and by its key and namespace for ever. The ledger keeps, per slot, whether it
//! has changed and whether a checkpoint has it; of what is gone it keeps the name, but only if a checkpoint has it. So
//! a handover costs what has changed, and a key that comes and goes between two boundaries costs nothing.

use std::collections::HashSet;

use tidemill_core::block::{Block, Builder};
use tidemill_core::checkpoint::{Keyed, column, page_schema};
use tidemill_core::guest::Slot;
use tidemill_core::key;
use tidemill_core::schema::Schema;

/// Rows of one page, and slots of one export, at most: large enough that a call costs nothing beside them, small enough for the cache.
const ROWS_PER_PAGE: usize = 4096;
/// Slots of the first export, before anything is known of their size.
const ROWS_FIRST: usize = 64;
/// What a page should not exceed by much: far below what a block may have, since one list may be much longer than the others.
const PAGE_BYTES: usize = 4 << 20;

const CHANGED: u8 = 1;
const STORED: u8 = 2;

/// A piece of state by name: key and namespace.
type Name = (Box<[u8]>, Box<[u8]>);

/// See the module. Off, it does nothing.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    on: bool,
    marks: Vec<u8>,
    changed: Vec<Slot>,
    gone: HashSet<Name, foldhash::fast::FixedState>,
}

impl Ledger {
    pub(crate) fn new(on: bool) -> Ledger {
        Ledger { on, ..Ledger::default() }
    }

    /// Whether anybody will ask for a handover.
    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    fn mark(&mut self, slot: Slot) -> &mut u8 {
        let slot = slot as usize;
        if self.marks.len() <= slot {
            self.marks.resize((slot + 1).next_power_of_two(), 0);
        }
        &mut self.marks[slot]
    }

    /// The state of a slot has changed.
    pub(crate) fn touch(&mut self, slot: Slot) {
        if !self.on {
            return;
        }
        let mark = self.mark(slot);
        if *mark & CHANGED == 0 {
            *mark |= CHANGED;
            self.changed.push(slot);
        }
    }

    /// The state of these slots has changed, but for some.
    pub(crate) fn touch_all(&mut self, slots: &[Slot], unchanged: &[Slot]) {
        if !self.on {
            return;
        }
        if unchanged.is_empty() {
            slots.iter().for_each(|&slot| self.touch(slot));
            return;
        }
        let mut unchanged = unchanged.to_vec();
        unchanged.sort_unstable();
        slots.iter().filter(|slot| unchanged.binary_search(slot).is_err()).for_each(|&slot| self.touch(slot));
    }

    /// A slot has been given to a key and namespace that had none.
    pub(crate) fn born(&mut self, slot: Slot, key: &[u8], namespace: &[u8]) {
        if self.on && !self.gone.is_empty() && self.gone.remove(&(key.into(), namespace.into())) {
            // The checkpoint's row is to be written over, or said to be gone again.
            *self.mark(slot) |= STORED;
        }
    }

    /// A slot is no longer that of this key and namespace.
    pub(crate) fn died(&mut self, slot: Slot, key: &[u8], namespace: &[u8]) {
        if !self.on {
            return;
        }
        if std::mem::take(self.mark(slot)) & STORED != 0 {
            self.gone.insert((key.into(), namespace.into()));
        }
    }

    /// A slot holds what a checkpoint has; with `other_columns` it is to be written once more all the same.
    pub(crate) fn restored(&mut self, slot: Slot, other_columns: bool) {
        if self.on {
            *self.mark(slot) |= STORED;
            if other_columns {
                self.touch(slot);
            }
        }
    }

    /// The slots that have changed, and what is gone, since the last time.
    pub(crate) fn take(&mut self) -> (Vec<Slot>, Vec<Name>) {
        let mut changed = std::mem::take(&mut self.changed);
        // A slot that died and was given away again is listed twice.
        changed.retain(|&slot| {
            let mark = &mut self.marks[slot as usize];
            let listed = *mark & CHANGED != 0;
            if listed {
                *mark = STORED;
            }
            listed
        });
        (changed, self.gone.drain().collect())
    }
}

/// Gathers the pages of one handover.
pub(crate) struct Pages {
    state: Schema,
    builder: Builder,
    rows: usize,
    /// Rows and bytes of state so far.
    exported: (usize, usize),
    pages: Vec<Block>,
}

impl Pages {
    /// For state of these columns.
    pub(crate) fn new(state: &Schema) -> Pages {
        Pages { state: state.clone(), builder: Builder::new(&page_schema(state)), rows: 0, exported: (0, 0), pages: Vec::new() }
    }

    /// Takes the slots to export next off the list; `None` when it is empty.
    pub(crate) fn next_batch<'a>(&self, rest: &mut &'a [Slot]) -> Option<&'a [Slot]> {
        let (rows, bytes) = self.exported;
        let most = bytes.checked_div(rows).map_or(ROWS_FIRST, |size| (PAGE_BYTES / size.max(1)).clamp(1, ROWS_PER_PAGE));
        let (batch, left) = rest.split_at(most.min(rest.len()));
        *rest = left;
        (!batch.is_empty()).then_some(batch)
    }

    fn name(&mut self, key: &[u8], namespace: &[u8], gone: bool, host: Option<&[u8]>) {
        let builder = &mut self.builder;
        builder.push_time(0);
        builder.column(column::GROUP).push_i32(key::group(key::hash(key)) as i32);
        builder.column(column::KEY).push_bytes(key);
        builder.column(column::NAMESPACE).push_bytes(namespace);
        builder.column(column::GONE).push_bool(gone);
        match host {
            Some(host) => builder.column(column::HOST).push_bytes(host),
            None => builder.column(column::HOST).push_absent(),
        }
        self.rows += 1;
    }

    /// A row whose state columns come later, by [`Pages::state`]. Such rows come before all others.
    pub(crate) fn row(&mut self, key: &[u8], namespace: &[u8], host: Option<&[u8]>) {
        self.name(key, namespace, false, host);
    }

    /// The state of the rows pushed since the last page was finished, in their order; ends the page.
    pub(crate) fn state(&mut self, state: &Block) {
        debug_assert_eq!(self.rows, state.rows(), "a row of state for each row");
        self.exported = (self.exported.0 + state.rows(), self.exported.1 + state.as_bytes().len());
        for index in 0..state.columns() {
            self.builder.column(column::STATE + index).push_all(state.column(index), state.rows());
        }
        self.finish();
    }

    /// A row without state in the guest.
    pub(crate) fn bare(&mut self, key: &[u8], namespace: &[u8], host: Option<&[u8]>) {
        self.name(key, namespace, false, host);
        self.absent();
    }

    /// A row that says that the state is gone.
    pub(crate) fn gone(&mut self, key: &[u8], namespace: &[u8]) {
        self.name(key, namespace, true, None);
        self.absent();
    }

    fn absent(&mut self) {
        for column in self.builder.columns_mut().iter_mut().skip(column::STATE) {
            column.push_absent();
        }
        if self.rows == ROWS_PER_PAGE {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.rows = 0;
        self.pages.extend(self.builder.finish());
    }

    /// All pages.
    pub(crate) fn done(mut self) -> Keyed {
        self.finish();
        Keyed { state: self.state, pages: self.pages }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(gone: Vec<Name>) -> Vec<String> {
        let mut names: Vec<String> = gone.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_changed_is_handed_over_and_only_what_was_stored_is_said_to_be_gone() {
        let mut ledger = Ledger::new(true);
        ledger.born(0, b"a", b"");
        ledger.touch_all(&[0, 1, 0, 2], &[2]);
        ledger.died(1, b"b", b"");
        assert_eq!(ledger.take(), (vec![0], vec![]), "b came and went");
        assert_eq!(ledger.take(), (vec![], vec![]));
        ledger.died(0, b"a", b"");
        ledger.born(0, b"c", b"");
        ledger.touch(0);
        let (changed, gone) = ledger.take();
        assert_eq!((changed, names(gone)), (vec![0], vec!["a".to_owned()]));
    }

    #[test]
    fn a_key_that_comes_back_is_written_over() {
        let mut ledger = Ledger::new(true);
        ledger.restored(3, false);
        ledger.died(3, b"a", b"");
        ledger.born(4, b"a", b"");
        ledger.touch(4);
        assert_eq!(ledger.take(), (vec![4], vec![]));
        ledger.died(4, b"a", b"");
        assert_eq!(names(ledger.take().1), ["a"], "the checkpoint has it still");
    }

    #[test]
    fn off_it_keeps_nothing() {
        let mut ledger = Ledger::new(false);
        ledger.touch(1 << 20);
        ledger.died(1 << 20, b"a", b"");
        assert_eq!(ledger.marks.len(), 0);
    }
}
