//! Sinks that count what they hold back: records that are written and are shown with the checkpoint that covers them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_core::block::Block;
use tidemill_core::checkpoint::Generation;
use tidemill_core::connect::{Error, Sink, Writer};
use tidemill_core::guest::OperatorId;

use crate::bindings::Ends;

/// The counts of all sinks that hold back.
#[derive(Clone, Default)]
pub(crate) struct Staged(HashMap<OperatorId, Counts>);

impl Staged {
    /// Lets the sinks of a job with checkpoints be counted.
    pub(crate) fn count(ends: &mut Ends) -> Staged {
        let mut staged = Staged::default();
        for (id, sink) in ends.sinks.iter_mut().filter(|(_, sink)| sink.transactional()) {
            let counts = staged.0.entry(*id).or_default().clone();
            *sink = Arc::new(CountedSink { inner: Arc::clone(sink), counts });
        }
        staged
    }

    /// Records that a sink has written and that cannot be seen yet; none for one that holds nothing back.
    pub(crate) fn records(&self, sink: OperatorId) -> Option<u64> {
        self.0.get(&sink).map(|counts| counts.lock().unseen)
    }
}

#[derive(Debug, Default)]
struct Count {
    unseen: u64,
    /// Of them those that are staged, by the first name of each boundary of each writer.
    staged: HashMap<String, u64>,
}

#[derive(Clone, Debug, Default)]
struct Counts(Arc<Mutex<Count>>);

impl Counts {
    fn lock(&self) -> MutexGuard<'_, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct CountedSink {
    inner: Arc<dyn Sink>,
    counts: Counts,
}

impl Sink for CountedSink {
    fn writer(&self, worker: usize, peers: usize) -> Result<Box<dyn Writer>, Error> {
        let inner = self.inner.writer(worker, peers)?;
        Ok(Box::new(CountedWriter { inner, counts: self.counts.clone(), written: 0 }))
    }

    fn recover(&self, generation: Generation, staged: &[String]) -> Result<(), Error> {
        self.inner.recover(generation, staged)
    }

    fn commit(&self, staged: &[String]) -> Result<(), Error> {
        self.inner.commit(staged)?;
        let mut count = self.counts.lock();
        let shown: u64 = staged.iter().filter_map(|name| count.staged.remove(name)).sum();
        count.unseen -= shown;
        Ok(())
    }

    fn transactional(&self) -> bool {
        self.inner.transactional()
    }

    fn parallelism_max(&self) -> Option<usize> {
        self.inner.parallelism_max()
    }
}

struct CountedWriter {
    inner: Box<dyn Writer>,
    counts: Counts,
    /// Records since the last boundary.
    written: u64,
}

impl Writer for CountedWriter {
    fn write(&mut self, block: &Block) -> Result<(), Error> {
        self.inner.write(block)?;
        self.written += block.rows() as u64;
        self.counts.lock().unseen += block.rows() as u64;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.inner.flush()
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.inner.finish()
    }

    fn stage(&mut self) -> Result<Vec<String>, Error> {
        let names = self.inner.stage()?;
        if let Some(first) = names.first() {
            *self.counts.lock().staged.entry(first.clone()).or_default() += std::mem::take(&mut self.written);
        }
        Ok(names)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tidemill_core::block::Builder;

    use super::*;

    /// Stages under a new name each time; nothing where nothing was written.
    #[derive(Default)]
    struct Held {
        boundaries: u32,
        wrote: bool,
    }

    impl Writer for Held {
        fn write(&mut self, _: &Block) -> Result<(), Error> {
            self.wrote = true;
            Ok(())
        }

        fn flush(&mut self) -> Result<(), Error> {
            Ok(())
        }

        fn finish(&mut self) -> Result<(), Error> {
            Ok(())
        }

        fn stage(&mut self) -> Result<Vec<String>, Error> {
            self.boundaries += 1;
            let names = if std::mem::take(&mut self.wrote) {
                vec![format!("{}a", self.boundaries), format!("{}b", self.boundaries)]
            } else {
                vec![]
            };
            Ok(names)
        }
    }

    struct HeldSink {
        transactional: bool,
    }

    impl Sink for HeldSink {
        fn writer(&self, _: usize, _: usize) -> Result<Box<dyn Writer>, Error> {
            Ok(Box::<Held>::default())
        }

        fn commit(&self, staged: &[String]) -> Result<(), Error> {
            if staged.iter().any(|name| name == "bad") { Err(Error::Io("no disk".to_owned())) } else { Ok(()) }
        }

        fn transactional(&self) -> bool {
            self.transactional
        }
    }

    fn rows(count: usize) -> Block {
        let mut builder = Builder::new(&"n:i64".parse().unwrap());
        for _ in 0..count {
            builder.push_time(0);
            builder.column(0).push_i64(1);
        }
        builder.finish().unwrap()
    }

    #[test]
    fn what_is_written_is_unseen_until_it_is_committed_and_is_counted_once() {
        let sink = |transactional| Arc::new(HeldSink { transactional }) as Arc<dyn Sink>;
        let mut ends = Ends { sinks: HashMap::from([(3, sink(true)), (4, sink(false))]), ..Ends::default() };
        let staged = Staged::count(&mut ends);
        assert_eq!((staged.records(3), staged.records(4)), (Some(0), None));
        let mut writer = ends.sinks[&3].writer(0, 1).unwrap();
        let commit = |names: &[&str]| ends.sinks[&3].commit(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        writer.write(&rows(3)).unwrap();
        assert_eq!(writer.stage().unwrap(), ["1a", "1b"]);
        writer.write(&rows(4)).unwrap();
        assert_eq!(staged.records(3), Some(7));
        commit(&["1a", "bad"]).unwrap_err();
        assert_eq!(staged.records(3), Some(7), "what cannot be shown is not seen");
        commit(&["1a", "1b"]).unwrap();
        commit(&["1a", "1b"]).unwrap();
        assert_eq!(staged.records(3), Some(4), "what came behind the boundary is for the next");
        writer.stage().unwrap();
        assert_eq!(writer.stage().unwrap(), Vec::<String>::new());
        commit(&["2a", "2b"]).unwrap();
        assert_eq!(staged.records(3), Some(0));
    }
}
