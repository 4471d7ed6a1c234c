//! Servers of processes: what holds under every dispatcher, and what is promised of this one.
//!
//! Nothing can be forked off a process that has other threads, and the usual harness has some. So
//! this binary brings its own: each test runs in its own process, which begins with one thread.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![expect(clippy::print_stdout, reason = "a harness tells what it found")]

use switchboard::Dispatch;

/// The tests that hold under every dispatcher; `tests/server` runs the same ones.
macro_rules! everywhere {
    ($($name:ident),* $(,)?) => {
        pub(crate) const EVERYWHERE: &[crate::runner::Test] =
            &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}

/// The tests of a module.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: &[crate::runner::Test] =
            &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}

mod adopted;
#[path = "../server/answers.rs"]
mod answers;
mod blocking;
#[expect(dead_code, unused_imports, reason = "some of its tests need memory in common")]
#[path = "../server/clocks.rs"]
mod clocks;
mod crashes;
#[expect(dead_code, unused_imports, reason = "some of its tests are of other dispatchers")]
#[path = "../server/drain.rs"]
mod drain;
#[path = "../server/endings.rs"]
mod endings;
#[path = "../server/failing.rs"]
mod failing;
#[path = "../server/half_close.rs"]
mod half_close;
#[expect(dead_code, reason = "some of it is for other dispatchers")]
#[path = "../server/help.rs"]
mod help;
mod lifelines;
#[expect(unused_imports, reason = "some of its tests are of other dispatchers")]
#[path = "../server/limits.rs"]
mod limits;
#[path = "../server/panics.rs"]
mod panics;
mod proc;
#[path = "../server/proxied.rs"]
mod proxied;
mod refused;
mod runner;
#[path = "../server/same.rs"]
mod same;
#[expect(unused_imports, reason = "some of its tests need memory in common")]
#[path = "../server/stop.rs"]
mod stop;
#[expect(dead_code, unused_imports, reason = "some of its tests have threads")]
#[path = "../server/takeover.rs"]
mod takeover;
#[cfg(feature = "tls")]
#[path = "../server/tls.rs"]
mod tls;
mod zombies;

fn main() -> std::process::ExitCode {
    // Other programs that tests start: this one, to do something else.
    let programs = [blocking::PROGRAM, lifelines::PROGRAM, crashes::PROGRAM];
    let tests = [
        adopted::TESTS,
        answers::EVERYWHERE,
        blocking::TESTS,
        crashes::TESTS,
        clocks::EVERYWHERE,
        drain::EVERYWHERE,
        endings::EVERYWHERE,
        failing::EVERYWHERE,
        half_close::EVERYWHERE,
        limits::EVERYWHERE,
        panics::EVERYWHERE,
        proxied::EVERYWHERE,
        same::EVERYWHERE,
        lifelines::TESTS,
        refused::TESTS,
        stop::EVERYWHERE,
        takeover::EVERYWHERE,
        zombies::TESTS,
    ];
    runner::run(&tests, &programs)
}

/// The dispatchers of this binary.
pub(crate) fn ways() -> Vec<(&'static str, Dispatch)> {
    vec![
        ("processes", Dispatch::processes()),
        ("processes, a pool", Dispatch::processes().with_pool(8)),
    ]
}

/// Whether a service and its test see the same memory.
pub(crate) const SHARES_MEMORY: bool = false;
