//! The compiler of C guests: Debian's clang with its WebAssembly linker and C library.

use std::process::Command;

use anyhow::Result;

use super::{apt, say};
use crate::process;

/// The compiler that builds C guests; the release whose packages carry the WebAssembly runtime in Debian 12.
pub(crate) const CLANG: &str = "clang-19";

const PACKAGES: [&str; 4] = ["clang-19", "lld-19", "libclang-rt-19-dev-wasm32", "wasi-libc"];

/// Whether C guests can be built now.
pub(crate) fn present() -> bool {
    apt::has(&PACKAGES) && process::succeeds(Command::new(CLANG).arg("--version"))
}

/// Makes [`present`] true.
pub(crate) fn setup() -> Result<()> {
    if !present() {
        apt::install("c", "the compiler of C guests", &PACKAGES)?;
    }
    say("c", "clang-19 with wasi-libc builds C guests");
    Ok(())
}
