//! Watermarks that the job makes itself, where `monotonic()` and `out_of_order(..)` do not say it: from marks in the records, or by the
//! clock.
//!
//! A strategy is given with the event time, directly behind a source: [`Stream::assign_event_time`](crate::stream::Stream::assign_event_time).
//! Each split of the source (a file, a partition, a connection) has a generator of its own, and event time behind the source is the
//! least over the splits.
//!
//! ```
//! use tidemill::prelude::*;
//! use tidemill::testing;
//!
//! #[derive(Clone, Record)]
//! struct Line { user: String, at: i64, complete: bool }
//!
//! fn per_minute(job: &mut Job) -> Result {
//!     job.source::<Line>("lines", json())
//!         // A line marked `complete` says that nothing older follows it.
//!         .assign_event_time("at", |line| line.at, punctuated(|line: &Line, at| line.complete.then_some(at)))
//!         .key_by(Line::USER)
//!         .window(tumbling(minutes(1)))
//!         .count("count")
//!         .sink("counts", json());
//!     Ok(())
//! }
//!
//! let line = |at, complete| Line { user: "ann".into(), at, complete };
//! let mut test = testing::job(per_minute).start();
//! test.push("lines", line(1_000, false));
//! test.push("lines", line(65_000, false));
//! assert!(test.sink::<WindowCount<String>>("counts").is_empty(), "nobody has said that the first minute is complete");
//! test.push("lines", line(62_000, true));
//! assert_eq!(test.sink::<WindowCount<String>>("counts").len(), 1);
//! ```
//!
//! The host asks once for each block of records, not once for each record: of the watermarks that a generator gives within a block the
//! greatest counts, behind the block. One that is lower than before changes nothing. What a generator remembers is no state: after a
//! restart from a checkpoint every split begins with a new one, and event time stays where it was until that has caught up.

use std::rc::Rc;

use crate::plan;
use crate::time::{Span, Watermarks};

/// Makes the watermarks of one split of a source of `T`s. A watermark says that no record of its time or before it is expected any more.
pub trait WatermarkGenerator<T> {
    /// Sees a record and its event time, and may give a watermark behind it.
    fn on_record(&mut self, record: &T, time: i64) -> Option<i64>;

    /// Is asked every so often, at the processing time `now`, where the strategy says [`Generated::every`]; not while the split is idle.
    fn on_periodic(&mut self, now: i64) -> Option<i64> {
        let _ = now;
        None
    }
}

/// Makes a generator.
pub(crate) type Make<T> = Rc<dyn Fn() -> Box<dyn WatermarkGenerator<T>>>;

/// A strategy whose watermarks a [`WatermarkGenerator`] makes.
#[must_use = "a strategy is given where event time is"]
pub struct Generated<T> {
    make: Make<T>,
    every: Option<Span>,
}

/// Watermarks of a generator that `make` makes for each split.
///
/// ```
/// use tidemill::prelude::*;
/// use tidemill::testing;
///
/// /// The greatest time, held back by twice the gap that was seen last.
/// #[derive(Default)]
/// struct Cautious { greatest: i64, gap: i64 }
///
/// impl WatermarkGenerator<i64> for Cautious {
///     fn on_record(&mut self, _: &i64, time: i64) -> Option<i64> {
///         self.gap = (time - self.greatest).abs();
///         self.greatest = self.greatest.max(time);
///         Some(self.greatest - 2 * self.gap - 1)
///     }
/// }
///
/// let mut test = testing::watermarks(generator(Cautious::default));
/// test.push(0, 100);
/// test.push(0, 110);
/// assert_eq!(test.watermark(), Some(89));
/// test.push(0, 70);
/// assert_eq!(test.watermark(), Some(89), "a lower one changes nothing");
/// ```
pub fn generator<T: 'static, G: WatermarkGenerator<T> + 'static>(make: impl Fn() -> G + 'static) -> Generated<T> {
    Generated { make: Rc::new(move || Box::new(make())), every: None }
}

/// Watermarks that records bring: `mark` sees each with its event time and may give one.
pub fn punctuated<T: 'static>(mark: impl Fn(&T, i64) -> Option<i64> + 'static) -> Generated<T> {
    let mark = Rc::new(mark);
    generator(move || Punctuated(mark.clone()))
}

/// Watermarks by the clock: `see` notes what it wants of each record and its event time, and `say` is asked `every` so often, with what was
/// noted and the processing time.
///
/// ```
/// use tidemill::prelude::*;
/// use tidemill::testing;
///
/// // The least of the last two times.
/// let see = |last: &mut (i64, i64), _: &String, time: i64| *last = (last.1, time);
/// let mut test = testing::watermarks(periodic(seconds(1), see, |last, _now| Some(last.0.min(last.1))));
/// test.push("a".to_owned(), 5_000);
/// test.push("b".to_owned(), 4_000);
/// assert_eq!(test.watermark(), None, "nobody has asked yet");
/// test.set_processing_time(1_000);
/// assert_eq!(test.watermark(), Some(4_000));
/// ```
pub fn periodic<T: 'static, S: Default + 'static>(
    every: Span,
    see: impl Fn(&mut S, &T, i64) + 'static,
    say: impl Fn(&S, i64) -> Option<i64> + 'static,
) -> Generated<T> {
    let (see, say) = (Rc::new(see), Rc::new(say));
    generator(move || Periodic { noted: S::default(), see: see.clone(), say: say.clone() }).every(every)
}

impl<T> Generated<T> {
    /// Has [`WatermarkGenerator::on_periodic`] asked every so often, in processing time.
    pub fn every(mut self, interval: Span) -> Generated<T> {
        self.every = Some(interval);
        self
    }
}

/// How watermarks follow: by a rule of the host's, or as the job says.
pub struct Strategy<T>(Way<T>);

enum Way<T> {
    Rule(Watermarks),
    Generated(Generated<T>),
}

impl<T> Strategy<T> {
    pub(crate) fn in_plan(&self) -> plan::Watermarks {
        match &self.0 {
            Way::Rule(watermarks) => watermarks.in_plan(),
            Way::Generated(generated) => plan::Watermarks::Guest { every_ms: generated.every.map(Span::ms) },
        }
    }

    pub(crate) fn make(self) -> Option<Make<T>> {
        match self.0 {
            Way::Rule(_) => None,
            Way::Generated(generated) => Some(generated.make),
        }
    }
}

impl<T> From<Watermarks> for Strategy<T> {
    fn from(watermarks: Watermarks) -> Strategy<T> {
        Strategy(Way::Rule(watermarks))
    }
}

impl<T> From<Generated<T>> for Strategy<T> {
    fn from(generated: Generated<T>) -> Strategy<T> {
        Strategy(Way::Generated(generated))
    }
}

struct Punctuated<F>(Rc<F>);

impl<T, F: Fn(&T, i64) -> Option<i64>> WatermarkGenerator<T> for Punctuated<F> {
    fn on_record(&mut self, record: &T, time: i64) -> Option<i64> {
        (self.0)(record, time)
    }
}

struct Periodic<S, See, Say> {
    noted: S,
    see: Rc<See>,
    say: Rc<Say>,
}

impl<T, S, See: Fn(&mut S, &T, i64), Say: Fn(&S, i64) -> Option<i64>> WatermarkGenerator<T> for Periodic<S, See, Say> {
    fn on_record(&mut self, record: &T, time: i64) -> Option<i64> {
        (self.see)(&mut self.noted, record, time);
        None
    }

    fn on_periodic(&mut self, now: i64) -> Option<i64> {
        (self.say)(&self.noted, now)
    }
}
