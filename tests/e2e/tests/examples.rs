//! The examples give what their folders say, in every language and at any parallelism.

use tidemill_e2e::{Folder, Tidemill, exit, guest, root};

/// The languages of examples, as their folders are named.
const LANGUAGES: [&str; 6] = ["rust", "python", "ts", "js", "go", "c"];

/// Runs an example of one source and one sink in every language that it is written in.
fn check(folder: &str, job: &str, source: &str, input: &str, sink: &str, expected: &str) -> Vec<&'static str> {
    check_all(folder, job, &[(source, input)], &[(sink, expected)])
}

/// Runs an example with a file for each source and sink.
fn check_all(folder: &str, job: &str, inputs: &[(&str, &str)], expected: &[(&str, &str)]) -> Vec<&'static str> {
    let example = root().join("examples").join(folder);
    let written = |language: &&str| example.join(language).is_dir();
    let languages: Vec<&str> = LANGUAGES.into_iter().filter(written).collect();
    for (language, parallelism) in languages.iter().flat_map(|language| [(language, "1"), (language, "3")]) {
        let here = Folder::new();
        let mut run = Tidemill::new(here.path(), "test").arg(guest(language, job)).args(["--parallelism", parallelism]);
        for (flag, files) in [("--input", inputs), ("--expect", expected)] {
            for (name, file) in files {
                run = run.args([flag, &format!("{name}={}", example.join(file).display())]);
            }
        }
        let ended = run.run();
        assert_eq!(ended.code, exit::OK, "{job} in {language} over {parallelism}: {}{}", ended.stdout, ended.stderr);
    }
    languages
}

#[test]
fn wordcount() {
    let languages = check("01-wordcount", "wordcount", "lines", "input.txt", "counts", "expected.csv");
    assert_eq!(languages, LANGUAGES);
}

#[test]
fn sensor_windows() {
    let languages = check("02-sensor-windows", "sensor-windows", "readings", "input.jsonl", "averages", "expected.jsonl");
    assert_eq!(languages, LANGUAGES);
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
fn three_stream_join() {
    let inputs = [("orders", "orders.jsonl"), ("payments", "payments.jsonl"), ("parcels", "parcels.jsonl")];
    check_all("06-three-stream-join", "three-stream-join", &inputs, &[("statuses", "expected.jsonl"), ("unpaid", "unpaid.jsonl")]);
}

#[test]
fn dynamic_rules() {
    let inputs = [("payments", "payments.jsonl"), ("rules", "rules.jsonl")];
    check_all("07-dynamic-rules", "dynamic-rules", &inputs, &[("alerts", "expected.jsonl")]);
}

#[test]
fn interval_join_orders_payments() {
    let inputs = [("orders", "orders.jsonl"), ("payments", "payments.jsonl")];
    let expected = [("payments-in-time", "expected.jsonl"), ("unpaid", "unpaid.jsonl")];
    check_all("08-interval-join-orders-payments", "interval-join-orders-payments", &inputs, &expected);
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
