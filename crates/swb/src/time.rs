//! Points in time as UTC text (RFC 3339), without a calendar library.

use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-11-23T23:35:32.123456Z`.
pub(crate) fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// `23:35:32.123456`.
pub(crate) fn utc_clock(time: SystemTime) -> String {
    let text = utc(time);
    text.split_once('T').map_or_else(String::new, |(_, clock)| clock.replace('Z', ""))
}

/// Year, month and day of a day counted from 1970-01-01.
///
/// The year is taken to begin in March, so that the leap day is its last: a cycle of 400 years has
/// 146,097 days, and the months before any month of it are `(153 * month + 2) / 5` days.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check(micros: u64, expected: &str) {
        assert_eq!(utc(UNIX_EPOCH + Duration::from_micros(micros)), expected);
    }

    #[test]
    fn known_points_in_time() {
        check(0, "1970-01-01T00:00:00.000000Z");
        check(951_782_399_000_001, "2000-02-28T23:59:59.000001Z");
        check(951_782_400_000_000, "2000-02-29T00:00:00.000000Z");
        check(951_868_800_000_000, "2000-03-01T00:00:00.000000Z");
        check(1_000_000_000_000_000, "2001-09-09T01:46:40.000000Z");
        check(4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z");
        assert_eq!(utc_clock(UNIX_EPOCH + Duration::from_micros(3_661_000_002)), "01:01:01.000002");
    }
}
