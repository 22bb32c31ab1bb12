//! Who may write checkpoints, which one a start takes, and what may be deleted: decisions without a store, a clock or a thread.
//!
//! # The log
//!
//! A checkpoint directory holds one **log**: the objects `log/1`, `log/2`, ... ([`name`]), each made by *create if absent* and never
//! changed. A line is a [`Claim`], by which a runner takes the job over, or a [`Checkpoint`], which makes a checkpoint exist. A runner
//! writes at the line after the last it knows. When that line is free its record stands there for ever; when it is
//! taken, somebody else has claimed the job in between and the runner is superseded. So all runners that ever lived, paused and
//! revived ones too, agree on one order of claims and checkpoints, and "is this checkpoint mine to commit" is answered by the
//! creation itself: there is no permit to ask for and none that could be outdated.
//!
//! # The steps
//!
//! 1. **Start** ([`Opening`]): find the end of the log, claim the line after it, see that it is the end still, judge the
//!    checkpoint that the claim builds on; where that one is damaged, claim again with an older one.
//! 2. **Put right** ([`Opened`]): commit the staged output that the checkpoint lists, remove what other runners have staged, and after a
//!    fall back take back what the checkpoints left behind had made visible.
//! 3. **Checkpoint** ([`Runner`]): parts and staged output durable, then the record created, then the staged output committed.
//! 4. **Clean up** ([`Cleaner`]): after the commit, delete what no start can ask for any more.
//!
//! # Why nothing is lost or doubled
//!
//! - *One line, one winner.* Creation is atomic, so of two runners that write line n one fails. The one that fails stops.
//! - *A claim fixes the past.* Lines are taken in order, so when line n is a claim nothing before n can appear later. What the claim
//!   says of its base (and of what it leaves behind) is said by creating it, so a later start reads the same.
//! - *Committed output belongs to a line.* Output is committed only after the record that lists it has its line, and every later claim
//!   builds on that record or says that it left it behind. Who commits, and how often, makes no difference: a commit is a rename.
//! - *Claims are never deleted.* The line at which a superseded runner wakes up is always its successor's claim. If it could be deleted,
//!   the sleeper would find it free.
//! - *Names tell generations apart.* Parts and staged output carry (generation, checkpoint), so what a sleeper writes, deletes or
//!   commits is never mistaken for its successor's.
//!
//! `tests/sim` runs these very types under faults; `docs/decisions/0004-checkpoint-protocol.md` has the argument at length, what is
//! asked of a store, and what came of it.

mod cleaning;
pub mod name;
mod opening;
mod record;
mod running;
#[cfg(test)]
mod tests;

pub use cleaning::{Cleaner, Plan};
pub use name::{Line, Object, Part, Savepoint, Stamp};
pub use opening::{Answer, Opened, Opening, ROUNDS_MAX, Refused, Staged, Step, Verdict, Visible};
pub use record::{Checkpoint, Claim, Created, Found, Record, RunnerId, Skipped, Unusable};
pub use running::{Outcome, Runner};
