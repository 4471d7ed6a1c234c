//! Signals that interrupt a wait.
//!
//! A signal to a process goes to its first thread, and the harness runs tests in others. So the
//! test starts this program again for one test, which a single test thread runs in the first one.

use crate::help::{is_child, own_process};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use switchboard::transport::{Interest, Interrupt, Wait, Woken, pair};
use switchboard::{
    ConnectOptions, Conversation, Endpoint, ListenOptions, Listener, Timeouts, Transport, deadline,
};

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
        // One that comes before the wait has begun interrupts nothing, so there are many.
        let _ = kill_process(pid, Signal::USR1);
        std::thread::yield_now();
    };
    assert!(status.success(), "{status}");
}

/// Whether this is the process that is to be interrupted; then it can be from here on.
fn is_interrupted() -> bool {
    if !is_child() {
        return false;
    }
    let noted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, noted).unwrap();
    let told = writeln!(std::io::stdout(), "the handler is there");
    told.unwrap();
    true
}

#[test]
fn the_hook_sees_each_signal_and_can_end_the_wait() {
    if !is_interrupted() {
        return check("interrupt::the_hook_sees_each_signal_and_can_end_the_wait");
    }
    let (a, _b) = pair().unwrap();
    let seen = AtomicU32::new(0);
    let hook = || match seen.fetch_add(1, Ordering::Relaxed) {
        0..3 => Interrupt::Continue,
        _ => Interrupt::End,
    };
    let until = Wait { on_interrupt: Some(&hook), ..Wait::FOREVER };
    assert_eq!(a.wait(Interest::READ, &until).unwrap(), Woken::Interrupted);
    assert_eq!(seen.load(Ordering::Relaxed), 4);
}

#[test]
fn without_a_hook_signals_are_never_seen() {
    if !is_interrupted() {
        return check("interrupt::without_a_hook_signals_are_never_seen");
    }
    // The other test shows that signals do hit a wait like this one.
    let (a, _b) = pair().unwrap();
    let until = deadline::after(Duration::from_millis(100)).unwrap();
    let woken = a.wait(Interest::READ, &Wait::until(until)).unwrap();
    assert_eq!(woken, Woken::Deadline);
    assert!(deadline::now() >= until);
}

#[test]
fn signals_make_no_deadline_of_a_conversation_early_or_endless() {
    if !is_interrupted() {
        return check("interrupt::signals_make_no_deadline_of_a_conversation_early_or_endless");
    }
    // Over a socket, where a read waits.
    let listener = Listener::listen("127.0.0.1:0").unwrap();
    let endpoint = listener.endpoints()[0].to_string();
    let mut client = Conversation::connect(&endpoint, "u32be").unwrap();
    let mut server = listener.accept_conversation(&"u32be".parse().unwrap()).unwrap();
    let time = Duration::from_millis(200);
    server.set_timeouts(Timeouts::all(time));
    let begin = deadline::now();
    assert!(server.recv().unwrap_err().is_timeout());
    assert!(deadline::now() >= begin + time);
    client.send(b"hello").unwrap();
    assert_eq!(&*server.recv().unwrap().unwrap(), b"hello");
}

#[test]
fn a_hook_can_end_connecting() {
    if !is_interrupted() {
        return check("interrupt::a_hook_can_end_connecting");
    }
    // A Unix listener whose queue is full, so that connecting waits.
    let path = std::env::temp_dir().join(format!("swb-interrupt-{}", std::process::id()));
    let endpoint = Endpoint::unix(&path);
    let _listener = Listener::bind(&endpoint, &ListenOptions::default().with_backlog(0)).unwrap();
    let options = ConnectOptions::default().with_timeout(None).with_on_interrupt(|| Interrupt::End);
    let mut connected = Vec::new();
    let error = loop {
        match endpoint.connect(&options) {
            Ok(transport) => connected.push(transport),
            Err(error) => break error,
        }
    };
    assert!(error.is_stopped(), "{error}");
}
