//! A job killed at the file-system calls of its checkpoints, one call after the other: from every one of them it goes on to the same
//! output.
//!
//! strace kills the runner as it enters a call, and counts the calls of each kind for each thread. Twenty places in all;
//! `TIDEMILL_TEST_FULL=1` takes every one.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tidemill_e2e::{Folder, Tidemill, binary, exit, guest};

/// What changes a file system, by the names that a call has on different machines.
const CALLS: [&str; 9] = [
    "open,openat",
    "write,pwrite64,writev",
    "fsync,fdatasync",
    "link,linkat",
    "rename,renameat,renameat2",
    "unlink,unlinkat",
    "mkdir,mkdirat",
    "ftruncate",
    "close",
];

/// Places tried when not all are.
const PLACES: usize = 20;
/// What ends a process that was killed.
const KILLED: i32 = 128 + 9;

struct Case(Folder);

impl Case {
    fn new() -> Case {
        let folder = Folder::new();
        Tidemill::new(folder.path(), "datagen").args(["nexmark", "--events", "4000", "--out", "events.json"]).run().expect(exit::OK, &[]);
        Case(folder)
    }

    /// The arguments of a job that takes a second, and a few checkpoints.
    fn args(&self, command: &str, out: &str, rate: &str) -> Vec<String> {
        let guest = guest("rust", "nexmark").display().to_string();
        let (events, results) = (format!("events=file:events.json{rate}"), format!("results=file:{out}"));
        [command, &guest, "--arg", "query=q11", "--parallelism", "2", "--bind", &events, "--bind", &results].map(str::to_owned).to_vec()
    }

    fn kept(&self, command: &str, rate: &str) -> Vec<String> {
        let mut args = self.args(command, "out", rate);
        args.extend(["--checkpoint-dir", "kept", "--checkpoint-interval", "150ms"].map(str::to_owned));
        args
    }

    /// A run of the runner alone, from nothing, under strace.
    fn traced(&self, strace: &[&str]) -> i32 {
        for name in ["out", "kept"] {
            // It is not there the first time.
            let _ = fs::remove_dir_all(self.0.join(name));
        }
        let traced = Tidemill::wrapped(Path::new("strace"), self.0.path()).args(["-f", "-qq", "-o", "trace"]).args(strace);
        let ended = traced.arg(binary()).args(self.kept("runner", "?rate=8000")).run();
        assert!([exit::OK, KILLED].contains(&ended.code), "{}: {}", ended.code, ended.stderr);
        ended.code
    }

    /// How often the busiest thread makes each kind of call on what is kept or shown; other calls are no places.
    fn busiest(&self) -> Vec<usize> {
        CALLS
            .iter()
            .map(|calls| {
                assert_eq!(self.traced(&["-y", "-e", &format!("trace={calls}")]), exit::OK);
                let trace = fs::read_to_string(self.0.join("trace")).unwrap();
                let mut threads: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
                for line in trace.lines().filter(|line| !line.contains("resumed>")) {
                    let (all, last) = threads.entry(line.split_whitespace().next().unwrap()).or_default();
                    *all += 1;
                    if line.contains("kept") || line.contains("/out") {
                        *last = *all;
                    }
                }
                threads.values().map(|(_, last)| *last).max().unwrap_or(0)
            })
            .collect()
    }
}

#[test]
fn a_job_killed_at_any_call_of_a_checkpoint_goes_on() {
    let case = Case::new();
    Tidemill::new(case.0.path(), "run").args(&case.args("run", "whole", "")[1..]).run().expect(exit::OK, &[]);
    let whole = case.0.sorted_lines("whole");
    let busiest = case.busiest();
    let places: Vec<(&str, usize)> = CALLS.iter().zip(busiest).flat_map(|(calls, most)| (1..=most).map(move |n| (*calls, n))).collect();
    let step = if std::env::var_os("TIDEMILL_TEST_FULL").is_some() { 1 } else { places.len().div_ceil(PLACES) };
    let (mut tried, mut killed) = (0, 0);
    for (calls, n) in places.iter().step_by(step) {
        let code = case.traced(&["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:signal=SIGKILL:when={n}")]);
        (tried, killed) = (tried + 1, killed + usize::from(code == KILLED));
        let rest = Tidemill::new(case.0.path(), "run").args(&case.kept("run", "")[1..]).run();
        assert_eq!(rest.code, exit::OK, "killed at call {n} of {calls}: {}", rest.stderr);
        assert_eq!(case.0.sorted_lines("out"), whole, "killed at call {n} of {calls}");
    }
    println!("{tried} of {} places tried, {killed} killed the job", places.len());
    // Threads share their work differently each time, so that a place may not be reached; most are.
    assert!(killed * 2 > tried, "{killed} of {tried} places killed the job");
}
