//! `--stats`: a line a second of what a server does; on a terminal one line that is rewritten.

use std::io::{IsTerminal, stderr};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use switchboard::server::{Handle, Stats};

use crate::printer::Printer;
use crate::units;

/// How often it is told.
const INTERVAL: Duration = Duration::from_secs(1);

/// Tells until the other end of the channel is gone; then once more what it came to.
pub(super) fn tell(handle: &Handle, printer: &Printer, over: &Receiver<()>) {
    let terminal = stderr().is_terminal();
    let started = Instant::now();
    let mut before = (started, handle.stats());
    let mut next = started + INTERVAL;
    while let Err(RecvTimeoutError::Timeout) =
        over.recv_timeout(next.saturating_duration_since(Instant::now()))
    {
        let (now, stats) = (Instant::now(), handle.stats());
        let text = line(now - started, &stats, &before.1, now - before.0);
        if terminal {
            printer.status(&text);
        } else {
            printer.talk(&text);
        }
        before = (now, stats);
        // A machine that was asleep gets one line, not all it has missed.
        next = (next + INTERVAL).max(now);
    }
    if terminal {
        printer.status("");
    }
    let elapsed = started.elapsed();
    printer.talk(&line(elapsed, &handle.stats(), &Stats::default(), elapsed));
}

/// What was done until now, and at which rates since an earlier look.
fn line(elapsed: Duration, stats: &Stats, earlier: &Stats, since: Duration) -> String {
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = |now: u64, then: u64| now.saturating_sub(then).saturating_mul(1000) / millis;
    let way = |messages: u64, bytes: u64, messages_then: u64, bytes_then: u64| {
        format!(
            "{}, {} ({}/s, {}/s)",
            units::count(messages, "message"),
            units::bytes(bytes),
            rate(messages, messages_then),
            units::rounded(rate(bytes, bytes_then))
        )
    };
    let received = way(
        stats.messages_received,
        stats.bytes_received,
        earlier.messages_received,
        earlier.bytes_received,
    );
    let sent =
        way(stats.messages_sent, stats.bytes_sent, earlier.messages_sent, earlier.bytes_sent);
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
