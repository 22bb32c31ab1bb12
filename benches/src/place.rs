//! Where the built things are: `$TIDEMILL_BIN`, `$TIDEMILL_GUESTS`, `$TIDEMILL_PEERS`, else `dist/` of this checkout.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The root of the checkout that this benchmark was built from.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The `tidemill` binary.
pub(crate) fn binary() -> Result<PathBuf> {
    built(set("TIDEMILL_BIN").unwrap_or_else(|| root().join("dist/tidemill")))
}

/// A component by language and name, e.g. `rust`, `nexmark`.
pub(crate) fn guest(language: &str, name: &str) -> Result<PathBuf> {
    built(set("TIDEMILL_GUESTS").unwrap_or_else(|| root().join("dist/guests")).join(language).join(format!("{name}.wasm")))
}

fn built(path: PathBuf) -> Result<PathBuf> {
    if !path.is_file() {
        bail!("{} does not exist: build it by `cargo xtask dist`", path.display());
    }
    Ok(path)
}

/// The folder with the scripts that start other engines, if there is one.
pub(crate) fn peers() -> Option<PathBuf> {
    set("TIDEMILL_PEERS")
}

/// Where the peers keep their data: `$PEERS_WORK`, as their scripts have it.
pub(crate) fn peers_work() -> Option<PathBuf> {
    set("PEERS_WORK").or_else(|| set("HOME").map(|home| home.join(".cache/tidemill-peers")))
}

/// Where inputs, outputs and reports of benchmarks go: `$TIDEMILL_BENCH_DIR`, else a folder of the system's for temporary files.
pub(crate) fn scratch() -> Result<PathBuf> {
    let dir = set("TIDEMILL_BENCH_DIR").unwrap_or_else(|| std::env::temp_dir().join("tidemill-bench"));
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}
