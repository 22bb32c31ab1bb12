//! Whether a component is a job of this contract, by the names it imports and exports.
//!
//! What is said here is said in the author's words, and all of it at once. Types of imports are compared by wasmtime when it links;
//! types of exports it would compare only when a call is looked up in an instance, so that is done here.

use tidemill_core::plan::{Age, Contract};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::{LoadError, shape};

/// The package of the contract, as interface names begin.
const PACKAGE: &str = "tidemill:job/";
/// Functions of `host`.
const OFFERED: [&str; 3] = ["log", "emit", "report-failure"];
/// Functions of `operators` with their types, where `OUTCOME` stands for [`OUTCOME`]: those of contract 0.1.0.
const REQUIRED: [(&str, &str); 9] = [
    ("plan", "(list<record {name: string, value: string}>) -> result<string, string>"),
    ("link", "(u32, list<u32>)"),
    ("process", "(u32, u32, s64, s64, list<u8>, list<u32>, list<u32>) -> OUTCOME"),
    ("on-timer", "(u32, s64, s64, list<u8>, list<u32>) -> OUTCOME"),
    ("fire", "(u32, s64, s64, list<u8>, list<u32>, list<u32>) -> OUTCOME"),
    ("merge", "(u32, list<u32>, list<u32>)"),
    ("export-state", "(u32, list<u32>) -> list<u8>"),
    ("import-state", "(u32, list<u32>, list<u8>) -> result<_, string>"),
    ("drop-state", "(u32, list<u32>)"),
];
/// Those that came with contract 0.2.0.
const REQUIRED_V2: [(&str, &str); 4] = [
    (
        "trigger",
        "(u32, enum {record, event-time, processing-time}, s64, s64, list<u8>, list<u32>, list<u8>, list<u32>) -> \
         list<record {action: enum {continue, fire, purge, fire-and-purge}, event-time: option<s64>, processing-time: option<s64>}>",
    ),
    ("purge", "(u32, list<u32>)"),
    ("apply", "(u32, u32, s64, s64, list<u8>, list<u8>, list<u32>) -> OUTCOME"),
    ("watermark", "(u32, u32, s64, list<u8>) -> option<s64>"),
];
const OUTCOME: &str = "record {\
    timers: list<record {slot: u32, timer: u32, action: enum {add, replace, delete, clear}, time: s64}>, \
    cleared: list<u32>, unchanged: list<u32>, failures: list<record {row: u32, operator: u32, message: string}>}";

/// The names that a component imports and exports, as `tidemill inspect` shows them.
pub(crate) fn names(engine: &Engine, component: &Component) -> (Vec<String>, Vec<String>) {
    let ty = component.component_type();
    let imports = ty.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let exports = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
    (imports, exports)
}

/// The contract that a component is a job of; refuses what is none.
pub(crate) fn check(engine: &Engine, component: &Component) -> Result<Contract, LoadError> {
    let (imports, exports) = names(engine, component);
    for name in imports.iter().chain(&exports) {
        versions(name)?;
    }
    // What the component exports says what it is; one that exports nothing of ours is told what it lacks of what it imports.
    let mut told = exports.iter().chain(&imports).filter_map(|name| interface(name)).map(|(_, contract)| contract);
    let contract = told.next().unwrap_or(Contract::V2);
    if let Some(import) = imports.iter().find(|name| name.starts_with("wasi:") || name.starts_with("wasi_")) {
        return Err(LoadError::Wasi { import: import.clone() });
    }
    let unknown = unknown_imports(engine, component, contract);
    if !unknown.is_empty() {
        return Err(LoadError::Imports { imports: unknown });
    }
    exports_fit(engine, component, contract)?;
    Ok(contract)
}

/// Refuses an interface of a contract that is not spoken here.
fn versions(name: &str) -> Result<(), LoadError> {
    let Some((_, version)) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')) else { return Ok(()) };
    let built_for = version.to_owned();
    match Contract::age(version) {
        Some(Age::Newer) => Err(LoadError::Newer { built_for }),
        Some(Age::Older) => Err(LoadError::Older { built_for }),
        Some(Age::Spoken(_)) | None => Ok(()),
    }
}

/// The interface's name without package and version, and its contract, where it is of one.
fn interface(name: &str) -> Option<(&str, Contract)> {
    let (interface, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
    Some((interface, Contract::of(version)?))
}

fn unknown_imports(engine: &Engine, component: &Component, contract: Contract) -> Vec<String> {
    let mut unknown = Vec::new();
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = &item.ty else {
            unknown.push(name.to_owned());
            continue;
        };
        let offered: &[&str] = match interface(name) {
            Some(("host", of)) if of == contract => &OFFERED,
            Some(("types", of)) if of == contract => &[],
            _ => {
                unknown.push(name.to_owned());
                continue;
            }
        };
        for (function, item) in instance.exports(engine) {
            if !matches!(item.ty, ComponentItem::Type(_)) && !offered.contains(&function) {
                unknown.push(format!("{name}#{function}"));
            }
        }
    }
    unknown
}

/// Refuses a component whose `operators` lack a function or have one of another type.
fn exports_fit(engine: &Engine, component: &Component, contract: Contract) -> Result<(), LoadError> {
    let ty = component.component_type();
    let operators = ty.exports(engine).find_map(|(name, item)| match item.ty {
        ComponentItem::ComponentInstance(instance) if interface(name) == Some(("operators", contract)) => Some(instance),
        _ => None,
    });
    let Some(operators) = operators else { return Err(LoadError::WrongWorld { missing: vec![format!("{PACKAGE}operators@{contract}")] }) };
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    let later: &[_] = if contract >= Contract::V2 { &REQUIRED_V2 } else { &[] };
    for (name, expected) in REQUIRED.iter().chain(later) {
        let Some(ComponentItem::ComponentFunc(function)) = operators.get_export(engine, name).map(|item| item.ty) else {
            missing.push(format!("operators#{name}"));
            continue;
        };
        let (shape, expected) = (shape::function(&function), expected.replace("OUTCOME", OUTCOME));
        if shape != expected {
            different.push(format!("{name} is {shape}, not {expected}"));
        }
    }
    match (missing.is_empty(), different.is_empty()) {
        (false, _) => Err(LoadError::WrongWorld { missing }),
        (true, false) => Err(LoadError::Mismatch(different.join("; "))),
        (true, true) => Ok(()),
    }
}
