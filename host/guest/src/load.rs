//! From bytes to a component whose types fit: what the bytes are, compiled or fetched from the cache, checked against the
//! contract.

use wasmtime::component::Component;
use wasmtime::{Engine, Precompiled};

use crate::LoadError;
use crate::contract;
use crate::exports::JobPre;

/// Bytes of a component at most: a Python one with its interpreter has 18 MiB.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;

/// The first bytes of every wasm binary.
const MAGIC: &[u8; 4] = b"\0asm";
/// The four bytes after it: version, then layer.
const CORE: [u8; 4] = [1, 0, 0, 0];
const COMPONENT: [u8; 4] = [0x0d, 0, 1, 0];

/// Refuses everything that does not begin as a component does.
pub(crate) fn sniff(bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(LoadError::TooLarge { bytes: bytes.len() });
    }
    if Engine::detect_precompiled(bytes).is_some_and(|kind| matches!(kind, Precompiled::Module | Precompiled::Component))
        || bytes.starts_with(b"\x7fELF")
    {
        return Err(LoadError::Precompiled);
    }
    match (bytes.first_chunk::<4>(), bytes.get(4..8)) {
        (Some(MAGIC), Some(version)) if version == COMPONENT => Ok(()),
        (Some(MAGIC), Some(version)) if version == CORE => Err(LoadError::CoreModule),
        (Some(MAGIC), Some(version)) => {
            Err(LoadError::NotWasm(format!("its binary format is {version:02x?}, which no tool of this time writes")))
        }
        (Some(MAGIC), None) => Err(LoadError::NotWasm(format!("it ends after {} bytes", bytes.len()))),
        _ if bytes.is_empty() => Err(LoadError::NotWasm("it is empty".to_owned())),
        _ if is_text(bytes) => Err(LoadError::Text),
        _ => Err(LoadError::NotWasm("it does not begin with \\0asm".to_owned())),
    }
}

/// Whether the first thing in it is a parenthesis or a comment of the text format.
fn is_text(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    start.starts_with(b"(") || start.starts_with(b";;")
}

/// Compiles. The bytes have been sniffed.
pub(crate) fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, LoadError> {
    Component::from_binary(engine, bytes)
        .map_err(|e| LoadError::Invalid(crate::text::printable(&format!("{e:#}"), crate::text::Lines::One)))
}

/// Checks names, then types, and links.
pub(crate) fn link(engine: &Engine, component: &Component) -> Result<JobPre, LoadError> {
    let contract = contract::check(engine, component)?;
    let mismatch = |e: wasmtime::Error| LoadError::Mismatch(crate::text::printable(&format!("{e:#}"), crate::text::Lines::One));
    JobPre::link(engine, component, contract).map_err(mismatch)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn code(bytes: &[u8]) -> &'static str {
        sniff(bytes).map_or_else(|e| e.code(), |()| "ok")
    }

    #[test]
    fn every_kind_of_bytes_has_its_error() {
        assert_eq!(code(b""), "component-not-wasm");
        assert_eq!(code(b"\0asm"), "component-not-wasm");
        assert_eq!(code(b"\0asm\x0d\0\x01"), "component-not-wasm");
        assert_eq!(code(b"\0asm\x01\0\0\0"), "component-core-module");
        assert_eq!(code(b"\0asm\x0c\0\x01\0"), "component-not-wasm");
        assert_eq!(code(b"\0asm\x0d\0\x01\0"), "ok");
        assert_eq!(code(b"  (component)"), "component-text");
        assert_eq!(code(b";; a job\n(component)"), "component-text");
        assert_eq!(code(b"\x7fELF\x02\x01\x01"), "component-precompiled");
        assert_eq!(code(b"PK\x03\x04"), "component-not-wasm");
        assert_eq!(code(&vec![0; COMPONENT_BYTES_MAX]), "component-not-wasm");
        assert_eq!(code(&vec![0; COMPONENT_BYTES_MAX + 1]), "component-too-large");
    }

    #[test]
    fn machine_code_is_recognised() {
        let engine = crate::engine::engine(false).unwrap();
        let artifact = engine.precompile_component(&wat::parse_str("(component)").unwrap()).unwrap();
        assert_eq!(sniff(&artifact), Err(LoadError::Precompiled));
    }
}
