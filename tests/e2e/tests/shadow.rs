//! `tidemill swap --shadow`: the new version is run beside the job first, and takes its place only when it writes the same.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tidemill_e2e::{Ended, Folder, Server, exit, guest};

const NUMBERS: usize = 14_000;
const KEYS: usize = 7;
/// What the job of the test guest writes in place of the count of 1,995 of key 3. It comes near the end of the input, and only to who has
/// counted all of it: a shadow without the state of the job never gets so far.
const ODD: &str = r#"{"k":3,"count":-1995}"#;
const EVEN: &str = r#"{"k":3,"count":1995}"#;

/// A running job that counts, or does what else its version says.
fn running<'a>(folder: &'a Folder, version: &str) -> Server<'a> {
    let lines: String = (0..NUMBERS).map(|n| format!("{{\"k\":{}}}\n", n % KEYS)).collect();
    folder.write("numbers.json", lines);
    let server = Server::start(folder, &[]);
    let submit = server.command("submit").arg(guest("test", "swap")).args(["--name", "counts", "--checkpoint-interval", "50ms"]);
    let submit = submit.args(["--memory", "64MiB"]).arg("--arg").arg(format!("version={version}"));
    submit.bind("numbers", "file:numbers.json?rate=700").bind("counts", "file:out").run().expect(exit::OK, &[]);
    server.until("counts", "at work", |job| job["status"]["records_in"].as_u64() > Some(100));
    server
}

fn swap(server: &Server<'_>, args: &[&str]) -> Ended {
    server.command("swap").arg("counts").args(args).run()
}

/// The job is as it was, to its end: nothing of a shadow is in its output, and nothing is left in its folder.
fn undisturbed(folder: &Folder, server: &Server<'_>, before: &Value) {
    assert_eq!(server.job("counts")["pid"], before["pid"], "nothing was stopped");
    let job = server.until_state("counts", "finished");
    assert_eq!((job["version"]["number"].as_u64(), job["restarts"].as_u64()), (Some(1), Some(0)), "{job:#}");
    counted(folder);
    let jobs = folder.entries("data/jobs");
    assert!(jobs.iter().all(|job| !job.join("shadow").exists()), "{jobs:?}");
}

fn counted(folder: &Folder) {
    let mut expected: Vec<String> = (0..NUMBERS).map(|n| format!("{{\"k\":{},\"count\":{}}}", n % KEYS, n / KEYS + 1)).collect();
    expected.sort_unstable();
    assert_eq!(folder.sorted_lines("out"), expected);
}

#[test]
fn a_version_that_writes_the_same_takes_over() {
    let folder = Folder::new();
    let server = running(&folder, "same");
    let swapped = swap(&server, &["--arg", "version=extra", "--shadow", "2000", "--probation", "200ms"]);
    swapped.expect(exit::OK, &[]);
    for text in ["shadow   2,000 records read\n", "counts: the same 2,000 records", "version 2"] {
        assert!(swapped.stdout.contains(text), "{text}: {}", swapped.stdout);
    }
    let job = server.until_state("counts", "finished");
    assert_eq!(job["version"]["number"].as_u64(), Some(2));
    counted(&folder);
}

#[test]
fn a_version_that_differs_in_one_record_is_refused_and_the_job_runs_on() {
    let folder = Folder::new();
    let server = running(&folder, "same");
    let before = server.job("counts");
    let all = NUMBERS.to_string();
    for flags in [&[][..], &["--dry-run"]] {
        let refused = swap(&server, &[&["--arg", "version=odd", "--shadow", &all], flags].concat());
        let (old, new) = (format!("- counts: {EVEN}"), format!("+ counts: {ODD}"));
        refused.expect(exit::REFUSED, &["swap-refused", "1 written no more and 1 new", &old, &new, "--allow-difference"]);
    }
    let shown = swap(&server, &["--arg", "version=odd", "--shadow", &all, "--allow-difference", "--dry-run"]);
    shown.expect(exit::OK, &[]);
    for text in ["which is all there is", &format!("- {EVEN}"), &format!("+ {ODD}")] {
        assert!(shown.stdout.contains(text), "{text}: {}", shown.stdout);
    }
    undisturbed(&folder, &server, &before);
}

#[test]
fn a_version_that_traps_is_found_before_it_has_the_job() {
    let folder = Folder::new();
    let server = running(&folder, "same");
    let before = server.job("counts");
    let refused = swap(&server, &["--arg", "version=later", "--shadow", "1000"]);
    refused.expect(exit::REFUSED, &["swap-refused", "does not come through its shadow", "this version traps"]);
    swap(&server, &["--arg", "version=extra", "--shadow", "0"]).expect(exit::REFUSED, &["a shadow of no records"]);
    swap(&server, &["--arg", "version=extra", "--allow-difference"]).expect(exit::USAGE, &["--shadow"]);
    undisturbed(&folder, &server, &before);
}

#[test]
fn a_version_whose_output_is_of_the_clock_shows_nothing() {
    let folder = Folder::new();
    let server = running(&folder, "clock");
    let refused = swap(&server, &["--arg", "version=same", "--shadow", "1000"]);
    refused.expect(exit::REFUSED, &["does not write the same twice", "depends on the clock"]);
    assert_eq!(server.job("counts")["version"]["number"].as_u64(), Some(1));
}

#[test]
fn input_that_cannot_be_read_again_is_refused() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let submit = server.command("submit").arg(guest("test", "swap")).args(["--name", "counts", "--memory", "64MiB"]);
    submit.bind("numbers", "datagen:rows?rate=200").bind("counts", "discard:").run().expect(exit::OK, &[]);
    let before = server.until("counts", "at work", |job| job["status"]["records_in"].as_u64() > Some(0));
    let refused = swap(&server, &["--arg", "version=extra", "--shadow", "100"]);
    refused.expect(exit::REFUSED, &["swap-refused", "datagen:rows", "cannot be read a second time"]);
    assert_eq!(server.job("counts")["pid"], before["pid"], "nothing was stopped");
}

#[test]
fn a_shadow_takes_room_and_says_so_where_there_is_none() {
    let folder = Folder::new();
    folder.write("numbers.json", "{\"k\":1}\n".repeat(NUMBERS));
    let server = Server::start(&folder, &["--slots", "1"]);
    let submit = server.command("submit").arg(guest("test", "swap")).args(["--name", "counts", "--memory", "64MiB"]);
    submit.bind("numbers", "file:numbers.json?rate=500").bind("counts", "discard:").run().expect(exit::OK, &[]);
    server.until("counts", "at work", |job| job["status"]["records_in"].as_u64() > Some(0));
    let refused = swap(&server, &["--arg", "version=extra", "--shadow", "100"]);
    refused.expect(exit::REFUSED, &["no-room", "the shadow needs 1 slot"]);
}
