//! Key groups that were ahead of the operator's watermark when they were saved.
//!
//! At an unaligned boundary workers hand over at different watermarks, and the operator begins again at the least of them. Until it has
//! caught up, a key of a group that was further on keeps what it had: windows that fired do not fire again, rows that a join has let go
//! are missed by nobody, and a record that was late is late.

use std::collections::BTreeMap;

use tidemill_core::block::Block;
use tidemill_core::{TIME_MIN, TimeMs, key};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// By key group; empty when the operator has caught up.
    of: Vec<TimeMs>,
    most: TimeMs,
}

impl Ahead {
    /// For watermarks by key group.
    pub(crate) fn new(of: &[TimeMs]) -> Ahead {
        Ahead { of: of.to_vec(), most: of.iter().copied().max().unwrap_or(TIME_MIN) }
    }

    /// The watermarks by key group; empty when the operator has caught up.
    pub(crate) fn watermarks(&self) -> &[TimeMs] {
        &self.of
    }

    /// The operator has come to a watermark.
    pub(crate) fn reached(&mut self, watermark: TimeMs) {
        if watermark >= self.most {
            self.of.clear();
        }
    }

    /// Whether the window that ends here has fired already for a key with this hash.
    pub(crate) fn has_fired(&self, end: TimeMs, hash: u64) -> bool {
        self.of.get(key::group(hash) as usize).is_some_and(|watermark| end.saturating_sub(1) <= *watermark)
    }

    /// The watermark that holds for a key with this hash, where the operator has come to `watermark`.
    pub(crate) fn holds(&self, hash: u64, watermark: TimeMs) -> TimeMs {
        self.of.get(key::group(hash) as usize).map_or(watermark, |of| watermark.max(*of))
    }

    /// The rows of a block by the watermark that holds for them; none where the operator's holds for all.
    pub(crate) fn split(&self, block: &Block, columns: &[usize], watermark: TimeMs) -> Option<BTreeMap<TimeMs, Vec<u32>>> {
        if self.of.is_empty() {
            return None;
        }
        let mut rows: BTreeMap<TimeMs, Vec<u32>> = BTreeMap::new();
        key::for_each(block, columns, |row, key| {
            rows.entry(self.holds(key::hash(key), watermark)).or_default().push(row as u32);
        });
        Some(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_core::block::Builder;

    #[test]
    fn a_group_keeps_its_watermark_until_the_operator_has_caught_up() {
        let hash = key::hash(&7i64.to_le_bytes());
        let mut of = vec![50; key::GROUPS as usize];
        of[key::group(hash) as usize] = 100;
        let mut ahead = Ahead::new(&of);
        assert!(ahead.has_fired(101, hash) && !ahead.has_fired(102, hash));
        let mut builder = Builder::new(&"k:i64".parse().expect("a schema"));
        for key in [7, 8, 7] {
            builder.push_time(0);
            builder.column(0).push_i64(key);
        }
        let block = builder.finish().expect("rows");
        ahead.reached(99);
        let rows = ahead.split(&block, &[0], 60).expect("one is ahead");
        assert_eq!(rows.into_iter().collect::<Vec<_>>(), [(60, vec![1]), (100, vec![0, 2])]);
        assert_eq!((ahead.holds(hash, 60), ahead.holds(hash, 101)), (100, 101));
        ahead.reached(100);
        assert!(ahead.split(&block, &[0], 100).is_none() && !ahead.has_fired(0, hash));
        assert_eq!(ahead.holds(hash, 60), 60);
    }
}
