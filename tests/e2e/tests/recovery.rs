//! A job with a checkpoint directory, killed with `kill -9` at random moments and started again at another parallelism each time: what
//! it shows in the end is what a run shows that nobody disturbed. Nothing is lost, nothing is doubled.
//!
//! So it is in both modes that count every record once, and where each start has another of them; at least once, nothing is lost. Some
//! hundred kills in all, a thousand with `TIDEMILL_TEST_FULL`; `cargo xtask chaos --kills N --seed S` chooses both, by
//! `TIDEMILL_CHAOS_KILLS` and `TIDEMILL_CHAOS_SEED`. A failure names its seed. Checkpoints go below `TIDEMILL_CHAOS_URL` if it is set: an
//! object store, for a `TIDEMILL_BIN` that was built with it.
#![allow(clippy::unwrap_used)]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tidemill_e2e::{Folder, Tidemill, binary, exit, guest};

const EVENTS: &str = "20000";
/// Records a second while the job is being killed: a whole run takes about a second.
const RATE: &str = "20000";

/// The tests below among which the kills are divided.
const STORMS: u64 = 11;

const ALIGNED: &[&str] = &["aligned"];
const UNALIGNED: &[&str] = &["unaligned"];
const EITHER: &[&str] = &["unaligned", "aligned"];
const AT_LEAST_ONCE: &[&str] = &["at-least-once"];

/// splitmix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

struct Case {
    folder: Folder,
    query: &'static str,
    /// Each start has one of them.
    modes: &'static [&'static str],
    /// The checkpoint directory.
    kept: String,
}

impl Case {
    fn new(query: &'static str, modes: &'static [&'static str]) -> Case {
        let folder = Folder::new();
        let datagen = Tidemill::new(folder.path(), "datagen").args(["nexmark", "--events", EVENTS, "--out", "events.json"]).run();
        assert_eq!(datagen.code, exit::OK, "{}", datagen.stderr);
        Case { folder, query, modes, kept: "kept".to_owned() }
    }

    fn args(&self, out: &str, events: &str, parallelism: u64) -> Vec<String> {
        let guest = guest("rust", "nexmark").display().to_string();
        let (query, bind_in, bind_out) = (format!("query={}", self.query), format!("events={events}"), format!("results=file:{out}"));
        ["run", &guest, "--arg", &query, "--bind", &bind_in, "--bind", &bind_out, "--parallelism", &parallelism.to_string()]
            .map(str::to_owned)
            .to_vec()
    }

    fn undisturbed(&self) -> Vec<String> {
        let run = Tidemill::new(self.folder.path(), "run").args(&self.args("whole", "file:events.json", 2)[1..]);
        let ended = run.args(["--checkpoint-dir", "whole-kept"]).run();
        assert_eq!(ended.code, exit::OK, "{}", ended.stderr);
        self.folder.sorted_lines("whole")
    }

    /// All keyed state of the last checkpoint, in a form that does not depend on how it was written.
    fn state(&self, dir: &str) -> Vec<String> {
        let checkpoint = |verb: &str, args: &[&str]| {
            let ended = Tidemill::new(self.folder.path(), "checkpoint").args([verb, dir]).args(args).run();
            assert_eq!(ended.code, exit::OK, "{}", ended.stderr);
            ended.stdout
        };
        let shown: Value = serde_json::from_str(&checkpoint("show", &["--json"])).unwrap();
        let mut rows = Vec::new();
        for operator in shown["operators"].as_array().unwrap().iter().filter(|operator| !operator["state"].is_null()) {
            let name = operator["name"].as_str().unwrap();
            if name.ends_with("/in-flight") {
                // Nothing is any more; what stands there is of the workers, whose number is another in every run.
                continue;
            }
            rows.extend(checkpoint("read", &["--operator", name]).lines().map(|row| format!("{name} {row}")));
        }
        rows.sort_unstable();
        rows
    }

    fn kept(&self, events: &str, parallelism: u64, mode: &str) -> Vec<String> {
        let mut args = self.args("out", events, parallelism);
        args.extend(["--checkpoint-dir", &self.kept, "--checkpoint-interval", "40ms", "--checkpoint-mode", mode].map(str::to_owned));
        args
    }

    /// At a parallelism and in a mode of its own.
    fn any(&self, events: &str, chance: &mut Chance) -> Vec<String> {
        let parallelism = 1 + chance.below(4);
        let mode = self.modes[usize::try_from(chance.below(self.modes.len() as u64)).unwrap()];
        self.kept(events, parallelism, mode)
    }

    fn start(&self, chance: &mut Chance) -> Child {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).args(self.any(&format!("file:events.json?rate={RATE}"), chance));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Kills until the budget is used up, beginning anew whenever the job has come to its end in spite of it.
    fn storm(&mut self, kills: usize, seed: u64) {
        let whole = self.undisturbed();
        let state = self.state("whole-kept");
        let mut chance = Chance(seed);
        let mut killed = 0;
        while killed < kills {
            if self.folder.join("out").exists() {
                std::fs::remove_dir_all(self.folder.join("out")).unwrap();
            }
            self.kept = match std::env::var("TIDEMILL_CHAOS_URL") {
                Ok(url) => format!("{url}/{}-{seed}-{killed}", std::process::id()),
                Err(_) => format!("kept-{killed}"),
            };
            // A few kills for each run of the job.
            for _ in 0..8.min(kills - killed) {
                let mut supervisor = self.start(&mut chance);
                // The moment is what the test is about, not a wait for something.
                std::thread::sleep(Duration::from_millis(20 + chance.below(350)));
                supervisor.kill().unwrap();
                supervisor.wait().unwrap();
                killed += 1;
            }
            let last = Tidemill::new(self.folder.path(), "run").args(&self.any("file:events.json", &mut chance)[1..]).run();
            assert_eq!(last.code, exit::OK, "seed {seed} after {killed} kills: {}", last.stderr);
            let shown = self.folder.sorted_lines("out");
            let (got, expected) = (shown.len(), whole.len());
            let case = format!("{} {:?} with seed {seed} after {killed} kills", self.query, self.modes);
            if self.modes == AT_LEAST_ONCE {
                let lost = lost(&shown, &whole);
                assert!(lost.is_empty(), "{case}: {got} lines for {expected}, without {lost:#?}");
                continue;
            }
            assert!(shown == whole, "{case}: {got} lines for {expected}");
            assert!(self.state(&self.kept) == state, "{case}: the state is another");
        }
    }
}

/// The lines of `whole` that `shown` has not as often; both are sorted.
fn lost<'a>(shown: &[String], whole: &'a [String]) -> Vec<&'a String> {
    let mut shown = shown.iter().peekable();
    let has = |line: &&String| {
        while shown.next_if(|other| other < line).is_some() {}
        shown.next_if(|other| other == line).is_some()
    };
    let mut has = has;
    whole.iter().filter(|line| !has(line)).collect()
}

#[test]
fn a_lost_line_is_noticed_and_a_doubled_one_is_not_taken_for_it() {
    let lines = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
    assert!(lost(&lines("aabbcd"), &lines("abbd")).is_empty());
    assert_eq!(lost(&lines("abd"), &lines("abbde")), ["b", "e"]);
}

fn storm(query: &'static str, modes: &'static [&'static str], salt: u64) {
    let usual = if std::env::var_os("TIDEMILL_TEST_FULL").is_some() { 1_000 } else { 10 * STORMS };
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let kills = number("TIDEMILL_CHAOS_KILLS").unwrap_or(usual).div_ceil(STORMS);
    let seed = number("TIDEMILL_CHAOS_SEED").unwrap_or(1).wrapping_mul(100).wrapping_add(salt);
    Case::new(query, modes).storm(usize::try_from(kills).unwrap(), seed);
}

#[test]
fn sliding_windows_survive_kills() {
    storm("q5", ALIGNED, 1);
}

#[test]
fn sessions_survive_kills() {
    storm("q11", ALIGNED, 2);
}

#[test]
fn timers_and_lists_survive_kills() {
    storm("timers", ALIGNED, 3);
}

#[test]
fn joined_state_survives_kills() {
    storm("q4", ALIGNED, 4);
}

#[test]
fn windows_of_windows_survive_kills() {
    storm("q7", ALIGNED, 5);
}

#[test]
fn unaligned_sliding_windows_survive_kills() {
    storm("q5", UNALIGNED, 6);
}

#[test]
fn unaligned_sessions_survive_kills() {
    storm("q11", UNALIGNED, 7);
}

#[test]
fn unaligned_joined_state_survives_kills() {
    storm("q4", UNALIGNED, 8);
}

#[test]
fn sessions_in_either_mode_survive_kills() {
    storm("q11", EITHER, 10);
}

#[test]
fn sliding_windows_in_either_mode_survive_kills() {
    storm("q5", EITHER, 11);
}

#[test]
fn records_at_least_once_survive_kills() {
    storm("q3", AT_LEAST_ONCE, 9);
}

#[test]
fn a_finished_job_is_not_run_again() {
    let case = Case::new("q5", ALIGNED);
    for _ in 0..2 {
        let ended = Tidemill::new(case.folder.path(), "run").args(&case.kept("file:events.json", 2, "aligned")[1..]).run();
        assert_eq!(ended.code, exit::OK, "{}", ended.stderr);
        assert_eq!(case.folder.sorted_lines("out"), case.undisturbed_once());
    }
}

impl Case {
    /// The undisturbed result, made when it is first asked for.
    fn undisturbed_once(&self) -> Vec<String> {
        if self.folder.join("whole").exists() { self.folder.sorted_lines("whole") } else { self.undisturbed() }
    }
}

#[test]
fn another_job_is_refused_by_name() {
    let case = Case::new("q5", ALIGNED);
    let first = Tidemill::new(case.folder.path(), "run").args(&case.kept("file:events.json", 2, "aligned")[1..]).run();
    assert_eq!(first.code, exit::OK, "{}", first.stderr);
    let other = Case { query: "q11", ..case };
    let refused = Tidemill::new(other.folder.path(), "run").args(&other.kept("file:events.json", 2, "aligned")[1..]).run();
    refused.expect(exit::REFUSED, &["does not fit checkpoint", "is not in the plan any more", "--allow-dropped-state"]);
}
