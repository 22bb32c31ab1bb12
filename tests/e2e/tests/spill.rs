//! State of ten times the budget gives what a job without a budget gives, also when the job is killed; it is only slower.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::Duration;

use serde_json::Value;
use tidemill_e2e::{Ended, Folder, Tidemill, exit, guest};

const KEYS: i64 = 1_500;
const RECORDS: i64 = 12_000;
/// Bytes of state of a key in each operator: some 15 MB in the process function alone.
const BYTES: &str = "bytes=10000";
const BUDGET: &str = "2MiB";
const SINKS: [&str; 3] = ["known", "folded", "met"];

struct Case(Folder);

impl Case {
    fn new() -> Case {
        let folder = Folder::new();
        // Every key comes back after a while; which one comes next is not told by the one before.
        let line = |i: i64| format!("{{\"key\":{},\"n\":{},\"at\":{}}}\n", i * 7919 % KEYS, i % 1000, i * 3);
        folder.write("numbers.json", (0..RECORDS).map(line).collect::<String>());
        Case(folder)
    }

    fn job(&self, out: &str, input: &str, parallelism: &str) -> Tidemill {
        let job = Tidemill::new(self.0.path(), "run").arg(guest("test", "large")).args(["--arg", BYTES, "--parallelism", parallelism]);
        let job = job.bind("numbers", &format!("file:{input}")).args(["--report", "json"]);
        SINKS.into_iter().fold(job, |job, sink| job.bind(sink, &format!("file:{out}-{sink}")))
    }

    /// With a budget of a tenth.
    fn tight(&self, out: &str, input: &str, parallelism: &str) -> Tidemill {
        self.job(out, input, parallelism).args(["--state-memory", BUDGET, "--state-dir", "scratch"])
    }

    fn lines(&self, out: &str) -> [Vec<String>; 3] {
        SINKS.map(|sink| self.0.sorted_lines(&format!("{out}-{sink}")))
    }
}

fn report(ended: &Ended) -> Value {
    ended.expect(exit::OK, &[]);
    ended.stderr.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap()
}

#[test]
fn a_tenth_of_the_memory_gives_the_same() {
    let case = Case::new();
    let roomy = report(&case.job("roomy", "numbers.json", "1").run());
    assert_eq!((&roomy["state_moved_out"], &roomy["state_moved_back"]), (&0.into(), &0.into()));
    let whole = case.lines("roomy");
    assert!(whole.iter().all(|lines| lines.len() as i64 >= KEYS), "{:?}", whole.each_ref().map(Vec::len));
    for parallelism in ["1", "2"] {
        let out = format!("tight-{parallelism}");
        let tight = report(&case.tight(&out, "numbers.json", parallelism).run());
        for moved in ["state_moved_out", "state_moved_back"] {
            assert!(tight[moved].as_i64().unwrap() > 2 * KEYS, "{moved} {}", tight[moved]);
        }
        assert!(case.lines(&out) == whole, "at {parallelism}");
        assert_eq!(case.0.entries("scratch").len(), 0, "nothing is left behind");
    }
}

#[test]
fn checkpoints_have_what_is_out_and_kills_change_nothing() {
    kills_change_nothing("aligned");
}

#[test]
fn unaligned_checkpoints_have_what_is_out_too() {
    kills_change_nothing("unaligned");
}

fn kills_change_nothing(mode: &str) {
    let case = Case::new();
    report(&case.job("roomy", "numbers.json", "2").run());
    let kept = |input: &str, parallelism: &str| {
        let job = case.tight("out", input, parallelism);
        let job = job.args(["--checkpoint-dir", "kept", "--checkpoint-interval", "50ms", "--restart-delay", "20ms"]);
        job.args(["--checkpoint-mode", mode])
    };
    for (wait, parallelism) in [(900, "2"), (1300, "1"), (1100, "3"), (1500, "2"), (1200, "2")] {
        let running = kept("numbers.json?rate=3000", parallelism).start();
        // The moment is what the test is about, not a wait for something.
        std::thread::sleep(Duration::from_millis(wait));
        running.kill();
    }
    // The runner of a killed supervisor dies a little later, and has its folder until then; the next start leaves such a folder alone.
    for folder in case.0.entries("scratch") {
        let folder = case.0.path().join("scratch").join(folder);
        fs::File::open(&folder).and_then(|folder| folder.lock()).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    }
    let last = report(&kept("numbers.json", "2").run());
    assert!(last["state_moved_out"].as_i64().unwrap() > 0, "{last}");
    assert!(case.lines("out") == case.lines("roomy"));
    assert_eq!(case.0.entries("scratch").len(), 0, "what the killed ones left is removed");
}

#[test]
fn a_budget_that_cannot_be_is_refused() {
    let case = Case::new();
    case.job("out", "numbers.json", "4").args(["--state-memory", "3MiB"]).run().expect(exit::USAGE, &["less than 1 MiB", "at least 4MiB"]);
    case.job("out", "numbers.json", "1").args(["--state-dir", "scratch"]).run().expect(exit::USAGE, &["--state-dir needs --state-memory"]);
    case.0.write("file", "");
    let refused = case.job("out", "numbers.json", "1").args(["--state-memory", "3MiB", "--state-dir", "file"]).run();
    refused.expect(exit::REFUSED, &["cannot use file", "--state-dir names another folder"]);
}
