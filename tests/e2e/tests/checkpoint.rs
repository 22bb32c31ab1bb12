//! `tidemill checkpoint` over the directory that format 1 left (`tests/fixtures/checkpoint-1/`).
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidemill_e2e::{Folder, Tidemill, exit, root};

fn fixture() -> PathBuf {
    root().join("tests/fixtures/checkpoint-1")
}

/// A copy of the fixture to break.
fn copied() -> Folder {
    let folder = Folder::new();
    for part in ["log", "parts", "savepoints"] {
        fs::create_dir(folder.join(part)).unwrap();
        for entry in fs::read_dir(fixture().join(part)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.join(part).join(entry.file_name())).unwrap();
        }
    }
    folder
}

fn checkpoint(at: &Path, verb: &str) -> Tidemill {
    Tidemill::new(at, "checkpoint").arg(verb).arg(".")
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn checkpoints_are_listed_and_shown() {
    let at = &fixture();
    let table = checkpoint(at, "ls").run();
    table.expect(exit::OK, &[]);
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert!(lines[0].starts_with("id  generation  age"), "{}", table.stdout);
    assert!(lines[1].contains("checkpoint") && lines[2].contains("final") && lines[3].contains("savepoint kept"), "{}", table.stdout);
    assert!(lines[1..].iter().all(|line| line.ends_with("ok")), "{}", table.stdout);
    let listed = json_of(&checkpoint(at, "ls").arg("--json").run().stdout);
    assert_eq!(listed[1]["id"], 3);
    assert_eq!(listed[1]["finished"], true);
    assert_eq!(listed[2]["savepoint"], "kept");
    let shown = checkpoint(at, "show").run();
    shown.expect(exit::OK, &[]);
    for text in ["scripted: checkpoint 3, generation 1, final", "counts - counts", "key id:i64", "state n:i64,s:string?", "position 0:37"] {
        assert!(shown.stdout.contains(text), "{text}: {}", shown.stdout);
    }
    let shown = json_of(&checkpoint(at, "show").args(["kept", "--json"]).run().stdout);
    assert_eq!((&shown["id"], &shown["operators"][1]["name"]), (&json!(2), &json!("counts")));
}

#[test]
fn state_is_read_as_json_lines() {
    let at = &fixture();
    let read = |more: &[&str]| checkpoint(at, "read").args(more).args(["--operator", "counts"]).run();
    let all = read(&[]);
    all.expect(exit::OK, &[]);
    assert_eq!(all.stdout.lines().count(), 42);
    let one = read(&["--key", "4"]).stdout;
    assert_eq!(json_of(&one), json!({"key": {"id": 4}, "namespace": 1, "state": {"n": 104, "s": "n104"}}));
    assert!(all.stdout.contains(&one));
    // The savepoint was made before.
    assert_eq!(json_of(&read(&["kept", "--key", "4"]).stdout)["state"]["n"], 4);
    read(&["--key", "blue"]).expect(exit::USAGE, &["no key of id:i64"]);
    read(&["--key", "1000000"]).expect(exit::OK, &[]);
    checkpoint(at, "read").args(["--operator", "count"]).run().expect(exit::REFUSED, &["did you mean `counts`?"]);
    checkpoint(at, "read").args(["--operator", "sink"]).run().expect(exit::REFUSED, &["has no keyed state"]);
}

#[test]
fn a_damaged_byte_is_named_by_file_and_offset() {
    let whole = checkpoint(&fixture(), "verify").run();
    whole.expect(exit::OK, &[]);
    assert!(whole.stdout.contains("3 checkpoints, 7 files"), "{}", whole.stdout);
    let folder = copied();
    let part = fs::read_dir(folder.join("parts")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let mut bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 8;
    fs::write(&part, bytes).unwrap();
    let name = part.file_name().unwrap().to_str().unwrap();
    let said = checkpoint(folder.path(), "verify").run();
    said.expect(exit::FAILED, &["1 file is damaged"]);
    assert!(said.stdout.contains(&format!("parts/{name} is damaged at byte ")), "{}", said.stdout);
    let said = checkpoint(folder.path(), "verify").arg("--json").run();
    let first = json_of(said.stdout.lines().next().unwrap());
    assert_eq!(first["file"], format!("parts/{name}"));
    assert!(first["offset"].is_u64());
    checkpoint(folder.path(), "read").args(["--operator", "counts"]).run().expect(exit::FAILED, &[name, "checkpoint verify"]);
    fs::remove_file(&part).unwrap();
    let listed = checkpoint(folder.path(), "ls").run();
    assert!(listed.stdout.contains(&format!("parts/{name} is missing")), "{}", listed.stdout);
    checkpoint(folder.path(), "verify").run().expect(exit::FAILED, &["damaged"]);
}

#[test]
fn a_directory_without_checkpoints_is_refused() {
    let folder = Folder::new();
    checkpoint(folder.path(), "ls").run().expect(exit::REFUSED, &["there is no checkpoint in ."]);
    Tidemill::new(folder.path(), "checkpoint").args(["ls", "gone"]).run().expect(exit::REFUSED, &["there is no directory gone"]);
    Tidemill::new(folder.path(), "checkpoint").args(["ls", "ftp://x"]).run().expect(exit::REFUSED, &["scheme \"ftp\""]);
    checkpoint(&fixture(), "show").arg("77").run().expect(exit::REFUSED, &["no checkpoint \"77\"", "there are 2, 3, kept"]);
    checkpoint(&fixture(), "show").arg("a/b").run().expect(exit::USAGE, &["neither the number"]);
}
