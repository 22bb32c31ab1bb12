//! Keyed state: what a process function remembers of each key.
//!
//! A piece of state is declared when the function is made ([`Declare`](crate::process::Declare)) and used through the
//! context: `ctx.state(&self.last)`. What that gives is lent for the time of one access, and any number of pieces can be in use at
//! once; changing a piece while something that `get` gave of it is still held is a mistake that panics and says so.
//!
//! ```
//! # use tidemill::prelude::*;
//! # struct Seen { last: Value<i64>, counts: MapState<String, i64> }
//! # impl Seen {
//! fn note(&self, ctx: &mut Ctx<String, i64>, word: String) {
//!     let before = ctx.state(&self.last).cloned().unwrap_or_default();
//!     *ctx.state(&self.counts).or_insert(word, 0) += 1;
//!     ctx.state(&self.last).set(ctx.time());
//!     ctx.emit(ctx.time() - before);
//! }
//! # }
//! ```
//!
//! Whatever a function keeps in its own fields or in globals is *not* state: it is shared by
//! all keys of an instance and gone after a restart.

mod direct;
mod expiring;
mod folded;
mod list;
mod map;
mod value;

#[doc(hidden)]
pub use direct::OfOneKey;
pub use expiring::{ExpiringList, ExpiringListRef, ExpiringMap, ExpiringMapRef, ExpiringValue, ExpiringValueRef, Ttl};
pub use folded::{AggregatingRef, AggregatingState, ReducingRef, ReducingState};
pub use list::{ListRef, ListState};
pub use map::{MapRef, MapState};
pub use value::{Value, ValueRef};

/// A declared piece of state.
pub trait Handle {
    /// What [`Ctx::state`](crate::process::Ctx::state) gives for it.
    type Ref<'h>
    where
        Self: 'h;

    /// The state of one slot.
    #[doc(hidden)]
    fn at(&self, slot: u32) -> Self::Ref<'_>;
}
