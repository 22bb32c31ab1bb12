//! The source: polls a reader, makes watermarks per split, keeps the pace by ticks and credits.
//!
//! It holds the only capabilities of the dataflow, one per output, all at the current tick. **It downgrades them at every
//! activation**, also when it has nothing to read: a source that stood at an old tick would hold the probe, and
//! with it every other source, until their credit ran out. It drops them when the input has ended or the job
//! stops, which is how the dataflow comes to its end.
//!
//! When the job assigns event time in a guest chain directly behind the source, that chain runs here, so that
//! its times are still known by split (semantics.md #6).

mod progress;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidemill_core::block::Block;
use tidemill_core::connect::{Batch, Polled, Reader, SplitTime, Waker};
use tidemill_core::explain::{Pace, WorkerFacts};
use tidemill_core::guest::Moment;
use tidemill_core::plan::Watermarks;
use tidemill_core::schema::Schema;
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};
use timely::dataflow::channels::pushers::Output;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::probe::Handle as Probe;
use timely::dataflow::{Scope, Stream};

use self::progress::{is_idle, watermark_of};
use crate::align::Member;
use crate::barrier::Barrier;
use crate::board::Teller;
use crate::control::Control;
use crate::harness::Tick;
use crate::logic::{Context, Given};
use crate::operators::generator::Generator;
use crate::operators::guest_call::{GuestCall, Shown, dead_letter};
use crate::operators::source_facts::{Reading, Seen};
use crate::operators::watch::{ENTRY, Piece, part};
use crate::parcel::{Item, Parcel};
use crate::report::{Cause, Failure};
use crate::restore::Restored;
use crate::run::Options;
use crate::switcher::Switcher;
use crate::ticks::{Credits, Ticks};

/// Blocks read in one activation at most: enough to make good use of the caches, few enough that marks and other
/// operators get their turn.
const POLLS_PER_ACTIVATION: usize = 4;
/// How long a source that is out of credit waits before it looks again: the probe does not wake it.
const NAP_CREDIT: Duration = Duration::from_millis(1);
/// How long a source without input waits before it moves on to the current tick, unless its reader wakes it.
const NAP_INPUT: Duration = Duration::from_millis(5);

/// Makes the reader of this worker once the source's place in the dataflow, and so its waker, is known; `None` when
/// this worker is beyond the operator's parallelism.
pub(crate) type MakeReader = Box<dyn FnOnce(Waker) -> Option<Box<dyn Reader>>>;

/// A guest chain that assigns event time, run inside the source.
pub(crate) struct Prelude {
    /// The chain.
    pub(crate) call: GuestCall,
    /// The output of the source that it reads.
    pub(crate) port: usize,
    /// The schema of that output.
    pub(crate) schema: Schema,
}

/// What a source needs to run on one worker.
pub(crate) struct SourceSpec {
    pub(crate) name: String,
    pub(crate) id: usize,
    pub(crate) bounded: bool,
    /// The operator's own outputs, then the prelude's.
    pub(crate) outputs: usize,
    /// The output for dead letters, when somebody reads it.
    pub(crate) dead_letters: Option<usize>,
    pub(crate) watermarks: Option<Watermarks>,
    pub(crate) prelude: Option<Prelude>,
    /// Where it has one.
    pub(crate) switcher: Option<Switcher>,
    /// Whether anything behind needs processing time.
    pub(crate) clock: bool,
    pub(crate) options: Options,
    pub(crate) control: Arc<Control>,
    pub(crate) ticks: Arc<Ticks>,
    pub(crate) probe: Probe<Tick>,
    /// Where checkpoints are taken.
    pub(crate) barrier: Option<Barrier>,
    /// What it begins with; the reader has been given its position before.
    pub(crate) restored: Option<Restored>,
    /// Its part in a group of sources that are aligned, where it reads.
    pub(crate) member: Option<Member>,
}

/// Builds the source; returns its streams.
pub(crate) fn source<'s>(scope: Scope<'s, Tick>, spec: SourceSpec, make_reader: MakeReader) -> Vec<Stream<'s, Tick, Parcel>> {
    let (worker, peers) = (scope.index(), scope.peers());
    let mut builder = OperatorBuilder::new(spec.name.clone(), scope);
    let activator = scope.activator_for(builder.operator_info().address);
    let (mut pushers, streams): (Vec<_>, Vec<_>) = (0..spec.outputs).map(|_| builder.new_output::<Parcel>()).unzip();
    let alarm = Mutex::new(scope.worker().sync_activator_for(builder.operator_info().address.to_vec()));
    let reader = make_reader(Arc::new(move || {
        // A worker that has ended no longer listens: nothing to wake.
        let _ = alarm.lock().unwrap_or_else(PoisonError::into_inner).activate();
    }));
    builder.build(move |capabilities| {
        let mut state = State::new(spec, reader, worker, peers, capabilities);
        // One alarm at a time: every activation would otherwise leave one more behind.
        let mut alarm_at: Option<Instant> = None;
        move |_frontiers| match state.watched(&mut pushers) {
            Next::Now => activator.activate(),
            Next::Nap(nap) => {
                let now = Instant::now();
                if alarm_at.is_none_or(|at| at <= now) {
                    alarm_at = Some(now + nap);
                    activator.activate_after(nap);
                }
            }
            Next::Never => {}
        }
    });
    streams
}

/// When to be activated again.
enum Next {
    Now,
    Nap(Duration),
    Never,
}

struct State {
    spec: SourceSpec,
    reader: Option<Box<dyn Reader>>,
    worker: usize,
    capabilities: Vec<Capability<Tick>>,
    cx: Context,
    credits: Credits,
    /// The watermark told last.
    told: TimeMs,
    told_idle: bool,
    clock_told: TimeMs,
    /// Since when each split has been polled without a record; `None` while it has some.
    quiet_since: Vec<Option<Instant>>,
    /// Which splits are too far ahead of others to be read.
    held: Vec<bool>,
    /// Where the component makes watermarks.
    generator: Option<Generator>,
    reading: Reading,
    /// Since when it waits for the sinks.
    held_since: Option<Instant>,
    teller: Teller,
}

impl State {
    fn new(spec: SourceSpec, reader: Option<Box<dyn Reader>>, worker: usize, peers: usize, capabilities: Vec<Capability<Tick>>) -> State {
        let cx = Context::new(spec.outputs, (worker, peers), Arc::clone(&spec.control), Arc::clone(&spec.options.clock), spec.id);
        let bytes = spec.options.bytes_in_flight / peers;
        let credits = Credits::new(spec.options.ticks_in_flight, bytes);
        let mut state = State {
            held: Vec::new(),
            generator: spec.watermarks.and_then(Generator::new),
            reading: Reading::default(),
            held_since: None,
            teller: Teller::new(spec.id, worker),
            spec,
            reader,
            worker,
            capabilities,
            cx,
            credits,
            told: TIME_MIN,
            told_idle: false,
            clock_told: TIME_MIN,
            quiet_since: Vec::new(),
        };
        if let Some(watermark) = state.spec.restored.as_ref().map(Restored::watermark) {
            // Told before any record, so that nothing which was late before the restore is on time behind it.
            state.tell(Some(watermark));
        }
        state
    }

    /// An activation, for whoever watches.
    fn watched(&mut self, pushers: &mut [Output<Tick, Parcel>]) -> Next {
        if self.capabilities.is_empty() {
            return Next::Never;
        }
        let control = Arc::clone(&self.spec.control);
        control.board.enter(self.worker, self.spec.id);
        let next = self.activate(pushers);
        let over = self.capabilities.is_empty();
        if over {
            self.reading.pace = Pace::Ended;
        }
        let State { teller, reading, reader, told, told_idle, quiet_since, spec, generator, held, .. } = self;
        let now = Instant::now();
        teller.tell(&control.board, over, || WorkerFacts {
            watermark: *told,
            made: *told,
            idle: *told_idle,
            source: Some(reading.facts(reader.as_deref(), |split, time: &SplitTime| Seen {
                idle: !time.ended && is_idle(spec, quiet_since, split, now),
                watermark: spec.watermarks.map_or(TIME_MIN, |of| watermark_of(of, generator.as_ref(), split, time.max_time)),
                generated: generator.is_some(),
                aligned: !time.ended && held.get(split).copied().unwrap_or_default(),
            })),
            ..WorkerFacts::default()
        });
        control.board.leave(self.worker);
        next
    }

    fn activate(&mut self, pushers: &mut [Output<Tick, Parcel>]) -> Next {
        let tick = self.spec.ticks.now();
        if self.spec.barrier.as_ref().is_some_and(|barrier| barrier.is_due_at(tick)) {
            let start = Instant::now();
            self.hand_over(false);
            if self.spec.barrier.as_ref().is_some_and(Barrier::is_switching) {
                self.spec.switcher.iter_mut().for_each(Switcher::switch);
                self.spec.control.offers.paused(self.worker, start.elapsed());
            }
        }
        self.capabilities.iter_mut().for_each(|c| {
            if *c.time() < tick {
                c.downgrade(&tick)
            }
        });
        let next = self.step(tick).unwrap_or_else(|failure| {
            self.spec.control.fail(failure);
            Next::Never
        });
        self.send(pushers);
        if let Next::Never = next {
            // Before a boundary announced meanwhile, and for those to come, which are two places: others may be behind it already.
            if self.spec.barrier.as_ref().is_some_and(|barrier| barrier.is_due_at(Tick::MAX)) {
                self.hand_over(false);
            }
            self.hand_over(true);
            self.spec.switcher.iter_mut().for_each(Switcher::end);
            self.capabilities.clear();
            self.spec.member = None;
        }
        next
    }

    /// Hands over where the reader stands: everything it has read has been emitted before the boundary.
    fn hand_over(&mut self, last: bool) {
        let Some(barrier) = self.spec.barrier.as_mut().filter(|_| !self.spec.control.has_failed()) else { return };
        let boundary = (!last).then(|| barrier.behind());
        match self.reader.as_deref_mut().map_or(Ok(None), |reader| reader.position(boundary)) {
            Ok(position) => barrier.hand_over(self.told, Given { position, ..Given::default() }, &[], last),
            Err(error) => {
                let cause = Cause::Connector(error);
                self.spec.control.fail(Failure { operator: self.spec.name.clone(), cause, record: None });
            }
        }
    }

    fn step(&mut self, tick: Tick) -> Result<Next, Failure> {
        if self.spec.control.has_failed() {
            return Ok(Next::Never);
        }
        if self.spec.control.is_stopping() {
            if self.spec.control.is_draining() {
                self.tell(Some(TIME_MAX));
            }
            return Ok(Next::Never);
        }
        self.tell_clock();
        let done = self.spec.probe.with_frontier(|f| f.first().copied().unwrap_or(tick));
        self.spec.control.note_settled(done);
        if !self.credits.may_read(tick, done) {
            self.reading.pace = Pace::HeldBack;
            self.note_held(true);
            return Ok(Next::Nap(NAP_CREDIT));
        }
        self.note_held(false);
        if self.reader.is_none() {
            self.tell(Some(TIME_MAX));
            return Ok(Next::Never);
        }
        let start = Instant::now();
        let next = self.read(tick);
        self.cx.counters().busy_ns.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
        next
    }

    /// Counts the time since the last activation, if it was held back then, and notes whether it is now.
    fn note_held(&mut self, held: bool) {
        let now = held.then(Instant::now);
        if let Some(since) = std::mem::replace(&mut self.held_since, now) {
            let time = now.unwrap_or_else(Instant::now).duration_since(since);
            self.cx.counters().held_ns.fetch_add(time.as_nanos() as u64, Relaxed);
        }
    }

    fn read(&mut self, tick: Tick) -> Result<Next, Failure> {
        for _ in 0..POLLS_PER_ACTIVATION {
            // Before each block, so that what the block meets is the processing time at which it was read.
            self.tell_clock();
            if self.align() {
                // One that was idle is so no longer: it may have what nobody looks at.
                self.tell_progress(false)?;
                self.reading.pace = Pace::Aligned;
                return Ok(Next::Nap(NAP_INPUT));
            }
            let reader = self.reader.as_deref_mut().expect("a worker without a reader does not read");
            let polled = reader.poll(self.spec.options.block_rows).map_err(|error| Failure {
                operator: self.spec.name.clone(),
                cause: Cause::Connector(error),
                record: None,
            })?;
            match polled {
                Polled::Batch(batch) => {
                    let bytes = self.batch(batch)?;
                    self.credits.spend(tick, bytes);
                    self.tell_progress(false)?;
                }
                Polled::Pending => {
                    self.reading.pace = Pace::Waiting;
                    self.tell_progress(true)?;
                    return Ok(Next::Nap(NAP_INPUT));
                }
                Polled::Ended => {
                    self.tell(Some(TIME_MAX));
                    return Ok(Next::Never);
                }
            }
        }
        Ok(Next::Now)
    }

    /// Emits the records of a batch; returns their bytes.
    fn batch(&mut self, batch: Batch) -> Result<usize, Failure> {
        let counters = self.cx.counters();
        counters.records_in.fetch_add(batch.records, Relaxed);
        counters.bytes_in.fetch_add(batch.bytes, Relaxed);
        if let Some(quiet) = self.quiet_since.get_mut(batch.split) {
            *quiet = None;
        }
        self.reading.split = (batch.records > 0).then_some(batch.split);
        let mut bytes = 0;
        for (port, block) in batch.blocks {
            bytes += block.as_bytes().len();
            match &self.spec.prelude {
                Some(prelude) if prelude.port == port => self.run_prelude(batch.split, &block)?,
                _ => self.cx.emit(port, block),
            }
        }
        let lettered = batch.bad.len() as u64;
        let counters = self.cx.counters();
        counters.dead_lettered.fetch_add(lettered, Relaxed);
        counters.skipped.fetch_add(batch.bad_count.saturating_sub(lettered), Relaxed);
        if let Some(output) = self.spec.dead_letters {
            for bad in batch.bad {
                self.cx.emit(output, dead_letter(&self.spec.name, &bad.place, &bad.reason, &bad.record, TIME_MIN));
            }
        }
        Ok(bytes)
    }

    /// Runs the chain that assigns event time, and tells the reader the times it gave.
    fn run_prelude(&mut self, split: usize, block: &Block) -> Result<(), Failure> {
        let prelude = self.spec.prelude.as_ref().expect("only called with a prelude");
        let now = if self.spec.clock { self.clock_told } else { (self.spec.options.clock)() };
        let at = Moment { watermark: self.told, now };
        for piece in prelude.call.pieces(ENTRY, 0, block, &self.cx) {
            let rows = match piece {
                Piece::Rows(rows) => part(block, &rows, &prelude.schema),
                Piece::Aside(row, condemned) => {
                    prelude.call.set_aside(row, &condemned, Shown::only(block, &prelude.schema), &mut self.cx)?;
                    continue;
                }
            };
            let shown = Shown::only(&rows, &prelude.schema);
            let mut outcome = prelude.call.stateless(&self.cx, at, shown)?;
            let greatest = outcome.emitted.iter().flat_map(|e| e.block.times().iter()).max();
            if let Some(generator) = &mut self.generator {
                generator.behind(split, at.now, &outcome.emitted, (&prelude.call, &self.cx))?;
            }
            prelude.call.settle(&mut outcome, shown, &mut self.cx)?;
            if let (Some(time), Some(reader)) = (greatest, self.reader.as_deref_mut()) {
                reader.observe(split, time);
            }
        }
        Ok(())
    }

    fn send(&mut self, pushers: &mut [Output<Tick, Parcel>]) {
        let mut rows = 0;
        let outputs = self.cx.take();
        for ((items, pusher), capability) in outputs.into_iter().zip(pushers).zip(&self.capabilities) {
            rows += items.iter().map(Item::rows).sum::<usize>();
            if !items.is_empty() {
                let mut parcel = Parcel { items };
                pusher.activate().give(capability, &mut parcel);
            }
        }
        self.cx.counters().records_out.fetch_add(rows as u64, Relaxed);
    }
}
