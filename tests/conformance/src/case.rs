//! A case as it lies on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tidemill_core::TimeMs;
use tidemill_core::plan::{Operator, Plan};

use crate::guest::Behaviour;
use crate::program::Program;
use crate::record::Record;

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name of its folder.
    pub name: String,
    /// The rows of semantics.md that it pins.
    pub rows: Vec<u32>,
    /// What it shows, in one sentence.
    pub about: String,
    /// The job.
    pub plan: Plan,
    pub(crate) guest: BTreeMap<String, Behaviour>,
    /// The program that is the guest, where it is none of data.
    pub(crate) program: Option<Program>,
    pub(crate) input: Vec<Line>,
    pub(crate) expected: Expected,
}

/// What a case expects.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// Output, each with the number of marks that have passed when it comes.
    Output(Vec<(usize, Out)>),
    /// A refusal, or a failure, whose text holds each of these lines.
    Error(Vec<String>),
}

/// A record that comes out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Out {
    pub(crate) sink: String,
    pub(crate) time: TimeMs,
    pub(crate) record: Record,
}

/// A line of input.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Its number in the file, from 1.
    pub(crate) number: usize,
    /// The source it is for; all where none is named.
    pub(crate) input: Option<String>,
    pub(crate) what: What,
}

impl Line {
    /// Whether it is for this source.
    pub(crate) fn is_of(&self, source: &str) -> bool {
        self.input.as_ref().is_none_or(|name| name == source)
    }
}

/// What a line of input says. All but records are marks, which `expected.jsonl` may repeat.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Record(Record),
    /// The source's watermark is this.
    Watermark(TimeMs),
    /// Processing time is this.
    Now(TimeMs),
    /// The source has nothing to say.
    Idle,
    /// A checkpoint is taken, the job ends there and goes on from it at this parallelism.
    Restart(usize),
    /// Nothing happens; a name to tell output by.
    Step(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    rows: Vec<u32>,
    about: String,
    #[serde(default = "first_contract")]
    contract: String,
    #[serde(default)]
    fuse: Option<bool>,
    #[serde(default)]
    operators: Vec<Operator>,
    #[serde(default)]
    guest: BTreeMap<String, Behaviour>,
    program: Option<Program>,
}

fn first_contract() -> String {
    "0.1.0".to_owned()
}

/// Any line of `in.jsonl` or `expected.jsonl`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "in")]
    input: Option<String>,
    out: Option<String>,
    time: Option<TimeMs>,
    record: Option<Record>,
    watermark: Option<TimeMs>,
    now: Option<TimeMs>,
    idle: Option<bool>,
    restart: Option<usize>,
    step: Option<String>,
    end: Option<bool>,
}

impl Raw {
    /// The mark on the line; `None` for a record and for the end.
    fn mark(&self) -> Result<Option<What>> {
        let mut found = Vec::new();
        found.extend(self.watermark.map(What::Watermark));
        found.extend(self.now.map(What::Now));
        found.extend(self.idle.filter(|idle| *idle).map(|_| What::Idle));
        found.extend(self.restart.map(What::Restart));
        found.extend(self.step.clone().map(What::Step));
        let others = usize::from(self.record.is_some()) + usize::from(self.end == Some(true));
        ensure!(found.len() + others == 1, "says one thing: record, watermark, now, idle, restart, step or end");
        Ok(found.pop())
    }
}

impl Case {
    /// Reads a folder.
    ///
    /// # Errors
    /// A file that is missing or says what it cannot, with its place.
    pub fn read(folder: &Path) -> Result<Case> {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = folder.join("case.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let head: Head = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
        let plan = match &head.program {
            Some(_) if !head.operators.is_empty() => bail!("{}: the operators of a [program] are its own", path.display()),
            Some(program) => program.plan().with_context(|| format!("{}", path.display()))?,
            None => Plan { contract: head.contract, name: None, fuse: head.fuse.unwrap_or(true), operators: head.operators },
        };
        if let Some(operator) = head.guest.keys().find(|name| !plan.operators.iter().any(|o| o.name == **name)) {
            bail!("{}: [guest.{operator}] is of no operator of the plan", path.display());
        }
        let input = input(&folder.join("in.jsonl"), &plan)?;
        let expected = expected(folder, &input, &plan)?;
        Ok(Case { name, rows: head.rows, about: head.about, plan, guest: head.guest, program: head.program, input, expected })
    }

    /// Reads all folders of a folder, by name.
    ///
    /// # Errors
    /// As [`Case::read`].
    pub fn read_all(folder: &Path) -> Result<Vec<Case>> {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let mut folders: Vec<PathBuf> = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            }
        }
        folders.sort();
        folders.iter().map(|folder| Case::read(folder)).collect()
    }
}

/// The lines of a file that hold something, with their numbers. A missing file has none.
fn lines(path: &Path) -> Result<Vec<(usize, Raw)>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let numbered = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    numbered
        .map(|(number, line)| Ok((number, serde_json::from_str(line).with_context(|| format!("{}:{number}", path.display()))?)))
        .collect()
}

fn input(path: &Path, plan: &Plan) -> Result<Vec<Line>> {
    let sources: Vec<&str> = plan.operators.iter().filter(|o| o.kind_name() == "source").map(|o| o.name.as_str()).collect();
    let mut input = Vec::new();
    for (number, raw) in lines(path)? {
        let at = || format!("{}:{number}", path.display());
        let mark = raw.mark().with_context(at)?;
        ensure!(raw.out.is_none() && raw.time.is_none() && raw.end.is_none(), "{}: `out`, `time` and `end` are for expected.jsonl", at());
        let name = raw.input.or_else(|| sources.first().filter(|_| sources.len() == 1).map(|&name| name.to_owned()));
        if let Some(name) = name.as_ref().filter(|name| !sources.contains(&name.as_str())) {
            bail!("{}: {name:?} is no source of the plan", at());
        }
        let what = match (mark, raw.record) {
            (Some(mark), _) => mark,
            (None, Some(record)) => {
                ensure!(name.is_some(), "{}: say which source the record comes from: \"in\": NAME", at());
                What::Record(record)
            }
            (None, None) => bail!("{}: the end needs no line", at()),
        };
        input.push(Line { number, input: name, what });
    }
    Ok(input)
}

fn expected(folder: &Path, input: &[Line], plan: &Plan) -> Result<Expected> {
    let (output, error) = (folder.join("expected.jsonl"), folder.join("error.txt"));
    if error.exists() {
        ensure!(!output.exists(), "{}: a case expects output or an error, not both", folder.display());
        let text = fs::read_to_string(&error).with_context(|| format!("cannot read {}", error.display()))?;
        let parts: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
        ensure!(!parts.is_empty(), "{} is empty: any error would do", error.display());
        return Ok(Expected::Error(parts));
    }
    ensure!(output.exists(), "{}: there is neither expected.jsonl nor error.txt", folder.display());
    let sinks: Vec<&str> = plan.operators.iter().filter(|o| o.kind_name() == "sink").map(|o| o.name.as_str()).collect();
    let marks: Vec<&What> = input.iter().map(|line| &line.what).filter(|what| !matches!(what, What::Record(_))).collect();
    let mut phase = 0;
    let mut rows = Vec::new();
    for (number, raw) in lines(&output)? {
        let at = || format!("{}:{number}", output.display());
        match (raw.mark().with_context(at)?, raw.record) {
            (Some(mark), _) => {
                let next = marks[phase.min(marks.len())..].iter().position(|m| **m == mark);
                let next = next.with_context(|| format!("{}: the input has no such mark from here on", at()))?;
                phase += next + 1;
            }
            (None, None) => phase = marks.len() + 1,
            (None, Some(record)) => {
                let sink = raw.out.or_else(|| sinks.first().filter(|_| sinks.len() == 1).map(|&name| name.to_owned()));
                let sink = sink.with_context(|| format!("{}: say at which sink it comes out: \"out\": NAME", at()))?;
                ensure!(sinks.contains(&sink.as_str()), "{}: {sink:?} is no sink of the plan", at());
                let time = raw.time.with_context(|| format!("{}: the record has no \"time\"", at()))?;
                rows.push((phase, Out { sink, time, record }));
            }
        }
    }
    Ok(Expected::Output(rows))
}
