//! Triggers: when a window fires, where that is not at its end and at each late record.
//!
//! A declared trigger is put together of a few words and run by the host:
//!
//! ```
//! use tidemill::prelude::*;
//! use tidemill::trigger;
//! # #[derive(Clone, Record)]
//! # struct Click { user: String, at: i64 }
//! # fn job(clicks: Stream<Click>) {
//! clicks
//!     .key_by(Click::USER)
//!     .window(tumbling(hours(1)))
//!     .trigger(trigger::any([trigger::at_end(), trigger::early_every(seconds(10)), trigger::late_each()]))
//!     .count("clicks an hour, every ten seconds")
//! #   ;
//! # }
//! ```
//!
//! A [`TriggerFunction`] decides by itself, with state of its own for every window.

use std::rc::Rc;

use crate::plan::{self, Domain, StateKind, TriggerSpec};
use crate::record::Record;
use crate::runtime::{Table, Touched, ValueTable};
use crate::time::Span;

/// When a window fires. It replaces the usual trigger, which is [`any`] of [`at_end`] and [`late_each`].
#[derive(Clone, Debug)]
#[must_use = "a trigger that no window has does nothing"]
pub struct Trigger(pub(crate) TriggerSpec);

fn of(when: plan::Trigger) -> Trigger {
    Trigger(TriggerSpec { when, purge: false })
}

/// When time has come to the window's end.
pub fn at_end() -> Trigger {
    of(plan::Trigger::AtWatermark)
}

/// At each record that comes behind the window's end.
pub fn late_each() -> Trigger {
    of(plan::Trigger::LateEach)
}

/// Until the window's end every so long of processing time, at multiples of it, when a record has come since the last firing.
pub fn early_every(span: Span) -> Trigger {
    of(plan::Trigger::EarlyEvery { ms: span.ms(), domain: Domain::Processing })
}

/// So long of processing time after the first record since the last firing.
pub fn after(span: Span) -> Trigger {
    of(plan::Trigger::After { ms: span.ms(), domain: Domain::Processing })
}

/// At every so many records.
pub fn every_records(count: u64) -> Trigger {
    of(plan::Trigger::Count { records: count })
}

/// When one of these fires.
pub fn any(triggers: impl IntoIterator<Item = Trigger>) -> Trigger {
    of(plan::Trigger::Any(triggers.into_iter().map(|trigger| trigger.0.when).collect()))
}

/// When each of these has fired since all had.
pub fn all(triggers: impl IntoIterator<Item = Trigger>) -> Trigger {
    of(plan::Trigger::All(triggers.into_iter().map(|trigger| trigger.0.when).collect()))
}

impl Trigger {
    /// Lets event time drive an [`early_every`] or [`after`].
    pub fn event_time(mut self) -> Trigger {
        if let plan::Trigger::EarlyEvery { domain, .. } | plan::Trigger::After { domain, .. } = &mut self.0.when {
            *domain = Domain::Event;
        }
        self
    }

    /// Empties a window when it has fired; it goes on all the same.
    pub fn purging(mut self) -> Trigger {
        self.0.purge = true;
        self
    }
}

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Continue,
    /// It fires and keeps what it has.
    Fire,
    /// It is emptied and does not fire.
    Purge,
    /// It fires and is emptied.
    FireAndPurge,
}

/// A trigger that decides by itself. Methods take `&self`: what is to be remembered of a window belongs into [`Decide::state`].
pub trait TriggerFunction<T>: 'static {
    /// What it remembers of a window.
    type State: Record + Clone + Default;

    /// A record is being added.
    fn on_record(&self, window: &mut Decide<'_, Self::State>, record: &T) -> Action;

    /// Event time has come to what was asked for.
    fn on_event_time(&self, _window: &mut Decide<'_, Self::State>) -> Action {
        Action::Continue
    }

    /// Processing time has come to what was asked for.
    fn on_processing_time(&self, _window: &mut Decide<'_, Self::State>) -> Action {
        Action::Continue
    }

    /// A session takes in another one, which remembers `other`.
    fn merge(&self, state: &mut Self::State, other: &Self::State);
}

/// What a [`TriggerFunction`] sees of a window.
#[derive(Debug)]
pub struct Decide<'a, S> {
    pub(crate) state: &'a mut S,
    pub(crate) at: At,
    pub(crate) asked: [Option<i64>; 2],
}

/// Where and when a decision is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) firing: i32,
    pub(crate) time: i64,
    pub(crate) watermark: i64,
    pub(crate) now: i64,
}

impl<S> Decide<'_, S> {
    /// What is remembered of the window. It stays when the window fires or is purged.
    pub fn state(&mut self) -> &mut S {
        self.state
    }

    /// The window's first millisecond.
    pub fn start(&self) -> i64 {
        self.at.start
    }

    /// The first millisecond behind it.
    pub fn end(&self) -> i64 {
        self.at.end
    }

    /// How often it has fired.
    pub fn firing(&self) -> i32 {
        self.at.firing
    }

    /// The record's event time, or the time that was asked for.
    pub fn time(&self) -> i64 {
        self.at.time
    }

    /// The watermark.
    pub fn watermark(&self) -> i64 {
        self.at.watermark
    }

    /// Processing time.
    pub fn now(&self) -> i64 {
        self.at.now
    }

    /// Asks to be called when event time has come to `time`, instead of at what was asked for before.
    pub fn at_event_time(&mut self, time: i64) {
        self.asked[0] = Some(time);
    }

    /// Asks to be called when processing time has come to `time`, instead of at what was asked for before.
    pub fn at_processing_time(&mut self, time: i64) {
        self.asked[1] = Some(time);
    }
}

/// What happened to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Event {
    /// A record is being added.
    Record,
    /// Event time.
    EventTime,
    /// Processing time.
    ProcessingTime,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Decision {
    /// What becomes of the window.
    pub action: Action,
    /// Times asked for, in event and in processing time.
    pub asked: [Option<i64>; 2],
}

/// A trigger function with the states of its windows, whatever their type.
pub(crate) trait Decides<T> {
    fn table(&self) -> Rc<dyn Table>;
    fn decide(&self, event: Event, slot: u32, at: At, record: Option<&T>) -> Decision;
    fn merge(&self, target: u32, source: u32);
}

pub(crate) struct Decider<T, F: TriggerFunction<T>> {
    function: Rc<F>,
    states: Rc<ValueTable<F::State>>,
    _record: std::marker::PhantomData<fn(T)>,
}

impl<T: 'static, F: TriggerFunction<T>> Decider<T, F> {
    pub(crate) fn new(function: Rc<F>, touched: &Rc<Touched>) -> Decider<T, F> {
        Decider { function, states: Rc::new(ValueTable::new(touched, StateKind::Value)), _record: std::marker::PhantomData }
    }
}

impl<T: 'static, F: TriggerFunction<T>> Decides<T> for Decider<T, F> {
    fn table(&self) -> Rc<dyn Table> {
        self.states.clone()
    }

    fn decide(&self, event: Event, slot: u32, at: At, record: Option<&T>) -> Decision {
        let mut entry = self.states.0.entry(slot);
        let mut window = Decide { state: entry.get_or_insert_with(Default::default), at, asked: [None; 2] };
        let action = match (event, record) {
            (Event::Record, Some(record)) => self.function.on_record(&mut window, record),
            (Event::EventTime, _) => self.function.on_event_time(&mut window),
            (Event::ProcessingTime, _) => self.function.on_processing_time(&mut window),
            (Event::Record, None) => panic!("the host asked about a record and gave none"),
        };
        Decision { action, asked: window.asked }
    }

    fn merge(&self, target: u32, source: u32) {
        // The entry is let go of before the other one is taken: both are in one table.
        let other = self.states.0.entry(source).take();
        if let Some(other) = other {
            self.function.merge(self.states.0.entry(target).get_or_insert_with(Default::default), &other);
        }
    }
}
