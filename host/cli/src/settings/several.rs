//! What a job of several components was asked for: each component's file and arguments, and the wires between them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use tidemill_core::plan::Wire;

use crate::fault::{Fault, Outcome};
use crate::job_file::{ComponentKeys, JobFile, Scalar};
use crate::suggest;

use super::JobArgs;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Several {
    pub(crate) parts: Vec<Part>,
    pub(crate) wires: Vec<Wire>,
}

/// A component of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<(String, String)>,
}

/// The components of a job file, with arguments that are called `COMPONENT.NAME` laid over its own.
///
/// # Errors
/// An argument of no component.
pub(crate) fn several(file: &JobFile, args: BTreeMap<String, String>) -> Outcome<Several> {
    let own = |args: &BTreeMap<String, Scalar>| args.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    let mut given: BTreeMap<&str, BTreeMap<String, String>> =
        file.components.iter().map(|(name, keys)| (name.as_str(), own(&keys.args))).collect();
    for (name, value) in args {
        let (component, argument) = name.split_once('.').unwrap_or(("", &name));
        let Some(args) = given.get_mut(component) else {
            let known = file.components.keys().map(String::as_str);
            let list = known.clone().collect::<Vec<_>>().join(", ");
            let fault = Fault::usage(format!("argument {name:?} is of no component: write COMPONENT.NAME, and the components are {list}"));
            return Err(fault.maybe_hint(suggest::hint(component, known)));
        };
        args.insert(argument.to_owned(), value);
    }
    let part = |(name, keys): (&String, &ComponentKeys)| Part {
        name: name.clone(),
        path: keys.component.clone(),
        args: given.remove(name.as_str()).unwrap_or_default().into_iter().collect(),
    };
    let parts = file.components.iter().map(part).collect();
    let wire = |(source, sink): (&String, &String)| Wire { source: source.clone(), sink: sink.clone() };
    Ok(Several { parts, wires: file.wires.iter().map(wire).collect() })
}

/// A job file of the flags by which a server names components and wires.
///
/// # Errors
/// A flag without a name, which no server gives.
pub(crate) fn file(job: &JobArgs) -> Outcome<JobFile> {
    let part = |flag: &OsString| {
        let bytes = flag.as_bytes();
        let at = bytes.iter().position(|byte| *byte == b'=').ok_or_else(|| Fault::usage("--part is NAME=FILE"))?;
        let name = String::from_utf8_lossy(&bytes[..at]).into_owned();
        let component = PathBuf::from(OsStr::from_bytes(&bytes[at + 1..]));
        Ok((name, ComponentKeys { component, ..ComponentKeys::default() }))
    };
    let components = job.parts.iter().map(part).collect::<Outcome<_>>()?;
    Ok(JobFile { component: job.job.clone(), components, wires: job.wires.iter().cloned().collect(), ..JobFile::default() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn file() -> JobFile {
        let keys = |args: &[(&str, i64)]| ComponentKeys {
            component: PathBuf::from("a.wasm"),
            args: args.iter().map(|(name, n)| ((*name).to_owned(), Scalar::Whole(*n))).collect(),
        };
        let components = [("parse".to_owned(), keys(&[("n", 1), ("m", 2)])), ("sum".to_owned(), keys(&[]))];
        let wires = [("sum.in".to_owned(), "parse.out".to_owned())];
        JobFile { components: components.into(), wires: wires.into(), ..JobFile::default() }
    }

    fn args(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_argument_goes_to_the_component_it_names() {
        let several = several(&file(), args(&[("parse.n", "9"), ("sum.a.b", "x")])).unwrap();
        let given = |at: usize| several.parts[at].args.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
        assert_eq!((given(0), given(1)), (vec!["m=2".to_owned(), "n=9".to_owned()], vec!["a.b=x".to_owned()]));
        assert_eq!(several.wires, [Wire { source: "sum.in".to_owned(), sink: "parse.out".to_owned() }]);
    }

    #[test]
    fn a_server_names_files_and_wires_by_flags() {
        let mut job = JobArgs { parts: vec!["parse=/data/a=b.wasm".into(), "sum=s.wasm".into()], ..JobArgs::default() };
        job.wires = vec![("sum.in".to_owned(), "parse.out".to_owned())];
        let file = super::file(&job).unwrap();
        assert_eq!(file.components["parse"].component, PathBuf::from("/data/a=b.wasm"));
        assert_eq!((file.components.len(), file.wires["sum.in"].as_str()), (2, "parse.out"));
        assert!(super::file(&JobArgs { parts: vec!["parse".into()], ..JobArgs::default() }).is_err());
    }

    #[test]
    fn an_argument_of_nobody_is_refused_with_the_components() {
        let fault = several(&file(), args(&[("prase.n", "9")])).unwrap_err();
        assert!(fault.message.contains("\"prase.n\" is of no component") && fault.message.contains("parse, sum"), "{fault:?}");
        assert_eq!(fault.hint.as_deref(), Some("did you mean `parse`?"));
        assert!(several(&file(), args(&[("n", "9")])).is_err());
    }
}
