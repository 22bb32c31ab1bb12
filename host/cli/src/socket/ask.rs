//! The side that asks: finds the socket of a job by name, process or path, and puts one request.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tidemill_core::explain::Facts;

use super::{Made, Reply, Request, SUFFIX, folder, is_ours, outcome, plain, read_line, write_line};
use crate::fault::{Fault, Outcome};
use crate::suggest;

/// Asks a running job. Waits for its answer as long as the job lives: a savepoint takes what it takes, and Ctrl-C ends the waiting.
///
/// # Errors
/// No such job, or what it answers.
pub(crate) fn ask(job: &str, request: &Request) -> Outcome<Option<Made>> {
    outcome(put(job, request)?)
}

/// Asks a running job what its operators wait for.
///
/// # Errors
/// As [`ask`].
pub(crate) fn facts(job: &str) -> Outcome<Facts> {
    match put(job, &Request::Explain)? {
        Reply::Facts(facts) => Ok(*facts),
        other => Err(outcome(other).err().unwrap_or_else(|| Fault::failed("the job has answered something else"))),
    }
}

fn put(job: &str, request: &Request) -> Outcome<Reply> {
    let (path, stream) = connect(job)?;
    let lost = |e: io::Error| {
        Fault::failed(format!("job {job} has not answered")).because(&e).hint("its own messages say whether it has ended, and why")
    };
    write_line(&stream, request).map_err(lost)?;
    read_line(&stream).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidData if e.get_ref().is_some_and(|e| e.is::<serde_json::Error>()) => {
            Fault::failed(format!("what listens at {} is no job of this release", path.display())).because(&e)
        }
        _ => lost(e),
    })
}

fn connect(job: &str) -> Outcome<(PathBuf, UnixStream)> {
    if job.contains('/') || job.ends_with(SUFFIX) {
        let path = PathBuf::from(job);
        let stream = UnixStream::connect(&path).map_err(|e| Fault::refused(format!("no job listens at {job}")).because(&e))?;
        return Ok((path, stream));
    }
    let folder = folder();
    let running = running(&folder).map_err(|e| Fault::refused(format!("no job {job} can be reached")).because(&e))?;
    let meant = |socket: &&Socket| socket.name == plain(job) || socket.process == job;
    let found: Vec<&Socket> = running.iter().filter(meant).collect();
    match found[..] {
        [socket] => {
            let stream =
                UnixStream::connect(&socket.path).map_err(|e| Fault::refused(format!("job {job} cannot be reached")).because(&e))?;
            Ok((socket.path.clone(), stream))
        }
        [] => {
            let fault = Fault::refused(format!("no job {job} runs here as this user")).unreachable();
            let near = suggest::hint(job, running.iter().map(|socket| socket.name.as_str()));
            Err(fault.hint(near.unwrap_or_else(|| match running.is_empty() {
                true => format!("no job listens in {}", folder.display()),
                false => format!("these run: {}", shown(&running.iter().collect::<Vec<_>>())),
            })))
        }
        _ => {
            Err(Fault::refused(format!("{} jobs are called {job}", found.len()))
                .hint(format!("name the process instead: {}", shown(&found))))
        }
    }
}

fn shown(sockets: &[&Socket]) -> String {
    sockets.iter().map(|socket| format!("{} ({})", socket.process, socket.name)).collect::<Vec<_>>().join(", ")
}

/// A socket at which a job listens.
#[derive(Debug)]
struct Socket {
    path: PathBuf,
    name: String,
    process: String,
}

/// The jobs of this user that run. Sockets that killed processes have left are removed.
fn running(folder: &Path) -> io::Result<Vec<Socket>> {
    match is_ours(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    }
    let mut sockets = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let parts = path.file_name().and_then(|name| name.to_str()?.strip_suffix(SUFFIX)?.rsplit_once('.'));
        let Some((name, process)) = parts.map(|(name, process)| (name.to_owned(), process.to_owned())) else { continue };
        if is_alive(&process) {
            sockets.push(Socket { path, name, process });
        } else {
            // Somebody else may have removed it first.
            let _ = std::fs::remove_file(&path);
        }
    }
    sockets.sort_by(|a, b| (&a.name, &a.process).cmp(&(&b.name, &b.process)));
    Ok(sockets)
}

/// Signal 0 asks whether there is a process; one of another user counts as well.
fn is_alive(process: &str) -> bool {
    let Ok(pid) = process.parse() else { return false };
    !matches!(nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None), Err(nix::errno::Errno::ESRCH))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_dead_processes_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("sockets");
        super::super::make(&folder).unwrap();
        let own = std::process::id();
        // Process ids end far below this.
        for name in [format!("counts.{own}.sock"), "counts.2147483647.sock".to_owned(), "notes.txt".to_owned()] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let running = running(&folder).unwrap();
        assert_eq!(
            running.iter().map(|s| (s.name.as_str(), s.process.as_str())).collect::<Vec<_>>(),
            [("counts", own.to_string().as_str())]
        );
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    }

    #[test]
    fn no_folder_is_no_job() {
        assert!(running(Path::new("/nowhere/at/all")).unwrap().is_empty());
    }
}
