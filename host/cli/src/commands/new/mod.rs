//! `tidemill new`: a project that builds and passes its own tests as it is.

use std::path::PathBuf;

use clap::Args;

use crate::console;
use crate::fault::{Fault, Outcome};

mod c;
mod go;
mod js;
mod language;
mod python;
mod rust;

use language::{Language, Template};

/// Letters of a project's name at most: it becomes a folder, a crate and a file.
const NAME_MAX: usize = 64;

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

/// Runs the command.
pub(crate) fn run(command: &NewCommand) -> Outcome<()> {
    let template = command.lang.template();
    let name = command.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    check_name(&name, &template)?;
    let shown = command.path.display();
    if command.path.exists() {
        return Err(
            Fault::refused(format!("{shown} is there already: nothing was written")).hint("choose another name, or remove it first")
        );
    }
    let sdk = template.dependency(command.sdk_path.as_deref())?;
    let failed = |e: std::io::Error| Fault::failed(format!("cannot write {shown}")).because(&e);
    for (path, text) in template.files {
        let path = command.path.join(fill(path, &name, &sdk));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(&path, fill(text, &name, &sdk)).map_err(failed)?;
    }
    console::result(&format!(
        "made {shown}\n\nnext:\n  cd {shown}\n  {}\n  tidemill build\n  \
         tidemill test {name}.wasm --input sample/readings.json --expect sample/averages.json\n",
        template.test
    ))
}

fn fill(text: &str, name: &str, sdk: &str) -> String {
    text.replace("{{name}}", name).replace("{{crate}}", &name.replace('-', "_")).replace("{{sdk}}", sdk)
}

/// Whether a name can be a folder, a crate and a component.
fn check_name(name: &str, template: &Template) -> Outcome<()> {
    let refuse = |why: &str| Err(Fault::usage(format!("{name:?} cannot be the name of a project: {why}")).hint("e.g. sensor-average"));
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    match name {
        "" => refuse("it is empty"),
        _ if name.len() > NAME_MAX => refuse(&format!("it is longer than {NAME_MAX} letters")),
        _ if !name.starts_with(|c: char| c.is_ascii_lowercase()) => refuse("it has to begin with a small letter"),
        _ if !name.chars().all(legal) => refuse("it may hold small letters, digits, `-` and `_`"),
        _ if template.reserved.contains(&name) => refuse("the language or its tools keep that word for themselves"),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_are_explained() {
        assert!(check_name("sensor-average2", &rust::TEMPLATE).is_ok());
        for (name, why) in
            [("", "empty"), ("2fast", "begin"), ("Räder", "begin"), ("a b", "may hold"), ("match", "keep"), ("tidemill", "keep")]
        {
            let message = check_name(name, &rust::TEMPLATE).unwrap_err().message;
            assert!(message.contains(why), "{message}");
        }
        assert!(check_name(&"a".repeat(65), &rust::TEMPLATE).unwrap_err().message.contains("longer"));
    }

    #[test]
    fn a_project_is_written_whole_and_never_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let command = NewCommand { path: dir.path().join("my-job"), lang: Language::Rust, sdk_path: None };
        run(&command).unwrap();
        for (path, _) in rust::TEMPLATE.files {
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
        assert!(rust::TEMPLATE.dependency(Some(dir.path())).unwrap_err().message.contains("no Cargo.toml"));
        std::fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert!(rust::TEMPLATE.dependency(Some(dir.path())).unwrap().starts_with("{ path = \"/"));
    }
}
