//! The language matrix: the same named cases in every language, at parallelism 1 and 2, with one expected output each.
//!
//! A cell is good when the output is equal over every parallelism; a language that does not have a case fails like one that gives
//! another output. `cargo xtask sdk-matrix` runs it alone and shows the table. tests/matrix/README.md says what each case computes;
//! `TIDEMILL_MATRIX_BLESS=1` takes what Rust gives as expected.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tidemill_e2e::{Ended, Folder, Tidemill, component, exit, root};

/// The columns. TypeScript stands for JavaScript too: one SDK, and the types are gone when the component is made.
const LANGUAGES: [&str; 5] = ["rust", "python", "ts", "go", "c"];

/// How long a job may take until it has state to keep.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is done with the job of a case.
#[derive(Clone, Copy)]
enum Course {
    /// It runs from beginning to end.
    Whole,
    /// It reads standard input: the second file comes when so many lines of the first sink are there, so that what is late is late.
    InTwo(&'static str, usize),
    /// It is stopped with a savepoint and goes on at another parallelism.
    Restored,
    /// The same, and goes on as the component of the next language.
    HandedOver,
}

/// One row.
struct Case {
    name: &'static str,
    course: Course,
    /// The component, and what it is told by `--arg case=`, where it holds several.
    job: &'static str,
    argument: Option<&'static str>,
    /// From the root; files are in it.
    folder: &'static str,
    source: (&'static str, &'static str),
    sinks: &'static [(&'static str, &'static str)],
}

const CASES: [Case; 17] = [
    Case::example("word-count", "wordcount", "examples/01-wordcount", ("lines", "input.txt"), &[("counts", "expected.csv")]),
    Case::example(
        "sensor-windows",
        "sensor-windows",
        "examples/02-sensor-windows",
        ("readings", "input.jsonl"),
        &[("averages", "expected.jsonl")],
    ),
    Case::example(
        "timers",
        "inactivity-alerts",
        "examples/05-inactivity-alerts",
        ("signals", "input.jsonl"),
        &[("alerts", "expected.jsonl")],
    ),
    Case::own("sessions", "tests/matrix/cases/sessions", ("clicks", "clicks.jsonl"), &[("visits-out", "visits.jsonl")]),
    Case {
        course: Course::InTwo("orders-late.jsonl", 6),
        ..Case::own(
            "side-outputs",
            "tests/matrix/cases/side-outputs",
            ("orders", "orders.jsonl"),
            &[("bills-out", "bills.jsonl"), ("large-out", "large.jsonl"), ("late-out", "late.jsonl")],
        )
    },
    Case::own(
        "errors",
        "tests/matrix/cases/errors",
        ("readings", "readings.jsonl"),
        &[("unread", "unread.jsonl"), ("refused-out", "refused.jsonl"), ("steps", "steps.jsonl")],
    ),
    Case { name: "state-restored", course: Course::Restored, ..STATE },
    Case { name: "state-handed-over", course: Course::HandedOver, ..STATE },
    Case::own(
        "joins",
        "tests/matrix/cases/joins",
        ("events", "events.jsonl"),
        &[("paid-out", "paid.jsonl"), ("orphans-out", "orphans.jsonl"), ("pairs-out", "pairs.jsonl")],
    ),
    Case { name: "broadcast-restored", course: Course::Restored, ..BROADCAST },
    Case { name: "broadcast-handed-over", course: Course::HandedOver, ..BROADCAST },
    Case::own(
        "windows-count",
        "tests/matrix/cases/windows-count",
        ("hits", "hits.csv"),
        &[("threes-out", "threes.jsonl"), ("moving-out", "moving.jsonl"), ("fives-out", "fives.jsonl")],
    ),
    Case {
        course: Course::InTwo("calls-later.jsonl", 14),
        ..Case::own(
            "windows-triggers",
            "tests/matrix/cases/windows-triggers",
            ("calls", "calls.jsonl"),
            &[("figures-out", "figures.jsonl"), ("purged-out", "purged.jsonl"), ("both-out", "both.jsonl"), ("global-out", "global.jsonl")],
        )
    },
    Case::own(
        "windows-day",
        "tests/matrix/cases/windows-day",
        ("rides", "rides.jsonl"),
        &[("days-out", "days.jsonl"), ("weeks-out", "weeks.jsonl")],
    ),
    Case { course: Course::InTwo("looks-later.jsonl", 5), ..STATE_TTL },
    Case {
        name: "state-ttl-handed-over",
        course: Course::HandedOver,
        source: ("looks", "looks-kept.csv"),
        sinks: &[("told", "told-kept.jsonl")],
        ..STATE_TTL
    },
    Case {
        course: Course::InTwo("readings-later.jsonl", 9),
        ..Case::own(
            "watermarks",
            "tests/matrix/cases/watermarks",
            ("readings", "readings.jsonl"),
            &[("totals-out", "totals.jsonl"), ("late-by-marks-out", "late-by-marks.jsonl"), ("late-by-clock-out", "late-by-clock.jsonl")],
        )
    },
];

const STATE_TTL: Case = Case::own("state-ttl", "tests/matrix/cases/state-ttl", ("looks", "looks.jsonl"), &[("told", "told.jsonl")]);

const STATE: Case = Case::own("state", "tests/matrix/cases/state", ("purchases", "purchases.csv"), &[("baskets", "baskets.jsonl")]);

const BROADCAST: Case = Case::own("broadcast", "tests/matrix/cases/broadcast", ("events", "events.csv"), &[("hits", "hits.jsonl")]);

/// Makes the job of the state's records run for long enough to be met running.
const SLOWLY: &str = "&rate=50";

impl Case {
    const fn example(
        name: &'static str,
        job: &'static str,
        folder: &'static str,
        source: (&'static str, &'static str),
        sinks: &'static [(&'static str, &'static str)],
    ) -> Case {
        Case { name, course: Course::Whole, job, argument: None, folder, source, sinks }
    }

    const fn own(
        name: &'static str,
        folder: &'static str,
        source: (&'static str, &'static str),
        sinks: &'static [(&'static str, &'static str)],
    ) -> Case {
        Case { argument: Some(name), ..Case::example(name, "matrix", folder, source, sinks) }
    }

    fn file(&self, name: &str) -> PathBuf {
        root().join(self.folder).join(name)
    }

    /// The job over a source, with all sinks but some in folders of their names.
    fn run(&self, here: &Folder, language: &str, parallelism: u32, url: &str) -> Tidemill {
        let sockets = here.join("sockets");
        let mut run = Tidemill::new(here.path(), "run")
            .with(|command| _ = command.env("XDG_RUNTIME_DIR", sockets))
            .arg(component(language, self.job))
            .args(["--name", self.name, "--parallelism", &parallelism.to_string()])
            .bind(self.source.0, url);
        if let Some(case) = self.argument {
            run = run.args(["--arg", &format!("case={case}")]);
        }
        let piped = usize::from(url == "stdin:");
        let run = self.sinks[..piped].iter().fold(run, |run, (sink, _)| run.bind(sink, "stdout:"));
        self.sinks[piped..].iter().fold(run, |run, (sink, _)| run.bind(sink, &format!("file:{sink}")))
    }
}

/// What a cell holds: nothing is wrong, or this is.
type Cell = Result<(), String>;

/// Runs a case in a language at one parallelism.
fn check(case: &Case, language: usize, parallelism: u32) -> Cell {
    let name = LANGUAGES[language];
    if !component(name, case.job).is_file() {
        return Err(format!("there is no {}", component(name, case.job).display()));
    }
    let here = Folder::new();
    fs::copy(case.file(case.source.1), here.join(case.source.1)).unwrap();
    let file = format!("file:{}", case.source.1);
    let mut piped = None;
    match case.course {
        Course::Whole => well(&case.run(&here, name, parallelism, &file).run())?,
        Course::InTwo(second, lines) => piped = Some(in_two(case, &here, name, parallelism, second, lines)?),
        Course::Restored => interrupted(case, &here, name, name, parallelism)?,
        Course::HandedOver => interrupted(case, &here, name, LANGUAGES[(language + 1) % LANGUAGES.len()], parallelism)?,
    }
    let blessed = env::var_os("TIDEMILL_MATRIX_BLESS").is_some() && name == LANGUAGES[0];
    for (sink, file) in case.sinks {
        let lines = piped.take().unwrap_or_else(|| here.sorted_lines(sink));
        if blessed && !matches!(case.course, Course::HandedOver) {
            fs::write(case.file(file), lines.iter().flat_map(|line| [line, "\n"]).collect::<String>()).unwrap();
        }
        equal(sink, &lines, &case.file(file))?;
    }
    Ok(())
}

/// Gives the second half of the input when so much has come of the first; answers the sorted lines of the first sink.
fn in_two(case: &Case, here: &Folder, language: &str, parallelism: u32, second: &str, count: usize) -> Result<Vec<String>, String> {
    let (mut running, mut input) = case.run(here, language, parallelism, "stdin:").start_open();
    input.write_all(&fs::read(case.file(case.source.1)).unwrap()).map_err(|error| error.to_string())?;
    for _ in 0..count {
        running.line();
    }
    input.write_all(&fs::read(case.file(second)).unwrap()).map_err(|error| error.to_string())?;
    drop(input);
    let ended = running.end();
    well(&ended)?;
    let mut lines: Vec<String> = ended.stdout.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    Ok(lines)
}

/// Stops a job with its state while it runs, and goes on at the other parallelism.
fn interrupted(case: &Case, here: &Folder, from: &str, to: &str, parallelism: u32) -> Cell {
    let kept = |language: &str, parallelism: u32, pace: &str| {
        // One worker reads a CSV file, so that the records of a key keep their order.
        let url = format!("file:{}?format=csv{pace}", case.source.1);
        case.run(here, language, parallelism, &url).args(["--checkpoint-dir", "kept", "--checkpoint-interval", "20ms"])
    };
    let running = kept(from, parallelism, SLOWLY).start();
    let deadline = Instant::now() + PATIENCE;
    // Not a sleep: there is state to take over when a checkpoint has a part.
    while here.entries("kept/parts").is_empty() && Instant::now() < deadline {
        thread::yield_now();
    }
    let sockets = here.join("sockets");
    let stop = Tidemill::new(here.path(), "stop").with(|command| _ = command.env("XDG_RUNTIME_DIR", sockets));
    let stopped = stop.args([case.name, "--savepoint"]).run();
    let ended = running.end();
    well(&ended)?;
    well(&stopped)?;
    let resumed = kept(to, 3 - parallelism, "").run();
    well(&resumed)?;
    if resumed.stderr.contains("going on from checkpoint") { Ok(()) } else { Err(format!("it began anew: {}", resumed.stderr)) }
}

fn well(ended: &Ended) -> Cell {
    if ended.code == exit::OK { Ok(()) } else { Err(format!("it ended with {}: {}", ended.code, ended.stderr.trim_end())) }
}

/// Compares sorted lines with those of a file, in any order.
fn equal(sink: &str, lines: &[String], file: &Path) -> Cell {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let mut expected: Vec<&str> = text.lines().collect();
    expected.sort_unstable();
    if lines == expected {
        return Ok(());
    }
    let missing = expected.iter().find(|line| !lines.iter().any(|other| other == *line));
    let surplus = lines.iter().find(|line| !expected.contains(&line.as_str()));
    Err(format!("{sink} has {} lines for {}; missing, for one, {missing:?}; too much, for one, {surplus:?}", lines.len(), expected.len()))
}

/// A column: every case in one language.
fn column(language: usize) -> Vec<Cell> {
    let cell = |case: &Case| {
        [1, 2].into_iter().try_for_each(|parallelism| {
            check(case, language, parallelism)
                .map_err(|why| format!("{} in {}, parallelism {parallelism}: {why}", case.name, LANGUAGES[language]))
        })
    };
    CASES.iter().map(cell).collect()
}

#[test]
fn every_case_gives_the_same_in_every_language() {
    let columns: Vec<Vec<Cell>> = thread::scope(|scope| {
        let columns: Vec<_> = (0..LANGUAGES.len()).map(|language| scope.spawn(move || column(language))).collect();
        columns.into_iter().map(|column| column.join().unwrap()).collect()
    });
    println!("{:<22} {}", "case", LANGUAGES.map(|language| format!("{language:<7}")).join(" "));
    for (row, case) in CASES.iter().enumerate() {
        let cells = columns.iter().map(|column| if column[row].is_ok() { "equal  " } else { "FAILS  " });
        println!("{:<22} {}", case.name, cells.collect::<Vec<_>>().join(" "));
    }
    let wrong: Vec<&str> = columns.iter().flatten().filter_map(|cell| cell.as_ref().err()).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} cells are empty or differ:\n{}", wrong.len(), wrong.join("\n"));
}
