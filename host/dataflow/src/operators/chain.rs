//! A chain of stateless guest operators: one call per block.
//!
//! When the chain ends in a `timestamps` operator, watermarks are made behind it from the times the guest gave: what this
//! worker receives counts as one split.

use tidemill_core::block::Block;
use tidemill_core::guest::Outcome;
use tidemill_core::plan::Watermarks;
use tidemill_core::schema::Schema;
use tidemill_core::{TIME_MIN, TimeMs};

use crate::logic::{Context, Logic};
use crate::operators::generator::Generator;
use crate::operators::guest_call::{GuestCall, Shown};
use crate::report::Failure;

/// See the module.
pub(crate) struct Chain {
    call: GuestCall,
    schema: Schema,
    stamper: Option<Stamper>,
}

impl Chain {
    /// `schema` is that of the chain's input; `watermarks` are made when its last member assigns event time.
    pub(crate) fn new(call: GuestCall, schema: Schema, watermarks: Option<Watermarks>) -> Chain {
        Chain { call, schema, stamper: watermarks.map(Stamper::new) }
    }
}

impl Logic for Chain {
    fn block(&mut self, input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        let at = cx.moment();
        let shown = Shown { block: &block, schema: &self.schema, input: input as u32 };
        let mut outcome = self.call.stateless(cx, at, shown)?;
        let watermark = match &mut self.stamper {
            Some(stamper) => Some(stamper.note(at.now, &outcome, (&self.call, cx))?),
            None => None,
        };
        self.call.settle(&mut outcome, shown, cx)?;
        if let Some(watermark) = watermark {
            cx.mark_watermark(watermark);
        }
        Ok(())
    }

    fn clock(&mut self, now: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        if let Some(Stamper::Guest(generator)) = &mut self.stamper {
            generator.by_clock(SPLIT, now, (&self.call, cx))?;
            cx.mark_watermark(generator.watermark(SPLIT));
        }
        Ok(())
    }
}

/// What a worker receives, as a split.
const SPLIT: usize = 0;

/// Makes watermarks of the records that pass. Invariant: the watermark it tells never falls.
enum Stamper {
    /// Of their times: a strategy, and the greatest so far.
    Host(Watermarks, TimeMs),
    /// The component does.
    Guest(Generator),
}

impl Stamper {
    fn new(strategy: Watermarks) -> Stamper {
        Generator::new(strategy).map_or(Stamper::Host(strategy, TIME_MIN), Stamper::Guest)
    }

    /// Notes what a call emitted and returns the watermark behind it.
    fn note(&mut self, now: TimeMs, outcome: &Outcome, (call, cx): (&GuestCall, &Context)) -> Result<TimeMs, Failure> {
        match self {
            Stamper::Host(strategy, max_time) => {
                *max_time = outcome.emitted.iter().flat_map(|e| e.block.times().iter()).fold(*max_time, TimeMs::max);
                Ok(strategy.after(*max_time))
            }
            Stamper::Guest(generator) => {
                generator.behind(SPLIT, now, &outcome.emitted, (call, cx))?;
                Ok(generator.watermark(SPLIT))
            }
        }
    }
}
