//! Faults as they are written.
//!
//! Invariant: what a [`Fault`] displays is read back as the same fault.

use super::what::{Cut, Direction, Fault, Kind, LengthChange, Trigger};
use crate::limits;
use std::fmt;
use std::time::Duration;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        let args = self.kind.args();
        if !args.is_empty() {
            write!(f, "({})", args.join(", "))?;
        }
        if self.direction != Direction::Both {
            write!(f, "@{}", self.direction.name())?;
        }
        for trigger in &self.triggers {
            write!(f, " {trigger}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trigger::Message { n, plus: 0 } => write!(f, "msg:{n}"),
            Trigger::Message { n, plus } => write!(f, "msg:{n}+{plus}B"),
            Trigger::Byte(at) => write!(f, "byte:{at}"),
            Trigger::After(time) => write!(f, "after:{}", duration(*time)),
            Trigger::First(count) => write!(f, "first:{count}"),
            Trigger::Every(count) => write!(f, "every:{count}"),
            Trigger::Chance(p) => write!(f, "p:{p}"),
            Trigger::Match(pattern) => write!(f, "match:/{}/", pattern.text.replace('/', "\\/")),
            Trigger::Conversation(n) => write!(f, "conn:{n}"),
        }
    }
}

impl Kind {
    /// Its name, as it is written.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Split { .. } => "split",
            Kind::Coalesce { .. } => "coalesce",
            Kind::Glue { .. } => "glue",
            Kind::Delay { .. } => "delay",
            Kind::Stall { .. } => "stall",
            Kind::Drip { .. } => "drip",
            Kind::Rate { .. } => "rate",
            Kind::SlowAccept { .. } => "slow-accept",
            Kind::Reset => "reset",
            Kind::Fin => "fin",
            Kind::HalfClose => "half-close",
            Kind::SlowClose { .. } => "slow-close",
            Kind::SwallowFin => "swallow-fin",
            Kind::RstForFin => "rst-for-fin",
            Kind::Blackhole => "blackhole",
            Kind::Deaf => "deaf",
            Kind::Dead => "dead",
            Kind::Heal { .. } => "heal",
            Kind::Flip { .. } => "flip",
            Kind::Truncate { .. } => "truncate",
            Kind::Length { .. } => "length",
            Kind::Garbage { .. } => "garbage",
            Kind::DelimiterInject => "delimiter-inject",
            Kind::Drop => "drop",
            Kind::Dup { .. } => "dup",
            Kind::Reorder { .. } => "reorder",
            Kind::Replace { .. } => "replace",
            Kind::Inject { .. } => "inject",
            Kind::Refuse => "refuse",
            Kind::AcceptThenClose { .. } => "accept-then-close",
            Kind::LimitBytes { .. } => "limit-bytes",
            Kind::LimitConns { .. } => "limit-conns",
            Kind::Flap { .. } => "flap",
        }
    }

    /// Its arguments as they are written, those that are as they are unless told left out.
    fn args(&self) -> Vec<String> {
        let mut args = Args::default();
        match self {
            Kind::Split { cut, gap } => {
                match cut {
                    Cut::Every(bytes) => args.push(format!("every={bytes}")),
                    Cut::At(bytes) => args.push(format!("at={bytes}")),
                    Cut::Field => args.push("field".to_owned()),
                }
                args.time("gap", *gap, limits::FAULT_GAP);
            }
            Kind::Coalesce { messages, bytes, within } => {
                args.0.extend(messages.map(|n| format!("n={n}")));
                args.0.extend(bytes.map(|n| format!("bytes={n}")));
                args.time("within", *within, limits::FAULT_GATHER_TIME);
            }
            Kind::Glue { hundredths, within, gap } => {
                args.push(format!("{}", *hundredths as f64 / 100.0));
                args.time("within", *within, limits::FAULT_GATHER_TIME);
                args.time("gap", *gap, limits::FAULT_GAP);
            }
            Kind::Delay { time, jitter } => {
                args.push(duration(*time));
                args.time("jitter", *jitter, Duration::ZERO);
            }
            Kind::Stall { time } | Kind::SlowAccept { time } | Kind::SlowClose { time } => {
                args.push(duration(*time));
            }
            Kind::Heal { after } => args.push(duration(*after)),
            Kind::AcceptThenClose { after } => args.time("after", *after, Duration::ZERO),
            Kind::Drip { bytes_per_second } => args.push(bytes_per_second.to_string()),
            Kind::Rate { bits_per_second, burst } => {
                args.push(bits_per_second.to_string());
                args.number("burst", *burst, limits::FAULT_BURST_BYTES);
            }
            Kind::Flip { bits } => args.number("bits", *bits, 1),
            Kind::Truncate { bytes } => args.number("bytes", *bytes, 1),
            Kind::Length { change: LengthChange::By(by) } => args.push(format!("{by:+}")),
            Kind::Length { change: LengthChange::Max } => args.push("max".to_owned()),
            Kind::Garbage { bytes } => args.number("bytes", *bytes, limits::FAULT_GARBAGE_BYTES),
            Kind::Dup { times } => args.number("times", *times, 1),
            Kind::Reorder { window, within } => {
                args.number("window", *window, 2);
                args.time("within", *within, limits::FAULT_GATHER_TIME);
            }
            Kind::Replace { file } | Kind::Inject { file } => {
                args.push(format!("\"{}\"", file.display()));
            }
            Kind::LimitBytes { bytes } => args.push(bytes.to_string()),
            Kind::LimitConns { count } => args.push(count.to_string()),
            Kind::Flap { up, down } => {
                args.push(format!("up={}", duration(*up)));
                args.push(format!("down={}", duration(*down)));
            }
            _ => {}
        }
        args.0
    }
}

#[derive(Default)]
struct Args(Vec<String>);

impl Args {
    fn push(&mut self, arg: String) {
        self.0.push(arg);
    }

    fn time(&mut self, name: &str, value: Duration, unless: Duration) {
        if value != unless {
            self.push(format!("{name}={}", duration(value)));
        }
    }

    fn number(&mut self, name: &str, value: u64, unless: u64) {
        if value != unless {
            self.push(format!("{name}={value}"));
        }
    }
}

/// A duration as it is written, in the largest unit that says it whole.
pub(super) fn duration(time: Duration) -> String {
    let millis = time.as_millis();
    match millis {
        0 => "0ms".to_owned(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}
