//! Where the binary and the jobs are.

use std::env;
use std::path::PathBuf;
use std::time::SystemTime;

/// The binary under test.
///
/// # Panics
/// When there is none, with the command that makes one.
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("TIDEMILL_BIN").map(PathBuf::from) {
        assert!(path.is_file(), "TIDEMILL_BIN is {}, and there is no such file", path.display());
        return path;
    }
    let mut candidates = vec![root().join("dist/tidemill")];
    candidates.extend(["release", "debug"].map(|profile| target().join(profile).join("tidemill")));
    let built = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let newest = candidates.into_iter().filter(|path| path.is_file()).max_by_key(built);
    newest.expect("there is no tidemill to test: run `cargo xtask dist`, or `cargo build -p tidemill-cli`")
}

/// A job: `guest("rust", "wordcount")`, `guest("test", "trap")`.
///
/// # Panics
/// When it has not been built, with the command that builds it.
pub fn guest(language: &str, name: &str) -> PathBuf {
    let path = component(language, name);
    assert!(path.is_file(), "{} is missing: run `cargo xtask dist`", path.display());
    path
}

/// Where the component of a job lies once it has been built.
pub fn component(language: &str, name: &str) -> PathBuf {
    let guests = env::var_os("TIDEMILL_GUESTS").map_or_else(|| root().join("dist/guests"), PathBuf::from);
    guests.join(language).join(format!("{name}.wasm"))
}

/// Where compiled components are kept between tests: not in the home of whoever runs them.
pub(crate) fn cache() -> PathBuf {
    target().join("e2e-cache")
}

/// The root of the checkout.
///
/// # Panics
/// Never: this crate lies two folders below it.
pub fn root() -> PathBuf {
    // Asked when it runs: two checkouts may share a target folder, and cargo does not compile a test anew for the other one.
    let this = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    this.ancestors().nth(2).expect("this crate lies two folders below the root").to_path_buf()
}

/// Cargo's target folder: a test lies in `TARGET/PROFILE/deps`.
///
/// # Panics
/// When the test lies elsewhere.
pub fn target() -> PathBuf {
    let test = env::current_exe().expect("the running test has a path");
    test.ancestors().nth(3).expect("a test lies three folders below cargo's target folder").to_path_buf()
}
