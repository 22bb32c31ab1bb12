//! Process functions: the head that gives each record its slot's state and collects timer changes.

use std::cell::RefCell;
use std::rc::Rc;

use super::chain::{Erased, Operator, restore};
use super::expiring::Clock;
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

    /// Handles records of a broadcast input.
    fn on_broadcast(&self, _block: &Block<'_>, _run: &mut Run<'_, (), Self::Out>) {
        panic!("the host gave a record of an input that the job does not broadcast")
    }

    /// Applies the one record of a block to every key of a call.
    fn apply(&self, _record: &Block<'_>, _run: &mut Run<'_, Self::Key, Self::Out>) {
        panic!("the host applied a record of an input that the job does not broadcast")
    }

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
    /// Whether an input behind those with keys is broadcast.
    pub(crate) is_beside_broadcast: bool,
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
            is_beside_broadcast: self.is_beside_broadcast,
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
    is_beside_broadcast: bool,
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
    shared: Option<u32>,
    /// All entries are of one record.
    is_of_one: bool,
    /// The entries are timers.
    is_timers: bool,
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
            call.row(if self.is_of_one { 0 } else { row });
            call.at(self.id);
            let attempt = call.attempt();
            let undo = attempt.is_some();
            let timers = self.timers.borrow().len();
            let time = i64::from_le_bytes(self.times[row]);
            let mut ctx = Ctx::new(self.key, row, (slot, self.shared), time, self.at, self.down, &self.timers, self.id, call);
            let at = self.at;
            let time = if self.is_timers { i64::MIN } else { time };
            self.slots.begin(|| Clock { time, watermark: at.watermark, now: at.now });
            let done = each(&mut ctx, row);
            if done.is_ok() {
                self.slots.schedule(slot, &self.timers);
            }
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

/// What a call is about.
struct Called<'c, 'a> {
    at: Moment,
    block: &'c Block<'a>,
    exits: &'c Exits,
    /// The columns of the key in the block.
    keys: &'c [usize],
    rows: &'c [u32],
    entries: &'c [u32],
    shared: Option<u32>,
    is_of_one: bool,
    is_timers: bool,
}

impl<F: Keyed> Linked<F> {
    /// Runs `body` over the entries of a call.
    fn run<K: Key>(&mut self, called: &Called<'_, '_>, body: impl FnOnce(&F, &mut Run<'_, K, F::Out>)) -> Outcome {
        let block = called.block;
        let readers = K::open(&mut Cursor::pick(block, called.keys)).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
        let mut seen = self.seen.borrow_mut();
        let room = self.slots.reserve(called.entries);
        if let Some(shared) = called.shared {
            self.slots.reserve(&[shared]);
        }
        if seen.len() < room {
            seen.resize(room, 0);
        }
        let mut run = Run {
            id: self.id,
            at: called.at,
            times: block.times(),
            rows: called.rows,
            entries: called.entries,
            shared: called.shared,
            is_of_one: called.is_of_one,
            is_timers: called.is_timers,
            key: &|row| K::read(&readers, row),
            down: &mut self.down,
            slots: &self.slots,
            seen: &mut seen,
            exits: called.exits,
            timers: RefCell::default(),
            outcome: Outcome::default(),
            uneven: false,
        };
        body(&self.function, &mut run);
        run.finish()
    }

    /// The slots of keys, and behind them that of what all keys share.
    fn parts<'s>(&self, slots: &'s [u32]) -> (&'s [u32], Option<u32>) {
        match slots.split_last() {
            Some((&shared, keyed)) if self.is_beside_broadcast => (keyed, Some(shared)),
            _ => (slots, None),
        }
    }
}

impl<F: Keyed> Head for Linked<F> {
    fn process(&mut self, input: u32, at: Moment, block: &Block<'_>, rows: &[u32], slots: &[u32], exits: &Exits) -> Outcome {
        let (keyed, shared) = self.parts(slots);
        let keys = self.keys.get(input as usize).cloned();
        // Where records have no key, all that they can reach is what is shared.
        let of_all: Vec<u32> = match shared {
            Some(shared) if keys.as_ref().is_none_or(Vec::is_empty) => vec![shared; block.rows()],
            _ => Vec::new(),
        };
        let entries = if of_all.is_empty() { keyed } else { &of_all };
        let columns = keys.as_deref().unwrap_or_default();
        let called = Called { at, block, exits, keys: columns, rows, entries, shared, is_of_one: false, is_timers: false };
        match keys {
            Some(_) => self.run(&called, |function, run| function.process(input, block, run)),
            None => self.run(&called, |function, run| function.on_broadcast(block, run)),
        }
    }

    fn apply(&mut self, at: Moment, record: &Block<'_>, keys: &Block<'_>, slots: &[u32], exits: &Exits) -> Outcome {
        let columns: Vec<usize> = (0..<F::Key as Record>::COLUMNS).collect();
        let (entries, shared) = self.parts(slots);
        let called = Called { at, block: keys, exits, keys: &columns, rows: &[], entries, shared, is_of_one: true, is_timers: false };
        self.run(&called, |function, run| function.apply(record, run))
    }

    fn on_timer(&mut self, at: Moment, block: &Block<'_>, slots: &[u32], exits: &Exits) -> Outcome {
        let columns = <F::Key as Record>::COLUMNS;
        let keys: Vec<usize> = (0..columns).collect();
        let mut timers = Cursor::pick(block, std::slice::from_ref(&columns));
        let timers = timers.open::<i32>().unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
        let (entries, shared) = self.parts(slots);
        let called = Called { at, block, exits, keys: &keys, rows: &[], entries, shared, is_of_one: false, is_timers: true };
        let slots = self.slots.clone();
        self.run::<F::Key>(&called, |function, run| {
            run.each(|ctx, row| {
                let event = TimerEvent { timer: i32::from_le_bytes(timers[row]) as u32, time: ctx.time() };
                if slots.touched().expiry.fired(ctx.slot(), event.timer) {
                    return Ok(());
                }
                function.on_timer(ctx, event)
            });
        })
    }
}
