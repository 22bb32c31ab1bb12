//! Several inputs of one schema as one: blocks pass as they are, watermarks as their minimum (semantics.md #34).

use tidemill_core::block::Block;

use crate::logic::{Context, Logic};
use crate::report::Failure;

/// See the module.
pub(crate) struct Union;

impl Logic for Union {
    fn block(&mut self, _input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        cx.emit(0, block);
        Ok(())
    }
}
