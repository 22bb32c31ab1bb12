//! `tidemill swap` and `rollback`: other code goes on with the state, and gives its place back when it fails.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tidemill_e2e::{Folder, Server, Tidemill, exit, guest};

const NUMBERS: usize = 12_000;
const KEYS: usize = 7;

/// A running job that counts, with a checkpoint behind it and some seconds before it.
fn running(folder: &Folder) -> Server<'_> {
    let lines: String = (0..NUMBERS).map(|n| format!("{{\"k\":{}}}\n", n % KEYS)).collect();
    folder.write("numbers.json", lines);
    let server = Server::start(folder, &[]);
    let submit = server.command("submit").arg(guest("test", "swap")).args(["--name", "counts", "--checkpoint-interval", "50ms"]);
    submit.bind("numbers", "file:numbers.json?rate=1000").bind("counts", "file:out").run().expect(exit::OK, &[]);
    server.until("counts", "at a checkpoint", |job| {
        job["status"]["checkpoints"]["completed"].as_u64() > Some(0) && job["status"]["records_in"].as_u64() > Some(100)
    });
    server
}

fn swap(server: &Server<'_>, args: &[&str]) -> Tidemill {
    server.command("swap").arg("counts").args(args)
}

/// The job has come to its end, and every count of every key was shown once.
fn nothing_is_lost_or_doubled(folder: &Folder, server: &Server<'_>) -> Value {
    let job = server.until_state("counts", "finished");
    let mut expected: Vec<String> = (0..NUMBERS).map(|n| format!("{{\"k\":{},\"count\":{}}}", n % KEYS, n / KEYS + 1)).collect();
    expected.sort_unstable();
    assert_eq!(folder.sorted_lines("out"), expected);
    job
}

fn history(job: &Value) -> Vec<String> {
    job["history"].as_array().unwrap().iter().map(|past| past["outcome"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn other_code_goes_on_with_the_state() {
    let folder = Folder::new();
    let server = running(&folder);
    let swapped = swap(&server, &["--arg", "version=extra", "--probation", "200ms"]).run();
    swapped.expect(exit::OK, &[]);
    for text in ["kept     count, counts, numbers", "count: compatible", "+ process", "a new process: its state differs", "version 2"] {
        assert!(swapped.stdout.contains(text), "{text}: {}", swapped.stdout);
    }
    let job = nothing_is_lost_or_doubled(&folder, &server);
    assert_eq!((job["version"]["number"].as_u64(), job["restarts"].as_u64()), (Some(2), Some(0)), "{job:#}");
}

#[test]
fn code_with_the_same_state_is_exchanged_while_the_job_runs() {
    let folder = Folder::new();
    let server = running(&folder);
    let pid = server.job("counts")["pid"].clone();
    for (number, after) in [(2, "7"), (3, "8")] {
        let swapped = swap(&server, &["--arg", "version=same", "--arg", &format!("after={after}"), "--probation", "100ms"]).run();
        swapped.expect(exit::OK, &[]);
        for text in ["count: same", "taken    in place, within", &format!("version {number}")] {
            assert!(swapped.stdout.contains(text), "{text}: {}", swapped.stdout);
        }
    }
    let job = server.job("counts");
    assert_eq!(job["pid"], pid, "the process goes on");
    assert!(job["version"]["taken"]["in-place"]["pause_us"].as_u64() > Some(0), "{job:#}");
    // Where the code before went on, the bindings would be the same, and so would the answer to this.
    let other = swap(&server, &["--bind", "numbers=file:numbers.json?rate=2000", "--probation", "100ms"]).run();
    other.expect(exit::OK, &[]);
    assert!(other.stdout.contains("a new process: its bindings differ"), "{}", other.stdout);
    let job = nothing_is_lost_or_doubled(&folder, &server);
    assert_eq!((job["version"]["number"].as_u64(), job["restarts"].as_u64()), (Some(4), Some(0)), "{job:#}");
}

#[test]
fn the_new_code_is_what_runs_behind_the_boundary() {
    let folder = Folder::new();
    let server = running(&folder);
    let swapped = swap(&server, &["--arg", "version=clock", "--probation", "100ms"]).run();
    swapped.expect(exit::OK, &[]);
    assert!(swapped.stdout.contains("in place"), "{}", swapped.stdout);
    server.until_state("counts", "finished");
    let lines: Vec<Value> = folder.sorted_lines("out").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), NUMBERS);
    for key in 0..KEYS {
        let of_key = lines.iter().filter(|line| line["k"] == key);
        // The old version writes counts, each once, and the new one the time, which is far beyond them.
        let (mut old, new): (Vec<u64>, Vec<u64>) =
            of_key.map(|line| line["count"].as_u64().unwrap()).partition(|count| *count <= NUMBERS as u64);
        old.sort_unstable();
        assert!(!old.is_empty() && !new.is_empty() && old.iter().copied().eq(1..=old.len() as u64), "key {key}: {old:?}");
    }
}

#[test]
fn state_that_the_new_version_migrates_goes_on() {
    let folder = Folder::new();
    let server = running(&folder);
    let swapped = swap(&server, &["--arg", "version=migrated", "--probation", "200ms"]).run();
    swapped.expect(exit::OK, &[]);
    for text in ["count: migrated by the new version", "- process", "+ process", "version 2"] {
        assert!(swapped.stdout.contains(text), "{text}: {}", swapped.stdout);
    }
    nothing_is_lost_or_doubled(&folder, &server);
}

#[test]
fn state_of_another_type_is_refused_and_the_job_runs_on() {
    let folder = Folder::new();
    let server = running(&folder);
    let before = server.job("counts");
    for flags in [&[][..], &["--dry-run"], &["--allow-dropped-state"]] {
        let refused = swap(&server, &[&["--arg", "version=other"], flags].concat()).run();
        refused.expect(exit::REFUSED, &["swap-refused", "was i64", "is f64 now", "- count: process", "+ count: process"]);
    }
    let refused = swap(&server, &["--arg", "version=nonsense"]).run();
    refused.expect(exit::REFUSED, &["plan-refused", "is no choice"]);
    swap(&server, &[]).run().expect(exit::USAGE, &["nothing would change"]);
    let compared = swap(&server, &["--arg", "version=extra", "--dry-run"]).run();
    assert!(compared.code == exit::OK && compared.stdout.contains("compatible"), "{compared:?}");
    assert_eq!(server.job("counts")["pid"], before["pid"], "nothing was stopped");
    nothing_is_lost_or_doubled(&folder, &server);
}

#[test]
fn a_version_that_traps_at_once_gives_its_place_back() {
    let folder = Folder::new();
    let server = running(&folder);
    // Whether the failure comes before the command has its answer or after it, the old version runs again.
    let swapped = swap(&server, &["--arg", "version=traps"]).run();
    assert!([exit::OK, exit::REFUSED].contains(&swapped.code), "{swapped:?}");
    let job = server.until("counts", "rolled back", |job| job["history"].as_array().is_some_and(|history| history.len() == 2));
    assert!(history(&job)[1].starts_with("rolled back: operator \"count\" failed"), "{job:#}");
    let job = nothing_is_lost_or_doubled(&folder, &server);
    assert!(job["version"]["args"].as_object().unwrap().is_empty(), "{job:#}");
    assert_eq!(job["version"]["why"], "back to version 1");
}

#[test]
fn a_version_that_fails_later_gives_its_place_back_from_the_last_checkpoint() {
    let folder = Folder::new();
    let server = running(&folder);
    swap(&server, &["--arg", "version=later"]).run().expect(exit::OK, &[]);
    let job = nothing_is_lost_or_doubled(&folder, &server);
    assert!(history(&job).last().unwrap().starts_with("rolled back"), "{job:#}");
}

/// Kills in the middle of a swap: in every run, and with `cargo xtask test --full`.
const KILLS: u32 = 6;
const KILLS_FULL: u32 = 200;
/// How many of them go on side by side.
const AT_ONCE: u32 = 8;
/// Rounds of looking that are more than a swap takes.
const ROUNDS: u32 = 40;

/// Not a fixed time: the further the swap has come when something is killed, the more rounds of looking. Every other swap is in place, and
/// two of three kills are of the server, the third of the runner.
fn killed_in_a_swap(kill: u32) {
    let rounds = kill * 7 % ROUNDS;
    let folder = Folder::new();
    let mut server = running(&folder);
    let version = if kill.is_multiple_of(2) { ["version=extra", "after=1"] } else { ["version=same", "after=1"] };
    let waiting = swap(&server, &["--arg", version[0], "--arg", version[1], "--probation", "100ms"]).start();
    (0..rounds).for_each(|_| _ = server.job("counts"));
    if kill % 3 < 2 {
        server.kill();
        waiting.end();
        assert!(server.runners().len() <= 1, "never two");
        server.start_again(&[]);
    } else {
        server.runners().into_iter().for_each(tidemill_e2e::kill_process);
        // With an answer, or with the news that the job had failed before it was changed.
        waiting.end();
        assert!(server.runners().len() <= 1, "never two");
    }
    let job = nothing_is_lost_or_doubled(&folder, &server);
    assert!((1..=3).contains(&job["version"]["number"].as_u64().unwrap()), "{job:#}");
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_swap_has_the_old_version_or_the_new_one() {
    if std::env::var_os("TIDEMILL_TEST_FULL").is_none() {
        return (0..KILLS).for_each(killed_in_a_swap);
    }
    std::thread::scope(|scope| {
        for first in 0..AT_ONCE {
            scope.spawn(move || (first..KILLS_FULL).step_by(AT_ONCE as usize).for_each(killed_in_a_swap));
        }
    });
}

#[test]
fn a_rollback_takes_todays_state_along() {
    let folder = Folder::new();
    let server = running(&folder);
    server.command("rollback").arg("counts").run().expect(exit::REFUSED, &["there is no version before"]);
    swap(&server, &["--arg", "version=extra", "--probation", "1ms"]).run().expect(exit::OK, &[]);
    let refused = server.command("rollback").arg("counts").run();
    refused.expect(exit::REFUSED, &["\"last", "is not in the plan any more", "--allow-dropped-state"]);
    server.command("rollback").args(["counts", "7"]).run().expect(exit::REFUSED, &["there is no version 7", "there are 1"]);
    let back = server.command("rollback").args(["counts", "--allow-dropped-state"]).run();
    back.expect(exit::OK, &[]);
    assert!(back.stdout.contains("back to version 1"), "{}", back.stdout);
    let job = nothing_is_lost_or_doubled(&folder, &server);
    assert_eq!(job["version"]["number"].as_u64(), Some(3), "{job:#}");
}
