//! What a conversation holds is seen before the system is asked, and half a message is not told for
//! ever.

use crate::help::*;
use switchboard::frame::{Decoder, Framing, Step};
use switchboard::select::select;
use switchboard::transport::{Faults, Faulty, pair, pair_with_capacity};
use switchboard::{Conversation, Received, Transport};

#[test]
fn a_second_message_of_one_read_is_seen_though_the_system_has_nothing() {
    let (a, b) = pair().unwrap();
    let mut conversation = over(a, "lines");
    b.write(b"one\ntwo\nthree\n").unwrap();
    for expected in ["one", "two", "three"] {
        assert_eq!(readers(&[&conversation]), [0]);
        assert_eq!(message(&mut conversation), expected.as_bytes());
        assert!(!looks(conversation.transport()).0, "the stream itself is empty");
    }
    assert_eq!(looks(&conversation), (false, true, false));
}

#[test]
fn what_the_system_has_is_told_beside_what_is_buffered() {
    let (mut a, mut to_a) = Conversation::pair("lines").unwrap();
    let (b, mut to_b) = Conversation::pair("lines").unwrap();
    let (c, _to_c) = Conversation::pair("lines").unwrap();
    to_a.send_many(["one", "two"]).unwrap();
    assert_eq!(message(&mut a), b"one");
    to_b.send(b"three").unwrap();
    assert_eq!(readers(&[&c, &b, &a]), [1, 2]);
}

#[test]
fn half_a_message_is_told_once() {
    let (a, b) = pair().unwrap();
    let mut conversation = over(a, "u32be");
    b.write(b"\x00\x00\x00\x05he").unwrap();
    assert_eq!(readers(&[&conversation]), [0], "bytes have come");
    assert!(is_pending(&mut conversation));
    assert!(!looks(&conversation).0, "and have been looked at");
    b.write(b"llo\x00\x00\x00\x05wor").unwrap();
    assert_eq!(readers(&[&conversation]), [0]);
    assert_eq!(message(&mut conversation), b"hello");
    // What is behind it has not been looked at: it could be whole.
    assert!(looks(&conversation).0);
    assert!(is_pending(&mut conversation));
    assert!(!looks(&conversation).0);
    b.write(b"ld").unwrap();
    assert_eq!(readers(&[&conversation]), [0]);
    assert_eq!(message(&mut conversation), b"world");
    assert!(!looks(&conversation).0);
}

/// The messages that are whole in `bytes`, by the decoder alone.
fn whole(framing: &str, bytes: &[u8]) -> usize {
    let mut decoder = Decoder::new(&Framing::parse(framing).unwrap());
    let (mut pos, mut count) = (0, 0);
    loop {
        match decoder.step(&bytes[pos..], false).unwrap() {
            Step::Frame(frame) => {
                pos += frame.whole.end;
                count += usize::from(!frame.more);
            }
            Step::Skipped(skipped) => pos += skipped.bytes,
            Step::Need(_) | Step::End => return count,
        }
    }
}

/// Whatever the chunks, a loop around `select` gets every whole message, and goes to sleep.
#[test]
fn no_cut_hides_a_message_or_makes_a_loop_spin() {
    let streams: [(&str, &[u8]); 6] = [
        ("lines", b"one\n\nthree\nfour and more\nhalf"),
        ("u32be", b"\0\0\0\x03one\0\0\0\0\0\0\0\x05three\0\0\0\x09ha"),
        ("netstring", b"3:one,0:,5:three,9:half"),
        ("fixed:3", b"onetwosixte"),
        // Fragments, joined; and messages that are too large, passed over.
        ("u8,&7f,last=80", b"\x02ab\x01c\x82de\x80\x81f\x02gh\x03a"),
        ("u8 max=3 oversize=discard", b"\x01a\x04abcd\x05abcde\x00\x01z\x05ab"),
    ];
    for (framing, bytes) in streams {
        for chunk in 1..=bytes.len() {
            let (a, b) = pair().unwrap();
            let mut conversation = over(a, framing);
            let (mut fed, mut got) = (0, 0);
            for chunk in bytes.chunks(chunk) {
                b.write(chunk).unwrap();
                fed += chunk.len();
                let before = got;
                let mut rounds = 0;
                while looks(&conversation).0 {
                    rounds += 1;
                    match conversation.try_recv().unwrap() {
                        Received::Message(_) => got += 1,
                        Received::Pending => {}
                        Received::Finished => panic!("{framing}: not finished"),
                    }
                    assert!(rounds <= got - before + 1, "{framing} in {chunk:?}: it spins");
                }
                assert_eq!(got, whole(framing, &bytes[..fed]), "{framing}, {fed} bytes");
            }
        }
    }
}

#[test]
fn an_ending_stays_told() {
    let (mut a, mut b) = Conversation::pair("lines").unwrap();
    b.send(b"last").unwrap();
    b.finish().unwrap();
    assert_eq!(readers(&[&a]), [0]);
    assert_eq!(message(&mut a), b"last");
    for _ in 0..3 {
        assert_eq!(looks(&a), (true, true, false));
        assert!(matches!(a.try_recv().unwrap(), Received::Finished));
    }
}

#[test]
fn an_error_behind_whole_messages_is_told_as_a_reader_and_then_among_the_errors() {
    let (a, b) = pair().unwrap();
    let mut conversation = over(a, "netstring");
    b.write(b"3:one,nonsense").unwrap();
    assert_eq!(readers(&[&conversation]), [0]);
    assert_eq!(message(&mut conversation), b"one");
    assert_eq!(looks(&conversation), (true, true, false), "nobody has looked at the rest yet");
    for _ in 0..2 {
        assert!(conversation.try_recv().unwrap_err().is_frame());
        assert_eq!(looks(&conversation), (true, true, true));
    }
}

#[test]
fn a_reset_is_told_and_truncation_too() {
    let (a, b) = pair().unwrap();
    let mut conversation = over(a, "u32be");
    b.write(b"\x00\x00").unwrap();
    assert_eq!(readers(&[&conversation]), [0]);
    assert!(is_pending(&mut conversation));
    b.finish().unwrap();
    assert_eq!(readers(&[&conversation]), [0]);
    assert!(conversation.try_recv().unwrap_err().is_truncated());

    let (a, b) = tcp_pair();
    let mut conversation = Conversation::over(a, &"u32be".parse().unwrap());
    b.reset().unwrap();
    let ready = select(&[&conversation], &[], &[&conversation], SOON).unwrap();
    assert_eq!((ready.readers, ready.errors), (vec![0], vec![0]));
    assert!(conversation.try_recv().unwrap_err().is_reset());
    assert_eq!(looks(&conversation), (true, true, true), "and from now on");
}

#[test]
fn what_a_blocked_send_read_ahead_is_seen() {
    let (a, b) = pair_with_capacity(64).unwrap();
    let (mut a, mut b) = (over(a, "lines"), over(b, "lines"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // First a message, so that it is there when `a` is told that there is room again.
            b.send(b"meanwhile").unwrap();
            assert_eq!(b.recv().unwrap().unwrap().len(), 10_000);
        });
        a.send(&[b'x'; 10_000]).unwrap();
    });
    assert!(!looks(a.transport()).0, "it has been read");
    assert_eq!(readers(&[&a]), [0]);
    assert_eq!(message(&mut a), b"meanwhile");
}

#[test]
fn bytes_looked_at_under_another_framing_are_looked_at_anew() {
    let (a, b) = pair().unwrap();
    let mut conversation = over(a, "lines");
    b.write(b"5:hello,").unwrap();
    assert_eq!(readers(&[&conversation]), [0]);
    assert!(is_pending(&mut conversation));
    assert!(!looks(&conversation).0);
    conversation.set_framing(&"netstring".parse().unwrap());
    assert!(looks(&conversation).0);
    assert_eq!(message(&mut conversation), b"hello");
}

#[test]
fn a_reader_with_pending_output_is_woken_to_write_it() {
    let (a, b) = pair_with_capacity(4).unwrap();
    let mut conversation = over(a, "lines");
    assert!(!looks(&conversation).0);
    conversation.queue(b"a reply").unwrap();
    let mut got = Vec::new();
    while got.len() < 8 {
        // Nothing has come to be read; a loop that only receives sends it all the same.
        assert_eq!(readers(&[&conversation]), [0]);
        assert!(is_pending(&mut conversation));
        assert_eq!(looks(&conversation), (false, false, false), "full: nothing moves");
        let mut buffer = [0; 8];
        let count = b.read(&mut buffer).unwrap();
        got.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(got, b"a reply\n");
    assert_eq!(looks(&conversation), (false, true, false));
}

#[test]
fn a_writer_is_ready_when_sending_moves_something() {
    let (a, b) = pair_with_capacity(4).unwrap();
    let mut conversation = over(a, "lines");
    assert_eq!(looks(&conversation), (false, true, false));
    assert!(conversation.try_send(b"much more").unwrap());
    assert_eq!(looks(&conversation), (false, false, false), "the stream is full");
    assert!(!conversation.try_send(b"again").unwrap());
    let mut buffer = [0; 4];
    b.read(&mut buffer).unwrap();
    assert_eq!(looks(&conversation), (true, true, false), "and as a reader: output is pending");
    assert!(!conversation.try_flush().unwrap());
    conversation.transport().reset().unwrap();
    assert!(conversation.try_flush().is_err());
    assert_eq!(looks(&conversation), (true, true, true), "sending says at once that it cannot be");
}

#[test]
fn halves_are_ready_each_in_its_list() {
    let (a, mut b) = Conversation::pair("lines").unwrap();
    let (mut receiving, sending) = a.split().unwrap();
    assert_eq!(looks(&receiving), (false, false, false));
    assert_eq!(looks(&sending), (false, true, false));
    b.send_many(["one", "two"]).unwrap();
    for _ in 0..2 {
        assert_eq!(looks(&receiving), (true, false, false));
        assert!(matches!(receiving.try_recv().unwrap(), Received::Message(_)));
    }
    assert_eq!(looks(&receiving), (false, false, false));
}

/// A transport that reads ahead by itself shows what it holds, also through another one.
#[test]
fn what_a_transport_holds_is_seen() {
    #[derive(Debug)]
    struct Holding(switchboard::transport::Pair);

    impl Transport for Holding {
        fn read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buffer)
        }
        fn write(&self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(bytes)
        }
        fn finish(&self) -> std::io::Result<()> {
            self.0.finish()
        }
        fn reset(&self) -> std::io::Result<()> {
            self.0.reset()
        }
        fn holds_input(&self) -> bool {
            true
        }
        fn read_descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
            self.0.read_descriptor()
        }
        fn write_descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
            self.0.write_descriptor()
        }
        fn local(&self) -> Option<switchboard::Endpoint> {
            None
        }
        fn remote(&self) -> Option<switchboard::Endpoint> {
            None
        }
        fn facts(&self) -> switchboard::transport::Facts {
            self.0.facts()
        }
    }

    let (a, _b) = pair().unwrap();
    let inner: Shared = std::sync::Arc::new(Holding(a));
    assert!(looks(&inner).0);
    let conversation = over(Faulty::new(inner, Faults::new(1)), "lines");
    assert!(looks(&conversation).0);
}
