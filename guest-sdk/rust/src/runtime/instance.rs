//! An instance: a job that was built, ready to be linked and called.

use std::rc::Rc;

use super::chain::Operator;
use super::{Asked, Call, Exits, Head, Host, Moment, Outcome};
use crate::block::Block;
use crate::job::{Graph, Job};
use crate::plan::OnError;
use crate::schema::Schema;
use crate::trigger::{Decision, Event};

/// One instance of a job. The host calls it by the words of the contract; wrong calls, which a host does not make, panic.
pub struct Instance {
    graph: Graph,
    call: Rc<Call>,
    chains: Vec<Option<Chain>>,
    exported: Vec<u8>,
}

struct Chain {
    head: Box<dyn Head>,
    exits: Exits,
}

impl Instance {
    /// Builds the job and returns its plan document beside the instance, or what is wrong with the job or its arguments.
    pub fn plan(
        job: impl FnOnce(&mut Job) -> crate::Result<()>,
        arguments: &[(String, String)],
        host: Rc<dyn Host>,
    ) -> Result<(Instance, String), String> {
        let call = Call::new(host);
        let built = call.enter(|| {
            let mut builder = Job::new(arguments.to_vec(), call.clone());
            job(&mut builder).map_err(|error| error.to_string())?;
            builder.finish()
        });
        let (graph, document) = built?;
        Ok((Instance { graph, call, chains: Vec::new(), exported: Vec::new() }, document))
    }

    /// The job as it was built.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Puts a chain of operators together.
    pub fn link(&mut self, chain: u32, members: &[u32]) {
        let (first, rest) = members.split_first().expect("a chain has members");
        let mut down = rest.last().map(|&last| self.operator(last).tail());
        for &member in rest.iter().rev() {
            down = down.and_then(|down| self.operator(member).stage(down));
            assert!(down.is_some(), "operator {member} has state and cannot stand behind another in a chain");
        }
        let head = self.operator(*first).head(down);
        let ports = members.iter().flat_map(|&member| self.operator(member).ports()).collect();
        let undo = members.iter().any(|&member| self.graph.nodes[member as usize].plan.on_error != OnError::Fail);
        if let Some(slots) = self.operator(*first).slots() {
            slots.touched().undo.set(undo);
        }
        let exits = Exits::new(self.call.clone(), ports, undo);
        let index = chain as usize;
        if self.chains.len() <= index {
            self.chains.resize_with(index + 1, || None);
        }
        self.chains[index] = Some(Chain { head, exits });
    }

    /// Processes a block of records.
    pub fn process(&mut self, chain: u32, input: u32, at: Moment, block: &[u8], rows: &[u32], slots: &[u32]) -> Outcome {
        self.run(chain, block, |head, block, exits| head.process(input, at, block, rows, slots, exits))
    }

    /// Applies the one record of a block to keys, one per row of `keys`.
    pub fn apply(&mut self, chain: u32, at: Moment, block: &[u8], keys: &[u8], slots: &[u32]) -> Outcome {
        let record = Block::parse(block).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
        self.run(chain, keys, |head, keys, exits| head.apply(at, &record, keys, slots, exits))
    }

    /// Fires timers, one per row.
    pub fn on_timer(&mut self, chain: u32, at: Moment, block: &[u8], slots: &[u32]) -> Outcome {
        self.run(chain, block, |head, block, exits| head.on_timer(at, block, slots, exits))
    }

    /// Fires windows, one per row.
    pub fn fire(&mut self, chain: u32, at: Moment, block: &[u8], offsets: &[u32], slots: &[u32]) -> Outcome {
        self.run(chain, block, |head, block, exits| head.fire(at, block, offsets, slots, exits))
    }

    fn run(&mut self, chain: u32, block: &[u8], body: impl FnOnce(&mut dyn Head, &Block<'_>, &Exits) -> Outcome) -> Outcome {
        let Chain { head, exits } = self.chains.get_mut(chain as usize).and_then(Option::as_mut).expect("the host linked the chain");
        self.call.enter(|| {
            let block = Block::parse(block).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
            exits.enter();
            let mut outcome = body(&mut **head, &block, exits);
            exits.flush();
            outcome.failures = self.call.take_failures();
            outcome
        })
    }

    /// Merges accumulators pairwise, in order.
    pub fn merge(&mut self, operator: u32, targets: &[u32], sources: &[u32]) {
        self.call.enter(|| {
            self.call.at(operator);
            let merger = self.operator(operator);
            targets.iter().zip(sources).for_each(|(&target, &source)| merger.merge(target, source));
        });
    }

    /// Asks the trigger of a window operator; one decision per window.
    #[allow(clippy::too_many_arguments, reason = "the export's own")]
    pub fn trigger(
        &mut self,
        operator: u32,
        event: Event,
        at: Moment,
        windows: &[u8],
        slots: &[u32],
        records: &[u8],
        rows: &[u32],
    ) -> Vec<Decision> {
        let parse = |bytes| Block::parse(bytes).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
        self.call.enter(|| {
            self.call.at(operator);
            let windows = parse(windows);
            let records = (!records.is_empty()).then(|| parse(records));
            self.operator(operator).trigger(at, &Asked { event, windows: &windows, slots, records: records.as_ref(), rows })
        })
    }

    /// Asks for the watermark of a split: behind a block of it, or by the clock where the block is empty.
    pub fn watermark(&mut self, operator: u32, split: u32, now: i64, block: &[u8]) -> Option<i64> {
        self.call.enter(|| {
            self.call.at(operator);
            let parse = |bytes| Block::parse(bytes).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
            let block = (!block.is_empty()).then(|| parse(block));
            self.operator(operator).watermark(split, now, block.as_ref())
        })
    }

    /// Lets the generators of an operator begin anew, as in a fresh instance.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn forget_splits(&mut self, operator: u32) {
        self.operator(operator).forget_splits();
    }

    /// Empties slots of what their windows have gathered.
    pub fn purge(&mut self, operator: u32, slots: &[u32]) {
        self.operator(operator).purge(slots);
    }

    /// Encodes the state of slots as a block; nothing for an operator without state.
    pub fn export_state(&mut self, operator: u32, slots: &[u32]) -> &[u8] {
        let mut out = std::mem::take(&mut self.exported);
        out.clear();
        if let Some(state) = self.operator(operator).slots() {
            state.export(slots, &mut out);
        }
        self.exported = out;
        &self.exported
    }

    /// Loads what [`Instance::export_state`] wrote into empty slots.
    pub fn import_state(&mut self, operator: u32, slots: &[u32], block: &[u8]) -> Result<(), String> {
        let block = Block::parse(block).map_err(|error| error.to_string())?;
        if block.rows() != slots.len() {
            return Err(format!("a block of {} rows does not fit {} slots", block.rows(), slots.len()));
        }
        match self.operator(operator).slots() {
            Some(state) => state.import(slots, &block).map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Turns rows of an earlier version's state, with the columns `from`, into rows of today's.
    ///
    /// # Errors
    /// What cannot be read as a block of these columns.
    pub fn migrate_state(&mut self, operator: u32, from: &str, block: &[u8]) -> Result<&[u8], String> {
        let from: Schema = from.parse()?;
        let block = Block::parse(block).map_err(|error| error.to_string())?;
        let mut out = std::mem::take(&mut self.exported);
        out.clear();
        let done = match self.operator(operator).slots() {
            Some(state) => state.migrate(&from, &block, &mut out).map_err(|error| error.to_string()),
            None => Err(format!("operator {operator} keeps no state")),
        };
        self.exported = out;
        done.map(|()| &self.exported[..])
    }

    /// Empties slots.
    pub fn drop_state(&mut self, operator: u32, slots: &[u32]) {
        if let Some(state) = self.operator(operator).slots() {
            slots.iter().for_each(|&slot| state.clear(slot));
        }
    }

    fn operator(&self, id: u32) -> &dyn Operator {
        let node = self.graph.nodes.get(id as usize).and_then(|node| node.guest.as_deref());
        node.unwrap_or_else(|| panic!("operator {id} is not one that this component computes"))
    }
}
