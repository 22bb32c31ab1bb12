//! Moves state from an instance whose memory has grown to a fresh one.

use tidemill_core::guest::{Error, Guest, OperatorId, Slot};

/// Slots in one exported block: small enough that a block stays far under its greatest size, large enough that the calls do
/// not count.
const SLOTS_PER_BLOCK: usize = 1024;

/// Exports the state of `slots` from one instance and imports it into another, which has been linked and holds none of them
/// yet. Returns the bytes moved. After an error `old` may still be good, `new` is not to be used.
pub fn recycle(old: &mut dyn Guest, new: &mut dyn Guest, slots: &[(OperatorId, &[Slot])]) -> Result<usize, Error> {
    let mut bytes = 0;
    for (operator, slots) in slots {
        for slots in slots.chunks(SLOTS_PER_BLOCK) {
            let block = old.export_state(*operator, slots)?;
            new.import_state(*operator, slots, &block)?;
            bytes += block.as_bytes().len();
        }
    }
    Ok(bytes)
}
