//! What goes in and what comes out: every framing, every size, every cut.

use crate::help::*;
use switchboard::frame::Protocol;
use switchboard::server::{Limits, Reply, Service};
use switchboard::{Ending, Error, Message};

everywhere! {
    every_framing_is_echoed_under_every_dispatcher,
    an_opening_in_fixed_bytes_comes_before_the_frames,
    empty_messages_are_messages,
    messages_larger_than_every_buffer_are_echoed,
    many_small_messages_are_pipelined,
    a_client_may_send_a_byte_at_a_time,
    every_cut_gives_the_same_answers,
    several_replies_and_none,
    a_server_may_speak_first,
    a_coupled_protocol_is_followed,
    bytes_of_the_next_framing_may_be_there_already,
    a_long_line_is_answered_while_its_sender_waits,
    conversations_are_numbered_as_they_were_let_in,
}

pub(crate) fn echo() -> impl Fn(&[u8], &mut Reply<'_>) -> Result<(), Error> {
    |message, reply| reply.send(message)
}

/// Makes a message of a framing out of any bytes.
type MessageOf = fn(&[u8]) -> Vec<u8>;

/// Framings, and what makes a message of each.
fn framings() -> Vec<(&'static str, MessageOf)> {
    fn as_it_is(body: &[u8]) -> Vec<u8> {
        body.to_vec()
    }
    fn text(body: &[u8]) -> Vec<u8> {
        body.iter().map(|byte| b'a' + byte % 26).collect()
    }
    fn with_type(body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&b"T"[..], &len, body].concat()
    }
    fn mqtt(body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x30];
        let mut len = body.len();
        loop {
            let low = u8::try_from(len % 128).unwrap();
            len /= 128;
            packet.push(if len > 0 { low | 0x80 } else { low });
            if len == 0 {
                return [&packet[..], body].concat();
            }
        }
    }
    fn resp(body: &[u8]) -> Vec<u8> {
        [format!("*1\r\n${}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat()
    }
    vec![
        ("u32be", as_it_is),
        ("u16le", as_it_is),
        ("lines", text),
        ("netstring", as_it_is),
        ("x0b body x1c0d", text),
        ("type:1 len:u16be", with_type),
        ("mqtt", mqtt),
        ("resp", resp),
    ]
}

/// Writes all, half-closes, and gives the messages that came back.
fn ask(served: &Served, framing: &str, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let stream = served.connect();
    let received = exchange(&*stream, pieces).unwrap();
    decoded(framing, &received)
}

fn every_framing_is_echoed_under_every_dispatcher() {
    for case in cases() {
        for (framing, message_of) in framings() {
            let served = case.start(framing, &Limits::default(), echo);
            let mut random = Random::new(7);
            let sizes = [1, 2, 127, 128, 300, 5_000, 40_000, 1, 65_000, 17];
            let messages: Vec<Vec<u8>> =
                sizes.into_iter().map(|size| message_of(&random.bytes(size))).collect();
            let bytes = requests(framing, &messages);
            assert_eq!(ask(&served, framing, &[&bytes]), messages, "{case}, {framing}");
            let (first, rest) = bytes.split_at(3);
            assert_eq!(ask(&served, framing, &[first, rest]), messages, "{case}, {framing}");
            let stats = served.ended(Ending::Finished, 2);
            assert_eq!(stats.messages_received, 20, "{case}, {framing}");
            assert_eq!((stats.messages_sent, stats.queued_bytes), (20, 0), "{case}, {framing}");
            assert_eq!(stats.bytes_received, 2 * bytes.len() as u64, "{case}, {framing}");
            assert_eq!(stats.bytes_sent, 2 * bytes.len() as u64, "{case}, {framing}");
            served.stop();
        }
    }
}

fn an_opening_in_fixed_bytes_comes_before_the_frames() {
    let framing = "fixed:8 ; u16be";
    for case in cases() {
        let served = case.start(framing, &Limits::default(), echo);
        for _ in 0..2 {
            let messages = [&b"AMQP\0\0\x09\x01"[..], b"one", b"", b"two"];
            let bytes = requests(framing, &messages);
            let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(ask(&served, framing, &pieces), messages, "{case}");
        }
        served.ended(Ending::Finished, 2);
    }
}

fn empty_messages_are_messages() {
    for case in cases() {
        for framing in ["u32be", "lines", "netstring"] {
            let served = case.start(framing, &Limits::default(), echo);
            let messages = [&b""[..], b"", b"x", b""];
            let bytes = requests(framing, &messages);
            assert_eq!(ask(&served, framing, &[&bytes]), messages, "{case}, {framing}");
            served.ended(Ending::Finished, 1);
        }
    }
}

fn messages_larger_than_every_buffer_are_echoed() {
    for case in cases() {
        let served = case.start("u32be", &Limits::default(), echo);
        let mut messages = vec![pattern(1 << 20), b"small".to_vec(), pattern(5 << 20)];
        messages.extend([pattern(100_000), Vec::new(), pattern((5 << 20) + 1)]);
        let bytes = requests("u32be", &messages);
        let mut client = served.client();
        for message in &messages {
            assert!(client.request(message).unwrap().bytes() == &message[..], "{case}");
        }
        client.close().unwrap();
        let received = ask(&served, "u32be", &[&bytes]);
        assert!(received == messages, "{case}: pipelined");
        served.ended(Ending::Finished, 2);
    }
}

fn many_small_messages_are_pipelined() {
    for case in cases() {
        let served = case.start("lines", &Limits::default(), echo);
        let messages: Vec<_> = (0..20_000).map(|i| format!("message {i}").into_bytes()).collect();
        let bytes = requests("lines", &messages);
        assert!(ask(&served, "lines", &[&bytes]) == messages, "{case}");
        let stats = served.ended(Ending::Finished, 1);
        assert_eq!(stats.messages_sent, 20_000, "{case}");
    }
}

fn a_client_may_send_a_byte_at_a_time() {
    for case in cases() {
        let served = case.start("netstring", &Limits::default(), echo);
        let (mut client, mut sent) = (served.client(), 0);
        for message in [&b"one"[..], b"", b"and three"] {
            for byte in requests("netstring", &[message]) {
                write_all(&**client.transport(), &[byte]).unwrap();
                sent += 1;
                // So that the server sees each byte alone.
                served.wait_for("a byte", |stats| stats.bytes_received == sent);
            }
            assert_eq!(&*client.recv().unwrap().unwrap(), message, "{case}");
        }
    }
}

fn every_cut_gives_the_same_answers() {
    let messages = [&b"one"[..], b"", b"three"];
    for case in cases() {
        for framing in ["u16be", "lines", "netstring"] {
            let served = case.start(framing, &Limits::default(), echo);
            let bytes = requests(framing, &messages);
            for cut in 1..bytes.len() {
                let stream = served.connect();
                let before = served.stats().bytes_received;
                write_all(&*stream, &bytes[..cut]).unwrap();
                let read = before + cut as u64;
                served.wait_for("the first part", |stats| stats.bytes_received == read);
                write_all(&*stream, &bytes[cut..]).unwrap();
                stream.finish().unwrap();
                let received = decoded(framing, &read_to_end(&*stream, 7).unwrap());
                assert_eq!(received, messages, "{case}, {framing}, cut at {cut}");
            }
        }
    }
}

fn several_replies_and_none() {
    for case in cases() {
        let served = case.start("lines", &Limits::default(), || {
            |message: &[u8], reply: &mut Reply<'_>| {
                for _ in 0..std::str::from_utf8(message).unwrap().parse::<usize>().unwrap() {
                    reply.send(message)?;
                }
                Ok(())
            }
        });
        let bytes = requests("lines", &["0", "3", "0", "1", "2", "0"]);
        let expected = ["3", "3", "3", "1", "2", "2"].map(|reply| reply.as_bytes().to_vec());
        assert_eq!(ask(&served, "lines", &[&bytes]), expected, "{case}");
    }
}

/// Speaks first, and numbers what it hears.
struct Speaker(u32);

impl Service for Speaker {
    fn opened(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.send(b"220 welcome")?;
        reply.send(b"220 say something")
    }

    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        self.0 += 1;
        assert_eq!(message.number(), u64::from(self.0));
        let text = format!("{} {}", self.0, message.escape_ascii());
        reply.send(text.as_bytes())
    }
}

fn a_server_may_speak_first() {
    for case in cases() {
        let served = case.start("lines", &Limits::default(), || Speaker(0));
        let mut clients: Vec<_> = (0..3).map(|_| served.client()).collect();
        for client in &mut clients {
            assert_eq!(&*client.recv().unwrap().unwrap(), b"220 welcome", "{case}");
            assert_eq!(&*client.recv().unwrap().unwrap(), b"220 say something", "{case}");
        }
        for round in 1..4 {
            for client in &mut clients {
                let expected = format!("{round} hello");
                assert_eq!(&*client.request(b"hello").unwrap(), expected.as_bytes(), "{case}");
            }
        }
    }
}

fn a_coupled_protocol_is_followed() {
    let ssl_request = b"\0\0\0\x08\x04\xd2\x16\x2f";
    let startup = b"\0\0\0\x09\0\x03\0\0\0";
    let query = b"Q\0\0\0\x05\0";
    for case in cases() {
        let served = case.start("postgres", &Limits::default(), || {
            |message: &[u8], reply: &mut Reply<'_>| match message.len() {
                8 => reply.send(b"N"),
                9 => reply.send(b"R\0\0\0\x08\0\0\0\0"),
                _ => reply.send(b"Z\0\0\0\x05I"),
            }
        });
        // All at once: the framing of what lies in the buffer changes while it is read.
        let bytes = [&ssl_request[..], startup, query, query].concat();
        let stream = served.connect();
        let received = exchange(&*stream, &[&bytes]).unwrap();
        let expected = [&b"N"[..], b"R\0\0\0\x08\0\0\0\0", b"Z\0\0\0\x05I", b"Z\0\0\0\x05I"];
        assert_eq!(received, expected.concat(), "{case}");
        // And one after the other, two conversations at a time: neither has the other's stage.
        let mut clients = [served.client(), served.client()];
        for (request, expected) in [&ssl_request[..], startup, query].iter().zip(expected) {
            for client in &mut clients {
                assert_eq!(&*client.request(request).unwrap(), expected, "{case}");
            }
        }
    }
}

fn bytes_of_the_next_framing_may_be_there_already() {
    for case in cases() {
        let served = case.start("lines", &Limits::default(), || {
            |message: &[u8], reply: &mut Reply<'_>| {
                reply.send(message)?;
                match message {
                    b"binary" => reply.set_framing(&"u16be".parse::<Protocol>().unwrap()),
                    b"text" => reply.set_framing(&"lines".parse::<Protocol>().unwrap()),
                    _ => {}
                }
                Ok(())
            }
        });
        let bytes = b"a\nbinary\n\0\x01x\0\x04textb\nbinary\n\0\x00";
        for pieces in [bytes.chunks(bytes.len()), bytes.chunks(1), bytes.chunks(9)] {
            let pieces: Vec<&[u8]> = pieces.collect();
            let stream = served.connect();
            assert_eq!(exchange(&*stream, &pieces).unwrap(), bytes, "{case}");
        }
        served.ended(Ending::Finished, 3);
        // Another conversation begins with what the server began with.
        let mut client = served.client();
        assert_eq!(&*client.request(b"plain").unwrap(), b"plain", "{case}");
    }
}

/// A message without a length in front, larger than the buffers, whose end comes with the last
/// bytes there are: no end of stream helps it along.
fn a_long_line_is_answered_while_its_sender_waits() {
    for case in cases() {
        let served = case.start("lines", &Limits::default(), || {
            |message: &[u8], reply: &mut Reply<'_>| reply.send(message)
        });
        let mut client = served.client();
        for bytes in [60_000, 65_535, 65_536, 65_537, 100_000, 1_000_000] {
            let line = vec![b'x'; bytes];
            assert!(client.request(&line).unwrap().bytes() == line, "{case}: {bytes}");
        }
        client.close().unwrap();
    }
}

fn conversations_are_numbered_as_they_were_let_in() {
    for case in cases() {
        let served = case.start("lines", &Limits::default(), || {
            |_: &[u8], reply: &mut Reply<'_>| reply.send(reply.number().to_string().as_bytes())
        });
        let mut before = served.client();
        assert_eq!(&*before.request(b"which?").unwrap(), b"1", "{case}");
        for number in 2..20 {
            let mut client = served.client();
            let expected = number.to_string();
            assert_eq!(&*client.request(b"which?").unwrap(), expected.as_bytes(), "{case}");
            client.close().unwrap();
        }
        assert_eq!(&*before.request(b"and you?").unwrap(), b"1", "{case}");
        drop(before);
    }
}
