//! `--meter`: what code costs is counted, the same for the same input, and shown wherever figures are.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use tidemill_e2e::{Folder, Server, Tidemill, exit, guest};

const LINES: usize = 2_000;

/// The report of a run over `lines` lines of words.
fn counted(flags: &[&str], lines: usize) -> Value {
    let folder = Folder::new();
    folder.write("lines.txt", "the tide turns the mill\n".repeat(lines));
    let run = Tidemill::new(folder.path(), "run").arg(guest("rust", "wordcount")).args(["--report-file", "report.json"]).args(flags);
    run.bind("lines", "file:lines.txt").bind("counts", "discard:").run().expect(exit::OK, &[]);
    serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap()
}

fn operator<'a>(operators: &'a Value, name: &str) -> &'a Value {
    operators.as_array().unwrap().iter().find(|operator| operator["name"] == name).unwrap()
}

fn fuel(report: &Value) -> u64 {
    operator(&report["operators"], "split")["fuel"]["used"].as_u64().unwrap()
}

#[test]
fn the_same_input_costs_the_same_and_more_costs_more() {
    let once = counted(&["--meter"], LINES);
    assert_eq!(fuel(&once), fuel(&counted(&["--meter"], LINES)));
    // At least an instruction for each byte that is looked at.
    assert!(fuel(&once) > (LINES * "the tide turns the mill".len()) as u64, "{once:#}");
    let more = fuel(&counted(&["--meter"], 10 * LINES)) as f64 / fuel(&once) as f64;
    assert!((9.0..11.0).contains(&more), "ten times the lines cost {more} times as much");
    assert!(operator(&once["operators"], "counts")["fuel"].is_null(), "the host's own work has no fuel");
}

#[test]
fn nothing_is_counted_unless_it_is_asked_for() {
    let plain = counted(&[], LINES);
    assert!(plain["operators"].as_array().unwrap().iter().all(|operator| operator["fuel"].is_null()), "{plain:#}");
}

#[test]
fn a_job_on_a_server_shows_what_it_costs() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let submit = |name: &str, flags: &[&str]| {
        let submit = server.command("submit").arg(guest("test", "swap")).args(["--name", name, "--memory", "64MiB"]).args(flags);
        submit.bind("numbers", "datagen:rows?rate=500").bind("counts", "discard:").run().expect(exit::OK, &[]);
    };
    submit("metered", &["--meter"]);
    submit("plain", &[]);
    let used = |job: &Value| operator(&job["status"]["operators"], "count")["fuel"].as_u64();
    let has_status = |job: &Value| job["status"]["records_in"].as_u64() > Some(0);
    let job = server.until("metered", "at work", |job| has_status(job) && used(job) > Some(0));
    assert_eq!(job["version"]["meter"], json!(true));
    assert_eq!(used(&server.until("plain", "at work", has_status)), None);
    let status = server.command("status").arg("metered").run();
    assert!(status.stdout.contains(" FUEL\n"), "{}", status.stdout);
    assert!(!server.command("status").arg("plain").run().stdout.contains("FUEL"));
    let metrics = server.ask("GET /metrics", "").body;
    assert!(metrics.lines().any(|line| line.starts_with("tidemill_operator_fuel{job=\"metered\",operator=\"count\"}")), "{metrics}");
    assert!(!metrics.contains("tidemill_operator_fuel{job=\"plain\""), "{metrics}");
}
