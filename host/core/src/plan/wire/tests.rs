//! Wires that fit, and each way in which they may not.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::plan::{Graph, Settings};

const READINGS: &str = "sensor:string,at:i64,celsius:f64";

/// Lines that become readings; `time` is the source's event time.
fn parse(time: &str) -> Plan {
    document(&format!(
        r#"{{"name": "lines", "kind": {{"source": {{"binding": "in", "format": "json"{time}}}}}, "outputs": [{{"schema": "line:string"}}]}},
           {{"name": "read", "kind": "map", "inputs": [{{"from": "lines"}}], "outputs": [{{"schema": "{READINGS}"}}], "on-error": "dead-letter"}},
           {{"name": "readings", "kind": {{"sink": {{"binding": "out", "format": "json"}}}}, "inputs": [{{"from": "read"}}]}},
           {{"name": "bad", "kind": {{"sink": {{"binding": "bad", "format": "json"}}}}, "inputs": [{{"from": "read", "port": "dead-letter"}}]}}"#
    ))
}

/// Readings that become other readings; both ends are wired or bound.
fn step(schema: &str, source: &str) -> Plan {
    document(&format!(
        r#"{{"name": "in", "kind": {{"source": {{"binding": "in", "format": "json"{source}}}}}, "outputs": [{{"schema": "{schema}"}}]}},
           {{"name": "same", "kind": "map", "inputs": [{{"from": "in"}}], "outputs": [{{"schema": "{schema}"}}]}},
           {{"name": "out", "kind": {{"sink": {{"binding": "out", "format": "json"}}}}, "inputs": [{{"from": "same"}}]}}"#
    ))
}

fn document(operators: &str) -> Plan {
    let plan = serde_json::from_str(&format!(r#"{{"contract": "0.1.0", "operators": [{operators}]}}"#)).unwrap();
    check::check(&plan).unwrap();
    plan
}

const TIME: &str = r#", "time": "at", "watermarks": "monotonic""#;

fn whole(parts: &[(&str, &Plan)], wires: &[(&str, &str)]) -> Result<Wired, String> {
    let parts: Vec<Part<'_>> = parts.iter().map(|&(name, plan)| Part { name, plan }).collect();
    let wires: Vec<Wire> = wires.iter().map(|(source, sink)| Wire { source: (*source).into(), sink: (*sink).into() }).collect();
    wire(Some("job"), &parts, &wires).map_err(|error| error.to_string())
}

fn names(wired: &Wired) -> Vec<&str> {
    wired.plan.operators.iter().map(|operator| operator.name.as_str()).collect()
}

#[test]
fn what_is_wired_disappears_and_the_rest_has_its_components_name() {
    let (parse, step) = (parse(TIME), step(READINGS, TIME));
    let wired = whole(&[("step", &step), ("parse", &parse)], &[("step.in", "parse.readings")]).unwrap();
    assert_eq!(names(&wired), ["step.same", "step.out", "parse.lines", "parse.read", "parse.bad"]);
    let places: Vec<(usize, u32)> = wired.places.iter().map(|place| (place.component, place.operator)).collect();
    assert_eq!(places, [(0, 1), (0, 2), (1, 0), (1, 1), (1, 3)]);
    assert_eq!(wired.plan.operators[0].inputs[0].from, "parse.read");
    assert_eq!(wired.plan.operators[4].inputs[0].from, "parse.read", "the dead letters are still read");
    let Kind::Sink(spec) = &wired.plan.operators[1].kind else { panic!("no sink") };
    assert_eq!(spec.binding, "step.out");
    let replaced: Vec<&str> = wired.replaced.iter().map(|(binding, _)| binding.as_str()).collect();
    assert_eq!(replaced, ["step.in", "parse.out"]);
    check::check(&wired.plan).unwrap();
}

#[test]
fn no_chain_spans_two_components() {
    let (parse, step) = (parse(""), step(READINGS, ""));
    let wired = whole(&[("a", &parse), ("b", &step), ("c", &step)], &[("b.in", "a.readings"), ("c.in", "b.out")]).unwrap();
    let chains = Graph::resolve(&wired.plan, &Settings::default()).chains;
    let members: Vec<&[u32]> = chains.iter().map(|chain| chain.members.as_slice()).collect();
    assert_eq!(members.len(), 3, "{members:?}");
    let fused = whole(&[("a", &parse), ("b", &step)], &[("b.in", "a.readings")]).unwrap().plan;
    let mut without = fused.clone();
    without.operators.iter_mut().for_each(|operator| operator.chaining = Chaining::Fuse);
    let count = |plan| Graph::resolve(plan, &Settings::default()).chains.len();
    assert_eq!((count(&fused), count(&without)), (2, 1), "but for the wire they would be fused");
}

#[test]
fn a_component_that_cannot_fuse_is_not_fused_in_the_whole() {
    let (parse, mut step) = (parse(""), step(READINGS, ""));
    step.fuse = false;
    let wired = whole(&[("a", &parse), ("b", &step)], &[("b.in", "a.readings")]).unwrap();
    let same = wired.plan.operators.iter().find(|operator| operator.name == "b.same").unwrap();
    assert_eq!(same.chaining, Chaining::Never);
}

#[test]
fn one_sink_feeds_several_sources_also_through_a_component_that_only_hands_on() {
    let parse = parse("");
    let hand = document(&format!(
        r#"{{"name": "in", "kind": {{"source": {{"binding": "in", "format": "json"}}}}, "outputs": [{{"schema": "{READINGS}"}}]}},
           {{"name": "out", "kind": {{"sink": {{"binding": "out", "format": "json"}}}}, "inputs": [{{"from": "in", "partition": "rebalance"}}]}}"#
    ));
    let step = step(READINGS, "");
    let wires = [("hand.in", "parse.readings"), ("near.in", "parse.readings"), ("far.in", "hand.out")];
    let wired = whole(&[("parse", &parse), ("hand", &hand), ("near", &step), ("far", &step)], &wires).unwrap();
    let reader = |name: &str| &wired.plan.operators.iter().find(|operator| operator.name == name).unwrap().inputs[0];
    assert_eq!((reader("near.same").from.as_str(), &reader("near.same").partition), ("parse.read", &Partition::Forward));
    assert_eq!((reader("far.same").from.as_str(), &reader("far.same").partition), ("parse.read", &Partition::Rebalance));
}

#[test]
fn whatever_does_not_fit_is_said_in_the_words_of_the_job_file() {
    let (lines, timed, step) = (parse(""), parse(TIME), step(READINGS, ""));
    let (asks, wider) = (self::step(READINGS, TIME), self::step("sensor:string,at:i64,celsius:i64", ""));
    let tagged = document(&format!(
        r#"{{"name": "in", "kind": {{"source": {{"binding": "in", "format": "json", "tag": "sensor"}}}},
             "outputs": [{{"schema": "{READINGS}", "variant": "a"}}]}},
           {{"name": "out", "kind": {{"sink": {{"binding": "out", "format": "json"}}}}, "inputs": [{{"from": "in"}}]}}"#
    ));
    let letters = document(&format!(
        r#"{{"name": "in", "kind": {{"source": {{"binding": "in", "format": "json"}}}}, "outputs": [{{"schema": "{READINGS}"}}], "on-error": "dead-letter"}},
           {{"name": "out", "kind": {{"sink": {{"binding": "out", "format": "json"}}}}, "inputs": [{{"from": "in"}}]}},
           {{"name": "bad", "kind": {{"sink": {{"binding": "bad", "format": "json"}}}}, "inputs": [{{"from": "in", "port": "dead-letter"}}]}}"#
    ));
    let copies = document(&format!(
        r#"{{"name": "in", "kind": {{"source": {{"binding": "in", "format": "json"}}}}, "outputs": [{{"schema": "{READINGS}"}}]}},
           {{"name": "out", "kind": {{"sink": {{"binding": "out", "format": "json"}}}}, "inputs": [{{"from": "in", "partition": "broadcast"}}]}}"#
    ));
    let good = ("b.in", "a.readings");
    type Case<'a> = (&'a [(&'a str, &'a Plan)], &'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        (&[("a", &lines), ("b", &step)], &[("in", "a.readings")], &["\"in\" names no operator: write COMPONENT.SOURCE"]),
        (&[("a", &lines), ("beta", &step)], &[("beat.in", "a.readings")], &["no component \"beat\"", "did you mean \"beta\"?"]),
        (
            &[("a", &lines), ("b", &step)],
            &[("b.in", "a.reading")],
            &["no operator \"reading\"", "has the sinks readings, bad", "did you mean"],
        ),
        (&[("a", &lines), ("b", &step)], &[("a.readings", "b.in")], &["\"a.readings\" is a sink, and a wire is written SOURCE = SINK"]),
        (&[("a", &lines), ("b", &step)], &[("b.same", "a.read")], &["\"b.same\" is a map", "\"a.read\" is a map"]),
        (&[("a", &lines), ("b", &step), ("c", &step)], &[good, ("b.in", "c.out")], &["feeds a source that \"a.readings\" feeds already"]),
        (
            &[("a", &lines), ("b", &wider)],
            &[good],
            &[
                "the sink gives (sensor:string,at:i64,celsius:f64), the source takes (sensor:string,at:i64,celsius:i64)",
                "column 3 is celsius:f64 there and celsius:i64 here",
            ],
        ),
        (&[("a", &lines), ("b", &self::step("sensor:string", ""))], &[good], &["column 2 is at:i64 there and none here"]),
        (&[("a", &lines), ("b", &tagged)], &[good], &["a source with a tag"]),
        (&[("a", &lines), ("b", &letters)], &[good], &["dead letters of \"b.in\""]),
        (&[("a", &copies), ("b", &step)], &[("b.in", "a.out")], &["every record on every worker"]),
        (
            &[("a", &lines), ("b", &asks)],
            &[good],
            &["\"b.in\" = \"a.readings\"", "event time from field \"at\"", "source \"a.lines\" gives none"],
        ),
        (&[("a", &lines), ("b", &step), ("c", &step)], &[good], &["component \"c\" has no wire to another"]),
        (&[("b", &step)], &[("b.in", "b.out")], &["connects a component with itself"]),
        (&[("a", &lines), ("b", &step), ("c", &step)], &[good, ("b.in", "c.out"), ("c.in", "b.out")], &["feeds already"]),
        (
            &[("b", &step), ("c", &step), ("d", &letters)],
            &[("b.in", "c.out"), ("c.in", "b.out")],
            &["component \"d\" has no wire to another"],
        ),
        (
            &[("b", &step), ("c", &step)],
            &[("b.in", "c.out"), ("c.in", "b.out")],
            &["the job has no source", "the operators b.same -> c.same -> b.same form a loop"],
        ),
        (&[("x.y", &lines), ("b", &step)], &[("b.in", "x.readings")], &["component \"x.y\" has a name that may hold no \".\""]),
        (&[("a b", &lines), ("b", &step)], &[("b.in", "a b.readings")], &["component \"a b\" has a name that may only hold"]),
    ];
    for (parts, wires, parts_of_message) in cases {
        let error = whole(parts, wires).expect_err("it was taken");
        for part in *parts_of_message {
            assert!(error.contains(part), "{part:?} is missing in:\n{error}");
        }
    }
    whole(&[("a", &timed), ("b", &asks)], &[good]).unwrap();
    whole(&[("a", &lines), ("b", &step)], &[good]).unwrap();
}

#[test]
fn a_source_that_comes_back_to_itself_is_a_loop() {
    let hand = document(
        r#"{"name": "in", "kind": {"source": {"binding": "in", "format": "json"}}, "outputs": [{"schema": "a:i64"}]},
           {"name": "same", "kind": "map", "inputs": [{"from": "in"}], "outputs": [{"schema": "a:i64"}]},
           {"name": "out", "kind": {"sink": {"binding": "out", "format": "json"}}, "inputs": [{"from": "in"}]},
           {"name": "more", "kind": {"sink": {"binding": "more", "format": "json"}}, "inputs": [{"from": "same"}]}"#,
    );
    let error = whole(&[("a", &hand), ("b", &hand)], &[("a.in", "b.out"), ("b.in", "a.out")]).expect_err("it was taken");
    assert_eq!(error, "what \"a.same\" reads goes round over wires for ever: a job may have no loops");
}
