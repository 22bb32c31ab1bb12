//! Components made from WebAssembly text, with the canonical ABI spelled out: what no compiler would write.
//!
//! Memory: 1024 an empty outcome, 2048 the result of `plan`, 2560 whatever a body writes there, 4096 the plan, 65,536 the data of the case,
//! from [`HEAP`] on what `cabi_realloc` gives out.

use serde::Deserialize;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const DATA: usize = 65_536;
const HEAP: usize = 2 * DATA;
/// The WIT of the contract.
const WIT: &str = include_str!("../../../../wit/tidemill-job@0.1.0/job.wit");
/// A keyed operator with state between a source and a sink.
const PLAN: &str = r#"{"contract": "0.1.0", "name": "hostile", "operators": [
    {"name": "in", "kind": {"source": {"binding": "in", "format": "json"}}, "outputs": [{"schema": "n:i64"}]},
    {"name": "op", "kind": {"process": {"keys": [["n"]], "state": [{"name": "v", "kind": "value", "schema": "x:i64"}]}},
     "inputs": [{"from": "in"}], "outputs": [{"schema": "n:i64"}]},
    {"name": "out", "kind": {"sink": {"binding": "out", "format": "json"}}, "inputs": [{"from": "op"}]}]}"#;

/// A case: a file of `tests/hostile/guests`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Case {
    /// Further fields of the module.
    pub(crate) fields: String,
    pub(crate) pages: usize,
    pub(crate) version: String,
    pub(crate) data: String,
    /// What `cabi_realloc` does first.
    pub(crate) realloc: String,
    /// The body of `process`; answers the place of an outcome.
    pub(crate) process: String,
    #[serde(rename = "export_state")]
    pub(crate) export_state: String,
    /// How often it may be started in the first seconds.
    pub(crate) starts_max: Option<u64>,
    /// Where it is stopped, and a word that names the cause. Nowhere is well too: then it only must hurt nobody.
    pub(crate) fails: Fails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fails {
    pub(crate) upload: Option<String>,
    pub(crate) submit: Option<String>,
    pub(crate) run: Option<String>,
}

impl Default for Case {
    fn default() -> Case {
        Case {
            fields: String::new(),
            pages: 4,
            version: "0.1.0".to_owned(),
            data: String::new(),
            realloc: String::new(),
            process: "(i32.const 1024)".to_owned(),
            export_state: "(i32.const 1024)".to_owned(),
            starts_max: None,
            fails: Fails::default(),
        }
    }
}

impl Case {
    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.text()).unwrap_or_else(|e| panic!("{e}"));
        let mut resolve = Resolve::default();
        let wit = WIT.replace("tidemill:job@0.1.0", &format!("tidemill:job@{}", self.version));
        let package = resolve.push_str("job.wit", &wit).unwrap();
        let world = resolve.select_world(&[package], Some("job")).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
        ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
    }

    fn text(&self) -> String {
        let Case { version, pages, fields, process, export_state, realloc, .. } = self;
        let export = |name: &str| format!("(export \"tidemill:job/operators@{version}#{name}\")");
        let import = |name: &str| format!("(import \"tidemill:job/host@{version}\" \"{name}\"");
        let (block, slots) = ("(param $block i32) (param $block_len i32)", "(param $slots i32) (param $slots_len i32)");
        let times = "(param $watermark i64) (param $now i64)";
        let mut result = vec![0, 0, 0, 0];
        result.extend(4096u32.to_le_bytes());
        result.extend(u32::try_from(PLAN.len()).unwrap().to_le_bytes());
        format!(
            r#"(module
  {log} (func $log (param i32 i32 i32 i32)))
  {emit} (func $emit (param i32 i32 i32 i32)))
  {report} (func $report (param i32 i32 i32 i32)))
  (memory (export "memory") {pages})
  (global $heap (mut i32) (i32.const {HEAP}))
  {fields}
  (data (i32.const 2048) "{result}") (data (i32.const 4096) "{document}") (data (i32.const {DATA}) "{data}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32) (local $end i32)
    {realloc}
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (local.set $end (i32.add (local.get $at) (local.get 3)))
    (if (i32.gt_u (local.get $end) (i32.shl (memory.size) (i32.const 16)))
      (then (drop (memory.grow (i32.add (i32.const 1)
        (i32.shr_u (i32.sub (local.get $end) (i32.shl (memory.size) (i32.const 16))) (i32.const 16)))))))
    (global.set $heap (local.get $end))
    (local.get $at))
  (func {x_plan} (param i32 i32) (result i32) (i32.const 2048))
  (func {x_link} (param i32) {slots})
  (func {x_process} (param $chain i32) (param $input i32) {times} {block} (param i32 i32) {slots} (result i32) {process})
  (func {x_timer} (param i32) {times} {block} {slots} (result i32) (i32.const 1024))
  (func {x_fire} (param i32) {times} {block} (param i32 i32) {slots} (result i32) (i32.const 1024))
  (func {x_merge} (param i32 i32 i32) {slots})
  (func {x_export} (param i32) {slots} (result i32) {export_state})
  (func {x_import} (param i32) {slots} {block} (result i32) (i32.const 1024))
  (func {x_drop} (param i32) {slots}))"#,
            log = import("log"),
            emit = import("emit"),
            report = import("report-failure"),
            result = escaped(&result),
            document = escaped(PLAN.as_bytes()),
            data = escaped(self.data.as_bytes()),
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
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("\\{b:02x}")).collect()
}
