//! From a core module to a component of the contract, in process: no other tool is needed.

use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, embed_component_metadata, metadata};
use wit_parser::Resolve;

/// The contracts by version, the newest first: the one that a module exports is packed with it where the module does not carry it
/// itself (C, Go, Zig, AssemblyScript without bindings).
const CONTRACTS: [(&str, &str); 2] = [
    ("0.2.0", include_str!("../../../wit/tidemill-job@0.2.0/job.wit")),
    ("0.1.0", include_str!("../../../wit/tidemill-job@0.1.0/job.wit")),
];
/// Answers WASI of the first generation inside of the component, for modules of compilers that have no other target. It imports the
/// newest contract.
const WASI_STUB: &str = include_str!("wasi-stub.wat");
/// The module that the stub stands for.
const WASI: &str = "wasi_snapshot_preview1";
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
    /// It wants what the stub of WASI does not have.
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
        // The encoder names the adapter whose function is missing or of another type.
        if text.contains(WASI) { Unpackable::Wasi } else { Unpackable::Unfit(text) }
    };
    let contract = contract_of(core);
    let (stripped, _) = metadata::decode(core).map_err(|e| unfit(&e))?;
    let mut module = core.to_vec();
    if stripped.is_none() {
        describe(&mut module, contract, None, "job").map_err(|e| unfit(&e))?;
    }
    let (version, _) = contract;
    let text = WASI_STUB.replace(&host_of(CONTRACTS[0].0), &host_of(version));
    let mut stub = wat::parse_str(text).map_err(|e| unfit(&e))?;
    let imports = format!("package tidemill:stub; world stub {{ import {}; }}", host_of(version));
    describe(&mut stub, contract, Some(&imports), "stub").map_err(|e| unfit(&e))?;
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(&module).map_err(|e| unfit(&e))?;
    // Left out of the component where the module imports nothing of it.
    encoder.adapter(WASI, &stub).map_err(|e| unfit(&e))?;
    let component = encoder.encode().map_err(|e| unfit(&e))?;
    match wit_component::decode(&component) {
        Ok(DecodedWasm::Component(resolve, world)) if resolve.worlds[world].exports.is_empty() => Err(Unpackable::NoJob),
        _ => Ok(component),
    }
}

/// The contract that a module exports, or the newest.
fn contract_of(core: &[u8]) -> (&'static str, &'static str) {
    // The names of exports stand in a module as they are.
    let exports = |version: &str| {
        let name = format!("tidemill:job/operators@{version}#");
        core.windows(name.len()).any(|bytes| bytes == name.as_bytes())
    };
    CONTRACTS.into_iter().find(|(version, _)| exports(version)).unwrap_or(CONTRACTS[0])
}

fn host_of(version: &str) -> String {
    format!("tidemill:job/host@{version}")
}

/// Writes a world of the contract, or of a package beside it, into a module.
fn describe(module: &mut Vec<u8>, (_, contract): (&str, &str), beside: Option<&str>, world: &str) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let mut package = resolve.push_str("job.wit", contract).map_err(|e| format!("{e:#}"))?;
    if let Some(text) = beside {
        package = resolve.push_str("beside.wit", text).map_err(|e| format!("{e:#}"))?;
    }
    let world = resolve.select_world(&[package], Some(world)).map_err(|e| format!("{e:#}"))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8, false).map_err(|e| format!("{e:#}"))
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

    /// A job of a contract of which every call traps, with one more import.
    fn job_of(version: &str, import: &str) -> Vec<u8> {
        let exports = [
            ("plan", "i32 i32", "i32"),
            ("link", "i32 i32 i32", ""),
            ("process", "i32 i32 i64 i64 i32 i32 i32 i32 i32 i32", "i32"),
            ("on-timer", "i32 i64 i64 i32 i32 i32 i32", "i32"),
            ("fire", "i32 i64 i64 i32 i32 i32 i32 i32 i32", "i32"),
            ("merge", "i32 i32 i32 i32 i32", ""),
            ("export-state", "i32 i32 i32", "i32"),
            ("import-state", "i32 i32 i32 i32 i32", "i32"),
            ("drop-state", "i32 i32 i32", ""),
        ];
        let since = [
            ("trigger", "i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32", "i32"),
            ("purge", "i32 i32 i32", ""),
            ("apply", "i32 i32 i64 i64 i32 i32 i32 i32 i32 i32", "i32"),
            ("watermark", "i32 i32 i64 i32 i32", "i32"),
            ("migrate-state", "i32 i32 i32 i32 i32", "i32"),
        ];
        let function = |(name, params, result): &(&str, &str, &str)| {
            let result = if result.is_empty() { String::new() } else { format!("(result {result})") };
            format!("(func (export \"tidemill:job/operators@{version}#{name}\") (param {params}) {result} unreachable)")
        };
        let since = if version == "0.1.0" { &since[..0] } else { &since };
        let functions: String = exports.iter().chain(since).map(function).collect();
        let realloc = "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)";
        let text = format!("(module {import} (memory (export \"memory\") 1) {realloc} {functions})");
        wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn job(import: &str) -> Vec<u8> {
        job_of(CONTRACTS[0].0, import)
    }

    #[test]
    fn wasi_is_answered_inside_of_the_component_which_speaks_one_contract() {
        for (version, _) in CONTRACTS {
            let core = job_of(version, "(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))");
            let component = component(&core).unwrap_or_else(|why| panic!("{why:?}"));
            let Ok(DecodedWasm::Component(resolve, world)) = wit_component::decode(&component) else { panic!("not a component") };
            let world = &resolve.worlds[world];
            let names: Vec<String> = world.imports.keys().chain(world.exports.keys()).map(|key| resolve.name_world_key(key)).collect();
            assert!(names.contains(&host_of(version)), "{names:?}");
            assert!(names.iter().all(|name| name.starts_with("tidemill:job/") && name.ends_with(version)), "{names:?}");
        }
    }

    #[test]
    fn what_the_stub_does_not_have_is_told_apart() {
        assert_eq!(component(&job("(import \"wasi_snapshot_preview1\" \"fd_fly\" (func))")), Err(Unpackable::Wasi));
        assert_eq!(component(&job("(import \"wasi_snapshot_preview1\" \"fd_write\" (func))")), Err(Unpackable::Wasi));
        let Err(Unpackable::Unfit(why)) = component(&job("(import \"env\" \"fly\" (func))")) else { panic!("packed") };
        assert!(why.contains("env"), "{why}");
    }
}
