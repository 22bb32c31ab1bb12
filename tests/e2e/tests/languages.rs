//! One contract in every language: a job keeps its state when its component is replaced by that of another language.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use tidemill_e2e::{Folder, Tidemill, exit, guest};

/// The languages whose components take over from each other, each in both directions with Rust.
const OTHERS: [&str; 4] = ["python", "ts", "go", "c"];

/// A job of the examples and its bindings.
struct Job {
    name: &'static str,
    source: &'static str,
    sink: &'static str,
    input: String,
}

impl Job {
    /// Every result depends on all words before it: state that is lost or read wrongly shows.
    fn words() -> Job {
        let input = (0..3000).fold(String::new(), |mut text, i| {
            writeln!(text, "w{} all W{} é{}", i % 7, i % 11, i % 3).unwrap();
            text
        });
        Job { name: "wordcount", source: "lines", sink: "counts", input }
    }

    /// Windows of ten seconds, all of them open when the job changes its language.
    fn readings() -> Job {
        let input = (0..3000).fold(String::new(), |mut text, i| {
            writeln!(text, r#"{{"sensor":"s{}","celsius":{}.25,"at":{}}}"#, i % 5, i % 40, 1_700_000_000_000_i64 + (i * 7) % 9000).unwrap();
            text
        });
        Job { name: "sensor-windows", source: "readings", sink: "averages", input }
    }

    fn run(&self, here: &Folder, language: &str, out: &str, rate: &str) -> Tidemill {
        let sockets = here.join("sockets");
        Tidemill::new(here.path(), "run")
            .with(|command| _ = command.env("XDG_RUNTIME_DIR", sockets))
            .arg(guest(language, self.name))
            .args(["--name", self.name, "--parallelism", "2"])
            .bind(self.source, &format!("file:input{rate}"))
            .bind(self.sink, &format!("file:{out}"))
    }

    /// Begins in one language, is stopped with its state, goes on in another.
    fn change(&self, from: &str, to: &str) {
        let here = Folder::new();
        here.write("input", &self.input);
        self.run(&here, from, "whole", "").run().expect(exit::OK, &[]);
        let kept = |language: &str, rate: &str| {
            self.run(&here, language, "out", rate).args(["--checkpoint-dir", "kept", "--checkpoint-interval", "20ms"])
        };
        let running = kept(from, "?rate=1500").start();
        // Not a sleep: there is state to take over when a checkpoint has a part.
        while here.entries("kept/parts").is_empty() {
            std::thread::yield_now();
        }
        let sockets = here.join("sockets");
        let stop = Tidemill::new(here.path(), "stop").with(|command| _ = command.env("XDG_RUNTIME_DIR", sockets));
        stop.args([self.name, "--savepoint"]).run().expect(exit::OK, &["of keyed state"]);
        running.end().expect(exit::OK, &[]);
        kept(to, "").run().expect(exit::OK, &["going on from checkpoint"]);
        assert_eq!(here.sorted_lines("out"), here.sorted_lines("whole"), "{} from {from} to {to}", self.name);
    }
}

#[test]
fn running_counts_go_on_in_another_language() {
    for other in OTHERS {
        Job::words().change("rust", other);
        Job::words().change(other, "rust");
    }
}

#[test]
fn open_windows_go_on_in_another_language() {
    for other in OTHERS {
        Job::readings().change("rust", other);
        Job::readings().change(other, "rust");
    }
}
