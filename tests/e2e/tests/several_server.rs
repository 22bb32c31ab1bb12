//! Jobs of several components on a server: they give what `run` gives, outlive kills, and one component is changed while the others stay.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tidemill_e2e::{Ended, Folder, Server, Tidemill, exit, guest, kill_process};

/// Distinct numbers; each comes three times.
const NUMBERS: i64 = 4_000;
const REPEATS: i64 = 3;
/// Records a second: a job lasts for some seconds.
const RATE: &str = "?rate=800";
const WIRES: &str = "\"second.once-each\" = \"first.once-each\"\n";

/// The job of `tests/guests/rust/halves` as two components, with other arguments of the first.
fn halves(first: &str, wires: &str) -> String {
    let part = |name: &str, args: &str| format!("[components.{name}]\ncomponent = \"{name}.wasm\"\nargs = {{ part = {name:?}{args} }}\n");
    format!("name = \"halves\"\n{}{}[wires]\n{wires}", part("first", first), part("second", ""))
}

struct Case(Folder);

impl Case {
    fn new() -> Case {
        let folder = Folder::new();
        let number = |i: i64| format!("{{\"k\":{},\"n\":{i},\"at\":{}}}\n", i % 7, i * 5);
        folder.write("numbers.json", (0..NUMBERS * REPEATS).map(|i| number(i / REPEATS)).collect::<String>());
        let wasm = std::fs::read(guest("test", "halves")).unwrap();
        folder.write("first.wasm", &wasm);
        folder.write("second.wasm", &wasm);
        // The same code under another digest: a section that nobody reads.
        folder.write("other.wasm", [wasm.as_slice(), b"\x00\x05\x04more"].concat());
        folder.write("job.toml", halves("", WIRES));
        Case(folder)
    }

    /// What one component gives that is both.
    fn whole(&self) -> Vec<String> {
        let run = Tidemill::new(self.0.path(), "run").arg(guest("test", "halves"));
        run.bind("numbers", "file:numbers.json").bind("totals", "file:whole").run().expect(exit::OK, &[]);
        self.0.sorted_lines("whole")
    }

    fn submit(&self, server: &Server<'_>, rate: &str) -> Tidemill {
        self.submit_into("out", server, rate)
    }

    fn submit_into(&self, out: &str, server: &Server<'_>, rate: &str) -> Tidemill {
        let submit = server.command("submit").args(["job.toml", "--checkpoint-interval", "50ms"]);
        submit.bind("first.numbers", &format!("file:numbers.json{rate}")).bind("second.totals", &format!("file:{out}"))
    }

    /// A server on which the job runs, with a checkpoint behind it.
    fn running(&self) -> Server<'_> {
        let server = Server::start(&self.0, &[]);
        self.submit(&server, RATE).run().expect(exit::OK, &[]);
        until_checkpoint(&server);
        server
    }

    fn ends_as_whole(&self, server: &Server<'_>) -> Value {
        let job = server.until("halves", "over", |job| !job["end"].is_null());
        assert_eq!(job["state"], "finished", "{job:#}");
        assert_eq!(self.0.sorted_lines("out"), self.whole());
        job
    }
}

fn until_checkpoint(server: &Server<'_>) {
    server.until("halves", "at a checkpoint", |job| {
        job["status"]["checkpoints"]["completed"].as_u64() > Some(0) && job["status"]["records_in"].as_u64() > Some(100)
    });
}

fn swap(server: &Server<'_>, args: &[&str]) -> Ended {
    server.command("swap").arg("halves").args(args).run()
}

#[test]
fn a_server_and_its_runner_are_killed_and_the_job_gives_what_one_component_gives() {
    let case = Case::new();
    let mut server = Server::start(&case.0, &[]);
    let submitted = case.submit(&server, RATE).run();
    submitted.expect(exit::OK, &["is uploaded"]);
    assert_eq!(submitted.stderr.matches("is uploaded").count(), 1, "both are the same file: {}", submitted.stderr);
    until_checkpoint(&server);
    let before = server.job("halves");
    let operators: Vec<&str> = before["status"]["operators"].as_array().unwrap().iter().filter_map(|o| o["name"].as_str()).collect();
    assert!(operators.contains(&"first.once") && operators.contains(&"second.total"), "{operators:?}");
    let plan = server.command("explain").arg("halves").run();
    assert!(plan.stdout.contains("component first = ") && plan.stdout.contains("first.once - process"), "{}", plan.stdout);
    server.kill();
    server.start_again(&[]);
    let after = server.until_state("halves", "running");
    assert_eq!((&after["pid"], &after["version"]), (&before["pid"], &before["version"]), "it is found as it was");
    server.kill();
    server.runners().into_iter().for_each(kill_process);
    server.start_again(&[]);
    let job = case.ends_as_whole(&server);
    assert_eq!(job["restarts"].as_u64(), Some(1), "{job:#}");
}

#[test]
fn one_component_is_swapped_rescaled_and_rolled_back() {
    let case = Case::new();
    let server = case.running();
    let before = server.job("halves")["version"].clone();
    let swapped = swap(&server, &["other.wasm", "--component", "second", "--probation", "1ms"]);
    swapped.expect(exit::OK, &[]);
    assert!(swapped.stdout.contains("swapped second ") && swapped.stdout.contains("second.total: same"), "{}", swapped.stdout);
    let version = server.job("halves")["version"].clone();
    assert_eq!(version["components"]["first"], before["components"]["first"]);
    assert_ne!(version["components"]["second"], before["components"]["second"]);
    server.command("rescale").args(["halves", "-p", "2"]).run().expect(exit::OK, &[]);
    let back = server.command("rollback").args(["halves", "1"]).run();
    back.expect(exit::OK, &[]);
    let version = server.job("halves")["version"].clone();
    assert_eq!((&version["components"], &version["wires"]), (&before["components"], &before["wires"]));
    let job = case.ends_as_whole(&server);
    assert_eq!(job["history"].as_array().unwrap().len(), 3, "{job:#}");
}

#[test]
fn a_job_file_swaps_the_whole_and_failures_name_component_and_operator() {
    let case = Case::new();
    let server = case.running();
    case.0.write("job.toml", halves(", heard = 3999", WIRES).replace("\"second.wasm\"", "\"other.wasm\""));
    swap(&server, &["job.toml", "--shadow", "500", "--probation", "1ms"]).expect(exit::OK, &[]);
    let version = server.job("halves")["version"].clone();
    assert_eq!((&version["args"]["first.heard"], &version["args"]["second.part"]), (&Value::from("3999"), &Value::from("second")));
    case.ends_as_whole(&server);
    let logs = server.command("logs").arg("halves").run();
    assert!(logs.stdout.contains("first.double") && logs.stdout.contains("3999 is here"), "{}", logs.stdout);
}

#[test]
fn every_component_has_memory_and_is_metered() {
    let case = Case::new();
    let server = Server::start(&case.0, &["--slots", "8", "--memory", "1GiB"]);
    let wide = case.submit(&server, "").args(["--memory", "256MiB", "-p", "2"]).run();
    wide.expect(exit::REFUSED, &["no-room", "2 x 2 components x 256 MiB", "parallelism 1 fits"]);
    case.submit(&server, "").args(["--memory", "128MiB", "-p", "2", "--meter"]).run().expect(exit::OK, &[]);
    let job = case.ends_as_whole(&server);
    let metered = |name: &str| job["status"]["operators"].as_array().unwrap().iter().any(|o| o["name"] == name && o["fuel"].is_u64());
    assert!(metered("first.once") && metered("second.total"), "{job:#}");
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_runs() {
    let case = Case::new();
    let server = Server::start(&case.0, &[]);
    let refused = |file: &str, parts: &[&str]| {
        case.0.write("job.toml", file);
        case.submit(&server, "").run().expect(exit::REFUSED, parts);
    };
    let wired = |wires: &str| halves("", wires);
    let unknown = &["plan-refused", "wires-invalid", "no operator \"onse-each\"", "did you mean \"once-each\""];
    refused(&wired("\"second.once-each\" = \"first.onse-each\"\n"), unknown);
    refused(&wired("\"third.once-each\" = \"first.once-each\"\n"), &["plan-refused", "there is no component \"third\""]);
    refused(&wired(""), &["plan-refused", "component \"first\" has no wire"]);
    refused(&wired(WIRES).replace("second.wasm", "none.wasm"), &["component \"second\"", "none.wasm"]);
    refused(&wired(WIRES).replace("\"second\" }", "\"x\" }"), &["plan-refused", "component \"second\"", "part=\"x\" is no choice"]);
    let both = format!("{}[bindings]\n\"second.once-each\" = \"file:numbers.json\"\n", wired(WIRES));
    refused(&both, &["binding-refused", "a wire stands in its stead"]);
    let plan = r#"{"contract": "0.2.0", "operators": [
        {"name": "once-each", "kind": {"source": {"binding": "once-each", "format": "json"}}, "outputs": [{"schema": "k:i64,n:string,at:i64"}]},
        {"name": "totals", "kind": {"sink": {"binding": "totals", "format": "json"}}, "inputs": [{"from": "once-each"}]}]}"#;
    let any = format!("component = {:?}\nargs = {{ plan = '{}' }}\n", guest("test", "any-plan"), plan.replace('\n', " "));
    let other = wired(WIRES).replace("component = \"second.wasm\"\nargs = { part = \"second\" }\n", &any);
    refused(&other, &["plan-refused", "wires-invalid", "column 2 is n:i64 there and n:string here"]);
    assert!(server.runners().is_empty() && case.0.entries("data/jobs").is_empty());
}

#[test]
fn a_swap_that_does_not_fit_is_refused_and_the_job_runs_on() {
    let case = Case::new();
    let server = case.running();
    let before = server.job("halves")["pid"].clone();
    let nobody = swap(&server, &["other.wasm", "--component", "third"]);
    nobody.expect(exit::REFUSED, &["component-not-found", "the job has no component \"third\"", "it has first, second"]);
    swap(&server, &["other.wasm"]).expect(exit::REFUSED, &["swap-refused", "(first, second)", "--component NAME"]);
    swap(&server, &["job.toml", "--component", "first"]).expect(exit::USAGE, &["a job file says all of them"]);
    swap(&server, &["--arg", "part=second"]).expect(exit::REFUSED, &["plan-refused", "\"part\" is of no component", "COMPONENT.NAME"]);
    let missing = swap(&server, &["sha256:0123456789", "--component", "first"]);
    missing.expect(exit::REFUSED, &["component-not-found", "\"first\"", "upload it first"]);
    case.0.write("job.toml", halves("", "\"second.once-each\" = \"first.none\"\n"));
    swap(&server, &["job.toml"]).expect(exit::REFUSED, &["plan-refused", "no operator \"none\""]);
    assert_eq!(server.job("halves")["pid"], before, "nothing was stopped");
    server.command("components").args(["rm", "000000"]).run().expect(exit::REFUSED, &["component-not-found"]);
    let digest = server.job("halves")["version"]["components"]["first"].as_str().unwrap().to_owned();
    server.command("components").args(["rm", &digest]).run().expect(exit::REFUSED, &["component-in-use", "halves"]);
    server.command("cancel").arg("halves").run().expect(exit::OK, &[]);
    let one = server.command("submit").arg("first.wasm").args(["--name", "one"]).bind("numbers", "file:numbers.json?rate=100");
    one.bind("totals", "discard:").run().expect(exit::OK, &[]);
    case.0.write("job.toml", halves("", WIRES));
    let several = server.command("swap").args(["one", "job.toml"]).run();
    several.expect(exit::REFUSED, &["swap-refused", "the job has one component", "submit the several as another job"]);
}

#[test]
fn a_savepoint_of_several_components_begins_the_job_again() {
    let case = Case::new();
    let server = case.running();
    let stopped = server.command("stop").args(["halves", "--savepoint", "--name", "middle"]).run();
    stopped.expect(exit::OK, &[]);
    let end = server.until_state("halves", "stopped");
    let url = end["end"]["savepoint"]["url"].as_str().unwrap().to_owned();
    case.submit_into("rest", &server, "").args(["--from", &url, "--name", "again", "-p", "3"]).run().expect(exit::OK, &[]);
    server.until_state("again", "finished");
    let mut lines = [case.0.sorted_lines("out"), case.0.sorted_lines("rest")].concat();
    lines.sort_unstable();
    assert_eq!(lines, case.whole());
}
