//! Windows that the job computes: records are added to accumulators, accumulators are merged, results are made.

use std::rc::Rc;

use super::chain::{Erased, Operator, restore};
use super::stateless::open;
use super::{AnyPort, Asked, Call, Exits, Head, Moment, Outcome, Port, Push, Slots, ValueTable, erase};
use crate::block::Block;
use crate::record::{Cursor, Key, Record};
use crate::stream::Emit;
use crate::trigger::{self, Decides, Decision};
use crate::window::Window;

/// What is computed in a window. An accumulator that is not there yet is `None`.
pub(crate) trait Compute: 'static {
    type Key: Key;
    type In: Record;
    type Acc: Record + Clone;
    type Out: Record;

    /// Whether something is taken out of an accumulator when its window fires.
    const EVICTS: bool = false;

    /// Adds a record of this event time.
    fn add(&self, acc: &mut Option<Self::Acc>, record: &Self::In, time: i64);

    /// Adds a record that nobody else needs.
    fn add_owned(&self, acc: &mut Option<Self::Acc>, record: Self::In, time: i64) {
        self.add(acc, &record, time);
    }

    /// Takes out what an evictor says, in front of the function or behind it.
    fn evict(&self, _acc: &mut Self::Acc, _after: bool) {}

    /// Adds what `from` holds to `into`.
    fn merge(&self, into: &mut Option<Self::Acc>, from: &Self::Acc);

    /// Emits the results.
    fn finish(&self, window: &Window<'_, Self::Key>, acc: &Self::Acc, out: &mut Emit<'_, Self::Out>);
}

/// The operator of a window.
pub(crate) struct WindowOperator<C: Compute> {
    pub(crate) id: u32,
    pub(crate) call: Rc<Call>,
    pub(crate) compute: Rc<C>,
    pub(crate) out: Rc<Port<C::Out>>,
    pub(crate) accs: Rc<ValueTable<C::Acc>>,
    /// The trigger, where it is a function of the job.
    pub(crate) decides: Option<Rc<dyn Decides<C::In>>>,
    pub(crate) slots: Rc<Slots>,
}

impl<C: Compute> Operator for WindowOperator<C> {
    fn ports(&self) -> Vec<Rc<dyn AnyPort>> {
        vec![self.out.clone()]
    }

    fn tail(&self) -> Erased {
        erase(Push::Port(self.out.clone()))
    }

    fn stage(&self, _: Erased) -> Option<Erased> {
        None
    }

    fn head(&self, down: Option<Erased>) -> Box<dyn Head> {
        Box::new(Linked {
            id: self.id,
            call: self.call.clone(),
            compute: self.compute.clone(),
            accs: self.accs.clone(),
            slots: self.slots.clone(),
            down: down.map_or_else(|| Push::Port(self.out.clone()), restore),
        })
    }

    fn slots(&self) -> Option<&Slots> {
        Some(&self.slots)
    }

    fn merge(&self, target: u32, source: u32) {
        self.slots.reserve(&[target, source]);
        let from = self.accs.0.entry(source).take();
        if let Some(from) = from {
            self.compute.merge(&mut self.accs.0.entry(target), &from);
        }
        if let Some(decides) = &self.decides {
            decides.merge(target, source);
        }
    }

    fn trigger(&self, at: Moment, asked: &Asked<'_, '_>) -> Vec<Decision> {
        let decides = self.decides.as_ref().expect("the host asks only an operator whose plan has a trigger function");
        self.slots.reserve(asked.slots);
        let keys = <C::Key as Record>::COLUMNS;
        let picked = [keys, keys + 1, keys + 2];
        let mut columns = Cursor::pick(asked.windows, &picked);
        let opened = columns.open::<i64>().and_then(|starts| Ok((starts, columns.open::<i64>()?, columns.open::<i32>()?)));
        let (starts, ends, firings) = opened.unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
        let readers = asked.records.map(open::<C::In>);
        let decide = |(row, time): (usize, &[u8; 8])| {
            let at = trigger::At {
                start: i64::from_le_bytes(starts[row]),
                end: i64::from_le_bytes(ends[row]),
                firing: i32::from_le_bytes(firings[row]),
                time: i64::from_le_bytes(*time),
                watermark: at.watermark,
                now: at.now,
            };
            let record = readers.as_ref().map(|readers| C::In::read(readers, asked.rows[row] as usize));
            decides.decide(asked.event, asked.slots[row], at, record.as_ref())
        };
        asked.windows.times().iter().enumerate().map(decide).collect()
    }

    fn purge(&self, slots: &[u32]) {
        self.slots.reserve(slots);
        slots.iter().for_each(|&slot| *self.accs.0.entry(slot) = None);
    }
}

struct Linked<C: Compute> {
    id: u32,
    call: Rc<Call>,
    compute: Rc<C>,
    accs: Rc<ValueTable<C::Acc>>,
    slots: Rc<Slots>,
    down: Push<C::Out>,
}

impl<C: Compute> Head for Linked<C> {
    fn process(&mut self, _: u32, _: Moment, block: &Block<'_>, rows: &[u32], slots: &[u32], exits: &Exits) -> Outcome {
        let readers = open::<C::In>(block);
        let times = block.times();
        self.slots.reserve(slots);
        exits.call.at(self.id);
        if rows.is_empty() {
            for (row, &slot) in slots.iter().enumerate() {
                exits.call.row(row);
                let time = i64::from_le_bytes(times[row]);
                self.compute.add_owned(&mut self.accs.0.entry(slot), C::In::read(&readers, row), time);
            }
            return Outcome::default();
        }
        let mut i = 0;
        while i < rows.len() {
            let row = rows[i] as usize;
            exits.call.row(row);
            let record = C::In::read(&readers, row);
            let time = i64::from_le_bytes(times[row]);
            while rows.get(i + 1) == Some(&rows[i]) {
                self.compute.add(&mut self.accs.0.entry(slots[i]), &record, time);
                i += 1;
            }
            self.compute.add_owned(&mut self.accs.0.entry(slots[i]), record, time);
            i += 1;
        }
        Outcome::default()
    }

    fn fire(&mut self, _: Moment, block: &Block<'_>, offsets: &[u32], slots: &[u32], exits: &Exits) -> Outcome {
        self.slots.reserve(slots);
        each_window::<C::Key>(block, |row, window, time| {
            exits.call.row(row);
            exits.call.at(self.id);
            let mut out = Emit::new(&mut self.down, time, self.id, &self.call);
            let range = &slots[offsets[row] as usize..offsets[row + 1] as usize];
            if let ([one], true) = (range, C::EVICTS) {
                let mut acc = self.accs.0.entry(*one).take();
                if let Some(acc) = &mut acc {
                    self.compute.evict(acc, false);
                    self.compute.finish(window, acc, &mut out);
                    self.compute.evict(acc, true);
                }
                *self.accs.0.entry(*one) = acc;
            } else if let [one] = range {
                if let Some(acc) = &*self.accs.0.read(*one) {
                    self.compute.finish(window, acc, &mut out);
                }
            } else {
                let mut merged = None;
                for &slot in range {
                    if let Some(acc) = &*self.accs.0.read(slot) {
                        self.compute.merge(&mut merged, acc);
                    }
                }
                if let Some(acc) = &merged {
                    self.compute.finish(window, acc, &mut out);
                }
            }
            exits.end();
        });
        Outcome::default()
    }
}

/// Calls `each` with every window of a block, as `fire` gives them, its row, and the event time of its results.
pub(super) fn each_window<K: Key>(block: &Block<'_>, mut each: impl FnMut(usize, &Window<'_, K>, i64)) {
    let mut columns = Cursor::new(block);
    let opened = K::open(&mut columns).and_then(|key| Ok((key, columns.open::<i64>()?, columns.open::<i64>()?, columns.open::<i32>()?)));
    let (key, starts, ends, firings) =
        opened.unwrap_or_else(|error| panic!("the host gave a wrong block of {} key columns: {error}", K::COLUMNS));
    for (row, time) in block.times().iter().enumerate() {
        let read_key = || K::read(&key, row);
        let window = Window {
            key: &read_key,
            start: i64::from_le_bytes(starts[row]),
            end: i64::from_le_bytes(ends[row]),
            firing: i32::from_le_bytes(firings[row]),
        };
        each(row, &window, i64::from_le_bytes(*time));
    }
}
