//! What fails inside of a function arrives, in every language, with its message, the user's file and line, the operator and the record.
//!
//! The jobs are `tests/matrix/LANGUAGE`, `--arg case=failures`: the number in a record chooses how it fails. The line is the one in the
//! source that holds `site`, so a cell is good only if it points there. `cargo xtask sdk-matrix` shows the table.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::thread;

use tidemill_e2e::{Folder, Tidemill, component, exit, root};

/// The columns: the name, and the source below `tests/matrix/LANGUAGE` as the language tells its path.
const LANGUAGES: [(&str, &str); 6] = [
    ("rust", "src/failures.rs"),
    ("python", "cases/failures.py"),
    ("js", "src/cases/failures.js"),
    ("ts", "src/cases/failures.ts"),
    ("go", "failures.go"),
    ("c", "failures.c"),
];

/// A text is longer than what is shown of it.
const LONG: usize = 20_000;
/// The line of a record is no longer than 4 KiB and the words around it.
const SHOWN: usize = 4_200;

/// One row: what happens at the record of this number.
struct Kind {
    name: &'static str,
    n: u8,
    operator: &'static str,
    /// What is said, by column; nothing where the language does not know such a failure.
    messages: [&'static str; 6],
    /// What stands in the line of the source that is told; nothing where the message is the author's and is told as it is.
    site: Option<&'static str>,
}

const KINDS: [Kind; 6] = [
    Kind { name: "thrown in a map", n: 13, operator: "thrown", messages: ["thirteen is bad luck"; 6], site: Some("thirteen is bad luck") },
    Kind {
        name: "a fault of the code",
        n: 14,
        operator: "fault",
        messages: [
            "index out of bounds: the len is 3 but the index is 14",
            "IndexError: list index out of range",
            "TypeError: cannot read property 'trim' of undefined",
            "TypeError: cannot read property 'trim' of undefined",
            "index out of range [14] with length 3",
            "an index lies outside of its array",
        ],
        site: Some("fourteen is beyond the words"),
    },
    Kind {
        name: "thrown with state",
        n: 17,
        operator: "counting",
        messages: ["seventeen after 1 of its key"; 6],
        site: Some("seventeen after"),
    },
    Kind {
        name: "no status",
        n: 18,
        operator: "refused",
        messages: ["", "", "", "", "", "refused returned 42, which is no status here"],
        site: Some("returns what is no status"),
    },
    Kind { name: "refused", n: 15, operator: "refused", messages: ["the job refused a record: fifteen is refused"; 6], site: None },
    Kind { name: "put aside", n: 16, operator: "aside", messages: ["sixteen is put aside"; 6], site: None },
];

/// What a cell holds: how the place is told, or nothing where the row does not apply; or what is wrong.
type Cell = Result<String, String>;

/// The file and the number of the line in the source that holds a text.
fn place(language: &str, source: &str, site: &str) -> String {
    let text = fs::read_to_string(root().join("tests/matrix").join(language).join(source)).unwrap();
    let line = text.lines().position(|line| line.contains(site)).expect("the source has the text") + 1;
    format!("{source}:{line}")
}

/// Runs the job over three records, the second of which fails; answers its exit code, what it said, and its dead letters.
fn run(language: &str, sensor: &str, n: u8) -> (i32, String, String) {
    let here = Folder::new();
    let line = |sensor: &str, n: u8| format!("{{\"sensor\":\"{sensor}\",\"n\":{n}}}\n");
    here.write("in.jsonl", [line(sensor, 1), line(sensor, n), line(sensor, 2)].concat());
    let run = Tidemill::new(here.path(), "run").arg(component(language, "matrix")).args(["--arg", "case=failures"]);
    let run = run.bind("numbers", "file:in.jsonl").bind("letters", "file:letters").bind("results", "file:results");
    let ended = run.run();
    let letters = if ended.code == exit::OK { here.sorted_lines("letters").concat() } else { String::new() };
    (ended.code, ended.stderr, letters)
}

fn check(kind: &Kind, column: usize) -> Cell {
    let (language, source) = LANGUAGES[column];
    let message = kind.messages[column];
    if message.is_empty() {
        return Ok(String::new());
    }
    let (code, said, letters) = run(language, "cellar", kind.n);
    let mut wanted = vec![message.to_owned()];
    let told = kind.site.map(|site| place(language, source, site));
    let aside = kind.name == "put aside";
    if aside {
        wanted.push(format!("\"operator\":\"{}\"", kind.operator));
        wanted.push(format!("sensor=\\\"cellar\\\" n={}", kind.n));
    } else {
        wanted.push(format!("operator \"{}\" failed", kind.operator));
        wanted.push(format!("  record: sensor=\"cellar\" n={}\n", kind.n));
        wanted.extend(told.clone());
    }
    let (text, expected) = if aside { (letters, exit::OK) } else { (said, exit::FAILED) };
    let missing: Vec<&String> = wanted.iter().filter(|part| !text.contains(*part)).collect();
    if code != expected || !missing.is_empty() {
        return Err(format!("{} in {language}: exit code {code}, {missing:?} is missing in:\n{text}", kind.name));
    }
    Ok(told.unwrap_or_else(|| "as written".to_owned()))
}

/// A long text is cut where a record is shown, whatever the language; the message before it is not.
fn check_length(column: usize) -> Result<(), String> {
    let (language, _) = LANGUAGES[column];
    let (_, said, _) = run(language, &"x".repeat(LONG), 13);
    let shown = said.lines().find(|line| line.starts_with("  record: ")).unwrap_or_default();
    if shown.starts_with("  record: sensor=\"xxx") && shown.len() < SHOWN && said.contains("thirteen is bad luck") {
        return Ok(());
    }
    Err(format!("a long record in {language}: {} characters of it are shown in:\n{said}", shown.len()))
}

#[test]
fn a_failure_inside_a_function_says_what_where_and_of_which_record() {
    let columns: Vec<(Vec<Cell>, Result<(), String>)> = thread::scope(|scope| {
        let column = |column| (KINDS.iter().map(|kind| check(kind, column)).collect(), check_length(column));
        let columns: Vec<_> = (0..LANGUAGES.len()).map(|number| scope.spawn(move || column(number))).collect();
        columns.into_iter().map(|column| column.join().unwrap()).collect()
    });
    println!("{:<20} {}", "failure", LANGUAGES.map(|(language, _)| format!("{language:<26}")).join(" "));
    for (row, kind) in KINDS.iter().enumerate() {
        let cells = columns.iter().map(|(cells, _)| match &cells[row] {
            Ok(told) if told.is_empty() => format!("{:<26}", "-"),
            Ok(told) => format!("{told:<26}"),
            Err(_) => format!("{:<26}", "FAILS"),
        });
        println!("{:<20} {}", kind.name, cells.collect::<Vec<_>>().join(" "));
    }
    let cells = columns.iter().flat_map(|(cells, length)| cells.iter().map(|cell| cell.as_ref().err()).chain([length.as_ref().err()]));
    let wrong: Vec<&str> = cells.flatten().map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} cells fail:\n{}", wrong.len(), wrong.join("\n"));
}
