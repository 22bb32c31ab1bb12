//! One operator's part in checkpoints, on one worker.
//!
//! An operator comes to a boundary when its frontier passes it: everything before the boundary, from every worker, has then
//! been worked off. What arrives from behind the boundary before that is put aside with its capability, so that neither the state
//! handed over holds anything of it nor the progress downstream runs ahead (design.md section 3; semantics.md #45, #46).
//!
//! In an **unaligned** job it hands over its state when it first meets something from behind the boundary, and goes on. What comes from
//! before the boundary after that is kept beside the state, and what is made of it leaves at the tick behind the boundary, so that
//! whoever receives it has handed over before.

use std::sync::Arc;

use tidemill_core::TimeMs;
use tidemill_core::block::Block;
use tidemill_core::checkpoint::{CheckpointId, Handover, Keeper, Keyed};
use tidemill_core::guest::OperatorId;
use timely::dataflow::operators::{Capability, InputCapability};
use timely::progress::frontier::MutableAntichain;

use crate::harness::Tick;
use crate::in_flight::{Found, Recorder};
use crate::logic::Given;
use crate::parcel::Item;
use crate::run::Mode;
use crate::ticks::{Passed, Ticks};

/// What arrived from behind a boundary.
pub(crate) struct Aside {
    pub(crate) input: usize,
    /// One for each output.
    pub(crate) capabilities: Vec<Capability<Tick>>,
    pub(crate) items: Vec<Item>,
}

/// What was handed over at a boundary that has not been reached.
struct Overtaken {
    watermark: TimeMs,
    given: Given,
    ahead: Vec<TimeMs>,
    /// Its state by key, once that has followed.
    keyed: Option<Keyed>,
}

/// See the module.
pub(crate) struct Barrier {
    operator: OperatorId,
    worker: usize,
    ticks: Arc<Ticks>,
    keeper: Arc<dyn Keeper>,
    mode: Mode,
    /// The tick behind the last boundary it has come to.
    passed: Tick,
    /// There code is exchanged.
    switching: bool,
    aside: Vec<Aside>,
    /// The handover whose keyed state follows.
    open: Option<(CheckpointId, Handover)>,
    overtaken: Option<Overtaken>,
    /// Where what is under way is handed over too; never at a source, to which nothing comes.
    recorder: Option<Recorder>,
}

impl Barrier {
    /// `recorder` where what is under way to the operator is handed over too.
    pub(crate) fn new(
        (operator, worker): (OperatorId, usize),
        ticks: Arc<Ticks>,
        keeper: Arc<dyn Keeper>,
        mode: Mode,
        recorder: Option<Recorder>,
    ) -> Barrier {
        Barrier {
            operator,
            worker,
            ticks,
            keeper,
            mode,
            passed: 0,
            switching: false,
            aside: Vec::new(),
            open: None,
            overtaken: None,
            recorder,
        }
    }

    /// Whether a parcel comes from behind a boundary that the operator has not come to.
    fn is_behind(&self, capability: &InputCapability<Tick>) -> bool {
        let behind = self.ticks.behind();
        behind > self.passed && capability.least().is_some_and(|tick| *tick >= behind)
    }

    /// Whether a parcel has to be put aside.
    pub(crate) fn holds(&self, capability: &InputCapability<Tick>) -> bool {
        self.is_behind(capability) && (self.mode == Mode::Aligned || self.ticks.is_aligned())
    }

    /// Whether the operator has to hand over before it works a parcel off that is not put aside.
    pub(crate) fn is_overtaken_by(&self, capability: &InputCapability<Tick>) -> bool {
        self.mode == Mode::Unaligned && self.recorder.is_some() && self.overtaken.is_none() && self.is_behind(capability)
    }

    /// Takes the state at a boundary that a parcel overtakes; state by key follows.
    pub(crate) fn overtake(&mut self, watermark: TimeMs, given: Given, ahead: Vec<TimeMs>) {
        self.overtaken = Some(Overtaken { watermark, given, ahead, keyed: None });
    }

    /// The tick at which what is made of a parcel leaves, where the parcel comes from before a boundary that has been overtaken.
    pub(crate) fn delays(&self, capability: &InputCapability<Tick>) -> Option<Tick> {
        let behind = self.ticks.behind();
        (self.overtaken.is_some() && capability.least().is_some_and(|tick| *tick < behind)).then_some(behind)
    }

    /// Keeps records from before a boundary that has been overtaken.
    pub(crate) fn record(&mut self, input: usize, block: &Block) {
        if let Some(recorder) = &mut self.recorder {
            recorder.record(input, block);
        }
    }

    /// What was under way when the operator was saved is worked off before anything else.
    pub(crate) fn restored(&mut self, found: &Found) {
        if let Some(recorder) = &mut self.recorder {
            recorder.restored(found);
        }
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

    /// Whether other code runs behind the boundary that the operator has come to last.
    pub(crate) fn is_switching(&self) -> bool {
        self.switching
    }

    /// Hands over what was taken at a boundary when it was overtaken; false where there is nothing.
    pub(crate) fn hand_over_overtaken(&mut self, last: bool) -> bool {
        let Some(Overtaken { watermark, given, ahead, keyed }) = self.overtaken.take() else { return false };
        self.hand_over(watermark, given, &ahead, last);
        if let Some(keyed) = keyed {
            self.complete(keyed);
        }
        true
    }

    /// Hands over at a boundary, or at the end. Keyed state, where there is any, follows by [`Barrier::complete`]. `ahead` are watermarks of
    /// key groups that are further on.
    pub(crate) fn hand_over(&mut self, watermark: TimeMs, given: Given, ahead: &[TimeMs], last: bool) {
        let Passed { checkpoint, behind, switches } = self.ticks.pass(self.passed, last);
        (self.passed, self.switching) = (behind, switches);
        // Without a boundary it is the last one, which every checkpoint to come takes.
        let checkpoint = checkpoint.unwrap_or(CheckpointId(0));
        let Given { keyed, position, staged } = given;
        let (operator, worker) = (self.operator, self.worker);
        let handover = Handover { operator, worker, watermark, keyed: None, position, staged, last };
        if keyed {
            self.open = Some((checkpoint, handover));
        } else {
            self.keeper.keep(checkpoint, handover);
        }
        if let Some(recorder) = &mut self.recorder {
            let (operator, keyed) = (recorder.operator, Some(recorder.hand_over(watermark, ahead)));
            self.keeper.keep(checkpoint, Handover { operator, worker, watermark, keyed, position: None, staged: Vec::new(), last });
        }
    }

    /// Whether keyed state is still to follow.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some() || self.overtaken.as_ref().is_some_and(|overtaken| overtaken.given.keyed && overtaken.keyed.is_none())
    }

    /// Hands over the keyed state that was to follow.
    pub(crate) fn complete(&mut self, keyed: Keyed) {
        match (self.open.take(), &mut self.overtaken) {
            (Some((checkpoint, handover)), _) => self.keeper.keep(checkpoint, Handover { keyed: Some(keyed), ..handover }),
            (None, Some(overtaken)) => overtaken.keyed = Some(keyed),
            (None, None) => {}
        }
    }
}
