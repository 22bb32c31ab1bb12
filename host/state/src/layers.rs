//! Layers of keyed state: reading them as one, and when to make fewer of them.
//!
//! Every checkpoint adds a layer with what has changed. A key group is read from all layers at once and merged, the later layer
//! winning, so memory holds one key group. **When to merge.** Bytes of layers, from the oldest: as long as each layer is longer than
//! all behind it together, a reader reads less than twice what is live, and each byte is rewritten about log2(state / delta)
//! times. A merge takes the layers from the first that is not.

use std::ops::Range;

use tidemill_core::block::Block;
use tidemill_core::checkpoint::{column, page_schema};
use tidemill_core::schema::Schema;

use crate::error::Error;
use crate::manifest::Part;
use crate::part::{Origin, Reader, Writer};
use crate::rows::{Gone, Pages};
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

/// The layers of one operator, open for reading.
pub(crate) struct Layers<'a> {
    store: &'a Store,
    operator: &'a str,
    state: &'a Schema,
    schema: Schema,
    layers: Vec<Layer<'a>>,
}

/// One layer: its parts, and the one that was read last. Groups are read in ascending order, so none is opened twice.
struct Layer<'a> {
    parts: &'a [Part],
    open: Option<(&'a Part, Reader)>,
}

impl<'a> Layers<'a> {
    pub(crate) fn new(store: &'a Store, operator: &'a str, state: &'a Schema, layers: &'a [Vec<Part>]) -> Layers<'a> {
        let layers = layers.iter().map(|parts| Layer { parts, open: None }).collect();
        Layers { store, operator, state, schema: page_schema(state), layers }
    }

    /// Calls `each` with the merged rows of every group of `groups` that has some.
    ///
    /// # Errors
    /// What cannot be read, and what `each` says.
    pub(crate) fn merge<E: From<Error>>(
        &mut self,
        groups: Range<u32>,
        gone: Gone,
        each: &mut dyn FnMut(u32, Vec<Block>) -> Result<(), E>,
    ) -> Result<(), E> {
        for group in groups {
            let mut pages = Vec::new();
            let mut layers = 0;
            for layer in &mut self.layers {
                let run = layer.run(self.store, self.operator, self.state, group)?;
                layers += usize::from(!run.is_empty());
                pages.extend(run);
            }
            let keep_all = |page: &Block| page.column(column::GONE).raw().iter().all(|gone| *gone == 0);
            if layers > 1 || (gone == Gone::Drop && !pages.iter().all(keep_all)) {
                pages = merged(&pages, gone, &self.schema);
            }
            if !pages.is_empty() {
                each(group, pages)?;
            }
        }
        Ok(())
    }

    /// Writes the merged rows of all groups as one layer.
    pub(crate) fn rewrite(&mut self, to: &Store, origin: Origin, gone: Gone, go_on: &dyn Fn() -> bool) -> Result<Vec<Part>, Error> {
        let mut writer = Writer::new(to, origin, self.operator, self.state);
        self.merge(0..origin.groups, gone, &mut |group, pages| {
            if !go_on() {
                return Err(Error::storage("merge", "stopped"));
            }
            writer.run(group, &pages)
        })?;
        writer.finish()
    }
}

fn merged(pages: &[Block], gone: Gone, schema: &Schema) -> Vec<Block> {
    let opened = Pages::new(pages);
    let rows = opened.latest(&mut opened.rows(), gone);
    opened.build(&rows, schema)
}

impl<'a> Layer<'a> {
    fn run(&mut self, store: &Store, operator: &str, state: &Schema, group: u32) -> Result<Vec<Block>, Error> {
        let index = self.parts.partition_point(|part| part.groups.1 < group);
        let Some(part) = self.parts.get(index).filter(|part| part.groups.0 <= group) else { return Ok(Vec::new()) };
        if !self.open.as_ref().is_some_and(|(open, _)| std::ptr::eq(*open, part)) {
            self.open = Some((part, Reader::open(store, part, operator, state)?));
        }
        let (_, reader) = self.open.as_mut().expect("it was opened just now");
        reader.run(group)
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
