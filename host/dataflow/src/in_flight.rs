//! What an unaligned boundary finds under way: records from before it that reach an operator after its state has been handed over.
//!
//! They are kept beside the operator's state, as keyed state of an operator of their own whose name is [`operator`], so that every part of
//! a checkpoint (layers, checksums, reading by key group) holds for them too. A restore gives them to the operator before
//! anything else. Records of a keyed operator are kept by key group and fit any parallelism; those of another go to the worker that has
//! the first group of the worker that kept them.
//!
//! Workers hand over at different moments here, and so at different watermarks: each says its own, for the windows that it has fired already, and
//! says it again until the operator has caught up with it: a job that was unaligned once hands all this over in every mode.

use std::collections::BTreeSet;
use std::ops::Range;

use tidemill_core::block::{Block, Builder, Value, gather};
use tidemill_core::checkpoint::{Keyed, column, page_schema};
use tidemill_core::guest::OperatorId;
use tidemill_core::key;
use tidemill_core::schema::Schema;
use tidemill_core::{TIME_MIN, TimeMs};

/// Bytes after which a page is closed.
const PAGE_BYTES: usize = 1 << 20;

/// The columns: a piece of a block and the input it came on, or the watermark of a worker and the last of its groups.
const STATE: &str = "input:i32?,records:bytes?,watermark:i64?,last:i32?";
const INPUT: usize = column::STATE;
const RECORDS: usize = column::STATE + 1;
const WATERMARK: usize = column::STATE + 2;
const LAST: usize = column::STATE + 3;

/// First byte of a key, which goes on with the worker, for records with their number in the order of arrival, and ends with the key
/// group: a name is one piece of state, whatever group it lies in.
const KEY_WATERMARK: u8 = 0;
const KEY_RECORDS: u8 = 1;

/// No operator of a plan has it in its name.
pub(crate) const SEPARATOR: char = '/';

/// The name under which what is under way to an operator is saved.
pub(crate) fn operator(operator: &str) -> String {
    format!("{operator}{SEPARATOR}in-flight")
}

/// The columns of its state.
pub(crate) fn state() -> Schema {
    STATE.parse().expect("a constant schema parses")
}

/// An input of an operator, as far as it matters here.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// The records' schema.
    pub(crate) schema: Schema,
    /// Its key columns, where the operator is keyed.
    pub(crate) key: Option<Vec<usize>>,
}

/// A key group and the key of a row.
type Name = (u32, Vec<u8>);

fn name(group: u32, key: &[u8]) -> Name {
    (group, [key, &group.to_be_bytes()].concat())
}

/// Keeps what comes to one operator on one worker. See the module.
pub(crate) struct Recorder {
    /// How its handovers are named.
    pub(crate) operator: OperatorId,
    worker: u32,
    /// The key groups of this worker; none beyond the operator's parallelism.
    groups: Range<u32>,
    lanes: Vec<Lane>,
    records: Vec<(Name, u32, Block)>,
    /// What the checkpoint before has.
    kept: BTreeSet<Name>,
    next: u64,
}

impl Recorder {
    pub(crate) fn new(operator: OperatorId, worker: usize, groups: Range<u32>, lanes: Vec<Lane>) -> Recorder {
        Recorder { operator, worker: worker as u32, groups, lanes, records: Vec::new(), kept: BTreeSet::new(), next: 0 }
    }

    /// Keeps a block.
    pub(crate) fn record(&mut self, input: usize, block: &Block) {
        let lane = &self.lanes[input];
        let mut key = vec![KEY_RECORDS];
        key.extend_from_slice(&self.worker.to_be_bytes());
        key.extend_from_slice(&self.next.to_be_bytes());
        self.next += 1;
        let Some(columns) = &lane.key else {
            self.records.push((name(self.groups.start, &key), input as u32, block.clone()));
            return;
        };
        let mut rows = vec![Vec::new(); key::GROUPS as usize];
        key::for_each(block, columns, |row, key| rows[key::group(key::hash(key)) as usize].push(row as u32));
        for (group, rows) in rows.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let (group, piece) = (group as u32, gather(block, rows, &lane.schema).expect("there are rows"));
            self.records.push((name(group, &key), input as u32, piece));
        }
    }

    /// Hands over what was kept since the last time, and the watermark at which the state was handed over, which is a later one for key
    /// groups that are `ahead`, where there are any.
    pub(crate) fn hand_over(&mut self, watermark: TimeMs, ahead: &[TimeMs]) -> Keyed {
        let state = state();
        let mut pages = Pages { builder: Builder::new(&page_schema(&state)), pages: Vec::new() };
        let mut kept = BTreeSet::new();
        if self.lanes.iter().any(|lane| lane.key.is_some()) {
            let mut key = vec![KEY_WATERMARK];
            key.extend_from_slice(&self.worker.to_be_bytes());
            let of = |group: &u32| ahead.get(*group as usize).map_or(watermark, |ahead| watermark.max(*ahead));
            let groups: Vec<u32> = self.groups.clone().collect();
            for run in groups.chunk_by(|a, b| of(a) == of(b)) {
                let name = name(run[0], &key);
                pages.row(&name, false, |builder| {
                    builder.column(WATERMARK).push_i64(of(&run[0]));
                    builder.column(LAST).push_i32(run[run.len() - 1] as i32);
                    [INPUT, RECORDS].into_iter().for_each(|column| builder.column(column).push_absent());
                });
                kept.insert(name);
            }
        }
        for (name, input, block) in self.records.drain(..) {
            pages.row(&name, false, |builder| {
                builder.column(INPUT).push_i32(input as i32);
                builder.column(RECORDS).push_bytes(block.as_bytes());
                [WATERMARK, LAST].into_iter().for_each(|column| builder.column(column).push_absent());
            });
            kept.insert(name);
        }
        for name in self.kept.difference(&kept) {
            pages.row(name, true, |builder| (INPUT..=LAST).for_each(|column| builder.column(column).push_absent()));
        }
        self.kept = kept;
        Keyed { state, pages: pages.done() }
    }

    /// What the operator begins with: the next handover says that it is gone.
    pub(crate) fn restored(&mut self, found: &Found) {
        self.kept.extend(found.names.iter().cloned());
    }
}

struct Pages {
    builder: Builder,
    pages: Vec<Block>,
}

impl Pages {
    fn row(&mut self, (group, key): &Name, gone: bool, state: impl FnOnce(&mut Builder)) {
        self.builder.push_time(0);
        self.builder.column(column::GROUP).push_i32(*group as i32);
        self.builder.column(column::KEY).push_bytes(key);
        self.builder.column(column::NAMESPACE).push_bytes(&[]);
        self.builder.column(column::GONE).push_bool(gone);
        self.builder.column(column::HOST).push_absent();
        state(&mut self.builder);
        if self.builder.size() >= PAGE_BYTES {
            self.pages.extend(self.builder.finish());
        }
    }

    fn done(mut self) -> Vec<Block> {
        self.pages.extend(self.builder.finish());
        self.pages
    }
}

/// What a checkpoint has under way to an operator, for one worker.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Input and records, in the order in which each worker kept them.
    pub(crate) records: Vec<(usize, Block)>,
    /// The watermark of the worker that had each key group; empty when none is said.
    pub(crate) watermarks: Vec<TimeMs>,
    names: Vec<Name>,
    /// By key, until all pages have been read.
    unsorted: Vec<(Vec<u8>, usize, Block)>,
}

impl Found {
    /// Reads a page of the checkpoint for the worker that has these groups now.
    pub(crate) fn page(&mut self, page: &Block, groups: &Range<u32>, lanes: &[Lane]) -> Result<(), String> {
        for row in 0..page.rows() {
            let cell = |column| page.column(column).value(row);
            let Value::I32(group) = cell(column::GROUP) else { return Err("a row without a key group".to_owned()) };
            let (group, key) = (group as u32, page.column(column::KEY).bytes(row).to_vec());
            let mine = groups.contains(&group);
            match (cell(INPUT), cell(WATERMARK), cell(LAST)) {
                (Value::I32(input), _, _) if mine => {
                    let input = input as usize;
                    let lane = lanes.get(input).ok_or_else(|| format!("records of input {input}, which there is no more"))?;
                    let records = Block::from_bytes(page.column(RECORDS).bytes(row).to_vec(), &lane.schema);
                    let records = records.map_err(|e| format!("records under way on input {input}: {e}"))?;
                    self.unsorted.push((key.clone(), input, records));
                }
                (Value::Absent, Value::I64(watermark), Value::I32(last)) => {
                    self.watermarks.resize(key::GROUPS as usize, TIME_MIN);
                    self.watermarks.iter_mut().take(last as usize + 1).skip(group as usize).for_each(|of| *of = watermark);
                }
                _ => {}
            }
            if mine {
                self.names.push((group, key));
            }
        }
        Ok(())
    }

    /// All pages have been read.
    pub(crate) fn done(mut self) -> Found {
        self.unsorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.records = std::mem::take(&mut self.unsorted).into_iter().map(|(_, input, block)| (input, block)).collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(keyed: bool) -> Vec<Lane> {
        vec![Lane { schema: "k:i64".parse().expect("a schema"), key: keyed.then(|| vec![0]) }]
    }

    fn block(keys: std::ops::Range<i64>) -> Block {
        let mut builder = Builder::new(&lanes(true)[0].schema);
        for key in keys {
            builder.push_time(key);
            builder.column(0).push_i64(key);
        }
        builder.finish().expect("rows")
    }

    fn find(pages: &[Block], groups: Range<u32>, keyed: bool) -> Found {
        let mut found = Found::default();
        pages.iter().for_each(|page| found.page(page, &groups, &lanes(keyed)).expect("it was written so"));
        found.done()
    }

    fn keys(found: &Found) -> Vec<i64> {
        found.records.iter().flat_map(|(_, block)| block.times().iter().collect::<Vec<_>>()).collect()
    }

    #[test]
    fn records_go_to_the_worker_that_has_their_group_and_keep_their_order() {
        let mut recorder = Recorder::new(9, 1, key::groups(1, 2), lanes(true));
        (0..20).for_each(|i| recorder.record(0, &block(i * 10..i * 10 + 10)));
        let pages = recorder.hand_over(77, &[]).pages;
        let mut all = Vec::new();
        for worker in 0..4 {
            let found = find(&pages, key::groups(worker, 4), true);
            let of: Vec<i64> = keys(&found);
            assert!(of.iter().all(|key| key::worker(key::group(key::hash(&key.to_le_bytes())), 4) == worker));
            assert!(of.windows(2).all(|pair| pair[0] / 10 <= pair[1] / 10), "blocks keep their order: {of:?}");
            let expected = |group: u32| if key::groups(1, 2).contains(&group) { 77 } else { TIME_MIN };
            assert!((0..key::GROUPS).all(|group| found.watermarks[group as usize] == expected(group)));
            all.extend(of);
        }
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn groups_that_are_ahead_keep_their_watermark() {
        let mut recorder = Recorder::new(9, 1, key::groups(1, 2), lanes(true));
        let ahead: Vec<TimeMs> = (0..key::GROUPS).map(|group| if (130..140).contains(&group) { 99 } else { 5 }).collect();
        let found = find(&recorder.hand_over(77, &ahead).pages, key::groups(0, 2), true);
        for group in 0..key::GROUPS {
            let expected = [TIME_MIN, 77, 99][usize::from(group >= 128) + usize::from((130..140).contains(&group))];
            assert_eq!(found.watermarks[group as usize], expected, "group {group}");
        }
    }

    #[test]
    fn records_without_a_key_stay_together() {
        let mut recorder = Recorder::new(9, 3, key::groups(3, 4), lanes(false));
        (0..5).for_each(|i| recorder.record(0, &block(i * 10..i * 10 + 10)));
        let pages = recorder.hand_over(77, &[]).pages;
        assert!(keys(&find(&pages, key::groups(0, 2), false)).is_empty());
        let found = find(&pages, key::groups(1, 2), false);
        assert_eq!(keys(&found), (0..50).collect::<Vec<_>>());
        assert!(found.watermarks.is_empty());
    }

    #[test]
    fn what_was_under_way_before_is_gone() {
        let gone = |pages: &[Block]| -> usize {
            let gone = |page: &Block| (0..page.rows()).filter(|&row| page.column(column::GONE).value(row) == Value::Bool(true)).count();
            pages.iter().map(gone).sum()
        };
        let mut recorder = Recorder::new(9, 0, key::groups(0, 1), lanes(false));
        recorder.record(0, &block(0..3));
        let first = recorder.hand_over(1, &[]).pages;
        assert_eq!(gone(&first), 0);
        assert_eq!(gone(&recorder.hand_over(2, &[]).pages), 1);
        assert_eq!(gone(&recorder.hand_over(3, &[]).pages), 0, "said once");
        let mut next = Recorder::new(9, 0, key::groups(0, 1), lanes(false));
        next.restored(&find(&first, key::groups(0, 1), false));
        next.record(0, &block(0..3));
        assert_eq!(gone(&next.hand_over(4, &[]).pages), 0, "it is written over: the same worker, the same number");
    }
}
