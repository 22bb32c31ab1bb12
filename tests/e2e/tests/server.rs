//! `tidemill serve` and the commands that ask it: jobs that are uploaded, watched, changed and ended, as a user does it.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tidemill_e2e::{Ended, Folder, Server, Tidemill, exit, guest, kill_process};

/// Records of an input.
const NUMBERS: usize = 12_000;
/// Records a second of a job that something happens to: it runs for a few seconds.
const RATE: &str = "?rate=1200";
const KEYS: usize = 7;

/// A folder with the input of the job that counts.
fn case() -> Folder {
    let folder = Folder::new();
    let lines: String = (0..NUMBERS).map(|n| format!("{{\"k\":{}}}\n", n % KEYS)).collect();
    folder.write("numbers.json", lines);
    folder
}

/// Every count of every key, once.
fn expected() -> Vec<String> {
    let mut lines: Vec<String> = (0..NUMBERS).map(|n| format!("{{\"k\":{},\"count\":{}}}", n % KEYS, n / KEYS + 1)).collect();
    lines.sort_unstable();
    lines
}

/// The job that counts, about to be submitted.
fn counting(server: &Server<'_>, rate: &str) -> Tidemill {
    let submit = server.command("submit").arg(guest("test", "swap")).args(["--name", "counts", "--checkpoint-interval", "50ms"]);
    submit.bind("numbers", &format!("file:numbers.json{rate}")).bind("counts", "file:out")
}

fn submitted(ended: &Ended) -> String {
    ended.expect(exit::OK, &[]);
    ended.stdout.trim().to_owned()
}

fn has_checkpoint(job: &Value) -> bool {
    job["status"]["checkpoints"]["completed"].as_u64() > Some(0) && job["status"]["records_in"].as_u64() > Some(100)
}

#[test]
fn a_job_is_uploaded_watched_and_comes_to_its_end() {
    let folder = case();
    let server = Server::start(&folder, &[]);
    let id = submitted(&counting(&server, "").run());
    let job = server.until_state("counts", "finished");
    assert_eq!((job["id"].as_str(), job["restarts"].as_u64()), (Some(id.as_str()), Some(0)));
    assert_eq!(job["status"]["records_in"].as_u64(), Some(NUMBERS as u64));
    assert_eq!(folder.sorted_lines("out"), expected());
    let list = server.command("list").run();
    assert!(list.stdout.contains("counts") && list.stdout.contains("finished"), "{}", list.stdout);
    let status = server.command("status").arg(&id).run();
    for text in ["finished", "count", "12,000", "submitted"] {
        assert!(status.stdout.contains(text), "{text}: {}", status.stdout);
    }
    let components = server.command("components").run();
    assert!(components.stdout.contains("0.2.0"), "{}", components.stdout);
    let explained = server.command("explain").arg("counts").run();
    assert!(explained.stdout.contains("key k"), "{}", explained.stdout);
    server.command("forget").arg("counts").run().expect(exit::OK, &[]);
    server.command("status").arg("counts").run().expect(exit::REFUSED, &["there is no job", "job-not-found"]);
    assert!(folder.entries("data/jobs").is_empty() && server.runners().is_empty());
}

#[test]
fn a_component_is_uploaded_once_and_named_by_its_digest() {
    let folder = case();
    let server = Server::start(&folder, &[]);
    let add = || server.command("components").arg("add").arg(guest("test", "swap")).run();
    let first = add();
    first.expect(exit::OK, &["is uploaded"]);
    let again = add();
    assert!(again.code == exit::OK && again.stderr.is_empty() && again.stdout == first.stdout, "{again:?}");
    let digest = first.stdout.trim().to_owned();
    let by_digest = server.command("submit").arg(format!("sha256:{}", &digest[..12])).bind("numbers", "datagen:rows?count=10");
    submitted(&by_digest.bind("counts", "discard:").args(["--name", "few"]).run());
    server.until_state("few", "finished");
    server.command("components").args(["rm", &digest[..12]]).run().expect(exit::OK, &[]);
    assert!(folder.entries("data/components").is_empty() && folder.entries("data/incoming").is_empty());
}

#[test]
fn a_server_that_is_killed_finds_its_jobs_running() {
    let folder = case();
    let mut server = Server::start(&folder, &[]);
    submitted(&counting(&server, RATE).run());
    let before = server.until("counts", "at a checkpoint", has_checkpoint);
    server.kill();
    assert_eq!(server.runners().len(), 1, "the job goes on without its server");
    server.start_again(&[]);
    let after = server.until_state("counts", "running");
    assert_eq!((&after["pid"], &after["restarts"], &after["id"]), (&before["pid"], &before["restarts"], &before["id"]));
    server.until_state("counts", "finished");
    assert_eq!(folder.sorted_lines("out"), expected());
}

#[test]
fn a_runner_that_died_without_its_server_is_started_from_its_checkpoint() {
    let folder = case();
    let mut server = Server::start(&folder, &[]);
    submitted(&counting(&server, RATE).run());
    server.until("counts", "at a checkpoint", has_checkpoint);
    server.kill();
    server.runners().into_iter().for_each(kill_process);
    server.start_again(&[]);
    let job = server.until_state("counts", "finished");
    assert_eq!(job["restarts"].as_u64(), Some(1), "{job:#}");
    assert_eq!(folder.sorted_lines("out"), expected());
}

#[test]
fn a_runner_that_is_killed_is_started_again_and_says_so() {
    let folder = case();
    let server = Server::start(&folder, &[]);
    submitted(&counting(&server, RATE).run());
    let job = server.until("counts", "at a checkpoint", has_checkpoint);
    kill_process(u32::try_from(job["pid"].as_u64().unwrap()).unwrap());
    let job = server.until_state("counts", "finished");
    assert_eq!(job["restarts"].as_u64(), Some(1), "{job:#}");
    assert_eq!(folder.sorted_lines("out"), expected());
    let logs = server.command("logs").arg("counts").run();
    assert!(logs.stdout.contains("was killed by SIGKILL") && logs.stdout.contains("going on from checkpoint"), "{}", logs.stdout);
    let warnings = server.command("logs").args(["counts", "--operator", "supervisor", "--json"]).run();
    assert_eq!(warnings.stdout.lines().count(), 1, "{}", warnings.stdout);
}

#[test]
fn a_job_that_always_fails_is_given_up() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let numbers = folder.write("bad.json", "{\"k\":\"no number\"}\n");
    let submit = server.command("submit").arg(guest("test", "swap")).args(["--name", "bad"]).bind("counts", "discard:");
    submitted(&submit.bind("numbers", &format!("file:{}", numbers.display())).run());
    let job = server.until("bad", "restarted", |job| job["restarts"].as_u64() >= Some(2));
    assert!(job["last_failure"].as_str().unwrap().contains("bad.json:1"), "{job:#}");
    server.command("stop").arg("bad").run().expect(exit::OK, &[]);
    server.until_state("bad", "stopped");
    // Refused before anything runs: a start would not mend it.
    let missing = server.command("submit").arg(guest("test", "swap")).args(["--name", "missing"]).bind("counts", "discard:");
    submitted(&missing.bind("numbers", "file:nowhere.json").run());
    let job = server.until_state("missing", "failed");
    assert_eq!(job["restarts"].as_u64(), Some(0));
    assert!(job["end"]["message"].as_str().unwrap().contains("nowhere.json"), "{job:#}");
}

#[test]
fn another_parallelism_takes_the_state_along() {
    let folder = case();
    let server = Server::start(&folder, &[]);
    submitted(&counting(&server, RATE).run());
    server.until("counts", "at a checkpoint", has_checkpoint);
    let rescaled = server.command("rescale").args(["counts", "-p", "3"]).run();
    rescaled.expect(exit::OK, &[]);
    assert!(rescaled.stdout.contains("rescaled from 1 to 3"), "{}", rescaled.stdout);
    let job = server.until_state("counts", "finished");
    assert_eq!((job["version"]["workers"].as_u64(), job["history"].as_array().map(Vec::len)), (Some(3), Some(1)), "{job:#}");
    assert_eq!(folder.sorted_lines("out"), expected());
}

#[test]
fn a_job_stops_with_a_savepoint_that_another_begins_with() {
    let folder = case();
    let server = Server::start(&folder, &[]);
    submitted(&counting(&server, RATE).run());
    server.until("counts", "at a checkpoint", has_checkpoint);
    let kept = server.command("savepoint").args(["counts", "--name", "while-it-runs"]).run();
    kept.expect(exit::OK, &["of keyed state"]);
    let stopped = server.command("stop").args(["counts", "--savepoint", "--name", "at-the-end"]).run();
    stopped.expect(exit::OK, &["of keyed state"]);
    let url = stopped.stdout.trim().to_owned();
    assert!(url.ends_with("/savepoints/at-the-end"), "{url}");
    assert_eq!(server.job("counts")["state"], "stopped");
    let mut shown = folder.sorted_lines("out");
    let rest = server.command("submit").arg(guest("test", "swap")).args(["--name", "rest", "-p", "2", "--from", &url]);
    submitted(&rest.bind("numbers", "file:numbers.json").bind("counts", "file:rest").run());
    server.until_state("rest", "finished");
    shown.extend(folder.sorted_lines("rest"));
    shown.sort_unstable();
    assert_eq!(shown, expected());
}

#[test]
fn a_job_is_cancelled_at_once() {
    let folder = case();
    let server = Server::start(&folder, &[]);
    submitted(&counting(&server, "?rate=10").run());
    server.until_state("counts", "running");
    server.command("cancel").arg("counts").run().expect(exit::OK, &["counts is cancelled"]);
    assert!(server.runners().is_empty());
    server.command("cancel").arg("counts").run().expect(exit::REFUSED, &["has ended", "job-state"]);
    // Its name is free again.
    let again = server.command("submit").arg(guest("test", "swap")).args(["--name", "counts"]).bind("counts", "discard:");
    submitted(&again.bind("numbers", "datagen:rows?count=10").run());
    server.until_state("counts", "finished");
}

#[test]
fn there_is_room_or_there_is_not_and_the_arithmetic_says_why() {
    let folder = case();
    let server = Server::start(&folder, &["--slots", "3", "--memory", "2GiB"]);
    let endless = |name: &str, workers: &str| {
        let submit = server.command("submit").arg(guest("test", "swap")).args(["--name", name, "-p", workers, "--memory", "256MiB"]);
        submit.bind("numbers", "datagen:rows?rate=10").bind("counts", "discard:")
    };
    submitted(&endless("first", "2").run());
    let refused = endless("second", "2").run();
    refused.expect(
        exit::REFUSED,
        &[
            "needs 2 slots and 768 MiB (2 x 256 MiB + 256 MiB for the runner)",
            "1 of 3 slots",
            "parallelism 1 fits",
            "the end of first",
            "no-room",
        ],
    );
    submitted(&endless("second", "1").run());
    endless("first", "1").run().expect(exit::REFUSED, &["a job is called first already", "name-taken"]);
    server.command("rescale").args(["second", "-p", "2"]).run().expect(exit::REFUSED, &["no-room"]);
    server.command("stop").arg("first").run().expect(exit::OK, &[]);
    server.command("rescale").args(["second", "-p", "2"]).run().expect(exit::OK, &[]);
    endless("third", "1").args(["--memory", "4GiB"]).run();
    let above = server.command("submit").arg(guest("test", "swap")).args(["--name", "above", "--memory", "4GiB"]);
    above.bind("numbers", "datagen:rows").bind("counts", "discard:").run().expect(exit::REFUSED, &["limit-refused", "gives 2048 MiB"]);
}

#[test]
fn what_cannot_run_is_refused_before_anything_does() {
    let folder = case();
    let server = Server::start(&folder, &[]);
    let text = folder.write("text.wasm", "(component)");
    server.command("submit").arg(text).run().expect(exit::REFUSED, &["component-text", "tidemill build"]);
    let noise = folder.write("noise.wasm", b"\0asm\x0d\0\x01\0 and then nothing that is one");
    server.command("submit").arg(noise).run().expect(exit::REFUSED, &["component-invalid"]);
    assert!(folder.entries("data/components").is_empty() && folder.entries("data/incoming").is_empty());
    let job = || server.command("submit").arg(guest("test", "swap")).args(["--name", "no"]);
    job().run().expect(exit::REFUSED, &["binding numbers = stdin:", "no standard input", "binding-refused"]);
    job()
        .bind("numbers", "file:/etc/passwd")
        .bind("counts", "discard:")
        .run()
        .expect(exit::REFUSED, &["binding-refused", "it lets them use"]);
    job().bind("numbers", "socket://127.0.0.1:9").bind("counts", "discard:").run().expect(exit::REFUSED, &["--allow-connect"]);
    job().bind("nubers", "datagen:rows").run().expect(exit::REFUSED, &["binding-unknown", "did you mean `numbers`?"]);
    job().args(["--arg", "version=3"]).run().expect(exit::REFUSED, &["plan-refused", "is no choice"]);
    job().args(["--state-memory", "64MiB"]).run().expect(exit::REFUSED, &["keeps the state of its jobs in memory", "--memory"]);
    assert!(folder.entries("data/jobs").is_empty());
}

#[test]
fn beyond_this_machine_there_is_a_token() {
    let folder = case();
    let open = Tidemill::new(folder.path(), "serve").args(["--listen", "0.0.0.0:0", "--data-dir", "data"]).run();
    open.expect(exit::REFUSED, &["there is no token", "--token-file"]);
    let server = Server::start(&folder, &["--token-file", "token"]);
    server.command("list").run().expect(exit::REFUSED, &["brings no token", "unauthorized"]);
    server.command("list").args(["--token-file", "token"]).run().expect(exit::OK, &[]);
    let token = std::fs::read_to_string(folder.join("token")).unwrap();
    let wrong = |token: String| server.command("list").with(|command| _ = command.env("TIDEMILL_TOKEN", token)).run();
    wrong(token.trim().to_owned()).expect(exit::OK, &[]);
    wrong("0".repeat(64)).expect(exit::REFUSED, &["the token is wrong"]);
}

#[test]
fn one_server_has_the_data_and_leaves_its_jobs_running() {
    let folder = case();
    let mut server = Server::start(&folder, &[]);
    let second = Tidemill::new(folder.path(), "serve").args(["--listen", "127.0.0.1:0", "--data-dir", "data"]).run();
    second.expect(exit::REFUSED, &[&format!("process {}", server.id()), "--data-dir"]);
    submitted(&counting(&server, "?rate=10").run());
    server.until_state("counts", "running");
    server.terminate().expect(exit::OK, &["these jobs go on running: counts"]);
    assert_eq!(server.runners().len(), 1);
    server.start_again(&["--stop-jobs"]);
    server.until_state("counts", "running");
    server.terminate().expect(exit::OK, &["stopping 1 jobs"]);
    assert!(server.runners().is_empty());
    server.start_again(&[]);
    assert_eq!(server.job("counts")["state"], "stopped");
}

#[test]
fn events_and_logs_are_followed() {
    let folder = case();
    let server = Server::start(&folder, &[]);
    let mut events = server.command("events").start();
    assert!(events.line().contains("listening"));
    let digest = server.command("components").arg("add").arg(guest("test", "swap")).run().stdout;
    let mut heard = Vec::new();
    submitted(&counting(&server, RATE).run());
    while !heard.iter().any(|line: &String| line.contains("counts job-running")) {
        heard.push(events.line());
    }
    assert!(heard.iter().any(|line| line.contains("counts job-submitted") && line.contains(&digest[..12])), "{heard:?}");
    let logs = server.command("logs").args(["counts", "-f"]).start();
    let job = server.until("counts", "at a checkpoint", has_checkpoint);
    kill_process(u32::try_from(job["pid"].as_u64().unwrap()).unwrap());
    let logs = logs.end();
    logs.expect(exit::OK, &[]);
    assert!(logs.stdout.contains("warn supervisor: the job's process was killed by SIGKILL"), "{}", logs.stdout);
    assert!(logs.stdout.contains("going on from checkpoint"), "{}", logs.stdout);
    assert_eq!(server.job("counts")["state"], "finished", "a log that is followed ends with its job");
    kill_process(events.id());
    events.end();
}

#[test]
fn servers_have_names() {
    let folder = case();
    let server = Server::start(&folder, &[]);
    let config = folder.join("config");
    let command = |name: &str| {
        Tidemill::new(folder.path(), name).with(|command| _ = command.env("XDG_CONFIG_HOME", &config).env_remove("TIDEMILL_SERVER"))
    };
    command("context").args(["add", "here", server.url()]).run().expect(exit::OK, &[]);
    command("context").args(["add", "there", "http://127.0.0.1:1"]).run().expect(exit::OK, &[]);
    command("list").run().expect(exit::OK, &[]);
    command("list").args(["--server", "there"]).run().expect(exit::REFUSED, &["no server answers at http://127.0.0.1:1"]);
    command("list").args(["--server", "ther"]).run().expect(exit::REFUSED, &["did you mean `there`?"]);
    command("context").args(["use", "there"]).run().expect(exit::OK, &[]);
    command("list").run().expect(exit::REFUSED, &["no server answers"]);
    assert!(command("context").run().stdout.contains('*'));
    for shell in ["bash", "zsh", "fish"] {
        let script = command("completions").arg(shell).run();
        assert!(script.code == exit::OK && script.stdout.contains("rescale"), "{shell}");
    }
}
