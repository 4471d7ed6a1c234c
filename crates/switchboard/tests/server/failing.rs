//! A service that fails: its peer has all that was answered before, and then a reset.

use crate::help::*;
use switchboard::server::{Limits, Reply};
use switchboard::transport::Interest;
use switchboard::{Ending, Error, Transport};

everywhere! {
    whatever_was_answered_is_read_before_the_reset,
    who_reads_late_has_it_all_too,
    who_reads_only_when_it_has_said_all_has_it_all_too,
    who_never_reads_is_told_when_the_time_is_over,
    a_failure_behind_a_close_is_told_too,
}

const LARGE: usize = 4 << 20;

/// Answers with the pattern, and fails: in one way or the other.
fn fails(message: &[u8], reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.send(&pattern(LARGE))?;
    match message {
        b"panic" => std::panic::panic_any("on purpose"),
        b"close" => reply.close(),
        b"wait" => return Ok(()),
        _ => {}
    }
    Err(Error::caller("on purpose"))
}

/// Enough for a client on a machine that is busy with much else.
fn patient() -> Limits {
    Limits { linger: PATIENCE, ..Limits::default() }
}

/// How much of it the system has that was not read yet.
fn arrived(stream: &dyn Transport) -> usize {
    let count = rustix::io::ioctl_fionread(stream.read_descriptor().unwrap()).unwrap();
    count.try_into().unwrap()
}

/// What its client reads.
fn answer() -> Vec<u8> {
    requests("u32be", &[pattern(LARGE)])
}

fn whatever_was_answered_is_read_before_the_reset() {
    let expected = answer();
    for case in cases() {
        for (request, bite) in [("fail", 1 << 20), ("fail", 5_000), ("panic", 100_000)] {
            let served = case.start("u32be", &patient(), || fails);
            let stream = served.connect();
            write_all(&*stream, &requests("u32be", &[request])).unwrap();
            let (received, is_reset) = read_out(&*stream, bite);
            assert!(received == expected, "{case}, {request}: {} bytes", received.len());
            assert_eq!(is_reset, case.has_resets(), "{case}, {request}");
            drop(stream);
            served.ended(Ending::Stopped, 1);
        }
    }
}

fn who_reads_late_has_it_all_too() {
    let expected = answer();
    for case in cases().into_iter().filter(|case| case.over == Over::Tcp) {
        let served = case.start("u32be", &patient(), || fails);
        let stream = served.connect();
        write_all(&*stream, &requests("u32be", &["fail"])).unwrap();
        // Reads until the rest of it is in this system, and then waits for the server to be done.
        let (mut received, mut buffer) = (Vec::new(), vec![0; 1_000]);
        while received.len() + arrived(&*stream) < expected.len() {
            let count = read_some(&*stream, &mut buffer).unwrap();
            received.extend_from_slice(&buffer[..count]);
        }
        served.ended(Ending::Stopped, 1);
        let (rest, is_reset) = read_out(&*stream, 1_000);
        received.extend(rest);
        assert!(received == expected && is_reset, "{case}: {} bytes", received.len());
    }
}

fn who_reads_only_when_it_has_said_all_has_it_all_too() {
    // More than this client's system takes unread, and less than the server's system holds.
    let answer = pattern(200_000);
    let much = requests("u32be", &[&answer, &pattern(LARGE)]);
    for case in cases().into_iter().filter(|case| case.over == Over::Tcp) {
        let served = case.start("u32be", &patient(), || {
            |message: &[u8], reply: &mut Reply<'_>| {
                reply.send(message)?;
                Err(Error::caller("on purpose"))
            }
        });
        let stream = served.connect();
        let socket = stream.read_descriptor().unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(socket, 16_384).unwrap();
        write_all(&*stream, &much).unwrap();
        stream.finish().unwrap();
        let (received, is_reset) = read_out(&*stream, 100_000);
        let expected = requests("u32be", &[&answer]);
        assert!(received == expected && is_reset, "{case}: {} bytes", received.len());
    }
}

fn who_never_reads_is_told_when_the_time_is_over() {
    let mut limits = Limits::default();
    limits.timeouts.stall = Some(std::time::Duration::from_millis(200));
    for case in cases().into_iter().filter(|case| case.over == Over::Tcp) {
        let served = case.start("u32be", &limits, || {
            |message: &[u8], reply: &mut Reply<'_>| {
                (0..4).try_for_each(|_| reply.send(&pattern(LARGE)))?;
                fails(message, reply)
            }
        });
        let stream = served.connect();
        write_all(&*stream, &requests("u32be", &["fail"])).unwrap();
        served.ended(Ending::Stopped, 1);
        assert!(read_out(&*stream, 10_000).1, "{case}");
    }
}

fn a_failure_behind_a_close_is_told_too() {
    let expected = answer();
    for case in cases() {
        let served = case.start("u32be", &patient(), || fails);
        let stream = served.connect();
        write_all(&*stream, &requests("u32be", &["close"])).unwrap();
        assert!(ready(&*stream, Interest::READ).read);
        let (received, is_reset) = read_out(&*stream, 50_000);
        assert!(received == expected, "{case}: {} bytes", received.len());
        assert_eq!(is_reset, case.has_resets(), "{case}");
        drop(stream);
        assert_eq!(served.ended(Ending::Stopped, 1).failed, 1, "{case}");
    }
}
