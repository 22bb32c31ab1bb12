//! `sdk`: the checks of the SDKs in other languages than Rust, by the tools of each, and those of their examples and templates.

use anyhow::Result;
use clap::Args;

use crate::setup::{self, Language};
use crate::workspace::Workspace;

mod c;
mod go;
mod js;
pub(crate) mod matrix;
pub(crate) mod publish;
mod python;

/// The options of `sdk`.
#[derive(Args)]
pub(crate) struct Options {
    /// A language; may be repeated. Without it all of them
    #[arg(long = "lang", value_enum)]
    languages: Vec<Language>,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let languages: &[Language] = if options.languages.is_empty() { &Language::ALL } else { &options.languages };
    setup::languages(workspace, languages)?;
    test(workspace, languages)
}

/// Tests the SDKs of these languages; that of Rust is part of the workspace, and tested with it.
pub(crate) fn test(workspace: &Workspace, languages: &[Language]) -> Result<()> {
    for language in languages {
        match language {
            Language::Rust => {}
            Language::Python => python::test(workspace)?,
            Language::C => c::test(workspace)?,
            Language::Js => js::test(workspace)?,
            Language::Go => go::test(workspace)?,
        }
    }
    Ok(())
}
