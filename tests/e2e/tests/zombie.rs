//! A runner that was stopped, was taken for dead and wakes up again beside its successor: it commits nothing and ends.
#![allow(clippy::unwrap_used)]

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tidemill_e2e::{Folder, Running, Tidemill, exit, guest};

const EVENTS: &str = "20000";

fn job(folder: &Folder, out: &str, rate: &str) -> Tidemill {
    let run = Tidemill::new(folder.path(), "run").arg(guest("rust", "nexmark")).args(["--arg", "query=q5", "--parallelism", "2"]);
    run.bind("events", &format!("file:events.json{rate}")).bind("results", &format!("file:{out}"))
}

fn kept(folder: &Folder, rate: &str) -> Tidemill {
    job(folder, "out", rate).args(["--checkpoint-dir", "kept", "--checkpoint-interval", "20ms"])
}

/// The process that runs the job, under the supervisor that was started.
fn runner(supervisor: &Running) -> Pid {
    let id = supervisor.id();
    loop {
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        if let Some(child) = children.split_whitespace().next() {
            return Pid::from_raw(child.parse().unwrap());
        }
        std::thread::yield_now();
    }
}

/// All that readers of the output can see.
fn visible(folder: &Folder) -> Vec<(String, Vec<u8>)> {
    folder.parts("out").iter().map(|part| (part.display().to_string(), fs::read(part).unwrap())).collect()
}

#[test]
fn a_runner_that_wakes_up_beside_its_successor_commits_nothing_and_ends() {
    let folder = Folder::new();
    Tidemill::new(folder.path(), "datagen").args(["nexmark", "--events", EVENTS, "--out", "events.json"]).run().expect(exit::OK, &[]);
    job(&folder, "whole", "").run().expect(exit::OK, &[]);
    let whole = folder.sorted_lines("whole");
    let sleeper = kept(&folder, "?rate=10000").start();
    let pid = runner(&sleeper);
    // Not a sleep: in the middle of the job is where some checkpoints have been made.
    while folder.entries("kept/log").len() < 4 {
        std::thread::yield_now();
    }
    kill(pid, Signal::SIGSTOP).unwrap();
    kept(&folder, "").run().expect(exit::OK, &["going on from checkpoint"]);
    let shown = visible(&folder);
    assert_eq!(folder.sorted_lines("out"), whole);
    kill(pid, Signal::SIGCONT).unwrap();
    sleeper.end().expect(exit::REFUSED, &["another start of this job has taken over"]);
    assert_eq!(visible(&folder), shown, "the sleeper has changed what its successor had shown");
    Tidemill::new(folder.path(), "checkpoint").args(["verify", "kept"]).run().expect(exit::OK, &[]);
    kept(&folder, "").run().expect(exit::OK, &["come to its end before"]);
    assert_eq!(visible(&folder), shown);
}
