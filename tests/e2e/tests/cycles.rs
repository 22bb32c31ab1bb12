//! Jobs that come and go: whatever their number, the server keeps nothing of those that are forgotten.
//!
//! `cargo xtask test --full` runs ten thousand of them.
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;

use serde_json::{Value, json};
use tidemill_e2e::{Folder, Server, exit, guest};

/// Jobs that are submitted and cancelled.
const CYCLES: usize = 500;
const CYCLES_FULL: usize = 10_000;
/// How often the server is looked at on the way.
const LOOKS: usize = 10;
/// By how much the memory of the server may grow from the first look to the last.
const GROWN_KIB_MAX: u64 = 8 << 10;

/// What a process has at a moment.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident_kib: u64,
    threads: u64,
    files: usize,
}

impl Held {
    fn by(process: u32) -> Held {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        Held {
            resident_kib: number("VmRSS:"),
            threads: number("Threads:"),
            files: fs::read_dir(format!("/proc/{process}/fd")).unwrap().count(),
        }
    }
}

/// One job from its submission to its being forgotten.
fn cycle(server: &Server<'_>, component: &str, number: usize) {
    let name = format!("job-{number}");
    let bindings = json!({"numbers": "datagen:rows?rate=100", "counts": "discard:"});
    let job = json!({"component": component, "name": name, "bindings": bindings, "memory_bytes": 64 << 20});
    let submitted = server.ask("POST /v1/jobs", &job.to_string());
    assert_eq!(submitted.status, 201, "{submitted:?}");
    let cancelled = server.ask(&format!("POST /v1/jobs/{name}/cancel"), "");
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let job: Value = serde_json::from_str(&cancelled.body).unwrap();
    assert_eq!(job["state"], "cancelled", "{job:#}");
    let forgotten = server.ask(&format!("DELETE /v1/jobs/{name}"), "");
    assert_eq!(forgotten.status, 204, "{forgotten:?}");
}

#[test]
fn nothing_is_left_of_jobs_that_come_and_go() {
    let full = env::var_os("TIDEMILL_TEST_FULL").is_some();
    let cycles = env::var("TIDEMILL_CYCLES").map_or(if full { CYCLES_FULL } else { CYCLES }, |text| text.parse().unwrap());
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let added = server.command("components").arg("add").arg(guest("test", "swap")).run();
    added.expect(exit::OK, &[]);
    let mut looks = Vec::new();
    for number in 0..cycles {
        cycle(&server, added.stdout.trim(), number);
        if (number + 1) % (cycles / LOOKS) == 0 {
            looks.push(Held::by(server.id()));
        }
    }
    #[expect(clippy::print_stdout, reason = "the figures are what the full test is run for by hand")]
    for (look, held) in (1..).zip(&looks) {
        println!("{:>6} cycles: {held:?}", look * cycles / LOOKS);
    }
    let (first, last) = (looks[0], looks[looks.len() - 1]);
    assert!(last.resident_kib < first.resident_kib + GROWN_KIB_MAX, "{looks:?}");
    // A thread that reads or writes a file for the server ends some seconds after its work.
    assert!(last.files <= first.files + 4 && last.threads <= first.threads + 8, "{looks:?}");
    assert!(server.runners().is_empty());
    assert!(folder.entries("data/jobs").is_empty() && folder.entries("data/incoming").is_empty());
}
