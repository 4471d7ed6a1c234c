//! How each conversation ended: told to its service and counted, under every dispatcher.

use crate::SHARES_MEMORY;
use crate::help::*;
use switchboard::server::{Limits, Reply, Service};
use switchboard::{Ending, Error, Fault, Message, Timeouts};

everywhere! {
    each_ending_is_told_as_it_was,
    a_service_that_closes_or_errs_is_told_that_it_stopped,
    a_reset_is_told,
    a_reset_in_the_middle_of_a_message_is_no_truncation,
    a_deadline_is_told,
    a_stop_is_told,
    the_reply_before_a_violation_outlives_what_is_sent_behind_it,
    a_violation_ends_one_conversation_only,
}

/// What `closed` was told.
pub(crate) type Told = Noted<Vec<(Ending, Option<Error>)>>;

/// Echoes, closes or errs when told to, and notes how it ended.
pub(crate) struct Noting(pub(crate) Told);

impl Service for Noting {
    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.send(&message)?;
        match message.bytes() {
            b"close" => reply.close(),
            b"large" => reply.send(&pattern(8 << 20))?,
            b"fail" => return Err(Error::caller("told to fail")),
            _ => {}
        }
        Ok(())
    }

    fn closed(&mut self, ending: Ending, error: Option<&Error>) {
        self.0.change(|told| told.push((ending, error.cloned())));
    }
}

/// One client sends these bytes and half-closes; what it reads, whether a reset is the last of it,
/// and how that ended.
fn ends(
    case: &Case,
    framing: &str,
    bytes: &[u8],
    ending: Ending,
) -> ((Vec<u8>, bool), Option<Error>) {
    let told = Told::new();
    let limits = Limits { message_bytes_max: Some(1000), ..Limits::default() };
    let served = case.start(framing, &limits, {
        let told = told.clone();
        move || Noting(told.clone())
    });
    let stream = served.connect();
    write_all(&*stream, bytes).unwrap();
    // It may have been told already.
    let _ = stream.finish();
    let received = read_out(&*stream, 1000);
    served.wait_for("the end", |stats| stats.open == 0);
    let counted = served.stats().endings;
    assert_eq!((counted.sum(), counted.count(ending)), (1, 1), "{case}, {framing}: {counted}");
    let told = the_one(&told);
    let (ended, error) = told.unwrap_or((ending, None));
    assert_eq!(ended, ending, "{case}, {framing}: {error:?}");
    (received, error)
}

/// The only ending that was told, where it can be heard of.
fn the_one(told: &Told) -> Option<(Ending, Option<Error>)> {
    if !SHARES_MEMORY {
        return None;
    }
    told.wait(|told| !told.is_empty());
    let mut told = std::mem::take(&mut *told.lock());
    assert_eq!(told.len(), 1);
    Some(told.remove(0))
}

fn each_ending_is_told_as_it_was() {
    let large = [&b"\0\x01a"[..], &[255; 10]].concat();
    let endings: [(&str, &[u8], &[u8], Ending); 8] = [
        ("u16be", b"\0\x01a", b"\0\x01a", Ending::Finished),
        ("u16be", b"", b"", Ending::Finished),
        ("u16be", b"\0\x01a\0\x05ab", b"\0\x01a", Ending::Truncated),
        ("u16be", &large, b"\0\x01a", Ending::Oversize),
        ("x0b body x1c0d", b"\x0ba\x1c\rxyz", b"\x0ba\x1c\r", Ending::BadPrefix),
        ("u16be,self", b"\0\x03a\0\x01", b"\0\x03a", Ending::BadLength),
        ("netstring", b"1:a,1:b;", b"1:a,", Ending::BadTrailer),
        (r#"type{"+": lines}"#, b"+a\nx", b"+a\n", Ending::BadType),
    ];
    for case in cases() {
        for (framing, sent, expected, ending) in endings {
            let (received, error) = ends(&case, framing, sent, ending);
            assert_eq!(received, (expected.to_vec(), false), "{case}, {framing}, {ending}");
            let is_error = SHARES_MEMORY && ending != Ending::Finished;
            assert_eq!(error.is_some(), is_error, "{case}, {ending}");
            if let Some(error) = error {
                assert_eq!(error.ending(), Some(ending), "{case}");
                assert_eq!(error.message_number(), Some(2), "{case}: {error}");
            }
        }
    }
}

fn a_service_that_closes_or_errs_is_told_that_it_stopped() {
    for case in cases() {
        let (received, error) = ends(&case, "lines", b"a\nclose\nb\n", Ending::Stopped);
        assert_eq!(received, (b"a\nclose\n".to_vec(), false), "{case}");
        assert!(error.is_none(), "{case}");
        let (received, error) = ends(&case, "lines", b"a\nfail\nb\n", Ending::Stopped);
        let expected = (b"a\nfail\n".to_vec(), case.has_resets());
        assert_eq!(received, expected, "{case}: what was queued before is delivered");
        let is_it = |error: Error| error.to_string().contains("told to fail");
        assert!(error.is_none_or(is_it), "{case}");
    }
}

/// A server with one client that has sent `bytes` and then breaks the stream, while the server has
/// something queued for it.
fn is_reset(case: &Case, bytes: &[u8]) {
    let told = Told::new();
    let served = case.start("u32be", &Limits::default(), {
        let told = told.clone();
        move || Noting(told.clone())
    });
    let (client, mut filled) = (served.client(), 0);
    served.wait_for("a queue", |stats| {
        filled += fill(&**client.transport(), &bytes[filled..]);
        stats.queued_bytes > 0
    });
    client.abort();
    served.ended(Ending::Reset, 1);
    if let Some((ending, error)) = the_one(&told) {
        let error = error.unwrap();
        assert_eq!((ending, error.fault()), (Ending::Reset, Fault::Peer), "{case}: {error}");
    }
}

fn a_reset_is_told() {
    for case in cases() {
        is_reset(&case, &requests("u32be", &["large"]));
    }
}

fn a_reset_in_the_middle_of_a_message_is_no_truncation() {
    // Whether a read or a write is told first. A stream that has no resets is only cut off.
    let bytes = requests("u32be", &vec![pattern(64 << 10); 400]);
    for case in cases().into_iter().filter(|case| case.over != Over::Unix) {
        is_reset(&case, &bytes);
    }
}

fn a_deadline_is_told() {
    // That of a message only: it begins when there is one, however late its sender is.
    let time = Some(std::time::Duration::from_millis(300));
    let timeouts = Timeouts { message: time, ..Timeouts::FOREVER };
    let limits = Limits { timeouts, ..Limits::default() };
    for case in cases() {
        let told = Told::new();
        let served = case.start("lines", &limits, {
            let told = told.clone();
            move || Noting(told.clone())
        });
        let stream = served.connect();
        write_all(&*stream, b"a\nha").unwrap();
        assert_eq!(read_to_end(&*stream, 100).unwrap(), b"a\n", "{case}");
        drop(stream);
        served.ended(Ending::TimedOut, 1);
        if let Some((ending, error)) = the_one(&told) {
            assert!(ending == Ending::TimedOut && error.unwrap().is_timeout(), "{case}");
        }
    }
}

fn a_stop_is_told() {
    for case in cases() {
        let told = Told::new();
        let served = case.start("lines", &Limits::default(), {
            let told = told.clone();
            move || Noting(told.clone())
        });
        let mut client = served.client();
        client.request(b"a").unwrap();
        let stats = std::thread::scope(|scope| {
            let stopping = scope.spawn(|| served.stop());
            assert!(client.recv().unwrap().is_none(), "{case}");
            client.close().unwrap();
            stopping.join().unwrap()
        });
        assert_eq!(stats.endings.count(Ending::Stopped), 1, "{case}");
        if let Some((ending, error)) = the_one(&told) {
            assert_eq!((ending, error.is_none()), (Ending::Stopped, true), "{case}");
        }
    }
}

fn the_reply_before_a_violation_outlives_what_is_sent_behind_it() {
    // A client may be slow on a busy machine.
    let limits = Limits { linger: PATIENCE, ..Limits::default() };
    for case in cases() {
        let served = case.start("netstring", &limits, || {
            |message: &[u8], reply: &mut Reply<'_>| reply.send(message)
        });
        let mut sent = 0;
        for garbage in [1, 1_000, 20_000] {
            let stream = served.connect();
            let bytes = [&b"5:hello,"[..], &vec![b'x'; garbage]].concat();
            write_all(&*stream, &bytes).unwrap();
            // More comes when the server has closed already: unread it would become a reset.
            sent += 8;
            served.wait_for("the reply", |stats| stats.bytes_sent == sent);
            for _ in 0..30 {
                write_all(&*stream, &[b'y'; 1_000]).unwrap();
            }
            let received = read_to_end(&*stream, 3).unwrap();
            assert_eq!(received, b"5:hello,", "{case}, {garbage}");
        }
        served.ended(Ending::BadPrefix, 3);
    }
}

fn a_violation_ends_one_conversation_only() {
    for case in cases() {
        let told = Told::new();
        let served = case.start("netstring", &Limits::default(), {
            let told = told.clone();
            move || Noting(told.clone())
        });
        let mut others: Vec<_> = (0..5).map(|_| served.client()).collect();
        for round in 0..5 {
            let stream = served.connect();
            write_all(&*stream, b"2:hi;").unwrap();
            read_to_end(&*stream, 10).unwrap();
            drop(stream);
            for other in &mut others {
                assert_eq!(&*other.request(b"still here").unwrap(), b"still here", "{case}");
            }
            served.wait_for("a violation", |stats| {
                stats.endings.count(Ending::BadTrailer) == round + 1
            });
        }
        let stats = served.wait_for("five", |stats| stats.open == 5);
        assert_eq!((stats.endings.sum(), stats.failed), (5, 0), "{case}");
    }
}
