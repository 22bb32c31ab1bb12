//! Reads a plan document. Whether the plan makes sense is for [`tidemill_core::plan::check`].

use serde::Deserialize;
use tidemill_core::plan::{Age, Contract, PLAN_BYTES_MAX, Plan};

use crate::LoadError;

/// The one field that every version of the document has.
#[derive(Deserialize)]
struct Version {
    contract: String,
}

/// Reads a document, version first, because a later version may hold what this one cannot read.
pub(crate) fn read(document: &str) -> Result<Plan, LoadError> {
    if document.len() > PLAN_BYTES_MAX {
        return Err(LoadError::PlanTooLarge { bytes: document.len() });
    }
    let version: Version = serde_json::from_str(document).map_err(unreadable)?;
    let built_for = crate::text::printable(&version.contract, crate::text::Lines::One);
    match Contract::age(&version.contract) {
        Some(Age::Spoken(_)) => serde_json::from_str(document).map_err(unreadable),
        Some(Age::Newer) => Err(LoadError::Newer { built_for }),
        Some(Age::Older) => Err(LoadError::Older { built_for }),
        None => Err(LoadError::Plan { line: 1, column: 1, what: format!("{built_for:?} is no version of the contract") }),
    }
}

fn unreadable(error: serde_json::Error) -> LoadError {
    let text = error.to_string();
    // serde_json puts the place behind the text; here it stands in fields of its own.
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    LoadError::Plan { line: error.line(), column: error.column(), what: crate::text::printable(what, crate::text::Lines::One) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_are_compared_before_anything_else_is_read() {
        assert_eq!(read(r#"{"contract": "0.1.7", "operators": []}"#).unwrap().operators.len(), 0);
        assert_eq!(read(r#"{"contract": "0.3.0", "tasks": []}"#).unwrap_err(), LoadError::Newer { built_for: "0.3.0".to_owned() });
        assert_eq!(read(r#"{"contract": "0.0.1"}"#).unwrap_err().code(), "contract-older");
        assert!(read(r#"{"contract": "soon"}"#).unwrap_err().to_string().contains("\"soon\" is no version"));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_place() {
        let error = read("{\"contract\": \"0.1.0\",\n \"operators\": [],\n \"speed\": 9}").unwrap_err();
        let LoadError::Plan { line, what, .. } = &error else { unreachable!("{error}") };
        assert_eq!(*line, 3);
        assert!(what.starts_with("unknown field `speed`"), "{what}");
        assert_eq!(read("").unwrap_err().code(), "plan-unreadable");
        assert_eq!(read(&"[".repeat(100_000)).unwrap_err().code(), "plan-unreadable");
    }

    #[test]
    fn the_size_is_capped() {
        let text = r#"{"contract": "0.1.0", "operators": []}"#;
        let padded = |len: usize| text.to_owned() + &" ".repeat(len - text.len());
        assert!(read(&padded(PLAN_BYTES_MAX)).is_ok());
        assert_eq!(read(&padded(PLAN_BYTES_MAX + 1)).unwrap_err().code(), "plan-too-large");
    }
}
