//! The one unsafe step of the crate: machine code from bytes.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Takes a compiled artifact as a component.
///
/// wasmtime checks that its own version, settings and target wrote it, but not that the machine code is what a compiler would
/// write: the caller answers for where the bytes come from.
#[allow(unsafe_code)]
pub(crate) fn deserialize(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `cache` is the only caller. It reads artifacts from a directory that belongs to this user and that nobody else may
    // write, under a name that is the hash of component and engine, and compares length and checksum with what it wrote; whoever
    // could forge such a file could as well replace this program.
    unsafe { Component::deserialize(engine, artifact) }
}
