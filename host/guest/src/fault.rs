//! From wasmtime's errors to the contract's: who has to act, where it happened, and what the guest said last.

use tidemill_core::guest::{Error, OperatorId};
use wasmtime::{Trap, WasmBacktrace};

use crate::text::{Lines, printable};

/// Bytes of one function's name that are kept: a name comes from the component and may be as long as the component.
const NAME_BYTES_MAX: usize = 256;

/// A call stopped by the host, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// A limit was passed.
    #[error("{0}")]
    Limit(String),
    /// The contract was broken.
    #[error("{0}")]
    Contract(String),
}

impl Stop {
    pub(crate) fn in_export(self, export: &'static str) -> Error {
        match self {
            Stop::Limit(message) => Error::Limit { export, message },
            Stop::Contract(message) => Error::Contract { export, message },
        }
    }
}

/// What `report-failure` said last in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Operator and row, where the call has them.
    pub(crate) at: Option<(OperatorId, u32)>,
    pub(crate) message: String,
}

/// Says what an error of a call means.
pub(crate) fn classify(error: &wasmtime::Error, export: &'static str, call_ms: u64, report: Option<Report>) -> Error {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stop.clone().in_export(export);
    }
    let cause = error.root_cause().to_string();
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Error::Deadline { export, ms: call_ms },
        Some(_) => trap(error, cause, export, report),
        // wasmtime has no public types for its own limits.
        None if cause.contains("fuel allocated for hostcalls") => {
            let message = format!("{} MiB of lists and text in one call", crate::state::HOSTCALL_BYTES_MAX >> 20);
            Error::Limit { export, message }
        }
        None if cause.contains("resource limit exceeded") || cause.contains("handle limit exceeded") => {
            Error::Limit { export, message: cause }
        }
        None => Error::Contract { export, message: printable(&cause, Lines::One) },
    }
}

fn trap(error: &wasmtime::Error, cause: String, export: &'static str, report: Option<Report>) -> Error {
    let cause = cause.strip_prefix("wasm trap: ").map(str::to_owned).unwrap_or(cause);
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
    let (message, at) = match report {
        Some(report) => (format!("{} ({cause})", report.message), report.at),
        None => (cause, None),
    };
    Error::Trap { export, message, backtrace, at }
}

fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => demangle(name),
        None => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().map(name).collect()
}

/// A function's name as its author wrote it, bounded and printable.
fn demangle(name: &str) -> String {
    let name = &name[..name.floor_char_boundary(8 * NAME_BYTES_MAX)];
    let mut plain = format!("{:#}", rustc_demangle::demangle(name));
    plain.truncate(plain.floor_char_boundary(NAME_BYTES_MAX));
    printable(&plain, Lines::One)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_demangled_and_bounded() {
        assert_eq!(demangle("_ZN4core9panicking5panic17h0123456789abcdefE"), "core::panicking::panic");
        assert_eq!(demangle("main.Average.add"), "main.Average.add");
        assert_eq!(demangle("a\x1b[31m"), "a\\u{1b}[31m");
        assert_eq!(demangle(&"水".repeat(10_000)).chars().count(), NAME_BYTES_MAX / 3);
    }

    #[test]
    fn a_stop_keeps_its_kind() {
        let error = wasmtime::Error::from(Stop::Contract("why".to_owned()));
        assert_eq!(classify(&error, "fire", 1, None), Error::Contract { export: "fire", message: "why".to_owned() });
    }

    #[test]
    fn a_trap_carries_the_report() {
        let error = wasmtime::Error::from(Trap::UnreachableCodeReached);
        let report = Report { at: Some((3, 7)), message: "index out of bounds".to_owned() };
        let Error::Trap { message, at, .. } = classify(&error, "process", 1, Some(report)) else { unreachable!("it is a trap") };
        assert_eq!((message.as_str(), at), ("index out of bounds (wasm `unreachable` instruction executed)", Some((3, 7))));
        assert_eq!(classify(&Trap::Interrupt.into(), "process", 9, None), Error::Deadline { export: "process", ms: 9 });
    }
}
