//! `tidemill explain watermark` and `explain why-no-output`: of a job that stands still, of one that has ended, and of a server's.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemill_e2e::{Folder, Running, Server, Tidemill, exit, guest};

/// How long an answer may take to come before the test calls it wrong.
const PATIENCE: Duration = Duration::from_secs(60);

fn source(name: &str) -> Value {
    json!({"name": name, "kind": {"source": {"binding": name, "format": "json", "time": "t", "watermarks": "monotonic"}},
        "outputs": [{"schema": "k:i64,t:i64"}]})
}

fn window(from: &str) -> Value {
    json!({"name": "per-minute", "kind": {"window": {"key": ["k"], "assigner": {"tumbling": {"size_ms": 60_000}}, "compute": {"host": "count"}}},
        "inputs": [{"from": from}], "outputs": [{"schema": "k:i64,start:i64,end:i64,count:i64"}]})
}

/// A plan of these operators, and a sink behind the window.
fn plan(operators: &[Value]) -> String {
    let sink = json!({"name": "counts", "kind": {"sink": {"binding": "counts", "format": "json"}}, "inputs": [{"from": "per-minute"}]});
    let operators: Vec<&Value> = operators.iter().chain([&sink]).collect();
    format!("plan={}", json!({"contract": "0.2.0", "operators": operators}))
}

/// Counts by the minute over two connections.
fn two_sides() -> String {
    let both =
        json!({"name": "both", "kind": "union", "inputs": [{"from": "left"}, {"from": "right"}], "outputs": [{"schema": "k:i64,t:i64"}]});
    plan(&[source("left"), source("right"), both, window("both")])
}

/// A command whose sockets are this test's alone.
fn command(folder: &Folder, name: &str) -> Tidemill {
    let sockets = folder.join("sockets");
    Tidemill::new(folder.path(), name).with(|command| _ = command.env("XDG_RUNTIME_DIR", sockets))
}

/// A job over two connections, and their other ends.
fn start(folder: &Folder, name: &str, idle: &str) -> (Running, [TcpStream; 2], String) {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let [left, right] = [0, 1].map(|side: usize| format!("socket://{}", listeners[side].local_addr().unwrap()));
    let job = command(folder, "run").arg(guest("test", "any-plan")).args(["--name", name, "--idle-timeout", idle, "--arg", &two_sides()]);
    let running = job.bind("left", &left).bind("right", &right).bind("counts", "file:out").start();
    let streams = listeners.map(|listener| listener.accept().unwrap().0);
    (running, streams, right.replace("://", " "))
}

/// Asks until the answer holds something: what has been sent is on its way.
#[track_caller]
fn until(ask: impl Fn() -> Tidemill, expected: &[&str]) -> String {
    let begun = Instant::now();
    loop {
        let answer = ask().run();
        if answer.code == exit::OK && expected.iter().all(|text| answer.stdout.contains(text)) {
            return answer.stdout;
        }
        assert!(begun.elapsed() < PATIENCE, "never {expected:?}: {answer:?}");
    }
}

#[test]
fn the_split_that_holds_a_running_job_is_named() {
    let folder = Folder::new();
    let (job, [mut left, mut right], address) = start(&folder, "stuck", "off");
    let explain = |what: &'static str| command(&folder, "explain").args([what, "stuck"]);
    left.write_all(b"{\"k\":1,\"t\":65000}\n{\"k\":2,\"t\":95000}\n").unwrap();
    let waits = format!("it waits for split {address} of source `right`, from which no record has been read yet");
    until(|| explain("watermark"), &["window `per-minute` has no watermark", &waits]);
    right.write_all(b"{\"k\":1,\"t\":50000}\n").unwrap();
    let waits = format!("it waits for split {address} of source `right`, whose newest record is of 1970-01-01T00:00:50.000Z (50000)");
    let stands = "window `per-minute` stands at 1970-01-01T00:00:49.999Z (49999)";
    let answer = until(|| explain("watermark"), &[stands, &waits]);
    assert!(answer.starts_with(stands), "the answer comes first: {answer}");
    let open = "sink `counts` has written nothing: 3 windows are open and the earliest closes at 1970-01-01T00:00:59.999Z (59999)";
    until(|| explain("why-no-output"), &[open, "the watermark is 10s behind that", &waits]);
    let document = explain("watermark").arg("--json").run();
    let document: Value = serde_json::from_str(&document.stdout).unwrap();
    assert_eq!(document["facts"]["operators"][3]["workers"][0]["held"]["windows"], 3, "{document:#}");
    assert_eq!(document["watermarks"][3]["holder"]["split"]["source"], 1, "{document:#}");
    command(&folder, "stop").arg("stuck").run().expect(exit::OK, &[]);
    job.end().expect(exit::OK, &[]);
    // It has ended: what was open then is known still.
    let after = explain("why-no-output").run();
    assert!(after.stdout.contains(open) && after.stdout.contains("it waited for split"), "{after:?}");
}

#[test]
fn an_idle_split_is_named_as_idle_and_holds_nobody() {
    let folder = Folder::new();
    let (job, [mut left, _right], address) = start(&folder, "idle", "50ms");
    left.write_all(b"{\"k\":1,\"t\":65000}\n").unwrap();
    let idle = format!("idle: split {address} of source `right` (worker 0)");
    until(|| command(&folder, "explain").args(["watermark", "idle"]), &[&idle, "stands at 1970-01-01T00:01:04.999Z (64999)"]);
    command(&folder, "stop").arg("idle").run().expect(exit::OK, &[]);
    job.end().expect(exit::OK, &[]);
}

/// A source of two kinds of records, the later ones of which are far behind the first.
fn late(folder: &Folder) -> String {
    let far = (0..3_000).map(|_| "{\"kind\":\"far\",\"k\":1,\"t\":9000000}\n".to_owned());
    let near = (0..5_000).map(|n| format!("{{\"kind\":\"near\",\"k\":1,\"t\":{n}}}\n"));
    folder.write("events.json", far.chain(near).collect::<String>());
    let output = |variant: &str| json!({"name": variant, "schema": "k:i64,t:i64", "variant": variant});
    let events = json!({"name": "events", "kind": {"source": {"binding": "events", "format": "json", "tag": "kind", "time": "t",
        "watermarks": "monotonic"}}, "outputs": [output("far"), output("near")]});
    let mut window = window("events");
    window["inputs"][0]["port"] = json!("near");
    plan(&[events, window])
}

#[test]
fn a_finished_job_says_that_all_its_records_were_late() {
    let folder = Folder::new();
    let plan = late(&folder);
    let run = command(&folder, "run").arg(guest("test", "any-plan")).args(["--name", "late", "--arg", &plan]);
    run.bind("events", "file:events.json").bind("counts", "file:out").run().expect(exit::OK, &[]);
    let answer = command(&folder, "explain").args(["why-no-output", "late"]).run();
    answer.expect(exit::OK, &[]);
    let why = "sink `counts` has written nothing: all 5,000 records came too late for window `per-minute`";
    assert!(answer.stdout.starts_with(why), "{answer:?}");
    assert!(answer.stdout.contains("split events.json of source `events` had a record of 1970-01-01T02:30:00.000Z"), "{answer:?}");
    let nobody = command(&folder, "explain").args(["why-no-output", "nobody"]).run();
    assert_eq!(nobody.code, exit::REFUSED, "{nobody:?}");
}

#[test]
fn a_job_of_a_server_is_explained_while_it_runs_and_when_it_has_ended() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let lines: String = (0..2_000).map(|n| format!("{{\"k\":1,\"t\":{n}}}\n")).collect();
    folder.write("slow.json", lines);
    let submit = server.command("submit").arg(guest("test", "any-plan")).args(["--name", "slow"]);
    let plan = plan(&[source("events"), window("events")]);
    let submit = submit.args(["--arg", &plan]).bind("events", "file:slow.json?rate=50").bind("counts", "file:out");
    submit.run().expect(exit::OK, &[]);
    let explain = |what: &'static str| server.command("explain").args([what, "slow"]);
    let open = "1 window is open and the earliest closes at 1970-01-01T00:00:59.999Z (59999) in window `per-minute`";
    until(|| explain("why-no-output"), &[open, "it waits for split"]);
    server.command("stop").arg("slow").run().expect(exit::OK, &[]);
    server.until_state("slow", "stopped");
    until(|| explain("why-no-output"), &[open, "it waited for split"]);
    let plan = explain("plan").run();
    assert!(plan.stdout.contains("key k"), "{plan:?}");
}

#[test]
fn a_killed_job_is_explained_by_what_it_last_said() {
    let folder = Folder::new();
    let (job, [mut left, mut right], address) = start(&folder, "killed", "off");
    left.write_all(b"{\"k\":1,\"t\":65000}\n").unwrap();
    right.write_all(b"{\"k\":1,\"t\":50000}\n").unwrap();
    let explain = || command(&folder, "explain").args(["why-no-output", "killed"]);
    let open = "sink `counts` has written nothing: 2 windows are open and the earliest closes at 1970-01-01T00:00:59.999Z (59999)";
    until(explain, &[open, "it waits for split"]);
    let left_behind = || std::fs::read_to_string(folder.join("sockets/tidemill/killed.facts.json")).unwrap_or_default();
    let begun = Instant::now();
    while !left_behind().contains("\"windows\":2") {
        assert!(begun.elapsed() < PATIENCE, "it never writes down what it knows: {}", left_behind());
    }
    job.kill();
    let after = explain().run();
    after.expect(exit::OK, &[]);
    let lost =
        "job `killed` does not run any more and has not said how it ended: it was killed, or its machine went down. It last said this, ";
    assert!(after.stdout.starts_with(lost), "{after:?}");
    assert!(after.stdout.contains(open) && after.stdout.contains(&format!("it waited for split {address}")), "{after:?}");
    let document: Value = serde_json::from_str(&explain().arg("--json").run().stdout).unwrap();
    assert_eq!(document["facts"]["phase"], "lost", "{document:#}");
}

#[test]
fn what_is_written_and_cannot_be_seen_before_a_checkpoint_is_told_apart() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let counts = json!({"name": "per-minute", "kind": {"rolling": {"key": ["k"], "aggregate": "count"}}, "inputs": [{"from": "events"}],
        "outputs": [{"schema": "k:i64,count:i64"}]});
    let job =
        command(&folder, "run").arg(guest("test", "any-plan")).args(["--name", "staged", "--arg", &plan(&[source("events"), counts])]);
    let job = job.args(["--checkpoint-dir", "kept", "--checkpoint-interval", "1h"]);
    let job = job.bind("events", &format!("socket://{}", listener.local_addr().unwrap())).bind("counts", "file:out").start();
    let mut events = listener.accept().unwrap().0;
    events.write_all(b"{\"k\":1,\"t\":1}\n{\"k\":1,\"t\":2}\n").unwrap();
    let explain = || command(&folder, "explain").args(["why-no-output", "staged"]);
    let unseen =
        "sink `counts` has written 2 records, none of which can be seen yet: it shows what it has written with the next checkpoint";
    until(explain, &[unseen, "none has so far"]);
    assert_eq!(folder.sorted_lines("out"), Vec::<String>::new());
    command(&folder, "savepoint").arg("staged").run().expect(exit::OK, &[]);
    until(explain, &["sink `counts` has written 2 records: "]);
    assert_eq!(folder.sorted_lines("out").len(), 2);
    events.write_all(b"{\"k\":1,\"t\":3}\n").unwrap();
    until(explain, &["sink `counts` has written 3 records, of which 1 cannot be seen yet"]);
    command(&folder, "stop").arg("staged").run().expect(exit::OK, &[]);
    job.end().expect(exit::OK, &[]);
    until(explain, &["sink `counts` has written 3 records: "]);
}
