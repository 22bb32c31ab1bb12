//! Whether a component is a job of this contract, by the names it imports and exports.
//!
//! What is said here is said in the author's words, and all of it at once. Types of imports are compared by wasmtime when it links;
//! types of exports it would compare only when a call is looked up in an instance, so that is done here.

use tidemill_core::plan::CONTRACT;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::{LoadError, shape};

/// The package of the contract, as interface names begin.
const PACKAGE: &str = "tidemill:job/";
/// Functions of `host`.
const OFFERED: [&str; 3] = ["log", "emit", "report-failure"];
/// Functions of `operators` with their types, where `OUTCOME` stands for [`OUTCOME`].
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
const OUTCOME: &str = "record {\
    timers: list<record {slot: u32, timer: u32, action: enum {add, replace, delete, clear}, time: s64}>, \
    cleared: list<u32>, unchanged: list<u32>, failures: list<record {row: u32, operator: u32, message: string}>}";

/// How a contract's version relates to [`CONTRACT`]. Versions that differ in the patch alone fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// It fits.
    Same,
    /// The host is too old.
    Newer,
    /// The component is too old.
    Older,
}

/// Compares a version; `None` where it is none.
pub(crate) fn age(version: &str) -> Option<Age> {
    let (given, ours) = (generation(version)?, generation(CONTRACT)?);
    Some(match given.cmp(&ours) {
        std::cmp::Ordering::Less => Age::Older,
        std::cmp::Ordering::Equal => Age::Same,
        std::cmp::Ordering::Greater => Age::Newer,
    })
}

/// What must be equal for two versions to fit, by the rules of semantic versions.
fn generation(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split(['.', '-', '+']).map(|part| part.parse::<u64>().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    Some(if major == 0 { (0, minor) } else { (major, 0) })
}

/// The names that a component imports and exports, as `tidemill inspect` shows them.
pub(crate) fn names(engine: &Engine, component: &Component) -> (Vec<String>, Vec<String>) {
    let ty = component.component_type();
    let imports = ty.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let exports = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
    (imports, exports)
}

/// Refuses what is no job of this contract.
pub(crate) fn check(engine: &Engine, component: &Component) -> Result<(), LoadError> {
    let (imports, exports) = names(engine, component);
    for name in imports.iter().chain(&exports) {
        versions(name)?;
    }
    if let Some(import) = imports.iter().find(|name| name.starts_with("wasi:") || name.starts_with("wasi_")) {
        return Err(LoadError::Wasi { import: import.clone() });
    }
    let unknown = unknown_imports(engine, component);
    if !unknown.is_empty() {
        return Err(LoadError::Imports { imports: unknown });
    }
    exports_fit(engine, component)
}

/// Refuses an interface of another generation of the contract.
fn versions(name: &str) -> Result<(), LoadError> {
    let Some((_, version)) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')) else { return Ok(()) };
    let built_for = version.to_owned();
    match age(version) {
        Some(Age::Newer) => Err(LoadError::Newer { built_for }),
        Some(Age::Older) => Err(LoadError::Older { built_for }),
        Some(Age::Same) | None => Ok(()),
    }
}

/// The interface's name without package and version, where it is one of the contract.
fn interface(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
    (age(version) == Some(Age::Same)).then_some(interface)
}

fn unknown_imports(engine: &Engine, component: &Component) -> Vec<String> {
    let mut unknown = Vec::new();
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = &item.ty else {
            unknown.push(name.to_owned());
            continue;
        };
        let offered: &[&str] = match interface(name) {
            Some("host") => &OFFERED,
            Some("types") => &[],
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
fn exports_fit(engine: &Engine, component: &Component) -> Result<(), LoadError> {
    let ty = component.component_type();
    let operators = ty.exports(engine).find_map(|(name, item)| match item.ty {
        ComponentItem::ComponentInstance(instance) if interface(name) == Some("operators") => Some(instance),
        _ => None,
    });
    let Some(operators) = operators else { return Err(LoadError::WrongWorld { missing: vec![format!("{PACKAGE}operators@{CONTRACT}")] }) };
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    for (name, expected) in REQUIRED {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_fit_and_generations_do_not() {
        let ages = ["0.1.0", "0.1.9", "0.1.0-rc.1", "0.2.0", "1.0.0", "0.0.9", "next", "0"].map(age);
        let (same, newer, older) = (Some(Age::Same), Some(Age::Newer), Some(Age::Older));
        assert_eq!(ages, [same, same, same, newer, newer, older, None, None]);
    }
}
