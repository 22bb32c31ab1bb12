//! From a core module to a component of the contract, in process: no other tool is needed.

use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, embed_component_metadata, metadata};
use wit_parser::Resolve;

/// The contract, packed with modules that do not carry it themselves (C, Zig, AssemblyScript without bindings).
const CONTRACT_WIT: &str = include_str!("../../../wit/tidemill-job@0.1.0/job.wit");
/// How a core module begins: magic, version 1, layer 0.
const CORE_MAGIC: &[u8] = b"\0asm\x01\0\0\0";
/// How a component begins: magic, version 13, layer 1.
const COMPONENT_MAGIC: &[u8] = b"\0asm\x0d\0\x01\0";

/// Whether these bytes begin like a component.
pub(crate) fn is_component(bytes: &[u8]) -> bool {
    bytes.starts_with(COMPONENT_MAGIC)
}

/// Why a module cannot be packed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unpackable {
    /// It is a component already.
    IsComponent,
    /// It is something else altogether.
    NotWasm,
    /// It wants WASI of the first generation.
    Wasi,
    /// It exports nothing.
    NoJob,
    /// It lacks something of the contract, or imports what nobody has.
    Unfit(String),
}

/// Packs a core module; adds the contract's types where the module brings none.
pub(crate) fn component(core: &[u8]) -> Result<Vec<u8>, Unpackable> {
    if is_component(core) {
        return Err(Unpackable::IsComponent);
    }
    if !core.starts_with(CORE_MAGIC) {
        return Err(Unpackable::NotWasm);
    }
    let unfit = |error: &dyn std::fmt::Display| {
        let text = format!("{error:#}");
        // The encoder names the module it lacks an adapter for.
        if text.contains("wasi_snapshot_preview1") { Unpackable::Wasi } else { Unpackable::Unfit(text) }
    };
    let (stripped, _) = metadata::decode(core).map_err(|e| unfit(&e))?;
    let mut module = core.to_vec();
    if stripped.is_none() {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("job.wit", CONTRACT_WIT).map_err(|e| unfit(&e))?;
        let world = resolve.select_world(&[package], Some("job")).map_err(|e| unfit(&e))?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).map_err(|e| unfit(&e))?;
    }
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(&module).map_err(|e| unfit(&e))?;
    let component = encoder.encode().map_err(|e| unfit(&e))?;
    match wit_component::decode(&component) {
        Ok(DecodedWasm::Component(resolve, world)) if resolve.worlds[world].exports.is_empty() => Err(Unpackable::NoJob),
        _ => Ok(component),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_core_module_is_named() {
        assert_eq!(component(b"\0asm\x0d\0\x01\0"), Err(Unpackable::IsComponent));
        assert_eq!(component(b"PK\x03\x04"), Err(Unpackable::NotWasm));
    }

    #[test]
    fn a_module_without_the_exports_does_not_fit() {
        let Err(Unpackable::Unfit(why)) = component(CORE_MAGIC) else { panic!("an empty module was packed") };
        assert!(why.contains("tidemill:job/operators"), "{why}");
    }

    #[test]
    fn a_module_that_wants_wasi_is_told_apart() {
        // (module (import "wasi_snapshot_preview1" "fd_write" (func)))
        let mut core = CORE_MAGIC.to_vec();
        core.extend([1, 4, 1, 0x60, 0, 0]);
        let mut import = vec![1, 22];
        import.extend(b"wasi_snapshot_preview1");
        import.push(8);
        import.extend(b"fd_write");
        import.extend([0, 0]);
        core.extend([2, import.len() as u8]);
        core.extend(import);
        assert_eq!(component(&core), Err(Unpackable::Wasi));
    }
}
