//! Process functions: the head that gives each record its slot's state and collects timer changes.

use std::cell::RefCell;
use std::rc::Rc;

use super::chain::{Erased, Operator, restore};
use super::slots::{CHANGED, CLEARED};
use super::{AnyPort, Exits, Head, Moment, Outcome, Port, Push, Slots, TimerOp, erase};
use crate::block::Block;
use crate::process::{Ctx, TimerEvent};
use crate::record::{Cursor, Key, Record};

/// A process function of any number of inputs, as the runtime calls it.
pub(crate) trait Keyed: 'static {
    type Key: Key;
    type Out: Record;

    /// Handles every entry of a call, by calling `head` with one closure per record.
    fn process(&self, input: u32, block: &Block<'_>, run: &mut Run<'_, Self::Key, Self::Out>);

    /// Handles a timer.
    fn on_timer(&self, ctx: &mut Ctx<'_, Self::Key, Self::Out>, event: TimerEvent) -> crate::Result<()>;
}

/// The operator of a process function.
pub(crate) struct KeyedOperator<F: Keyed> {
    pub(crate) id: u32,
    pub(crate) function: Rc<F>,
    pub(crate) keys: Vec<Vec<usize>>,
    pub(crate) out: Rc<Port<F::Out>>,
    pub(crate) sides: Vec<Rc<dyn AnyPort>>,
    pub(crate) slots: Rc<Slots>,
}

impl<F: Keyed> Operator for KeyedOperator<F> {
    fn ports(&self) -> Vec<Rc<dyn AnyPort>> {
        std::iter::once(self.out.clone() as Rc<dyn AnyPort>).chain(self.sides.iter().cloned()).collect()
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
            function: self.function.clone(),
            keys: self.keys.clone(),
            down: down.map_or_else(|| Push::Port(self.out.clone()), restore),
            slots: self.slots.clone(),
            seen: RefCell::default(),
        })
    }

    fn slots(&self) -> Option<&Slots> {
        Some(&self.slots)
    }
}

struct Linked<F: Keyed> {
    id: u32,
    function: Rc<F>,
    keys: Vec<Vec<usize>>,
    down: Push<F::Out>,
    slots: Rc<Slots>,
    /// What the records of the current call did to each slot; all zero between calls.
    seen: RefCell<Vec<u8>>,
}

/// Everything a call over some rows needs, with the user's function left out.
pub(crate) struct Run<'r, K: Key, Out: Record> {
    id: u32,
    at: Moment,
    times: &'r [[u8; 8]],
    rows: &'r [u32],
    entries: &'r [u32],
    key: &'r dyn Fn(usize) -> K,
    down: &'r mut Push<Out>,
    slots: &'r Slots,
    seen: &'r mut Vec<u8>,
    exits: &'r Exits,
    timers: RefCell<Vec<TimerOp>>,
    outcome: Outcome,
    /// Whether some slot of the call may be unchanged or empty now.
    uneven: bool,
}

impl<K: Key, Out: Record> Run<'_, K, Out> {
    /// Calls `each` with the context of every entry and its row.
    #[inline]
    pub(crate) fn each(&mut self, mut each: impl FnMut(&mut Ctx<'_, K, Out>, usize) -> crate::Result<()>) {
        let touched = self.slots.touched();
        for (i, &slot) in self.entries.iter().enumerate() {
            let row = if self.rows.is_empty() { i } else { self.rows[i] as usize };
            let call = &self.exits.call;
            call.row(row);
            call.at(self.id);
            let attempt = call.attempt();
            let undo = attempt.is_some();
            let timers = self.timers.borrow().len();
            let time = i64::from_le_bytes(self.times[row]);
            let mut ctx = Ctx::new(self.key, row, slot, time, self.at, self.down, &self.timers, self.id, call);
            let done = each(&mut ctx, row);
            let mut flags = touched.flags.replace(0);
            match done {
                Ok(()) => {
                    call.stand(attempt);
                    if undo {
                        self.slots.commit();
                    }
                }
                Err(error) => {
                    call.refuse_all(attempt, self.id, error.to_string());
                    self.timers.borrow_mut().truncate(timers);
                    self.slots.roll_back(slot);
                    flags = 0;
                }
            }
            self.exits.end();
            self.uneven |= flags != CHANGED;
            self.seen[slot as usize] |= flags;
        }
    }

    /// Lists the slots that are empty or unchanged, each once.
    fn sort_out(&mut self) {
        const LISTED: u8 = 128;
        for &slot in self.entries {
            let flags = std::mem::replace(&mut self.seen[slot as usize], LISTED);
            if flags == CHANGED || flags & LISTED != 0 {
                continue;
            }
            if self.slots.is_empty(slot) {
                self.outcome.cleared.push(slot);
            } else if flags & (CHANGED | CLEARED) == 0 {
                self.outcome.unchanged.push(slot);
            }
        }
    }

    /// What the call did.
    fn finish(mut self) -> Outcome {
        if self.uneven {
            self.sort_out();
        }
        self.entries.iter().for_each(|&slot| self.seen[slot as usize] = 0);
        self.outcome.timers = self.timers.take();
        self.outcome
    }
}

impl<F: Keyed> Linked<F> {
    /// Runs `body` over the entries of a call.
    fn run<'a>(
        &mut self,
        (at, block, exits): (Moment, &Block<'a>, &Exits),
        keys: &[usize],
        (rows, entries): (&[u32], &[u32]),
        body: impl FnOnce(&F, &mut Run<'_, F::Key, F::Out>),
    ) -> Outcome {
        let readers =
            <F::Key as Record>::open(&mut Cursor::pick(block, keys)).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
        let mut seen = self.seen.borrow_mut();
        let room = self.slots.reserve(entries);
        if seen.len() < room {
            seen.resize(room, 0);
        }
        let mut run = Run {
            id: self.id,
            at,
            times: block.times(),
            rows,
            entries,
            key: &|row| <F::Key as Record>::read(&readers, row),
            down: &mut self.down,
            slots: &self.slots,
            seen: &mut seen,
            exits,
            timers: RefCell::default(),
            outcome: Outcome::default(),
            uneven: false,
        };
        body(&self.function, &mut run);
        run.finish()
    }
}

impl<F: Keyed> Head for Linked<F> {
    fn process(&mut self, input: u32, at: Moment, block: &Block<'_>, rows: &[u32], slots: &[u32], exits: &Exits) -> Outcome {
        let keys = self.keys[input as usize].clone();
        self.run((at, block, exits), &keys, (rows, slots), |function, run| function.process(input, block, run))
    }

    fn on_timer(&mut self, at: Moment, block: &Block<'_>, slots: &[u32], exits: &Exits) -> Outcome {
        let columns = <F::Key as Record>::COLUMNS;
        let keys: Vec<usize> = (0..columns).collect();
        let mut timers = Cursor::pick(block, std::slice::from_ref(&columns));
        let timers = timers.open::<i32>().unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
        self.run((at, block, exits), &keys, (&[], slots), |function, run| {
            run.each(|ctx, row| {
                let event = TimerEvent { timer: i32::from_le_bytes(timers[row]) as u32, time: ctx.time() };
                function.on_timer(ctx, event)
            });
        })
    }
}
