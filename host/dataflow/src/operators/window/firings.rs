//! How often each window has fired for each key; kept only where lateness is allowed, since elsewhere it is once.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use tidemill_core::TimeMs;

use crate::ledger::Pages;
use crate::restore::Page;

/// The namespace of a count in a checkpoint: this letter and the window's end. A pane's is eight bytes long, so they are told apart.
const LETTER: u8 = b'f';

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    fired: i32,
    changed: bool,
    stored: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Firings {
    counts: BTreeMap<TimeMs, HashMap<Box<[u8]>, Count, foldhash::fast::FixedState>>,
    /// What a checkpoint has and is no longer needed.
    gone: Vec<(TimeMs, Box<[u8]>)>,
}

impl Firings {
    /// The index of a firing of the window that ends at `end`, for a key; the first is 0.
    pub(super) fn next(&mut self, end: TimeMs, key: &[u8]) -> i32 {
        let count = self.counts.entry(end).or_default().entry_ref(key).or_default();
        count.fired += 1;
        count.changed = true;
        count.fired - 1
    }

    /// Forgets windows that are over for good.
    pub(super) fn forget(&mut self, is_over: impl Fn(TimeMs) -> bool) {
        while let Some(entry) = self.counts.first_entry().filter(|entry| is_over(*entry.key())) {
            let (end, keys) = entry.remove_entry();
            self.gone.extend(keys.into_iter().filter(|(_, count)| count.stored).map(|(key, _)| (end, key)));
        }
    }

    /// Hands over what has changed.
    pub(super) fn hand_over(&mut self, pages: &mut Pages) {
        for (end, keys) in &mut self.counts {
            for (key, count) in keys.iter_mut().filter(|(_, count)| count.changed) {
                (count.changed, count.stored) = (false, true);
                pages.bare(key, &namespace(*end), Some(&count.fired.to_le_bytes()));
            }
        }
        self.gone.drain(..).for_each(|(end, key)| pages.gone(&key, &namespace(end)));
    }

    /// Takes a row back if it is a count.
    pub(super) fn restore(&mut self, page: &Page<'_>, row: usize) -> bool {
        let [LETTER, end @ ..] = page.namespace(row) else { return false };
        let (Ok(end), Some(Ok(fired))) = (end.try_into(), page.host(row).map(TryInto::try_into)) else { return false };
        let count = Count { fired: i32::from_le_bytes(fired), changed: false, stored: true };
        self.counts.entry(TimeMs::from_le_bytes(end)).or_default().insert(page.key(row).into(), count);
        true
    }
}

fn namespace(end: TimeMs) -> [u8; 9] {
    let mut namespace = [LETTER; 9];
    namespace[1..].copy_from_slice(&end.to_le_bytes());
    namespace
}
