//! The languages of `tidemill new`: what their projects hold, and how they depend on the SDK.

use std::path::Path;

use clap::ValueEnum;

use super::{c, go, js, python, rust};
use crate::fault::{Fault, Outcome};

/// A language that jobs are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// The crate `tidemill`
    Rust,
    /// The package `tidemill` of PyPI
    Python,
    /// The package `tidemill` of npm, in TypeScript
    Ts,
    /// The same in JavaScript
    Js,
    /// The module of Go
    Go,
    /// `tidemill.h` and `tidemill.c`, which become part of the project
    C,
}

/// What a language's projects are made of.
pub(super) struct Template {
    /// Paths and texts, in which `{{name}}`, `{{crate}}` (the name with `_` for `-`) and `{{sdk}}` are filled in.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// The commands that run the project's own tests, in the project's folder.
    pub(super) test: &'static str,
    /// The file that marks the folder of the SDK.
    pub(super) sdk_mark: &'static str,
    /// The dependency on the SDK: a published one of this version (`major.minor`), or the one in an absolute folder.
    pub(super) sdk: fn(Sdk<'_>) -> String,
    /// Names that the language keeps for itself.
    pub(super) reserved: &'static [&'static str],
}

/// Which SDK a project depends on.
pub(super) enum Sdk<'a> {
    /// The published one, `major.minor`.
    Published(&'a str),
    /// The one in this absolute folder.
    Folder(&'a str),
}

impl Language {
    pub(super) fn template(self) -> Template {
        match self {
            Language::Rust => rust::TEMPLATE,
            Language::Python => python::TEMPLATE,
            Language::Ts => js::TYPESCRIPT,
            Language::Js => js::JAVASCRIPT,
            Language::Go => go::TEMPLATE,
            Language::C => c::TEMPLATE,
        }
    }
}

impl Template {
    /// The dependency on the SDK as it stands in the project's files.
    pub(super) fn dependency(&self, path: Option<&Path>) -> Outcome<String> {
        let Some(path) = path else {
            // Until 1.0 a minor version may break; the contract's version is checked when a component is loaded.
            let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
            return Ok((self.sdk)(Sdk::Published(version)));
        };
        let absolute =
            path.canonicalize().map_err(|e| Fault::usage(format!("--sdk-path {} cannot be opened", path.display())).because(&e))?;
        if !absolute.join(self.sdk_mark).is_file() {
            let fault = Fault::usage(format!("--sdk-path {} holds no {}", path.display(), self.sdk_mark));
            return Err(fault.hint("give the folder of the SDK of this language"));
        }
        Ok((self.sdk)(Sdk::Folder(&absolute.display().to_string())))
    }
}
