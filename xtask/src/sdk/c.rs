//! The tests of the SDK for C: its own, those of the examples and of the project that `tidemill new` makes, and the code of its README.
//!
//! Each is a program, compiled with every warning and with the address and undefined-behaviour sanitizers, so that a view that is kept
//! too long or a leak is a failure too. What runs in a component is shown by the host's tests over the same examples.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::process;
use crate::workspace::Workspace;

const SDK: &str = "guest-sdk/c";
const TEMPLATE: &str = "host/cli/templates/c";
const FLAGS: [&str; 9] =
    ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// Compiles and runs all of them; a failure names the program.
pub(super) fn test(workspace: &Workspace) -> Result<()> {
    let sdk = workspace.root().join(SDK);
    for file in tests_of(&sdk.join("tests"))? {
        // The kit's own file is a part of the test that includes it.
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        run(workspace, &file, &sdk, !text.contains("tidemill_test.c\""))?;
    }
    let examples = workspace.root().join("examples");
    for entry in fs::read_dir(&examples).with_context(|| format!("cannot list {}", examples.display()))? {
        let folder = entry?.path().join("c");
        if folder.join("job.c").is_file() {
            for file in tests_of(&folder)? {
                run(workspace, &file, &folder, true)?;
            }
        }
    }
    let project = project(workspace, "c-project", &template(workspace)?)?;
    run(workspace, &project.join("test_job.c"), &project, true)?;
    for readme in projects_of_readme(workspace)? {
        run(workspace, &readme.join("test_job.c"), &readme, true)?;
    }
    Ok(())
}

/// The files `test_*.c` of a folder, in order.
fn tests_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("test_") && name.ends_with(".c") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Compiles one test program by the C compiler of this machine, and runs it in `folder`.
fn run(workspace: &Workspace, file: &Path, folder: &Path, kit: bool) -> Result<()> {
    let shown = workspace.shown(file);
    let sdk = workspace.root().join(SDK);
    let made = workspace.cache().join("sdk");
    fs::create_dir_all(&made).with_context(|| format!("cannot create {}", made.display()))?;
    let program = made.join(format!("c-{}", shown.replace(['/', '.'], "-")));
    let mut compiler = Command::new("cc");
    // Named from the folder: `__FILE__` is part of what the tests look at.
    compiler.current_dir(folder).args(FLAGS).arg("-I").arg(&sdk).arg("-o").arg(&program);
    compiler.arg(file.strip_prefix(folder).unwrap_or(file)).arg(sdk.join("tidemill.c"));
    if kit {
        compiler.arg(sdk.join("tidemill_test.c"));
    }
    process::run(&mut compiler, &format!("compiling {shown}"))?;
    process::run(Command::new(&program).current_dir(folder), &format!("running {shown}"))
}

/// The files of the template, with their gaps filled in.
fn template(workspace: &Workspace) -> Result<Vec<(String, String)>> {
    let folder = workspace.root().join(TEMPLATE);
    let mut files = Vec::new();
    for (from, to) in [
        ("job.c.in", "job.c"),
        ("test_job.c.in", "test_job.c"),
        ("readings.json", "sample/readings.json"),
        ("averages.json", "sample/averages.json"),
    ] {
        let text = fs::read_to_string(folder.join(from)).with_context(|| format!("cannot read {TEMPLATE}/{from}"))?;
        files.push((to.to_owned(), text.replace("{{name}}", "averages")));
    }
    Ok(files)
}

/// Blocks of the README are jobs, each with its test behind it.
fn projects_of_readme(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let path = workspace.root().join(SDK).join("README.md");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let blocks = blocks(&text);
    let (pairs, rest) = blocks.as_chunks::<2>();
    ensure!(!pairs.is_empty() && rest.is_empty(), "{SDK}/README.md has {} blocks of C, not jobs and their tests", blocks.len());
    let project = |(number, [job, test]): (usize, &[String; 2])| {
        let files = [("job.c".to_owned(), job.clone()), ("test_job.c".to_owned(), test.clone())];
        project(workspace, &format!("c-readme-{number}"), &files)
    };
    pairs.iter().enumerate().map(project).collect()
}

/// The blocks of C in a page of Markdown.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match &mut open {
            None if line == "```c" => open = Some(String::new()),
            None => {}
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    blocks
}

/// Writes files into a fresh folder of the cache.
fn project(workspace: &Workspace, name: &str, files: &[(String, String)]) -> Result<PathBuf> {
    let folder = workspace.cache().join("sdk").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    for (path, text) in files {
        let path = folder.join(path);
        let Some(parent) = path.parent() else { bail!("{} has no folder", path.display()) };
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_other_languages_are_passed_over() {
        let text = "a\n```sh\nls\n```\n```c\nint x;\n\nint y;\n```\nb\n```c\nint z;\n```\n";
        assert_eq!(blocks(text), ["int x;\n\nint y;\n", "int z;\n"]);
    }
}
