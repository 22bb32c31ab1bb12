//! The log of a job as its readers want it: the last lines, by operator and level, and what comes after.
//!
//! The runner writes `log.jsonl` and begins a new one when it is full; the ones before are `log.1.jsonl` and so on. A reader holds on to
//! the file it reads, and goes to the next when that one has come to its end and has another name.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use serde::Deserialize;
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;
use utoipa::ToSchema;

use crate::job::Job;
use crate::limits::LOG_FILES_MAX;

/// How often a followed log is looked at.
const INTERVAL: Duration = Duration::from_millis(100);
/// Bytes read at once.
const PIECE: usize = 64 << 10;
/// Bytes of a line at most; a longer one is no line of ours.
const LINE_BYTES_MAX: usize = 256 << 10;

/// How much a line matters; the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

/// Which lines are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) operator: Option<String>,
    pub(crate) level: Option<Level>,
}

/// What of a line decides whether it is wanted.
#[derive(Deserialize)]
struct Line {
    level: Option<Level>,
    operator: Option<String>,
}

impl Filter {
    fn takes(&self, line: &[u8]) -> bool {
        if self.operator.is_none() && self.level.is_none() {
            return true;
        }
        let Ok(line) = serde_json::from_slice::<Line>(line) else { return false };
        self.level.is_none_or(|least| line.level.unwrap_or(Level::Error) >= least)
            && self.operator.as_ref().is_none_or(|name| line.operator.as_ref() == Some(name))
    }
}

/// The name of a full file of a log; the higher, the older.
pub fn rotated(path: &Path, number: usize) -> PathBuf {
    path.with_extension(format!("{number}.jsonl"))
}

/// A log that is read.
struct Tail {
    path: PathBuf,
    file: Option<File>,
    rest: Vec<u8>,
}

impl Tail {
    /// The lines there are, the oldest first, and the place behind them.
    fn open(path: &Path) -> io::Result<(Tail, Vec<File>)> {
        // The newest is opened first: one that gets another name meanwhile is met twice, never missed.
        let mut files: Vec<File> = Vec::new();
        for number in 0..LOG_FILES_MAX {
            let path = if number == 0 { path.to_path_buf() } else { rotated(path, number) };
            match File::open(path) {
                Ok(file) => {
                    let inode = file.metadata()?.ino();
                    let seen = files.iter().any(|other| other.metadata().is_ok_and(|facts| facts.ino() == inode));
                    if !seen {
                        files.push(file);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        files.reverse();
        Ok((Tail { path: path.to_path_buf(), file: None, rest: Vec::new() }, files))
    }

    /// The next lines; none at the end of what there is. Goes to the next file where there is one.
    fn read(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut piece = vec![0; PIECE];
        loop {
            let Some(file) = &mut self.file else {
                match File::open(&self.path) {
                    Ok(file) => self.file = Some(file),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                    Err(error) => return Err(error),
                }
                continue;
            };
            let read = file.read(&mut piece)?;
            if read > 0 {
                self.rest.extend_from_slice(&piece[..read]);
                return Ok(self.lines());
            }
            let current = std::fs::metadata(&self.path).map(|facts| facts.ino()).ok();
            match current {
                Some(inode) if inode != file.metadata()?.ino() => self.file = None,
                _ => return Ok(Vec::new()),
            }
        }
    }

    fn lines(&mut self) -> Vec<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = self.rest.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        self.rest = match lines.last() {
            Some(last) if last.last() != Some(&b'\n') => lines.pop().unwrap_or_default(),
            _ => Vec::new(),
        };
        if self.rest.len() > LINE_BYTES_MAX {
            self.rest.clear();
        }
        lines
    }
}

/// Reads the last lines, and leaves the reader behind them.
fn last(path: &Path, filter: &Filter, most: usize) -> io::Result<(Tail, VecDeque<Vec<u8>>)> {
    let (mut tail, files) = Tail::open(path)?;
    let mut kept = VecDeque::new();
    for file in files {
        tail.file = Some(file);
        let mut piece = vec![0; PIECE];
        while let Some(read) = tail.file.as_mut().map(|file| file.read(&mut piece)).transpose()?.filter(|read| *read > 0) {
            tail.rest.extend_from_slice(&piece[..read]);
            for line in tail.lines().into_iter().filter(|line| filter.takes(line)) {
                kept.push_back(line);
                if kept.len() > most {
                    kept.pop_front();
                }
            }
        }
    }
    Ok((tail, kept))
}

/// Sends the last lines of a job's log, and those that come, where it is followed, until the job is over or the reader has left.
pub(crate) async fn send(job: &Job, filter: &Filter, most: usize, follow: bool, to: &Sender<Result<Bytes, Infallible>>) {
    let (path, own) = (job.log(), filter.clone());
    let Ok(Ok((mut tail, kept))) = tokio::task::spawn_blocking(move || last(&path, &own, most)).await else { return };
    for line in kept {
        if to.send(Ok(line.into())).await.is_err() {
            return;
        }
    }
    if !follow {
        return;
    }
    loop {
        // Asked before the log is read: what a job that is over had to say is there then.
        let over = job.is_over();
        let Ok((again, Ok(lines))) = tokio::task::spawn_blocking(move || {
            let lines = tail.read();
            (tail, lines)
        })
        .await
        else {
            return;
        };
        tail = again;
        if lines.is_empty() {
            if over || to.is_closed() {
                return;
            }
            sleep(INTERVAL).await;
        }
        for line in lines.into_iter().filter(|line| filter.takes(line)) {
            if to.send(Ok(line.into())).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: &str, operator: &str, n: usize) -> String {
        format!("{{\"time_ms\":{n},\"level\":\"{level}\",\"operator\":\"{operator}\",\"message\":\"{n}\"}}\n")
    }

    fn texts(lines: impl IntoIterator<Item = Vec<u8>>) -> String {
        lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn the_last_lines_are_found_over_all_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        std::fs::write(rotated(&path, 1), line("info", "a", 1) + &line("info", "b", 2)).unwrap();
        std::fs::write(&path, line("warn", "a", 3)).unwrap();
        let (_, all) = last(&path, &Filter::default(), 10).unwrap();
        assert_eq!(texts(all), line("info", "a", 1) + &line("info", "b", 2) + &line("warn", "a", 3));
        let (_, two) = last(&path, &Filter::default(), 2).unwrap();
        assert_eq!(two.len(), 2);
        let of_a = Filter { operator: Some("a".to_owned()), level: None };
        assert_eq!(last(&path, &of_a, 10).unwrap().1.len(), 2);
        let warnings = Filter { operator: None, level: Some(Level::Warn) };
        assert_eq!(texts(last(&path, &warnings, 10).unwrap().1), line("warn", "a", 3));
    }

    #[test]
    fn a_reader_goes_on_in_the_next_file_and_waits_for_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let (mut tail, none) = last(&path, &Filter::default(), 10).unwrap();
        assert!(none.is_empty() && tail.read().unwrap().is_empty());
        std::fs::write(&path, line("info", "a", 1) + "{\"half").unwrap();
        assert_eq!(texts(tail.read().unwrap()), line("info", "a", 1));
        assert!(tail.read().unwrap().is_empty());
        std::fs::write(&path, line("info", "a", 1) + "{\"half\"}\n").unwrap();
        assert_eq!(texts(tail.read().unwrap()), "{\"half\"}\n");
        std::fs::rename(&path, rotated(&path, 1)).unwrap();
        std::fs::write(&path, line("info", "a", 2)).unwrap();
        assert_eq!(texts(tail.read().unwrap()), line("info", "a", 2));
    }
}
