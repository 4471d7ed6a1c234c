//! `--stats`: a line a second of what a server does; on a terminal one line that is rewritten.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use switchboard::server::Stats;

use crate::printer::Printer;
use crate::units;

/// Tells what a server does, look by look.
pub(super) struct Teller<'a> {
    printer: &'a Printer,
    terminal: bool,
    started: Instant,
    before: (Instant, Stats),
}

impl<'a> Teller<'a> {
    pub(super) fn new(printer: &'a Printer, started: Instant, first: Stats) -> Teller<'a> {
        let terminal = stderr().is_terminal();
        Teller { printer, terminal, started, before: (started, first) }
    }

    /// What was done until now, and at which rates since the last look.
    pub(super) fn look(&mut self, now: Instant, stats: Stats) {
        let earlier = (&self.before.1, now - self.before.0);
        let text = line(now - self.started, &stats, Some(earlier));
        if self.terminal {
            self.printer.status(&text);
        } else {
            self.printer.talk(&text);
        }
        self.before = (now, stats);
    }

    /// What it came to, without rates: the last second is none that a rate could be of.
    pub(super) fn end(self, stats: &Stats) {
        if self.terminal {
            self.printer.status("");
        }
        self.printer.talk(&format!("in all, {}", line(self.started.elapsed(), stats, None)));
    }
}

/// What was done until now, and at which rates since an earlier look so long ago.
fn line(elapsed: Duration, stats: &Stats, earlier: Option<(&Stats, Duration)>) -> String {
    let rates = |messages: u64, bytes: u64, then: fn(&Stats) -> (u64, u64)| {
        let Some((earlier, since)) = earlier else { return String::new() };
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = |now: u64, then: u64| now.saturating_sub(then).saturating_mul(1000) / millis;
        let (messages_then, bytes_then) = then(earlier);
        let bytes = units::rounded(rate(bytes, bytes_then));
        format!(" ({}/s, {bytes}/s)", rate(messages, messages_then))
    };
    let way = |stats: &Stats, of: fn(&Stats) -> (u64, u64)| {
        let (messages, bytes) = of(stats);
        let rates = rates(messages, bytes, of);
        format!("{}, {}{rates}", units::count(messages, "message"), units::bytes(bytes))
    };
    let received = way(stats, |stats| (stats.messages_received, stats.bytes_received));
    let sent = way(stats, |stats| (stats.messages_sent, stats.bytes_sent));
    let mut text = format!(
        "{} s: {} accepted, {} open; in {received}; out {sent}; {} queued",
        elapsed.as_secs(),
        stats.accepted,
        stats.open,
        units::rounded(stats.queued_bytes),
    );
    for (what, count) in [("refused", stats.refused), ("errors of accept", stats.accept_errors)] {
        if count > 0 {
            text.push_str(&format!("; {count} {what}"));
        }
    }
    if stats.endings.sum() > 0 {
        text.push_str(&format!("; ended: {}", stats.endings));
    }
    text
}
