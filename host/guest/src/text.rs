//! Text of a guest made fit for a terminal: bounded, and without characters that act instead of being read.

/// Bytes of one message of a guest that are kept, as the contract says of log lines.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Which line ends stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// None: the text becomes one line of a log.
    One,
    /// Line feeds stay, as in the message of a panic.
    Many,
}

/// `text` cut at [`MESSAGE_BYTES_MAX`], with control characters (and those that change the direction of writing) escaped.
pub(crate) fn printable(text: &str, lines: Lines) -> String {
    let cut = text.floor_char_boundary(MESSAGE_BYTES_MAX);
    let mut out = String::with_capacity(cut);
    for c in text[..cut].chars() {
        let direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c {
            '\t' => out.push(c),
            '\n' if lines == Lines::Many => out.push(c),
            _ if c.is_control() || direction => out.extend(c.escape_default()),
            _ => out.push(c),
        }
    }
    if cut < text.len() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_is_left() {
        assert_eq!(printable("a\x1b[31mb\nc\td\u{202e}e\u{9b}", Lines::One), "a\\u{1b}[31mb\\nc\td\\u{202e}e\\u{9b}");
        assert_eq!(printable("left: 1\nright: 2\r", Lines::Many), "left: 1\nright: 2\\r");
        assert_eq!(printable("größe 水車", Lines::One), "größe 水車");
    }

    #[test]
    fn the_cut_is_at_the_limit_and_between_characters() {
        let exact = "x".repeat(MESSAGE_BYTES_MAX);
        assert_eq!(printable(&exact, Lines::One), exact);
        let over = format!("{}水", "x".repeat(MESSAGE_BYTES_MAX - 1));
        assert_eq!(printable(&over, Lines::One), format!("{}…", "x".repeat(MESSAGE_BYTES_MAX - 1)));
    }
}
