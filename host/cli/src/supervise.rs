//! Runs a job in a process of its own and starts it again when that ends badly; each start goes on from the last checkpoint.
//!
//! The runner is this program again, as the hidden command `runner` with the same arguments. It is killed when the supervisor dies, and
//! what it says goes where the supervisor's messages go. Where user code traps, the next runner is told what to watch.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};
use std::time::Instant;

use tidemill_core::checkpoint::poison::{Hunt, Suspect, Verdict, Watchlist};
use tidemill_core::checkpoint::restart::{End, Next, Policy, Restarts};

use crate::console;
use crate::fault::{Exit, Fault, Outcome};
use crate::interrupt::Forward;
use crate::tell::Line;

/// Tells a runner whose it is, so that it can leave when that one is gone.
pub(crate) const SUPERVISOR: &str = "TIDEMILL_SUPERVISOR";

/// Runs the job until it ends as it should, is refused, or the budget of starts is used up.
///
/// # Errors
/// As the last runner ended; it has said why.
pub(crate) fn supervise(policy: Policy) -> Outcome<()> {
    let forward = Forward::listen()?;
    let mut restarts = Restarts::new(policy);
    let mut hunt = Hunt::default();
    loop {
        let begun = Instant::now();
        let (status, suspect) = run(&forward, hunt.watchlist())?;
        let end = end(status, forward.heard());
        match suspect.filter(|_| end == End::Failed).map(|suspect| hunt.ended(suspect)) {
            None | Some(Verdict::Watch) => {}
            Some(Verdict::SetAside(which)) => {
                console::log("warn", "supervisor", &format!("a record is set aside, because user code has trapped at it twice, {which}"));
                restarts.found();
            }
            Some(Verdict::Fail(why)) => {
                console::log("error", "supervisor", &format!("the job is given up: {why}"));
                return leave(status);
            }
        }
        match restarts.ended(end, begun.elapsed()) {
            Next::Leave => return leave(status),
            Next::GiveUp(starts) => {
                if starts > 0 {
                    console::log("error", "supervisor", &format!("{}; given up after {starts} starts in a row", shown(status)));
                }
                return leave(status);
            }
            Next::Start { after, number } => {
                let wait = humantime::format_duration(after);
                let text = format!("{}; start {number} follows in {wait}, from the last checkpoint", shown(status));
                console::log("warn", "supervisor", &text);
                if forward.wait(after) {
                    return leave(status);
                }
            }
        }
    }
}

fn run(forward: &Forward, list: &Watchlist) -> Outcome<(ExitStatus, Option<Suspect>)> {
    let cannot = |e: std::io::Error| Fault::failed("cannot start the process that runs the job").because(&e);
    let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
    // A group of its own: Ctrl-C comes to the supervisor alone, who hands it on once.
    command.args(runner_args(std::env::args_os().skip(1))).env(SUPERVISOR, std::process::id().to_string()).process_group(0);
    let line = Line::open(&mut command, list).map_err(cannot)?;
    let mut child = command.spawn().map_err(cannot)?;
    forward.to(Some(child.id()));
    let status = child.wait().map_err(cannot);
    forward.to(None);
    Ok((status?, line.heard()))
}

/// The arguments of a `run`, as those of a runner: the first word `run` is the command, whatever stands before it.
fn runner_args(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.collect();
    if let Some(command) = args.iter_mut().find(|arg| *arg == "run") {
        *command = "runner".into();
    }
    args
}

fn end(status: ExitStatus, interrupted: bool) -> End {
    match status.code() {
        Some(0) => End::Done,
        Some(code) if code == Exit::Usage as i32 || code == Exit::Refused as i32 => End::Refused,
        Some(code) if code == Exit::Interrupted as i32 => End::Done,
        _ if interrupted => End::Done,
        _ => End::Failed,
    }
}

fn shown(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the job's process ended with exit code {code}"),
        (None, Some(signal)) => {
            let name = nix::sys::signal::Signal::try_from(signal).map_or_else(|_| signal.to_string(), |s| s.as_str().to_owned());
            format!("the job's process was killed by {name}")
        }
        (None, None) => "the job's process ended".to_owned(),
    }
}

fn leave(status: ExitStatus) -> Outcome<()> {
    match status.code() {
        Some(0) => Ok(()),
        code => Err(Fault::told(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(Exit::Failed as u8))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_gets_the_same_arguments() {
        let args = ["--log-format", "json", "run", "job.wasm", "--name", "run"].map(OsString::from);
        assert_eq!(runner_args(args.into_iter()), ["--log-format", "json", "runner", "job.wasm", "--name", "run"]);
    }
}
