//! Turning a core module into a component, in this process: no tool to install, the same packer as `tidemill build`.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding};
use wit_parser::Resolve;

use crate::workspace::WORLD;

/// Answers WASI of the first generation inside of the component, as `tidemill build` does it, by the newest contract.
pub(super) const STUB: &str = include_str!("../../../host/cli/src/wasi-stub.wat");
/// What the stub imports.
const STUB_WIT: &str = "package tidemill:stub; world stub { import tidemill:job/host@0.2.0; }";

/// A component of a module that carries its world in a custom section, as bindings made by wit-bindgen do.
pub(super) fn component(module: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default();
    encoder.module(module).context("the module carries no usable description of its world")?;
    let component = encoder.validate(true).encode().context("the module does not fit its world")?;
    if let DecodedWasm::Component(resolve, world) = wit_component::decode(&component).context("the component cannot be read back")?
        && resolve.worlds[world].exports.is_empty()
    {
        bail!("the component exports nothing; mark the function that builds the job with `#[tidemill::job]`");
    }
    Ok(component)
}

/// The same for a module with hand-written bindings that imports WASI of the first generation.
pub(super) fn component_of_wasi(mut module: Vec<u8>, wit: &Path) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit).map_err(|error| anyhow!("cannot read {}: {error:#}", wit.display()))?;
    let world = resolve.select_world(&[package], Some(WORLD)).map_err(|error| anyhow!("no world {WORLD}: {error:#}"))?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    let mut stub = wat::parse_str(STUB).context("the stub of WASI does not parse")?;
    let package = resolve.push_str("stub.wit", STUB_WIT).map_err(|error| anyhow!("{error:#}"))?;
    let world = resolve.select_world(&[package], Some("stub")).map_err(|error| anyhow!("{error:#}"))?;
    wit_component::embed_component_metadata(&mut stub, &resolve, world, StringEncoding::UTF8, false)?;
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module)?.adapter("wasi_snapshot_preview1", &stub)?;
    encoder.validate(true).encode().context("the module does not fit its world")
}

/// The same for a module with hand-written bindings: the world is read from the folder `wit`.
pub(super) fn component_of_world(mut module: Vec<u8>, wit: &Path) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit).map_err(|error| anyhow!("cannot read {}: {error:#}", wit.display()))?;
    let world =
        resolve.select_world(&[package], Some(WORLD)).map_err(|error| anyhow!("no world {WORLD} in {}: {error:#}", wit.display()))?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .with_context(|| format!("cannot describe the world {WORLD} in the module"))?;
    component(&module)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_module_are_refused() {
        assert!(component(b"not wasm").is_err());
    }

    #[test]
    fn a_module_that_exports_nothing_is_no_job() {
        let error = component(b"\0asm\x01\0\0\0").unwrap_err().to_string();
        assert!(error.contains("exports nothing"), "{error}");
    }

    #[test]
    fn a_module_without_the_exports_of_the_world_is_refused() {
        let wit = tempfile::tempdir().unwrap();
        std::fs::write(wit.path().join("a.wit"), "package a:b;\nworld job { export run: func() -> u32; }\n").unwrap();
        let empty = b"\0asm\x01\0\0\0".to_vec();
        let error = format!("{:#}", component_of_world(empty, wit.path()).unwrap_err());
        assert!(error.contains("run"), "{error}");
    }
}
