//! The frame of every operator but the source: reads parcels, merges watermarks, calls a [`Logic`], sends what it emitted.
//!
//! The watermark contract (semantics.md #4) is kept here and nowhere else: a watermark is handed to the logic, which
//! emits everything it releases, and only then passed on. Operators hold no capability of
//! their own: what they emit leaves with the capability of the parcel that caused it, so a tick
//! is complete exactly when its parcels have been processed. Where checkpoints are taken, `barrier` says what has to wait and when
//! to hand over.

use std::sync::Arc;
use std::time::Instant;

use tidemill_core::explain::{SenderFacts, WorkerFacts};
use tidemill_core::watermark::{Advance, Merge, Said};
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};
use timely::communication::Pull;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::{DistributorPact, LogPuller, Pipeline};
use timely::dataflow::channels::pushers::Output;
use timely::dataflow::operators::generic::InputHandleCore;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{Capability, InputCapability};
use timely::dataflow::{Scope, Stream};
use timely::progress::frontier::MutableAntichain;

use crate::barrier::{Aside, Barrier};
use crate::board::Teller;
use crate::control::Control;
use crate::in_flight::{Found, Lane};
use crate::logic::{Context, Logic};
use crate::parcel::{Item, Mark, Parcel, Payload, Signal};
use crate::report::Failure;
use crate::restore::Restored;
use crate::route::{Route, Router};
use crate::run::Clock;
use crate::switcher::Switcher;

/// timely's timestamp: the number of a slice of processing.
pub(crate) type Tick = u64;

/// One input of an operator, before it is built.
pub(crate) struct Input<'s> {
    /// Where parcels come from.
    pub(crate) stream: Stream<'s, Tick, Parcel>,
    /// How they are spread; `None` for the same worker.
    pub(crate) route: Option<Route>,
}

type Piped = LogPuller<timely::communication::allocator::thread::ThreadPuller<Message<Tick, Parcel>>>;
type Exchanged = LogPuller<Box<dyn Pull<Message<Tick, Parcel>>>>;

/// The two kinds of input timely has.
enum Handle {
    Piped(InputHandleCore<Tick, Parcel, Piped>),
    Exchanged(InputHandleCore<Tick, Parcel, Exchanged>),
}

impl Handle {
    fn for_each(&mut self, each: impl FnMut(InputCapability<Tick>, &mut Parcel)) {
        match self {
            Handle::Piped(handle) => handle.for_each(each),
            Handle::Exchanged(handle) => handle.for_each(each),
        }
    }
}

/// An operator, before it is built.
pub(crate) struct Parts<'s> {
    pub(crate) name: String,
    pub(crate) id: usize,
    pub(crate) inputs: Vec<Input<'s>>,
    /// Its ports.
    pub(crate) outputs: usize,
    pub(crate) control: Arc<Control>,
    pub(crate) clock: Clock,
    /// Processing time travels with the records.
    pub(crate) clocked: bool,
    pub(crate) logic: Box<dyn Logic>,
    /// Where it runs code of the component.
    pub(crate) switcher: Option<Switcher>,
    /// Where checkpoints are taken.
    pub(crate) barrier: Option<Barrier>,
    /// What it begins with.
    pub(crate) restored: Option<Restored>,
    /// Its inputs, as what is under way to it was saved.
    pub(crate) lanes: Vec<Lane>,
}

/// Builds an operator around its logic; returns its streams.
pub(crate) fn operator<'s>(scope: Scope<'s, Tick>, parts: Parts<'s>) -> Vec<Stream<'s, Tick, Parcel>> {
    let (worker, peers) = (scope.index(), scope.peers());
    let mut builder = OperatorBuilder::new(parts.name, scope);
    let mut handles = Vec::new();
    let mut bases = Vec::new();
    let mut senders = 0;
    for input in parts.inputs {
        bases.push(Base { first: senders, one: input.route.is_none() });
        senders += if input.route.is_some() { peers } else { 1 };
        handles.push(match input.route {
            None => Handle::Piped(builder.new_input(input.stream, Pipeline)),
            Some(route) => Handle::Exchanged(builder.new_input(input.stream, DistributorPact(|peers| Router::new(route, peers)))),
        });
    }
    let activator = scope.activator_for(builder.operator_info().address);
    let outputs = parts.outputs;
    let (mut pushers, streams): (Vec<_>, Vec<_>) = (0..outputs).map(|_| builder.new_output::<Parcel>()).unzip();
    let mut frame = Frame {
        merge: Merge::new(senders),
        bases,
        cx: Context::new(outputs, (worker, peers), parts.control, parts.clock, parts.id),
        teller: Teller::new(parts.id, worker),
        started: Instant::now(),
        id: parts.id,
        logic: parts.logic,
        switcher: parts.switcher,
        barrier: parts.barrier,
        clocked: parts.clocked,
        worker,
        ended: false,
    };
    let found = frame.restore(parts.restored.as_ref(), &parts.lanes);
    builder.build(move |capabilities| {
        // Held for what was under way and the watermark; an operator that begins has nothing to say of its own.
        let mut first = found.map(|found| (found, capabilities));
        if first.is_some() {
            activator.activate();
        }
        move |frontiers: &[MutableAntichain<Tick>]| {
            let start = frame.begin();
            let mut worked = false;
            if let Some((found, capabilities)) = first.take() {
                worked = true;
                frame.resume(found, &capabilities, &mut pushers);
            }
            for (input, handle) in handles.iter_mut().enumerate() {
                handle.for_each(|capability, parcel| {
                    worked = true;
                    frame.parcel(input, &capability, parcel, &mut pushers);
                });
            }
            let frontiers: Vec<&MutableAntichain<Tick>> = frontiers.iter().collect();
            worked |= frame.boundary(&frontiers, &mut pushers);
            worked |= frame.go_on();
            worked |= frame.carry();
            if frame.rest(frontiers.iter().all(|f| f.is_empty())) {
                activator.activate();
            }
            frame.tell();
            if worked {
                frame.cx.counters().busy_ns.fetch_add(start.elapsed().as_nanos() as u64, std::sync::atomic::Ordering::Relaxed);
            }
        }
    });
    streams
}

/// Where the senders of one input stand among all senders of the operator.
struct Base {
    first: usize,
    /// The input comes from this worker alone.
    one: bool,
}

/// What has been heard of each input: the least that counts.
fn heard(bases: &[Base], merge: &Merge, worker: usize) -> Vec<SenderFacts> {
    let senders: Vec<Said> = merge.senders().collect();
    let end = |input: usize| bases.get(input + 1).map_or(senders.len(), |next| next.first);
    let input = |(input, base): (usize, &Base)| {
        let own = &senders[base.first..end(input)];
        let least = own.iter().enumerate().filter(|(_, said)| said.counted).min_by_key(|(_, said)| said.watermark);
        SenderFacts {
            input,
            worker: least.map(|(sender, _)| if base.one { worker } else { sender }),
            watermark: least.map_or(TIME_MIN, |(_, said)| said.watermark),
            idle: own.iter().filter(|said| said.idle).count(),
        }
    };
    bases.iter().enumerate().map(input).collect()
}

/// The state of one operator on one worker.
struct Frame {
    merge: Merge,
    bases: Vec<Base>,
    cx: Context,
    teller: Teller,
    /// When this activation began.
    started: Instant,
    id: usize,
    logic: Box<dyn Logic>,
    switcher: Option<Switcher>,
    barrier: Option<Barrier>,
    clocked: bool,
    worker: usize,
    ended: bool,
}

impl Frame {
    fn begin(&mut self) -> Instant {
        self.cx.control.board.enter(self.worker, self.id);
        self.started = Instant::now();
        self.started
    }

    /// Ends an activation for whoever watches, and answers them where they ask.
    fn tell(&mut self) {
        let Frame { teller, cx, merge, bases, logic, worker, .. } = self;
        teller.tell(&cx.control.board, self.ended, || WorkerFacts {
            watermark: cx.at.watermark,
            made: cx.made,
            idle: merge.is_idle(),
            senders: heard(bases, merge, *worker),
            held: logic.held(),
            ..WorkerFacts::default()
        });
        cx.control.board.leave(*worker);
    }

    /// Takes the operator's state back; answers what was under way to it, which is nothing where that was not saved.
    fn restore(&mut self, restored: Option<&Restored>, lanes: &[Lane]) -> Option<Found> {
        let restored = restored.filter(|_| !self.cx.control.has_failed())?;
        self.cx.at.watermark = restored.watermark();
        self.merge.restore(restored.watermark());
        let result = restored.under_way(lanes).and_then(|found| {
            self.logic.restore(restored, found.as_ref().map_or(&[], |found| &found.watermarks), &mut self.cx)?;
            Ok(found)
        });
        let found = result.unwrap_or_else(|failure| {
            self.cx.control.fail(failure);
            None
        });
        if let (Some(barrier), Some(found)) = (&mut self.barrier, &found) {
            barrier.restored(found);
        }
        // Also one to which nothing was under way has to tell its watermark: those behind it know of none, and where its senders
        // have ended or stand still it has no other occasion.
        Some(found.unwrap_or_default())
    }

    /// Works off what was under way when the operator was saved, and tells its watermark, which may have been under way itself.
    fn resume(&mut self, found: Found, capabilities: &[Capability<Tick>], pushers: &mut [Output<Tick, Parcel>]) {
        if self.clocked {
            // Records that go into windows of processing time, or set timers in it, come at some time.
            let now = self.cx.moment().now;
            self.follow(now);
        }
        found.records.into_iter().for_each(|(input, block)| self.item(input, Payload::Block(block)));
        if self.cx.at.watermark == TIME_MAX {
            // The end of the input has been heard of before: it is not heard again.
            self.follow(TIME_MAX);
        }
        if self.cx.at.watermark > TIME_MIN {
            self.cx.mark(Mark { sender: self.worker as u32, signal: Signal::Watermark(self.cx.at.watermark) });
        }
        self.send(pushers, |output, pusher, mut parcel| pusher.activate().give(&capabilities[output], &mut parcel));
    }

    fn follow(&mut self, now: TimeMs) {
        if !self.cx.control.has_failed()
            && let Err(failure) = self.clock(now)
        {
            self.cx.control.fail(failure);
        }
    }

    /// Works a parcel off, unless it comes from behind a boundary that others have not come to.
    fn parcel(&mut self, input: usize, capability: &InputCapability<Tick>, parcel: &mut Parcel, pushers: &mut [Output<Tick, Parcel>]) {
        let mut delayed = None;
        if let Some(barrier) = self.barrier.as_mut() {
            if barrier.holds(capability) {
                barrier.put_aside(input, capability, pushers.len(), std::mem::take(&mut parcel.items));
                return;
            }
            if barrier.is_overtaken_by(capability) {
                self.overtake();
            }
            delayed = self.barrier.as_ref().and_then(|barrier| barrier.delays(capability));
        }
        for item in parcel.items.drain(..) {
            if let (Some(_), Some(barrier), Payload::Block(block)) = (delayed, self.barrier.as_mut(), &item.payload) {
                barrier.record(input, block);
            }
            self.item(input, item.payload);
        }
        self.send(pushers, |output, pusher, mut parcel| match delayed {
            None => pusher.activate().give(capability, &mut parcel),
            Some(tick) => pusher.activate().give(&capability.delayed(&tick, output), &mut parcel),
        });
    }

    /// Hands over the state at a boundary that has not been reached; the rest follows when it has.
    fn overtake(&mut self) {
        self.finish_handover();
        let Some(barrier) = self.barrier.as_mut().filter(|_| !self.cx.control.has_failed()) else { return };
        match self.logic.hand_over(&mut self.cx) {
            Ok(given) => barrier.overtake(self.cx.at.watermark, given, self.logic.ahead().to_vec()),
            Err(failure) => self.cx.control.fail(failure),
        }
    }

    /// Hands over when a boundary has been reached, then goes on with what was put aside.
    fn boundary(&mut self, frontiers: &[&MutableAntichain<Tick>], pushers: &mut [Output<Tick, Parcel>]) -> bool {
        if self.ended || !self.barrier.as_ref().is_some_and(|barrier| barrier.is_due(frontiers)) {
            return false;
        }
        let start = Instant::now();
        self.finish_handover();
        self.hand_over(false);
        self.switch(start);
        let aside = self.barrier.as_mut().map(Barrier::take_aside).unwrap_or_default();
        for Aside { input, capabilities, items } in aside {
            items.into_iter().for_each(|item| self.item(input, item.payload));
            self.send(pushers, |output, pusher, mut parcel| pusher.activate().give(&capabilities[output], &mut parcel));
        }
        true
    }

    /// Goes on with other code, where that is what the boundary is for. `start` is when it was come to.
    fn switch(&mut self, start: Instant) {
        if self.barrier.as_ref().is_some_and(Barrier::is_switching) {
            self.switcher.iter_mut().for_each(Switcher::switch);
            self.cx.control.offers.paused(self.worker, start.elapsed());
        }
    }

    /// Moves a page of state to other code, once all that was handed over has been exported by the code before.
    fn carry(&mut self) -> bool {
        if self.is_handing_over() || self.cx.control.has_failed() {
            return false;
        }
        let Some(switcher) = self.switcher.as_mut().filter(|switcher| switcher.moving) else { return false };
        if let Err(failure) = switcher.carry() {
            self.cx.control.fail(failure);
        }
        true
    }

    fn hand_over(&mut self, last: bool) {
        let Some(barrier) = &mut self.barrier else { return };
        if self.cx.control.has_failed() {
            return;
        }
        if barrier.hand_over_overtaken(last) {
            return;
        }
        let start = Instant::now();
        match self.logic.hand_over(&mut self.cx) {
            Ok(given) => barrier.hand_over(self.cx.at.watermark, given, self.logic.ahead(), last),
            Err(failure) => self.cx.control.fail(failure),
        }
        self.cx.control.paused(start.elapsed());
    }

    fn is_handing_over(&self) -> bool {
        !self.cx.control.has_failed() && self.barrier.as_ref().is_some_and(Barrier::is_open)
    }

    /// Goes on with a handover, by a page; false when none is open.
    fn go_on(&mut self) -> bool {
        if !self.is_handing_over() {
            return false;
        }
        let start = Instant::now();
        match (self.logic.hand_over_more(&mut self.cx), &mut self.barrier) {
            (Ok(Some(keyed)), Some(barrier)) => barrier.complete(keyed),
            (Ok(_), _) => {}
            (Err(failure), _) => self.cx.control.fail(failure),
        }
        self.cx.control.paused(start.elapsed());
        true
    }

    fn finish_handover(&mut self) {
        while self.go_on() {}
    }

    fn item(&mut self, input: usize, payload: Payload) {
        if self.cx.control.has_failed() {
            return;
        }
        let result = match payload {
            Payload::Block(block) => {
                self.cx.counters().records_in.fetch_add(block.rows() as u64, std::sync::atomic::Ordering::Relaxed);
                self.logic.block(input, block, &mut self.cx)
            }
            Payload::Mark(Mark { sender, signal }) => {
                let base = &self.bases[input];
                self.signal(base.first + if base.one { 0 } else { sender as usize }, signal)
            }
        };
        if let Err(failure) = result {
            self.cx.control.fail(failure);
        }
    }

    fn signal(&mut self, sender: usize, signal: Signal) -> Result<(), Failure> {
        let advance = match signal {
            Signal::Watermark(watermark) => self.merge.watermark(sender, watermark),
            Signal::Idle => self.merge.idle(sender),
            Signal::Clock(now) => return self.clock(now),
        };
        match advance {
            Advance::None => {}
            Advance::To(watermark) => self.advance(watermark)?,
            Advance::Idle(watermark) => {
                self.advance(watermark)?;
                self.cx.mark(Mark { sender: self.worker as u32, signal: Signal::Idle });
            }
        }
        Ok(())
    }

    fn advance(&mut self, watermark: TimeMs) -> Result<(), Failure> {
        if watermark > self.cx.at.watermark {
            self.logic.watermark(watermark, &mut self.cx)?;
            self.teller.rises(self.cx.at.watermark, watermark, self.started);
            self.cx.at.watermark = watermark;
            self.cx.counters().watermarks[self.worker].store(watermark, std::sync::atomic::Ordering::Relaxed);
            if watermark == TIME_MAX {
                // The input has ended: processing time ends with it, so that nothing waits for ever.
                self.clock(TIME_MAX)?;
            }
        }
        self.cx.mark(Mark { sender: self.worker as u32, signal: Signal::Watermark(watermark) });
        Ok(())
    }

    fn clock(&mut self, now: TimeMs) -> Result<(), Failure> {
        if now <= self.cx.at.now {
            return Ok(());
        }
        self.cx.at.now = now;
        self.logic.clock(now, &mut self.cx)?;
        if now != TIME_MAX {
            self.cx.mark(Mark { sender: self.worker as u32, signal: Signal::Clock(now) });
        }
        Ok(())
    }

    fn send(&mut self, pushers: &mut [Output<Tick, Parcel>], give: impl Fn(usize, &mut Output<Tick, Parcel>, Parcel)) {
        let rows: usize = self.cx.outputs.iter().flatten().map(Item::rows).sum();
        if rows > 0 {
            self.cx.counters().records_out.fetch_add(rows as u64, std::sync::atomic::Ordering::Relaxed);
        }
        for (output, (items, pusher)) in self.cx.outputs.iter_mut().zip(pushers).enumerate() {
            if !items.is_empty() {
                give(output, pusher, Parcel { items: std::mem::take(items) });
            }
        }
    }

    /// Ends an activation; true when there is more to do.
    fn rest(&mut self, over: bool) -> bool {
        if self.ended {
            return false;
        }
        let mut result = if self.cx.control.has_failed() { Ok(()) } else { self.logic.rest() };
        if over {
            self.ended = true;
            self.finish_handover();
            self.hand_over(true);
            self.finish_handover();
            if !self.cx.control.has_failed() {
                result = result.and_then(|()| self.logic.end());
            }
            self.switcher.iter_mut().for_each(Switcher::end);
        }
        if let Err(failure) = result {
            self.cx.control.fail(failure);
        }
        let moving = self.switcher.as_ref().is_some_and(|switcher| switcher.moving);
        self.is_handing_over() || moving && !self.cx.control.has_failed()
    }
}
