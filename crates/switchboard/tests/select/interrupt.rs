//! Signals that come while `select` and a `Poller` wait.
//!
//! A signal to a process goes to its first thread, and the harness runs tests in others. So a test
//! starts this program again for itself alone.

use crate::help::*;
use rustix::process::{Pid, Signal, kill_process};
use std::cell::Cell;
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use switchboard::select::{select, select_or_interrupted};
use switchboard::transport::Interrupt;
use switchboard::{Poller, deadline};

/// Runs `name` in a process of its own and sends it signals until it is done.
fn check(name: &str) {
    let mut child = own_process(name).stdout(Stdio::piped()).spawn().unwrap();
    let mut told = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("the handler is there") {
        line.clear();
        let count = std::io::BufRead::read_line(&mut told, &mut line).unwrap();
        assert_ne!(count, 0, "the other process ended early");
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let _ = kill_process(pid, Signal::USR1);
        std::thread::yield_now();
    };
    assert!(status.success(), "{status}");
}

#[test]
fn a_signal_does_not_end_a_wait_and_the_time_goes_on() {
    if !is_child() {
        return check("interrupt::a_signal_does_not_end_a_wait_and_the_time_goes_on");
    }
    let noted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&noted)).unwrap();
    writeln!(std::io::stdout(), "the handler is there").unwrap();
    let (a, _b) = unix_pair();
    let time = Duration::from_millis(100);
    for mut poller in [Poller::new().unwrap(), Poller::with_poll()] {
        noted.store(false, Ordering::Relaxed);
        let begun = deadline::now();
        assert!(select(&[&a], &[], &[], Some(time)).unwrap().is_empty());
        assert!(deadline::now() - begun >= time);
        assert!(poller.wait(Some(time)).unwrap().is_empty());
        assert!(deadline::now() - begun >= 2 * time);
        assert!(noted.load(Ordering::Relaxed), "no signal came");
    }
}

#[test]
fn a_hook_sees_each_signal_and_can_end_a_wait() {
    if !is_child() {
        return check("interrupt::a_hook_sees_each_signal_and_can_end_a_wait");
    }
    let noted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, noted).unwrap();
    writeln!(std::io::stdout(), "the handler is there").unwrap();
    let (a, _b) = unix_pair();
    let seen = Cell::new(0);
    let hook = || match seen.replace(seen.get() + 1) {
        0..3 => Interrupt::Continue,
        _ => Interrupt::End,
    };
    let error = select_or_interrupted(&[&a], &[], &[], None, Some(&hook)).unwrap_err();
    assert!(error.is_stopped(), "{error}");
    assert_eq!(seen.get(), 4);
}
