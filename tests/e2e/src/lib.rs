//! Runs the `tidemill` binary as a user would and looks at what comes out: exit code, standard output, standard error, files.
//!
//! The binary is `$TIDEMILL_BIN`, else the newest of `dist/tidemill` and what cargo built; jobs are components in
//! `$TIDEMILL_GUESTS`, else `dist/guests`. What is missing fails the test with the command that makes it: nothing is skipped.

mod files;
mod http;
mod places;
mod process;
mod server;
pub mod smith;

pub use files::{Folder, write_gzip};
pub use http::{Answer, Exchange};
pub use places::{binary, component, guest, root, target};
pub use process::{Ended, Running, Tidemill};
pub use server::{Server, kill_process};

/// The exit codes of docs/cli.md.
pub mod exit {
    /// Done.
    pub const OK: i32 = 0;
    /// The job failed, a test differed.
    pub const FAILED: i32 = 1;
    /// The command line cannot be understood.
    pub const USAGE: i32 = 2;
    /// Component, plan, argument or binding refused.
    pub const REFUSED: i32 = 3;
    /// The second Ctrl-C.
    pub const INTERRUPTED: i32 = 130;
}
