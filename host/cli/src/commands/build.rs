//! `tidemill build`: a project or a core module to a component, in one step.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::Value;

use crate::fault::{Fault, Outcome};
use crate::pack::{self, Unpackable};
use crate::{console, toolchain};

/// Build a component from a project, or pack a core module into one
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  tidemill build                       builds the Rust project of this folder, writes NAME.wasm into it
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

/// Runs the command.
pub(crate) fn run(command: &BuildCommand) -> Outcome<()> {
    let (core, output) = match command.input.is_dir() {
        true => project(command)?,
        false => module(command)?,
    };
    let bytes = std::fs::read(&core).map_err(|e| Fault::failed(format!("cannot read {}", core.display())).because(&e))?;
    let component = pack::component(&bytes).map_err(|e| unpackable(&core, e))?;
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

fn module(command: &BuildCommand) -> Outcome<(PathBuf, PathBuf)> {
    let input = command.input.clone();
    if !input.exists() {
        let fault = Fault::usage(format!("{} is neither a folder nor a file", input.display()));
        return Err(fault.hint("give a project's folder, e.g. tidemill build jobs/average, or a core module"));
    }
    match &command.output {
        Some(output) => Ok((input, output.clone())),
        None => Err(Fault::usage("packing a core module needs -o: where the component is to be written")
            .hint(format!("tidemill build {} -o job.wasm", input.display()))),
    }
}

/// Compiles a Cargo project and finds the module it made.
fn project(command: &BuildCommand) -> Outcome<(PathBuf, PathBuf)> {
    let dir = command.input.canonicalize().map_err(|e| Fault::usage(format!("cannot open {}", command.input.display())).because(&e))?;
    let manifest = dir.join("Cargo.toml");
    let name = package_name(&manifest, &command.input)?;
    let toolchain = toolchain::find(&dir)?;
    if matches!(toolchain, toolchain::Toolchain::BuildStd { .. }) {
        console::note("building with Debian's compiler: the first build makes the standard library too, which takes minutes");
    }
    let mut cargo = toolchain.cargo_build();
    cargo.current_dir(&dir).args(["--lib", "--message-format=json-render-diagnostics"]);
    if !command.debug {
        cargo.arg("--release");
    }
    let core = compile(cargo, &manifest)?.ok_or_else(|| {
        Fault::failed(format!("{name} builds, but not into a module")).hint("put crate-type = [\"cdylib\"] under [lib] in Cargo.toml")
    })?;
    let file = PathBuf::from(format!("{name}.wasm"));
    // `.` is left out of what the user reads: the path is one to copy.
    let beside = || if command.input == Path::new(".") { file.clone() } else { command.input.join(&file) };
    Ok((core, command.output.clone().unwrap_or_else(beside)))
}

fn package_name(manifest: &Path, shown: &Path) -> Outcome<String> {
    let text = std::fs::read_to_string(manifest).map_err(|e| {
        let fault = Fault::failed(format!("{} is not a Rust project: it has no Cargo.toml that can be read", shown.display())).because(&e);
        fault.hint("tidemill new NAME makes one; what another compiler built is packed by tidemill build core.wasm -o job.wasm")
    })?;
    let unreadable = |why: String| Fault::failed(format!("{} has a Cargo.toml that names no package", shown.display())).cause(why);
    let manifest: toml::Table = toml::from_str(&text).map_err(|e: toml::de::Error| unreadable(e.message().to_owned()))?;
    let name = manifest.get("package").and_then(|p| p.get("name")).and_then(toml::Value::as_str);
    name.map(str::to_owned).ok_or_else(|| unreadable("it is a workspace: give the folder of one member".to_owned()))
}

/// Runs cargo, its own messages going to standard error as they come; answers the module of the package at `manifest`.
fn compile(mut cargo: Command, manifest: &Path) -> Outcome<Option<PathBuf>> {
    let failed = |e: std::io::Error| Fault::failed("cannot run cargo").because(&e);
    let mut child = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut module = None;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            module = artifact(&line.map_err(failed)?, manifest).or(module);
        }
    }
    match child.wait().map_err(failed)?.success() {
        true => Ok(module),
        false => Err(Fault::failed("the project does not compile: cargo's messages stand above")),
    }
}

/// The `.wasm` in one of cargo's messages, when it is of this package.
fn artifact(line: &str, manifest: &Path) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let ours = message["reason"] == "compiler-artifact" && message["manifest_path"].as_str().map(Path::new) == Some(manifest);
    let files = ours.then(|| message["filenames"].as_array())??;
    files.iter().filter_map(Value::as_str).map(PathBuf::from).find(|f| f.extension().is_some_and(|e| e == "wasm"))
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
    fn only_the_module_of_the_package_counts() {
        let line = |manifest: &str, file: &str| {
            format!(r#"{{"reason":"compiler-artifact","manifest_path":"{manifest}","filenames":["/t/liba.rlib","{file}"]}}"#)
        };
        let manifest = Path::new("/p/Cargo.toml");
        assert_eq!(artifact(&line("/p/Cargo.toml", "/t/a.wasm"), manifest), Some(PathBuf::from("/t/a.wasm")));
        assert_eq!(artifact(&line("/dep/Cargo.toml", "/t/b.wasm"), manifest), None);
        assert_eq!(artifact(&line("/p/Cargo.toml", "/t/a.so"), manifest), None);
        assert_eq!(artifact("   Compiling", manifest), None);
    }

    #[test]
    fn a_workspace_is_told_from_a_package() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("Cargo.toml");
        std::fs::write(&manifest, "[workspace]\n").unwrap();
        assert!(package_name(&manifest, dir.path()).unwrap_err().causes[0].contains("workspace"));
        std::fs::write(&manifest, "[package]\nname = 'a-b'\n").unwrap();
        assert_eq!(package_name(&manifest, dir.path()).unwrap(), "a-b");
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
