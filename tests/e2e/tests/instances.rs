//! What becomes of an instance of a component: one that traps is asked again for the record, one that grows is replaced.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tidemill_e2e::{Ended, Folder, Tidemill, exit, guest};

/// The numbers below `n`, a line each: more than a source hands on in one block.
fn numbers(folder: &Folder, n: i64) {
    folder.write("numbers.jsonl", (0..n).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>());
}

fn trap(folder: &Folder, how: &str) -> Ended {
    let job = Tidemill::new(folder.path(), "run").arg(guest("test", "trap")).args(["--arg", &format!("how={how}")]);
    job.bind("numbers", "file:numbers.jsonl").run()
}

#[test]
fn a_trap_that_names_no_record_is_found_by_running_the_records_again() {
    let folder = Folder::new();
    numbers(&folder, 5_000);
    let ended = trap(&folder, "abort");
    ended.expect(exit::FAILED, &["operator \"unlucky\" failed", "trapped in process", "record: n=13\n"]);
    assert_eq!(ended.stdout, "", "what the records before it gave in the search goes nowhere");
}

#[test]
fn a_trap_that_no_record_causes_alone_blames_none() {
    let folder = Folder::new();
    // The 7 comes in the first block, the 13 in a later one: run again by itself, that block does not trap.
    let far_apart = (0..5_000).map(|i| if i == 4_000 { 13 } else { i64::from(i == 0) * 7 });
    folder.write("numbers.jsonl", far_apart.map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>());
    let ended = trap(&folder, "after-seven");
    ended.expect(exit::FAILED, &["trapped in process", "run again one by one, none of its", "what came before them has a part in it"]);
    assert!(!ended.stderr.contains("record: "), "{}", ended.stderr);
}

#[test]
fn a_deadline_blames_no_record() {
    let folder = Folder::new();
    numbers(&folder, 20);
    let ended = Tidemill::new(folder.path(), "run").arg(guest("test", "loop")).bind("numbers", "file:numbers.jsonl").run();
    ended.expect(exit::FAILED, &["was stopped in process after", "look for an endless loop"]);
    assert!(!ended.stderr.contains("record: "), "{}", ended.stderr);
}

/// How many instances were replaced.
fn recycled(ended: &Ended) -> u64 {
    ended.expect(exit::OK, &[]);
    let report: Value = serde_json::from_str(&ended.stderr).unwrap();
    report["recycled"].as_u64().unwrap()
}

#[test]
fn a_component_that_leaks_more_than_its_memory_gives_what_it_would_without() {
    let folder = Folder::new();
    // A key has records for a while, then none for a while: timers, sessions and windows all come due in between.
    let lines = (0..100_000i64).map(|i| format!("{{\"key\":{},\"at\":{}}}\n", (i / 3_000) * 40 + i * i % 40, i));
    folder.write("numbers.jsonl", lines.collect::<String>());
    let run = |leak: &str, memory: &str, out: &str| {
        let job = Tidemill::new(folder.path(), "run").arg(guest("test", "leak")).args(["--arg", leak, "--memory", memory]);
        let job = job.args(["--report", "json"]).bind("numbers", "file:numbers.jsonl").bind("known", &format!("file:{out}/known"));
        job.bind("windows", &format!("file:{out}/windows")).bind("sessions", &format!("file:{out}/sessions")).run()
    };
    // 100 MB are left behind, in instances that may have 16 MiB.
    let exchanges = recycled(&run("leak=1000", "16MiB", "leaky"));
    assert!(exchanges > 5, "{exchanges} instances were replaced");
    assert_eq!(recycled(&run("leak=0", "64MiB", "calm")), 0);
    for sink in ["known", "windows", "sessions"] {
        let lines = folder.sorted_lines(&format!("calm/{sink}"));
        assert!(lines.len() > 100, "{sink}: {}", lines.len());
        assert_eq!(folder.sorted_lines(&format!("leaky/{sink}")), lines, "{sink}");
    }
}

#[test]
fn python_leaks_and_comes_through_with_little_memory() {
    let folder = Folder::new();
    // Long names, because what the interpreter leaves behind grows with what it is given.
    let name = "x".repeat(1_000);
    let line = |i: i64| format!("{{\"sensor\":\"{name}{}\",\"celsius\":{}.5,\"at\":{}}}\n", i % 50, i % 40, i * 7);
    folder.write("readings.jsonl", (0..60_000).map(line).collect::<String>());
    let run = |language: &str, memory: &str| {
        let job = Tidemill::new(folder.path(), "run").arg(guest(language, "sensor-average")).args(["--memory", memory]);
        job.args(["--report", "json"]).bind("readings", "file:readings.jsonl").bind("averages", &format!("file:{language}")).run()
    };
    // Each of them had taken half of what it could: without exchanges the second would have been the end.
    let exchanges = recycled(&run("python", "32MiB"));
    assert!(exchanges > 3, "{exchanges} instances were replaced");
    assert_eq!(recycled(&run("c", "64MiB")), 0);
    assert_eq!(folder.sorted_lines("python"), folder.sorted_lines("c"));
}
