//! Swap after swap while records come at their full pace, some of them to versions that trap: nothing is lost and nothing is doubled.
//!
//! `cargo xtask swap-storm --swaps 100 --seed 7` runs it at any length and prints how long processing paused. What comes out is compared
//! with what a run without swaps gives: every count of every key, once.
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::time::Duration;

use serde_json::Value;
use tidemill_e2e::{Folder, Running, Server, exit, guest};

const KEYS: usize = 100_000;
/// Records a second.
const RATE: usize = 100_000;
/// Swaps unless it is said.
const SWAPS: usize = 10;
/// Seconds of records for each swap: a process starts, reads the state, and is watched for a moment.
const SWAP_SECONDS: usize = 4;

/// What a swap goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The same code under another digest of arguments.
    Well,
    /// It traps at its first record.
    Traps,
    /// It traps after 10,000 records.
    Later,
    /// It traps when it is given its state.
    Import,
}

impl Target {
    /// One in three fails, each in its turn in a way drawn from the seed.
    fn drawn(seed: u64, swap: usize) -> Target {
        let drawn = scrambled(seed.wrapping_mul(1 << 20) + swap as u64);
        if !drawn.is_multiple_of(3) {
            return Target::Well;
        }
        [Target::Traps, Target::Later, Target::Import][(drawn / 3 % 3) as usize]
    }

    fn args(self, swap: usize) -> Vec<String> {
        let (version, after) = match self {
            Target::Well => ("same", swap),
            Target::Traps => ("traps", swap),
            Target::Later => ("later", 10_000),
            Target::Import => ("import", swap),
        };
        [format!("version={version}"), format!("after={after}")].iter().flat_map(|arg| ["--arg".to_owned(), arg.clone()]).collect()
    }
}

/// Numbers that look like chance, the same in every run.
fn scrambled(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn write_numbers(folder: &Folder, numbers: usize) {
    let mut file = BufWriter::new(fs::File::create(folder.join("numbers.json")).unwrap());
    for n in 0..numbers {
        writeln!(file, "{{\"k\":{}}}", n % KEYS).unwrap();
    }
    file.flush().unwrap();
}

/// Every count of every key was shown once: what a run without a swap shows.
fn nothing_is_lost_or_doubled(folder: &Folder, numbers: usize) {
    let counts = |key: usize| numbers / KEYS + usize::from(key < numbers % KEYS);
    let mut seen: Vec<Vec<bool>> = (0..KEYS).map(|key| vec![false; counts(key)]).collect();
    let mut lines = 0;
    for part in folder.parts("out") {
        for line in BufReader::new(fs::File::open(part).unwrap()).lines() {
            let count: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let of = |name: &str| usize::try_from(count[name].as_u64().unwrap()).unwrap();
            let (key, count) = (of("k"), of("count"));
            assert!(!std::mem::replace(&mut seen[key][count - 1], true), "count {count} of key {key} was shown twice");
            lines += 1;
        }
    }
    assert_eq!(lines, numbers, "records lost");
}

/// How long workers were kept from records by swaps, as the job tells it, and how long it did not run when a version had failed, as the
/// server does.
struct Times {
    events: Running,
    pauses: Vec<Duration>,
    /// From the announcement of a boundary until all had switched.
    switches: Vec<Duration>,
    rollbacks: Vec<Duration>,
}

impl Times {
    fn listen(server: &Server<'_>) -> Times {
        let mut events = server.command("events").arg("--json").start();
        assert!(events.line().contains("listening"));
        Times { events, pauses: Vec::new(), switches: Vec::new(), rollbacks: Vec::new() }
    }

    /// Notes how the version took over, if it did.
    fn answered(&mut self, answer: &Value) {
        let taken = &answer["job"]["version"]["taken"]["in-place"];
        let of = |name: &str| taken[name].as_u64().map(Duration::from_micros);
        self.pauses.extend(of("pause_us"));
        self.switches.extend(of("lasted_us"));
    }

    /// Reads on to the end of a change: the new version runs, and where it was to fail the old one again.
    fn follow(&mut self, fails: bool) {
        let mut rolled_back = None;
        loop {
            let event: Value = serde_json::from_str(&self.events.line()).unwrap();
            let at = event["time_ms"].as_u64().unwrap();
            match event["event"].as_str().unwrap() {
                "job-rolled-back" => rolled_back = Some(at),
                "job-switched" if !fails => return,
                "job-restart-for-version" => panic!("the version cannot take over in place: {event}"),
                "job-running" => {
                    if let Some(then) = rolled_back {
                        self.rollbacks.push(Duration::from_millis(at.saturating_sub(then)));
                        return;
                    }
                }
                _ => {}
            }
        }
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len() * percent / 100).or(times.last()).copied().unwrap_or_default()
}

#[test]
fn swaps_in_a_row_lose_nothing_and_double_nothing() {
    let swaps = number("TIDEMILL_STORM_SWAPS", SWAPS as u64) as usize;
    let seed = number("TIDEMILL_STORM_SEED", 1);
    let folder = Folder::new();
    let numbers = RATE * SWAP_SECONDS * swaps;
    write_numbers(&folder, numbers);
    let server = Server::start(&folder, &[]);
    let submit = server.command("submit").arg(guest("test", "swap")).args(["--name", "counts", "--checkpoint-interval", "200ms"]);
    submit.bind("numbers", &format!("file:numbers.json?rate={RATE}")).bind("counts", "file:out").run().expect(exit::OK, &[]);
    server.until("counts", "at a checkpoint", |job| job["status"]["checkpoints"]["completed"].as_u64() > Some(0));
    let mut times = Times::listen(&server);
    for swap in 0..swaps {
        let target = Target::drawn(seed, swap);
        let swapped = server.command("swap").arg("counts").args(target.args(swap)).args(["--probation", "30s", "--json"]).run();
        let fails = target != Target::Well;
        assert!(swapped.code == exit::OK || fails && swapped.code == exit::REFUSED, "seed {seed}, swap {swap}, {target:?}: {swapped:?}");
        if swapped.code == exit::OK {
            times.answered(&serde_json::from_str(&swapped.stdout).unwrap());
        }
        times.follow(fails);
    }
    // The rest comes as fast as it can: nothing happens to it any more.
    server.command("swap").args(["counts", "--bind", "numbers=file:numbers.json"]).run().expect(exit::OK, &[]);
    let job = server.until_state("counts", "finished");
    assert_eq!(job["restarts"].as_u64(), Some(0), "{job:#}");
    nothing_is_lost_or_doubled(&folder, numbers);
    let Times { mut pauses, mut switches, mut rollbacks, events } = times;
    let ms = |time: Duration| time.as_micros() as f64 / 1e3;
    #[expect(clippy::print_stdout, reason = "the figures are what the storm is run for by hand")]
    {
        println!(
            "{swaps} swaps with seed {seed}, {numbers} records of {KEYS} keys: pause p50 {} ms, p99 {} ms, all switched after p50 {} ms, p99 {} ms; {} rollbacks, p50 {} ms, at most {} ms",
            ms(percentile(&mut pauses, 50)),
            ms(percentile(&mut pauses, 99)),
            ms(percentile(&mut switches, 50)),
            ms(percentile(&mut switches, 99)),
            rollbacks.len(),
            ms(percentile(&mut rollbacks, 50)),
            ms(percentile(&mut rollbacks, 100)),
        );
    }
    tidemill_e2e::kill_process(events.id());
}
