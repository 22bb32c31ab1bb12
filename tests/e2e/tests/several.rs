//! Jobs of several components: the same as one, at any parallelism and after a stop, and refused when the wires do not fit.
#![allow(clippy::unwrap_used)]

use tidemill_e2e::{Ended, Folder, Tidemill, component, exit, guest, root};

/// Distinct numbers; each comes three times.
const NUMBERS: i64 = 4_000;
const REPEATS: i64 = 3;
const WIRES: &str = "\"second.once-each\" = \"first.once-each\"\n";

/// The job of `tests/guests/rust/halves` as two components.
fn halves(first: &str, wires: &str) -> String {
    let wasm = guest("test", "halves");
    let part = |name: &str, args: &str| format!("[components.{name}]\ncomponent = {wasm:?}\nargs = {{ part = {name:?}{args} }}\n");
    format!("{}{}[wires]\n{wires}", part("first", first), part("second", ""))
}

struct Case(Folder);

impl Case {
    fn new() -> Case {
        let folder = Folder::new();
        let number = |i: i64| format!("{{\"k\":{},\"n\":{i},\"at\":{}}}\n", i % 7, i * 5);
        folder.write("numbers.json", (0..NUMBERS * REPEATS).map(|i| number(i / REPEATS)).collect::<String>());
        folder.write("job.toml", halves("", WIRES));
        Case(folder)
    }

    fn whole(&self) -> Vec<String> {
        let run = Tidemill::new(self.0.path(), "run").arg(guest("test", "halves"));
        run.bind("numbers", "file:numbers.json").bind("totals", "file:whole").run().expect(exit::OK, &[]);
        self.0.sorted_lines("whole")
    }

    fn job(&self, command: &str) -> Tidemill {
        let sockets = self.0.join("sockets");
        Tidemill::new(self.0.path(), command).with(|command| _ = command.env("XDG_RUNTIME_DIR", sockets))
    }

    fn run(&self, out: &str, rate: &str, parallelism: &str) -> Tidemill {
        let run = self.job("run").args(["job.toml", "--name", "halves", "--parallelism", parallelism]);
        run.bind("first.numbers", &format!("file:numbers.json{rate}")).bind("second.totals", &format!("file:{out}"))
    }
}

/// What is said of a job file; nothing of it may have run.
fn refused(file: &str, code: i32, parts: &[&str]) {
    let here = Folder::new();
    here.write("numbers.json", "{\"k\":1,\"n\":1,\"at\":1}\n");
    here.write("job.toml", file);
    let run = Tidemill::new(here.path(), "run").arg("job.toml");
    run.bind("first.numbers", "file:numbers.json").bind("second.totals", "file:out").run().expect(code, parts);
    assert!(!here.join("out").exists(), "it has begun to write");
}

#[test]
fn two_components_give_what_one_gives_at_any_parallelism() {
    let case = Case::new();
    let whole = case.whole();
    assert!(whole.len() > 100, "{} windows", whole.len());
    for parallelism in ["1", "2", "4"] {
        let out = format!("out-{parallelism}");
        case.run(&out, "", parallelism).run().expect(exit::OK, &[]);
        assert_eq!(case.0.sorted_lines(&out), whole, "over {parallelism}");
    }
}

#[test]
fn state_of_both_components_goes_on_at_another_parallelism() {
    let case = Case::new();
    let whole = case.whole();
    let kept = |rate, parallelism| case.run("out", rate, parallelism).args(["--checkpoint-dir", "kept", "--checkpoint-interval", "20ms"]);
    let running = kept("?rate=300", "2").start();
    // Not a sleep: both components have state when a checkpoint has parts.
    while case.0.entries("kept/log").len() < 3 || case.0.entries("kept/parts").len() < 4 {
        std::thread::yield_now();
    }
    let savepoint = case.job("stop").args(["halves", "--savepoint", "--name", "middle"]).run();
    savepoint.expect(exit::OK, &["of keyed state"]);
    running.end().expect(exit::OK, &[]);
    let shown = case.job("checkpoint").args(["show", "kept", "middle"]).run();
    assert!(shown.stdout.contains("first.once") && shown.stdout.contains("second.total"), "{}{}", shown.stdout, shown.stderr);
    kept("", "3").run().expect(exit::OK, &["going on from checkpoint"]);
    assert_eq!(case.0.sorted_lines("out"), whole);
}

#[test]
fn one_component_is_exchanged_for_one_in_another_language() {
    let case = Case(Folder::new());
    let line = |i: i64| format!("2026-03-01T12:{:02}:{:02} s{} {}.5C\n", i / 60 % 60, i % 60, i % 3, i % 40);
    case.0.write("lines.txt", (0..3_000).map(line).collect::<String>());
    let job = |language: &str| {
        let part = |name: &str, wasm| format!("[components.{name}]\ncomponent = {wasm:?}\n");
        let (parse, average) = (part("parse", guest("python", "polyglot")), part("average", guest(language, "sensor-windows")));
        case.0.write("job.toml", format!("{parse}{average}[wires]\n\"average.readings\" = \"parse.readings\"\n"));
    };
    let run = |out: &str, rate: &str| {
        let run = case.job("run").args(["job.toml", "--name", "averages", "--parallelism", "2"]).bind("parse.rejected", "discard:");
        run.bind("parse.lines", &format!("file:lines.txt{rate}")).bind("average.averages", &format!("file:{out}"))
    };
    job("rust");
    run("whole", "").run().expect(exit::OK, &[]);
    let kept = |rate| run("out", rate).args(["--checkpoint-dir", "kept", "--checkpoint-interval", "20ms"]);
    let running = kept("?rate=100").start();
    while case.0.entries("kept/log").len() < 3 || case.0.entries("kept/parts").is_empty() {
        std::thread::yield_now();
    }
    case.job("stop").args(["averages", "--savepoint", "--name", "rust"]).run().expect(exit::OK, &["of keyed state"]);
    running.end().expect(exit::OK, &[]);
    let shown = case.0.sorted_lines("out").len();
    job("c");
    kept("").run().expect(exit::OK, &["going on from checkpoint"]);
    let whole = case.0.sorted_lines("whole");
    assert!(shown < whole.len(), "nothing was left to do");
    assert_eq!(case.0.sorted_lines("out"), whole);
}

#[test]
fn failures_and_the_log_name_component_and_operator() {
    let case = Case::new();
    case.0.write("job.toml", halves(", heard = 5", WIRES));
    case.run("heard", "", "1").run().expect(exit::OK, &["first.double", "5 is here"]);
    case.0.write("job.toml", halves(", unlucky = 5", WIRES));
    case.run("unlucky", "", "1").run().expect(exit::FAILED, &["first.double", "bad luck", "n=5"]);
}

#[test]
fn plan_and_inspect_show_the_whole() {
    let case = Case::new();
    let shown = |command: &str| -> Ended { case.job(command).arg("job.toml").run() };
    let plan = shown("plan").stdout;
    for part in ["component first = ", "component second = ", "first.once - process", "second.some - filter", "from first.once, forward"] {
        assert!(plan.contains(part), "{part:?} is missing in:\n{plan}");
    }
    let inspect = shown("inspect").stdout;
    assert!(inspect.contains("[components.first]") && inspect.contains("[components.second]"), "{inspect}");
}

#[test]
fn what_does_not_fit_is_refused_before_anything_runs() {
    let good = halves("", WIRES);
    let wired = |wires: &str| halves("", wires);
    refused(&wired("\"third.once-each\" = \"first.once-each\"\n"), exit::REFUSED, &["there is no component \"third\"", "first, second"]);
    refused(
        &wired("\"second.once-each\" = \"first.onse-each\"\n"),
        exit::REFUSED,
        &["no operator \"onse-each\"", "did you mean \"once-each\""],
    );
    refused(&wired(&format!("{WIRES}{WIRES}")), exit::USAGE, &["duplicate key", "a source has one wire"]);
    refused(&wired(""), exit::REFUSED, &["component \"first\" has no wire", "component \"second\" has no wire"]);
    refused(&good.replace("halves.wasm", "none.wasm"), exit::REFUSED, &["component \"first\"", "none.wasm"]);
    let both = format!("{good}[bindings]\n\"second.once-each\" = \"file:numbers.json\"\n");
    refused(&both, exit::REFUSED, &["binding \"second.once-each\" is given, but a wire stands in its stead"]);
    refused(&good.replace("part = \"second\"", "part = \"x\""), exit::REFUSED, &["component \"second\"", "part=\"x\" is no choice"]);
}

#[test]
fn plans_that_do_not_fit_each_other_are_refused() {
    let other = |plan: &str| {
        let wasm = guest("test", "any-plan");
        halves("", WIRES).replace(
            &format!("[components.second]\ncomponent = {:?}\nargs = {{ part = \"second\" }}\n", guest("test", "halves")),
            &format!("[components.second]\ncomponent = {wasm:?}\nargs = {{ plan = '{plan}' }}\n"),
        )
    };
    let plan = |contract: &str, schema: &str, more: &str| {
        format!(
            r#"{{"contract": "{contract}", "operators": [
              {{"name": "once-each", "kind": {{"source": {{"binding": "once-each", "format": "json"}}}}, "outputs": [{{"schema": "{schema}"}}]}},
              {more}
              {{"name": "totals", "kind": {{"sink": {{"binding": "totals", "format": "json"}}}}, "inputs": [{{"from": "once-each"}}]}}]}}"#
        )
        .replace('\n', " ")
    };
    let columns =
        "the sink gives (k:i64,n:i64,at:i64), the source takes (k:i64,n:string,at:i64); column 2 is n:i64 there and n:string here";
    refused(&other(&plan("0.2.0", "k:i64,n:string,at:i64", "")), exit::REFUSED, &[columns]);
    refused(&other(&plan("0.9.0", "k:i64,n:i64,at:i64", "")), exit::REFUSED, &["component \"second\"", "0.9.0"]);
    let unwired = r#"{"name": "rest", "kind": {"source": {"binding": "rest", "format": "json"}}, "outputs": [{"schema": "a:i64"}]},
        {"name": "more", "kind": {"sink": {"binding": "more", "default": "discard:", "format": "json"}}, "inputs": [{"from": "rest"}]},"#;
    let hint = "add --bind second.rest=file:in.json, or wire it under [wires]";
    refused(&other(&plan("0.2.0", "k:i64,n:i64,at:i64", unwired)), exit::REFUSED, &["the source \"second.rest\"", hint]);
}

#[test]
fn a_loop_over_components_is_refused() {
    let wasm = guest("test", "any-plan");
    let plan = r#"{"contract": "0.1.0", "operators": [
        {"name": "in", "kind": {"source": {"binding": "in", "format": "json"}}, "outputs": [{"schema": "a:i64"}]},
        {"name": "same", "kind": "map", "inputs": [{"from": "in"}], "outputs": [{"schema": "a:i64"}]},
        {"name": "out", "kind": {"sink": {"binding": "out", "format": "json"}}, "inputs": [{"from": "same"}]}]}"#;
    let part = |name: &str| format!("[components.{name}]\ncomponent = {wasm:?}\nargs = {{ plan = '{}' }}\n", plan.replace('\n', " "));
    let file = format!("{}{}[wires]\n\"a.in\" = \"b.out\"\n\"b.in\" = \"a.out\"\n", part("a"), part("b"));
    refused(&file, exit::REFUSED, &["the components do not make a job", "a.same -> b.same -> a.same form a loop"]);
}

#[test]
fn python_rust_and_typescript_in_one_job() {
    let example = root().join("examples/09-polyglot");
    let file = std::fs::read_to_string(example.join("job.toml")).unwrap();
    let guests = component("rust", "polyglot").parent().unwrap().parent().unwrap().display().to_string();
    for parallelism in ["1", "2", "4"] {
        let here = Folder::new();
        here.write("job.toml", file.replace("../../dist/guests", &guests));
        let (input, expected) = (example.join("input.txt"), example.join("expected.jsonl"));
        let test = Tidemill::new(here.path(), "test").args(["job.toml", "--parallelism", parallelism]);
        let test = test.arg("--input").arg(format!("parse.lines={}", input.display()));
        test.arg("--expect").arg(format!("alert.alerts={}", expected.display())).run().expect(exit::OK, &[]);
        let run = Tidemill::new(here.path(), "run").args(["job.toml", "--parallelism", parallelism]);
        let run = run.bind("parse.lines", &format!("file:{}", input.display()));
        run.bind("parse.rejected", "file:rejected").bind("alert.alerts", "discard:").run().expect(exit::OK, &[]);
        let rejected = here.sorted_lines("rejected");
        assert_eq!(rejected.len(), 2, "{rejected:?}");
        assert!(rejected.iter().all(|line| line.starts_with("{\"operator\":\"parse.parse\"")), "{rejected:?}");
    }
}
