//! The compiler of Rust guests, and the choice among the three places it can come from.
//!
//! Order: the active toolchain when it has the target's standard library; rustup, which downloads it; Debian's own
//! compiler, which builds the standard library from source (`-Zbuild-std`, minutes once, then cached).

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{apt, say};
use crate::process::{self, Ended};
use crate::workspace::Workspace;

/// What Rust guests are compiled for: no WASI, so that a component imports nothing but the host's interface.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// A download of 20 MB takes seconds; without a network rustup would retry for minutes.
const RUSTUP_LIMIT: Duration = Duration::from_secs(60);

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// Where the compiler of Rust guests comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// The toolchain that builds the host.
    Active,
    /// Debian's rustc-web with -Zbuild-std.
    Debian,
}

/// The compiler that would be used now, if any.
pub(crate) fn compiler() -> Option<Compiler> {
    choose(debian_asked(), active_has_target(), apt::has(&DEBIAN_PACKAGES))
}

/// Makes [`compiler`] answer.
pub(crate) fn setup(workspace: &Workspace) -> Result<()> {
    if compiler().is_none() && !debian_asked() {
        add_by_rustup();
    }
    if compiler().is_none() {
        apt::install("rust", "a compiler for WebAssembly guests in Rust", &DEBIAN_PACKAGES)?;
    }
    match compiler() {
        Some(Compiler::Active) => say("rust", &format!("the active toolchain has {TARGET}")),
        Some(Compiler::Debian) => {
            let at = workspace.cache().join("guest-target");
            say("rust", &format!("Debian's rustc-web builds {TARGET} and its std from source, cached in {}", at.display()));
        }
        None => anyhow::bail!("no compiler for {TARGET} although its packages were installed; see `rustc --print sysroot`"),
    }
    Ok(())
}

/// A cargo command that compiles guests with `compiler`: without it the default linker and flags of the host would leak in.
pub(crate) fn cargo(workspace: &Workspace, compiler: Compiler) -> Command {
    let mut command = match compiler {
        Compiler::Active => workspace.cargo(),
        Compiler::Debian => {
            let mut command = Command::new(DEBIAN_CARGO);
            command.current_dir(workspace.root()).env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
            // Left by rustup's proxy, they would mix two toolchains.
            for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC", "LD_LIBRARY_PATH"] {
                command.env_remove(name);
            }
            command
        }
    };
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command
}

/// Arguments after `cargo build` that this compiler needs.
pub(crate) fn build_arguments(compiler: Compiler) -> &'static [&'static str] {
    match compiler {
        Compiler::Active => &[],
        Compiler::Debian => &["-Zbuild-std=std,panic_abort"],
    }
}

/// The order of preference as a pure function.
fn choose(debian_asked: bool, active_has_target: bool, debian_present: bool) -> Option<Compiler> {
    match (active_has_target && !debian_asked, debian_present) {
        (true, _) => Some(Compiler::Active),
        (false, true) => Some(Compiler::Debian),
        (false, false) => None,
    }
}

/// Whether the variable of the help text asks for Debian's compiler.
fn debian_asked() -> bool {
    env::var_os("TIDEMILL_WASM_RUST").is_some_and(|value| value == "debian")
}

fn active_has_target() -> bool {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let Ok(sysroot) = process::capture(rustc.args(["--print", "sysroot"]), "asking rustc for its sysroot") else {
        return false;
    };
    has_std(Path::new(sysroot.trim()))
}

/// A sysroot may hold an empty folder of a target that was removed, so the library itself is looked for.
fn has_std(sysroot: &Path) -> bool {
    let libraries: PathBuf = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    let Ok(entries) = libraries.read_dir() else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

/// Tries rustup and says how it went; a failure is no error, for there is one more place to ask.
fn add_by_rustup() {
    if !process::succeeds(Command::new("rustup").arg("--version")) {
        say("rust", &format!("the active toolchain lacks {TARGET} and there is no rustup"));
        return;
    }
    say("rust", &format!("adding {TARGET} by rustup"));
    let outcome = match process::run_limited(Command::new("rustup").args(["target", "add", TARGET]), RUSTUP_LIMIT) {
        Ok(Ended::Well) => return,
        Ok(Ended::Badly(reason)) => reason,
        Ok(Ended::TooLate) => format!("no answer in {} s", RUSTUP_LIMIT.as_secs()),
        Err(error) => format!("{error:#}"),
    };
    say("rust", &format!("rustup could not add it ({outcome}); trying Debian's compiler"));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_active_toolchain_comes_first_unless_debian_is_asked_for() {
        assert_eq!(choose(false, true, true), Some(Compiler::Active));
        assert_eq!(choose(true, true, true), Some(Compiler::Debian));
        assert_eq!(choose(false, false, true), Some(Compiler::Debian));
        assert_eq!(choose(true, true, false), None);
        assert_eq!(choose(false, false, false), None);
    }

    #[test]
    fn an_empty_target_folder_is_no_target() {
        let sysroot = tempfile::tempdir().unwrap();
        let libraries = sysroot.path().join("lib/rustlib").join(TARGET).join("lib");
        assert!(!has_std(sysroot.path()));
        std::fs::create_dir_all(&libraries).unwrap();
        assert!(!has_std(sysroot.path()));
        std::fs::write(libraries.join("libstd-0123.rlib"), b"").unwrap();
        assert!(has_std(sysroot.path()));
    }
}
