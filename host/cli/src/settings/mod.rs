//! What a run was asked for: the flags laid over the job file.

mod keep;
mod several;

pub(crate) use keep::{CheckpointMode, KeepArgs, KeepSettings};
pub(crate) use several::{Part, Several};

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Command, FromArgMatches as _, ValueEnum};

use crate::fault::{Fault, Outcome};
use crate::job_file::{self, JobFile, Scalar};
use crate::value::{self, Timeout};

/// Which job, with which arguments, how wide: what `run`, `plan` and `test` have in common.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct JobArgs {
    /// The component, or a job file that names it
    #[arg(value_name = "JOB.wasm|job.toml")]
    pub(crate) job: PathBuf,
    /// An argument of the job, e.g. --arg query=q5; may be given again for another
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = value::pair)]
    pub(crate) args: Vec<(String, String)>,
    /// Workers for every operator that does not state its own, e.g. --parallelism 4 [default: 1]
    #[arg(long, short = 'p', value_name = "N", value_parser = value::parallelism)]
    pub(crate) parallelism: Option<usize>,
    /// In the place of a job file: a component, as a server has it
    #[arg(long = "part", value_name = "NAME=FILE", hide = true)]
    pub(crate) parts: Vec<OsString>,
    /// And what joins them
    #[arg(long = "wire", value_name = "SOURCE=SINK", value_parser = value::pair, requires = "parts", hide = true)]
    pub(crate) wires: Vec<(String, String)>,
}

/// Whether the input has to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Runs until the input ends, if it does
    #[default]
    Stream,
    /// Refuses inputs without an end
    Batch,
}

/// The flags that change how a job runs.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RunArgs {
    /// A name for this run, for logs and reports [default: the plan's, else the file's]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where a source or sink reads or writes, e.g. --bind readings=file:in.json
    #[arg(long = "bind", value_name = "NAME=URL", value_parser = value::binding)]
    pub(crate) binds: Vec<(String, String)>,
    /// Whether the input has to end [default: stream]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Memory that each worker's instance of the component may use, e.g. --memory 1GiB [default: 512MiB]
    #[arg(long, value_name = "SIZE", value_parser = value::bytes)]
    pub(crate) memory: Option<u64>,
    /// Memory that the state of all workers may take in their instances, e.g. --state-memory 256MiB; the rest goes to disk [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = value::bytes)]
    pub(crate) state_memory: Option<u64>,
    /// Where state goes that has no room in memory [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// How long a quiet split of an endless source may hold event time back, e.g. 10s or off [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = value::timeout)]
    pub(crate) idle_timeout: Option<Timeout>,
    /// Count what each operator's code costs, in fuel: about one for each instruction; the code is slower for it
    #[arg(long)]
    pub(crate) meter: bool,
}

/// Everything decided, defaults aside.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The component's file; that of the job where it has several.
    pub(crate) component: PathBuf,
    pub(crate) several: Option<Several>,
    pub(crate) name: Option<String>,
    pub(crate) args: Vec<(String, String)>,
    pub(crate) bindings: BTreeMap<String, String>,
    pub(crate) parallelism: Option<usize>,
    pub(crate) parallelism_from_file: bool,
    pub(crate) mode: Mode,
    pub(crate) memory_bytes: Option<usize>,
    /// Of all workers together.
    pub(crate) state_bytes: Option<usize>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) idle_timeout: Option<Timeout>,
    /// Whether the component counts what it costs.
    pub(crate) meter: bool,
}

/// Lays flags over the job file.
///
/// # Errors
/// A name given twice, or a job file that is missing or cannot be understood.
pub(crate) fn gather(job: &JobArgs, run: &RunArgs) -> Outcome<Settings> {
    with_file(job, |file| lay_over(file, job, run))
}

/// Lays the flags of checkpoints over the job file; none where no checkpoints are wanted.
///
/// # Errors
/// As [`gather`], and flags that mean nothing without a directory.
pub(crate) fn gather_keep(job: &JobArgs, keep: &KeepArgs) -> Outcome<Option<KeepSettings>> {
    with_file(job, |file| keep.settings(file.checkpoints.as_ref()))
}

fn with_file<T>(job: &JobArgs, settings: impl FnOnce(JobFile) -> Outcome<T>) -> Outcome<T> {
    if !job.parts.is_empty() {
        return settings(several::file(job)?);
    }
    let is_file = job.job.extension().is_some_and(|e| e == "toml");
    let file = if is_file { job_file::read(&job.job)? } else { JobFile { component: job.job.clone(), ..JobFile::default() } };
    settings(file).map_err(|fault| match is_file {
        true => Fault { message: format!("{} (job file {})", fault.message, job.job.display()), ..fault },
        false => fault,
    })
}

fn lay_over(file: JobFile, job: &JobArgs, run: &RunArgs) -> Outcome<Settings> {
    let mut args: BTreeMap<String, String> = file.args.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    args.extend(unique("--arg", &job.args)?);
    let several = if file.components.is_empty() { None } else { Some(several::several(&file, std::mem::take(&mut args))?) };
    let mut bindings = file.bindings.clone();
    bindings.extend(unique("--bind", &run.binds)?);
    let file_parallelism = key("parallelism", file.parallelism.as_ref().map(Scalar::to_string).as_deref(), value::parallelism)?;
    let file_memory = key("memory", file.memory.as_ref().map(Scalar::to_string).as_deref(), value::bytes)?;
    let file_state = key("state-memory", file.state_memory.as_ref().map(Scalar::to_string).as_deref(), value::bytes)?;
    let file_idle = key("idle-timeout", file.idle_timeout.as_deref(), value::timeout)?;
    let file_mode = key("mode", file.mode.as_deref(), |text| Mode::from_str(text, false).map_err(|_| "write stream or batch".to_owned()))?;
    let addressed = |name: &str, size: Option<u64>| {
        let size = size.map(usize::try_from).transpose();
        size.map_err(|_| Fault::usage(format!("{name} is more than this machine can address")))
    };
    let memory_bytes = addressed("--memory", run.memory.or(file_memory))?;
    let state_bytes = addressed("--state-memory", run.state_memory.or(file_state))?;
    let state_dir = run.state_dir.clone().or(file.state_dir);
    if state_dir.is_some() && state_bytes.is_none() {
        return Err(Fault::usage("--state-dir needs --state-memory: without it all state is in memory").hint("add --state-memory 256MiB"));
    }
    Ok(Settings {
        component: file.component,
        several,
        name: run.name.clone().or(file.name),
        args: args.into_iter().collect(),
        bindings,
        parallelism: job.parallelism.or(file_parallelism),
        parallelism_from_file: job.parallelism.is_none() && file_parallelism.is_some(),
        mode: run.mode.or(file_mode).unwrap_or_default(),
        memory_bytes,
        state_bytes,
        state_dir,
        idle_timeout: run.idle_timeout.or(file_idle),
        meter: run.meter || file.meter.unwrap_or(false),
    })
}

fn key<T>(name: &str, text: Option<&str>, parse: impl Fn(&str) -> Result<T, String>) -> Outcome<Option<T>> {
    text.map(|text| parse(text).map_err(|e| Fault::usage(format!("{name} = {text:?}: {e}")))).transpose()
}

fn unique(flag: &str, pairs: &[(String, String)]) -> Outcome<Vec<(String, String)>> {
    for (i, (name, _)) in pairs.iter().enumerate() {
        if pairs[..i].iter().any(|(other, _)| other == name) {
            return Err(Fault::usage(format!("{flag} {name}=… is given twice")).hint("keep one of them"));
        }
    }
    Ok(pairs.to_vec())
}

impl Settings {
    /// The run's name, in falling precedence: flag, job file, plan, the component's file name.
    pub(crate) fn job_name(&self, plan: Option<&str>) -> String {
        let stem = || self.component.file_stem().unwrap_or(self.component.as_os_str()).to_string_lossy().into_owned();
        self.name.clone().or_else(|| plan.map(str::to_owned)).unwrap_or_else(stem)
    }

    /// These with other code and arguments, as words of a command line.
    ///
    /// # Errors
    /// Words that no server gives, and arguments of no component.
    pub(crate) fn with_program(&self, words: &[String]) -> Outcome<Settings> {
        let command = JobArgs::augment_args(Command::new("exchange").no_binary_name(true));
        let matches = command.try_get_matches_from(words).and_then(|matches| JobArgs::from_arg_matches(&matches));
        let job = matches.map_err(|e| Fault::refused("the new version cannot be understood").because(&e))?;
        let Settings { component, several, args, .. } = gather(&job, &RunArgs::default())?;
        Ok(Settings { component, several, args, ..self.clone() })
    }

    /// The component's path, or that of the file that names several.
    pub(crate) fn component(&self) -> &Path {
        &self.component
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn job(args: &[(&str, &str)], parallelism: Option<usize>) -> JobArgs {
        let args = args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        JobArgs { job: PathBuf::from("a.wasm"), args, parallelism, ..JobArgs::default() }
    }

    fn file() -> JobFile {
        JobFile {
            component: PathBuf::from("a.wasm"),
            args: BTreeMap::from([("query".to_owned(), Scalar::Text("q1".to_owned())), ("n".to_owned(), Scalar::Whole(3))]),
            parallelism: Some(Scalar::Whole(2)),
            memory: Some(Scalar::Text("1GiB".to_owned())),
            state_memory: Some(Scalar::Text("64MiB".to_owned())),
            idle_timeout: Some("off".to_owned()),
            ..JobFile::default()
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let settings = lay_over(file(), &job(&[("query", "q5")], Some(4)), &RunArgs::default()).unwrap();
        assert_eq!(settings.args, [("n".to_owned(), "3".to_owned()), ("query".to_owned(), "q5".to_owned())]);
        assert_eq!((settings.parallelism, settings.parallelism_from_file), (Some(4), false));
        assert_eq!((settings.memory_bytes, settings.idle_timeout), (Some(1 << 30), Some(Timeout::Off)));
    }

    #[test]
    fn other_code_changes_nothing_else() {
        let before = lay_over(file(), &job(&[], Some(4)), &RunArgs::default()).unwrap();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let after = before.with_program(&words(&["/c/b.wasm", "--arg=query=-x"])).unwrap();
        assert_eq!(
            (after.component.as_path(), after.args.as_slice()),
            (Path::new("/c/b.wasm"), &[("query".to_owned(), "-x".to_owned())][..])
        );
        assert_eq!((after.parallelism, after.memory_bytes, after.state_bytes), (Some(4), Some(1 << 30), Some(64 << 20)));
        let several = words(&["job", "--part=a=/c/a.wasm", "--part=b=/c/b.wasm", "--wire=b.in=a.out", "--arg=a.n=1"]);
        let several = before.with_program(&several).unwrap().several.unwrap();
        assert_eq!((several.parts.len(), several.wires.len(), several.parts[0].args.len()), (2, 1, 1));
        assert!(before.with_program(&words(&["--nonsense"])).is_err());
    }

    #[test]
    fn a_folder_for_state_means_nothing_without_a_budget() {
        let settings = lay_over(file(), &job(&[], None), &RunArgs { state_dir: Some("scratch".into()), ..RunArgs::default() }).unwrap();
        assert_eq!((settings.state_bytes, settings.state_dir), (Some(64 << 20), Some(PathBuf::from("scratch"))));
        let without = JobFile { state_memory: None, state_dir: Some("scratch".into()), ..file() };
        let fault = lay_over(without, &job(&[], None), &RunArgs::default()).unwrap_err();
        assert!(fault.message.starts_with("--state-dir needs --state-memory"), "{fault:?}");
    }

    #[test]
    fn the_file_counts_where_no_flag_is() {
        let settings = lay_over(file(), &job(&[], None), &RunArgs::default()).unwrap();
        assert_eq!((settings.parallelism, settings.parallelism_from_file), (Some(2), true));
    }

    #[test]
    fn wrong_values_in_the_file_name_their_key() {
        let wrong = JobFile { parallelism: Some(Scalar::Whole(0)), ..file() };
        let fault = lay_over(wrong, &job(&[], None), &RunArgs::default()).unwrap_err();
        assert!(fault.message.starts_with("parallelism = \"0\""), "{fault:?}");
    }

    #[test]
    fn a_name_given_twice_is_a_usage_error() {
        let fault = lay_over(file(), &job(&[("a", "1"), ("a", "2")], None), &RunArgs::default()).unwrap_err();
        assert_eq!(fault.exit, crate::fault::Exit::Usage);
    }

    #[test]
    fn the_name_falls_back_to_the_file() {
        let settings = lay_over(file(), &job(&[], None), &RunArgs::default()).unwrap();
        assert_eq!((settings.job_name(None).as_str(), settings.job_name(Some("p")).as_str()), ("a", "p"));
    }
}
