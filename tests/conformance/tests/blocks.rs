//! Random blocks between the host and every language: the host's blocks are read and written again by each SDK, those that an SDK makes
//! are read by the host, and both times the bytes and what they are said to hold have to be equal.
//!
//! The programs are `dist/codecs/LANGUAGE`, made by `cargo xtask dist` of `guest-sdk/python/tests/codec.py`, `guest-sdk/js/test/codec.ts`,
//! `guest-sdk/go/internal/codec` and `guest-sdk/c/tests/codec.c`; the Rust SDK is called. `TIDEMILL_BLOCKS_SEED` repeats a run, whose seed a
//! failure tells; `cargo xtask test --full` takes more blocks.
#![allow(clippy::unwrap_used)]

mod codec;

use std::env;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;

use codec::{Random, Table, cut, rebuilt, told};
use tidemill_core::block::Block;
use tidemill_core::schema::Schema;

/// Blocks per language and direction, and of `--full`.
const BLOCKS: usize = 200;
const BLOCKS_FULL: usize = 10_000;

/// Of a row that differs, a failure shows so much: it is ASCII.
const SHOWN: usize = 400;

/// What a program says of a block: its schema, its bytes and its rows as text.
type Answer = (String, Vec<u8>, String);

fn seed() -> u64 {
    let given = env::var("TIDEMILL_BLOCKS_SEED").ok();
    given.map_or_else(|| RandomState::new().hash_one("blocks") >> 1, |seed| seed.parse().expect("TIDEMILL_BLOCKS_SEED is a number"))
}

fn count() -> usize {
    if env::var_os("TIDEMILL_TEST_FULL").is_some() { BLOCKS_FULL } else { BLOCKS }
}

fn program(language: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let folder = env::var_os("TIDEMILL_CODECS").map_or_else(|| root.join("dist/codecs"), PathBuf::from);
    let path = folder.join(language);
    assert!(path.is_file(), "{} is missing: run `cargo xtask dist --all`", path.display());
    path
}

fn run(seed: u64, language: &str, arguments: &[&str]) {
    let output = Command::new(program(language)).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "TIDEMILL_BLOCKS_SEED={seed}: {language} {arguments:?} ended with {}: {said}", output.status);
}

fn answers(path: &Path) -> Vec<Answer> {
    let bytes = fs::read(path).unwrap();
    let parts = cut(&bytes);
    assert!(parts.len().is_multiple_of(3), "an answer has three parts");
    let text = |part: &[u8]| String::from_utf8(part.to_vec()).unwrap();
    parts.chunks(3).map(|answer| (text(answer[0]), answer[1].to_vec(), text(answer[2]))).collect()
}

fn shortened(line: &str) -> &str {
    &line[..line.len().min(SHOWN)]
}

/// Compares what a language says of a block of these rows with the host's words and bytes.
fn compare(at: &str, schema: &str, (bytes, text): (&[u8], &str), (answer, answered): (&[u8], &str)) {
    if let Some((row, (ours, theirs))) = text.lines().zip(answered.lines()).enumerate().find(|(_, (ours, theirs))| ours != theirs) {
        let (ours, theirs) = (shortened(ours), shortened(theirs));
        panic!("{at}: row {row} of a block of {schema} is\n{ours}\nfor the host and\n{theirs}");
    }
    assert_eq!(text.lines().count(), answered.lines().count(), "{at}: rows of a block of {schema}");
    let differs = bytes.iter().zip(answer).position(|(ours, theirs)| ours != theirs);
    assert!(bytes == answer, "{at}: a block of {schema} has {} bytes, not {}; they differ at {differs:?}", answer.len(), bytes.len());
}

/// Both directions for a program; `one_nan` where the language cannot keep what a NaN carries.
fn check(language: &str, one_nan: bool) {
    let (seed, count) = (seed(), count());
    let folder = tempfile::tempdir().unwrap();
    let (given, back, own) = (folder.path().join("given"), folder.path().join("back"), folder.path().join("own"));
    let mut random = Random::new(seed);
    let tables: Vec<Table> = (0..count).map(|_| Table::random(&mut random, one_nan)).collect();
    fs::write(&given, tables.iter().flat_map(Table::parts).collect::<Vec<u8>>()).unwrap();
    run(seed, language, &["echo", given.to_str().unwrap(), back.to_str().unwrap()]);
    let answered = answers(&back);
    assert_eq!(answered.len(), count, "TIDEMILL_BLOCKS_SEED={seed}: blocks that came back from {language}");
    for (number, (table, (schema, bytes, text))) in tables.iter().zip(&answered).enumerate() {
        let at = format!("TIDEMILL_BLOCKS_SEED={seed}, block {number} of the host in {language}");
        assert_eq!(*schema, table.schema.to_string(), "{at}");
        compare(&at, schema, (table.block.as_bytes(), &told(&table.block)), (bytes, text));
    }
    run(seed, language, &["make", &seed.to_string(), &count.to_string(), own.to_str().unwrap()]);
    let made = answers(&own);
    assert_eq!(made.len(), count, "TIDEMILL_BLOCKS_SEED={seed}: blocks that {language} made");
    for (number, (schema, bytes, text)) in made.iter().enumerate() {
        let at = format!("TIDEMILL_BLOCKS_SEED={seed}, block {number} of {language}");
        let parsed: Schema = schema.parse().unwrap_or_else(|error| panic!("{at}: {schema} is no schema: {error}"));
        let block =
            Block::from_bytes(bytes.clone(), &parsed).unwrap_or_else(|error| panic!("{at}: a block of {schema} is refused: {error}"));
        compare(&at, schema, (rebuilt(&block, &parsed).as_bytes(), &told(&block)), (bytes, text));
    }
}

#[test]
fn blocks_come_and_go_in_rust() {
    let seed = seed();
    let mut random = Random::new(seed);
    for number in 0..count() {
        let table = Table::random(&mut random, false);
        let (schema, text) = (table.schema.to_string(), told(&table.block));
        let (answered, bytes) = tidemill::testing::codec::echo(table.block.as_bytes(), &schema);
        let at = format!("TIDEMILL_BLOCKS_SEED={seed}, block {number} in Rust");
        compare(&at, &schema, (table.block.as_bytes(), &text), (&bytes, &answered));
        compare(&at, &schema, (table.block.as_bytes(), &text), (&tidemill::testing::codec::make(&text, &schema), &text));
    }
}

#[test]
fn blocks_come_and_go_in_python() {
    check("python", false);
}

#[test]
fn blocks_come_and_go_in_javascript() {
    check("js", true);
}

#[test]
fn blocks_come_and_go_in_go() {
    check("go", false);
}

#[test]
fn blocks_come_and_go_in_c() {
    check("c", false);
}
