//! The hostile zoo: what an attacker would upload or ask, beside jobs that must not feel it.
//!
//! For each threat of docs/isolation.md the server lives and answers, the job beside it runs on without a restart, the cause is named,
//! and nothing is left. `cargo xtask zoo` prints what each did to the words of somebody else's job.
#![allow(clippy::unwrap_used)]

mod beside;
mod damaged;
mod requests;
mod wat;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use beside::{Beside, Latency};
use tidemill_e2e::{Ended, Folder, Server, exit, guest, root};
use wat::Case;

/// How long the server may take to answer while a hostile job does its worst: a command that starts, on a machine that is busy.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Words of the job beside that a figure is made of at least, and before anything hostile comes.
const WORDS_MIN: usize = 100;
const CALM_WORDS: usize = 400;
/// How much slower the words of the job beside may be at the 99th percentile, the times it has without anything hostile beside it.
const SLOWER_MAX: u32 = 2;
/// How often a threat is let loose at most until the words beside it are as fast as they were.
const ATTEMPTS: u32 = 3;
/// What a machine whose cores are all taken adds to a word: a few turns of its scheduler.
const TURNS: Duration = Duration::from_millis(100);
/// By how much the memory of the server may have grown after all of it.
const GROWN_MAX: u64 = 32 << 20;
/// How long starts of a job that always fails are counted.
const STARTS_TIME: Duration = Duration::from_secs(4);

/// A server with a job on it that counts for as long as the test takes.
fn with_victim(folder: &Folder) -> Server<'_> {
    let server = Server::start(folder, &[]);
    let victim = server.command("submit").arg(guest("test", "swap")).args(["--name", "victim", "--memory", "64MiB"]);
    victim.bind("numbers", "datagen:rows?rate=200").bind("counts", "discard:").run().expect(exit::OK, &[]);
    server.until_state("victim", "running");
    server
}

/// Bytes that a process has in memory.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// The zoo under way: whom it must not hurt, and what they were like before.
struct Zoo<'a> {
    folder: &'a Folder,
    server: Server<'a>,
    process: u32,
    beside: Beside,
    calm: Latency,
    resident: u64,
}

impl<'a> Zoo<'a> {
    fn open(folder: &'a Folder) -> Zoo<'a> {
        let server = with_victim(folder);
        let beside = Beside::start(folder);
        beside.latency(WORDS_MIN);
        let calm = beside.latency(CALM_WORDS);
        let zoo = Zoo { folder, process: server.id(), resident: resident(server.id()), server, beside, calm };
        zoo.row("-", "nothing hostile", "", &calm, Duration::ZERO);
        zoo
    }

    /// A line of the table.
    #[expect(clippy::print_stdout, reason = "the table is what the zoo is run for by hand")]
    fn row(&self, threat: &str, name: &str, how: &str, words: &Latency, answer: Duration) {
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
        let memory = resident(self.process) >> 20;
        let Latency { words, p50, p99 } = words;
        println!("| {threat} | {name} | {how} | {words} | {} | {} | {} | {memory} |", ms(*p50), ms(*p99), ms(answer));
    }

    /// Lets a threat do its worst. Where words took long, it is told apart from a machine that does something else as well: by the words
    /// behind it, and by letting it loose again.
    fn release(&self, threat: &str, name: &str, worst: impl Fn() -> String) {
        for attempt in 1..=ATTEMPTS {
            let how = worst();
            let words = self.nobody_is_hurt(threat, name, &how);
            if words.p99 < self.calm.p99 * SLOWER_MAX + TURNS {
                return;
            }
            let calm = self.beside.latency(CALM_WORDS);
            if words.p99 < calm.p99 * SLOWER_MAX + TURNS {
                return;
            }
            assert!(attempt < ATTEMPTS, "{name}: {words:?}, and without it {calm:?}");
        }
    }

    /// The server answers, the jobs beside run on, and nothing else is left; answers how long the words beside took.
    fn nobody_is_hurt(&self, threat: &str, name: &str, how: &str) -> Latency {
        let begun = Instant::now();
        let read = |job: &serde_json::Value| job["status"]["records_in"].as_u64().unwrap();
        let victim = self.server.job("victim");
        let answer = begun.elapsed();
        assert!(answer < ANSWER_MAX, "{name}: the server took {answer:?} to answer");
        assert_eq!((self.server.id(), victim["restarts"].as_u64()), (self.process, Some(0)), "{name}");
        let words = self.beside.latency(WORDS_MIN);
        self.row(threat, name, how, &words, answer);
        self.server.until("victim", "further", |job| read(job) > read(&victim));
        assert_eq!(self.server.runners().len(), 1, "{name}: only the job beside is left");
        words
    }

    fn close(self) {
        assert_eq!(self.folder.entries("data/jobs").len(), 1);
        assert!(self.folder.entries("data/incoming").is_empty());
        let grown = resident(self.process).saturating_sub(self.resident);
        assert!(grown < GROWN_MAX, "the server has {} MiB more than before", grown >> 20);
        self.beside.end();
    }
}

fn submit(server: &Server<'_>, file: &Path) -> Ended {
    let submit = server.command("submit").arg(file).args(["--name", "hostile", "--checkpoint-interval", "20ms"]);
    submit.bind("in", "datagen:rows?rate=50").bind("out", "discard:").run()
}

/// Lets a guest do its worst; answers how it was stopped.
fn run_guest(zoo: &Zoo<'_>, name: &str, case: &Case) -> String {
    let server = &zoo.server;
    let submitted = submit(server, &zoo.folder.write(&format!("{name}.wasm"), case.build()));
    if let Some(word) = &case.fails.upload {
        submitted.expect(exit::REFUSED, &[word, "component-refused"]);
        return format!("upload: {word}");
    }
    if let Some(word) = &case.fails.submit {
        submitted.expect(exit::REFUSED, &[word, "plan-refused"]);
        return format!("submit: {word}");
    }
    submitted.expect(exit::OK, &[]);
    let mut how = match &case.fails.run {
        Some(word) => {
            let job = server.until("hostile", "stopped", |job| job["restarts"].as_u64() > Some(0));
            let failure = job["last_failure"].as_str().unwrap_or_default().to_owned();
            assert!(failure.contains(word.as_str()), "{name}: {failure}");
            format!("run: {}", failure.lines().next().unwrap_or_default())
        }
        None => {
            server.until("hostile", "at work", |job| job["status"]["records_in"].as_u64() > Some(0));
            "runs".to_owned()
        }
    };
    if let Some(most) = case.starts_max {
        std::thread::sleep(STARTS_TIME);
        let starts = server.job("hostile")["restarts"].as_u64().unwrap();
        assert!(starts <= most, "{name}: {starts} starts within {STARTS_TIME:?}");
        how.push_str(&format!("; {starts} starts in {} s", STARTS_TIME.as_secs()));
    }
    let logs = server.command("logs").arg("hostile").run();
    assert!(!logs.stdout.contains('\u{1b}'), "{name}: {}", logs.stdout);
    // One that traps at the same record again and again is given up by itself.
    let cancelled = server.command("cancel").arg("hostile").run();
    assert!(cancelled.code == exit::OK || cancelled.stderr.contains("has ended"), "{name}: {}", cancelled.stderr);
    server.command("forget").arg("hostile").run().expect(exit::OK, &[]);
    how
}

#[test]
fn whatever_is_uploaded_or_asked_hurts_nobody() {
    let folder = Folder::new();
    let zoo = Zoo::open(&folder);
    let mut files: Vec<_> = fs::read_dir(root().join("tests/hostile/guests")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let case: Case = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (threat, short) = name.split_once('-').unwrap();
        zoo.release(threat, short, || run_guest(&zoo, &name, &case));
    }
    for (threat, name, ask) in requests::THREATS {
        zoo.release(&format!("{threat:02}"), name, || ask(zoo.folder, &zoo.server));
    }
    zoo.close();
}
