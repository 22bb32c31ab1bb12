//! `tidemill-conformance`: runs the cases and tells, or lists which case pins which row.

// The tool talks to a person at a terminal: printing is its job.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use tidemill_conformance::{Case, PARALLELISMS, rows, run};

/// Runs conformance cases through the engine.
#[derive(Parser)]
#[command(name = "tidemill-conformance")]
struct Options {
    /// Run only cases whose name holds one of these
    names: Vec<String>,
    /// Print a line for each row of semantics.md and case
    #[arg(long)]
    list: bool,
    /// Where `cases` and `rows.toml` lie
    #[arg(long, env = "CARGO_MANIFEST_DIR")]
    folder: PathBuf,
}

/// What a case came to.
struct Verdict {
    case: Case,
    problems: Vec<String>,
}

fn main() -> ExitCode {
    match conform(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn conform(options: &Options) -> Result<bool> {
    let begun = Instant::now();
    let table = rows::read(&options.folder.join("rows.toml"))?;
    let all = Case::read_all(&options.folder.join("cases"))?;
    let mut wrong = rows::problems(&table, &all);
    let wanted = |case: &Case| options.names.is_empty() || options.names.iter().any(|name| case.name.contains(name.as_str()));
    let verdicts: Vec<Verdict> = all.into_iter().filter(wanted).map(verdict).collect();
    if options.list {
        list(&table, &verdicts);
    }
    for verdict in &verdicts {
        wrong.extend(verdict.problems.iter().map(|problem| format!("case {} {problem}", verdict.case.name)));
    }
    wrong.iter().for_each(|problem| println!("{problem}"));
    let failed = verdicts.iter().filter(|v| !v.problems.is_empty()).count();
    println!("{} cases at parallelism {PARALLELISMS:?}, {failed} failed, {:.1} s", verdicts.len(), begun.elapsed().as_secs_f64());
    Ok(wrong.is_empty())
}

fn verdict(case: Case) -> Verdict {
    let one = |parallelism: usize| run(&case, parallelism).err().map(|error| format!("at parallelism {parallelism} {error:#}"));
    let problems = PARALLELISMS.into_iter().filter_map(one).collect();
    Verdict { case, problems }
}

fn list(table: &[rows::Row], verdicts: &[Verdict]) {
    for row in table {
        println!("{:>3} {}", row.number, row.title);
        if let Some(reason) = &row.without {
            println!("      no case: {reason}");
        }
        for verdict in verdicts.iter().filter(|v| v.case.rows.contains(&row.number)) {
            let result = if verdict.problems.is_empty() { "pass" } else { "FAIL" };
            println!("      {result} {}: {}", verdict.case.name, verdict.case.about);
        }
    }
}
