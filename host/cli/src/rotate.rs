//! The log of a job that runs for a server: JSON lines with their time, in files of bounded size, of which the last few are kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tidemill_server::limits::{LOG_FILE_BYTES_MAX, LOG_FILES_MAX};
use tidemill_server::logs::rotated;

/// Bytes of a message at most; a plan with hundreds of mistakes has fewer.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Writes the log. See the module.
#[derive(Debug)]
pub(crate) struct RotatingLog {
    path: PathBuf,
    open: Mutex<(File, u64)>,
    bytes_max: u64,
}

impl RotatingLog {
    /// Goes on with the log at `path`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(path: &Path) -> io::Result<RotatingLog> {
        Ok(RotatingLog { path: path.to_path_buf(), open: Mutex::new(append(path)?), bytes_max: LOG_FILE_BYTES_MAX })
    }

    /// Adds a message, which is a JSON object or becomes one. What the disk does not take is lost: the job goes on.
    pub(crate) fn write(&self, text: &str) {
        let line = line(text, now_ms());
        // Whoever panics while it holds the lock has written what there was to write.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.1 > 0 && open.1 + line.len() as u64 > self.bytes_max && self.rotate(&mut open).is_err() {
            return;
        }
        if open.0.write_all(line.as_bytes()).is_ok() {
            open.1 += line.len() as u64;
        }
    }

    fn rotate(&self, open: &mut (File, u64)) -> io::Result<()> {
        for number in (1..LOG_FILES_MAX).rev() {
            let from = if number == 1 { self.path.clone() } else { rotated(&self.path, number - 1) };
            match fs::rename(from, rotated(&self.path, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        *open = append(&self.path)?;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

fn line(text: &str, now_ms: u64) -> String {
    let cut = &text[..text.floor_char_boundary(MESSAGE_BYTES_MAX)];
    let mut object = match serde_json::from_str(cut) {
        Ok(Value::Object(object)) => object,
        _ => [("level".to_owned(), "info".into()), ("message".to_owned(), cut.into())].into_iter().collect(),
    };
    object.insert("time_ms".to_owned(), now_ms.into());
    format!("{}\n", Value::Object(object))
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_time_and_an_end() {
        assert_eq!(line("{\"level\":\"warn\",\"message\":\"a\"}", 7), "{\"level\":\"warn\",\"message\":\"a\",\"time_ms\":7}\n");
        assert_eq!(line("a\nb", 7), "{\"level\":\"info\",\"message\":\"a\\nb\",\"time_ms\":7}\n");
        assert!(line(&"ü".repeat(MESSAGE_BYTES_MAX), 7).len() < MESSAGE_BYTES_MAX + 100);
    }

    #[test]
    fn the_last_files_are_kept_and_none_is_larger_than_it_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let log = RotatingLog { bytes_max: 200, ..RotatingLog::open(&path).unwrap() };
        (0..100).for_each(|n| log.write(&format!("{{\"message\":\"{n}\"}}")));
        let files: Vec<String> =
            (0..5).filter_map(|n| fs::read_to_string(if n == 0 { path.clone() } else { rotated(&path, n) }).ok()).collect();
        assert_eq!(files.len(), LOG_FILES_MAX);
        assert!(files.iter().all(|file| file.len() <= 200 && file.ends_with('\n')));
        assert!(files[0].contains("\"99\"") && !files[1].contains("\"99\""));
    }
}
