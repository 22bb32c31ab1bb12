//! What has changed in an operator's keyed state since it last handed over, and the pages it hands over.
//!
//! A piece of state is known by its slot while it lives and by its key and namespace for ever. The ledger keeps, per slot, whether it
//! has changed and whether a checkpoint has it; of what is gone it keeps the name, but only if a checkpoint has it. So
//! a handover costs what has changed, and a key that comes and goes between two boundaries costs nothing.
//!
//! A handover is opened at the boundary and goes on page by page while records flow again, so that the pause is short. What it hands over
//! is the boundary's all the same: before a slot that is still to be exported changes or dies, its owner [`Ledger::claim`]s it.

use std::collections::HashSet;

use tidemill_core::block::{Block, Builder};
use tidemill_core::checkpoint::{Keyed, column, page_schema};
use tidemill_core::guest::Slot;
use tidemill_core::key;
use tidemill_core::schema::Schema;

use crate::report::Failure;

/// Rows of one page, and slots of one export, at most: large enough that a call costs nothing beside them, small enough for the cache.
const ROWS_PER_PAGE: usize = 4096;
/// Slots of the first export, before anything is known of their size.
const ROWS_FIRST: usize = 64;
/// What a page should not exceed by much: far below what a block may have, since one list may be much longer than the others.
const PAGE_BYTES: usize = 4 << 20;

const CHANGED: u8 = 1;
const STORED: u8 = 2;
/// To be exported for the handover that is open.
const DUE: u8 = 4;

/// A piece of state by name: key and namespace.
type Name = (Box<[u8]>, Box<[u8]>);

/// See the module. Off, it does nothing.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    on: bool,
    marks: Vec<u8>,
    changed: Vec<Slot>,
    gone: HashSet<Name, foldhash::fast::FixedState>,
    open: Option<Open>,
}

/// A handover under way.
#[derive(Debug)]
struct Open {
    pages: Pages,
    /// Slots to export, but for those that have been claimed since.
    left: Vec<Slot>,
    gone: Vec<Name>,
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
        let mark = std::mem::take(self.mark(slot));
        debug_assert_eq!(mark & DUE, 0, "claimed before it dies");
        if mark & STORED != 0 {
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

    /// Opens a handover of the slots that have changed, and what is gone, since the last time. The one before must have been finished.
    pub(crate) fn open(&mut self, state: &Schema) {
        debug_assert!(self.open.is_none(), "one handover at a time");
        let mut left = std::mem::take(&mut self.changed);
        // A slot that died and was given away again is listed twice.
        left.retain(|&slot| {
            let mark = &mut self.marks[slot as usize];
            let listed = *mark & CHANGED != 0;
            if listed {
                *mark = STORED | DUE;
            }
            listed
        });
        self.open = Some(Open { pages: Pages::new(state), left, gone: self.gone.drain().collect() });
    }

    /// Whether slots may have to be claimed before they change.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The pages of the open handover, for rows without state.
    pub(crate) fn pages(&mut self) -> &mut Pages {
        &mut self.open.as_mut().expect("a handover is open").pages
    }

    /// Those of the slots that the open handover still has to export, each once. Whoever asks exports them, by [`Ledger::export`], before
    /// they change.
    pub(crate) fn claim(&mut self, slots: impl IntoIterator<Item = Slot>) -> Vec<Slot> {
        if self.open.is_none() {
            return Vec::new();
        }
        let marks = &mut self.marks;
        let due = |slot: &Slot| marks.get_mut(*slot as usize).is_some_and(|mark| std::mem::replace(mark, *mark & !DUE) & DUE != 0);
        slots.into_iter().filter(due).collect()
    }

    /// Exports slots that were claimed: `row` writes the row of each, `export` gives their state.
    pub(crate) fn export(
        &mut self,
        mut slots: &[Slot],
        mut row: impl FnMut(Slot, &mut Pages),
        mut export: impl FnMut(&[Slot]) -> Result<Block, Failure>,
    ) -> Result<(), Failure> {
        if slots.is_empty() {
            return Ok(());
        }
        let pages = self.pages();
        while let Some(batch) = pages.next_batch(&mut slots) {
            batch.iter().for_each(|&slot| row(slot, pages));
            if !pages.state.fields().is_empty() {
                pages.state(&export(batch)?);
            }
        }
        Ok(())
    }

    /// The slots to export next in the open handover, at most a page of them; empty when all have been.
    pub(crate) fn next(&mut self) -> Vec<Slot> {
        let Some(open) = &mut self.open else { return Vec::new() };
        let most = open.pages.batch_rows();
        let mut batch = Vec::new();
        while batch.len() < most
            && let Some(slot) = open.left.pop()
        {
            let mark = &mut self.marks[slot as usize];
            if *mark & DUE != 0 {
                *mark &= !DUE;
                batch.push(slot);
            }
        }
        batch
    }

    /// Ends the open handover if everything has been exported; else says what is gone, a page at most.
    pub(crate) fn close(&mut self) -> Option<Keyed> {
        let open = self.open.as_mut()?;
        if !open.left.is_empty() {
            return None;
        }
        let rest = open.gone.len().saturating_sub(ROWS_PER_PAGE);
        open.gone.drain(rest..).for_each(|(key, namespace)| open.pages.gone(&key, &namespace));
        if rest > 0 {
            return None;
        }
        self.open.take().map(|open| open.pages.done())
    }
}

/// Gathers the pages of one handover.
#[derive(Debug)]
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
    fn next_batch<'a>(&self, rest: &mut &'a [Slot]) -> Option<&'a [Slot]> {
        let (batch, left) = rest.split_at(self.batch_rows().min(rest.len()));
        *rest = left;
        (!batch.is_empty()).then_some(batch)
    }

    /// How many slots to export in one go.
    fn batch_rows(&self) -> usize {
        let (rows, bytes) = self.exported;
        bytes.checked_div(rows).map_or(ROWS_FIRST, |size| (PAGE_BYTES / size.max(1)).clamp(1, ROWS_PER_PAGE))
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

    /// A row whose state, if there is any, comes later by [`Pages::state`].
    pub(crate) fn row(&mut self, key: &[u8], namespace: &[u8], host: Option<&[u8]>) {
        self.name(key, namespace, false, host);
        if self.state.fields().is_empty() {
            self.turn();
        }
    }

    /// The state of the rows pushed since the last page was finished, in their order; ends the page.
    fn state(&mut self, state: &Block) {
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
        self.turn();
    }

    fn turn(&mut self) {
        if self.rows == ROWS_PER_PAGE {
            self.finish();
        }
    }

    /// Ends a page: rows with state come in pages of their own.
    pub(crate) fn finish(&mut self) {
        self.rows = 0;
        self.pages.extend(self.builder.finish());
    }

    /// All pages.
    fn done(mut self) -> Keyed {
        self.finish();
        Keyed { state: self.state, pages: self.pages }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What a handover holds: keys with `-` in front of what is gone.
    fn handed_over(ledger: &mut Ledger, name: impl Fn(Slot) -> &'static str) -> Vec<String> {
        ledger.open(&Schema::default());
        finish(ledger, name)
    }

    fn finish(ledger: &mut Ledger, name: impl Fn(Slot) -> &'static str) -> Vec<String> {
        loop {
            let batch = ledger.next();
            claimed(ledger, &batch, &name);
            if let Some(keyed) = ledger.close() {
                return rows(&keyed);
            }
        }
    }

    fn claimed(ledger: &mut Ledger, slots: &[Slot], name: impl Fn(Slot) -> &'static str) {
        let no_state = |_: &[Slot]| unreachable!("there are no columns");
        ledger.export(slots, |slot, pages| pages.row(name(slot).as_bytes(), &[], None), no_state).unwrap();
    }

    fn rows(keyed: &Keyed) -> Vec<String> {
        let row = |page: &Block, row| {
            let gone = if page.column(column::GONE).raw()[row] != 0 { "-" } else { "" };
            format!("{gone}{}", String::from_utf8_lossy(page.column(column::KEY).bytes(row)))
        };
        let mut rows: Vec<String> = keyed.pages.iter().flat_map(|page| (0..page.rows()).map(move |i| row(page, i))).collect();
        rows.sort();
        rows
    }

    #[test]
    fn only_what_changed_is_handed_over_and_only_what_was_stored_is_said_to_be_gone() {
        let mut ledger = Ledger::new(true);
        ledger.born(0, b"a", b"");
        ledger.touch_all(&[0, 1, 0, 2], &[2]);
        ledger.died(1, b"b", b"");
        assert_eq!(handed_over(&mut ledger, |_| "a"), ["a"], "b came and went");
        assert_eq!(handed_over(&mut ledger, |_| "?"), [""; 0]);
        ledger.died(0, b"a", b"");
        ledger.born(0, b"c", b"");
        ledger.touch(0);
        assert_eq!(handed_over(&mut ledger, |_| "c"), ["-a", "c"]);
    }

    #[test]
    fn a_key_that_comes_back_is_written_over() {
        let mut ledger = Ledger::new(true);
        ledger.restored(3, false);
        ledger.died(3, b"a", b"");
        ledger.born(4, b"a", b"");
        ledger.touch(4);
        assert_eq!(handed_over(&mut ledger, |_| "a"), ["a"]);
        ledger.died(4, b"a", b"");
        assert_eq!(handed_over(&mut ledger, |_| "?"), ["-a"], "the checkpoint has it still");
    }

    #[test]
    fn what_is_claimed_is_exported_once_and_what_changes_then_is_for_the_next_time() {
        let mut ledger = Ledger::new(true);
        let name = |slot| ["a", "b", "c", "d"][slot as usize];
        ledger.touch_all(&[0, 1, 2], &[]);
        ledger.open(&Schema::default());
        let mine = ledger.claim([1, 1, 3]);
        assert_eq!(mine, [1], "3 has not changed before the boundary");
        claimed(&mut ledger, &mine, name);
        ledger.touch_all(&[1, 3], &[]);
        assert_eq!(ledger.claim([1, 3]), []);
        ledger.died(1, b"b", b"");
        assert_eq!(finish(&mut ledger, name), ["a", "b", "c"]);
        assert_eq!(handed_over(&mut ledger, name), ["-b", "d"], "b died behind the boundary");
        assert_eq!(ledger.claim([0, 1, 2, 3]), [], "nothing is open");
    }

    #[test]
    fn off_it_keeps_nothing() {
        let mut ledger = Ledger::new(false);
        ledger.touch(1 << 20);
        ledger.died(1 << 20, b"a", b"");
        assert_eq!(ledger.marks.len(), 0);
    }
}
