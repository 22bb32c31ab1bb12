//! The values of flags and of the job file: `name=value` pairs, sizes and durations.
//!
//! Each parser says what it wanted with an example, since its text is all the user gets to see.

use std::time::Duration;

/// Units of sizes. The binary ones come first: `MiB` ends in `B` too.
const UNITS: [(&str, u64); 10] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// `K=V`; the value may be empty and may hold `=`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        Some(_) => Err("there is no name before the `=`: write NAME=VALUE, e.g. query=q5".to_owned()),
        None => Err("there is no `=`: write NAME=VALUE, e.g. query=q5".to_owned()),
    }
}

/// `NAME=URL`.
pub(crate) fn binding(text: &str) -> Result<(String, String), String> {
    let example = "write NAME=URL, e.g. readings=file:in.json";
    match text.split_once('=') {
        Some((name, url)) if !name.trim().is_empty() && !url.trim().is_empty() => Ok((name.trim().to_owned(), url.trim().to_owned())),
        Some((name, _)) if name.trim().is_empty() => Err(format!("there is no name before the `=`: {example}")),
        Some(_) => Err(format!("there is no URL behind the `=`: {example}")),
        None => Err(format!("there is no `=`: {example}")),
    }
}

/// Bytes: `512MiB`, `2GB`, `65536`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || "not a size: write a whole number and a unit, e.g. 512MiB, 2GiB or 65536".to_owned();
    let text = text.trim();
    let (digits, factor) =
        UNITS.iter().find_map(|(unit, factor)| text.strip_suffix(unit).map(|rest| (rest.trim_end(), *factor))).unwrap_or((text, 1));
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).ok_or_else(|| "the size does not fit into 64 bits".to_owned())
}

/// A length of time, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// Never.
    Off,
    /// After so many milliseconds.
    After(u64),
}

/// `10s`, `500ms`, `1m 30s`, `off`.
pub(crate) fn timeout(text: &str) -> Result<Timeout, String> {
    if text.trim() == "off" {
        return Ok(Timeout::Off);
    }
    let wrong = |e: humantime::DurationError| format!("not a duration ({e}): write e.g. 10s, 500ms, 1m or off");
    let duration: Duration = humantime::parse_duration(text).map_err(wrong)?;
    match u64::try_from(duration.as_millis()) {
        Ok(0) => Err("the duration is shorter than a millisecond: write off to turn it off".to_owned()),
        Ok(ms) => Ok(Timeout::After(ms)),
        Err(_) => Err("the duration is too long".to_owned()),
    }
}

/// A duration that is longer than nothing, such as `10s`.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("write a duration such as 500ms, 10s or 5min".to_owned()),
    }
}

/// A number from 1.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "write a number from 1".to_owned())
}

/// A count of workers.
pub(crate) fn parallelism(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(n @ 1..=PARALLELISM_MAX) => Ok(n),
        _ => Err(format!("not a number of workers between 1 and {PARALLELISM_MAX}")),
    }
}

/// More workers than key groups (256) would leave some without keys for ever.
pub(crate) const PARALLELISM_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("=b").is_err());
        assert!(pair("ab").is_err_and(|e| e.contains("query=q5")));
    }

    #[test]
    fn bindings_need_both_sides() {
        assert_eq!(binding("in=file:a?x=1"), Ok(("in".to_owned(), "file:a?x=1".to_owned())));
        assert!(binding("in=").is_err());
        assert!(binding("file:a").is_err());
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("512MiB"), Ok(512 << 20));
        assert_eq!(bytes("2 GB"), Ok(2_000_000_000));
        assert_eq!(bytes("17"), Ok(17));
        assert_eq!(bytes("17B"), Ok(17));
        assert!(bytes("1.5GiB").is_err());
        assert!(bytes("-1MiB").is_err());
        assert!(bytes("MiB").is_err());
        assert!(bytes("99999999999TiB").is_err_and(|e| e.contains("64 bits")));
    }

    #[test]
    fn durations() {
        assert_eq!(timeout("10s"), Ok(Timeout::After(10_000)));
        assert_eq!(timeout("1m 30s"), Ok(Timeout::After(90_000)));
        assert_eq!(timeout("off"), Ok(Timeout::Off));
        assert!(timeout("0s").is_err());
        assert!(timeout("ten").is_err());
    }

    #[test]
    fn workers() {
        assert_eq!(parallelism("256"), Ok(256));
        assert!(parallelism("0").is_err());
        assert!(parallelism("257").is_err());
        assert!(parallelism("many").is_err());
    }
}
