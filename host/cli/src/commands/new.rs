//! `tidemill new`: a project that builds and passes its own tests as it is.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::console;
use crate::fault::{Fault, Outcome};

/// The files of a Rust project; `{{name}}`, `{{crate}}` and `{{sdk}}` are filled in.
const RUST: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("../../templates/rust/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../../templates/rust/lib.rs.in")),
    ("README.md", include_str!("../../templates/rust/README.md.in")),
    (".gitignore", include_str!("../../templates/rust/gitignore.in")),
    ("sample/readings.json", include_str!("../../templates/rust/readings.json")),
    ("sample/averages.json", include_str!("../../templates/rust/averages.json")),
];

/// Letters of a project's name at most: it becomes a folder, a crate and a file.
const NAME_MAX: usize = 64;

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

/// Make a project with a job, its tests and sample data
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  tidemill new sensor-average
  cd sensor-average && cargo test && tidemill build
  tidemill test sensor-average.wasm --input sample/readings.json --expect sample/averages.json")]
pub(crate) struct NewCommand {
    /// The project's name, or a path that ends in it; a folder of this name must not exist
    #[arg(value_name = "NAME")]
    path: PathBuf,
    /// The language of the job
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    lang: Language,
    /// Use the SDK in this folder instead of the published one
    #[arg(long, value_name = "PATH")]
    sdk_path: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// The crate `tidemill`
    Rust,
}

/// Runs the command.
pub(crate) fn run(command: &NewCommand) -> Outcome<()> {
    let Language::Rust = command.lang;
    let name = command.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    check_name(&name)?;
    let shown = command.path.display();
    if command.path.exists() {
        return Err(
            Fault::refused(format!("{shown} is there already: nothing was written")).hint("choose another name, or remove it first")
        );
    }
    let sdk = sdk(command.sdk_path.as_deref())?;
    let files = RUST.map(|(path, text)| (path, fill(text, &name, &sdk)));
    let failed = |e: std::io::Error| Fault::failed(format!("cannot write {shown}")).because(&e);
    for (path, text) in files {
        let path = command.path.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(&path, text).map_err(failed)?;
    }
    console::result(&format!(
        "made {shown}\n\nnext:\n  cd {shown}\n  cargo test\n  tidemill build\n  \
         tidemill test {name}.wasm --input sample/readings.json --expect sample/averages.json\n"
    ))
}

fn fill(text: &str, name: &str, sdk: &str) -> String {
    text.replace("{{name}}", name).replace("{{crate}}", &name.replace('-', "_")).replace("{{sdk}}", sdk)
}

/// The dependency on the SDK, as it stands in Cargo.toml.
fn sdk(path: Option<&Path>) -> Outcome<String> {
    let Some(path) = path else {
        // Until 1.0 a minor version may break; the contract's version is checked when a component is loaded.
        let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
        return Ok(format!("\"{version}\""));
    };
    let absolute = path.canonicalize().map_err(|e| Fault::usage(format!("--sdk-path {} cannot be opened", path.display())).because(&e))?;
    if !absolute.join("Cargo.toml").is_file() {
        return Err(
            Fault::usage(format!("--sdk-path {} holds no Cargo.toml", path.display())).hint("give the folder of the crate `tidemill`")
        );
    }
    Ok(format!("{{ path = {:?} }}", absolute.display().to_string()))
}

/// Whether a name can be a folder, a crate and a component.
fn check_name(name: &str) -> Outcome<()> {
    let refuse = |why: &str| Err(Fault::usage(format!("{name:?} cannot be the name of a project: {why}")).hint("e.g. sensor-average"));
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    match name {
        "" => refuse("it is empty"),
        _ if name.len() > NAME_MAX => refuse(&format!("it is longer than {NAME_MAX} letters")),
        _ if !name.starts_with(|c: char| c.is_ascii_lowercase()) => refuse("it has to begin with a small letter"),
        _ if !name.chars().all(legal) => refuse("it may hold small letters, digits, `-` and `_`"),
        _ if RESERVED.contains(&name) => refuse("Rust or Cargo keep that word for themselves"),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_are_explained() {
        assert!(check_name("sensor-average2").is_ok());
        for (name, why) in
            [("", "empty"), ("2fast", "begin"), ("Räder", "begin"), ("a b", "may hold"), ("match", "keep"), ("tidemill", "keep")]
        {
            let message = check_name(name).unwrap_err().message;
            assert!(message.contains(why), "{message}");
        }
        assert!(check_name(&"a".repeat(65)).unwrap_err().message.contains("longer"));
    }

    #[test]
    fn a_project_is_written_whole_and_never_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let command = NewCommand { path: dir.path().join("my-job"), lang: Language::Rust, sdk_path: None };
        run(&command).unwrap();
        for (path, _) in RUST {
            let text = std::fs::read_to_string(command.path.join(path)).unwrap();
            assert!(!text.contains("{{"), "{path} has a gap: {text}");
        }
        let manifest = std::fs::read_to_string(command.path.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = toml::from_str(&manifest).unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("my-job"));
        assert_eq!(manifest["dependencies"]["tidemill"].as_str(), Some("0.1"));
        assert_eq!(run(&command).unwrap_err().exit, crate::fault::Exit::Refused);
    }

    #[test]
    fn a_path_to_the_sdk_has_to_hold_a_crate() {
        let dir = tempfile::tempdir().unwrap();
        assert!(sdk(Some(dir.path())).unwrap_err().message.contains("no Cargo.toml"));
        std::fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert!(sdk(Some(dir.path())).unwrap().starts_with("{ path = \"/"));
    }
}
