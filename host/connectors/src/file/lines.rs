//! Which line of a file a bad record is in, counted only when one is met: whoever reads a stripe has not seen the lines before.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::memchr_iter;

/// Bytes read at once.
const COUNT_BYTES: usize = 1 << 20;
/// Bytes in which lines are counted for one dead letter: some tenths of a second. Further away it has to do with its byte.
const COUNTED_MAX: u64 = 256 << 20;

/// The place up to which the lines of a file were counted last. Stripes are claimed in file order, so that all the dead letters of
/// a reader together have it read a file once more at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    byte: u64,
    /// Line feeds before `byte`.
    before: u64,
}

impl Lines {
    /// The line that holds a byte, unless it is far behind the place counted up to.
    pub(super) fn near(&mut self, file: &File, byte: u64) -> Option<u64> {
        let far = byte.checked_sub(self.byte).unwrap_or(byte) > COUNTED_MAX;
        if far { None } else { self.at(file, byte).ok() }
    }

    /// The number, from 1, of the line that holds a byte.
    pub(super) fn at(&mut self, file: &File, byte: u64) -> io::Result<u64> {
        if byte < self.byte {
            *self = Lines::default();
        }
        let mut piece = vec![0; COUNT_BYTES.min((byte - self.byte) as usize)];
        while self.byte < byte {
            let count = piece.len().min((byte - self.byte) as usize);
            file.read_exact_at(&mut piece[..count], self.byte)?;
            self.before += memchr_iter(b'\n', &piece[..count]).count() as u64;
            self.byte += count as u64;
        }
        Ok(self.before + 1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::sync::Arc;

    use tidemill_core::connect::{Polled, Reader};
    use tidemill_core::plan::Format;

    use super::*;
    use crate::decode::Layout;
    use crate::file::{reader, share};
    use crate::testing::{self, drain};
    use crate::url::Url;

    #[test]
    fn lines_are_counted_near_what_was_counted_before() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a\nb\n").unwrap();
        // The rest takes no room on the disk.
        file.set_len(2 * COUNTED_MAX).unwrap();
        assert_eq!(Lines::default().near(&file, COUNTED_MAX + 1), None);
        let mut lines = Lines::default();
        assert_eq!(lines.near(&file, COUNTED_MAX), Some(3));
        assert_eq!(lines.near(&file, COUNTED_MAX + 1), Some(3));
        assert_eq!(lines.near(&file, 2), Some(2), "a place before is counted from the beginning");
        assert_eq!(lines.near(&file, 2 + COUNTED_MAX + 1), None);
    }

    #[test]
    fn dead_letters_have_their_lines_whoever_reads_which_stripe() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.json", "b.json"] {
            let line = |n: usize| if n.is_multiple_of(7) { format!("bad {n}\n") } else { format!("{{\"n\":{n},\"at\":{n}}}\n\n") };
            fs::write(dir.path().join(name), (1..200).map(line).collect::<String>()).unwrap();
        }
        let operator = testing::source("n:i64", "json", r#""time":"at""#, "dead-letter");
        let layout = Arc::new(Layout::of(&operator, Format::Json).unwrap());
        let shared = Arc::new(
            share(&Url::parse(&format!("file:{}/*.json", dir.path().display()), &[]).unwrap(), layout, Format::Json, 100).unwrap(),
        );
        let mut readers = [reader::FileReader::new(shared.clone(), 0, 2), reader::FileReader::new(shared, 1, 2)];
        let mut places = Vec::new();
        for turn in 0.. {
            let Polled::Batch(batch) = readers[turn % 2].poll(3).unwrap() else { break };
            places.extend(batch.bad.into_iter().map(|bad| (bad.record, bad.place)));
        }
        for reader in &mut readers {
            places.extend(drain(reader, 3).unwrap().into_iter().flat_map(|batch| batch.bad).map(|bad| (bad.record, bad.place)));
        }
        assert_eq!(places.len(), 2 * 28);
        for (record, place) in places {
            let n: usize = record.strip_prefix("bad ").unwrap().parse().unwrap();
            // Every good line before has a blank one behind it.
            let line = n + (n - 1) - (n - 1) / 7;
            assert!(place.contains(&format!("json:{line} (byte ")), "{record} at {place}, expected line {line}");
        }
    }
}
