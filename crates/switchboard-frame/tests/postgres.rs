//! The coupled `postgres`: the two streams of a conversation, in the order they pass.

use switchboard_frame::{Decoder, Encoder, Protocol, Role, Step, Switch};

const SSL: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";
const CANCEL: &[u8] = b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02";
const STARTUP: &[u8] = b"\0\0\0\x11\0\x03\0\0user\0me\0\0";
const QUERY: &[u8] = b"Q\0\0\0\x0dselect 1\0";
const AUTH_OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const NOTICE: &[u8] = b"N\0\0\0\x05\0";
const STATUS: &[u8] = b"S\0\0\0\x08a\0b\0";
const COPY_IN: &[u8] = b"G\0\0\0\x07\0\0\0";
const ERROR: &[u8] = b"E\0\0\0\x09SFAT\0";

/// Both directions of a conversation, decoded and coupled as a tap does it.
struct Tap {
    coupler: switchboard_frame::Coupler,
    decoders: [Decoder; 2],
    /// Bytes of each direction that are not consumed yet.
    unread: [Vec<u8>; 2],
    why: Option<&'static str>,
}

impl Tap {
    fn new() -> Tap {
        let protocol: Protocol = "postgres".parse().expect("a preset");
        Tap {
            coupler: protocol.coupler(),
            decoders: [Role::Client, Role::Server].map(|r| Decoder::new(protocol.framing(r))),
            unread: [Vec::new(), Vec::new()],
            why: None,
        }
    }

    /// `bytes` come from `writer`, one at a time; the messages they complete are these.
    fn sees(&mut self, writer: Role, bytes: &[u8], expect: &[&[u8]]) -> &mut Tap {
        let side = usize::from(writer == Role::Server);
        let mut messages = Vec::new();
        for byte in bytes {
            self.unread[side].push(*byte);
            while let Step::Frame(frame) =
                self.decoders[side].step(&self.unread[side], false).expect("framed right")
            {
                let message = self.unread[side][frame.message].to_vec();
                self.unread[side].drain(..frame.whole.end);
                for Switch { writer, framing, why } in self.coupler.observe(writer, &message) {
                    self.decoders[usize::from(writer == Role::Server)].set_framing(&framing);
                    self.why = self.why.or(why);
                }
                messages.push(message);
            }
        }
        let shown = |list: &[&[u8]]| list.iter().map(|m| m.escape_ascii().to_string()).collect();
        let got: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        let (got, expect): (Vec<String>, Vec<String>) = (shown(&got), shown(expect));
        assert_eq!(got, expect, "{writer}");
        self
    }

    fn client(&mut self, bytes: &[u8], expect: &[&[u8]]) -> &mut Tap {
        self.sees(Role::Client, bytes, expect)
    }

    fn server(&mut self, bytes: &[u8], expect: &[&[u8]]) -> &mut Tap {
        self.sees(Role::Server, bytes, expect)
    }

    /// Ordinary messages from here on, also those whose types are the bare answers.
    fn talks(&mut self) {
        for message in [QUERY, QUERY] {
            self.client(message, &[message]);
        }
        for message in [AUTH_OK, NOTICE, STATUS, COPY_IN, ERROR] {
            self.server(message, &[message]);
        }
        assert_eq!(self.why, None);
    }
}

#[test]
fn without_a_request() {
    Tap::new().client(STARTUP, &[STARTUP]).talks();
}

#[test]
fn refused_encryption_goes_on_with_the_startup_message() {
    for request in [SSL, GSS] {
        let mut tap = Tap::new();
        tap.client(request, &[request]).server(b"N", &[b"N"]).client(STARTUP, &[STARTUP]).talks();
    }
}

#[test]
fn one_request_refused_then_the_other() {
    let mut tap = Tap::new();
    tap.client(GSS, &[GSS]).server(b"N", &[b"N"]);
    tap.client(SSL, &[SSL]).server(b"N", &[b"N"]);
    tap.client(STARTUP, &[STARTUP]).talks();
}

#[test]
fn granted_encryption_is_raw_on_both_sides() {
    for (request, answer) in [(SSL, b"S"), (GSS, b"G")] {
        let mut tap = Tap::new();
        tap.client(request, &[request]).server(answer, &[answer]);
        assert_eq!(tap.why, Some("encrypted from here"));
        tap.client(b"\x16\x03", &[b"\x16", b"\x03"]).server(b"N", &[b"N"]);
        tap.server(AUTH_OK, &AUTH_OK.chunks(1).collect::<Vec<_>>());
    }
}

#[test]
fn an_old_server_answers_with_an_error() {
    let mut tap = Tap::new();
    tap.client(SSL, &[SSL]).server(ERROR, &[ERROR]).server(NOTICE, &[NOTICE]);
    tap.client(STARTUP, &[STARTUP]).talks();
}

#[test]
fn requests_that_do_not_wait_for_their_answers() {
    let mut tap = Tap::new();
    tap.client(&[GSS, SSL, STARTUP, QUERY].concat(), &[GSS, SSL, STARTUP, QUERY]);
    tap.server(&[b"NN", AUTH_OK].concat(), &[b"N", b"N", AUTH_OK]).talks();
}

#[test]
fn a_cancel_request_is_alone() {
    Tap::new().client(CANCEL, &[CANCEL]);
    let mut tap = Tap::new();
    tap.client(SSL, &[SSL]).server(b"N", &[b"N"]).client(CANCEL, &[CANCEL]);
}

/// Without the server's answers the client's stream is framed all the same.
#[test]
fn the_client_alone() {
    let mut tap = Tap::new();
    tap.client(&[SSL, GSS, STARTUP, QUERY].concat(), &[SSL, GSS, STARTUP, QUERY]);
}

/// A request's bytes behind the startup message are no request.
#[test]
fn later_messages_change_nothing() {
    let mut coupler = "postgres".parse::<Protocol>().unwrap().coupler();
    assert_eq!(coupler.observe(Role::Server, b"S"), []);
    assert_eq!(coupler.observe(Role::Client, STARTUP), []);
    assert_eq!(coupler.observe(Role::Client, SSL), []);
    assert_eq!(coupler.observe(Role::Server, b"S"), []);
}

#[test]
fn an_answer_that_is_none_is_an_error() {
    let mut tap = Tap::new();
    tap.client(SSL, &[SSL]);
    let error = tap.decoders[1].step(b"x", false).unwrap_err();
    assert_eq!(error.kind().name(), "bad-type");
}

#[test]
fn limits_hold_for_the_answer_too() {
    let protocol = "postgres".parse::<Protocol>().unwrap().with_max(3);
    let mut coupler = protocol.coupler();
    let server = coupler.observe(Role::Client, SSL).pop().unwrap();
    assert_eq!(server.writer, Role::Server);
    let error = Decoder::new(&server.framing).step(ERROR, false).unwrap_err();
    assert_eq!((error.kind().name(), error.limit()), ("oversize", Some(3)));
}

/// The side that answers can be written as well: the bare byte, then messages.
#[test]
fn the_answer_can_be_sent() {
    let protocol: Protocol = "postgres".parse().unwrap();
    let mut encoder = Encoder::new(protocol.framing(Role::Server)).unwrap();
    for switch in protocol.coupler().observe(Role::Client, SSL) {
        if switch.writer == Role::Server {
            encoder.set_framing(&switch.framing).unwrap();
        }
    }
    let mut out = Vec::new();
    encoder.encode(b"N", &mut out).unwrap();
    assert!(encoder.encode(b"N", &mut out).is_err());
    encoder.encode(AUTH_OK, &mut out).unwrap();
    assert_eq!(out, [b"N", AUTH_OK].concat());
}
