//! Finds a Rust compiler that can build for `wasm32-unknown-unknown`, or says which line would install one.
//!
//! In this order: the `rustc` on the path, when it has the target's standard library; Debian's own compiler, which
//! builds that library from source. The components are the same, the second takes two minutes longer the first time.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::{Fault, Outcome};

/// What jobs are compiled for: no operating system, so no WASI imports.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// Where Debian keeps its compiler, whatever the path says.
const DEBIAN_BIN: &str = "/usr/bin";
/// Versions of Debian's `lld` that may be there, newest first.
const LLD_VERSIONS: std::ops::RangeInclusive<u32> = 14..=24;

/// How to call cargo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The target is installed.
    Installed {
        /// The program.
        cargo: OsString,
    },
    /// The standard library is built along.
    BuildStd {
        /// The program.
        cargo: PathBuf,
        /// Its compiler.
        rustc: PathBuf,
        /// The linker for wasm.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// `cargo build` for the target, flags of the toolchain included.
    pub(crate) fn cargo_build(&self) -> Command {
        match self {
            Toolchain::Installed { cargo } => {
                let mut command = Command::new(cargo);
                command.args(["build", "--target", TARGET]);
                command
            }
            Toolchain::BuildStd { cargo, rustc, linker } => {
                let mut command = Command::new(cargo);
                command.args(["build", "--target", TARGET, "-Zbuild-std=std,panic_abort"]);
                // A stable compiler takes -Z flags only so; a rustup wrapper must not lead cargo to another compiler.
                command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", rustc).env_remove("RUSTUP_TOOLCHAIN");
                command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                command
            }
        }
    }
}

/// The toolchain for a project in `dir`, where overrides of rustup may apply.
///
/// # Errors
/// What is missing, with the line that installs it.
pub(crate) fn find(dir: &Path) -> Outcome<Toolchain> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    if on_path("cargo").is_some() && has_target(Path::new(&rustc), dir) {
        return Ok(Toolchain::Installed { cargo: "cargo".into() });
    }
    debian(dir).unwrap_or_else(|| Err(missing()))
}

fn missing() -> Fault {
    if on_path("rustup").is_some() {
        return Fault::failed(format!("the Rust compiler cannot build for {TARGET} yet")).hint(format!("rustup target add {TARGET}"));
    }
    match on_path("cargo") {
        Some(cargo) => {
            Fault::failed(format!("{} cannot build for {TARGET}: its standard library is missing", cargo.display())).hint(format!(
                "on Debian: apt install rustc-web cargo-web rust-web-src lld-19; elsewhere: install rustup (https://rustup.rs), then \
             rustup target add {TARGET}"
            ))
        }
        None => Fault::failed("there is no cargo on the path: a Rust compiler is needed to build a job")
            .hint(format!("install rustup (https://rustup.rs), then rustup target add {TARGET}")),
    }
}

/// Debian's compiler with the sources of its standard library; `None` when this is not there.
fn debian(dir: &Path) -> Option<Outcome<Toolchain>> {
    let (cargo, rustc) = (Path::new(DEBIAN_BIN).join("cargo"), Path::new(DEBIAN_BIN).join("rustc"));
    let sysroot = print(&rustc, dir, &["--print", "sysroot"])?;
    let sources = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if !cargo.is_file() || !sources.is_file() {
        return None;
    }
    let names = std::iter::once("wasm-ld".to_owned()).chain(LLD_VERSIONS.rev().map(|v| format!("wasm-ld-{v}")));
    Some(match names.into_iter().find_map(|name| on_path(&name)) {
        Some(linker) => Ok(Toolchain::BuildStd { cargo, rustc, linker }),
        None => Err(Fault::failed("Debian's Rust compiler is here, but its linker for WebAssembly is not").hint("apt install lld-19")),
    })
}

fn has_target(rustc: &Path, dir: &Path) -> bool {
    let Some(libdir) = print(rustc, dir, &["--print", "target-libdir", "--target", TARGET]) else { return false };
    let Ok(entries) = std::fs::read_dir(libdir) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

fn print(program: &Path, dir: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(dir).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The first program of this name on the path.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn building_std_needs_compiler_linker_and_permission() {
        let toolchain =
            Toolchain::BuildStd { cargo: "/usr/bin/cargo".into(), rustc: "/usr/bin/rustc".into(), linker: "/usr/bin/wasm-ld-19".into() };
        let command = toolchain.cargo_build();
        let env: Vec<_> = command.get_envs().filter_map(|(k, v)| Some((k.to_str()?, v?.to_str()?))).collect();
        assert!(env.contains(&("RUSTC", "/usr/bin/rustc")) && env.contains(&("RUSTC_BOOTSTRAP", "1")), "{env:?}");
        assert!(command.get_args().any(|a| a == "-Zbuild-std=std,panic_abort"));
    }

    #[test]
    fn a_compiler_that_does_not_exist_has_no_target() {
        assert!(!has_target(Path::new("/nonexistent/rustc"), Path::new("/")));
    }
}
