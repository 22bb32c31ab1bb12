//! The examples give what their folders say, at any parallelism.

use std::path::{Path, PathBuf};

use tidemill_e2e::{Folder, Tidemill, exit, guest};

fn check(folder: &str, job: &str, source: &str, input: &str, sink: &str, expected: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default();
    let file = |name: &str| -> PathBuf { root.join("examples").join(folder).join(name) };
    for parallelism in ["1", "3"] {
        let here = Folder::new();
        let ended = Tidemill::new(here.path(), "test")
            .arg(guest("rust", job))
            .args(["--input", &format!("{source}={}", file(input).display())])
            .args(["--expect", &format!("{sink}={}", file(expected).display())])
            .args(["--parallelism", parallelism])
            .run();
        assert_eq!(ended.code, exit::OK, "{job} over {parallelism}: {}{}", ended.stdout, ended.stderr);
    }
}

#[test]
fn wordcount() {
    check("01-wordcount", "wordcount", "lines", "input.txt", "counts", "expected.csv");
}

#[test]
fn sensor_windows() {
    check("02-sensor-windows", "sensor-windows", "readings", "input.jsonl", "averages", "expected.jsonl");
}

#[test]
fn top_n() {
    check("04-top-n", "top-n", "sales", "input.jsonl", "top", "expected.csv");
}

#[test]
fn inactivity_alerts() {
    check("05-inactivity-alerts", "inactivity-alerts", "signals", "input.jsonl", "alerts", "expected.jsonl");
}

#[test]
fn the_bare_guests_in_c_and_python_agree_with_each_other() {
    let here = Folder::new();
    let lines: String = (0..3000).map(|i| format!("{{\"sensor\":\"s{}\",\"celsius\":{}.5,\"at\":{}}}\n", i % 3, i % 40, i * 37)).collect();
    here.write("readings.jsonl", lines);
    for language in ["c", "python"] {
        let ended = Tidemill::new(here.path(), "run")
            .arg(guest(language, "sensor-average"))
            .args(["--parallelism", "2"])
            .bind("readings", "file:readings.jsonl")
            .bind("averages", &format!("file:{language}"))
            .run();
        assert_eq!(ended.code, exit::OK, "{language}: {}", ended.stderr);
    }
    assert_eq!(here.sorted_lines("c").len(), 36, "twelve windows of three sensors");
    assert_eq!(here.sorted_lines("c"), here.sorted_lines("python"));
}
