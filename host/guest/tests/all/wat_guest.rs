//! Components made from WebAssembly text, with the canonical ABI spelled out, so that tests need no guest toolchain.
//!
//! Memory: 1024 an empty outcome, 2048 results, 4096 the plan document, 65,536 the data of the test, from
//! [`HEAP`] on whatever `cabi_realloc` gives out; it is given back when a call ends.

use std::sync::{Arc, Mutex};

use tidemill_core::block::{Block, Builder};
use tidemill_core::guest::{Limits, Moment};
use tidemill_core::plan::Plan;
use tidemill_guest::{Component, Instance, Level, LoadOptions, LogSink};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where the test's data lies.
pub(crate) const DATA: usize = 65_536;
const HEAP: usize = 2 * 65_536;

/// A keyed operator `op` (1) with one timer and a side port, and a map `tail` (2) behind it.
pub(crate) const PLAN: &str = r#"{"contract": "0.1.0", "operators": [
    {"name": "in", "kind": {"source": {"binding": "in", "format": "json"}}, "outputs": [{"schema": "n:i64,s:string"}]},
    {"name": "op", "kind": {"process": {"keys": [["n"]], "timers": [{"name": "t"}],
        "state": [{"name": "v", "kind": "value", "schema": "x:i64"}]}},
     "inputs": [{"from": "in"}], "outputs": [{"schema": "n:i64,s:string"}, {"name": "side", "schema": "s:string"}]},
    {"name": "tail", "kind": "map", "inputs": [{"from": "op"}], "outputs": [{"schema": "n:i64,s:string"}]}]}"#;

/// The chain of `op` alone.
pub(crate) const ALONE: u32 = 0;
/// The chain of `op` and `tail`.
pub(crate) const BOTH: u32 = 1;

pub(crate) const AT: Moment = Moment { watermark: 0, now: 0 };

/// The WIT of the contract.
pub(crate) const WIT: &str = include_str!("../../../../wit/tidemill-job@0.1.0/job.wit");

/// The WIT of the contract that has `migrate-state`.
pub(crate) const WIT_2: &str = include_str!("../../../../wit/tidemill-job@0.2.0/job.wit");

/// A guest in the making: the bodies of its functions, as text.
pub(crate) struct WatGuest {
    pub(crate) wit: String,
    pub(crate) version: &'static str,
    pub(crate) document: String,
    pub(crate) data: Vec<u8>,
    pub(crate) pages: usize,
    /// Further fields of the module.
    pub(crate) fields: &'static str,
    /// `$args $len`; answers the place of a result.
    pub(crate) plan: String,
    /// `$chain $input $watermark $now $block $block_len $rows $rows_len $slots $slots_len`; answers the place of an outcome.
    pub(crate) process: String,
    /// `$operator $slots $slots_len`; answers the place of a list.
    pub(crate) export_state: String,
    /// `$operator $slots $slots_len $block $block_len`; answers the place of a result.
    pub(crate) import_state: String,
    /// `$operator $columns $columns_len $block $block_len`; answers the place of a result. For contract 0.2.0.
    pub(crate) migrate_state: String,
}

impl Default for WatGuest {
    fn default() -> WatGuest {
        WatGuest {
            wit: WIT.to_owned(),
            version: "0.1.0",
            document: PLAN.to_owned(),
            data: Vec::new(),
            pages: 4,
            fields: "",
            plan: "(i32.const 2048)".to_owned(),
            process: "(i32.const 1024)".to_owned(),
            export_state: "(i32.const 1024)".to_owned(),
            import_state: "(i32.const 1024)".to_owned(),
            migrate_state: "(i32.const 1024)".to_owned(),
        }
    }
}

impl WatGuest {
    /// A guest whose `process` is this.
    pub(crate) fn process(body: impl Into<String>) -> WatGuest {
        WatGuest { process: body.into(), ..WatGuest::default() }
    }

    /// A guest of contract 0.2.0 whose `migrate-state` is this, from what `x` was before.
    pub(crate) fn migrates(body: impl Into<String>) -> WatGuest {
        let document = PLAN.replace("0.1.0", "0.2.0").replace(r#""schema": "x:i64"}"#, r#""schema": "x:i64", "migrates": ["x:string"]}"#);
        WatGuest { wit: WIT_2.to_owned(), version: "0.2.0", document, migrate_state: body.into(), ..WatGuest::default() }
    }

    pub(crate) fn with_data(self, data: impl Into<Vec<u8>>) -> WatGuest {
        WatGuest { data: data.into(), ..self }
    }

    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.text()).unwrap_or_else(|e| panic!("{e}"));
        let mut resolve = Resolve::default();
        let package = resolve.push_str("job.wit", &self.wit).unwrap();
        let world = resolve.select_world(&[package], Some("job")).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
        ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
    }

    fn text(&self) -> String {
        let WatGuest { version, pages, fields, plan, process, export_state, import_state, .. } = self;
        let export = |name: &str| format!("(export \"tidemill:job/operators@{version}#{name}\")");
        let import = |name: &str| format!("(import \"tidemill:job/host@{version}\" \"{name}\"");
        let second = if *version == "0.2.0" { self.second() } else { String::new() };
        let reset = format!("(global.set $heap (i32.const {HEAP}))");
        let block = "(param $block i32) (param $block_len i32)";
        let slots = "(param $slots i32) (param $slots_len i32)";
        let times = "(param $watermark i64) (param $now i64)";
        let mut result = vec![0, 0, 0, 0];
        result.extend(4096u32.to_le_bytes());
        result.extend(u32::try_from(self.document.len()).unwrap().to_le_bytes());
        format!(
            r#"(module
  {log} (func $log (param i32 i32 i32 i32)))
  {emit} (func $emit (param i32 i32 i32 i32)))
  {report} (func $report (param i32 i32 i32 i32)))
  (memory (export "memory") {pages})
  (global $heap (mut i32) (i32.const {HEAP}))
  (global $calls (mut i32) (i32.const 0))
  {fields}
  (data (i32.const 2048) "{result}") (data (i32.const 4096) "{document}") (data (i32.const {DATA}) "{data}")
  (func $cabi_realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32) (local $end i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (local.set $end (i32.add (local.get $at) (local.get 3)))
    (if (i32.gt_u (local.get $end) (i32.shl (memory.size) (i32.const 16)))
      (then (drop (memory.grow (i32.add (i32.const 1)
        (i32.shr_u (i32.sub (local.get $end) (i32.shl (memory.size) (i32.const 16))) (i32.const 16)))))))
    (global.set $heap (local.get $end))
    (local.get $at))
  (func $plan {x_plan} (param $args i32) (param $len i32) (result i32) {plan} {reset})
  (func $link {x_link} (param $chain i32) {slots} {reset})
  (func $process {x_process} (param $chain i32) (param $input i32) {times} {block} (param $rows i32) (param $rows_len i32) {slots}
    (result i32) (local $i i32) {process} {reset})
  (func $on_timer {x_timer} (param $chain i32) {times} {block} {slots} (result i32) (i32.const 1024) {reset})
  (func $fire {x_fire} (param $chain i32) {times} {block} (param $offsets i32) (param $offsets_len i32) {slots}
    (result i32) (i32.const 1024) {reset})
  (func $merge {x_merge} (param $operator i32) (param i32 i32) {slots} {reset})
  (func $export_state {x_export} (param $operator i32) {slots} (result i32) {export_state} {reset})
  (func $import_state {x_import} (param $operator i32) {slots} {block} (result i32) {import_state} {reset})
  (func $drop_state {x_drop} (param $operator i32) {slots} {reset})
  {second})"#,
            log = import("log"),
            emit = import("emit"),
            report = import("report-failure"),
            result = escaped(&result),
            document = escaped(self.document.as_bytes()),
            data = escaped(&self.data),
            x_plan = export("plan"),
            x_link = export("link"),
            x_process = export("process"),
            x_timer = export("on-timer"),
            x_fire = export("fire"),
            x_merge = export("merge"),
            x_export = export("export-state"),
            x_import = export("import-state"),
            x_drop = export("drop-state"),
        )
    }

    /// What contract 0.2.0 asks for beside.
    fn second(&self) -> String {
        let export = |name: &str| format!("(export \"tidemill:job/operators@{}#{name}\")", self.version);
        let reset = format!("(global.set $heap (i32.const {HEAP}))");
        let times = "(param i64) (param i64)";
        format!(
            r#"
  (func {trigger} (param i32) (param i32) {times} (param i32 i32) (param i32 i32) (param i32 i32) (param i32 i32) (result i32)
    (i32.const 1024) {reset})
  (func {purge} (param i32) (param i32 i32) {reset})
  (func {apply} (param i32 i32) {times} (param i32 i32) (param i32 i32) (param i32 i32) (result i32) (i32.const 1024) {reset})
  (func {watermark} (param i32 i32) (param i64) (param i32 i32) (result i32) (i32.const 1024) {reset})
  (func {migrate} (param $operator i32) (param $columns i32) (param $columns_len i32) (param $block i32) (param $block_len i32)
    (result i32) {migrate_state} {reset})"#,
            trigger = export("trigger"),
            purge = export("purge"),
            apply = export("apply"),
            watermark = export("watermark"),
            migrate = export("migrate-state"),
            migrate_state = self.migrate_state,
        )
    }

    /// Loads and plans it.
    pub(crate) fn load(&self, options: &LoadOptions) -> (Component, Arc<Plan>, String) {
        let component = Component::load(&self.build(), options).unwrap_or_else(|e| panic!("{e}"));
        let (plan, document) = component.plan(&[]).unwrap_or_else(|e| panic!("{e}"));
        (component, Arc::new(plan), document)
    }

    /// An instance with both chains linked.
    pub(crate) fn start_with(&self, options: &LoadOptions) -> Instance {
        use tidemill_core::guest::Guest;
        let (component, plan, document) = self.load(options);
        let mut instance = component.instantiate(&[], &document, plan).unwrap_or_else(|e| panic!("{e}"));
        instance.link(ALONE, &[1]).unwrap();
        instance.link(BOTH, &[1, 2]).unwrap();
        instance
    }

    pub(crate) fn start(&self, limits: Limits) -> Instance {
        self.start_with(&LoadOptions { limits, ..LoadOptions::default() })
    }
}

/// A function body that answers an outcome of these four lists, given as (place, length) in words; it lies at 2560.
pub(crate) fn outcome(lists: [(usize, usize); 4]) -> String {
    let words = lists.iter().flat_map(|&(at, len)| [at, len]).enumerate();
    let stores: String = words.map(|(i, word)| format!("(i32.store (i32.const {}) (i32.const {word}))", 2560 + 4 * i)).collect();
    format!("{stores} (i32.const 2560)")
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("\\{b:02x}")).collect()
}

/// A block of the schema `n:i64,s:string`.
pub(crate) fn block(rows: usize, text: &str) -> Block {
    let mut builder = Builder::new(&"n:i64,s:string".parse().unwrap());
    for row in 0..rows {
        builder.push_time(row as i64);
        builder.column(0).push_i64(row as i64);
        builder.column(1).push_str(text);
    }
    builder.finish().unwrap()
}

/// A block of the state of `op`.
pub(crate) fn state_block(values: &[i64]) -> Block {
    let mut builder = Builder::new(&"v.x:i64?".parse().unwrap());
    for &value in values {
        builder.push_time(0);
        builder.column(0).push_i64(value);
    }
    builder.finish().unwrap()
}

/// Keeps every line.
#[derive(Default)]
pub(crate) struct Kept(pub(crate) Mutex<Vec<(Level, String, String)>>);

impl LogSink for Kept {
    fn log(&self, level: Level, operator: &str, message: &str) {
        self.0.lock().unwrap().push((level, operator.to_owned(), message.to_owned()));
    }
}
