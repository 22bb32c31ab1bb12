//! Seeded runs of the checkpoint protocol: the very types of `tidemill_core::checkpoint::protocol`, against a store that loses replies, does
//! things late, cannot be reached or loses power, with runners that are killed or paused at any point and revived.
//!
//! A run is a function of its seed. [`run`] gives what went wrong, if anything, what the run came across, and a hash of everything that
//! happened. `TIDEMILL_SIM_SEED=n cargo test -p tidemill-sim one_seed -- --nocapture` prints the run of a seed.
//!
//! - [`world`]: the store and its faults; [`store`] and [`shelf`] are what it is made of, [`oracle`] says what must hold.
//! - [`runner`], [`job`], [`clean_up`]: runners, one operation a step. [`model`] is the job.
//! - [`chaos`]: who is next, and what befalls them. [`mutant`]: faults put into the protocol, each of which must be found.

pub mod chaos;
pub mod clean_up;
pub mod job;
pub mod model;
pub mod mutant;
pub mod oracle;
pub mod rng;
pub mod runner;
pub mod shelf;
pub mod store;
pub mod tally;
pub mod trace;
pub mod world;

pub use chaos::run;
pub use mutant::Mutant;
pub use oracle::Violation;
pub use tally::{Mark, Tally};
pub use world::Setting;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What went wrong.
    pub violation: Option<Violation>,
    /// A hash of everything that happened.
    pub hash: u64,
    /// What the run came across.
    pub tally: Tally,
    /// How often the mutant did something.
    pub fired: u32,
    /// Steps.
    pub ticks: u32,
    /// Everything that happened, when it was asked for.
    pub text: String,
}
