//! Conversations through their public face: sending, receiving, endings, deadlines, halves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use switchboard::frame::{Fields, Protocol, Role};
use switchboard::session::Session;
use switchboard::transport::{Faults, Faulty, Interest, Tcp, Transport, Wait, pair};
use switchboard::{Conversation, Ending, Error, Received, Stopper, Timeouts};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn protocol(framing: &str) -> Protocol {
    framing.parse().unwrap()
}

/// Two conversations with each other, in memory.
fn two(framing: &str) -> (Conversation, Conversation) {
    let (a, b) = pair().unwrap();
    let protocol = protocol(framing);
    let client = Conversation::with_role(Arc::new(a), &protocol, Role::Client);
    (client, Conversation::with_role(Arc::new(b), &protocol, Role::Server))
}

/// A conversation over TCP and the bare socket at its other side.
fn with_socket(framing: &str) -> (Conversation, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let transport: Arc<dyn Transport> = Arc::new(Tcp::from(accepted));
    (Conversation::with_role(transport, &protocol(framing), Role::Server), socket)
}

#[test]
fn messages_arrive_whole_and_in_order() -> Result {
    let (mut client, mut server) = two("u32be");
    client.send_many([&b"one"[..], b"", b"three\0\xff"])?;
    assert_eq!(&*server.recv()?.unwrap(), b"one");
    let empty = server.recv()?.unwrap();
    assert_eq!((empty.bytes(), empty.number()), (&b""[..], 2));
    assert_eq!(server.recv_owned()?.unwrap(), b"three\0\xff");
    client.finish()?;
    assert!(server.recv()?.is_none());
    assert!(server.recv()?.is_none(), "the end is told again");
    Ok(())
}

#[test]
fn a_finished_side_still_receives() -> Result {
    let (mut client, mut server) = two("lines");
    client.send(b"the only question")?;
    client.finish()?;
    assert!(server.recv()?.is_some());
    assert!(server.recv()?.is_none());
    server.send_many(["an", "answer"])?;
    server.close()?;
    let answers: std::result::Result<Vec<_>, Error> = client.messages().collect();
    assert_eq!(answers?, [b"an".to_vec(), b"answer".to_vec()]);
    let error = client.send(b"more").unwrap_err();
    assert!(error.is_caller(), "{error}");
    Ok(())
}

#[test]
fn queued_output_goes_out_before_waiting_for_input() -> Result {
    let (mut client, mut server) = two("netstring");
    let echo = thread::spawn(move || -> Result {
        while let Some(message) = server.recv_owned()? {
            server.queue(&message)?;
        }
        Ok(server.close()?)
    });
    client.queue(b"never flushed by hand")?;
    assert_eq!(&*client.recv()?.unwrap(), b"never flushed by hand");
    client.finish()?;
    assert!(client.recv()?.is_none());
    echo.join().unwrap()
}

#[test]
fn truncated_carries_what_arrived() -> Result {
    let (mut conversation, mut socket) = with_socket("u32be");
    socket.write_all(b"\0\0\0\x02ok\0\0\0\x09half")?;
    drop(socket);
    assert_eq!(&*conversation.recv()?.unwrap(), b"ok");
    for _ in 0..2 {
        let error = conversation.recv().unwrap_err();
        assert_eq!(error.ending(), Some(Ending::Truncated), "{error}");
        assert_eq!(error.partial(), b"\0\0\0\x09half");
        assert_eq!(error.message_number(), Some(2));
        let frame = error.frame_error().unwrap();
        assert_eq!((frame.offset(), frame.have(), frame.need()), (6, Some(8), Some(13)));
    }
    Ok(())
}

#[test]
fn a_reset_is_no_end_and_loses_no_message_before_it() -> Result {
    let (mut conversation, mut socket) = with_socket("lines");
    socket.write_all(b"whole\nhalf")?;
    let socket: Arc<dyn Transport> = Arc::new(Tcp::from(socket));
    assert_eq!(&*conversation.recv()?.unwrap(), b"whole");
    socket.reset()?;
    drop(socket);
    let error = conversation.recv().unwrap_err();
    assert_eq!(error.ending(), Some(Ending::Reset), "{error}");
    assert_eq!(error.partial(), b"half");
    Ok(())
}

#[test]
fn a_broken_frame_is_told_behind_the_whole_ones() -> Result {
    let (mut conversation, mut socket) = with_socket("netstring");
    socket.write_all(b"2:ok,x")?;
    assert_eq!(&*conversation.recv()?.unwrap(), b"ok");
    let error = conversation.recv().unwrap_err();
    assert_eq!(error.ending(), Some(Ending::BadPrefix));
    assert_eq!(error.byte_offset(), Some(5));
    Ok(())
}

#[test]
fn a_timeout_loses_nothing() -> Result {
    let (mut conversation, mut socket) = with_socket("u32be");
    conversation.set_timeouts(Timeouts::all(Duration::from_millis(5)));
    let idle = conversation.recv().unwrap_err();
    assert!(idle.is_timeout(), "{idle}");
    socket.write_all(b"\0\0\0\x04ha")?;
    let mut timeouts = 0;
    while timeouts < 3 {
        let error = conversation.recv().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        timeouts += 1;
    }
    socket.write_all(b"lf")?;
    let half = loop {
        match conversation.recv() {
            Ok(message) => break message.unwrap().to_vec(),
            Err(error) => assert!(error.is_timeout(), "{error}"),
        }
    };
    assert_eq!(half, b"half");
    Ok(())
}

#[test]
fn a_late_reply_is_not_taken_for_that_of_another_request() -> Result {
    let (mut client, mut server) = two("lines");
    client.set_timeouts(Timeouts::all(Duration::from_millis(20)));
    assert!(client.request(b"slow").is_err_and(|error| error.ending() == Some(Ending::TimedOut)));
    client.set_timeouts(Timeouts::FOREVER);
    let error = client.request(b"next").unwrap_err();
    assert!(error.is_caller() && error.to_string().contains("receive it first"), "{error}");

    let question = server.recv_owned()?.unwrap();
    server.send(&question)?;
    assert_eq!(&*client.recv()?.unwrap(), b"slow");
    server.send(b"two")?;
    assert_eq!(&*client.request(b"next")?, b"two");
    Ok(())
}

#[test]
fn a_message_half_out_poisons_the_sender() -> Result {
    let (mut conversation, socket) = with_socket("u32be");
    let forever = Timeouts::FOREVER;
    conversation.set_timeouts(Timeouts { stall: Some(Duration::from_millis(20)), ..forever });
    let large = vec![7; 16 << 20];
    let error = conversation.send(&large).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().contains("16777220 bytes were sent"), "{error}");
    let again = conversation.send(b"small").unwrap_err();
    assert!(again.to_string().contains("nothing can be sent behind it"), "{again}");
    drop(socket);
    Ok(())
}

#[test]
fn a_message_of_which_nothing_went_may_be_sent_again() -> Result {
    let (a, b) = switchboard::transport::pair_with_capacity(8)?;
    let protocol = protocol("u32be");
    let mut client = Conversation::over(Arc::new(a), &protocol);
    let mut server = Conversation::over(Arc::new(b), &protocol);
    let forever = Timeouts::FOREVER;
    client.set_timeouts(Timeouts { stall: Some(Duration::from_millis(5)), ..forever });
    client.send(b"full")?;
    let error = client.send(b"later").unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains("nothing of the message"), "{error}");
    assert_eq!(&*server.recv()?.unwrap(), b"full");
    client.send(b"now")?;
    assert_eq!(&*server.recv()?.unwrap(), b"now");
    Ok(())
}

#[test]
fn two_that_both_send_first_do_not_block_each_other() -> Result {
    let (mut a, mut b) = two("u32be");
    let message = vec![1; 300_000];
    let copy = message.clone();
    let other = thread::spawn(move || -> Result<Vec<u8>> {
        b.send(&copy)?;
        Ok(b.recv_owned()?.unwrap())
    });
    a.send(&message)?;
    assert_eq!(a.recv_owned()?.unwrap(), message);
    assert_eq!(other.join().unwrap()?, message);
    Ok(())
}

#[test]
fn a_stopper_wakes_a_blocked_call_and_loses_nothing() -> Result {
    let (mut client, mut server) = two("u32be");
    let stopper = client.stopper()?;
    let blocked = thread::spawn(move || (client.recv().unwrap_err(), client));
    stopper.stop();
    let (error, mut client) = blocked.join().unwrap();
    assert_eq!(error.ending(), Some(Ending::Stopped), "{error}");
    client.set_stopper(&Stopper::new()?);
    server.send(b"after")?;
    assert_eq!(&*client.recv()?.unwrap(), b"after");
    Ok(())
}

#[test]
fn try_calls_never_wait() -> Result {
    let (a, b) = switchboard::transport::pair_with_capacity(16)?;
    let protocol = protocol("u8");
    let mut client = Conversation::over(Arc::new(a), &protocol);
    let mut server = Conversation::over(Arc::new(b), &protocol);
    assert!(matches!(server.try_recv()?, Received::Pending));
    assert!(client.try_send(b"0123456789")?);
    assert!(client.try_send(b"0123456789")?, "accepted; the rest goes out later");
    assert!(!client.try_send(b"0123456789")?, "the peer is slow");
    let Received::Message(message) = server.try_recv()? else { panic!("a message") };
    assert_eq!(&*message, b"0123456789");
    assert!(client.try_flush()?);
    assert!(matches!(server.try_recv()?, Received::Message(_)));
    client.finish()?;
    assert!(matches!(server.try_recv()?, Received::Finished));
    Ok(())
}

#[test]
fn halves_work_in_two_threads_and_join_again() -> Result {
    let (client, mut server) = two("lines");
    let (mut receiving, mut sending) = client.split()?;
    let reader = thread::spawn(move || -> Result<_> {
        let mut lines = Vec::new();
        for _ in 0..1000 {
            lines.push(receiving.recv_owned()?.unwrap());
        }
        Ok((receiving, lines))
    });
    let echo = thread::spawn(move || -> Result<Conversation> {
        for _ in 0..1000 {
            let line = server.recv_owned()?.unwrap();
            server.queue(&line)?;
        }
        server.flush()?;
        Ok(server)
    });
    for i in 0..1000 {
        sending.send(format!("line {i}").as_bytes())?;
    }
    let (receiving, lines) = reader.join().unwrap()?;
    assert!(lines.iter().enumerate().all(|(i, line)| *line == format!("line {i}").into_bytes()));
    let mut server = echo.join().unwrap()?;
    let mut client = receiving.join(sending)?;
    client.send(b"whole again")?;
    assert_eq!(&*server.recv()?.unwrap(), b"whole again");
    Ok(())
}

#[test]
fn a_coupled_protocol_is_not_split() {
    let (client, _server) = two("postgres");
    let error = client.split().unwrap_err();
    assert!(error.to_string().contains("coupled"), "{error}");
}

#[test]
fn framing_switches_and_keeps_buffered_bytes() -> Result {
    let (mut conversation, mut socket) = with_socket("lines");
    socket.write_all(b"AUTH\n\0\0\0\x02ok\0\0\0\x01!rest")?;
    assert_eq!(&*conversation.recv()?.unwrap(), b"AUTH");
    conversation.set_framing(&protocol("u32be"));
    assert_eq!(&*conversation.recv()?.unwrap(), b"ok");
    let message = conversation.recv()?.unwrap();
    assert_eq!((message.bytes(), message.offset()), (&b"!"[..], 11));
    let (_transport, unread) = conversation.into_parts()?;
    assert_eq!(unread, b"rest");
    Ok(())
}

#[test]
fn fragments_are_one_message() -> Result {
    let (mut conversation, mut socket) = with_socket("sunrpc");
    socket.write_all(b"\0\0\0\x02ab\x80\0\0\x01c\x80\0\0\x01d")?;
    let message = conversation.recv()?.unwrap();
    assert_eq!((message.bytes(), message.offset(), message.frame_bytes()), (&b"abc"[..], 0, 11));
    let message = conversation.recv()?.unwrap();
    assert_eq!((message.bytes(), message.offset(), message.number()), (&b"d"[..], 11, 2));
    Ok(())
}

#[test]
fn fields_travel() -> Result {
    let (mut client, mut server) = two("mqtt");
    let fields = Fields::new().bytes("type", b"\x30");
    client.send_with(&fields, b"\0\x01tpayload")?;
    let message = server.recv()?.unwrap();
    assert_eq!(message.bytes(), b"\x30\x0a\0\x01tpayload");
    assert_eq!(message.field("type"), Some(switchboard::frame::Field::Bytes(b"\x30")));
    assert_eq!(message.field("len"), Some(switchboard::frame::Field::Integer(10)));
    Ok(())
}

#[test]
fn what_cannot_be_written_is_not_sent() -> Result {
    let (mut client, mut server) = two("lines");
    client.queue(b"fine")?;
    let error = client.send(b"two\nlines").unwrap_err();
    assert!(error.is_caller(), "{error}");
    let error = client.send_many(["good", "bad\n", "never"]).unwrap_err();
    assert!(error.is_caller(), "{error}");
    client.finish()?;
    let got: std::result::Result<Vec<_>, Error> = server.messages().collect();
    assert_eq!(got?, [b"fine".to_vec(), b"good".to_vec()]);
    Ok(())
}

#[test]
fn messages_larger_than_memory_pass_through() -> Result {
    let (mut client, mut server) = two("u32be max=1g");
    let len = 40 << 20;
    let sender = thread::spawn(move || -> Result<Conversation> {
        client.send_from(&mut std::io::repeat(b'z'), len)?;
        client.send(b"behind")?;
        Ok(client)
    });
    let mut counter = Counter::default();
    assert_eq!(server.recv_to(&mut counter)?, Some(len));
    assert_eq!((counter.bytes, counter.other), (len, 0));
    assert_eq!(&*server.recv()?.unwrap(), b"behind");
    let client = sender.join().unwrap()?;
    client.close()?;
    assert_eq!(server.recv_to(&mut counter)?, None);
    Ok(())
}

#[test]
fn a_streamed_message_that_breaks_off_is_truncated() -> Result {
    let (mut conversation, mut socket) = with_socket("u32be");
    socket.write_all(b"\0\0\0\x09half")?;
    drop(socket);
    let mut counter = Counter::default();
    let error = conversation.recv_to(&mut counter).unwrap_err();
    assert_eq!(error.ending(), Some(Ending::Truncated), "{error}");
    let frame = error.frame_error().unwrap();
    assert_eq!((frame.have(), frame.need()), (Some(8), Some(13)));
    Ok(())
}

#[derive(Default)]
struct Counter {
    bytes: u64,
    other: u64,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes += bytes.len() as u64;
        self.other += bytes.iter().filter(|byte| **byte != b'z').count() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// H8, H17: one byte a call, an interrupt at every call, no readiness at every other: the same.
#[test]
fn nasty_transports_give_the_same_messages() -> Result {
    let messages: Vec<Vec<u8>> =
        (0..60usize).map(|i| vec![i.to_le_bytes()[0]; i * 7 % 90]).collect();
    let nasty = [
        Faults::new(1).bytes_per_call(1),
        Faults::new(2).bytes_per_call(1).interrupts(1000).would_blocks(500),
        Faults::new(3).cuts().would_blocks(500),
        Faults::new(4).cuts().glue(500).interrupts(500),
    ];
    for framing in ["u32be", "netstring", "u16le", "type:1 len:uleb4 deliver=body", "crlf"] {
        for faults in nasty {
            let (a, b) = pair()?;
            let faulty = Arc::new(Faulty::new(Arc::new(a), faults));
            let protocol = protocol(framing);
            let mut client = Conversation::over(faulty, &protocol);
            let server = Conversation::over(Arc::new(b), &protocol);
            let fields = Fields::new().bytes("type", b"t");
            let clean: Vec<Vec<u8>> =
                messages
                    .iter()
                    .map(|m| {
                        if framing == "crlf" {
                            m.iter().map(|b| b | 64).collect()
                        } else {
                            m.clone()
                        }
                    })
                    .collect();
            let expected = clean.clone();
            let echo = thread::spawn(move || -> Result {
                let mut server = server;
                let fields = Fields::new().bytes("type", b"t");
                while let Some(message) = server.recv_owned()? {
                    match framing.starts_with("type") {
                        true => server.send_with(&fields, &message)?,
                        false => server.send(&message)?,
                    }
                }
                Ok(server.close()?)
            });
            for message in &clean {
                match framing.starts_with("type") {
                    true => client.send_with(&fields, message)?,
                    false => client.send(message)?,
                }
            }
            client.finish()?;
            let got: std::result::Result<Vec<_>, Error> = client.messages().collect();
            assert_eq!(got?, expected, "{framing} {faults:?}");
            echo.join().unwrap()?;
        }
    }
    Ok(())
}

/// What came of a message buys it time, but none to fall silent in.
#[test]
fn the_least_rate_lets_slow_messages_through_and_no_silent_ones() {
    let timeouts = Timeouts {
        message: Some(Duration::from_secs(10)),
        rate_min: std::num::NonZeroU32::new(100),
        ..Timeouts::default()
    };
    let mut session = Session::new(&"u32be".parse().unwrap(), Role::Server);
    let start = switchboard::deadline::now();
    let mut receive = |bytes: &[u8], seconds: u64| {
        session.receive_space(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        session.handle_received(bytes.len());
        session.poll().unwrap();
        let deadline = session.poll_deadline(&timeouts, start + Duration::from_secs(seconds));
        deadline.unwrap() - start
    };
    assert_eq!(receive(&[0, 1, 0, 0], 0), Duration::from_secs(10));
    // A byte a second buys next to nothing.
    assert_eq!(receive(&[7], 1), Duration::from_millis(10_010));
    // Much buys much, and is waited behind as long as at the beginning.
    assert_eq!(receive(&[7; 4_000], 2), Duration::from_secs(12));
    assert_eq!(receive(&[7], 11), Duration::from_secs(21));
}

/// There is nobody to be told of the end, which is the other side's doing.
#[test]
fn to_finish_a_stream_that_was_reset_is_told_as_a_reset() {
    let listener = switchboard::Listener::listen("127.0.0.1:0").unwrap();
    let endpoint = listener.endpoints()[0].to_string();
    let mut client = Conversation::connect(&endpoint, "lines").unwrap();
    listener.accept(&Wait::FOREVER).unwrap().reset().unwrap();
    client.transport().wait(Interest::READ, &Wait::FOREVER).unwrap();
    let error = client.finish().unwrap_err();
    assert!(error.is_reset(), "{error}");
}
