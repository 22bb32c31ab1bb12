//! Bad input of every kind gets one clear error, with what, where and what to do next, and the right exit code.
#![allow(clippy::unwrap_used)]

use std::fs;

use serde_json::Value;
use tidemill_e2e::{Ended, Folder, Tidemill, exit, guest, write_gzip};

/// An error on standard error that holds all of these; a panic of the host would end with another code.
fn refused(ended: &Ended, code: i32, says: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.stderr);
    assert!(ended.stderr.contains("error"), "{}", ended.stderr);
    for text in says {
        assert!(ended.stderr.contains(text), "{text:?} is not in {}", ended.stderr);
    }
}

fn policy(folder: &Folder, choice: &str, input: &str) -> Tidemill {
    Tidemill::new(folder.path(), "run").arg(guest("test", "policy")).args(["--arg", &format!("on-bad={choice}")]).bind("numbers", input)
}

fn numbers(folder: &Folder, job: &str, input: &str) -> Tidemill {
    folder.write("numbers.jsonl", input);
    Tidemill::new(folder.path(), "run").arg(guest("test", job)).bind("numbers", "file:numbers.jsonl")
}

#[test]
fn what_is_no_component_is_said_to_be_none() {
    let folder = Folder::new();
    for (name, bytes) in [("text.wasm", &b"(component)"[..]), ("noise.wasm", &[7; 300][..]), ("empty.wasm", &[][..])] {
        folder.write(name, bytes);
        refused(&Tidemill::new(folder.path(), "run").arg(name).run(), exit::REFUSED, &[name]);
    }
    folder.write("core.wasm", b"\0asm\x01\0\0\0");
    refused(&Tidemill::new(folder.path(), "run").arg("core.wasm").run(), exit::REFUSED, &["core module", "tidemill build"]);
    folder.write("world.wasm", b"\0asm\x0d\0\x01\0");
    refused(&Tidemill::new(folder.path(), "run").arg("world.wasm").run(), exit::REFUSED, &["world.wasm"]);
    let missing = Tidemill::new(folder.path(), "run").arg("nowhere.wasm").run();
    assert_ne!(missing.code, exit::OK);
    assert!(missing.stderr.contains("nowhere.wasm"), "{}", missing.stderr);
}

#[test]
fn plans_are_refused_in_the_words_of_the_plan() {
    let folder = Folder::new();
    let plan =
        |plan: &str| Tidemill::new(folder.path(), "plan").arg(guest("test", "any-plan")).args(["--arg", &format!("plan={plan}")]).run();
    refused(&plan("{"), exit::REFUSED, &["line 1"]);
    refused(&plan(r#"{"contract":"0.9.0","operators":[]}"#), exit::REFUSED, &["0.9.0", "0.1.0"]);
    let source = r#"{"name":"s","kind":{"source":{"binding":"s","format":"json"}},"outputs":[{"schema":"a:i64"}]}"#;
    let sink = r#"{"name":"k","kind":{"sink":{"binding":"k","format":"json"}},"inputs":[{"from":"w"}]}"#;
    let with = |middle: &str| plan(&format!(r#"{{"contract":"0.1.0","operators":[{source},{middle},{sink}]}}"#));
    let window = |assigner: &str| {
        format!(
            r#"{{"name":"w","kind":{{"window":{{"key":["a"],"domain":"processing","assigner":{assigner},"compute":{{"host":"count"}}}}}},"inputs":[{{"from":"s"}}],"outputs":[{{"schema":"a:i64,start:i64,end:i64,count:i64"}}]}}"#
        )
    };
    assert_eq!(with(&window(r#"{"tumbling":{"size_ms":10}}"#)).code, exit::OK);
    refused(&with(&window(r#""global""#)), exit::REFUSED, &["\"w\"", "global", "trigger"]);
    refused(&with(&window(r#"{"tumbling":{"size_ms":0}}"#)), exit::REFUSED, &["\"w\""]);
    refused(&with(&window(r#"{"session":{"gap_ms":-1}}"#)), exit::REFUSED, &["\"w\""]);
    refused(&with(r#"{"name":"w","kind":"map","inputs":[{"from":"w"}],"outputs":[{"schema":"a:i64"}]}"#), exit::REFUSED, &["\"w\""]);
    refused(&with(r#"{"name":"s","kind":"map","inputs":[{"from":"s"}],"outputs":[{"schema":"a:i64"}]}"#), exit::REFUSED, &["\"s\""]);
    refused(&with(r#"{"kind":"map","inputs":[{"from":"s"}],"outputs":[{"schema":"a:i64"}]}"#), exit::REFUSED, &["missing field `name`"]);
    refused(
        &with(r#"{"name":"w","kind":"map","inputs":[{"from":"x"}],"outputs":[{"schema":"a:i64"}]}"#),
        exit::REFUSED,
        &["\"w\"", "\"x\""],
    );
    refused(&with(r#"{"name":"w","kind":"map","inputs":[{"from":"s"}],"outputs":[{"schema":"a:u64"}]}"#), exit::REFUSED, &["u64"]);
}

#[test]
fn a_typo_on_the_command_line_is_answered_with_what_was_meant() {
    let folder = Folder::new();
    let run = || Tidemill::new(folder.path(), "run").arg(guest("rust", "wordcount"));
    refused(&run().bind("line", "stdin:").run(), exit::REFUSED, &["line", "lines"]);
    refused(&run().bind("lines", "fil:x").run(), exit::REFUSED, &["fil", "file:"]);
    refused(&run().args(["--bind", "lines"]).run(), exit::USAGE, &["NAME=URL"]);
    refused(
        &Tidemill::new(folder.path(), "run").arg(guest("rust", "nexmark")).args(["--arg", "qurey=q5"]).run(),
        exit::REFUSED,
        &["qurey", "query"],
    );
    refused(&Tidemill::new(folder.path(), "insepct").run(), exit::USAGE, &["'inspect'"]);
}

#[test]
fn inputs_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    let run = |url: &str| Tidemill::new(folder.path(), "run").arg(guest("rust", "wordcount")).bind("lines", url).run();
    refused(&run("file:missing.txt"), exit::REFUSED, &["missing.txt"]);
    fs::create_dir(folder.join("folder")).unwrap();
    refused(&run("file:folder"), exit::REFUSED, &["folder", "directory"]);
    folder.write("empty.txt", "");
    let ended = run("file:empty.txt");
    assert_eq!((ended.code, ended.stdout.as_str()), (exit::OK, ""), "{}", ended.stderr);
    write_gzip(&folder.join("whole.txt.gz"), "a b a\n".repeat(10_000).as_bytes());
    assert_eq!(run("file:whole.txt.gz").stdout.lines().count(), 30_000);
    let whole = fs::read(folder.join("whole.txt.gz")).unwrap();
    folder.write("half.txt.gz", &whole[..whole.len() / 2]);
    refused(&run("file:half.txt.gz"), exit::FAILED, &["half.txt.gz", "gzip -t"]);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    folder.write("flipped.txt.gz", flipped);
    refused(&run("file:flipped.txt.gz"), exit::FAILED, &["flipped.txt.gz", "gzip -t"]);
    folder.write("plain.txt.gz", "a b a\n");
    refused(&run("file:plain.txt.gz"), exit::FAILED, &["plain.txt.gz", "gzip -t"]);
    refused(&run("socket://127.0.0.1:1"), exit::REFUSED, &["127.0.0.1:1", "nc -lk"]);
}

#[test]
fn a_bad_line_is_failed_skipped_or_put_aside_as_the_job_chose() {
    let folder = Folder::new();
    folder.write("n.jsonl", "{\"n\":1}\n{\"n\":\"two\"}\n{\"n\":-3}\n\u{feff}{\n{\"n\":4}\n");
    refused(&policy(&folder, "fail", "file:n.jsonl").run(), exit::FAILED, &["n.jsonl:2", "byte 8"]);
    let skip = policy(&folder, "skip", "file:n.jsonl").run();
    assert_eq!((skip.code, skip.stdout.as_str()), (exit::OK, "{\"n\":1}\n{\"n\":4}\n"), "{}", skip.stderr);
    let aside = policy(&folder, "dead-letter", "file:n.jsonl").bind("bad", "file:bad").run();
    assert_eq!((aside.code, aside.stdout.as_str()), (exit::OK, "{\"n\":1}\n{\"n\":4}\n"), "{}", aside.stderr);
    let letters = folder.sorted_lines("bad");
    assert_eq!(letters.len(), 3, "{letters:?}");
    assert!(letters.iter().any(|l| l.contains("-3 is negative")), "{letters:?}");
}

#[test]
fn one_bad_line_among_many_is_named_whoever_reads_it() {
    let folder = Folder::new();
    // Several stripes, so that whoever meets the line has not read those before it.
    let (lines, at) = (400_000, 300_000);
    let line = |n| if n == at { "{\"n\":nothing}\n".to_owned() } else { format!("{{\"n\":{n}}}\n") };
    let byte: usize = (1..at).map(|n| line(n).len()).sum();
    folder.write("n.jsonl", (1..=lines).map(line).collect::<String>());
    let place = format!("n.jsonl:{at} (byte {byte})");
    let run =
        |choice: &str| policy(&folder, choice, "file:n.jsonl").args(["--parallelism", "4"]).bind("results", &format!("file:{choice}"));
    refused(&run("fail").run(), exit::FAILED, &[&place, "nothing"]);
    let report: Value = serde_json::from_str(&run("skip").args(["--report", "json"]).run().stderr).unwrap();
    assert_eq!((&report["operators"][0]["skipped"], &report["operators"][0]["records_in"]), (&1.into(), &lines.into()), "{report}");
    assert_eq!(folder.sorted_lines("skip").len(), lines - 1);
    run("dead-letter").bind("bad", "file:bad").run().expect(exit::OK, &[]);
    assert_eq!(folder.sorted_lines("dead-letter").len(), lines - 1);
    let letters = folder.sorted_lines("bad");
    assert!(letters.len() == 1 && letters[0].contains(&place), "{letters:?}");
}

#[test]
fn text_that_is_not_utf8_and_lines_without_end_are_bad_records() {
    let folder = Folder::new();
    folder.write("latin1.jsonl", b"{\"n\":1}\n{\"n\":2,\"x\":\"\xe9\"}\n{\"n\":3}\n");
    refused(&policy(&folder, "fail", "file:latin1.jsonl").run(), exit::FAILED, &["latin1.jsonl:2", "UTF-8"]);
    assert_eq!(policy(&folder, "skip", "file:latin1.jsonl").run().stdout, "{\"n\":1}\n{\"n\":3}\n");
    let mut long = b"{\"n\":1}\n".to_vec();
    long.resize(100 << 20, b'x');
    long.extend_from_slice(b"\n{\"n\":2}\n");
    folder.write("long.jsonl", long);
    let ended = policy(&folder, "skip", "file:long.jsonl").args(["--report", "json"]).run();
    assert_eq!(ended.stdout, "{\"n\":1}\n{\"n\":2}\n", "{}", ended.stderr);
    refused(&policy(&folder, "fail", "file:long.jsonl").run(), exit::FAILED, &["long.jsonl:2"]);
}

#[test]
fn a_trap_tells_message_operator_record_and_where_in_the_code() {
    let folder = Folder::new();
    let ended = numbers(&folder, "trap", "{\"n\":12}\n{\"n\":13}\n{\"n\":14}\n").run();
    refused(&ended, exit::FAILED, &["unlucky", "thirteen is bad luck", "n=13", "refuse_thirteen"]);
}

#[test]
fn a_loop_is_stopped_by_its_deadline_and_memory_by_its_limit() {
    let folder = Folder::new();
    refused(&numbers(&folder, "loop", "{\"n\":13}\n").run(), exit::FAILED, &["ms"]);
    refused(&numbers(&folder, "memory-bomb", "{\"n\":13}\n").args(["--memory", "64MiB"]).run(), exit::FAILED, &["64 MiB", "--memory"]);
    // Too little to begin with: said before anything ran.
    refused(&numbers(&folder, "memory-bomb", "{\"n\":1}\n").args(["--memory", "64KiB"]).run(), exit::REFUSED, &["memory of 0.0 MiB"]);
}

#[test]
fn a_full_disk_is_an_error_and_a_reader_that_left_is_none() {
    let folder = Folder::new();
    folder.write("in.txt", "a b c\n".repeat(100_000));
    let run = || Tidemill::new(folder.path(), "run").arg(guest("rust", "wordcount")).bind("lines", "file:in.txt");
    let full = run().run_into(fs::File::options().write(true).open("/dev/full").unwrap());
    refused(&full, exit::FAILED, &["counts", "No space left"]);
    let mut running = run().start();
    running.line();
    running.close_stdout();
    let ended = running.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (exit::OK, ""));
}

#[test]
fn a_sink_folder_that_is_not_empty_is_left_alone() {
    let folder = Folder::new();
    folder.write("in.txt", "a\n");
    folder.write("out/precious.txt", "mine");
    let run = |url: &str| {
        Tidemill::new(folder.path(), "run").arg(guest("rust", "wordcount")).bind("lines", "file:in.txt").bind("counts", url).run()
    };
    refused(&run("file:out"), exit::REFUSED, &["out", "overwrite=true"]);
    assert_eq!(fs::read_to_string(folder.join("out/precious.txt")).unwrap(), "mine");
    refused(&run("file:in.txt"), exit::REFUSED, &["in.txt is a file", "name another"]);
}

#[test]
fn ctrl_c_finishes_what_is_in_flight_and_a_second_one_leaves() {
    let folder = Folder::new();
    let (mut running, mut stdin) = Tidemill::new(folder.path(), "run").arg(guest("rust", "wordcount")).start_open();
    std::io::Write::write_all(&mut stdin, b"one two\n").unwrap();
    assert_eq!(running.line(), "one,1");
    assert_eq!(running.line(), "two,1");
    running.interrupt();
    assert_eq!(running.end().code, exit::OK);
}
