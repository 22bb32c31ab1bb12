//! Layers of keyed state: reading them as one, and when to make fewer of them.
//!
//! Every checkpoint adds a layer with what has changed. Some key groups at a time are read from all layers and merged, the later
//! layer winning, so memory holds a run of each layer, or one key group. **When to merge.** Bytes of layers, from the oldest: as long as each layer is longer than
//! all behind it together, a reader reads less than twice what is live, and each byte is rewritten about log2(state / delta)
//! times. A merge takes the layers from the first that is not.

use std::collections::VecDeque;
use std::ops::Range;

use tidemill_core::block::Block;
use tidemill_core::checkpoint::{column, page_schema};
use tidemill_core::schema::Schema;

use crate::error::Error;
use crate::manifest::Part;
use crate::part::{Entry, Origin, Reader, Writer};
use crate::rows::{Gone, Pages, RUN_BYTES, Run};
use crate::store::Store;

/// Layers are left alone below this number: a merge costs a write and more, and a reader opens this many files without noticing.
pub(crate) const LAYERS_FEW: usize = 6;

/// The layers to merge into one, when it is time: from the returned one to the last. `bytes` are those of each, from the oldest.
pub(crate) fn due(bytes: &[u64]) -> Option<usize> {
    if bytes.len() <= LAYERS_FEW {
        return None;
    }
    let mut behind: u64 = bytes.iter().sum();
    for (index, layer) in bytes.iter().enumerate() {
        behind -= layer;
        if behind >= *layer && index + 1 < bytes.len() {
            return Some(index);
        }
    }
    None
}

/// Runs are read and merged together up to about this many bytes: what lies close in many layers becomes one run again.
const SPAN_BYTES: u64 = 4 * RUN_BYTES as u64;

/// The layers of one operator.
pub(crate) struct Layers<'a> {
    store: &'a Store,
    operator: &'a str,
    state: &'a Schema,
    layers: &'a [Vec<Part>],
}

impl<'a> Layers<'a> {
    pub(crate) fn new(store: &'a Store, operator: &'a str, state: &'a Schema, layers: &'a [Vec<Part>]) -> Layers<'a> {
        Layers { store, operator, state, layers }
    }

    /// Calls `each` with the merged rows of `groups`, run by run.
    ///
    /// # Errors
    /// What cannot be read, and what `each` says.
    pub(crate) fn merge<E: From<Error>>(
        &self,
        groups: Range<u32>,
        gone: Gone,
        each: &mut dyn FnMut(Run) -> Result<(), E>,
    ) -> Result<(), E> {
        let schema = page_schema(self.state);
        let mut layers: Vec<Layer<'_>> = self.layers.iter().map(|parts| Layer::new(self, parts, groups.clone())).collect();
        let mut start = groups.start;
        while start < groups.end {
            let end = span(&mut layers, start, groups.end)?;
            layers.iter_mut().for_each(|layer| layer.forget(start));
            let found: Vec<&Loaded> = layers.iter().flat_map(|layer| layer.overlapping(start..end)).collect();
            match found[..] {
                [one] if one.is_within(start..end) && (gone == Gone::Keep || one.pages.iter().all(keeps_all)) => {
                    each(Run { groups: one.entry.groups, pages: one.pages.clone() })?;
                }
                _ => {
                    let pages: Vec<Block> = found.into_iter().flat_map(|loaded| loaded.pages.iter().cloned()).collect();
                    let opened = Pages::new(&pages);
                    opened.runs(&opened.latest(start..end, gone), &schema, each)?;
                }
            }
            start = end;
        }
        Ok(())
    }

    /// Writes the merged rows of all groups as one layer.
    pub(crate) fn rewrite(&self, to: &Store, origin: Origin, gone: Gone, go_on: &dyn Fn() -> bool) -> Result<Vec<Part>, Error> {
        let mut writer = Writer::new(to, origin, self.operator, self.state);
        self.merge(0..origin.groups, gone, &mut |run| {
            if !go_on() {
                return Err(Error::storage("merge", "stopped"));
            }
            writer.run(&run)
        })?;
        writer.finish()
    }
}

/// Whether no row of a page says that state is gone.
fn keeps_all(page: &Block) -> bool {
    page.column(column::GONE).raw().iter().all(|gone| *gone == 0)
}

/// Where to end the groups that are merged together, from `start`: at a border of a run, and where enough has been loaded.
fn span(layers: &mut [Layer<'_>], start: u32, groups_end: u32) -> Result<u32, Error> {
    let mut end = start;
    loop {
        let mut border = groups_end;
        for layer in layers.iter_mut() {
            if let Some(last) = layer.reach(end)? {
                border = border.min(last + 1);
            }
        }
        let loaded: u64 = layers.iter().flat_map(|layer| layer.overlapping(start..border)).map(|loaded| loaded.entry.length).sum();
        end = border;
        if end == groups_end || loaded >= SPAN_BYTES {
            return Ok(end);
        }
    }
}

/// One layer, read from the first group asked for to the last.
struct Layer<'a> {
    of: &'a Layers<'a>,
    groups: Range<u32>,
    /// Parts that have not been opened.
    parts: std::slice::Iter<'a, Part>,
    /// The open part and the run of it that is read next.
    open: Option<(Reader, usize)>,
    /// Runs that have been read and not been merged.
    loaded: VecDeque<Loaded>,
}

/// A run that has been read.
struct Loaded {
    entry: Entry,
    pages: Vec<Block>,
}

impl Loaded {
    fn is_within(&self, groups: Range<u32>) -> bool {
        groups.contains(&self.entry.groups.0) && groups.contains(&self.entry.groups.1)
    }
}

impl<'a> Layer<'a> {
    fn new(of: &'a Layers<'a>, parts: &'a [Part], groups: Range<u32>) -> Layer<'a> {
        let parts = &parts[parts.partition_point(|part| part.groups.1 < groups.start)..];
        Layer { of, groups, parts: parts.iter(), open: None, loaded: VecDeque::new() }
    }

    /// The last group of the first run that has `group` or a later one, once it is loaded; none when there is no such run.
    fn reach(&mut self, group: u32) -> Result<Option<u32>, Error> {
        loop {
            let reaching = self.loaded.iter().map(|loaded| loaded.entry.groups.1).find(|last| *last >= group);
            if reaching.is_some() || !self.load()? {
                return Ok(reaching);
            }
        }
    }

    /// Reads one more run; false when there is none.
    fn load(&mut self) -> Result<bool, Error> {
        loop {
            if let Some((reader, next)) = &mut self.open
                && let Some(entry) = reader.entry(*next)
            {
                if entry.groups.0 >= self.groups.end {
                    return Ok(false);
                }
                *next += 1;
                let pages = reader.pages(entry)?;
                self.loaded.push_back(Loaded { entry, pages });
                return Ok(true);
            }
            let Some(part) = self.parts.next().filter(|part| part.groups.0 < self.groups.end) else { return Ok(false) };
            let reader = Reader::open(self.of.store, part, self.of.operator, self.of.state)?;
            let first = reader.first_run(self.groups.start);
            self.open = Some((reader, first));
        }
    }

    /// Lets go of runs that end before a group.
    fn forget(&mut self, group: u32) {
        while self.loaded.front().is_some_and(|loaded| loaded.entry.groups.1 < group) {
            self.loaded.pop_front();
        }
    }

    fn overlapping(&self, groups: Range<u32>) -> impl Iterator<Item = &Loaded> {
        self.loaded.iter().filter(move |loaded| loaded.entry.groups.0 < groups.end && loaded.entry.groups.1 >= groups.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_layers_are_left_alone_and_more_are_merged_from_the_first_that_is_outweighed() {
        assert_eq!(due(&[]), None);
        assert_eq!(due(&[1; LAYERS_FEW]), None);
        assert_eq!(due(&[1; LAYERS_FEW + 1]), Some(0));
        assert_eq!(due(&[100, 1, 1, 1, 1, 1, 1]), Some(1));
        assert_eq!(due(&[100, 64, 32, 16, 8, 4, 2]), Some(0), "the base is outweighed");
        assert_eq!(due(&[1000, 64, 32, 16, 8, 4, 1]), None, "each outweighs all behind it");
        assert_eq!(due(&[1000, 90, 40, 20, 10, 4, 4]), Some(5));
    }

    /// A base and equal deltas: layers stay few, a reader reads less than twice the base, and a byte is rewritten a few times.
    #[test]
    fn layers_and_rewriting_stay_bounded() {
        let (base, deltas) = (4096, 10_000);
        let (mut layers, mut written) = (vec![base], 0);
        for _ in 0..deltas {
            layers.push(1);
            written += 1;
            while let Some(from) = due(&layers) {
                let sum: u64 = layers.drain(from..).sum();
                // What lies under the base vanishes into it.
                let merged = if from == 0 { base } else { sum };
                written += merged;
                layers.push(merged);
            }
            assert!(layers.len() <= LAYERS_FEW + 12, "{layers:?}");
            assert!(layers.iter().sum::<u64>() <= 2 * base + LAYERS_FEW as u64, "{layers:?}");
        }
        assert!(written <= 12 * deltas, "{written} written for {deltas}");
    }
}
