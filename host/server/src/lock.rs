//! Locks by which at most one process has a folder, and by which others find out which one.
//!
//! A record lock of the system belongs to a process and ends with it, however it ends; whoever asks is told the process that holds it.
//! So there is no file with a process id in it that could be of yesterday.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// A lock that this process holds until it is dropped. No other handle on the file may be closed meanwhile: that would end the lock.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

/// Takes the lock; none when another process has it.
///
/// # Errors
/// A file that cannot be opened, or a file system without locks.
pub fn take(path: &Path) -> io::Result<Option<Held>> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match fcntl(&file, FcntlArg::F_SETLK(&whole())) {
        Ok(_) => Ok(Some(Held { _file: file })),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// The process that holds the lock, if one does. Not to be asked by the process that may hold it itself.
///
/// # Errors
/// As [`take`]; a file that is not there is held by nobody.
pub fn holder(path: &Path) -> io::Result<Option<u32>> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut lock = whole();
    fcntl(&file, FcntlArg::F_GETLK(&mut lock))?;
    if lock.l_type == libc::F_UNLCK as libc::c_short {
        return Ok(None);
    }
    Ok(u32::try_from(lock.l_pid).ok().filter(|pid| *pid > 0))
}

fn whole() -> libc::flock {
    libc::flock { l_type: libc::F_WRLCK as libc::c_short, l_whence: libc::SEEK_SET as libc::c_short, l_start: 0, l_len: 0, l_pid: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_nobody_holds_has_no_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert_eq!(holder(&path).unwrap(), None);
        drop(take(&path).unwrap().unwrap());
        assert_eq!(holder(&path).unwrap(), None);
    }

    #[test]
    fn another_process_is_named_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::fs::write(&path, "").unwrap();
        // The same kind of lock, held by a process that ends with its input.
        let script =
            "import fcntl,sys; f=open(sys.argv[1],'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()";
        let mut child = std::process::Command::new("python3")
            .args(["-c", script])
            .arg(&path)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line).unwrap();
        assert_eq!(holder(&path).unwrap(), Some(child.id()));
        assert!(take(&path).unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(holder(&path).unwrap(), None);
        assert!(take(&path).unwrap().is_some());
    }
}
