//! `job.toml`: the flags of `tidemill run` in a file, so that a job and its bindings can be kept together.
//!
//! ```toml
//! component = "sensor-average.wasm"   # relative to this file
//! parallelism = 2
//! idle-timeout = "10s"
//!
//! [args]
//! window = "10s"
//!
//! [bindings]
//! readings = "file:in.json"           # relative to this file
//!
//! [checkpoints]
//! dir = "kept"                        # relative to this file
//! interval = "1s"
//! ```
//!
//! A job of several components names each, and joins sources of one to sinks of another (docs/decisions/0011):
//!
//! ```toml
//! [components.parse]
//! component = "parse.wasm"            # relative to this file
//! args = { unit = "celsius" }
//!
//! [components.average]
//! component = "average.wasm"
//!
//! [wires]                             # source = sink
//! "average.readings" = "parse.readings"
//! ```
//!
//! Unknown keys are refused by name: a misspelt limit must not be silently absent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::fault::{Fault, Outcome};
use crate::suggest;

/// A job file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct JobFile {
    /// The only component; empty where there are [`JobFile::components`].
    #[serde(default)]
    pub(crate) component: PathBuf,
    #[serde(default)]
    pub(crate) components: BTreeMap<String, ComponentKeys>,
    /// Sources by name with the sink that feeds each.
    #[serde(default)]
    pub(crate) wires: BTreeMap<String, String>,
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) args: BTreeMap<String, Scalar>,
    #[serde(default)]
    pub(crate) bindings: BTreeMap<String, String>,
    pub(crate) parallelism: Option<Scalar>,
    pub(crate) mode: Option<String>,
    pub(crate) memory: Option<Scalar>,
    pub(crate) state_memory: Option<Scalar>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) idle_timeout: Option<String>,
    pub(crate) meter: Option<bool>,
    pub(crate) checkpoints: Option<CheckpointKeys>,
}

/// A table `[components.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ComponentKeys {
    pub(crate) component: PathBuf,
    #[serde(default)]
    pub(crate) args: BTreeMap<String, Scalar>,
}

/// The table `[checkpoints]`; each key is the flag of `run` of that name.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct CheckpointKeys {
    pub(crate) dir: String,
    pub(crate) interval: Option<String>,
    pub(crate) pause: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) retain: Option<Scalar>,
    pub(crate) restart: Option<String>,
    pub(crate) restart_delay: Option<String>,
    pub(crate) restart_attempts: Option<Scalar>,
}

/// The keys of [`JobFile`] and of its tables, for suggestions.
const KEYS: [&str; 21] = [
    "component",
    "components",
    "wires",
    "name",
    "args",
    "bindings",
    "parallelism",
    "mode",
    "memory",
    "state-memory",
    "state-dir",
    "idle-timeout",
    "meter",
    "checkpoints",
    "dir",
    "interval",
    "pause",
    "retain",
    "restart",
    "restart-delay",
    "restart-attempts",
];
/// Bytes of a job file at most: a person writes a screenful.
const BYTES_MAX: u64 = 1 << 20;

/// `window = 10` and `window = "10"` are the same argument.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Text(String),
    Whole(i64),
    Truth(bool),
    Real(f64),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Text(text) => f.write_str(text),
            Scalar::Whole(n) => write!(f, "{n}"),
            Scalar::Truth(b) => write!(f, "{b}"),
            Scalar::Real(x) => write!(f, "{x}"),
        }
    }
}

/// Reads a job file and makes its paths usable from the current directory.
///
/// # Errors
/// A missing file is refused; a file that cannot be understood is a usage error naming line and key.
pub(crate) fn read(path: &Path) -> Outcome<JobFile> {
    let shown = path.display();
    let size = std::fs::metadata(path).map(|m| m.len());
    let text = match size {
        Ok(size) if size > BYTES_MAX => return Err(Fault::usage(format!("job file {shown} has {size} bytes, more than {BYTES_MAX}"))),
        _ => std::fs::read_to_string(path).map_err(|e| Fault::refused(format!("cannot read job file {shown}")).because(&e))?,
    };
    let mut file = parse(&text).map_err(|fault| Fault { message: format!("job file {shown} {}", fault.message), ..fault })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    // What a job of several components is called by is its file.
    file.component = if file.components.is_empty() { folder.join(&file.component) } else { path.to_path_buf() };
    file.components.values_mut().for_each(|keys| keys.component = folder.join(&keys.component));
    file.bindings.values_mut().for_each(|url| *url = relative_to(folder, url));
    file.state_dir = file.state_dir.map(|dir| folder.join(dir));
    if let Some(checkpoints) = &mut file.checkpoints {
        checkpoints.dir = directory_relative_to(folder, &checkpoints.dir);
    }
    Ok(file)
}

fn parse(text: &str) -> Outcome<JobFile> {
    let file = toml::from_str(text).map_err(|error| {
        let message = error.message().to_owned();
        let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let place = line.map(|n| format!("line {n}: ")).unwrap_or_default();
        let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        let twice = || message.starts_with("duplicate key").then(|| "a source has one wire; a union in a component joins two".to_owned());
        let hint = unknown.and_then(|name| suggest::hint(name, KEYS)).or_else(twice);
        Fault::usage("cannot be understood").cause(format!("{place}{message}")).maybe_hint(hint)
    })?;
    components(&file).map_err(|cause| Fault::usage("cannot be understood").cause(cause))?;
    Ok(file)
}

/// One component or several, and wires only between several.
fn components(file: &JobFile) -> Result<(), String> {
    let one = !file.component.as_os_str().is_empty();
    match (one, file.components.is_empty(), file.wires.is_empty()) {
        (false, true, _) => Err("missing field `component`: it names the job's component, or [components] names several".to_owned()),
        (true, false, _) => Err("it has both `component` and [components]: keep the one that is meant".to_owned()),
        (true, true, false) => Err("it has [wires], which join [components], and one `component` alone".to_owned()),
        _ => Ok(()),
    }
}

/// `file:in.json` of a file in `folder`, seen from the current directory. Other URLs stay as they are.
fn relative_to(folder: &Path, url: &str) -> String {
    match url.strip_prefix("file:") {
        Some(path) if !path.starts_with('/') && !folder.as_os_str().is_empty() => format!("file:{}/{path}", folder.display()),
        _ => url.to_owned(),
    }
}

/// As [`relative_to`], for a directory that may stand there without `file:`.
fn directory_relative_to(folder: &Path, url: &str) -> String {
    match url.split_once(':') {
        Some(_) => relative_to(folder, url),
        None => folder.join(url).display().to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_checkpoints_is_seen_from_the_file() {
        for (url, seen) in [("kept", "jobs/kept"), ("file:kept", "file:jobs/kept"), ("/kept", "/kept"), ("s3://a/b", "s3://a/b")] {
            assert_eq!(directory_relative_to(Path::new("jobs"), url), seen);
        }
    }

    #[test]
    fn everything_a_file_may_say() {
        let file = parse(concat!(
            "component = 'a.wasm'\nname = 'n'\nparallelism = 2\nmode = 'batch'\nmemory = '1GiB'\nidle-timeout = '5s'\nmeter = true\n",
            "[args]\nquery = 'q5'\nsize = 10\nexact = true\nratio = 0.5\n[bindings]\nevents = 'file:e.json'\n"
        ));
        let file = file.unwrap();
        assert_eq!((file.parallelism.unwrap().to_string(), file.meter), ("2".to_owned(), Some(true)));
        let args: Vec<String> = file.args.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(args, ["exact=true", "query=q5", "ratio=0.5", "size=10"]);
    }

    #[test]
    fn several_components_and_their_wires() {
        let file = parse(concat!(
            "[components.parse]\ncomponent = 'p.wasm'\nargs = { unit = 'celsius', n = 3 }\n[components.sum]\ncomponent = 's.wasm'\n",
            "[wires]\n'sum.readings' = 'parse.readings'\n"
        ));
        let file = file.unwrap();
        assert_eq!(file.components.keys().collect::<Vec<_>>(), ["parse", "sum"]);
        assert_eq!(file.components["parse"].args["n"], Scalar::Whole(3));
        assert_eq!(file.wires["sum.readings"], "parse.readings");
    }

    #[test]
    fn one_component_or_several_but_not_both_and_no_source_twice() {
        let several = "[components.a]\ncomponent = 'a.wasm'\n";
        for (text, cause) in [
            ("name = 'n'\n".to_owned(), "missing field `component`"),
            (format!("component = 'a.wasm'\n{several}"), "both `component` and [components]"),
            ("component = 'a.wasm'\n[wires]\n'a.b' = 'c.d'\n".to_owned(), "[wires], which join [components]"),
            (format!("{several}[components.b]\nargs = {{}}\n"), "line 3: missing field `component`"),
            (format!("{several}[wires]\n'a.b' = 'c.d'\n'a.b' = 'e.f'\n"), "line 5: duplicate key"),
        ] {
            let fault = parse(&text).unwrap_err();
            assert!(fault.causes[0].contains(cause), "{cause:?} is missing in {fault:?}");
            assert_eq!(fault.hint.is_some(), cause.contains("duplicate"), "{fault:?}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_neighbour() {
        let fault = parse("component = 'a.wasm'\nparalelism = 2\n").unwrap_err();
        assert_eq!(fault.exit, crate::fault::Exit::Usage);
        assert!(fault.causes[0].starts_with("line 2: unknown field `paralelism`"), "{fault:?}");
        assert_eq!(fault.hint.as_deref(), Some("did you mean `parallelism`?"));
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = Path::new("jobs/one");
        assert_eq!(relative_to(folder, "file:in.json?format=csv"), "file:jobs/one/in.json?format=csv");
        assert_eq!(relative_to(folder, "file:/in.json"), "file:/in.json");
        assert_eq!(relative_to(folder, "stdin:"), "stdin:");
        assert_eq!(relative_to(Path::new(""), "file:in.json"), "file:in.json");
    }

    #[test]
    fn a_file_is_read_from_disk_with_its_paths_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.toml");
        std::fs::write(&path, "component = 'a.wasm'\n[bindings]\nx = 'file:b'\n").unwrap();
        let file = read(&path).unwrap();
        assert_eq!(file.component, folder.path().join("a.wasm"));
        assert_eq!(file.bindings["x"], format!("file:{}/b", folder.path().display()));
        assert_eq!(read(&folder.path().join("none.toml")).unwrap_err().exit, crate::fault::Exit::Refused);
    }
}
