//! Scanning one JSON value in bytes that are known to be UTF-8 without control bytes.
//!
//! Every function answers `None` at the first surprise (an escape in a wanted string, an exponent, more digits than
//! surely fit, a nested value, an error) and the caller gives the whole line to the strict decoder. What is
//! answered is exactly what the strict decoder would say.

use memchr::memchr2;

use crate::decode::row::{Slot, Span};

/// Digits that always fit an i64.
const DIGITS_MAX: usize = 18;
/// Powers of ten that an f64 holds exactly, and with it the longest fraction divided in one exact step.
const TENS: [f64; 23] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];
/// Powers of ten for the digits of one word.
const TENS_U64: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The value that begins at `at`, and where it ends. An unwanted value is only checked.
#[inline]
pub(super) fn value(line: &[u8], at: usize, wanted: bool) -> Option<(Slot, usize)> {
    match line.get(at)? {
        b'"' => {
            let start = at + 1;
            let end = string_end(line, start)?;
            if line[end] == b'"' {
                return Some((Slot::text(Span::new(start, end)), end + 1));
            }
            if wanted { None } else { skip_escaped(line, end).map(|end| (Slot::NULL, end)) }
        }
        b'-' | b'0'..=b'9' => number(line, at),
        b't' => line[at..].starts_with(b"true").then_some((Slot::bool(true), at + 4)),
        b'f' => line[at..].starts_with(b"false").then_some((Slot::bool(false), at + 5)),
        b'n' => line[at..].starts_with(b"null").then_some((Slot::NULL, at + 4)),
        _ => None,
    }
}

/// Words of a string that are looked at before the library is asked: most strings are over by then, and a call costs more than they do.
const WORDS_FIRST: usize = 2;

/// The first quote or backslash at or after `at`.
#[inline]
fn string_end(line: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..WORDS_FIRST {
        let Some(word) = line[at..].first_chunk::<8>() else { break };
        let word = u64::from_le_bytes(*word);
        let found = zero_bytes(word ^ 0x2222_2222_2222_2222) | zero_bytes(word ^ 0x5C5C_5C5C_5C5C_5C5C);
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    memchr2(b'"', b'\\', &line[at..]).map(|place| at + place)
}

/// The high bit of every byte that is zero. Borrows only spoil bytes above one that is.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
}

/// The first byte at or after `at` that is no white space.
#[inline]
pub(super) fn skip_space(line: &[u8], mut at: usize) -> usize {
    while matches!(line.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// The end of an unwanted string whose first escape is at `at`. Like serde_json, it takes any four hex digits: whether they
/// make a character matters only to who wants the text.
fn skip_escaped(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match line.get(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
            b'u' if line.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => at += 6,
            _ => return None,
        }
        at += memchr2(b'"', b'\\', &line[at..])?;
        if line[at] == b'"' {
            return Some(at + 1);
        }
    }
}

#[inline]
fn number(line: &[u8], at: usize) -> Option<(Slot, usize)> {
    let negative = line[at] == b'-';
    let start = at + usize::from(negative);
    let (magnitude, end) = digits(line, start);
    let count = end - start;
    if count == 0 || count > DIGITS_MAX || (count > 1 && line[start] == b'0') {
        return None;
    }
    match line.get(end) {
        Some(b'.') => fraction(line, at, start, end, magnitude),
        Some(b'e' | b'E') => None,
        // serde_json reads -0 as the float it is.
        _ if negative && magnitude == 0 => Some((Slot::float(-0.0), end)),
        _ if negative => Some((Slot::int(-(magnitude as i64)), end)),
        _ => Some((Slot::int(magnitude as i64), end)),
    }
}

/// A number with a point at `point`; its digits begin at `start` after a possible sign at `at`.
fn fraction(line: &[u8], at: usize, start: usize, point: usize, whole: u64) -> Option<(Slot, usize)> {
    let (part, end) = digits(line, point + 1);
    let places = end - point - 1;
    if places == 0 || matches!(line.get(end), Some(b'e' | b'E')) {
        return None;
    }
    let magnitude = if end - start <= 16 {
        // At most 15 digits: both operands are exact, so one division rounds once, as the standard demands.
        (whole * 10u64.pow(places as u32) + part) as f64 / TENS[places]
    } else {
        std::str::from_utf8(&line[start..end]).ok()?.parse::<f64>().ok().filter(|v| v.is_finite())?
    };
    Some((Slot::float(if start > at { -magnitude } else { magnitude }), end))
}

/// The number that a run of digits makes (meaningless beyond 19 digits) and where the run ends.
#[inline]
fn digits(line: &[u8], mut at: usize) -> (u64, usize) {
    let mut number = 0u64;
    while let Some(word) = line.get(at..at + 8) {
        let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
        let count = digit_count(word);
        number = number.wrapping_mul(TENS_U64[count]).wrapping_add(digits_value(word, count));
        at += count;
        if count < 8 {
            return (number, at);
        }
    }
    while let Some(digit) = line.get(at).filter(|b| b.is_ascii_digit()) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        at += 1;
    }
    (number, at)
}

/// How many of the eight bytes, from the first (lowest) on, are digits.
#[inline]
fn digit_count(word: u64) -> usize {
    // A byte is a digit when its high half is 3 and stays 3 after adding 6. Carries only spoil bytes behind one that is no digit.
    let high = word & 0xF0F0_F0F0_F0F0_F0F0;
    let carried = (word.wrapping_add(0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0) >> 4;
    let odd = (high | carried) ^ 0x3333_3333_3333_3333;
    (odd.trailing_zeros() / 8) as usize
}

/// The number that the first `count` digits of the word make.
#[inline]
fn digits_value(word: u64, count: usize) -> u64 {
    if count == 0 {
        return 0;
    }
    // Digits move to the last places, so that zeros stand before them.
    let word = (word << (64 - 8 * count)) & 0x0F0F_0F0F_0F0F_0F0F;
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs & 0x0000_00FF_0000_00FF)
        .wrapping_mul(0x000F_4240_0000_0064)
        .wrapping_add((pairs >> 16 & 0x0000_00FF_0000_00FF).wrapping_mul(0x0000_2710_0000_0001));
    fours >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_exact() {
        let slot = |text: &str| value(text.as_bytes(), 0, true).map(|(slot, _)| slot);
        assert_eq!(slot("0"), Some(Slot::int(0)));
        assert_eq!(slot("-17,"), Some(Slot::int(-17)));
        assert_eq!(slot("1436918400000}"), Some(Slot::int(1_436_918_400_000)));
        assert_eq!(slot("0.1"), Some(Slot::float(0.1)));
        assert_eq!(slot("3.141592653589793238"), Some(Slot::float(std::f64::consts::PI)));
        for odd in ["01", "-", "1.", "1e3", "1.5E1", "1234567890123456789", "+1", ".5", "[", "tru", "nul"] {
            assert_eq!(slot(odd), None, "{odd}");
        }
        assert_eq!(slot("-0"), Some(Slot::float(-0.0)));
    }

    proptest! {
        #[test]
        fn digits_agree_with_parse(number in 0u64..1_000_000_000_000_000_000, tail in "[^0-9]{0,12}") {
            let text = format!("{number}{tail}");
            prop_assert_eq!(digits(text.as_bytes(), 0), (number, number.to_string().len()));
        }

        #[test]
        fn strings_end_where_the_library_finds_it(line in "[a\"\\\\é]{0,3}[a-z]{0,40}[a\"\\\\é]{0,3}", from in 0usize..4) {
            let at = from.min(line.len());
            let expected = memchr2(b'"', b'\\', &line.as_bytes()[at..]).map(|place| at + place);
            prop_assert_eq!(string_end(line.as_bytes(), at), expected);
        }

        #[test]
        fn digit_count_agrees_on_any_word(word: u64) {
            let expected = word.to_le_bytes().iter().take_while(|b| b.is_ascii_digit()).count();
            prop_assert_eq!(digit_count(word), expected);
        }

        #[test]
        fn fractions_agree_with_parse(whole in 0u64..1_000_000_000_000, places in "[0-9]{1,20}") {
            let text = format!("-{whole}.{places}");
            let (slot, end) = value(text.as_bytes(), 0, true).expect("a plain number");
            prop_assert_eq!(slot, Slot::float(text.parse().expect("a number")));
            prop_assert_eq!(end, text.len());
        }
    }
}
