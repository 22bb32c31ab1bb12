//! Projects in Rust: a crate.

use super::language::{Sdk, Template};

/// A crate with the job, its tests and sample data.
pub(super) const TEMPLATE: Template = Template {
    files: &[
        ("Cargo.toml", include_str!("../../../templates/rust/Cargo.toml.in")),
        ("src/lib.rs", include_str!("../../../templates/rust/lib.rs.in")),
        ("README.md", include_str!("../../../templates/rust/README.md.in")),
        (".gitignore", include_str!("../../../templates/rust/gitignore.in")),
        ("sample/readings.json", include_str!("../../../templates/rust/readings.json")),
        ("sample/averages.json", include_str!("../../../templates/rust/averages.json")),
    ],
    test: "cargo test",
    sdk_mark: "Cargo.toml",
    sdk,
    reserved: &RESERVED,
};

/// The dependency on the SDK, as it stands in Cargo.toml.
fn sdk(sdk: Sdk<'_>) -> String {
    match sdk {
        Sdk::Published(version) => format!("{version:?}"),
        Sdk::Folder(path) => format!("{{ path = {path:?} }}"),
    }
}

/// Names that Cargo or Rust keep for themselves.
const RESERVED: [&str; 60] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "tidemill",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "build",
    "deps",
    "examples",
];
