//! What scripts rely on: exit codes, job files, JSON on the right stream, plans without running anything.
#![allow(clippy::unwrap_used)]

use std::fs;

use serde_json::Value;
use tidemill_e2e::{Folder, Tidemill, exit, guest};

fn wordcount(folder: &Folder) -> Tidemill {
    folder.write("in.txt", "a b a\n");
    Tidemill::new(folder.path(), "run").arg(guest("rust", "wordcount")).bind("lines", "file:in.txt")
}

#[test]
fn every_command_explains_itself_and_the_codes_stand_in_the_help() {
    let folder = Folder::new();
    for command in ["run", "test", "plan", "inspect", "new", "build", "datagen"] {
        let help = Tidemill::new(folder.path(), command).arg("--help").run();
        help.expect(exit::OK, &[]);
        assert!(help.stdout.contains("Usage: tidemill"), "{command}: {}", help.stdout);
    }
    let help = Tidemill::new(folder.path(), "help").run();
    assert!(help.stdout.contains("3 refused") && help.stdout.contains("130 interrupted"), "{}", help.stdout);
    assert_eq!(Tidemill::new(folder.path(), "").run().code, exit::USAGE);
}

#[test]
fn a_typo_in_any_flag_of_any_command_is_answered_with_the_flag() {
    let folder = Folder::new();
    let mut seen = 0;
    for command in [&["run"][..], &["test"], &["plan"], &["inspect"], &["new"], &["build"], &["datagen", "nexmark"]] {
        let call = |more: &str| Tidemill::new(folder.path(), command[0]).args(&command[1..]).arg(more).run();
        let help = call("--help").stdout;
        // `  -p, --parallelism <N>`
        let options = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
        for flag in options.filter_map(|line| line.split_once("--")?.1.split(' ').next()) {
            let (head, last) = flag.split_at(flag.len() - 1);
            call(&format!("--{head}x{last}")).expect(exit::USAGE, &["tip", &format!("'--{flag}'")]);
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} flags were tried");
}

#[test]
fn flags_win_over_the_job_file_and_its_paths_are_its_own() {
    let folder = Folder::new();
    fs::create_dir(folder.join("jobs")).unwrap();
    fs::copy(guest("rust", "wordcount"), folder.join("jobs/count.wasm")).unwrap();
    folder.write("jobs/in.txt", "a b a\n");
    folder.write("other.txt", "c\n");
    folder.write("jobs/job.toml", "component = 'count.wasm'\nparallelism = 2\nmode = 'batch'\n[bindings]\nlines = 'file:in.txt'\n");
    let run = || Tidemill::new(folder.path(), "run").arg("jobs/job.toml");
    assert_eq!(run().run().expect(exit::OK, &[]).sorted_lines(), ["a,1", "a,2", "b,1"]);
    assert_eq!(run().bind("lines", "file:other.txt").run().expect(exit::OK, &[]).sorted_lines(), ["c,1"]);
    let plan = |more: &[&str]| Tidemill::new(folder.path(), "plan").arg("jobs/job.toml").args(more).run().stdout;
    assert!(plan(&[]).contains("parallelism 2 (job file)"), "{}", plan(&[]));
    assert!(plan(&["-p", "3"]).contains("parallelism 3 (--parallelism)"), "{}", plan(&["-p", "3"]));
}

#[test]
fn a_job_file_with_a_typo_is_refused_by_name() {
    let folder = Folder::new();
    folder.write("job.toml", "component = 'count.wasm'\nparalelism = 2\n");
    let ended = Tidemill::new(folder.path(), "run").arg("job.toml").run();
    ended.expect(exit::USAGE, &["job.toml", "line 2", "`paralelism`", "did you mean `parallelism`?"]);
}

#[test]
fn values_that_make_no_sense_are_answered_with_an_example() {
    let folder = Folder::new();
    let cases: [(&[&str], &str); 7] = [
        (&["--arg", "x"], "query=q5"),
        (&["--bind", "lines="], "readings=file:in.json"),
        (&["--parallelism", "0"], "between 1 and"),
        (&["--memory", "lots"], "512MiB"),
        (&["--idle-timeout", "soon"], "10s"),
        (&["--mode", "fast"], "batch"),
        (&["--bind", "lines=stdin:", "--bind", "lines=file:x"], "given twice"),
    ];
    for (flags, example) in cases {
        wordcount(&folder).args(flags).run().expect(exit::USAGE, &[example]);
    }
    Tidemill::new(folder.path(), "run")
        .arg(guest("rust", "nexmark"))
        .args(["--arg", "qurey=q5"])
        .run()
        .expect(exit::REFUSED, &["did you mean `query`?"]);
}

#[test]
fn batch_mode_refuses_inputs_without_an_end_by_name() {
    let folder = Folder::new();
    wordcount(&folder).args(["--mode", "batch"]).run().expect(exit::OK, &[]);
    let endless = Tidemill::new(folder.path(), "run").arg(guest("rust", "wordcount")).args(["--mode", "batch"]).run();
    endless.expect(exit::REFUSED, &["lines (stdin:)", "--mode batch"]);
}

#[test]
fn a_pipe_gets_records_and_nothing_else() {
    let folder = Folder::new();
    let ended = wordcount(&folder).run();
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (exit::OK, "a,1\nb,1\na,2\n", ""));
}

#[test]
fn the_report_is_one_object_with_what_was_done() {
    let folder = Folder::new();
    let ended = wordcount(&folder).args(["--report", "json", "--name", "words"]).run();
    let report: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!((&report["job"], &report["events"], &report["workers"]), (&"words".into(), &1.into(), &1.into()));
    assert_eq!(report["operators"].as_array().unwrap().len(), 4);
    assert!(report["peak_rss_mib"].as_f64().unwrap() > 1.0 && report["first_output_s"].as_f64().unwrap() > 0.0, "{report}");
    let ended = wordcount(&folder).args(["--report-file", "report.json"]).run();
    assert_eq!(ended.stderr, "");
    let report: Value = serde_json::from_str(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["operators"][3]["records_out"], 3);
}

#[test]
fn errors_as_json_are_one_object_a_line() {
    let folder = Folder::new();
    let ended = wordcount(&folder).bind("count", "stdout:").args(["--log-format", "json"]).run();
    let error: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!((ended.code, &error["level"], &error["exit"]), (exit::REFUSED, &"error".into(), &exit::REFUSED.into()));
    assert_eq!(error["hint"], "did you mean `counts`?");
}

#[test]
fn a_plan_is_shown_without_opening_anything() {
    let folder = Folder::new();
    let plan = |more: &[&str]| {
        let plan = Tidemill::new(folder.path(), "plan").arg(guest("rust", "wordcount")).bind("lines", "file:missing.txt");
        plan.bind("counts", "file:out").args(["-p", "2"]).args(more).run()
    };
    let text = plan(&[]);
    text.expect(exit::OK, &[]);
    for words in ["binding lines = file:missing.txt", "parallelism 2 (--parallelism)", "key word: all records of a key meet at one worker"]
    {
        assert!(text.stdout.contains(words), "{words:?} is not in {}", text.stdout);
    }
    let json: Value = serde_json::from_str(&plan(&["--json"]).stdout).unwrap();
    assert_eq!(json["plan"]["contract"], "0.2.0");
    assert_eq!(json["graph"]["workers"], 2);
    assert!(plan(&["--mermaid"]).stdout.starts_with("flowchart LR\n"));
    assert!(!folder.join("out").exists(), "a plan makes no output");
}

#[test]
fn the_same_seed_gives_the_same_events_to_a_file_and_to_a_pipe() {
    let folder = Folder::new();
    let datagen = |out: &str, seed: &str| {
        Tidemill::new(folder.path(), "datagen").args(["nexmark", "--events", "500", "--seed", seed, "--out", out]).run()
    };
    datagen("a.json", "7").expect(exit::OK, &[]);
    let piped = datagen("-", "7");
    assert_eq!(piped.stdout.lines().count(), 500);
    assert_eq!(fs::read_to_string(folder.join("a.json")).unwrap(), piped.stdout);
    assert_ne!(datagen("-", "8").stdout, piped.stdout);
    datagen("nowhere/a.json", "7").expect(exit::FAILED, &["nowhere/a.json"]);
}
