//! `datagen:rows`: random records of any schema.
//!
//! Integers are below `keys`, numbers in 0..1, strings from a small vocabulary, and the time field is the index of the row in
//! milliseconds. Row i is the same whoever makes it; workers take runs of rows in turn. Without `count` there is no end.

use std::sync::Arc;

use tidemill_core::block::{Builder, ColumnBuilder};
use tidemill_core::connect::{Batch, Error, Polled, Reader, Source, SplitTime, Waker};
use tidemill_core::schema::Type;
use tidemill_core::{TIME_MIN, TimeMs};

use super::SplitMix;
use crate::decode::Layout;
use crate::url::Url;

/// The bound of integers when the URL gives none.
const KEYS: u64 = 1_000;
/// The seed when the URL gives none.
const SEED: u64 = 42;
/// Rows that one worker makes in a row.
const RUN_ROWS: u64 = 1_024;
const VOCABULARY: [&str; 16] = [
    "ebb", "flood", "neap", "spring", "slack", "surge", "swell", "wave", "shoal", "sound", "strait", "delta", "marsh", "creek", "weir",
    "mill",
];

/// The options beside those of every source.
pub(crate) const OPTIONS: [&str; 3] = ["count", "seed", "keys"];

struct RowsSource {
    layout: Arc<Layout>,
    count: Option<u64>,
    seed: u64,
    keys: u64,
}

pub(crate) fn open_source(url: &Url, layout: Arc<Layout>) -> Result<Arc<dyn Source>, Error> {
    let keys = url.positive("keys")?.unwrap_or(KEYS);
    if keys > i32::MAX as u64 {
        return Err(url.wrong("option \"keys\" must fit 31 bits"));
    }
    Ok(Arc::new(RowsSource { layout, count: url.number("count")?, seed: url.number("seed")?.unwrap_or(SEED), keys }))
}

impl Source for RowsSource {
    fn reader(&self, worker: usize, peers: usize, _waker: Waker) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(RowsReader {
            builders: self.layout.builders(),
            layout: self.layout.clone(),
            count: self.count.unwrap_or(u64::MAX),
            seed: self.seed,
            keys: self.keys,
            next: RUN_ROWS * worker as u64,
            peers: peers.max(1) as u64,
            splits: [SplitTime { max_time: TIME_MIN, ended: false }],
        }))
    }

    fn bounded(&self) -> bool {
        self.count.is_some()
    }
}

struct RowsReader {
    layout: Arc<Layout>,
    builders: Vec<Builder>,
    count: u64,
    seed: u64,
    keys: u64,
    /// The next row of this worker.
    next: u64,
    peers: u64,
    splits: [SplitTime; 1],
}

impl RowsReader {
    fn row(&mut self, index: u64) {
        let mut random = SplitMix::of(self.seed, index);
        let port = random.below(self.layout.ports.len() as u64) as usize;
        let layout = &self.layout;
        let builder = &mut self.builders[port];
        for (column, wanted) in builder.columns_mut().iter_mut().zip(&layout.ports[port].columns) {
            if layout.time == Some(wanted.name) && wanted.ty == Type::I64 {
                column.push_i64(index as i64);
            } else if let Some(variant) = layout.ports[port].variant.as_deref().filter(|_| layout.tag == Some(wanted.name)) {
                column.push_heap(variant.as_bytes());
            } else {
                cell(&mut random, self.keys, column);
            }
        }
        builder.push_time(if layout.time.is_some() { index as TimeMs } else { 0 });
    }
}

fn cell(random: &mut SplitMix, keys: u64, column: &mut ColumnBuilder) {
    match column.ty() {
        Type::Bool => column.push_bool(random.below(2) == 1),
        Type::I32 => column.push_i32(random.below(keys) as i32),
        Type::I64 => column.push_i64(random.below(keys) as i64),
        Type::F64 => column.push_f64(random.unit()),
        Type::String | Type::Bytes => column.push_heap(VOCABULARY[random.below(VOCABULARY.len() as u64) as usize].as_bytes()),
    }
}

impl Reader for RowsReader {
    fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
        if self.next >= self.count {
            self.splits[0].ended = true;
            return Ok(Polled::Ended);
        }
        let run_end = (self.next / RUN_ROWS + 1) * RUN_ROWS;
        let rows = rows.clamp(1, self.layout.rows_max) as u64;
        let end = run_end.min(self.count).min(self.next + rows);
        let records = end - self.next;
        for index in self.next..end {
            self.row(index);
        }
        self.next = if end == run_end { end + RUN_ROWS * (self.peers - 1) } else { end };
        if self.layout.time.is_some() {
            self.observe(0, end as TimeMs - 1);
        }
        let finished = self.builders.iter_mut().enumerate().filter_map(|(port, b)| Some((port, b.finish()?)));
        let blocks: Vec<_> = finished.collect();
        let bytes = blocks.iter().map(|(_, block)| block.as_bytes().len() as u64).sum();
        Ok(Polled::Batch(Batch { blocks, records, bytes, ..Batch::default() }))
    }

    fn splits(&self) -> &[SplitTime] {
        &self.splits
    }

    fn observe(&mut self, split: usize, max_time: TimeMs) {
        let known = &mut self.splits[split].max_time;
        *known = max_time.max(*known);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn rows_do_not_depend_on_the_number_of_workers() {
        let operator = testing::source("at:i64,k:i32,v:f64,s:string,b:bool?", "json", r#""time":"at""#, "fail");
        let source = crate::open_source("datagen:rows?count=5000&keys=10&seed=3", &operator).unwrap();
        assert!(source.bounded());
        let rows = |peers: usize| {
            let mut rows = Vec::new();
            for worker in 0..peers {
                let mut reader = source.reader(worker, peers, Arc::new(|| {})).unwrap();
                rows.extend(testing::all_lines(&testing::drain(&mut *reader, 300).unwrap()));
            }
            rows.sort();
            rows
        };
        let alone = rows(1);
        assert_eq!(alone.len(), 5000);
        assert_eq!(alone, rows(3));
        let keys = alone.iter().map(|r| r.split('|').nth(1).unwrap().parse::<i64>().unwrap());
        assert!(keys.clone().all(|k| (0..10).contains(&k)) && keys.max() == Some(9));
    }

    #[test]
    fn without_a_count_there_is_no_end() {
        let source = crate::open_source("datagen:rows", &testing::source("n:i64", "json", "", "fail")).unwrap();
        assert!(!source.bounded());
        let mut reader = testing::reader(&*source);
        for _ in 0..100 {
            assert!(matches!(reader.poll(10), Ok(Polled::Batch(batch)) if batch.records > 0));
        }
    }
}
