//! `tidemill build`: a project or a core module to a component, in one step.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::console;
use crate::fault::{Fault, Outcome};
use crate::pack::{self, Unpackable};

mod c;
mod go;
mod js;
mod python;
mod rust;

/// Build a component from a project, or pack a core module into one
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  tidemill build                       builds the project of this folder, writes NAME.wasm into it
  tidemill build jobs/average          builds that project
  tidemill build core.wasm -o job.wasm packs a core module that another compiler made")]
pub(crate) struct BuildCommand {
    /// The project's folder, or a core module
    #[arg(value_name = "DIR|CORE.wasm", default_value = ".")]
    input: PathBuf,
    /// Where to write the component [default: NAME.wasm in the project]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Optimise (this is the default)
    #[arg(long, conflicts_with = "debug")]
    release: bool,
    /// Do not optimise: builds faster, runs slower
    #[arg(long)]
    debug: bool,
}

/// A project to build.
struct Project<'a> {
    /// Its folder, absolute.
    dir: PathBuf,
    /// The folder as the user wrote it.
    shown: &'a Path,
    /// Whether to leave out optimisation, in languages whose compilers know any.
    debug: bool,
}

/// What a language's compiler made of a project.
#[derive(Debug)]
struct Built {
    /// The project's name; the component is `NAME.wasm` unless the user says otherwise.
    name: String,
    component: Vec<u8>,
}

/// A language: the file that marks its projects, its name, and how to build one.
type Builder = (&'static str, &'static str, fn(&Project<'_>) -> Outcome<Built>);

/// Every language that projects are built of.
const LANGUAGES: [Builder; 5] = [
    (rust::MARK, "Rust", rust::build),
    (python::MARK, "Python", python::build),
    (js::MARK, "TypeScript or JavaScript", js::build),
    (go::MARK, "Go", go::build),
    (c::MARK, "C", c::build),
];

/// Runs the command.
pub(crate) fn run(command: &BuildCommand) -> Outcome<()> {
    let (output, component) = match command.input.is_dir() {
        true => project(command)?,
        false => module(command)?,
    };
    write(&output, &component)?;
    console::result(&format!("{} ({:.1} KiB)\n", output.display(), component.len() as f64 / 1024.0))
}

/// Beside the target first: a build that is interrupted leaves the old component whole.
fn write(output: &Path, component: &[u8]) -> Outcome<()> {
    let failed = |e: std::io::Error| Fault::failed(format!("cannot write {}", output.display())).because(&e);
    let staged = output.with_extension(format!("wasm.{}.tmp", std::process::id()));
    std::fs::write(&staged, component).map_err(failed)?;
    std::fs::rename(&staged, output).map_err(|e| {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&staged);
        failed(e)
    })
}

fn module(command: &BuildCommand) -> Outcome<(PathBuf, Vec<u8>)> {
    let input = &command.input;
    if !input.exists() {
        let fault = Fault::usage(format!("{} is neither a folder nor a file", input.display()));
        return Err(fault.hint("give a project's folder, e.g. tidemill build jobs/average, or a core module"));
    }
    match &command.output {
        Some(output) => Ok((output.clone(), packed(input)?)),
        None => Err(Fault::usage("packing a core module needs -o: where the component is to be written")
            .hint(format!("tidemill build {} -o job.wasm", input.display()))),
    }
}

fn project(command: &BuildCommand) -> Outcome<(PathBuf, Vec<u8>)> {
    let shown = &command.input;
    let dir = shown.canonicalize().map_err(|e| Fault::usage(format!("cannot open {}", shown.display())).because(&e))?;
    let build = language(&dir, shown)?;
    let Built { name, component } = build(&Project { dir, shown, debug: command.debug })?;
    let file = PathBuf::from(format!("{name}.wasm"));
    // `.` is left out of what the user reads: the path is one to copy.
    let beside = || if shown == Path::new(".") { file.clone() } else { shown.join(&file) };
    Ok((command.output.clone().unwrap_or_else(beside), component))
}

/// The language of a project, by the file that marks it.
fn language(dir: &Path, shown: &Path) -> Outcome<fn(&Project<'_>) -> Outcome<Built>> {
    let found: Vec<&Builder> = LANGUAGES.iter().filter(|(mark, ..)| dir.join(mark).is_file()).collect();
    match found[..] {
        [(_, _, build)] => Ok(*build),
        [] => {
            let marks: Vec<String> = LANGUAGES.iter().map(|(mark, language, _)| format!("{mark} ({language})")).collect();
            Err(Fault::failed(format!("{} is no project: it holds no {}", shown.display(), marks.join(", no ")))
                .hint("tidemill new NAME makes one; what another compiler built is packed by tidemill build core.wasm -o job.wasm"))
        }
        [(first, ..), (second, ..), ..] => {
            let fault = Fault::failed(format!("{} holds both {first} and {second}: which language is the job in?", shown.display()));
            Err(fault.hint("give each job a folder of its own"))
        }
    }
}

/// Packs a core module.
fn packed(core: &Path) -> Outcome<Vec<u8>> {
    let bytes = std::fs::read(core).map_err(|e| Fault::failed(format!("cannot read {}", core.display())).because(&e))?;
    pack::component(&bytes).map_err(|e| unpackable(core, e))
}

fn unpackable(core: &Path, why: Unpackable) -> Fault {
    let shown = core.display();
    match why {
        Unpackable::IsComponent => Fault::failed(format!("{shown} is a component already: nothing is left to pack")),
        Unpackable::NotWasm => Fault::failed(format!("{shown} is no WebAssembly module")),
        Unpackable::NoJob => Fault::failed(format!("{shown} exports nothing, so it is no job"))
            .hint("in Rust, mark the function that builds the job with #[tidemill::job]"),
        Unpackable::Wasi => Fault::failed(format!("{shown} imports wasi_snapshot_preview1, but jobs get no WASI"))
            .hint("compile for wasm32-unknown-unknown, or freestanding (no printf, no files, no clock)"),
        Unpackable::Unfit(text) => Fault::failed(format!("{shown} does not fit the contract"))
            .cause(text)
            .hint("a module exports the functions of tidemill:job/operators and imports only tidemill:job/host"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_language_follows_from_the_file_that_marks_a_project() {
        let dir = tempfile::tempdir().unwrap();
        let found = || language(dir.path(), Path::new("jobs/mine"));
        let none = found().unwrap_err();
        assert!(none.message.starts_with("jobs/mine is no project") && none.message.contains("Cargo.toml (Rust)"), "{}", none.message);
        std::fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert!(found().is_ok());
        std::fs::write(dir.path().join("go.mod"), "").unwrap();
        assert!(found().unwrap_err().message.contains("both Cargo.toml and go.mod"));
    }

    #[test]
    fn a_component_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
