//! Uploads by the thousand that are nearly a component, or one that nobody would write.
//!
//! A third each: a component that is cut short, one with a bit turned or a byte out of step, and code made by `wasm-smith`. Each is stored
//! or refused with a typed problem, and the server is the one it was. Equal seeds upload equal bytes; `TIDEMILL_FUZZ_SEED=n` and
//! `TIDEMILL_FUZZ_UPLOADS=n` choose others and more.

use std::collections::BTreeMap;

use tidemill_e2e::smith::{self, scrambled};
use tidemill_e2e::{Answer, Folder, Server, exit};

use crate::wat::Case;

/// Uploads of every test run, and of a full one.
const UPLOADS: u64 = 2_000;
const UPLOADS_FULL: u64 = 100_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn upload(server: &Server<'_>, bytes: &[u8]) -> Answer {
    let length = format!("content-length: {}", bytes.len());
    let mut upload = server.request("POST /v1/components", &["content-type: application/wasm", &length]);
    upload.send(bytes);
    upload.answer()
}

/// The bytes of one upload, and of what kind they are.
fn made(whole: &[u8], seed: u64, index: u64) -> (&'static str, Vec<u8>) {
    let chance = scrambled(seed ^ scrambled(index));
    let at = usize::try_from(chance % whole.len() as u64).unwrap();
    let mut bytes = whole.to_vec();
    match index % 9 {
        0 | 3 | 6 => {
            bytes.truncate(at);
            ("cut short", bytes)
        }
        1 | 4 => {
            bytes[at] ^= 1 << (chance >> 61);
            ("a bit turned", bytes)
        }
        7 => {
            bytes[at..].rotate_left(1);
            ("out of step", bytes)
        }
        2 => ("generated module", smith::module(chance)),
        5 => ("generated module in a component", smith::wrapped(&smith::module(chance))),
        _ => ("generated component", smith::component(chance)),
    }
}

/// The reason for which bytes were refused; `stored` where they were taken.
fn verdict(server: &Server<'_>, answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{e}: {answer:?}"));
    if [200, 201].contains(&answer.status) {
        // It need not stay: the store is not what is tested.
        server.ask(&format!("DELETE /v1/components/{}", body["sha256"].as_str().unwrap()), "");
        return "stored".to_owned();
    }
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert_eq!(answer.media_type, "application/problem+json", "{answer:?}");
    assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some("component-refused"), Some(422)), "{answer:?}");
    let title = body["title"].as_str().unwrap();
    let (reason, _) = title.split_once(':').unwrap_or_else(|| panic!("no reason of its own: {title}"));
    assert!(["component-", "contract-"].iter().any(|kind| reason.starts_with(kind)), "{title}");
    // What the process says that examines and has died of it: a panic of the compiler would hide here.
    assert_ne!(reason, "component-too-costly", "{answer:?}");
    reason.to_owned()
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the seed and what became of the uploads are what is read when it fails, and when it is run by hand"
)]
fn bytes_that_are_nearly_a_component_are_refused_or_run() {
    let seed = number("TIDEMILL_FUZZ_SEED").unwrap_or(1);
    let full = std::env::var_os("TIDEMILL_TEST_FULL").is_some();
    let uploads = number("TIDEMILL_FUZZ_UPLOADS").unwrap_or(if full { UPLOADS_FULL } else { UPLOADS });
    println!("{uploads} uploads of TIDEMILL_FUZZ_SEED={seed}");
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let process = server.id();
    let whole = Case::default().build();
    let mut verdicts: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for index in 0..uploads {
        let (kind, bytes) = made(&whole, seed, index);
        println!("upload {index}: {kind}, {} bytes", bytes.len());
        let verdict = verdict(&server, &upload(&server, &bytes));
        *verdicts.entry((kind, verdict)).or_default() += 1;
    }
    for ((kind, verdict), count) in &verdicts {
        println!("| {kind} | {verdict} | {count} |");
    }
    let count = |kind: &str, verdict: &str| verdicts.get(&(kind, verdict.to_owned())).copied().unwrap_or_default();
    // The compiler has seen what was generated: it got so far that only the contract was missed.
    assert!(count("generated module in a component", "component-wrong-world") > uploads / 100, "{verdicts:?}");
    assert!(count("generated component", "component-wrong-world") > uploads / 100, "{verdicts:?}");
    assert_eq!(count("generated module", "component-core-module"), uploads / 9 + u64::from(uploads % 9 > 2), "{verdicts:?}");
    assert_eq!(server.id(), process);
    assert!(folder.entries("data/incoming").is_empty());
    server.command("list").run().expect(exit::OK, &[]);
}

#[test]
fn every_kind_of_file_that_is_no_component_has_its_reason() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
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
        crate::submit(&server, &folder.write("file.wasm", bytes)).expect(exit::REFUSED, &[word]);
    }
}
