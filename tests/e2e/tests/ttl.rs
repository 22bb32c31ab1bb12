//! State that lives for a time, in a component of the Rust SDK: seen until its end, gone behind it, also from checkpoints, and as old after a
//! restart as it was.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemill_e2e::{Folder, Running, Tidemill, exit, guest};

/// How long something may take to be seen before the test calls it wrong.
const PATIENCE: Duration = Duration::from_secs(60);

struct Job {
    running: Running,
    to: TcpStream,
}

impl Job {
    /// Starts the job, or goes on with it, where `listener` gives it its records.
    fn start(folder: &Folder, listener: &TcpListener, args: &[&str]) -> Job {
        let url = format!("socket://{}", listener.local_addr().unwrap());
        let job =
            Tidemill::new(folder.path(), "run").arg(guest("test", "expiring")).args(["--name", "expiring", "--checkpoint-dir", "kept"]);
        let running = job.args(args).bind("rows", &url).with(|command| _ = command.env("XDG_RUNTIME_DIR", folder.join("sockets"))).start();
        Job { running, to: listener.accept().unwrap().0 }
    }

    fn tell(&mut self, key: &str, what: &str, at: i64) {
        writeln!(self.to, "{}", json!({"key": key, "do": what, "at": at})).unwrap();
    }

    /// What comes out for a record.
    fn ask(&mut self, key: &str, what: &str, at: i64) -> String {
        self.tell(key, what, at);
        let line: Value = serde_json::from_str(&self.running.line()).unwrap();
        assert_eq!(line["key"], key, "{line}");
        line["what"].as_str().unwrap().to_owned()
    }

    /// Asks until the answer is this: time is on its way.
    fn until(&mut self, (key, what, at): (&str, &str, i64), expected: &str) {
        let begun = Instant::now();
        while self.ask(key, what, at) != expected {
            assert!(begun.elapsed() < PATIENCE, "{what} of {key} is never {expected}");
        }
    }

    fn stop(self, folder: &Folder) {
        let stop =
            Tidemill::new(folder.path(), "stop").arg("expiring").with(|command| _ = command.env("XDG_RUNTIME_DIR", folder.join("sockets")));
        stop.run().expect(exit::OK, &[]);
        self.running.end().expect(exit::OK, &[]);
    }
}

/// The keys of which the last checkpoint has state.
fn saved(folder: &Folder) -> Vec<String> {
    let read = Tidemill::new(folder.path(), "checkpoint").args(["read", "kept", "--operator", "p"]).run();
    read.expect(exit::OK, &[]);
    let key = |line: &str| serde_json::from_str::<Value>(line).unwrap()["key"]["key"].as_str().unwrap().to_owned();
    let mut keys: Vec<String> = read.stdout.lines().map(key).collect();
    keys.sort();
    keys
}

#[test]
fn in_event_time_over_a_restart() {
    let (folder, listener) = (Folder::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let args = |parallelism| ["--arg", "ms=100", "--arg", "domain=event", "--parallelism", parallelism];
    let mut job = Job::start(&folder, &listener, &args("2"));
    job.tell("quiet", "put one", 1_000);
    job.tell("asked", "put one; append x; enter k 1", 1_000);
    job.tell("other", "put two", 1_050);
    // The watermark is 1,098 at most.
    assert_eq!(job.ask("asked", "get", 1_099), "one");
    job.tell("new", "put three; append y; enter l 2", 1_149);
    job.until(("asked", "get", 1_149), "none");
    job.stop(&folder);
    assert_eq!(saved(&folder), ["new", "other"], "what has expired is let go, also of a key that nobody comes back to");
    let mut job = Job::start(&folder, &listener, &args("1"));
    assert_eq!(job.ask("new", "get; append z", 1_240), "three");
    assert_eq!(job.ask("other", "put again; get", 1_240), "again");
    job.tell("last", "put four", 1_250);
    job.until(("new", "get", 1_250), "none");
    assert_eq!(job.ask("new", "list", 1_250), "z");
    job.stop(&folder);
    assert_eq!(saved(&folder), ["last", "new", "other"]);
}

#[test]
fn in_processing_time() {
    const LIFE: Duration = Duration::from_millis(400);
    let (folder, listener) = (Folder::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let mut job = Job::start(&folder, &listener, &["--arg", "ms=400", "--arg", "domain=processing", "--arg", "by-reads=true"]);
    job.tell("quiet", "put one", 1);
    let written = Instant::now();
    assert_eq!(job.ask("asked", "put two; get", 1), "two");
    // Asked again and again it lives on, well behind its time.
    while written.elapsed() < 3 * LIFE {
        let before = Instant::now();
        let answer = job.ask("asked", "get", 2);
        assert!(answer == "two" || before.elapsed() > LIFE / 2, "it has expired although it is read");
        if answer != "two" {
            job.tell("asked", "put two", 2);
        }
    }
    job.until(("quiet", "get", 2), "none");
    job.stop(&folder);
    assert!(!saved(&folder).contains(&"quiet".to_owned()));
}
