//! A chain of stateless guest operators: one call per block.
//!
//! When the chain ends in a `timestamps` operator, watermarks are made behind it from the times the guest gave: what this
//! worker receives counts as one split.

use tidemill_core::block::Block;
use tidemill_core::plan::Watermarks;
use tidemill_core::schema::Schema;
use tidemill_core::{TIME_MIN, TimeMs};

use crate::logic::{Context, Logic};
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
        let watermark = self.stamper.as_mut().map(|stamper| {
            let times = outcome.emitted.iter().map(|e| stamper.note(&e.block));
            times.max().unwrap_or(TIME_MIN)
        });
        self.call.settle(&mut outcome, shown, cx)?;
        if let Some(watermark) = watermark {
            cx.mark_watermark(watermark);
        }
        Ok(())
    }
}

/// Makes watermarks of the event times that pass. Invariant: the watermark it tells never falls.
struct Stamper {
    strategy: Watermarks,
    max_time: TimeMs,
}

impl Stamper {
    fn new(strategy: Watermarks) -> Stamper {
        Stamper { strategy, max_time: TIME_MIN }
    }

    /// Notes the times of a block and returns the watermark behind it.
    fn note(&mut self, block: &Block) -> TimeMs {
        self.max_time = block.times().iter().fold(self.max_time, TimeMs::max);
        self.strategy.after(self.max_time)
    }
}
