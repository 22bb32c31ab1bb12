//! The table of what is refused before anything runs, each line held against the case or file that shows it.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// One line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What is refused.
    pub what: String,
    /// The words that say so.
    pub words: String,
    /// The case whose `error.txt` has them.
    pub case: Option<String>,
    /// The file of the repository that has them, where no plan can say such a thing.
    pub file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    refusal: Vec<Refusal>,
}

/// Reads the table.
///
/// # Errors
/// A file that cannot be read.
pub fn read(path: &Path) -> Result<Vec<Refusal>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let table: Table = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
    Ok(table.refusal)
}

/// Lines that nothing shows in their words; `conformance` is the folder of the cases, `repository` what files are named from.
#[must_use]
pub fn problems(refusals: &[Refusal], conformance: &Path, repository: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for Refusal { what, words, case, file } in refusals {
        let path = match (case, file) {
            (Some(case), None) => conformance.join("cases").join(case).join("error.txt"),
            (None, Some(file)) => repository.join(file),
            _ => {
                problems.push(format!("{what}: name either the case or the file that shows it"));
                continue;
            }
        };
        match std::fs::read_to_string(&path) {
            Ok(text) if text.contains(words.as_str()) => {}
            Ok(_) => problems.push(format!("{what}: {} does not say {words:?}", path.display())),
            Err(error) => problems.push(format!("{what}: cannot read {}: {error}", path.display())),
        }
    }
    problems
}
