//! What a job of this user leaves behind for `explain`: what its operators waited for when it ended, as `NAME.facts.json` beside the
//! sockets.
//!
//! There is one for each name, of its last run. A job writes it every few seconds, so that one that is killed leaves it too. Only the
//! latest are kept.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tidemill_core::explain::Facts;

use super::{folder, is_ours, make, plain};

/// What the name of such a file ends with.
const SUFFIX: &str = ".facts.json";
/// Jobs remembered at most.
const KEPT_MAX: usize = 64;

/// A run of this name begins: what an earlier one has left is no longer true.
pub(crate) fn forget(job: &str) {
    // Nothing there is as good.
    let _ = std::fs::remove_file(place(&folder(), job));
}

/// Writes down what a job knows of itself.
///
/// # Errors
/// Whatever the disk says.
pub(crate) fn write(facts: &Facts) -> io::Result<()> {
    write_in(&folder(), facts)
}

/// What the last run of this name has left.
pub(crate) fn read(job: &str) -> Option<Facts> {
    read_in(&folder(), job)
}

fn place(folder: &Path, job: &str) -> PathBuf {
    folder.join(format!("{}{SUFFIX}", plain(job)))
}

fn write_in(folder: &Path, facts: &Facts) -> io::Result<()> {
    make(folder)?;
    replace(&place(folder, &facts.job), facts)?;
    let mut left: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(folder)?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(SUFFIX))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    left.sort_unstable();
    let over = left.len().saturating_sub(KEPT_MAX);
    left.into_iter().take(over).try_for_each(|(_, path)| std::fs::remove_file(path))
}

/// Writes facts to a file that is either the one before or whole. They need not outlive the machine: nothing is synced.
///
/// # Errors
/// Whatever the disk says.
pub(crate) fn replace(path: &Path, facts: &Facts) -> io::Result<()> {
    let beside = path.with_file_name(format!(".new-{}", std::process::id()));
    std::fs::write(&beside, serde_json::to_vec(facts)?)?;
    std::fs::rename(&beside, path)
}

fn read_in(folder: &Path, job: &str) -> Option<Facts> {
    is_ours(folder).ok()?;
    serde_json::from_slice(&std::fs::read(place(folder, job)).ok()?).ok().map(Facts::left)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tidemill_core::explain::Phase;

    use super::*;

    #[test]
    fn the_latest_jobs_are_remembered_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("sockets");
        let facts = |job: &str, taken_ms| Facts { job: job.to_owned(), taken_ms, phase: Phase::Finished, operators: Vec::new() };
        assert_eq!(read_in(&folder, "a/b"), None);
        write_in(&folder, &facts("a/b", 1)).unwrap();
        write_in(&folder, &facts("a/b", 2)).unwrap();
        assert_eq!(read_in(&folder, "a/b"), Some(facts("a/b", 2)));
        write_in(&folder, &Facts { phase: Phase::Running, ..facts("killed", 2) }).unwrap();
        assert_eq!(read_in(&folder, "killed").unwrap().phase, Phase::Lost, "nobody has said how it ended");
        (0..=KEPT_MAX).for_each(|n| write_in(&folder, &facts(&format!("job-{n}"), 3)).unwrap());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), KEPT_MAX);
        assert_eq!(read_in(&folder, &format!("job-{KEPT_MAX}")), Some(facts(&format!("job-{KEPT_MAX}"), 3)));
    }
}
