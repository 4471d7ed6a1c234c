//! The same faults in process: a transport under a plan.

use crate::help::{plan, protocol, told};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use switchboard::frame::Role;
use switchboard::transport::fault::{Injected, Record};
use switchboard::transport::{Pair, Transport, pair};
use switchboard::{Conversation, Timeouts, deadline};

type Records = Arc<Mutex<Vec<Record>>>;

/// A client's end with faults, the other end, what is told.
fn ends(framing: &str, faults: &[&str]) -> (Arc<Injected>, Pair, Records) {
    let (ours, theirs) = pair().unwrap();
    let records = Records::default();
    let told = Arc::clone(&records);
    let report = move |record| told.lock().unwrap().push(record);
    let plan = plan(framing, faults);
    let protocol = protocol(framing);
    let inner: Arc<dyn Transport> = Arc::new(ours);
    let ours = Injected::new(inner, Role::Client, &plan, protocol.as_ref(), 7, 1, report);
    (Arc::new(ours), theirs, records)
}

#[test]
fn a_conversation_sees_what_a_plan_says() {
    let (ours, theirs, records) = ends("lines", &["drop@c2s msg:2", "dup@s2c msg:1"]);
    let lines = protocol("lines").unwrap();
    let mut client = Conversation::with_role(ours, &lines, Role::Client);
    let mut server = Conversation::with_role(Arc::new(theirs), &lines, Role::Server);
    for message in ["one", "two", "three"] {
        client.send(message.as_bytes()).unwrap();
    }
    assert_eq!(&*server.recv().unwrap().unwrap(), b"one");
    assert_eq!(&*server.recv().unwrap().unwrap(), b"three");
    server.send(b"reply").unwrap();
    for _ in 0..2 {
        assert_eq!(&*client.recv().unwrap().unwrap(), b"reply");
    }
    let told = told(&records.lock().unwrap());
    assert_eq!(told, ["c2s 2 @4: left out 4 bytes", "s2c 1 @0: 2 times in all"]);
}

#[test]
fn a_wait_is_woken_when_the_time_of_a_fault_has_come() {
    let (ours, theirs, _) = ends("lines", &["delay(60ms)@s2c", "split(every=2, gap=10ms)@s2c"]);
    let lines = protocol("lines").unwrap();
    let mut client = Conversation::with_role(ours, &lines, Role::Client);
    let began = deadline::now();
    theirs.write(b"hello\n").unwrap();
    assert_eq!(&*client.recv().unwrap().unwrap(), b"hello");
    assert!(began.elapsed() >= Duration::from_millis(80));
}

#[test]
fn a_reset_is_seen_at_both_ends() {
    let (ours, theirs, _) = ends("lines", &["reset@c2s msg:2"]);
    ours.write(b"one\ntwo\n").unwrap();
    let error = ours.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let error = theirs.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_blackhole_leaves_a_client_to_its_deadline() {
    let (ours, _theirs, _) = ends("lines", &["blackhole@c2s"]);
    let lines = protocol("lines").unwrap();
    let timeouts = Timeouts { idle: Some(Duration::from_millis(30)), ..Timeouts::default() };
    let mut client = Conversation::with_role(ours, &lines, Role::Client).with_timeouts(timeouts);
    client.send(b"anyone?").unwrap();
    assert!(client.recv().unwrap_err().is_timeout());
}

#[test]
fn the_end_passes_both_ways() {
    let (ours, theirs, _) = ends("", &["slow-close(20ms)@c2s"]);
    ours.write(b"a").unwrap();
    ours.finish().unwrap();
    let mut buffer = [0; 8];
    assert_eq!(theirs.read(&mut buffer).unwrap(), 1);
    assert_eq!(theirs.read(&mut buffer).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    theirs.finish().unwrap();
    assert_eq!(ours.read(&mut buffer).unwrap(), 0);
    while !ours.flush().unwrap() {}
    assert_eq!(theirs.read(&mut buffer).unwrap(), 0);
}
