//! The inputs: the peers' files, or the same events made by `tidemill datagen`.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::{child, place};

/// Files read at once when counting.
const BUFFER_BYTES: usize = 1 << 20;
/// How long making events may take.
const MAKING_MAX: Duration = Duration::from_secs(600);
/// What the name of a file of events begins with, up to the path that the pattern stands for.
const TIME_FIELD: &[u8] = b"\"dateTime\":";

/// Files of events.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    /// The pattern, as a `file:` binding takes it.
    pub(crate) pattern: String,
    /// What it matches, in order of names.
    pub(crate) files: Vec<PathBuf>,
}

impl Events {
    /// What a pattern matches.
    pub(crate) fn matching(pattern: &str) -> Result<Events> {
        let mut files: Vec<PathBuf> = glob::glob(pattern).context("the pattern of events")?.collect::<Result<_, _>>()?;
        files.sort();
        if files.is_empty() {
            bail!("no file matches {pattern}: give one by --events, or make one by `tidemill datagen nexmark --events 5000000 --out FILE`");
        }
        Ok(Events { pattern: pattern.to_owned(), files })
    }

    /// The given pattern, else the peers' five million events where they are and `full` is wanted, else events made here.
    pub(crate) fn choose(given: Option<&str>, full: bool) -> Result<Events> {
        if let Some(pattern) = given {
            return Events::matching(pattern);
        }
        let kept = place::peers_work().map(|work| work.join("data/bench5m.json.p*"));
        if let Some(events) = kept.filter(|_| full).and_then(|pattern| Events::matching(&pattern.to_string_lossy()).ok()) {
            return Ok(events);
        }
        make(if full { 5_000_000 } else { 1_000_000 }, 10_000).map(|made| made.parts)
    }

    /// The files as the peers' scripts take them.
    pub(crate) fn list(&self) -> String {
        self.files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>().join(",")
    }

    /// The binding for Tidemill.
    pub(crate) fn url(&self) -> String {
        format!("file:{}", self.pattern)
    }

    /// How many lines there are.
    pub(crate) fn count(&self) -> Result<u64> {
        let mut lines = 0;
        for file in &self.files {
            let mut reader = BufReader::with_capacity(BUFFER_BYTES, open(file)?);
            loop {
                let buffer = reader.fill_buf()?;
                if buffer.is_empty() {
                    break;
                }
                lines += memchr::memchr_iter(b'\n', buffer).count() as u64;
                let read = buffer.len();
                reader.consume(read);
            }
        }
        Ok(lines)
    }
}

/// Events made here: all in one file, and the same spread over two, line by line in turn, as the peers want them.
pub(crate) struct Made {
    /// All, in order.
    pub(crate) whole: PathBuf,
    /// Event i is line i / 2 of part i % 2.
    pub(crate) parts: Events,
}

/// Makes `count` events, `rate` of them in a second of event time, unless they are there from an earlier run.
pub(crate) fn make(count: u64, rate: u64) -> Result<Made> {
    let dir = place::scratch()?;
    let whole = dir.join(format!("events-{count}-{rate}.json"));
    let pattern = format!("{}.p*", whole.display());
    if !whole.is_file() {
        let staged = dir.join("events.part");
        let mut command = Command::new(place::binary()?);
        command.args(["datagen", "nexmark", "--events", &count.to_string(), "--rate", &rate.to_string(), "--out"]).arg(&staged);
        child::run(&mut command, &dir, MAKING_MAX)?;
        split(&staged, &whole)?;
        // Last, so that the whole file stands for its parts being complete.
        fs::rename(&staged, &whole)?;
    }
    Ok(Made { parts: Events::matching(&pattern)?, whole })
}

fn split(from: &Path, name: &Path) -> Result<()> {
    let part = |i: u8| File::create(format!("{}.p{i}", name.display())).map(BufWriter::new);
    let mut parts = [part(0)?, part(1)?];
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, open(from)?);
    let mut line = Vec::new();
    let mut turn = 0;
    while reader.read_until(b'\n', &mut line)? > 0 {
        parts[turn].write_all(&line)?;
        turn = 1 - turn;
        line.clear();
    }
    Ok(parts.iter_mut().try_for_each(BufWriter::flush)?)
}

/// When event time reaches a moment: for each file the events at which its greatest time so far rises, by time and index.
pub(crate) struct Progress {
    files: Vec<Vec<(i64, u64)>>,
}

impl Progress {
    /// Reads the files. Line k of file f of n is event k * n + f.
    pub(crate) fn read(files: &[PathBuf]) -> Result<Progress> {
        let stride = files.len() as u64;
        let one = |(file, path): (usize, &PathBuf)| -> Result<Vec<(i64, u64)>> {
            let mut reader = BufReader::with_capacity(BUFFER_BYTES, open(path)?);
            let (mut line, mut rises, mut index) = (Vec::new(), Vec::new(), file as u64);
            while reader.read_until(b'\n', &mut line)? > 0 {
                let time = event_time(&line).with_context(|| format!("{}: event {index} has no dateTime", path.display()))?;
                if rises.last().is_none_or(|(last, _)| time > *last) {
                    rises.push((time, index));
                }
                index += stride;
                line.clear();
            }
            Ok(rises)
        };
        Ok(Progress { files: files.iter().enumerate().map(one).collect::<Result<_>>()? })
    }

    /// The event with which every file has reached `time`; none when a file ends before.
    pub(crate) fn reached(&self, time: i64) -> Option<u64> {
        let in_file = |rises: &Vec<(i64, u64)>| rises.get(rises.partition_point(|(t, _)| *t < time)).map(|(_, index)| *index);
        self.files.iter().map(in_file).try_fold(0, |last, index| Some(last.max(index?)))
    }
}

fn event_time(line: &[u8]) -> Option<i64> {
    let at = memchr::memmem::find(line, TIME_FIELD)? + TIME_FIELD.len();
    let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let mut time = None;
    for digit in digits {
        time = Some(time.unwrap_or(0i64).checked_mul(10)?.checked_add(i64::from(digit - b'0'))?);
    }
    time
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, times: &[i64]) -> PathBuf {
        let path = dir.join(name);
        let text: String = times.iter().map(|t| format!("{{\"type\":\"bid\",\"dateTime\":{t},\"extra\":\"x\"}}\n")).collect();
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_time_is_reached_when_the_last_file_has_it() {
        let dir = tempfile::tempdir().unwrap();
        // Events 0, 2, 4, 6 and 1, 3, 5, 7.
        let files = [write(dir.path(), "a", &[10, 30, 20, 40]), write(dir.path(), "b", &[11, 12, 31, 5])];
        let progress = Progress::read(&files).unwrap();
        assert_eq!(progress.reached(10), Some(1));
        assert_eq!(progress.reached(30), Some(5));
        assert_eq!(progress.reached(31), Some(6));
        assert_eq!(progress.reached(32), None);
        assert_eq!(Progress::read(&files[..1]).unwrap().reached(30), Some(1));
    }

    #[test]
    fn lines_are_counted_and_dealt_in_turn() {
        let dir = tempfile::tempdir().unwrap();
        let whole = write(dir.path(), "events", &[1, 2, 3]);
        split(&whole, &whole).unwrap();
        let parts = Events::matching(&format!("{}.p*", whole.display())).unwrap();
        assert_eq!((parts.files.len(), parts.count().unwrap()), (2, 3));
        assert_eq!(Progress::read(&parts.files).unwrap().reached(2), None);
        assert_eq!(fs::read_to_string(&parts.files[1]).unwrap().lines().count(), 1);
    }
}
