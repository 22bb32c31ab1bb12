//! `tidemill savepoint` and `tidemill stop`: reaching a running job, and going on from what it kept, at any parallelism.
#![allow(clippy::unwrap_used)]

use tidemill_e2e::{Ended, Folder, Running, Tidemill, exit, guest};

const EVENTS: &str = "20000";
/// Records a second of a job that is to be reached while it runs: it would run for minutes.
const RATE: &str = "?rate=200";

struct Case(Folder);

impl Case {
    fn new() -> Case {
        let folder = Folder::new();
        let datagen = Tidemill::new(folder.path(), "datagen").args(["nexmark", "--events", EVENTS, "--out", "events.json"]).run();
        assert_eq!(datagen.code, exit::OK, "{}", datagen.stderr);
        Case(folder)
    }

    /// A command whose sockets are this test's alone.
    fn command(&self, name: &str) -> Tidemill {
        let sockets = self.0.join("sockets");
        Tidemill::new(self.0.path(), name).with(|command| _ = command.env("XDG_RUNTIME_DIR", sockets))
    }

    fn job(&self, name: &str, out: &str, rate: &str, parallelism: &str) -> Tidemill {
        let (events, results) = (format!("file:events.json{rate}"), format!("file:{out}"));
        let run =
            self.command("run").arg(guest("rust", "nexmark")).args(["--arg", "query=q11", "--name", name, "--parallelism", parallelism]);
        run.bind("events", &events).bind("results", &results)
    }

    fn kept(&self, name: &str, rate: &str, parallelism: &str) -> Tidemill {
        self.job(name, "out", rate, parallelism).args(["--checkpoint-dir", "kept", "--checkpoint-interval", "20ms"])
    }

    fn undisturbed(&self) -> Vec<String> {
        self.job("whole", "whole", "", "2").run().expect(exit::OK, &[]);
        self.0.sorted_lines("whole")
    }

    /// A job that can be reached and has a checkpoint with open sessions.
    fn running(&self, job: Tidemill) -> Running {
        let running = job.start();
        // Not a sleep: it can be reached when there is a checkpoint, and sessions are open when that has a part.
        while self.0.entries("kept/log").len() < 2 || self.0.entries("kept/parts").is_empty() {
            std::thread::yield_now();
        }
        running
    }

    fn savepoint(&self, args: &[&str]) -> Ended {
        self.command("savepoint").args(args).run()
    }

    fn stop(&self, args: &[&str]) -> Ended {
        self.command("stop").args(args).run()
    }
}

fn url(ended: &Ended) -> String {
    ended.expect(exit::OK, &["of keyed state"]);
    ended.stdout.trim_end().to_owned()
}

#[test]
fn a_job_goes_on_from_the_savepoint_of_its_stop_at_another_parallelism() {
    let case = Case::new();
    let whole = case.undisturbed();
    let first = case.running(case.kept("sessions", RATE, "1"));
    let savepoint = url(&case.stop(&["sessions", "--savepoint", "--name", "before-upgrade"]));
    first.end().expect(exit::OK, &[]);
    assert!(savepoint.ends_with("/kept/savepoints/before-upgrade"), "{savepoint}");
    let shown = case.0.sorted_lines("out");
    // The same command goes on; what was shown before stays.
    case.kept("sessions", "", "4").run().expect(exit::OK, &["going on from checkpoint"]);
    assert_eq!(case.0.sorted_lines("out"), whole);
    // Another job begins with the savepoint, and shows exactly what the first had not yet.
    let other = case.job("other", "rest", "", "2").args(["--checkpoint-dir", "other", "--from", &savepoint]);
    other.run().expect(exit::OK, &["going on from savepoint before-upgrade"]);
    let mut both = case.0.sorted_lines("rest");
    both.extend(shown);
    both.sort_unstable();
    assert_eq!(both, whole);
}

#[test]
fn a_savepoint_elsewhere_stands_by_itself_and_can_be_taken_over() {
    let case = Case::new();
    let whole = case.undisturbed();
    let running = case.running(case.kept("sessions", RATE, "2"));
    let savepoint = url(&case.savepoint(&["sessions", "--to", "shelf", "--name", "a"]));
    case.savepoint(&["sessions", "--to", "shelf", "--name", "a"]).expect(exit::REFUSED, &["is a savepoint", "another --name"]);
    let named = url(&case.savepoint(&["sessions"]));
    assert!(named.contains("/kept/savepoints/20"), "{named}");
    case.stop(&["sessions"]).expect(exit::OK, &[]);
    running.end().expect(exit::OK, &[]);
    std::fs::remove_dir_all(case.0.join("kept")).unwrap();
    let again = case.job("again", "again", "", "3").args(["--checkpoint-dir", "mine", "--from", &savepoint, "--claim"]);
    again.run().expect(exit::OK, &["going on from savepoint a", "is deleted"]);
    assert!(case.0.sorted_lines("again").iter().all(|line| whole.contains(line)));
    assert!(case.0.entries("shelf/savepoints").is_empty() && case.0.entries("shelf/parts").is_empty());
}

#[test]
fn a_drained_job_fires_what_is_open_and_does_not_go_on() {
    let case = Case::new();
    let running = case.running(case.kept("sessions", RATE, "2"));
    case.stop(&["sessions", "--drain"]).expect(exit::OK, &[]);
    running.end().expect(exit::OK, &[]);
    assert!(!case.0.sorted_lines("out").is_empty(), "every session that was open has ended");
    case.kept("sessions", "", "2").run().expect(exit::OK, &["come to its end before"]);
}

#[test]
fn a_job_without_checkpoints_can_be_stopped_but_not_kept() {
    let case = Case::new();
    let (running, _open) = case.command("run").arg(guest("rust", "wordcount")).args(["--name", "words"]).start_open();
    while case.0.entries("sockets/tidemill").is_empty() {
        std::thread::yield_now();
    }
    case.savepoint(&["words"]).expect(exit::REFUSED, &["keeps no checkpoints", "--checkpoint-dir"]);
    case.savepoint(&["word"]).expect(exit::REFUSED, &["no job word runs here", "did you mean `words`?"]);
    case.stop(&["words"]).expect(exit::OK, &[]);
    running.end().expect(exit::OK, &[]);
    case.stop(&["words"]).expect(exit::REFUSED, &["no job words runs here"]);
    case.savepoint(&["words", "--name", "Not This"]).expect(exit::USAGE, &["small letters"]);
}

#[test]
fn of_two_jobs_of_one_name_the_process_is_named() {
    let case = Case::new();
    let starts = [0, 1].map(|_| case.command("run").arg(guest("rust", "wordcount")).start_open());
    while case.0.entries("sockets/tidemill").len() < 2 {
        std::thread::yield_now();
    }
    let refused = case.stop(&["wordcount"]);
    refused.expect(exit::REFUSED, &["2 jobs are called wordcount", "name the process"]);
    for (running, _open) in starts {
        case.stop(&[&running.id().to_string()]).expect(exit::OK, &[]);
        running.end().expect(exit::OK, &[]);
    }
}
