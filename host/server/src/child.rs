//! Processes that touch a component for the server: they compile it, or let its code build its plan, and answer in JSON.
//!
//! Such a process limits its own memory and processor time before it reads a byte of the component; here it has a time by the clock, an
//! answer of bounded size, an environment of nothing but what it needs, and a place in a short queue. How it ends is never the end of
//! anything else.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::{Code, Error, tell};
use crate::examined::{Answer, Part};
use crate::limits::{CHILD_ANSWER_BYTES_MAX, CHILD_WAIT, CHILDREN_MAX, CHILDREN_WAITING_MAX};
use crate::options::Options;
use crate::shadow::{Ran, Shadow};

/// Bytes of a child's last words that are shown to whoever runs the server.
const LAST_WORDS_BYTES: u64 = 4 << 10;

/// Starts children, a few at a time.
pub(crate) struct Children {
    program: PathBuf,
    environment: Vec<(String, String)>,
    places: Semaphore,
    waiting: AtomicUsize,
}

impl Children {
    pub(crate) fn new(options: &Options) -> Children {
        Children {
            program: options.program.clone(),
            environment: environment(options),
            places: Semaphore::new(CHILDREN_MAX),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Compiles a component and says what it is.
    pub(crate) async fn component(&self, file: &Path) -> Result<crate::examined::Component, Error> {
        self.compile(vec!["component".into(), file.into()]).await
    }

    /// Compiles a component so that it counts what it costs, with the limits of an upload; a plan finds it in the cache then.
    pub(crate) async fn metered(&self, file: &Path) -> Result<(), Error> {
        self.compile(vec!["component".into(), "--meter".into(), file.into()]).await.map(drop)
    }

    async fn compile(&self, args: Vec<OsString>) -> Result<crate::examined::Component, Error> {
        match self.ask(args).await? {
            Answer::Component(component) => Ok(component),
            _ => Err(Error::new(Code::Internal, "the process that compiles has answered something else")),
        }
    }

    /// Lets the components of a job build their plans for these flags of `run`.
    pub(crate) async fn plan(&self, program: Vec<OsString>, flags: Vec<OsString>) -> Result<crate::examined::Planned, Error> {
        match self.ask([vec!["plan".into()], program, flags].concat()).await? {
            Answer::Planned(planned) => Ok(*planned),
            _ => Err(Error::new(Code::Internal, "the process that plans has answered something else")),
        }
    }

    /// Runs a version over a few records, for these flags of `run` and of `examine shadow`.
    pub(crate) async fn shadow(&self, program: Vec<OsString>, flags: Vec<OsString>) -> Result<Ran, Error> {
        match self.ask([vec!["shadow".into()], program, flags].concat()).await? {
            Answer::Ran(ran) => Ok(ran),
            _ => Err(Error::new(Code::Internal, "the process of a shadow has answered something else")),
        }
    }

    /// Compares what two versions wrote: the folder of each, and what it said.
    pub(crate) async fn compare(&self, before: (&Path, &Ran), after: (&Path, &Ran)) -> Result<Shadow, Error> {
        let mut args: Vec<OsString> = vec!["compare".into()];
        for (flag, (folder, ran)) in [("--before", before), ("--after", after)] {
            let said = serde_json::to_string(ran).map_err(|e| Error::internal("what a shadow said cannot be handed on", &e.into()))?;
            args.extend([flag.into(), folder.into(), said.into()]);
        }
        match self.ask(args).await? {
            Answer::Compared(shadow) => Ok(shadow),
            _ => Err(Error::new(Code::Internal, "the process that compares has answered something else")),
        }
    }

    async fn ask(&self, args: Vec<OsString>) -> Result<Answer, Error> {
        let _place = self.place().await?;
        let bytes = self.run(&args).await?;
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|e| {
            tell(&format!("`tidemill examine` has answered what is no JSON of this release: {e}"));
            Error::new(Code::Internal, "the process that examines components has not answered")
        })?;
        match answer {
            Answer::Refused(refusal) => {
                let code = match refusal.part {
                    Part::Component => Code::ComponentRefused,
                    Part::Plan => Code::PlanRefused,
                    Part::Binding => Code::BindingRefused,
                    Part::Shadow => Code::SwapRefused,
                };
                let message = format!("{}: {}", refusal.reason, refusal.message);
                Err(Error { code, message, causes: refusal.causes, hint: refusal.hint })
            }
            answer => Ok(answer),
        }
    }

    /// Waits for a place, but not behind more than a few others.
    async fn place(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Error> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Relaxed);
            }
        }
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let before = self.waiting.fetch_add(1, Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= CHILDREN_WAITING_MAX {
            let text = format!("{CHILDREN_MAX} components are being examined and {CHILDREN_WAITING_MAX} wait");
            return Err(Error::new(Code::TooBusy, text).hint("come again in a few seconds"));
        }
        self.places.acquire().await.map_err(|_| Error::new(Code::TooBusy, "the server is ending"))
    }

    async fn run(&self, args: &[OsString]) -> Result<Vec<u8>, Error> {
        let mut command = Command::new(&self.program);
        command.arg("examine").args(args).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let internal = |e: std::io::Error| Error::internal("the process that examines components cannot be started", &e);
        let mut child = command.spawn().map_err(internal)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let both = async {
            let (out, err) = tokio::join!(capped(out, CHILD_ANSWER_BYTES_MAX as u64), capped(err, LAST_WORDS_BYTES));
            (out, err, child.wait().await)
        };
        let what = "the component was not examined to the end";
        let (out, err, status) = timeout(CHILD_WAIT, both).await.map_err(|_| {
            Error::new(Code::ComponentRefused, format!("component-too-slow: {what} within {} s", CHILD_WAIT.as_secs()))
                .hint("make it smaller: compiling has a limit of time")
        })?;
        let status = status.map_err(internal)?;
        if status.success() {
            return Ok(out);
        }
        tell(&format!("`tidemill examine` ended with {status}: {}", String::from_utf8_lossy(&err).trim_end()));
        // Its own limits end it: of memory by an abort, of processor time by a signal.
        Err(Error::new(Code::ComponentRefused, format!("component-too-costly: {what}"))
            .because(format!("the process that compiles it ended with {status}: it has a limit of memory and one of processor time"))
            .hint("make it smaller; the messages of the server say more"))
    }
}

/// The environment of children and runners: what the server was told to hand on, and where compiled components are kept.
pub(crate) fn environment(options: &Options) -> Vec<(String, String)> {
    let cache = options.places().cache().display().to_string();
    let mut environment: Vec<_> = options.environment.iter().filter(|(name, _)| name != CACHE).cloned().collect();
    environment.push((CACHE.to_owned(), cache));
    environment
}

/// Where the program looks for compiled components.
const CACHE: &str = "XDG_CACHE_HOME";

/// Reads to the end and keeps the first bytes, so that no child waits for a reader.
async fn capped(from: Option<impl AsyncRead + Unpin>, most: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return kept };
    // What cannot be read is missing, which the parser of the answer tells.
    let _ = (&mut from).take(most).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// A program that is `sh -c`, whatever it is asked for.
    fn children(folder: &Path, script: &str) -> Children {
        let program = folder.join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Children::new(&Options { program, ..testing::options() })
    }

    #[tokio::test]
    async fn a_child_that_dies_is_a_refusal_and_not_a_failure_of_the_server() {
        let folder = tempfile::tempdir().unwrap();
        for script in ["kill -9 $$", "kill -ABRT $$", "exit 70"] {
            let error = children(folder.path(), script).component(Path::new("a.wasm")).await.unwrap_err();
            assert_eq!(error.code, Code::ComponentRefused, "{script}: {error:?}");
        }
        let error = children(folder.path(), "echo nonsense").component(Path::new("a.wasm")).await.unwrap_err();
        assert_eq!(error.code, Code::Internal);
    }

    #[tokio::test]
    async fn a_child_has_no_environment_but_what_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let seen = folder.path().join("seen");
        let error = children(folder.path(), &format!("/usr/bin/env > {}", seen.display())).component(Path::new("a")).await;
        assert!(error.is_err());
        let seen = std::fs::read_to_string(seen).unwrap();
        let names: Vec<&str> = seen.lines().filter_map(|line| line.split('=').next()).collect();
        assert!(names.contains(&CACHE) && !names.contains(&"HOME") && !names.contains(&"CARGO_MANIFEST_DIR"), "{names:?}");
    }

    #[tokio::test]
    async fn one_more_than_may_wait_is_told_to_come_again() {
        let folder = tempfile::tempdir().unwrap();
        let children = children(folder.path(), "exit 0");
        let _all = children.places.acquire_many(CHILDREN_MAX as u32).await.unwrap();
        children.waiting.store(CHILDREN_WAITING_MAX, Relaxed);
        let error = children.component(Path::new("a")).await.unwrap_err();
        assert_eq!(error.code, Code::TooBusy);
        assert_eq!(children.waiting.load(Relaxed), CHILDREN_WAITING_MAX, "whoever is refused does not wait");
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_limit_and_the_rest_is_passed_over() {
        let bytes = vec![b'x'; 10_000];
        assert_eq!(capped(Some(bytes.as_slice()), 100).await.len(), 100);
    }
}
