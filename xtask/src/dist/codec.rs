//! `dist/codecs/LANGUAGE`: the codec of an SDK as a program on this machine, for `tests/conformance/tests/blocks.rs`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::replace;
use crate::process;
use crate::setup::{Language, go, js, python};
use crate::workspace::Workspace;

/// Compiled with the checks of the SDK's own tests.
const CC: [&str; 10] = [
    "-std=c11",
    "-D_POSIX_C_SOURCE=200809L",
    "-g",
    "-O1",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
];

/// Makes the program of a language; the Rust SDK is called without one.
pub(super) fn build(workspace: &Workspace, language: Language) -> Result<()> {
    let folder = workspace.dist().join("codecs");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let sdk = workspace.root().join("guest-sdk");
    match language {
        Language::Rust => Ok(()),
        Language::Python => {
            let (python, sdk) = (python::interpreter(workspace), sdk.join("python"));
            let line =
                format!("PYTHONPATH='{0}/src' PYTHONDONTWRITEBYTECODE=1 exec '{1}' '{0}/tests/codec.py'", sdk.display(), python.display());
            script(&folder.join("python"), &line)
        }
        Language::Js => {
            let node = js::node(workspace).context("no Node.js: run `cargo xtask setup --lang js`")?;
            // From its folder the packages are found.
            let program = node.command("node").get_program().to_string_lossy().into_owned();
            let line = format!(
                "cd '{}' && TSX_TSCONFIG_PATH=test/tsconfig.json exec '{program}' --import tsx test/codec.ts",
                sdk.join("js").display()
            );
            script(&folder.join("js"), &line)
        }
        Language::Go => {
            let Some(compiler) = go::compiler(workspace) else { bail!("no Go compiler: run `cargo xtask setup --lang go`") };
            let mut build = Command::new(compiler);
            build.current_dir(sdk.join("go")).args(["build", "-o"]).arg(folder.join("go")).arg("./internal/codec");
            process::run(&mut build, "compiling the codec of the Go SDK")
        }
        Language::C => {
            let mut build = Command::new("cc");
            build.current_dir(sdk.join("c")).args(CC).args(["-I.", "-o"]).arg(folder.join("c")).args(["tests/codec.c", "tidemill.c"]);
            process::run(&mut build, "compiling the codec of the C SDK")
        }
    }
}

/// Writes a program that is one line for the shell, to which the arguments are added.
fn script(path: &Path, line: &str) -> Result<()> {
    replace(path, format!("#!/bin/sh\n{line} \"$@\"\n").as_bytes(), 0o755).map(|_| ())
}
