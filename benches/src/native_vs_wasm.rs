//! `native_vs_wasm`: the same job in the same engine, its user code once as the component and once native.
//!
//! Every run is a process of its own, so that CPU and memory are its alone; the two take turns. Results are compared line
//! by line. Measured is the run of the dataflow: compiling the component is not in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser};

use crate::digest::Digest;
use crate::events::Events;
use crate::inprocess::{self, Figures};
use crate::median::median;
use crate::table::{Table, number};
use crate::{child, machine, place};

/// The first argument of a child.
const CHILD: &str = "child";
/// How long a run may take.
const RUN_MAX: Duration = Duration::from_secs(600);

/// Compare a job as a component with the same job as native code
#[derive(Debug, Parser)]
pub struct Options {
    /// Queries of the Nexmark example, with further arguments behind colons
    #[arg(long, value_delimiter = ',', default_value = "q1,q4,q5:aggregate=guest,q7,q11,wordcount,timers")]
    queries: Vec<String>,
    /// Rounds; the median counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A pattern of files of events [default: the peers' five million events, else as many made here]
    #[arg(long)]
    events: Option<String>,
    /// Workers
    #[arg(long, default_value_t = 2)]
    parallelism: usize,
    /// How long to wait for a quiet machine before each run, in seconds
    #[arg(long, default_value_t = 30)]
    wait_s: u64,
    /// A small input unless one is given
    #[arg(skip)]
    quick: bool,
}

impl Options {
    /// The options of the published figures, or of a quick look.
    pub fn sized(full: bool) -> Options {
        let defaults = Options::parse_from(["native_vs_wasm"]);
        if full { defaults } else { Options { rounds: 3, wait_s: 5, quick: true, ..defaults } }
    }
}

/// What a child is asked for.
#[derive(Debug, Args, Parser)]
struct Child {
    /// A query with its arguments
    #[arg(long)]
    query: String,
    /// The component; native code without it
    #[arg(long)]
    component: Option<PathBuf>,
    /// The URL of the source
    #[arg(long)]
    events: String,
    /// The directory of results
    #[arg(long)]
    out: PathBuf,
    /// Workers
    #[arg(long)]
    parallelism: usize,
}

/// Runs as a child when the command line says so.
pub fn child_if_asked() -> Option<Result<()>> {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    (args.next().as_deref() == Some(CHILD.as_ref())).then(|| {
        let child = Child::parse_from(std::iter::once(program).chain(args));
        let figures =
            inprocess::nexmark(child.component.as_deref(), &arguments(&child.query)?, &child.events, &child.out, child.parallelism)?;
        println!("{}", serde_json::to_string(&figures)?);
        Ok(())
    })
}

/// `q5:aggregate=guest` as `query=q5 aggregate=guest`.
fn arguments(query: &str) -> Result<Vec<(String, String)>> {
    let mut parts = query.split(':');
    let mut args = vec![("query".to_owned(), parts.next().unwrap_or_default().to_owned())];
    for part in parts {
        let (name, value) = part.split_once('=').with_context(|| format!("{query}: {part:?} is not NAME=VALUE"))?;
        args.push((name.to_owned(), value.to_owned()));
    }
    Ok(args)
}

/// Runs the benchmark and prints its table.
///
/// # Errors
/// When a run fails, or the two kinds disagree on the result.
pub fn run(options: &Options) -> Result<()> {
    let events = Events::choose(options.events.as_deref(), !options.quick)?;
    let component = place::guest("rust", "nexmark")?;
    let scratch = place::scratch()?;
    let mut runs: Vec<[Vec<Figures>; 2]> = options.queries.iter().map(|_| [Vec::new(), Vec::new()]).collect();
    for round in 0..options.rounds {
        for (query, figures) in options.queries.iter().zip(&mut runs) {
            let mut digests = Vec::new();
            for (code, figures) in [Some(component.as_path()), None].into_iter().zip(figures) {
                let name = if code.is_some() { "wasm" } else { "native" };
                let out = scratch.join(format!("out-{name}"));
                machine::wait_until_idle(Duration::from_secs(options.wait_s));
                let one = start(options, query, code, &events, &out, &scratch)?;
                eprintln!("round {round} {query} {name}: {:.3} us/event", us_per_event(&one));
                digests.push(Digest::of_dir(&out)?);
                figures.push(one);
                std::fs::remove_dir_all(&out)?;
            }
            if digests[0] != digests[1] {
                bail!("{query}: the component wrote {} and native code {}, so the figures compare different work", digests[0], digests[1]);
            }
        }
    }
    print(options, &runs);
    Ok(())
}

fn start(options: &Options, query: &str, component: Option<&Path>, events: &Events, out: &Path, scratch: &Path) -> Result<Figures> {
    let mut args: Vec<OsString> = [CHILD, "--query", query, "--events", &events.url(), "--parallelism", &options.parallelism.to_string()]
        .iter()
        .map(OsString::from)
        .collect();
    args.extend(["--out".into(), out.into()]);
    args.extend(component.into_iter().flat_map(|path| ["--component".into(), path.into()]));
    let done = child::run(Command::new(std::env::current_exe()?).args(args), scratch, RUN_MAX)?;
    serde_json::from_str(&done.stdout).with_context(|| format!("a child answered {:?}", done.stdout))
}

fn us_per_event(figures: &Figures) -> f64 {
    figures.cpu_s * 1e6 / figures.events.max(1) as f64
}

fn print(options: &Options, runs: &[[Vec<Figures>; 2]]) {
    println!("{}", machine::heading("The same job as a component and native, in the same engine"));
    let events = runs.first().and_then(|[wasm, _]| wasm.first()).map_or(0, |one| one.events);
    println!("{events} events, parallelism {}, median of {} interleaved rounds; results equal.\n", options.parallelism, options.rounds);
    let mut table = Table::new(&[
        "query",
        "wasm CPU us/event",
        "native CPU us/event",
        "wasm / native",
        "in user code, wasm us/event",
        "native",
        "wasm peak MiB",
        "native",
    ]);
    for (query, [wasm, native]) in options.queries.iter().zip(runs) {
        let of = |runs: &[Figures], figure: fn(&Figures) -> f64| median(runs.iter().map(figure));
        let (in_wasm, in_native) = (of(wasm, us_per_event), of(native, us_per_event));
        let guest = |one: &Figures| one.guest_s * 1e6 / one.events.max(1) as f64;
        table.row([
            query.clone(),
            number(in_wasm, 3),
            number(in_native, 3),
            number(in_wasm.zip(in_native).map(|(wasm, native)| wasm / native), 2),
            number(of(wasm, guest), 3),
            number(of(native, guest), 3),
            number(of(wasm, |one| one.peak_mib), 0),
            number(of(native, |one| one.peak_mib), 0),
        ]);
    }
    table.print();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_query_may_have_arguments() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(arguments("q5:aggregate=guest").unwrap(), [pair("query", "q5"), pair("aggregate", "guest")]);
        assert_eq!(arguments("q1").unwrap(), [pair("query", "q1")]);
        assert!(arguments("q1:x").is_err());
    }

    #[test]
    fn defaults_parse() {
        assert_eq!((Options::sized(true).rounds, Options::sized(false).rounds), (5, 3));
    }
}
