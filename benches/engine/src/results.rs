//! Where figures go: a table for people, and a line of JSON each for what is made of them later.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// See the module.
pub(crate) struct Results {
    file: Option<File>,
}

impl Results {
    /// Appends to `path`, if there is one.
    pub(crate) fn new(path: Option<&Path>) -> Result<Results> {
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.with_context(|| format!("cannot write {}", path.display()))
        };
        Ok(Results { file: path.map(open).transpose()? })
    }

    /// Keeps one figure.
    pub(crate) fn keep(&mut self, figure: &Value) -> Result<()> {
        match &mut self.file {
            Some(file) => writeln!(file, "{figure}").context("cannot write the figures"),
            None => Ok(()),
        }
    }

    /// Begins a table.
    pub(crate) fn heading(&self, title: &str, columns: &[&str]) {
        println!("\n{title}\n");
        self.row(columns.iter().map(|column| (*column).to_owned()).collect());
        println!("|---{}|", "|--:".repeat(columns.len() - 1));
    }

    /// A row of the table.
    pub(crate) fn row(&self, cells: Vec<String>) {
        println!("| {} |", cells.join(" | "));
    }
}
