//! The parts of a file sink: staged, shown and replaced.

use std::fs;

use tempfile::TempDir;
use tidemill_core::block::{Block, Builder};
use tidemill_core::checkpoint::Generation;
use tidemill_core::connect::Sink;
use tidemill_core::schema::Schema;

use super::url;
use crate::testing;

fn one_row(n: i64) -> Block {
    let mut builder = Builder::new(&schema());
    builder.column(0).push_i64(n);
    builder.push_time(0);
    builder.finish().unwrap()
}

fn schema() -> Schema {
    "n:i64".parse().unwrap()
}

fn write_rows(sink: &dyn Sink, worker: usize, rows: &[i64]) {
    let mut writer = sink.writer(worker, 4).unwrap();
    rows.iter().for_each(|&n| writer.write(&one_row(n)).unwrap());
    writer.flush().unwrap();
    writer.finish().unwrap();
}

fn names(dir: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir.path().join("out")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn parts_appear_when_they_are_complete() {
    let dir = tempfile::tempdir().unwrap();
    let sink = crate::open_sink(&url(&dir, "out/?header=true"), &testing::sink("csv"), &schema(), false).unwrap();
    write_rows(&*sink, 0, &[1, 2]);
    write_rows(&*sink, 1, &[]);
    let mut open = sink.writer(2, 4).unwrap();
    open.write(&one_row(3)).unwrap();
    assert_eq!(names(&dir), [".part-2", "part-0"]);
    open.finish().unwrap();
    assert_eq!(names(&dir), ["part-0", "part-2"]);
    assert_eq!(fs::read_to_string(dir.path().join("out/part-0")).unwrap(), "n\n1\n2\n");
}

#[test]
fn an_ordered_sink_has_one_part() {
    let dir = tempfile::tempdir().unwrap();
    let sink = crate::open_sink(&url(&dir, "out?ordered=true"), &testing::sink("json"), &schema(), false).unwrap();
    assert_eq!(sink.parallelism_max(), Some(1));
    write_rows(&*sink, 3, &[5, 4]);
    assert_eq!(fs::read_to_string(dir.path().join("out/part-0")).unwrap(), "{\"n\":5}\n{\"n\":4}\n");
}

#[test]
fn output_is_replaced_only_on_request_and_only_parts() {
    let dir = tempfile::tempdir().unwrap();
    let open = |options: &str| crate::open_sink(&url(&dir, &format!("out{options}")), &testing::sink("csv"), &schema(), false);
    write_rows(&*open("").unwrap(), 0, &[1]);
    fs::write(dir.path().join("out/.part-7"), "left by a crash").unwrap();
    let text = open("").err().unwrap().to_string();
    assert!(text.contains("is not empty") && text.contains("overwrite=true"), "{text}");
    assert_eq!(names(&dir), [".part-7", "part-0"], "a refusal changes nothing");
    open("?overwrite=true").unwrap();
    assert!(names(&dir).is_empty());
    fs::write(dir.path().join("out/thesis.txt"), "mine").unwrap();
    fs::write(dir.path().join("out/part-0"), "old").unwrap();
    let text = open("?overwrite=true").err().unwrap().to_string();
    assert!(text.contains("thesis.txt"), "{text}");
    assert_eq!(names(&dir), ["part-0", "thesis.txt"]);
    let file = crate::open_sink(&url(&dir, "out/thesis.txt"), &testing::sink("csv"), &schema(), false).err().unwrap().to_string();
    assert!(file.contains("is a file"), "{file}");
}

#[test]
fn a_follower_sees_what_was_flushed() {
    let dir = tempfile::tempdir().unwrap();
    let sink = crate::open_sink(&url(&dir, "out?flush=true"), &testing::sink("csv"), &schema(), false).unwrap();
    let mut writer = sink.writer(0, 1).unwrap();
    writer.write(&one_row(1)).unwrap();
    writer.flush().unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("out/.part-0")).unwrap(), "1\n");
}

#[test]
fn a_failed_write_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let sink = crate::open_sink(&url(&dir, "out"), &testing::sink("csv"), &schema(), false).unwrap();
    fs::remove_dir(dir.path().join("out")).unwrap();
    let text = sink.writer(0, 1).unwrap().write(&one_row(1)).unwrap_err().to_string();
    assert!(text.contains("out/.part-0"), "{text}");
}

#[test]
fn staged_parts_are_shown_by_their_commit_and_by_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let open = |resuming| crate::open_sink(&url(&dir, "out"), &testing::sink("csv"), &schema(), resuming);
    let names = || names(&dir);
    let sink = open(false).unwrap();
    assert!(sink.transactional());
    sink.recover(Generation(1), &[]).unwrap();
    let mut writer = sink.writer(0, 1).unwrap();
    writer.write(&one_row(1)).unwrap();
    let first = writer.stage().unwrap();
    assert_eq!(writer.stage().unwrap(), [""; 0], "nothing was written since");
    writer.write(&one_row(2)).unwrap();
    let second = writer.stage().unwrap();
    writer.write(&one_row(3)).unwrap();
    writer.flush().unwrap();
    assert!(names().iter().all(|name| name.starts_with('.')), "{:?}", names());
    sink.commit(&first).unwrap();
    sink.commit(&first).unwrap();
    drop((writer, sink));

    // The next start found the second one in its checkpoint, whose commit never came.
    let sink = open(true).unwrap();
    sink.recover(Generation(2), &[first.clone(), second.clone()].concat()).unwrap();
    assert_eq!(names(), [first[0].as_str(), second[0].as_str()], "and the third is gone");
    let mut writer = sink.writer(0, 1).unwrap();
    writer.write(&one_row(4)).unwrap();
    let third = writer.stage().unwrap();
    writer.finish().unwrap();
    assert!(names().contains(&format!(".{}", third[0])), "the end shows nothing that no checkpoint covers");
    for wrong in ["part-000-g000009-00000001", "../part-0", "thesis.txt"] {
        sink.commit(&[wrong.to_owned()]).unwrap_err();
    }
    assert!(open(false).is_err(), "who does not resume finds the directory full");
}
