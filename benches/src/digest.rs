//! Whether two outputs hold the same lines, whatever their order and however they are spread over files.
//!
//! The digest of an output is the number of its lines and bytes and the sum of their 128-bit hashes modulo 2^128. Equal digests mean
//! equal multisets of lines, so byte-identical files after `LC_ALL=C sort`; nothing has to be sorted or kept in memory.

use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result};
use xxhash_rust::xxh3::xxh3_128;

/// Bytes read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// What the lines of an output add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    /// How many lines.
    pub(crate) lines: u64,
    bytes: u64,
    sum: u128,
}

impl Digest {
    /// Adds a line, given without its end.
    pub(crate) fn add(&mut self, line: &[u8]) {
        self.lines += 1;
        self.bytes += line.len() as u64 + 1;
        self.sum = self.sum.wrapping_add(xxh3_128(line));
    }

    /// Of all files in a directory but hidden ones and the peers' `latency.N`.
    pub(crate) fn of_dir(dir: &Path) -> Result<Digest> {
        let mut digest = Digest::default();
        for entry in std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_file() && !name.starts_with('.') && !name.starts_with("latency.") {
                digest.add_file(&entry.path())?;
            }
        }
        Ok(digest)
    }

    fn add_file(&mut self, path: &Path) -> Result<()> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            self.add(line.strip_suffix(b"\n").unwrap_or(&line));
            line.clear();
        }
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:032x}", self.lines, self.bytes, self.sum)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(parts: &[&str]) -> Digest {
        let dir = tempfile::tempdir().unwrap();
        parts.iter().enumerate().for_each(|(i, part)| std::fs::write(dir.path().join(format!("part-{i}")), part).unwrap());
        Digest::of_dir(dir.path()).unwrap()
    }

    #[test]
    fn order_and_parts_do_not_matter_and_lines_do() {
        assert_eq!(of(&["a\nb\n", "c\n"]), of(&["c\nb", "a"]));
        assert_ne!(of(&["a\nb\n"]), of(&["a\nb\nb\n"]));
        assert_ne!(of(&["a\na\nb\n"]), of(&["a\nb\nb\n"]));
        assert_ne!(of(&["ab\n"]), of(&["a\nb\n"]));
        assert_eq!(of(&["a\n"]).lines, 1);
    }
}
