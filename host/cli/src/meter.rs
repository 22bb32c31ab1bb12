//! Sources and sinks that note when the first record passed: one look at a flag per block.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tidemill_core::block::Block;
use tidemill_core::checkpoint::Generation;
use tidemill_core::connect::{Error, Polled, Reader, Sink, Source, SplitTime, Waker, Writer};

/// A moment that is set once, by whoever comes first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Once(Arc<OnceLock<Instant>>);

impl Once {
    fn mark(&self) {
        self.0.get_or_init(Instant::now);
    }

    /// When it was, if it was.
    pub(crate) fn get(&self) -> Option<Instant> {
        self.0.get().copied()
    }
}

/// A source that marks its first record.
pub(crate) struct MeteredSource {
    pub(crate) inner: Arc<dyn Source>,
    pub(crate) first: Once,
}

impl Source for MeteredSource {
    fn reader(&self, worker: usize, peers: usize, waker: Waker) -> Result<Box<dyn Reader>, Error> {
        let inner = self.inner.reader(worker, peers, waker)?;
        Ok(Box::new(MeteredReader { inner, first: self.first.clone() }))
    }

    fn bounded(&self) -> bool {
        self.inner.bounded()
    }

    fn parallelism_max(&self) -> Option<usize> {
        self.inner.parallelism_max()
    }

    fn restore(&self, positions: &[String]) -> Result<(), Error> {
        self.inner.restore(positions)
    }

    fn replayable(&self) -> bool {
        self.inner.replayable()
    }
}

struct MeteredReader {
    inner: Box<dyn Reader>,
    first: Once,
}

impl Reader for MeteredReader {
    fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
        // The mark is set before the read, so that the time of the first read is part of the job's.
        if self.first.get().is_none() {
            let start = Instant::now();
            let polled = self.inner.poll(rows)?;
            if matches!(&polled, Polled::Batch(batch) if batch.records > 0) {
                self.first.0.get_or_init(|| start);
            }
            return Ok(polled);
        }
        self.inner.poll(rows)
    }

    fn splits(&self) -> &[SplitTime] {
        self.inner.splits()
    }

    fn split_name(&self, split: usize) -> Option<String> {
        self.inner.split_name(split)
    }

    fn observe(&mut self, split: usize, max_time: tidemill_core::TimeMs) {
        self.inner.observe(split, max_time);
    }

    fn position(&mut self, boundary: Option<u64>) -> Result<Option<String>, Error> {
        self.inner.position(boundary)
    }
}

/// A sink that marks its first output: the first flush behind a record.
pub(crate) struct MeteredSink {
    pub(crate) inner: Arc<dyn Sink>,
    pub(crate) first: Once,
}

impl Sink for MeteredSink {
    fn writer(&self, worker: usize, peers: usize) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(MeteredWriter { inner: self.inner.writer(worker, peers)?, first: self.first.clone(), wrote: false }))
    }

    fn recover(&self, generation: Generation, staged: &[String]) -> Result<(), Error> {
        self.inner.recover(generation, staged)
    }

    fn commit(&self, staged: &[String]) -> Result<(), Error> {
        self.inner.commit(staged)
    }

    fn transactional(&self) -> bool {
        self.inner.transactional()
    }

    fn parallelism_max(&self) -> Option<usize> {
        self.inner.parallelism_max()
    }
}

struct MeteredWriter {
    inner: Box<dyn Writer>,
    first: Once,
    wrote: bool,
}

impl MeteredWriter {
    fn passed(&mut self) {
        if self.wrote {
            self.wrote = false;
            self.first.mark();
        }
    }
}

impl Writer for MeteredWriter {
    fn write(&mut self, block: &Block) -> Result<(), Error> {
        self.inner.write(block)?;
        self.wrote = true;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.inner.flush()?;
        self.passed();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.inner.finish()?;
        self.passed();
        Ok(())
    }

    fn stage(&mut self) -> Result<Vec<String>, Error> {
        let staged = self.inner.stage()?;
        self.passed();
        Ok(staged)
    }
}
