//! A piece of input that is decoded line by line, and what is known of all its bytes at once.
//!
//! Checking UTF-8 and looking for control bytes is cheapest over the whole piece; only when the
//! piece as a whole fails is each line looked at by itself.

use memchr::memchr;

/// Bytes of input in a buffer that is used again for the next piece.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The buffer; bytes from `end` on are leftovers.
    pub(crate) bytes: Vec<u8>,
    /// Where the next line begins.
    pub(crate) at: usize,
    /// Where the last whole line ends.
    pub(crate) end: usize,
    /// The place of `bytes[0]` in the input.
    pub(crate) base: u64,
    /// Lines of the input before `at`, where the reader sees all of them.
    pub(crate) lines_before: Option<u64>,
    /// A line of more than [`super::LINE_BYTES_MAX`] bytes begins here; only its first bytes are in the buffer, up to this end.
    pub(crate) too_long: Option<(usize, usize)>,
    utf8: bool,
    controls: bool,
}

/// One line of a chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// Without its line end.
    pub(crate) bytes: &'a [u8],
    /// Known to be UTF-8 without control bytes, as JSON strings must be.
    pub(crate) plain: bool,
    /// Known to be UTF-8.
    pub(crate) utf8: bool,
}

impl Chunk {
    /// Looks at the bytes that were put between `at` and `end`.
    pub(crate) fn check(&mut self) {
        let bytes = &self.bytes[self.at..self.end];
        self.utf8 = simdutf8::basic::from_utf8(bytes).is_ok();
        self.controls = has_controls(bytes);
    }

    /// Whether every line has been taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.end && self.too_long.is_none()
    }

    /// The next line and where it begins in `bytes`; blank lines too.
    #[inline]
    pub(crate) fn next_line(&mut self) -> Option<(usize, Line<'_>)> {
        if self.at >= self.end {
            return None;
        }
        let start = self.at;
        let rest = &self.bytes[start..self.end];
        let mut line = match memchr(b'\n', rest) {
            Some(len) => {
                self.at = start + len + 1;
                &rest[..len]
            }
            None => {
                self.at = self.end;
                rest
            }
        };
        if let Some(n) = &mut self.lines_before {
            *n += 1;
        }
        if let [head @ .., b'\r'] = line {
            line = head;
        }
        let utf8 = self.utf8 || simdutf8::basic::from_utf8(line).is_ok();
        let plain = utf8 && (!self.controls || !has_controls(line));
        Some((start, Line { bytes: line, plain, utf8 }))
    }
}

/// Whether a byte below 0x20 other than a line feed is among these.
fn has_controls(bytes: &[u8]) -> bool {
    // No early exit inside a piece: the loop stays a vector comparison.
    bytes.chunks(4096).any(|piece| piece.iter().fold(false, |any, &b| any | ((b < 0x20) & (b != b'\n'))))
}
