//! A server of a test's own, and an end for everything that it has started.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::{Folder, Running, Tidemill, exit};

/// How long a job may take to come into a state before the test calls it stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// `tidemill serve` with its data in `data` of a folder. It may be killed and started again.
pub struct Server<'a> {
    folder: &'a Folder,
    running: Option<Running>,
    url: String,
}

impl<'a> Server<'a> {
    /// Starts one that lets jobs use the files of the folder.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(folder: &'a Folder, flags: &[&str]) -> Server<'a> {
        let mut server = Server { folder, running: None, url: String::new() };
        server.start_again(flags);
        server
    }

    /// Starts it with the same data.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self, flags: &[&str]) {
        let serve = Tidemill::new(self.folder.path(), "serve").args(["--listen", "127.0.0.1:0", "--data-dir", "data", "--allow-file"]);
        let mut running = serve.arg(self.folder.path()).args(flags).start();
        self.url = running.line();
        self.running = Some(running);
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process of the server.
    ///
    /// # Panics
    /// When it does not run.
    pub fn id(&self) -> u32 {
        self.running.as_ref().expect("the server runs").id()
    }

    /// kill -9 to the server, and to nobody else.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let running = self.running.take().expect("the server runs");
        kill_process(running.id());
        running.end();
    }

    /// SIGTERM; answers what it said.
    ///
    /// # Panics
    /// When it does not run.
    pub fn terminate(&mut self) -> crate::Ended {
        let running = self.running.take().expect("the server runs");
        running.terminate();
        running.end()
    }

    /// A command that asks this server.
    pub fn command(&self, name: &str) -> Tidemill {
        let sockets = self.folder.join("sockets");
        let server = self.url.clone();
        Tidemill::new(self.folder.path(), name).with(|command| {
            command.env("XDG_RUNTIME_DIR", sockets).env("TIDEMILL_SERVER", server);
        })
    }

    /// A job as the server shows it.
    ///
    /// # Panics
    /// When there is none.
    pub fn job(&self, name: &str) -> Value {
        let status = self.command("status").args([name, "--json"]).run();
        status.expect(exit::OK, &[]);
        serde_json::from_str(&status.stdout).expect("a job is JSON")
    }

    /// Asks for a job until something holds of it.
    ///
    /// # Panics
    /// When that does not come.
    #[track_caller]
    pub fn until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let job = self.job(name);
            if holds(&job) {
                return job;
            }
            assert!(begun.elapsed() < PATIENCE, "the job {name} is never {what}: {job:#}");
        }
    }

    /// Waits for a state.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn until_state(&self, name: &str, state: &str) -> Value {
        self.until(name, state, |job| job["state"] == state)
    }

    /// The processes that run jobs of this server.
    pub fn runners(&self) -> Vec<u32> {
        runners(&self.folder.join("data"))
    }
}

impl Drop for Server<'_> {
    /// Nothing of a test outlives it, also of one that has failed.
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            kill_process(running.id());
        }
        self.runners().into_iter().for_each(kill_process);
    }
}

/// kill -9.
pub fn kill_process(process: u32) {
    if let Ok(process) = i32::try_from(process) {
        // One that is gone already is as good.
        let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
    }
}

/// The processes of jobs whose folders lie in these data: told by their command lines, so that nobody else is met.
fn runners(data: &Path) -> Vec<u32> {
    let marks: Vec<u8> = [b"\0--hosted\0", data.as_os_str().as_encoded_bytes(), b"/"].concat();
    let processes = fs::read_dir("/proc").map_or_else(|_| Vec::new(), |entries| entries.flatten().collect());
    let named = processes.iter().filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    let is_ours = |path: &Path| fs::read(path.join("cmdline")).is_ok_and(|line| line.windows(marks.len()).any(|part| part == marks));
    named.filter(|(_, path)| is_ours(path)).map(|(process, _)| process).collect()
}
