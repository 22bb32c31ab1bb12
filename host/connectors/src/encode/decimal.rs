//! Integers in decimal, eight digits at a time.
//!
//! Eight digits are worked out side by side in one word and leave in one store; the zeros in front are shifted out of it. What
//! a conversion digit by digit costs is mostly waiting for one division after the other.

/// What eight digits can hold.
const EIGHT: u64 = 100_000_000;
/// The digit 0 in every byte.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Appends a number.
#[inline]
pub(super) fn push(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let magnitude = value.unsigned_abs();
    if magnitude < EIGHT {
        return front(magnitude, out);
    }
    let (upper, last) = (magnitude / EIGHT, magnitude % EIGHT);
    if upper < EIGHT {
        front(upper, out);
    } else {
        front(upper / EIGHT, out);
        out.extend_from_slice(&(eight(upper % EIGHT) | ZEROS).to_le_bytes());
    }
    out.extend_from_slice(&(eight(last) | ZEROS).to_le_bytes());
}

/// Appends the first digits of a number, without zeros in front.
#[inline]
fn front(value: u64, out: &mut Vec<u8>) {
    let digits = eight(value);
    // The last digit stays, also when it is 0.
    let zeros = (digits.trailing_zeros() / 8).min(7);
    let end = out.len() + 8 - zeros as usize;
    out.extend_from_slice(&((digits | ZEROS) >> (8 * zeros)).to_le_bytes());
    out.truncate(end);
}

/// The digits of a number below [`EIGHT`], the first in the lowest byte.
#[inline]
fn eight(value: u64) -> u64 {
    // Each step halves the groups: two of four digits, four of two, eight of one. 10486 / 2^20 is a hundredth and 103 / 2^10 a tenth,
    // near enough for numbers of four and two digits.
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = (fours * 10_486) >> 20 & 0x0000_007F_0000_007F;
    let twos = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = (twos * 103) >> 10 & 0x000F_000F_000F_000F;
    tens | ((twos - 10 * tens) << 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: i64) -> String {
        let mut out = b"x".to_vec();
        push(value, &mut out);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn every_length_and_both_ends() {
        let powers = (0..19).map(|exponent| 10i64.pow(exponent));
        let values = powers.flat_map(|p| [p - 1, p, p + 1, -p, 1 - p]).chain([i64::MIN, i64::MAX]);
        for value in values {
            assert_eq!(text(value), format!("x{value}"));
        }
    }

    #[test]
    fn every_group_of_four_digits() {
        for four in 0..10_000 {
            assert_eq!(text(four * 10_000 + four), format!("x{}", four * 10_000 + four));
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_library(value: i64, small in -100_000i64..100_000) {
            prop_assert_eq!(text(value), format!("x{value}"));
            prop_assert_eq!(text(small), format!("x{small}"));
        }
    }
}
