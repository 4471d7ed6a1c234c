//! The values in a fault: numbers, sizes, durations, as they are written.

use super::what::{LengthChange, Trigger};
use crate::limits;
use std::time::Duration;
use switchboard_frame::parse_size;

pub(super) fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| wrong(text, &str::is_empty, "a number is written in digits: 100"))
}

/// Why `text` is none: it is too large where it is written as it should be, digits and a unit.
fn wrong(text: &str, is_unit: &dyn Fn(&str) -> bool, form: &str) -> String {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    match unit.len() < text.len() && is_unit(unit) {
        true => format!("it is too large: the most is {}", u64::MAX),
        false => form.to_owned(),
    }
}

pub(super) fn at_least_one(text: &str) -> Result<u64, String> {
    match number(text)? {
        0 => Err("it must be at least 1".to_owned()),
        number => Ok(number),
    }
}

fn bounded(text: &str, least: u64, most: u64) -> Result<u64, String> {
    match number(text)? {
        number if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("it must be from {least} to {most}")),
    }
}

pub(super) fn window(text: &str) -> Result<u64, String> {
    bounded(text, 2, limits::FAULT_WINDOW_MAX)
}

pub(super) fn bits(text: &str) -> Result<u64, String> {
    bounded(text, 1, limits::FAULT_WINDOW_MAX)
}

pub(super) fn copies(text: &str) -> Result<u64, String> {
    bounded(text, 1, limits::FAULT_WINDOW_MAX)
}

pub(super) fn piece(text: &str) -> Result<u64, String> {
    match size(text)? {
        bytes if (1..=limits::FAULT_HELD_BYTES_MAX as u64).contains(&bytes) => Ok(bytes),
        _ => Err(format!("it must be from 1 to {}", limits::FAULT_HELD_BYTES_MAX)),
    }
}

/// Digits and a unit.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    let is_unit = |unit: &str| parse_size(&format!("1{unit}")).is_some();
    parse_size(text).ok_or_else(|| wrong(text, &is_unit, "a size is written 4096, 64k or 16MiB"))
}

/// As everyone counts bits: by thousands.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let units = [("", 1), ("k", 1_000), ("m", 1_000_000), ("g", 1_000_000_000)];
    match scaled(&text.to_ascii_lowercase(), &units) {
        Some(bits) if bits >= 8 => Ok(bits),
        Some(_) => Err("it must be at least 8 bits a second".to_owned()),
        None => {
            let is_unit = |unit: &str| ["", "k", "m", "g"].contains(&&*unit.to_ascii_lowercase());
            Err(wrong(text, &is_unit, "bits a second are written 64000, 64k or 10m"))
        }
    }
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    match scaled(text, &units).map(Duration::from_millis) {
        Some(time) if time <= limits::FAULT_TIME_MAX => Ok(time),
        None if digits.is_empty() => Err("a duration is written 250ms, 5s, 2m or 1h".to_owned()),
        None if unit.is_empty() => Err(format!("a unit is missing: {text}ms, {text}s")),
        None if units.iter().all(|(name, _)| *name != unit) => {
            Err("a duration is written 250ms, 5s, 2m or 1h".to_owned())
        }
        _ => Err(format!("it may be at most {}h", limits::FAULT_TIME_MAX.as_secs() / 3600)),
    }
}

pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    match time(text)? {
        Duration::ZERO => Err("it must be more than 0".to_owned()),
        time => Ok(time),
    }
}

pub(super) fn hundredths(text: &str) -> Result<u64, String> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let scale = match part.len() {
        1 => 10,
        2 => 1,
        _ => 0,
    };
    let read = || {
        let whole: u64 = whole.parse().ok()?;
        let part: u64 = part.parse().ok()?;
        whole.checked_mul(100)?.checked_add(part * scale)
    };
    match read().filter(|_| scale > 0) {
        Some(number) if number > 100 && number <= 100 * limits::FAULT_WINDOW_MAX => Ok(number),
        _ => Err("messages a write are written 1.5, 2 or 2.25, and more than 1".to_owned()),
    }
}

pub(super) fn length(text: &str) -> Result<LengthChange, String> {
    match text {
        "max" => Ok(LengthChange::Max),
        _ if text.starts_with(['+', '-']) => match text.parse() {
            Ok(0) | Err(_) => Err("a length changes by +1, -1 or more, or to max".to_owned()),
            Ok(by) => Ok(LengthChange::By(by)),
        },
        _ => Err("a length is changed by +1 or -1, or to max".to_owned()),
    }
}

pub(super) fn message(text: &str) -> Result<Trigger, String> {
    let form = "a message is written msg:7, and a place in it msg:3+2B";
    let (n, plus) = match text.split_once('+') {
        None => (text, "0"),
        Some((n, plus)) => (n, plus.strip_suffix('B').ok_or(form)?),
    };
    let read = |text: &str| text.parse().map_err(|_| wrong(text, &str::is_empty, form));
    let (n, plus) = (read(n)?, read(plus)?);
    if n == 0 {
        Err("messages are counted from 1".to_owned())
    } else {
        Ok(Trigger::Message { n, plus })
    }
}

pub(super) fn probability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(p) if p > 0.0 && p <= 1.0 => Ok(p),
        _ => Err("a probability is written 0.01: more than 0, and 1 at the most".to_owned()),
    }
}

pub(super) fn path(text: &str) -> Result<std::path::PathBuf, String> {
    Ok(text.into())
}
