//! K1: a client beside another one that is silent.

use super::super::canary;
use super::super::probe::{How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "K1",
    name: "one at a time",
    sends: "nothing, and a request over another connection; and again after a first reply",
    right: "the other one is served",
    bug: "one loop accepts a client and serves it to its end, and everyone else waits",
    cure: "a thread or a process for each, or one loop that waits for all of them",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask: canary::serves_beside_a_silent_one,
};
