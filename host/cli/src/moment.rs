//! Event times and spans in words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

/// The year 10000: RFC 3339 ends before it.
const RFC3339_END_MS: TimeMs = 253_402_300_800_000;

/// An event time as RFC 3339, as a number where the calendar has no word, or as what it stands for.
pub(crate) fn event_time(ms: TimeMs) -> String {
    match ms {
        TIME_MIN => "none yet".to_owned(),
        TIME_MAX => "end of input".to_owned(),
        0..RFC3339_END_MS => humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms.unsigned_abs())).to_string(),
        _ => format!("{ms} ms"),
    }
}

/// A span such as `2s`, `1m 30s`, `1ms`.
pub(crate) fn span(ms: i64) -> String {
    let text = humantime::format_duration(Duration::from_millis(ms.unsigned_abs())).to_string();
    if ms < 0 { format!("-{text}") } else { text }
}

/// How far event time is behind the wall clock, in milliseconds; nothing before the first and after the last.
pub(crate) fn lag_ms(watermark: TimeMs, now: SystemTime) -> Option<i64> {
    let now = i64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    (watermark != TIME_MIN && watermark != TIME_MAX).then(|| now.saturating_sub(watermark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_words() {
        assert_eq!(event_time(1_436_918_400_123), "2015-07-15T00:00:00.123Z");
        assert_eq!(event_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(event_time(RFC3339_END_MS - 1), "9999-12-31T23:59:59.999Z");
        assert_eq!(event_time(RFC3339_END_MS), "253402300800000 ms");
        assert_eq!(event_time(-5), "-5 ms");
        assert_eq!(event_time(TIME_MIN), "none yet");
        assert_eq!(event_time(TIME_MAX), "end of input");
    }

    #[test]
    fn spans_have_words() {
        assert_eq!(span(90_000), "1m 30s");
        assert_eq!(span(-1), "-1ms");
        assert_eq!(span(0), "0s");
    }

    #[test]
    fn lag_is_told_between_the_first_and_the_last_watermark() {
        let now = UNIX_EPOCH + Duration::from_secs(10);
        assert_eq!(lag_ms(4_000, now), Some(6_000));
        assert_eq!(lag_ms(TIME_MIN, now), None);
        assert_eq!(lag_ms(TIME_MAX, now), None);
    }
}
