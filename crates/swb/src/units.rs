//! Durations and sizes as they are written on the command line.

use std::time::Duration;

use switchboard::Liveness;
use switchboard_frame::parse_size;

/// Silence, a probe, and time for its answer, each of a whole second.
const LIVENESS_MIN: Duration = Duration::from_secs(3);
/// The system counts the silence before a probe, which is half of it, to 32,767 seconds.
const LIVENESS_MAX: Duration = Duration::from_secs(18 * HOUR_SECONDS);

/// Nobody waits for more than a year, and no sum of such times overflows.
const TIME_MAX: Duration = Duration::from_secs(365 * 24 * HOUR_SECONDS);
const HOUR_SECONDS: u64 = 3600;

/// The most event loops that can be asked for.
const LOOPS_MAX: usize = 1024;

/// Reads a duration: digits and `ms`, `s`, `m` or `h`.
///
/// # Errors
/// No digits, no unit, or more than a year.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if !number.is_empty() => {
            return Err(format!("a unit is missing: {number}ms, {number}s"));
        }
        _ => return Err("a duration is written 250ms, 5s, 2m or 1h".to_owned()),
    };
    if number.is_empty() {
        return Err("a duration is written 250ms, 5s, 2m or 1h".to_owned());
    }
    // What does not fit is too long, too.
    scaled(number, scale)
        .map(Duration::from_millis)
        .filter(|time| *time <= TIME_MAX)
        .ok_or_else(|| at_most(TIME_MAX))
}

/// The same, up to a bound.
fn duration_up_to(text: &str, max: Duration) -> Result<Duration, String> {
    match duration(text)? {
        time if time > max => Err(at_most(max)),
        time => Ok(time),
    }
}

fn at_most(max: Duration) -> String {
    match max.as_secs() {
        seconds if seconds < HOUR_SECONDS => format!("it may be at most {seconds}s"),
        seconds => format!("it may be at most {}h", seconds / HOUR_SECONDS),
    }
}

/// Reads a duration as [`duration`] does, and in `us` too.
///
/// # Errors
/// As [`duration`].
pub(crate) fn fine(text: &str) -> Result<Duration, String> {
    match split(text) {
        (number, "us") => scaled(number, 1)
            .map(Duration::from_micros)
            .ok_or_else(|| "a duration is written 250us, 5ms or 1s".to_owned()),
        _ => duration(text),
    }
}

/// Reads a duration that is not zero, of something that ends when it has passed.
///
/// # Errors
/// As [`duration`], and zero.
pub(crate) fn patience(text: &str) -> Result<Duration, String> {
    patience_up_to(text, TIME_MAX)
}

/// The same, up to a bound.
///
/// # Errors
/// As [`patience`], and more than that.
pub(crate) fn patience_up_to(text: &str, max: Duration) -> Result<Duration, String> {
    // Whether a unit is missing is of no matter then.
    if !text.is_empty() && text.bytes().all(|byte| byte == b'0') {
        return Err("it must be more than 0".to_owned());
    }
    match duration_up_to(text, max)? {
        Duration::ZERO => Err("it must be more than 0".to_owned()),
        time => Ok(time),
    }
}

/// Reads how soon a dead peer is to be found out.
///
/// # Errors
/// As [`duration`], and less than the system can do.
pub(crate) fn liveness(text: &str) -> Result<Liveness, String> {
    match duration_up_to(text, LIVENESS_MAX)? {
        time if time < LIVENESS_MIN => Err(format!("it must be at least {LIVENESS_MIN:?}")),
        time => Ok(Liveness::within(time)),
    }
}

/// Reads a number of something of which there has to be one: digits, or thousands (`10k`) or
/// millions (`1.5M`).
///
/// # Errors
/// Not a whole number, more than fits, or zero.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match decimal(text).and_then(|number| usize::try_from(number).ok()) {
        Some(0) => Err("it must be at least 1".to_owned()),
        Some(number) => Ok(number),
        None => Err("a number is written in digits, or as 10k or 1.5M".to_owned()),
    }
}

/// The same of something that is counted on as long as it goes on.
///
/// # Errors
/// As for [`at_least_one`].
pub(crate) fn at_least_one_in_all(text: &str) -> Result<u64, String> {
    at_least_one(text).map(|number| number as u64)
}

/// Reads a rate, of so many a second, which need not be whole; in the same units.
///
/// # Errors
/// Not a number, or not above zero.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let (number, power) = power_of_ten(text);
    // What is a whole number is one to the last digit, which a product need not be.
    let rate = match decimal(text) {
        Some(whole) => Ok(whole as f64),
        None => number.parse::<f64>().map(|number| number * [1.0, 1e3, 1e6][power / 3]),
    };
    match rate {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("a rate is a number of messages a second: 500, 10k or 1.5M".to_owned()),
    }
}

/// Reads a number of event loops.
///
/// # Errors
/// As for [`at_least_one`], and more than anyone has processors for.
pub(crate) fn loops(text: &str) -> Result<usize, String> {
    match at_least_one(text)? {
        number if number <= LOOPS_MAX => Ok(number),
        _ => Err(format!("it may be at most {LOOPS_MAX}: a loop is a thread")),
    }
}

/// Reads a number of something of which there has to be one, up to a bound.
///
/// # Errors
/// As for [`at_least_one`], and more than that.
pub(crate) fn one_up_to(text: &str, max: usize) -> Result<usize, String> {
    match at_least_one(text)? {
        number if number <= max => Ok(number),
        _ => Err(format!("it may be at most {max}")),
    }
}

/// Reads the size of the largest message.
///
/// # Errors
/// As for [`size`], and zero.
pub(crate) fn body(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Err("it must be at least 1".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Reads a size in bytes as framings write it.
///
/// # Errors
/// No digits, another unit, or more than 64 bits.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "a size is written 4096, 64k, 16MiB or 1g".to_owned())
}

/// A size that is not zero, of something held in memory.
///
/// # Errors
/// As [`size`], and zero.
pub(crate) fn chunk(text: &str) -> Result<usize, String> {
    match usize::try_from(size(text)?) {
        Ok(0) => Err("it must be at least 1".to_owned()),
        // The largest chunk anyone can mean; a buffer of this size is made at once.
        Ok(bytes) if bytes <= 1 << 30 => Ok(bytes),
        _ => Err("it may be at most 1g".to_owned()),
    }
}

/// A size in bytes, as a person reads it.
pub(crate) fn bytes(number: u64) -> String {
    count(number, "byte")
}

/// A size as a person takes it in: `115 bytes`, `4.1 MiB`.
pub(crate) fn rounded(number: u64) -> String {
    let mut scaled = number as f64;
    let mut unit = "";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if scaled < 1024.0 {
            break;
        }
        (scaled, unit) = (scaled / 1024.0, larger);
    }
    if unit.is_empty() { bytes(number) } else { format!("{scaled:.1} {unit}") }
}

/// `1 message`, `2 messages`, `3 replies`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if number == 1 => format!("1 {noun}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {noun}s"),
    }
}

/// A power of ten by its letter, and what stands before it.
fn power_of_ten(text: &str) -> (&str, usize) {
    match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "k")) => (number, 3),
        Some((number, "M")) => (number, 6),
        _ => (text, 0),
    }
}

/// A whole number in decimal units, to the last digit. `None`: it is none, or too large.
fn decimal(text: &str) -> Option<u64> {
    let (number, power) = power_of_ten(text);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let zeros = power.checked_sub(part.len())?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || number.ends_with('.') || !digits(whole) || !digits(part) {
        return None;
    }
    format!("{whole}{part}{}", "0".repeat(zeros)).parse().ok()
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn scaled(number: &str, scale: u64) -> Option<u64> {
    number.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(fine("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(fine("5ms"), duration("5ms"));
        assert!(fine("us").is_err() && fine("5").is_err());
        assert_eq!(duration("5").unwrap_err(), "a unit is missing: 5ms, 5s");
        for wrong in ["", "s", "5 s", "5d", "-5s", "ms"] {
            let told = "a duration is written 250ms, 5s, 2m or 1h";
            assert_eq!(duration(wrong).unwrap_err(), told, "{wrong}");
        }
        for long in ["8761h", "99999999999999999999s", "18446744073709551615h"] {
            assert_eq!(duration(long).unwrap_err(), "it may be at most 8760h", "{long}");
        }
        let up_to_a_minute = |text| patience_up_to(text, Duration::from_secs(60));
        assert_eq!(up_to_a_minute("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(up_to_a_minute("61s").unwrap_err(), "it may be at most 60s");
        assert_eq!(up_to_a_minute("0s").unwrap_err(), "it must be more than 0");
        assert_eq!(liveness("19h").unwrap_err(), "it may be at most 18h");
        assert!(liveness("18h").is_ok());
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size("64k"), Ok(65_536));
        assert_eq!(size("16MiB"), size("16m"));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        assert_eq!(size("1M"), size("1mib"));
        for wrong in ["", "k", "16MB", "1.5k", "17179869184g"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert!(chunk("0").is_err());
    }

    #[test]
    fn numbers_are_in_powers_of_ten() {
        for (text, number) in
            [("1", 1), ("10k", 10_000), ("1.5M", 1_500_000), ("1.234k", 1234), ("1.1M", 1_100_000)]
        {
            assert_eq!(at_least_one(text), Ok(number), "{text}");
            assert_eq!(rate(text), Ok(number as f64), "{text}");
        }
        assert_eq!(at_least_one("0k").unwrap_err(), "it must be at least 1");
        for wrong in ["", "k", ".5k", "5.k", "1.5", "1.2345k", "10K", "1m", "-1", "+1", "1e3", "kk"]
        {
            assert!(at_least_one(wrong).is_err(), "{wrong}");
        }
        assert!(at_least_one("99999999999999M").is_err());
        assert_eq!((one_up_to("3", 3), one_up_to("0", 3).is_err()), (Ok(3), true));
        assert_eq!(one_up_to("4", 3).unwrap_err(), "it may be at most 3");
        assert_eq!((rate("0.25"), rate("0.0005k")), (Ok(0.25), Ok(0.5)));
        for wrong in ["0", "-1", "inf", "infk", "NaN", "many", "", "k", "1K"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_for_a_person() {
        assert_eq!(rounded(1), "1 byte");
        assert_eq!(rounded(1023), "1023 bytes");
        assert_eq!(rounded(1536), "1.5 KiB");
        assert_eq!(rounded(5 << 40), "5.0 TiB");
        assert_eq!(rounded(5 << 50), "5120.0 TiB");
    }
}
