//! The groups of sources that are aligned, shared by all workers: what each has come to, and how far it may go.
//!
//! A source says how far it has come and asks for its limit before every block; there is no interval, since all workers are in one process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tidemill_core::TimeMs;
use tidemill_core::align::Group;
use tidemill_core::guest::OperatorId;
use tidemill_core::plan::{Align, Graph, Kind, Plan};

type Shared = Arc<Mutex<Group>>;

/// The groups of a job.
#[derive(Clone, Default)]
pub(crate) struct Groups {
    /// By source: what it says of itself, its first member, and its group.
    of: BTreeMap<OperatorId, (Align, usize, Shared)>,
}

impl Groups {
    pub(crate) fn new(plan: &Plan, graph: &Graph) -> Groups {
        // A source without a group's name is a group of its own.
        let mut members: BTreeMap<(Option<&str>, OperatorId), Vec<(OperatorId, &Align)>> = BTreeMap::new();
        for (id, operator) in (0..).zip(&plan.operators) {
            let Kind::Source(source) = &operator.kind else { continue };
            let Some(align) = &source.align else { continue };
            let key = align.group.as_deref().map_or((None, id), |name| (Some(name), 0));
            members.entry(key).or_default().push((id, align));
        }
        let mut of = BTreeMap::new();
        for sources in members.into_values() {
            let readers = |id: OperatorId| graph.nodes[id as usize].parallelism.workers;
            let group = Arc::new(Mutex::new(Group::new(sources.iter().map(|(id, _)| readers(*id)).sum())));
            let mut first = 0;
            for (id, align) in sources {
                of.insert(id, (align.clone(), first, Arc::clone(&group)));
                first += readers(id);
            }
        }
        Groups { of }
    }

    /// A source's part in its group, on one of the workers that read.
    pub(crate) fn member(&self, source: OperatorId, worker: usize) -> Option<Member> {
        let (align, first, group) = self.of.get(&source)?;
        Some(Member { max_drift_ms: align.max_drift_ms, place: first + worker, group: Arc::clone(group) })
    }
}

/// A source on one worker as a member of its group; it leaves when this is dropped.
pub(crate) struct Member {
    max_drift_ms: i64,
    place: usize,
    group: Shared,
}

impl Member {
    /// Says how far it has come, and learns how far it may go.
    pub(crate) fn say(&self, watermark: Option<TimeMs>) -> TimeMs {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        group.say(self.place, watermark);
        group.limit(self.max_drift_ms)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.say(None);
    }
}
