//! `demo`: from a fresh checkout to a real job on real input in one command.
//!
//! It builds everything, writes a million auction events, asks for the most wanted auctions of every ten seconds, and
//! compares the answer with the one that an independent program gave for the same events. Then a smaller job shows
//! windows and watermarks on readings that fit on the screen.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::process;
use crate::setup::Language;
use crate::workspace::Workspace;
use crate::{dist, setup};

/// How many events are written, and how many bytes they have with the generator's default rate and seed.
const EVENTS: (u64, u64) = (1_000_000, 215_705_501);

/// The answer to query q5 over these events: its lines, and the SHA-256 of the lines in ascending order.
const ANSWER: (usize, &str) = (521, "7143fc4ce148a876b997cd34027362e6425d7121eb6f54b14c71a80d70088372");

/// Lines of a result that are shown.
const SHOWN_LINES: usize = 5;

/// What the demo reads of the report that a run writes.
#[derive(Deserialize)]
struct Figures {
    wall_s: f64,
    events_per_s: Option<f64>,
    cpu_us_per_event: Option<f64>,
    peak_rss_mib: f64,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    println!("1. Making this machine ready, and building the engine and the example jobs. The first time takes some minutes.\n");
    setup::languages(workspace, &[Language::Rust])?;
    dist::everything(workspace, &[Language::Rust])?;
    let folder = workspace.cache().join("demo");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    auctions(workspace, &folder)?;
    sensors(workspace, &folder)?;
    println!("\nWhat to try next:");
    println!("  dist/tidemill plan dist/guests/rust/nexmark.wasm --arg query=q5     the graph of the job you just ran");
    println!("  dist/tidemill run dist/guests/rust/wordcount.wasm --help            what else a run can be told");
    println!("  dist/tidemill new my-job --lang rust                                a job of your own that builds and tests as it is");
    Ok(())
}

/// Query 5 of Nexmark over a million events.
fn auctions(workspace: &Workspace, folder: &Path) -> Result<()> {
    let (count, bytes) = EVENTS;
    let events = folder.join("events.json");
    if !fs::metadata(&events).is_ok_and(|file| file.len() == bytes) {
        println!("\n2. Writing {count} auction events ({} MB of JSON lines) to {}.", bytes / 1_000_000, events.display());
        let mut datagen = tidemill(workspace);
        datagen.args(["datagen", "nexmark", "--events", &count.to_string(), "--out"]).arg(&events);
        process::run(&mut datagen, "writing the events")?;
    } else {
        println!("\n2. The {count} auction events of the last time are still in {}.", events.display());
    }
    println!("\n3. Which auctions had the most bids in the last ten seconds, asked anew every two seconds of event time?");
    println!("   The job is examples/03-nexmark/rust, compiled to a WebAssembly component, on two workers:\n");
    let (results, report) = (folder.join("q5"), folder.join("q5-report.json"));
    let mut job = tidemill(workspace);
    job.args(["run", "dist/guests/rust/nexmark.wasm", "--arg", "query=q5", "--bind"]).arg(format!("events=file:{}", events.display()));
    job.arg("--bind").arg(format!("results=file:{}?overwrite=true", results.display()));
    job.args(["--parallelism", "2", "--report-file"]).arg(&report);
    println!("   $ {}\n", process::shown(&job));
    process::run(&mut job, "the auction job")?;
    let figures: Figures = serde_json::from_slice(&fs::read(&report)?).context("the report of the run is not as expected")?;
    println!("   {}", told(&figures, count));
    let mut lines = lines_of(&results)?;
    lines.sort_unstable();
    println!("\n   Its answer, in {}, as windowEnd,auction,bids:", results.display());
    show(&lines);
    verdict(&lines)?;
    println!("   All {} lines equal the answer of an independent program, byte for byte.", lines.len());
    Ok(())
}

/// Windowed averages over the readings that the example comes with.
fn sensors(workspace: &Workspace, folder: &Path) -> Result<()> {
    let example = "examples/02-sensor-windows";
    let input = format!("{example}/{}", file_of(&workspace.root().join(example), "input.")?);
    println!("\n4. The average temperature of every sensor in windows of ten seconds; some readings come late ({example}):\n");
    let results = folder.join("sensors");
    let mut job = tidemill(workspace);
    job.args(["run", "dist/guests/rust/sensor-windows.wasm", "--bind"]).arg(format!("readings=file:{input}"));
    job.arg("--bind").arg(format!("averages=file:{}?overwrite=true", results.display()));
    println!("   $ {}\n", process::shown(&job));
    process::run(&mut job, "the sensor job")?;
    println!("   What went in, from {input}:");
    let readings = fs::read_to_string(workspace.root().join(&input)).with_context(|| format!("cannot read {input}"))?;
    show(&readings.lines().map(str::to_owned).collect::<Vec<_>>());
    println!("   What came out, in {}:", results.display());
    show(&lines_of(&results)?);
    Ok(())
}

/// The name of the one file of `folder` that begins with `start`.
fn file_of(folder: &Path, start: &str) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.starts_with(start));
    names.sort();
    names.into_iter().next().with_context(|| format!("no {start}* in {}", folder.display()))
}

/// The built binary, run from the root so that the commands shown can be typed there.
fn tidemill(workspace: &Workspace) -> Command {
    let mut command = Command::new("dist/tidemill");
    command.current_dir(workspace.root());
    command
}

/// The figures of a run as a sentence; the first run also compiles the component, which later runs find in the cache.
fn told(figures: &Figures, events: u64) -> String {
    let rate = figures.events_per_s.map_or(String::new(), |rate| format!(", at {:.2} million events a second once it read", rate / 1e6));
    let cost = figures.cpu_us_per_event.map_or(String::new(), |cost| format!(", {cost:.2} us of CPU time each"));
    format!("{events} events in {:.2} s with its start{rate}{cost}, {:.0} MiB of memory at the peak.", figures.wall_s, figures.peak_rss_mib)
}

/// The lines of all part files of a result folder.
fn lines_of(folder: &Path) -> Result<Vec<String>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("part-") {
            parts.push(entry.path());
        }
    }
    parts.sort();
    let mut lines = Vec::new();
    for part in parts {
        let text = fs::read_to_string(&part).with_context(|| format!("cannot read {}", part.display()))?;
        lines.extend(text.lines().map(str::to_owned));
    }
    Ok(lines)
}

fn show(lines: &[String]) {
    for line in lines.iter().take(SHOWN_LINES) {
        println!("      {line}");
    }
    if lines.len() > SHOWN_LINES {
        println!("      ... {} more", lines.len() - SHOWN_LINES);
    }
}

/// Whether the sorted lines are the known answer.
fn verdict(lines: &[String]) -> Result<()> {
    let (count, digest) = ANSWER;
    let found = digest_of(lines);
    if lines.len() != count || found != digest {
        bail!("the answer is wrong: {} lines with digest {found}, known are {count} lines with digest {digest}", lines.len());
    }
    Ok(())
}

fn digest_of(lines: &[String]) -> String {
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line);
        hash.update("\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_lines_as_a_file() {
        let lines = ["a".to_owned(), "b".to_owned()];
        assert_eq!(digest_of(&lines), "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2");
        assert!(verdict(&lines).is_err());
    }

    #[test]
    fn only_part_files_are_results() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("part-1", "c\n"), ("part-0", "a\nb\n"), (".part-2", "no\n"), ("notes", "no\n")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        assert_eq!(lines_of(folder.path()).unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn figures_that_were_not_measured_are_left_out() {
        let figures = Figures { wall_s: 1.5, events_per_s: Some(2_000_000.0), cpu_us_per_event: None, peak_rss_mib: 80.4 };
        assert_eq!(
            told(&figures, 9),
            "9 events in 1.50 s with its start, at 2.00 million events a second once it read, 80 MiB of memory at the peak."
        );
    }
}
