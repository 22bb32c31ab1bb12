//! What a job says of itself: the plan document, and what is wrong with a job.

#![allow(clippy::unwrap_used, missing_docs)]

use std::rc::Rc;

use serde_json::{Value, json as doc};
use tidemill::prelude::*;
use tidemill::runtime::{Host, Instance, Level};
use tidemill::testing;

struct Deaf;

impl Host for Deaf {
    fn log(&self, _: Level, _: u32, _: &str) {}
    fn emit(&self, _: u32, _: u32, _: &[u8]) {}
    fn report_failure(&self, _: u32, _: u32, _: &str) {}
}

fn plan(job: fn(&mut Job) -> Result) -> Value {
    let (_, document) = Instance::plan(job, &[], Rc::new(Deaf)).map_err(|error| error.to_string()).unwrap();
    let (_, again) = Instance::plan(job, &[], Rc::new(Deaf)).map_err(|error| error.to_string()).unwrap();
    assert_eq!(document, again, "the same job gives the same bytes");
    serde_json::from_str(&document).unwrap()
}

fn operator(plan: &Value, name: &str) -> Value {
    plan["operators"].as_array().unwrap().iter().find(|operator| operator["name"] == name).unwrap().clone()
}

#[derive(Clone, Debug, PartialEq, Record)]
#[record(rename_all = "camelCase")]
struct Trade {
    symbol: String,
    exchange: Option<String>,
    #[record(rename = "px")]
    price: f64,
    trade_time: i64,
    shares: i32,
}

fn average(job: &mut Job) -> Result {
    job.name("averages");
    job.source::<Trade>("trades", json().default("stdin:"))
        .event_time(Trade::TRADE_TIME, out_of_order(seconds(2)))
        .key_by((Trade::SYMBOL, Trade::EXCHANGE))
        .window(sliding(minutes(1), seconds(10)).offset(-seconds(5)))
        .allowed_lateness(seconds(30))
        .aggregate("average", mean(Trade::PRICE), |w, price| (w.key().0, price))
        .sink("averages", csv());
    Ok(())
}

#[test]
fn a_windowed_job_says_what_it_is() {
    let expected = doc!({"contract": "0.2.0", "name": "averages", "operators": [
        {"name": "trades",
         "kind": {"source": {"binding": "trades", "default": "stdin:", "format": "json", "time": "tradeTime", "watermarks": {"bounded": {"ms": 2000}}}},
         "outputs": [{"schema": "symbol:string,exchange:string?,px:f64,tradeTime:i64,shares:i32"}]},
        {"name": "average",
         "kind": {"window": {"key": ["symbol", "exchange"], "assigner": {"sliding": {"size_ms": 60000, "slide_ms": 10000, "offset_ms": -5000}},
            "domain": "event", "lateness-ms": 30000, "compute": "guest", "state": [{"name": "acc", "kind": "accumulator", "schema": "f0:f64,f1:i64"}]}},
         "inputs": [{"from": "trades"}], "outputs": [{"schema": "f0:string,f1:f64"}]},
        {"name": "averages", "kind": {"sink": {"binding": "averages", "format": "csv"}}, "inputs": [{"from": "average"}]}]});
    assert_eq!(plan(average), expected);
}

fn aggregates(job: &mut Job) -> Result {
    let trades = job.source::<Trade>("trades", json());
    let by_symbol = trades.key_by(Trade::SYMBOL);
    by_symbol.count("n").sink("a", csv());
    by_symbol.sum("volume", Trade::SHARES).sink("b", csv());
    by_symbol.max_by("greatest", Trade::PRICE).sink("c", csv());
    let windows = by_symbol.window(tumbling(seconds(1)).processing_time());
    windows.sum("volume-per-second", Trade::SHARES).sink("d", csv());
    windows.min("least", Trade::PRICE).sink("e", csv());
    windows.max_by("last", Trade::TRADE_TIME).sink("f", csv());
    trades.key_by_fn("lots", |trade| (i64::from(trade.shares) / 100, trade.price > 1.0)).count("by-lots").sink("g", csv());
    Ok(())
}

#[test]
fn aggregates_of_the_host_carry_the_names_of_the_job() {
    let plan = plan(aggregates);
    let schema = |name: &str| operator(&plan, name)["outputs"][0]["schema"].as_str().unwrap().to_owned();
    assert_eq!(schema("n"), "symbol:string,count:i64");
    assert_eq!(schema("volume"), "symbol:string,shares:i64");
    assert_eq!(schema("greatest"), "symbol:string,exchange:string?,px:f64,tradeTime:i64,shares:i32");
    assert_eq!(schema("volume-per-second"), "symbol:string,start:i64,end:i64,shares:i64");
    assert_eq!(schema("least"), "symbol:string,start:i64,end:i64,px:f64");
    assert_eq!(schema("last"), "start:i64,end:i64,symbol:string,exchange:string?,px:f64,tradeTime:i64,shares:i32");
    assert_eq!(schema("lots"), "symbol:string,exchange:string?,px:f64,tradeTime:i64,shares:i32,$key0:i64,$key1:bool");
    assert_eq!(schema("by-lots"), "$key0:i64,$key1:bool,count:i64");
    assert_eq!(operator(&plan, "by-lots")["kind"], doc!({"rolling": {"key": ["$key0", "$key1"], "aggregate": "count"}}));
    assert_eq!(operator(&plan, "volume")["kind"]["rolling"]["aggregate"], doc!({"sum": "shares"}));
}

fn streams(job: &mut Job) -> Result {
    let events = job.tagged_source("events", json().tag("type")).event_time_field("at", monotonic());
    let trades = events.variant::<Trade>("trade").parallelism(3).on_error(OnError::Skip);
    let quotes = events.variant::<(String, f64)>("quote");
    trades.rebalance().map("a", |trade| trade).broadcast().sink("all", json());
    trades
        .partition_by("b", |trade| i64::from(trade.shares))
        .try_map("c", |trade| Err::<i64, _>(trade.symbol))
        .dead_letters()
        .sink("bad", json());
    let (dear, cheap) =
        trades.split("d", "cheap", |trade, dear, cheap| if trade.price > 9.0 { dear.emit(trade) } else { cheap.emit(trade) });
    dear.union("e", [&cheap, &trades]).sink("all-again", json());
    quotes
        .assign_event_time("f", |quote| quote.1 as i64, monotonic())
        .window_all(session(millis(7)))
        .count("g")
        .late()
        .sink("late", json());
    Ok(())
}

#[test]
fn ports_partitions_and_policies_are_said() {
    let plan = plan(streams);
    assert_eq!(
        operator(&plan, "events"),
        doc!({"name": "events", "kind": {"source": {"binding": "events", "format": "json", "tag": "type", "time": "at", "watermarks": "monotonic"}},
            "outputs": [{"name": "trade", "variant": "trade", "schema": "symbol:string,exchange:string?,px:f64,tradeTime:i64,shares:i32"},
                        {"name": "quote", "variant": "quote", "schema": "f0:string,f1:f64"}],
            "parallelism": 3, "on-error": "skip"})
    );
    assert_eq!(operator(&plan, "a")["inputs"], doc!([{"from": "events", "port": "trade", "partition": "rebalance"}]));
    assert_eq!(operator(&plan, "all")["inputs"], doc!([{"from": "a", "partition": "broadcast"}]));
    assert_eq!(operator(&plan, "c")["inputs"], doc!([{"from": "b", "partition": {"custom": "$partition"}}]));
    assert_eq!(operator(&plan, "c")["on-error"], doc!("dead-letter"));
    assert_eq!(operator(&plan, "bad")["inputs"], doc!([{"from": "c", "port": "dead-letter"}]));
    assert_eq!(operator(&plan, "d")["outputs"][1]["name"], doc!("cheap"));
    assert_eq!(operator(&plan, "e")["inputs"], doc!([{"from": "d"}, {"from": "d", "port": "cheap"}, {"from": "events", "port": "trade"}]));
    assert_eq!(operator(&plan, "f")["kind"], doc!({"timestamps": "monotonic"}));
    assert_eq!(operator(&plan, "g")["kind"]["window"]["key"], doc!([]));
    assert_eq!(operator(&plan, "late")["inputs"], doc!([{"from": "g", "port": "late"}]));
}

struct Everything {
    _value: Value2,
}

type Value2 = (tidemill::state::Value<Trade>, ListState<(i64, f64)>, MapState<(String, i64), bool>, SideOutput<i64>, [Timer; 2]);

impl Process for Everything {
    type Key = String;
    type In = Trade;
    type Out = i64;

    fn on_record(&self, _: &mut Ctx<String, i64>, _: Trade) -> Result {
        Ok(())
    }
}

fn declared(job: &mut Job) -> Result {
    let results = job.source::<Trade>("trades", json()).key_by(Trade::SYMBOL).process("p", |d| Everything {
        _value: (d.value("v"), d.list("l"), d.map("m"), d.side_output("s"), [d.event_timer("e"), d.processing_timer("q")]),
    });
    results.sink("out", json());
    results.side_output::<i64>("s").sink("side", json());
    Ok(())
}

#[test]
fn state_timers_and_side_outputs_are_declared() {
    let operator = operator(&plan(declared), "p");
    let trade = "symbol:string,exchange:string?,px:f64,tradeTime:i64,shares:i32";
    assert_eq!(
        operator["kind"],
        doc!({"process": {"keys": [["symbol"]],
            "state": [{"name": "v", "kind": "value", "schema": trade}, {"name": "l", "kind": "list", "schema": "block:bytes"},
                      {"name": "m", "kind": "map", "schema": "block:bytes"}],
            "timers": [{"name": "e", "domain": "event"}, {"name": "q", "domain": "processing"}]}})
    );
    assert_eq!(operator["outputs"], doc!([{"schema": "value:i64"}, {"name": "s", "schema": "value:i64"}]));
}

fn error(job: fn(&mut Job) -> Result) -> String {
    testing::job(job).error().expect("the job is refused")
}

#[test]
fn what_is_wrong_with_a_job_is_said_in_its_words() {
    let twice = error(|job| {
        let source = job.source::<i64>("a", json());
        source.map("a", |n| n).sink("b", json());
        Ok(())
    });
    assert_eq!(twice, "map \"a\" has the name of 1 other operator(s): state is found by name, give each its own");
    let thrice = error(|job| {
        let source = job.source::<i64>("a", json());
        source.map("b", |n| n).filter("b", |_| true).sink("b", json());
        Ok(())
    });
    assert_eq!(thrice, "sink \"b\" has the name of 2 other operator(s): state is found by name, give each its own");
    let state = error(|job| {
        let ttl = Ttl::event_time(seconds(0));
        let trades = job.source::<Trade>("a", json()).key_by(Trade::SYMBOL);
        let process = |d: &mut Declare| Everything {
            _value: (d.value("v"), d.list("l"), d.map("v"), d.side_output("s"), [d.event_timer("e"), d.processing_timer("q")]),
        };
        let lasting = |d: &mut Declare| (d.expiring_value::<i64>("w", ttl), process(d)).1;
        trades.process("p", lasting).sink("b", json());
        Ok(())
    });
    assert_eq!(
        state,
        "process \"p\" lets state \"w\" live for 0 ms: a time-to-live is positive, remove it for state that stays\n\
         process \"p\" declares state \"v\" twice: rename one"
    );
    let tags = error(|job| {
        job.source::<i64>("a", json().tag("t")).sink("b", json().tag("t"));
        job.tagged_source("c", json()).variant::<i64>("v").sink("d", json());
        Ok(())
    });
    assert!(
        tags.contains("source \"a\" has a tag") && tags.contains("sink \"b\" has a tag") && tags.contains("source \"c\" has no tag"),
        "{tags}"
    );
    let variants = error(|job| {
        let source = job.tagged_source("a", json().tag("t"));
        source.variant::<i64>("v").union("u", [&source.variant("v")]).sink("b", json());
        Ok(())
    });
    assert!(variants.contains("variant \"v\" is asked for twice"), "{variants}");
    let side = error(|job| {
        let results = job.source::<Trade>("a", json()).key_by(Trade::SYMBOL).process("p", |d| Everything {
            _value: (d.value("v"), d.list("l"), d.map("m"), d.side_output("s"), [d.event_timer("e"), d.processing_timer("q")]),
        });
        results.side_output::<i32>("s").sink("b", json());
        results.side_output::<i64>("t").sink("c", json());
        Ok(())
    });
    assert!(side.contains("other records than `i32`") && side.contains("declares no side output \"t\""), "{side}");
    let late = error(|job| {
        job.source::<i64>("a", json()).window_all(tumbling(seconds(1)).processing_time()).count("n").late().sink("b", json());
        Ok(())
    });
    assert!(late.contains("nothing is late"), "{late}");
}

fn with_arguments(job: &mut Job) -> Result {
    let (n, path) = (job.arg_parse::<u8>("n")?, job.arg_or("path", "x"));
    job.source::<String>("lines", text().default(&path)).map("m", move |_| i64::from(n)).sink("out", json());
    Ok(())
}

#[test]
fn arguments_are_asked_for_read_and_otherwise_refused() {
    let error =
        |arguments: &[(&str, &str)]| arguments.iter().fold(testing::job(with_arguments), |job, (name, value)| job.arg(name, value)).error();
    assert_eq!(error(&[("n", "3")]), None);
    assert_eq!(error(&[]).unwrap(), "missing argument \"n\": give it as --arg n=VALUE");
    assert!(error(&[("n", "300")]).unwrap().starts_with("argument n=\"300\": "));
    assert_eq!(error(&[("n", "3"), ("m", "4")]).unwrap(), "unknown argument \"m\": this job takes n, path");
}

#[test]
fn a_job_may_say_how_its_operators_are_chained() {
    fn chained(job: &mut Job) -> Result {
        let trades = job.source::<Trade>("trades", json());
        let large = trades.filter("large", |trade| trade.shares > 100).start_new_chain();
        large.map("as-is", |trade| trade).disable_chaining().map("again", |trade| trade).sink("out", json());
        Ok(())
    }
    let plan = plan(chained);
    let chaining = ["trades", "large", "as-is", "again", "out"].map(|name| operator(&plan, name)["chaining"].clone());
    assert_eq!(chaining, [Value::Null, doc!("start"), doc!("never"), Value::Null, Value::Null]);
}
