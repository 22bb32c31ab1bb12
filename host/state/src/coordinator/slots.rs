//! What operators have handed over, and what of it no checkpoint has yet: values only.
//!
//! **Invariants.** Of one operator and worker handovers are taken in the order they came. What a handover brings is kept until a
//! checkpoint that has it is complete (keyed state), or until its output is committed (staged output); a checkpoint that fails loses
//! nothing and doubles nothing, for the next one takes all that is kept. A handover for a checkpoint that has failed in between
//! is taken with the next. A second handover for the same checkpoint, an operator's last, lies behind its boundary and waits.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tidemill_core::TimeMs;
use tidemill_core::block::Block;
use tidemill_core::checkpoint::{CheckpointId, Handover, page_schema};
use tidemill_core::guest::OperatorId;
use tidemill_core::schema::Schema;

use crate::error::Error;
use crate::manifest::{Operator, Part};
use crate::rows::{self, Gone};

/// Pages that no checkpoint has are merged in memory beyond this many bytes, and again when they have doubled: as long as storage
/// refuses checkpoints they take no more memory than the state that has changed, twice.
const PENDING_BYTES: usize = 64 << 20;

/// An operator that hands over.
#[derive(Clone, Debug)]
pub struct Expected {
    /// How handovers name it.
    pub operator: OperatorId,
    /// How it is found again.
    pub name: String,
    /// What it is, e.g. `window`.
    pub kind: String,
    /// How many workers hand over for it.
    pub workers: usize,
    /// The fields of its key, for those who look at the state.
    pub key: Option<Schema>,
}

/// What has come from one worker of an operator.
#[derive(Debug, Default)]
struct Slot {
    queue: VecDeque<(CheckpointId, Handover)>,
    watermark: TimeMs,
    position: Option<String>,
    last: bool,
}

impl Slot {
    /// Whether it has what the checkpoint needs.
    fn is_ready(&self, checkpoint: CheckpointId) -> bool {
        self.last || self.queue.iter().any(|(id, handover)| *id == checkpoint || (handover.last && *id <= checkpoint))
    }
}

/// One operator over all its workers.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) expected: Expected,
    slots: BTreeMap<usize, Slot>,
    /// The columns of its keyed state.
    pub(crate) state: Option<Schema>,
    /// Its keyed state as the last complete checkpoint has it, or a merge since.
    pub(crate) layers: Vec<Vec<Part>>,
    /// Keyed state that came later, from the oldest page to the newest.
    pub(crate) pages: Vec<Block>,
    /// Output to commit.
    pub(crate) staged: Vec<String>,
    pages_bytes: usize,
    merge_at: usize,
}

/// All operators of a job.
#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) operators: Vec<Gathered>,
    by_id: HashMap<OperatorId, usize>,
    groups: u32,
}

impl Slots {
    /// Operators that go on from a saved one of the same name.
    pub(crate) fn new(expected: Vec<Expected>, groups: u32, saved: impl Fn(&str) -> Option<Operator>) -> Slots {
        let by_id = expected.iter().enumerate().map(|(index, expected)| (expected.operator, index)).collect();
        let gathered = |expected: Expected| {
            let saved = saved(&expected.name).unwrap_or_default();
            Gathered {
                slots: BTreeMap::new(),
                state: saved.state,
                layers: saved.layers,
                pages: Vec::new(),
                staged: Vec::new(),
                pages_bytes: 0,
                merge_at: PENDING_BYTES,
                expected,
            }
        };
        Slots { operators: expected.into_iter().map(gathered).collect(), by_id, groups }
    }

    /// Takes a handover. One of an operator that is not expected to hand over anything is nobody's state.
    pub(crate) fn put(&mut self, checkpoint: CheckpointId, handover: Handover) {
        if let Some(index) = self.by_id.get(&handover.operator) {
            self.operators[*index].slots.entry(handover.worker).or_default().queue.push_back((checkpoint, handover));
        }
    }

    /// Whether all that a checkpoint needs is there.
    pub(crate) fn is_ready(&self, checkpoint: CheckpointId) -> bool {
        self.operators.iter().all(|operator| operator.ready(checkpoint) >= operator.expected.workers)
    }

    /// Whether every operator has come to its end.
    pub(crate) fn is_last(&self) -> bool {
        self.operators.iter().all(|operator| operator.ended() >= operator.expected.workers)
    }

    /// The operators that a checkpoint waits for, in words.
    pub(crate) fn missing(&self, checkpoint: CheckpointId) -> String {
        let missing = self.operators.iter().filter_map(|operator| {
            let missing = operator.expected.workers.saturating_sub(operator.ready(checkpoint));
            (missing > 0).then(|| format!("{} ({missing} of {} workers)", operator.expected.name, operator.expected.workers))
        });
        missing.collect::<Vec<_>>().join(", ")
    }

    /// Takes in everything up to a checkpoint.
    ///
    /// # Errors
    /// Pages that cannot be state of their operator. What came with them is kept all the same.
    pub(crate) fn absorb(&mut self, checkpoint: CheckpointId) -> Result<(), Error> {
        self.operators.iter_mut().try_for_each(|operator| {
            operator.absorb(checkpoint);
            operator.bound_memory(self.groups)
        })
    }

    /// A checkpoint with these layers is complete.
    pub(crate) fn completed(&mut self, layers: Vec<Vec<Vec<Part>>>) {
        for (operator, layers) in self.operators.iter_mut().zip(layers) {
            operator.layers = layers;
            operator.pages = Vec::new();
            (operator.pages_bytes, operator.merge_at) = (0, PENDING_BYTES);
        }
    }
}

impl Gathered {
    fn ready(&self, checkpoint: CheckpointId) -> usize {
        self.slots.values().filter(|slot| slot.is_ready(checkpoint)).count()
    }

    fn ended(&self) -> usize {
        self.slots.values().filter(|slot| slot.last || slot.queue.iter().any(|(_, handover)| handover.last)).count()
    }

    fn absorb(&mut self, checkpoint: CheckpointId) {
        let Gathered { slots, state, layers, pages, staged, pages_bytes, .. } = self;
        for slot in slots.values_mut() {
            while slot.queue.front().is_some_and(|(id, _)| *id <= checkpoint) {
                let Some((id, handover)) = slot.queue.pop_front() else { break };
                slot.watermark = handover.watermark;
                slot.position = handover.position;
                slot.last |= handover.last;
                staged.extend(handover.staged);
                if let Some(keyed) = handover.keyed {
                    if state.as_ref() != Some(&keyed.state) {
                        // Columns have changed since the restore, so everything there is comes again.
                        layers.clear();
                        pages.clear();
                        *state = Some(keyed.state);
                    }
                    *pages_bytes += keyed.pages.iter().map(|page| page.as_bytes().len()).sum::<usize>();
                    pages.extend(keyed.pages);
                }
                if id == checkpoint {
                    break;
                }
            }
        }
    }

    fn bound_memory(&mut self, groups: u32) -> Result<(), Error> {
        let Some(state) = self.state.as_ref().filter(|_| self.pages_bytes > self.merge_at) else { return Ok(()) };
        let mut merged = Vec::new();
        rows::latest(&self.expected.name, &mut self.pages, groups, &page_schema(state), Gone::Keep, &mut |run| {
            merged.extend(run.pages);
            Ok(())
        })?;
        self.pages_bytes = merged.iter().map(|page| page.as_bytes().len()).sum();
        self.merge_at = PENDING_BYTES.max(2 * self.pages_bytes);
        self.pages = merged;
        Ok(())
    }

    /// What a manifest says of it, but for the layers.
    pub(crate) fn saved(&self, layers: Vec<Vec<Part>>) -> Operator {
        Operator {
            name: self.expected.name.clone(),
            kind: self.expected.kind.clone(),
            watermark: self.slots.values().map(|slot| slot.watermark).min().unwrap_or(tidemill_core::TIME_MIN),
            key: self.expected.key.clone(),
            state: self.state.clone(),
            layers,
            positions: self.slots.values().filter_map(|slot| slot.position.clone()).collect(),
            staged: self.staged.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::{Change, changes, page, state};
    use tidemill_core::checkpoint::Keyed;
    use tidemill_core::checkpoint::protocol::{self, Stamp};
    use tidemill_core::checkpoint::{Generation, column};

    const GROUPS: u32 = 16;

    fn slots() -> Slots {
        let expected = Expected { operator: 3, name: "counts".to_owned(), kind: "window".to_owned(), workers: 2, key: None };
        let stamp = Stamp { generation: Generation(1), checkpoint: CheckpointId(1) };
        let part = Part { name: protocol::Part { stamp, hash: [0; 32] }, bytes: 1, rows: 1, groups: (0, 0) };
        let saved = Operator { state: Some(state()), layers: vec![vec![part]], ..Operator::default() };
        Slots::new(vec![expected], GROUPS, |_| Some(saved.clone()))
    }

    fn handover(worker: usize, rows: &[Change]) -> Handover {
        let keyed = Keyed { state: state(), pages: page(rows).into_iter().collect() };
        let watermark = 10 - worker as i64;
        Handover { operator: 3, worker, watermark, keyed: Some(keyed), position: None, staged: Vec::new(), last: false }
    }

    fn row(group: u32, key: u8, number: Option<i64>) -> Change {
        ((group, vec![key], Vec::new()), number.map(|number| (None, number, None)))
    }

    #[test]
    fn a_checkpoint_waits_for_every_worker_and_says_for_whom() {
        let mut slots = slots();
        slots.put(CheckpointId(5), handover(0, &[]));
        slots.put(CheckpointId(5), Handover { operator: 4, ..handover(1, &[]) });
        assert!(!slots.is_ready(CheckpointId(5)));
        assert_eq!(slots.missing(CheckpointId(5)), "counts (1 of 2 workers)");
        slots.put(CheckpointId(5), handover(1, &[]));
        assert!(slots.is_ready(CheckpointId(5)));
        assert!(!slots.is_ready(CheckpointId(6)), "what was handed over for another counts for it only");
        slots.absorb(CheckpointId(5)).unwrap();
        assert_eq!(slots.operators[0].saved(Vec::new()).watermark, 9, "the least of the workers");
    }

    /// As long as storage refuses checkpoints, every state is in memory once, however often it changes.
    #[test]
    fn pages_that_no_checkpoint_takes_are_merged() {
        let mut slots = slots();
        slots.operators[0].merge_at = 1;
        for round in 0..50u64 {
            let rows = [row(1, 7, (round % 2 == 0).then_some(round as i64)), row(2, (round % 3) as u8, Some(round as i64))];
            slots.put(CheckpointId(round), handover(0, &rows));
            slots.absorb(CheckpointId(round)).unwrap();
            slots.operators[0].merge_at = 1;
        }
        let rows: Vec<Change> = slots.operators[0].pages.iter().flat_map(changes).collect();
        assert_eq!(rows, [row(1, 7, None), row(2, 0, Some(48)), row(2, 1, Some(49)), row(2, 2, Some(47))]);
        slots.completed(vec![Vec::new()]);
        assert_eq!((slots.operators[0].pages.len(), slots.operators[0].merge_at), (0, PENDING_BYTES));
    }

    #[test]
    fn state_of_other_columns_takes_the_place_of_all_there_was() {
        let mut slots = slots();
        slots.put(CheckpointId(1), handover(0, &[row(1, 7, Some(1))]));
        slots.absorb(CheckpointId(1)).unwrap();
        assert_eq!((slots.operators[0].layers.len(), slots.operators[0].pages.len()), (1, 1));
        let other: Schema = "n:i64".parse().unwrap();
        let mut builder = tidemill_core::block::Builder::new(&page_schema(&other));
        builder.push_time(0);
        builder.column(column::GROUP).push_i32(1);
        builder.column(column::KEY).push_bytes(&[7]);
        builder.column(column::NAMESPACE).push_bytes(&[]);
        builder.column(column::GONE).push_bool(false);
        builder.column(column::HOST).push_absent();
        builder.column(column::STATE).push_i64(1);
        let pages: Vec<Block> = builder.finish().into_iter().collect();
        // Each worker brings all of its own.
        for worker in 0..2 {
            let keyed = Keyed { state: other.clone(), pages: pages.clone() };
            slots.put(CheckpointId(2), Handover { keyed: Some(keyed), ..handover(worker, &[]) });
        }
        slots.absorb(CheckpointId(2)).unwrap();
        assert_eq!((slots.operators[0].layers.len(), slots.operators[0].pages.len()), (0, 2));
        assert_eq!(slots.operators[0].state, Some(other));
    }
}
