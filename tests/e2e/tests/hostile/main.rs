//! The hostile zoo: what an attacker would upload, beside a job that must not feel it.
//!
//! For each case the server lives and answers, the job beside it runs on without a restart, the cause is named, and nothing is left.
#![allow(clippy::unwrap_used)]

mod wat;

use std::fs;
use std::time::{Duration, Instant};

use tidemill_e2e::{Ended, Folder, Server, exit, guest, root};
use wat::Case;

/// How long the server may take to answer while a hostile job does its worst: a debug build on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Components with a bit or two turned, or cut short.
const MUTANTS: u64 = 60;

/// A server with a job on it that counts for as long as the test takes.
fn with_victim(folder: &Folder) -> Server<'_> {
    let server = Server::start(folder, &[]);
    let victim = server.command("submit").arg(guest("test", "swap")).args(["--name", "victim", "--memory", "64MiB"]);
    victim.bind("numbers", "datagen:rows?rate=200").bind("counts", "discard:").run().expect(exit::OK, &[]);
    server.until_state("victim", "running");
    server
}

/// The server answers, and the job beside runs on.
fn nobody_is_hurt(server: &Server<'_>, process: u32, what: &str) {
    let begun = Instant::now();
    let read = |job: &serde_json::Value| job["status"]["records_in"].as_u64().unwrap();
    let victim = server.job("victim");
    assert!(begun.elapsed() < ANSWER_MAX, "{what}: the server took {:?} to answer", begun.elapsed());
    assert_eq!((server.id(), victim["restarts"].as_u64()), (process, Some(0)), "{what}");
    server.until("victim", "further", |job| read(job) > read(&victim));
}

fn submit(server: &Server<'_>, file: &std::path::Path) -> Ended {
    let submit = server.command("submit").arg(file).args(["--name", "hostile", "--checkpoint-interval", "20ms"]);
    submit.bind("in", "datagen:rows?rate=50").bind("out", "discard:").run()
}

#[test]
fn guests_that_do_their_worst_hurt_nobody() {
    let folder = Folder::new();
    let server = with_victim(&folder);
    let process = server.id();
    let mut cases: Vec<_> = fs::read_dir(root().join("tests/hostile/guests")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 15, "{cases:?}");
    for path in cases {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let case: Case = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let submitted = submit(&server, &folder.write(&format!("{name}.wasm"), case.build()));
        match (&case.fails.upload, &case.fails.submit) {
            (Some(word), _) => _ = submitted.expect(exit::REFUSED, &[word, "component-refused"]),
            (_, Some(word)) => _ = submitted.expect(exit::REFUSED, &[word, "plan-refused"]),
            (None, None) => {
                submitted.expect(exit::OK, &[]);
                if let Some(word) = &case.fails.run {
                    let job = server.until("hostile", "stopped", |job| job["restarts"].as_u64() > Some(0));
                    let failure = job["last_failure"].as_str().unwrap_or_default().to_owned();
                    assert!(failure.contains(word.as_str()), "{name}: {failure}");
                } else {
                    server.until("hostile", "at work", |job| job["status"]["records_in"].as_u64() > Some(0));
                }
            }
        }
        nobody_is_hurt(&server, process, &name);
        if case.fails.upload.is_none() && case.fails.submit.is_none() {
            let logs = server.command("logs").arg("hostile").run();
            assert!(!logs.stdout.contains('\u{1b}'), "{name}: {}", logs.stdout);
            server.command("cancel").arg("hostile").run().expect(exit::OK, &[]);
            server.command("forget").arg("hostile").run().expect(exit::OK, &[]);
        }
        assert_eq!(server.runners().len(), 1, "{name}: only the job beside is left");
    }
    assert_eq!(folder.entries("data/jobs").len(), 1);
}

/// Numbers that look like chance, the same in every run.
fn scrambled(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[test]
fn bytes_that_are_nearly_a_component_are_refused_or_run() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let process = server.id();
    let whole = Case::default().build();
    let files: [(&str, &[u8]); 7] = [
        ("component-not-wasm", b""),
        ("component-text", b"(component)"),
        ("component-core-module", b"\0asm\x01\0\0\0"),
        ("component-precompiled", b"\x7fELF\x02\x01\x01"),
        ("component-not-wasm", b"PK\x03\x04"),
        ("component-not-wasm", b"\x1f\x8b\x08\0"),
        ("component-invalid", &whole[..whole.len() - 1]),
    ];
    for (word, bytes) in files {
        submit(&server, &folder.write("file.wasm", bytes)).expect(exit::REFUSED, &[word]);
    }
    for seed in 0..MUTANTS {
        let mut bytes = whole.clone();
        let at = |salt: u64| usize::try_from(scrambled(seed * 3 + salt) % whole.len() as u64).unwrap();
        match seed % 3 {
            0 => bytes.truncate(at(0)),
            1 => bytes[at(0)] ^= 1 << (seed % 8),
            _ => bytes[at(0)..].rotate_left(1),
        }
        let added = server.command("components").arg("add").arg(folder.write("mutant.wasm", bytes)).run();
        assert!([exit::OK, exit::REFUSED].contains(&added.code), "seed {seed}: {added:?}");
    }
    assert_eq!(server.id(), process);
    assert!(folder.entries("data/incoming").is_empty());
    server.command("list").run().expect(exit::OK, &[]);
}
