//! The examples give what their folders say, in every language and at any parallelism.

use tidemill_e2e::{Folder, Tidemill, exit, guest, root};

/// The languages of examples, as their folders are named.
const LANGUAGES: [&str; 6] = ["rust", "python", "ts", "js", "go", "c"];

/// Runs an example in every language that it is written in.
fn check(folder: &str, job: &str, source: &str, input: &str, sink: &str, expected: &str) -> Vec<&'static str> {
    let example = root().join("examples").join(folder);
    let written = |language: &&str| example.join(language).is_dir();
    let languages: Vec<&str> = LANGUAGES.into_iter().filter(written).collect();
    for (language, parallelism) in languages.iter().flat_map(|language| [(language, "1"), (language, "3")]) {
        let here = Folder::new();
        let ended = Tidemill::new(here.path(), "test")
            .arg(guest(language, job))
            .args(["--input", &format!("{source}={}", example.join(input).display())])
            .args(["--expect", &format!("{sink}={}", example.join(expected).display())])
            .args(["--parallelism", parallelism])
            .run();
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
