//! The rows of semantics.md that cases have to pin: their titles, and why some need none.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::Case;

/// One row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its number.
    pub number: u32,
    /// What it is about.
    pub title: String,
    /// Why there is no case, where there is none: what shows it instead, or that it is not there yet.
    pub without: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    row: Vec<Row>,
}

/// Reads the table of rows.
///
/// # Errors
/// A file that cannot be read.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let table: Table = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
    Ok(table.row)
}

/// What does not fit: a row that has neither cases nor a reason, or both; a case of a row that is not in the table.
#[must_use]
pub fn problems(rows: &[Row], cases: &[Case]) -> Vec<String> {
    let mut problems = Vec::new();
    for row in rows {
        let pinned = cases.iter().any(|case| case.rows.contains(&row.number));
        match (&row.without, pinned) {
            (None, false) => problems.push(format!("row {} ({}) has no case", row.number, row.title)),
            (Some(reason), true) => problems.push(format!("row {} has cases, but is said to have none: {reason}", row.number)),
            _ => {}
        }
    }
    for case in cases {
        for number in case.rows.iter().filter(|number| !rows.iter().any(|row| row.number == **number)) {
            problems.push(format!("case {} is of row {number}, which is not in the table", case.name));
        }
        if case.rows.is_empty() {
            problems.push(format!("case {} pins no row", case.name));
        }
    }
    problems
}
