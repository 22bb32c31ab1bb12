//! Merging layers of one operator beside the checkpoints, on a thread of its own: one merge at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use tidemill_core::checkpoint::protocol::Stamp;
use tidemill_core::schema::Schema;

use super::Message;
use super::slots::Gathered;
use crate::error::Error;
use crate::layers::{self, Layers};
use crate::manifest::Part;
use crate::part::Origin;
use crate::rows::Gone;
use crate::store::Store;

/// What is merged: layers of an operator, from one to the last it had.
struct Task {
    store: Store,
    origin: Origin,
    operator: String,
    state: Schema,
    layers: Vec<Vec<Part>>,
    gone: Gone,
}

/// What came of a merge.
pub(super) struct Done {
    /// Index of the operator.
    pub(super) operator: usize,
    /// Index of its first layer that was merged.
    from: usize,
    /// The layers that were merged.
    merged: Vec<Vec<Part>>,
    pub(super) result: Result<Vec<Part>, Error>,
}

impl Done {
    /// Puts the result in place of what was merged, if that is still there; returns the bytes that it has.
    pub(super) fn apply(self, operator: &mut Gathered) -> Option<u64> {
        let range = self.from..self.from + self.merged.len();
        let layer = self.result.ok()?;
        if operator.layers.get(range.clone()) != Some(&self.merged[..]) {
            return None;
        }
        let bytes = layer.iter().map(|part| part.bytes).sum();
        operator.layers.splice(range, (!layer.is_empty()).then_some(layer));
        Some(bytes)
    }
}

/// A merge under way.
pub(super) struct Merge {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// The first operator that has layers to merge, and the first of them.
pub(super) fn due(operators: &[Gathered]) -> Option<(usize, usize)> {
    operators.iter().enumerate().find_map(|(index, operator)| {
        let bytes: Vec<u64> = operator.layers.iter().map(|layer| layer.iter().map(|part| part.bytes).sum()).collect();
        Some((index, layers::due(&bytes)?))
    })
}

impl Merge {
    /// Starts merging; the parts bear `stamp`. None when the operator has no state or no thread can be started.
    pub(super) fn start(
        store: &Store,
        (stamp, groups): (Stamp, u32),
        operators: &[Gathered],
        (operator, from): (usize, usize),
        answer: Sender<Message>,
    ) -> Option<Merge> {
        let gathered = &operators[operator];
        let task = Task {
            store: store.clone(),
            origin: Origin { stamp, groups },
            operator: gathered.expected.name.clone(),
            state: gathered.state.clone()?,
            layers: gathered.layers[from..].to_vec(),
            gone: if from == 0 { Gone::Drop } else { Gone::Keep },
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let run = move || {
            let result = task.run(&|| !stopped.load(Ordering::Relaxed));
            // The coordinator may be gone; then the parts are nobody's and are deleted at the next start's clean-up.
            let _ = answer.send(Message::Merged(Done { operator, from, merged: task.layers, result }));
        };
        let thread = std::thread::Builder::new().name("checkpoint-merge".to_owned()).spawn(run).ok()?;
        Some(Merge { stop, thread })
    }

    /// Ends it before it is through.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic has been reported by the hook of the process.
        let _ = self.thread.join();
    }
}

impl Task {
    fn run(&self, go_on: &dyn Fn() -> bool) -> Result<Vec<Part>, Error> {
        Layers::new(&self.store, &self.operator, &self.state, &self.layers).rewrite(&self.store, self.origin, self.gone, go_on)
    }
}
