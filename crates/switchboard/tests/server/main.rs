//! Servers through their public face: every dispatcher over every transport.
//!
//! The same bodies run under *threads*, under *events* with one loop and with two, over TCP, Unix
//! sockets and streams in memory. Nothing here sleeps or measures time: a test waits for what it
//! waits for, and a deadline is only there to end a test that fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use switchboard::Dispatch;

/// Tests that hold under every dispatcher there is. Those of `tests/processes` run the same ones.
macro_rules! everywhere {
    ($($name:ident),* $(,)?) => {
        mod everywhere {
            $(#[test]
            fn $name() {
                super::$name();
            })*
        }
    };
}

mod answers;
mod clocks;
mod conversations;
mod drain;
mod endings;
mod failing;
mod fairness;
mod faults;
mod groups;
mod half_close;
mod help;
mod later;
mod limits;
mod panics;
mod proxied;
mod same;
mod senders;
mod stop;
mod takeover;
#[cfg(feature = "tls")]
mod tls;

/// The dispatchers of this binary.
pub(crate) fn ways() -> Vec<(&'static str, Dispatch)> {
    vec![
        ("threads", Dispatch::threads()),
        ("events, one loop", Dispatch::events().with_loops(1)),
        ("events, two loops", Dispatch::events().with_loops(2)),
    ]
}

/// Whether a service and its test see the same memory.
pub(crate) const SHARES_MEMORY: bool = true;
