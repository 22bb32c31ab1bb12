//! Every query over the sample, against what an independent batch program made of it.

use tidemill::testing;

use crate::nexmark;

/// The results of a query over the sample, sorted; half way the job is restarted from its state.
fn results(arguments: &[(&str, &str)]) -> Vec<String> {
    let job = arguments.iter().fold(testing::job(nexmark), |job, (name, value)| job.arg(name, value));
    let mut test = job.start();
    let events = include_str!("../../input.json");
    let half = events.len() / 2 + events[events.len() / 2..].find('\n').expect("many lines");
    test.push_lines("events", &events[..half]);
    test.restart();
    test.push_lines("events", &events[half..]);
    test.finish();
    let mut lines = test.sink_lines("results");
    lines.sort();
    lines
}

macro_rules! queries {
    ($($query:ident $(: $arg:literal $value:literal)? => $expected:literal,)*) => { $(
        #[test]
        fn $query() {
            let name = stringify!($query).split('_').next().expect("a name");
            let expected = include_str!(concat!("../../expected/", $expected, ".txt"));
            assert_eq!(results(&[("query", name), $(($arg, $value))?]), expected.lines().collect::<Vec<_>>());
        }
    )* };
}

queries! {
    q0 => "q0",
    q1 => "q1",
    q2 => "q2",
    q3 => "q3",
    q4 => "q4",
    q5 => "q5",
    q5_in_the_guest: "aggregate" "guest" => "q5",
    q7 => "q7",
    q8 => "q8",
    q11 => "q11",
    wordcount => "wordcount",
    timers => "timers",
}

#[test]
fn an_unknown_query_is_named_with_those_that_are_there() {
    let error = testing::job(nexmark).arg("query", "q6").error().expect("a refusal");
    assert!(error.contains("\"q6\"") && error.contains("q5, q7"), "{error}");
}
