//! Projects in TypeScript and JavaScript: the SDK's own script checks types, bundles and compiles, with what the project has
//! in `node_modules`.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Built, Project};
use crate::fault::{Fault, Outcome};

/// The file that marks a project in TypeScript or JavaScript.
pub(super) const MARK: &str = "package.json";

/// The script, in a project whose packages are installed.
const SCRIPT: &str = "node_modules/tidemill/bin/tidemill-js.mjs";

/// The oldest release of Node that the SDK is tested with.
const NODE_MIN: u32 = 20;

/// Compiles a package. Its compiler has no notion of optimisation, so `--debug` changes nothing.
pub(super) fn build(project: &Project<'_>) -> Outcome<Built> {
    let name = package_name(&project.dir.join(MARK), project.shown)?;
    node(&project.dir)?;
    let script = project.dir.join(SCRIPT);
    if !script.is_file() {
        return Err(Fault::failed(format!("the packages of {} are not installed: there is no {SCRIPT}", project.shown.display()))
            .hint(format!("cd {} && npm install", project.shown.display())));
    }
    let mut command = Command::new("node");
    command.current_dir(&project.dir).arg(&script).args(["build", ".", "--output", "-"]);
    // What is wrong with the project goes to standard error as it is found.
    let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|e| Fault::failed("cannot run node").because(&e))?;
    match output.status.success() {
        true => Ok(Built { name, component: output.stdout }),
        false => Err(Fault::failed("the project does not build: what is wrong stands above")),
    }
}

/// The name of the package without its scope.
fn package_name(manifest: &Path, shown: &Path) -> Outcome<String> {
    let text = std::fs::read_to_string(manifest)
        .map_err(|e| Fault::failed(format!("{} has a {MARK} that cannot be read", shown.display())).because(&e))?;
    let unreadable = |why: String| Fault::failed(format!("{} has a {MARK} that names no package", shown.display())).cause(why);
    let manifest: Value = serde_json::from_str(&text).map_err(|e| unreadable(e.to_string()))?;
    let name = manifest["name"].as_str().ok_or_else(|| unreadable("it has no \"name\"".to_owned()))?;
    Ok(name.rsplit('/').next().unwrap_or(name).to_owned())
}

/// Finds a Node that is new enough, or says where one is had.
fn node(dir: &Path) -> Outcome<()> {
    let missing = |what: String| Fault::failed(what).hint(format!("install Node.js {NODE_MIN} or later, with npm: https://nodejs.org"));
    let output = Command::new("node").arg("--version").current_dir(dir).stdin(Stdio::null()).output();
    let output = output.map_err(|e| missing("there is no node on the path, which builds jobs in JavaScript".to_owned()).because(&e))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match major(&version) {
        Some(major) if major >= NODE_MIN => Ok(()),
        Some(_) => Err(missing(format!("node on the path is {version}, which is too old"))),
        None => Err(missing(format!("node on the path answers {version:?} when it is asked for its version"))),
    }
}

/// `v20.20.2` gives 20.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_node_is_told_from_other_answers() {
        assert_eq!((major("v20.20.2"), major("v8.0.0"), major("20"), major("")), (Some(20), Some(8), None, None));
    }

    #[test]
    fn a_component_is_named_after_its_package_without_the_scope() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join(MARK);
        std::fs::write(&manifest, r#"{"name": "@team/a-b"}"#).unwrap();
        assert_eq!(package_name(&manifest, dir.path()).unwrap(), "a-b");
        for (text, why) in [("{}", "no \"name\""), ("{", "EOF")] {
            std::fs::write(&manifest, text).unwrap();
            let fault = package_name(&manifest, dir.path()).unwrap_err();
            assert!(fault.message.contains("names no package") && fault.causes[0].contains(why), "{fault:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(MARK), r#"{"name": "a"}"#).unwrap();
        let project = Project { dir: dir.path().to_owned(), shown: Path::new("jobs/a"), debug: false };
        let fault = build(&project).unwrap_err();
        // Either Node or the packages: a machine without Node may run this test too.
        let hint = fault.hint.unwrap_or_default();
        assert!(hint == "cd jobs/a && npm install" || hint.contains("nodejs.org"), "{}: {hint}", fault.message);
    }
}
