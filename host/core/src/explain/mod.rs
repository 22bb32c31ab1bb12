//! Why a job's event time stands still, and why it writes nothing: facts in, a diagnosis out.
//!
//! [`Facts`] are what a job knows of itself at one moment; whoever runs it gathers them. [`watermark`] follows a watermark upstream
//! to what holds it back, [`output`] looks for the reason why a sink has nothing. Both are decided over values alone, and have no words:
//! those are for whoever shows them.

mod facts;
pub mod output;
#[cfg(test)]
mod testing;
pub mod watermark;

pub use facts::{Facts, Held, InputFacts, Member, OperatorFacts, Pace, Phase, SenderFacts, SourceFacts, SplitFacts, Staged, WorkerFacts};
