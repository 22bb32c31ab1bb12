//! A record at which user code traps after every start is found, whatever operator it traps in, and dealt with as that operator chose; all
//! others count exactly once, also when processes are killed in between.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::Value;
use tidemill_e2e::{Ended, Folder, Server, Tidemill, exit, guest};

const RECORDS: i64 = 6_000;
/// Where the poison stands; its time is that of the record before.
const POISON_AT: i64 = 4_000;
/// Width of the guest's windows.
const SPAN_MS: i64 = 100;

struct Case {
    folder: Folder,
    parallelism: &'static str,
}

impl Case {
    fn new(parallelism: &'static str) -> Case {
        let folder = Folder::new();
        let line = |i: i64, n: i64| format!("{{\"key\":{},\"n\":{n},\"at\":{}}}\n", i % 7, i * 2);
        let healthy = |range: std::ops::Range<i64>| range.map(|i| line(i, i % 10)).collect::<String>();
        folder.write("good.json", healthy(0..RECORDS));
        folder.write("bad.json", healthy(0..POISON_AT) + &line(POISON_AT - 1, 13) + &healthy(POISON_AT..RECORDS));
        Case { folder, parallelism }
    }

    fn job(&self, input: &str, args: &[&str], out: &str) -> Tidemill {
        let job = Tidemill::new(self.folder.path(), "run").arg(guest("test", "poison")).args(["--parallelism", self.parallelism]);
        let job = args.iter().fold(job, |job, arg| job.arg("--arg").arg(arg));
        let job = job.bind("numbers", &format!("file:{input}"));
        let job = ["known", "folded"].into_iter().fold(job, |job, sink| job.bind(sink, &format!("file:{out}-{sink}")));
        if args.contains(&"on-bad=dead-letter") { job.bind("bad", &format!("file:{out}-bad")) } else { job }
    }

    /// With checkpoints, slow enough to take many.
    fn kept(&self, args: &[&str]) -> Tidemill {
        let job = self.job("bad.json?rate=8000", args, "out");
        job.args(["--checkpoint-dir", "kept", "--checkpoint-interval", "20ms", "--restart-delay", "20ms"])
    }

    /// What a job without the poison shows, in both sinks.
    fn whole(&self) -> [Vec<String>; 2] {
        let ended = self.job("good.json", &[], "whole").run();
        assert_eq!(ended.code, exit::OK, "{}", ended.stderr);
        self.lines("whole")
    }

    fn lines(&self, out: &str) -> [Vec<String>; 2] {
        ["known", "folded"].map(|sink| self.folder.sorted_lines(&format!("{out}-{sink}")))
    }

    fn letters(&self) -> Vec<Value> {
        self.folder.sorted_lines("out-bad").iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn starts(ended: &Ended) -> usize {
    ended.stderr.matches(" follows in ").count()
}

/// Runs with the poison and dead letters, and compares; answers the dead letters.
fn is_set_aside(at: &str, how: &str, operator: &str, parallelism: &'static str) {
    let case = Case::new(parallelism);
    let mut whole = case.whole();
    let ended = case.kept(&[&format!("at={at}"), &format!("how={how}"), "on-bad=dead-letter"]).run();
    ended.expect(exit::OK, &["a record is set aside"]);
    let letters = case.letters();
    assert!(letters.iter().all(|letter| letter["operator"] == operator), "{letters:?}");
    assert!(letters.iter().all(|letter| letter["reason"].as_str().unwrap().starts_with("user code trapped at it twice: ")), "{letters:?}");
    if at == "fire" {
        // The poison is in two windows, and it is the windows that are set aside.
        let (key, time) = ((POISON_AT - 1) % 7, (POISON_AT - 1) * 2);
        let first_end = (time / SPAN_MS + 1) * SPAN_MS;
        let gone = [first_end, first_end + SPAN_MS].map(|end| format!("{key},{end},"));
        whole[1].retain(|line| !gone.iter().any(|gone| line.starts_with(gone)));
        assert_eq!(letters.len(), 2, "{letters:?}");
    } else {
        assert_eq!(letters.len(), 1, "{letters:?}");
    }
    assert!(starts(&ended) <= 2 * letters.len(), "{}", ended.stderr);
    if !["timer", "fire"].contains(&at) {
        assert!(letters[0]["record"].as_str().unwrap().contains("n=13"), "{letters:?}");
    }
    assert!(case.lines("out") == whole, "{at} {how}: {}", ended.stderr);
}

#[test]
fn in_a_chain() {
    is_set_aside("chain", "panic", "checked", "2");
    is_set_aside("chain", "abort", "checked", "1");
}

#[test]
fn in_a_chain_that_the_source_runs() {
    is_set_aside("stamp", "panic", "stamped", "1");
    is_set_aside("stamp", "abort", "stamped", "2");
}

#[test]
fn in_a_process_function() {
    is_set_aside("process", "panic", "sums", "1");
    is_set_aside("process", "abort", "sums", "2");
}

#[test]
fn in_a_timer() {
    is_set_aside("timer", "panic", "sums", "2");
    is_set_aside("timer", "abort", "sums", "1");
}

#[test]
fn in_an_accumulator() {
    is_set_aside("window", "panic", "windows", "2");
    is_set_aside("window", "abort", "windows", "2");
}

#[test]
fn in_the_result_of_a_window() {
    is_set_aside("fire", "panic", "windows", "1");
    is_set_aside("fire", "abort", "windows", "2");
}

#[test]
fn skip_counts_it() {
    let case = Case::new("2");
    let ended = case.kept(&["at=process", "how=abort", "on-bad=skip"]).args(["--report", "json"]).run();
    ended.expect(exit::OK, &["a record is set aside"]);
    let report = ended.stderr.lines().find_map(|line| serde_json::from_str::<Value>(line).ok()).unwrap();
    let sums = report["operators"].as_array().unwrap().iter().find(|operator| operator["name"] == "sums").unwrap().clone();
    assert_eq!((&sums["skipped"], &sums["dead_lettered"]), (&1.into(), &0.into()));
    assert!(case.lines("out") == case.whole());
}

#[test]
fn fail_names_it_at_its_second_trap() {
    for (at, how) in [("chain", "panic"), ("process", "abort")] {
        let case = Case::new("2");
        let ended = case.kept(&[&format!("at={at}"), &format!("how={how}")]).run();
        ended.expect(exit::FAILED, &["the job is given up: it trapped 2 times at the same record", "n=13", "on-error is to fail"]);
        assert_eq!(starts(&ended), 1, "{}", ended.stderr);
    }
}

/// A deadline depends on the machine: whatever the operator chose, the record is not set aside.
#[test]
fn a_deadline_is_tried_three_times_and_fails_the_job() {
    let case = Case::new("1");
    let ended = case.kept(&["at=process", "how=spin", "on-bad=dead-letter"]).run();
    ended.expect(exit::FAILED, &["the job is given up: it was stopped 3 times at the same record", "n=13"]);
    assert_eq!(starts(&ended), 2, "{}", ended.stderr);
    assert_eq!(case.folder.parts("out-bad").len(), 0, "nothing is a dead letter");
}

/// Whoever knew of the poison is killed: it is found again, and is one dead letter all the same.
#[test]
fn kills_in_between_change_nothing() {
    for (at, how, mode) in
        [("process", "abort", "aligned"), ("window", "panic", "aligned"), ("chain", "abort", "aligned"), ("process", "panic", "unaligned")]
    {
        let case = Case::new("2");
        let args = [&format!("at={at}") as &str, &format!("how={how}"), "on-bad=dead-letter"];
        for wait in [350, 500, 650, 800] {
            let running = case.kept(&args).args(["--checkpoint-mode", mode]).start();
            // The moment is what the test is about, not a wait for something.
            std::thread::sleep(Duration::from_millis(wait));
            running.kill();
        }
        let ended = case.kept(&args).args(["--checkpoint-mode", mode]).run();
        assert_eq!(ended.code, exit::OK, "{}", ended.stderr);
        assert_eq!(case.letters().len(), 1, "{:?}", case.letters());
        assert!(case.lines("out") == case.whole(), "{at} {how} {mode}: {}", ended.stderr);
    }
}

/// A job of a server: what a supervisor of one's own does, the server does.
#[test]
fn in_a_job_of_a_server() {
    let case = Case::new("2");
    let whole = case.whole();
    let server = Server::start(&case.folder, &[]);
    let submit = |name: &str, on_bad: &str, out: &str| {
        let submit = server.command("submit").arg(guest("test", "poison")).args(["--name", name, "--parallelism", case.parallelism]);
        let submit = submit.args(["--checkpoint-interval", "20ms", "--arg", "at=process", "--arg", "how=panic", "--arg", on_bad]);
        let submit = submit.bind("numbers", "file:bad.json?rate=8000").bind("known", &format!("file:{out}-known"));
        submit.bind("folded", &format!("file:{out}-folded"))
    };
    submit("goes-on", "on-bad=dead-letter", "out").bind("bad", "file:out-bad").run().expect(exit::OK, &[]);
    let job = server.until_state("goes-on", "finished");
    let letters = case.letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0]["record"].as_str().unwrap().contains("n=13"), "{letters:?}");
    assert!(case.lines("out") == whole, "{job:#}");
    let logs = server.command("logs").arg("goes-on").run();
    assert!(logs.stdout.contains("a record is set aside") && logs.stdout.contains("n=13"), "{}", logs.stdout);
    submit("gives-up", "on-bad=fail", "other").run().expect(exit::OK, &[]);
    let job = server.until_state("gives-up", "failed");
    assert_eq!(job["restarts"].as_u64(), Some(1), "{job:#}");
    assert!(job["end"]["causes"].to_string().contains("trapped 2 times at the same record"), "{job:#}");
}
