//! All cases, and that the runner sees what is wrong with one.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use tidemill_conformance::{Case, PARALLELISMS, refusals, rows, run};

/// Asked when it runs: two checkouts may share a target folder, and cargo does not compile a test anew for the other one.
fn folder() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the test").into()
}

#[test]
fn every_case_gives_what_it_says() {
    let mut wrong = Vec::new();
    for case in Case::read_all(&folder().join("cases")).unwrap() {
        for parallelism in PARALLELISMS {
            wrong.extend(run(&case, parallelism).err().map(|error| format!("{} at parallelism {parallelism} {error:#}", case.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_has_a_case_or_a_reason_for_none() {
    let cases = Case::read_all(&folder().join("cases")).unwrap();
    let problems = rows::problems(&rows::read(&folder().join("rows.toml")).unwrap(), &cases);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_refusal_is_shown_in_its_words() {
    let table = refusals::read(&folder().join("refusals.toml")).unwrap();
    let repository = folder().join("../..");
    let problems = refusals::problems(&table, &folder(), &repository);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let mut wrong = table;
    wrong.iter_mut().for_each(|refusal| refusal.words.push_str(", or not"));
    assert_eq!(refusals::problems(&wrong, &folder(), &repository).len(), wrong.len(), "other words are not found");
}

const CASE: &str = r#"
rows = [9]
about = "counts"
[[operators]]
name = "rows"
kind.source = { binding = "rows", format = "json", time = "at", watermarks = "monotonic" }
outputs = [{ schema = "key:string,at:i64" }]
[[operators]]
name = "w"
kind.window = { key = ["key"], assigner.tumbling = { size_ms = 10 }, compute.host = "count" }
inputs = [{ from = "rows" }]
outputs = [{ schema = "key:string,start:i64,end:i64,count:i64" }]
[[operators]]
name = "out"
kind.sink = { binding = "out", format = "json" }
inputs = [{ from = "w" }]
"#;
const INPUT: &str = "{\"record\": {\"key\": \"a\", \"at\": 3}}\n{\"watermark\": 8}\n{\"watermark\": 9}\n";
const EXPECTED: &str = "{\"watermark\": 9}\n{\"time\": 9, \"record\": {\"key\": \"a\", \"start\": 0, \"end\": 10, \"count\": 1}}\n";

/// What becomes of a case whose files are these.
fn verdict(input: &str, (file, expected): (&str, &str)) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("case.toml", CASE), ("in.jsonl", input), (file, expected)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let case = Case::read(folder.path()).map_err(|error| format!("{error:#}"))?;
    run(&case, 2).map_err(|error| format!("{error:#}"))
}

#[test]
fn what_differs_is_told_with_its_mark() {
    assert_eq!(verdict(INPUT, ("expected.jsonl", EXPECTED)), Ok(()));
    let early = verdict(INPUT, ("expected.jsonl", &EXPECTED.replace("\"watermark\": 9", "\"watermark\": 8"))).unwrap_err();
    assert!(early.contains("missing after line 2 (Watermark(8))") && early.contains("surplus after line 3"), "{early}");
    let other = verdict(INPUT, ("expected.jsonl", &EXPECTED.replace("\"count\": 1", "\"count\": 2"))).unwrap_err();
    assert!(other.contains("\"count\":2"), "{other}");
    assert!(verdict(INPUT, ("expected.jsonl", "")).is_err(), "nothing is expected, something comes");
    assert!(verdict(INPUT, ("error.txt", "no such thing")).unwrap_err().contains("gives 1 records"));
}

#[test]
fn a_file_that_says_what_it_cannot_is_refused_with_its_place() {
    for (input, expected, place) in [
        ("{\"recrod\": {}}\n", EXPECTED, "in.jsonl:1"),
        ("{\"watermark\": 1, \"now\": 2}\n", EXPECTED, "in.jsonl:1"),
        ("\n{\"record\": {}, \"in\": \"other\"}\n", EXPECTED, "in.jsonl:2"),
        (INPUT, "{\"watermark\": 10}\n", "expected.jsonl:1"),
        (INPUT, "{\"record\": {}}\n", "expected.jsonl:1"),
        (INPUT, "{\"time\": 1, \"out\": \"w\", \"record\": {}}\n", "expected.jsonl:1"),
    ] {
        let error = verdict(input, ("expected.jsonl", expected)).unwrap_err();
        assert!(error.contains(place), "{place}: {error}");
    }
    assert!(verdict(INPUT, ("error.txt", "\n")).unwrap_err().contains("is empty"));
    assert!(verdict(INPUT, ("other.txt", "")).unwrap_err().contains("neither"));
}
