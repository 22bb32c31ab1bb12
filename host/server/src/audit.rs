//! The log of changes: who asked for what, and what came of it, a JSON object a line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::error::tell;
use crate::limits::AUDIT_BYTES_MAX;

/// One change, or an attempt at one.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) time_ms: u64,
    /// The address it came from.
    pub(crate) from: &'a str,
    /// Whether it came with the token.
    pub(crate) token: bool,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: u16,
}

/// Writes the log.
pub(crate) struct Audit {
    path: PathBuf,
    file: Mutex<(File, u64)>,
    bytes_max: u64,
}

impl Audit {
    pub(crate) fn open(path: &Path) -> io::Result<Audit> {
        let file = append(path)?;
        Ok(Audit { path: path.to_path_buf(), file: Mutex::new(file), bytes_max: AUDIT_BYTES_MAX })
    }

    /// Adds a line. A disk that takes none is told; the request goes on.
    pub(crate) fn write(&self, entry: &Entry<'_>) {
        let mut line = serde_json::to_vec(entry).unwrap_or_default();
        line.push(b'\n');
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.room(&mut held, line.len() as u64).and_then(|()| held.0.write_all(&line));
        match written {
            Ok(()) => held.1 += line.len() as u64,
            Err(error) => tell(&format!("the log of changes cannot be written: {error}")),
        }
    }

    fn room(&self, held: &mut (File, u64), bytes: u64) -> io::Result<()> {
        if held.1 + bytes <= self.bytes_max {
            return Ok(());
        }
        fs::rename(&self.path, self.path.with_extension("1.jsonl"))?;
        *held = append(&self.path)?;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_kept_beside_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let entry = Entry { time_ms: 1, from: "127.0.0.1", token: false, method: "POST", path: "/v1/jobs", status: 201 };
        let line = serde_json::to_string(&entry).unwrap().len() as u64 + 1;
        let audit = Audit { bytes_max: 2 * line, ..Audit::open(&path).unwrap() };
        (0..3).for_each(|_| audit.write(&entry));
        assert_eq!(fs::metadata(&path).unwrap().len(), line);
        assert_eq!(fs::metadata(path.with_extension("1.jsonl")).unwrap().len(), 2 * line);
    }
}
