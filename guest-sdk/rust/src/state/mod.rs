//! Keyed state: what a process function remembers of each key.
//!
//! A piece of state is declared when the function is made ([`Declare`](crate::process::Declare)) and used through the
//! context: `ctx.state(&self.last)`. Whatever a function keeps in its own fields or in globals is *not* state: it is shared by
//! all keys of an instance and gone after a restart.

mod list;
mod map;
mod value;

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
