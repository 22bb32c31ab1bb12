//! One operator's part in checkpoints, on one worker.
//!
//! An operator comes to a boundary when its frontier passes it: everything before the boundary, from every worker, has then
//! been worked off. What arrives from behind the boundary before that is put aside with its capability, so that neither the state
//! handed over holds anything of it nor the progress downstream runs ahead (design.md section 3; semantics.md #45, #46).

use std::sync::Arc;

use tidemill_core::TimeMs;
use tidemill_core::checkpoint::{CheckpointId, Handover, Keeper, Keyed};
use tidemill_core::guest::OperatorId;
use timely::dataflow::operators::{Capability, InputCapability};
use timely::progress::frontier::MutableAntichain;

use crate::harness::{Given, Tick};
use crate::parcel::Item;
use crate::ticks::Ticks;

/// What arrived from behind a boundary.
pub(crate) struct Aside {
    pub(crate) input: usize,
    /// One for each output.
    pub(crate) capabilities: Vec<Capability<Tick>>,
    pub(crate) items: Vec<Item>,
}

/// See the module.
pub(crate) struct Barrier {
    operator: OperatorId,
    worker: usize,
    ticks: Arc<Ticks>,
    keeper: Arc<dyn Keeper>,
    aligned: bool,
    /// The tick behind the last boundary it has come to.
    passed: Tick,
    aside: Vec<Aside>,
    /// The handover whose keyed state follows.
    open: Option<(CheckpointId, Handover)>,
}

impl Barrier {
    /// `aligned` puts aside; without it an operator hands over state that already holds something from behind the boundary, which
    /// a restore counts twice (at-least-once).
    pub(crate) fn new(operator: OperatorId, worker: usize, ticks: Arc<Ticks>, keeper: Arc<dyn Keeper>, aligned: bool) -> Barrier {
        Barrier { operator, worker, ticks, keeper, aligned, passed: 0, aside: Vec::new(), open: None }
    }

    /// Whether a parcel has to be put aside.
    pub(crate) fn holds(&self, capability: &InputCapability<Tick>) -> bool {
        let behind = self.ticks.behind();
        self.aligned && behind > self.passed && capability.least().is_some_and(|tick| *tick >= behind)
    }

    /// Puts a parcel aside.
    pub(crate) fn put_aside(&mut self, input: usize, capability: &InputCapability<Tick>, outputs: usize, items: Vec<Item>) {
        let capabilities = (0..outputs).filter_map(|output| capability.retain_least(output)).collect();
        self.aside.push(Aside { input, capabilities, items });
    }

    /// What has been put aside, in the order of arrival.
    pub(crate) fn take_aside(&mut self) -> Vec<Aside> {
        std::mem::take(&mut self.aside)
    }

    /// Whether the operator has come to a boundary: nothing from before it can arrive any more.
    pub(crate) fn is_due(&self, frontiers: &[&MutableAntichain<Tick>]) -> bool {
        let behind = self.ticks.behind();
        behind > self.passed && frontiers.iter().all(|f| f.frontier().iter().all(|tick| *tick >= behind))
    }

    /// Whether a source at this tick has come to a boundary.
    pub(crate) fn is_due_at(&self, tick: Tick) -> bool {
        let behind = self.ticks.behind();
        behind > self.passed && tick >= behind
    }

    /// The tick behind the boundary announced last: the same for all workers that come to it, and greater for every next one.
    pub(crate) fn behind(&self) -> Tick {
        self.ticks.behind()
    }

    /// Hands over at a boundary, or at the end. Keyed state, where there is any, follows by [`Barrier::complete`].
    pub(crate) fn hand_over(&mut self, watermark: TimeMs, given: Given, last: bool) {
        let (checkpoint, passed) = self.ticks.pass(self.passed, last);
        self.passed = passed;
        // Without a boundary it is the last one, which every checkpoint to come takes.
        let checkpoint = checkpoint.unwrap_or(CheckpointId(0));
        let Given { keyed, position, staged } = given;
        let handover = Handover { operator: self.operator, worker: self.worker, watermark, keyed: None, position, staged, last };
        if keyed {
            self.open = Some((checkpoint, handover));
        } else {
            self.keeper.keep(checkpoint, handover);
        }
    }

    /// Whether keyed state is still to follow.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Hands over the keyed state that was to follow.
    pub(crate) fn complete(&mut self, keyed: Keyed) {
        if let Some((checkpoint, handover)) = self.open.take() {
            self.keeper.keep(checkpoint, Handover { keyed: Some(keyed), ..handover });
        }
    }
}
