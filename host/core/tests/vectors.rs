//! The vectors beside each contract (`wit/…/vectors`), which every SDK runs too: the bytes of blocks, where keys
//! live, which plans are refused and why.
//!
//! `TIDEMILL_BLESS=1` writes the computed bytes and hashes of blocks and keys into the files; never the plans' errors.

#![allow(clippy::unwrap_used)]

mod cells;

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::LazyLock;

use cells::{Cell, Row, build, read};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tidemill_core::block::Block;
use tidemill_core::key;
use tidemill_core::plan::{CONTRACTS, Contract, Error, Graph, Kind, Operator, Plan, Settings, State, check};
use tidemill_core::schema::{Schema, Type};

fn path(contract: Contract, name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join(format!("../../wit/tidemill-job@{contract}/vectors")).join(name)
}

fn load<T: for<'a> Deserialize<'a>>(contract: Contract, name: &str) -> T {
    let text = std::fs::read_to_string(path(contract, name)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name} of {contract}: {e}"))
}

/// Compares with the file, or rewrites it when blessing.
fn settle<T: Serialize>(contract: Contract, name: &str, computed: &T) {
    let text = layout(&serde_json::to_value(computed).unwrap());
    if std::env::var_os("TIDEMILL_BLESS").is_some() {
        return std::fs::write(path(contract, name), text).unwrap();
    }
    let stored: Json = load(contract, name);
    assert_eq!(layout(&stored), text, "{name} of {contract} differs; TIDEMILL_BLESS=1 rewrites it");
}

/// The order of a case's fields in a file.
const ORDER: [&str; 12] = ["name", "schema", "schema_id", "times", "row", "rows", "hex", "key", "hash", "group", "workers", "error"];

/// JSON with one case per paragraph and one field per line, so that a difference is easy to see.
fn layout(file: &Json) -> String {
    let mut out = String::from("{");
    for (i, (section, cases)) in file.as_object().unwrap().iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(out, "{comma}\n{}: [", Json::from(section.as_str())).unwrap();
        for (i, case) in cases.as_array().unwrap().iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let fields = ORDER.iter().filter_map(|key| Some(format!("  \"{key}\": {}", case.get(key)?)));
            let fields: Vec<String> = fields.collect();
            write!(out, "{comma}\n {{\n{}\n }}", fields.join(",\n")).unwrap();
        }
        out.push_str("\n]");
    }
    out + "\n}\n"
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// Cells as block.md says vectors write them.
fn cell(json: &Json, ty: Type) -> Cell {
    let text = || json.as_str().unwrap_or_else(|| panic!("{json} is no {}", ty.name()));
    match ty {
        _ if json.is_null() => Cell::Absent,
        Type::Bool => Cell::Bool(json.as_bool().unwrap()),
        Type::I32 => Cell::I32(json.as_i64().unwrap().try_into().unwrap()),
        Type::I64 => Cell::I64(text().parse().unwrap()),
        Type::F64 => Cell::F64(u64::from_str_radix(text(), 16).unwrap()),
        Type::String => Cell::String(text().to_owned()),
        Type::Bytes => Cell::Bytes(unhex(text())),
    }
}

fn cells(schema: &Schema, row: &[Json]) -> Vec<Cell> {
    assert_eq!(row.len(), schema.fields().len());
    row.iter().zip(schema.fields()).map(|(json, field)| cell(json, field.ty)).collect()
}

#[derive(Deserialize, Serialize)]
struct Blocks {
    good: Vec<BlockCase>,
    refused: Vec<RefusedBlock>,
}

#[derive(Deserialize, Serialize)]
struct BlockCase {
    name: String,
    schema: String,
    #[serde(default)]
    schema_id: String,
    times: Vec<String>,
    rows: Vec<Vec<Json>>,
    #[serde(default)]
    hex: String,
}

#[derive(Deserialize, Serialize)]
struct RefusedBlock {
    name: String,
    schema: String,
    hex: String,
    error: String,
}

#[test]
fn blocks_have_these_bytes() {
    CONTRACTS.into_iter().for_each(blocks_of);
}

fn blocks_of(contract: Contract) {
    let mut blocks: Blocks = load(contract, "blocks.json");
    for case in &mut blocks.good {
        let schema: Schema = case.schema.parse().unwrap();
        let times = case.times.iter().map(|t| t.parse::<i64>().unwrap());
        let rows: Vec<Row> = times.zip(case.rows.iter().map(|row| cells(&schema, row))).collect();
        assert_eq!((rows.len(), rows.len()), (case.times.len(), case.rows.len()), "{}", case.name);
        let block = build(&schema, &rows).unwrap();
        assert_eq!(read(&Block::from_bytes(block.as_bytes().to_vec(), &schema).unwrap()), rows, "{}", case.name);
        case.schema_id = format!("{:016x}", schema.id());
        case.hex = hex(block.as_bytes());
    }
    settle(contract, "blocks.json", &blocks);
    for case in &blocks.refused {
        let error = Block::from_bytes(unhex(&case.hex), &case.schema.parse().unwrap()).expect_err(&case.name).to_string();
        assert!(error.contains(&case.error), "{}: {error}", case.name);
    }
}

#[derive(Deserialize, Serialize)]
struct Keys {
    keys: Vec<KeyCase>,
}

#[derive(Deserialize, Serialize)]
struct KeyCase {
    schema: String,
    row: Vec<Json>,
    #[serde(default)]
    key: String,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    group: u32,
    /// The worker at parallelism 2, 3 and 4.
    #[serde(default)]
    workers: [usize; 3],
}

#[test]
fn keys_live_there() {
    CONTRACTS.into_iter().for_each(keys_of);
}

fn keys_of(contract: Contract) {
    let mut keys: Keys = load(contract, "keys.json");
    for case in &mut keys.keys {
        let schema: Schema = case.schema.parse().unwrap();
        let block = build(&schema, &[(0, cells(&schema, &case.row))]).unwrap();
        let columns: Vec<usize> = (0..schema.fields().len()).collect();
        let mut encoded = Vec::new();
        key::encode_row(&block, 0, &columns, &mut encoded);
        let hash = key::hash(&encoded);
        key::for_each(&block, &columns, |row, key| assert_eq!((row, key::hash(key)), (0, hash), "{}", case.schema));
        (case.key, case.hash, case.group) = (hex(&encoded), format!("{hash:016x}"), key::group(hash));
        case.workers = [2, 3, 4].map(|parallelism| key::worker(case.group, parallelism));
    }
    settle(contract, "keys.json", &keys);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plans {
    good: Vec<PlanCase>,
    refused: Vec<PlanCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanCase {
    name: String,
    plan: Json,
    /// A part of each problem that must be reported, in order.
    #[serde(default)]
    errors: Vec<String>,
}

fn read_plan(document: Json) -> Result<Plan, Error> {
    let plan: Plan = serde_json::from_value(document).map_err(|e| Error(vec![e.to_string()]))?;
    check(&plan).map(|()| plan)
}

#[test]
fn good_plans_pass_and_resolve() {
    for case in CONTRACTS.into_iter().flat_map(|contract| load::<Plans>(contract, "plans.json").good) {
        let plan = read_plan(case.plan).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let graph = Graph::resolve(&plan, &Settings::default());
        assert_eq!(graph.order.len(), plan.operators.len(), "{}", case.name);
        let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        assert_eq!(again, plan, "{}: what is written reads back", case.name);
    }
}

/// Turns one value of a document into another, chosen by `seed`.
fn mutate(json: &mut Json, seed: &mut impl FnMut(usize) -> usize, words: &[&str]) {
    match json {
        Json::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(seed(map.len())).unwrap().clone();
            match seed(8) {
                0 => drop(map.remove(&key)),
                _ => mutate(map.get_mut(&key).unwrap(), seed, words),
            }
        }
        Json::Array(list) if !list.is_empty() => {
            let at = seed(list.len());
            match seed(8) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                2 => list.swap(0, at),
                _ => mutate(&mut list[at], seed, words),
            }
        }
        Json::Number(_) => *json = Json::from([-1, 0, 1, i64::MAX, i64::MIN][seed(5)]),
        _ => *json = Json::from(words[seed(words.len())]),
    }
}

/// Every string of a document.
fn words<'a>(json: &'a Json, into: &mut Vec<&'a str>) {
    match json {
        Json::String(text) => into.push(text),
        Json::Array(list) => list.iter().for_each(|v| words(v, into)),
        Json::Object(map) => map.values().for_each(|v| words(v, into)),
        _ => {}
    }
}

fn declared(operator: &Operator) -> usize {
    let mut shared: &[State] = &[];
    let states = match &operator.kind {
        Kind::Process(spec) => {
            shared = spec.broadcast.as_ref().map_or(&[], |broadcast| &broadcast.state);
            &spec.state
        }
        Kind::Window(spec) => &spec.state,
        Kind::CoGroup(spec) => &spec.state,
        _ => return 0,
    };
    states.iter().chain(shared).map(|s| s.schema.fields().len()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// The gate holds: whatever passes resolves, and nothing makes the gate itself fall over.
    #[test]
    fn damaged_plans_are_refused_or_resolve(pick: prop::sample::Index, seeds in prop::collection::vec(any::<u32>(), 1..40)) {
        static PLANS: LazyLock<Vec<Json>> = LazyLock::new(|| {
            let plans = CONTRACTS.into_iter().map(|contract| load::<Plans>(contract, "plans.json"));
            plans.flat_map(|plans| plans.good.into_iter().chain(plans.refused)).map(|case| case.plan).collect()
        });
        let original = pick.get(&PLANS);
        let mut known = vec!["out", "late", "dead-letter", "key", "at:i64", "", "global", "monotonic", "count"];
        words(original, &mut known);
        let mut plan = original.clone();
        let mut seeds = seeds.into_iter();
        while seeds.len() > 0 {
            mutate(&mut plan, &mut |below| seeds.next().unwrap_or_default() as usize % below, &known);
        }
        if let Ok(plan) = read_plan(plan) {
            let settings = Settings { parallelism: Some(3), ..Settings::default() };
            let graph = Graph::resolve(&plan, &settings);
            prop_assert_eq!(graph.order.len(), plan.operators.len());
            for operator in &plan.operators {
                prop_assert_eq!(operator.state_schema().fields().len(), declared(operator), "no column of state is lost");
            }
        }
    }
}

#[test]
fn operators_are_fused_unless_they_say_otherwise() {
    let chains = |of: [&str; 4]| -> Vec<Vec<u32>> {
        let mut operators = vec![serde_json::json!({"name": "rows", "kind": {"source": {"binding": "rows", "format": "json"}},
            "outputs": [{"schema": "n:i64"}]})];
        let names = ["rows", "a", "b", "c", "d"];
        for (at, chaining) in of.into_iter().enumerate() {
            operators.push(serde_json::json!({"name": names[at + 1], "kind": "map", "inputs": [{"from": names[at]}],
                "outputs": [{"schema": "n:i64"}], "chaining": chaining}));
        }
        operators
            .push(serde_json::json!({"name": "out", "kind": {"sink": {"binding": "out", "format": "json"}}, "inputs": [{"from": "d"}]}));
        let plan = read_plan(serde_json::json!({"contract": "0.2.0", "operators": operators})).unwrap();
        Graph::resolve(&plan, &Settings::default()).chains.into_iter().map(|chain| chain.members).collect()
    };
    assert_eq!(chains(["fuse", "fuse", "fuse", "fuse"]), [vec![1, 2, 3, 4]]);
    assert_eq!(chains(["fuse", "fuse", "start", "fuse"]), [vec![1, 2], vec![3, 4]]);
    assert_eq!(chains(["fuse", "never", "fuse", "fuse"]), [vec![1], vec![2], vec![3, 4]]);
    assert_eq!(chains(["start", "fuse", "fuse", "never"]), [vec![1, 2, 3], vec![4]]);
}

#[test]
fn columns_of_state_are_named_by_piece_and_column_whatever_the_piece_is() {
    let operator: Operator = serde_json::from_str(
        r#"{"name": "p", "kind": {"process": {"keys": [["a"]], "state": [
            {"name": "last", "kind": "value", "schema": "at:i64,by:string"},
            {"name": "seen", "kind": "list", "schema": "block:bytes"},
            {"name": "per", "kind": "map", "schema": "block:bytes"}]}}}"#,
    )
    .unwrap();
    assert_eq!(operator.state_schema().to_string(), "last.at:i64?,last.by:string?,seen.block:bytes?,per.block:bytes?");
}

#[test]
fn bad_plans_are_refused_with_every_problem() {
    let mut wrong = String::new();
    // A later contract than the vectors know, which this host speaks by now.
    let spoken_by_now = |case: &PlanCase| case.name == "a newer contract" && case.plan["contract"] == CONTRACTS[1].version();
    let refused = CONTRACTS.into_iter().flat_map(|contract| load::<Plans>(contract, "plans.json").refused);
    for case in refused.filter(|case| !spoken_by_now(case)) {
        let problems = read_plan(case.plan).err().map(|e| e.0).unwrap_or_default();
        let same = problems.len() == case.errors.len() && problems.iter().zip(&case.errors).all(|(p, e)| p.contains(e));
        if !same || problems.is_empty() {
            writeln!(wrong, "{}:\n  expected {:#?}\n  reported {problems:#?}", case.name, case.errors).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
