//! The binary as a child process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::places;

/// How long any command may take before the test calls it stuck: a debug build on a busy machine needs some of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A command line about to run.
pub struct Tidemill {
    command: Command,
    stdin: Vec<u8>,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; 128 and the signal's number when one killed it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Tidemill {
    /// `tidemill COMMAND`, run in `folder`.
    pub fn new(folder: &Path, command: &str) -> Tidemill {
        let mut tidemill = Tidemill::wrapped(&places::binary(), folder);
        tidemill.command.arg(command);
        tidemill
    }

    /// Another program that is to run the binary, such as `sh -c`.
    pub fn wrapped(program: &Path, folder: &Path) -> Tidemill {
        let mut command = Command::new(program);
        command.current_dir(folder).env("XDG_CACHE_HOME", places::cache()).env_remove("RUST_BACKTRACE");
        Tidemill { command, stdin: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Tidemill {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, args: I) -> Tidemill {
        self.command.args(args);
        self
    }

    /// Adds `--bind NAME=URL`.
    #[must_use]
    pub fn bind(self, name: &str, url: &str) -> Tidemill {
        self.arg("--bind").arg(format!("{name}={url}"))
    }

    /// What standard input holds; nothing without it.
    #[must_use]
    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Tidemill {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// Changes the command in ways that only one test needs.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Command)) -> Tidemill {
        change(&mut self.command);
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started or does not end.
    pub fn run(self) -> Ended {
        self.start().end()
    }

    /// Starts it; standard input is closed behind what was given.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(self) -> Running {
        let stdin = self.stdin;
        let (running, pipe) = spawn(self.command);
        // Written beside, since a pipe takes 64 KiB and the child may want to write first.
        std::thread::spawn(move || {
            let mut pipe = pipe;
            // A child that does not read its input is a case, not a failure.
            let _ = pipe.write_all(&stdin);
        });
        running
    }

    /// Starts it with standard input left open.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_open(self) -> (Running, ChildStdin) {
        spawn(self.command)
    }

    /// Runs it with standard output going to an open file, such as `/dev/full`.
    ///
    /// # Panics
    /// When it cannot be started or does not end.
    pub fn run_into(mut self, stdout: std::fs::File) -> Ended {
        self.command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the binary can be started");
        let stderr = child.stderr.take().expect("it was asked for");
        Running { stdout: lines(std::io::empty()), stderr: lines(stderr), child, out: String::new(), err: String::new() }.end()
    }
}

fn spawn(mut command: Command) -> (Running, ChildStdin) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be started");
    let stdin = child.stdin.take().expect("it was asked for");
    let stdout = lines(child.stdout.take().expect("it was asked for"));
    let stderr = lines(child.stderr.take().expect("it was asked for"));
    (Running { child, stdout, stderr, out: String::new(), err: String::new() }, stdin)
}

/// Reads lines in a thread, so that a test can wait for one with patience.
fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

/// A command that runs.
pub struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    out: String,
    err: String,
}

impl Running {
    /// Waits for the next line on standard output, without its end.
    ///
    /// # Panics
    /// When none comes.
    pub fn line(&mut self) -> String {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.out.push_str(&line);
                line.trim_end_matches('\n').to_owned()
            }
            Err(why) => panic!("no further line on standard output ({why}); standard error holds {:?}", self.drain_stderr()),
        }
    }

    /// Waits for a line on standard error that contains `text`.
    ///
    /// # Panics
    /// When none comes.
    pub fn message(&mut self, text: &str) {
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.err.push_str(&line);
                    if line.contains(text) {
                        return;
                    }
                }
                Err(why) => panic!("no line with {text:?} on standard error ({why}); it holds {:?}", self.err),
            }
        }
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ctrl-C.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn interrupt(&self) {
        self.signal(Signal::SIGINT);
    }

    /// `kill`.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Panics
    /// When the process is gone before.
    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().expect("the child can be waited for");
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id is an i32");
        kill(Pid::from_raw(pid), signal).expect("the process is there");
    }

    /// Closes our end of its standard output, as `| head` does.
    pub fn close_stdout(&mut self) {
        self.stdout = channel().1;
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it does not come.
    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let (out, err) = (drain(&self.stdout, deadline), drain(&self.stderr, deadline));
        let status = loop {
            match self.child.try_wait().expect("the child can be waited for") {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    let _ = self.child.kill();
                    panic!("the command does not end; standard error holds {}{err}", self.err)
                }
                None => std::thread::yield_now(),
            }
        };
        let code = status.code().or(status.signal().map(|s| 128 + s)).unwrap_or(-1);
        Ended { code, stdout: self.out + &out, stderr: self.err + &err }
    }

    fn drain_stderr(&mut self) -> String {
        self.err.push_str(&self.stderr.try_iter().collect::<String>());
        self.err.clone()
    }
}

fn drain(lines: &Receiver<String>, deadline: Instant) -> String {
    let mut text = String::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => text.push_str(&line),
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => return text,
        }
    }
}

impl Ended {
    /// Asserts the exit code, and that every text stands on standard error.
    ///
    /// # Panics
    /// When one does not hold, with everything the command said.
    #[track_caller]
    pub fn expect(&self, code: i32, texts: &[&str]) -> &Ended {
        assert_eq!(self.code, code, "wrong exit code\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is missing\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        }
        self
    }

    /// Standard output as sorted lines.
    pub fn sorted_lines(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.stdout.lines().collect();
        lines.sort_unstable();
        lines
    }
}
