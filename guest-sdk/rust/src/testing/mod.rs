//! The test kit: runs a process function, one operator, or a whole job inside `cargo test`.
//!
//! There is no cluster and no clock: a test pushes records and watermarks and looks at what comes out. The code under
//! test goes through the same blocks, slots and timers as in a component; windows, timers and the aggregates of the host are
//! played by a small, slow and simple host of the kit.
//!
//! ```
//! use tidemill::prelude::*;
//! use tidemill::testing;
//!
//! #[derive(Clone, Debug, PartialEq, Record)]
//! struct Reading { sensor: String, celsius: f64, at: i64 }
//!
//! fn hottest(job: &mut Job) -> Result {
//!     job.source::<Reading>("readings", json())
//!         .event_time(Reading::AT, monotonic())
//!         .key_by(Reading::SENSOR)
//!         .window(tumbling(seconds(10)))
//!         .reduce("hottest", |a, b| if b.celsius > a.celsius { b.clone() } else { a.clone() })
//!         .sink("results", json());
//!     Ok(())
//! }
//!
//! let mut test = testing::job(hottest).start();
//! test.push("readings", Reading { sensor: "a".into(), celsius: 20.5, at: 1_000 });
//! test.push("readings", Reading { sensor: "a".into(), celsius: 21.5, at: 2_000 });
//! assert!(test.sink::<Reading>("results").is_empty(), "the window is still open");
//! test.finish();
//! assert_eq!(test.sink::<Reading>("results")[0].celsius, 21.5);
//! ```

mod aggregate;
#[doc(hidden)]
pub mod codec;
mod engine;
mod generator;
mod joins;
mod keyed;
mod lines;
mod migrate;
mod operator;
mod row;
mod trigger;
mod whole;
mod window;
mod windows;

pub use generator::{WatermarkTest, watermarks};
pub use operator::{OperatorTest, ProcessTest, operator, operator_with, process};
pub use whole::{JobTest, Start, job};
