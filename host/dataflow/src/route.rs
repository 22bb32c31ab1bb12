//! Routing: how the blocks of an edge are spread over workers (semantics.md #38), as a timely distributor.
//!
//! A block is split by key group without decoding a value: keys are hashed in place and rows are copied column
//! by column. Rows for one worker are collected until the activation ends or [`ROWS_READY`] have
//! come together. A mark is sent to every worker, behind all rows that came before it, so each
//! channel stays in order.

use tidemill_core::block::{Block, Builder, Column, Value, gather_append};
use tidemill_core::key;
use tidemill_core::plan::Partition;
use tidemill_core::schema::Schema;
use timely::communication::Push;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::progress::Stamp;

use crate::parcel::{Item, Parcel, Payload};

/// Rows collected for one worker before they are sent: large enough to make the copy cheap, small enough for the cache.
const ROWS_READY: usize = 4096;
/// Bytes collected for one worker before they are sent.
const BYTES_READY: usize = 1 << 20;

/// What an edge needs to route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// How.
    pub(crate) partition: Partition,
    /// Key columns for [`Partition::Key`].
    pub(crate) key: Vec<usize>,
    /// Schema of the records.
    pub(crate) schema: Schema,
    /// Workers that run the receiving operator.
    pub(crate) parallelism: usize,
    /// Workers that run the sending operator.
    pub(crate) upstream: usize,
    /// This worker.
    pub(crate) worker: usize,
}

/// See the module.
pub(crate) struct Router {
    route: Route,
    /// Where rows with a choice go next.
    next: usize,
    random: u64,
    lanes: Vec<Lane>,
    /// Rows of the block at hand, by worker.
    rows: Vec<Vec<u32>>,
}

/// What waits for one worker.
struct Lane {
    rows: Builder,
    rows_weight: u32,
    ready: Parcel,
}

impl Lane {
    fn settle(&mut self) {
        if let Some(block) = self.rows.finish() {
            self.ready.items.push(Item { weight: self.rows_weight, payload: Payload::Block(block) });
            self.rows_weight = 0;
        }
    }
}

impl Router {
    pub(crate) fn new(route: Route, peers: usize) -> Router {
        let lane = || Lane { rows: Builder::new(&route.schema), rows_weight: 0, ready: Parcel::default() };
        Router {
            next: route.worker % route.parallelism,
            random: 0x9E37_79B9_7F4A_7C15 ^ (route.worker as u64 + 1).wrapping_mul(0xBF58_476D_1CE4_E5B9),
            lanes: std::iter::repeat_with(lane).take(peers).collect(),
            rows: vec![Vec::new(); peers],
            route,
        }
    }

    /// Files an item under the workers it goes to.
    fn file(&mut self, item: Item) {
        let block = match item.payload {
            Payload::Block(block) => block,
            mark @ Payload::Mark(_) => {
                for lane in &mut self.lanes {
                    lane.settle();
                    lane.ready.items.push(Item { weight: 1, payload: mark.clone() });
                }
                return;
            }
        };
        match &self.route.partition {
            Partition::Broadcast => {
                // Workers beyond the receiver's parallelism run no instance of it: their unit goes to worker 0.
                let spare = item.weight - self.route.parallelism as u32;
                for worker in 0..self.route.parallelism {
                    self.whole(worker, block.clone(), 1 + if worker == 0 { spare } else { 0 });
                }
            }
            Partition::Key => {
                let (parallelism, rows) = (self.route.parallelism, &mut self.rows);
                key::for_each(&block, &self.route.key, |row, key| {
                    rows[key::worker(key::group(key::hash(key)), parallelism)].push(row as u32);
                });
                self.split(&block, item.weight);
            }
            Partition::Custom(_) => {
                let column = block.column(self.route.key[0]);
                for row in 0..block.rows() {
                    self.rows[custom(column, row, self.route.parallelism)].push(row as u32);
                }
                self.split(&block, item.weight);
            }
            Partition::Shuffle => {
                for row in 0..block.rows() {
                    let worker = self.draw();
                    self.rows[worker].push(row as u32);
                }
                self.split(&block, item.weight);
            }
            Partition::Rebalance => {
                let worker = self.next;
                self.next = (self.next + 1) % self.route.parallelism;
                self.whole(worker, block, item.weight);
            }
            Partition::Rescale => {
                let worker = self.rescale();
                self.whole(worker, block, item.weight);
            }
            Partition::Global => self.whole(0, block, item.weight),
            Partition::Forward => self.whole(self.route.worker % self.route.parallelism, block, item.weight),
        }
    }

    /// Hands a block to one worker as it is.
    fn whole(&mut self, worker: usize, block: Block, weight: u32) {
        let lane = &mut self.lanes[worker];
        lane.settle();
        lane.ready.items.push(Item { weight, payload: Payload::Block(block) });
    }

    /// Copies the rows filed in `self.rows` to their lanes, and shares the weight among them.
    fn split(&mut self, block: &Block, weight: u32) {
        let targets = self.rows.iter().filter(|r| !r.is_empty()).count() as u32;
        let mut share = weight - targets + 1;
        for (lane, rows) in self.lanes.iter_mut().zip(&mut self.rows) {
            if rows.is_empty() {
                continue;
            }
            gather_append(&mut lane.rows, block, rows);
            rows.clear();
            lane.rows_weight += share;
            share = 1;
            if lane.rows.rows() >= ROWS_READY || lane.rows.size() >= BYTES_READY {
                lane.settle();
            }
        }
    }

    /// A worker of the receiver, uniformly (xorshift64*; the seed is the worker's, so a run repeats).
    fn draw(&mut self) -> usize {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let random = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D);
        ((u128::from(random) * self.route.parallelism as u128) >> 64) as usize
    }

    /// The next worker of this sender's share of the receivers: `[worker * down / up, (worker + 1) * down / up)`, or the
    /// one receiver it shares with other senders.
    fn rescale(&mut self) -> usize {
        let (up, down) = (self.route.upstream, self.route.parallelism);
        let worker = self.route.worker % up;
        let (from, to) = (worker * down / up, (worker + 1) * down / up);
        self.next = self.next.wrapping_add(1);
        if to > from { from + self.next % (to - from) } else { from }
    }
}

fn custom(column: Column<'_>, row: usize, parallelism: usize) -> usize {
    let value = match column.value(row) {
        Value::I64(v) => v,
        Value::I32(v) => i64::from(v),
        _ => 0,
    };
    value.rem_euclid(parallelism as i64) as usize
}

impl Distributor<Parcel> for Router {
    fn partition<T: Clone, P: Push<Message<T, Parcel>>>(&mut self, parcel: &mut Parcel, stamp: &Stamp<T>, pushers: &mut [P]) {
        for item in parcel.items.drain(..) {
            self.file(item);
        }
        for (lane, pusher) in self.lanes.iter_mut().zip(pushers) {
            if !lane.ready.items.is_empty() {
                Message::push_at(&mut lane.ready, stamp.clone(), pusher);
                lane.ready.items.clear();
            }
        }
    }

    fn flush<T: Clone, P: Push<Message<T, Parcel>>>(&mut self, stamp: &Stamp<T>, pushers: &mut [P]) {
        for (lane, pusher) in self.lanes.iter_mut().zip(pushers) {
            lane.settle();
            if !lane.ready.items.is_empty() {
                Message::push_at(&mut lane.ready, stamp.clone(), pusher);
                lane.ready.items.clear();
            }
        }
    }
}
