//! A session of which nothing has to be remembered but how far it came.
//!
//! Most conversations of a server wait for the next message most of the time. A session that is at
//! rest is then five numbers; the session itself serves the next conversation meanwhile.

use super::Session;
use switchboard_frame::{Decoder, Encoder, Protocol, Role};

/// How far a session at rest had come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rest {
    offset: u64,
    pub(crate) messages_received: u64,
    discarded: u64,
    messages_sent: u64,
    bytes_sent: u64,
}

impl Session {
    /// A session in the last stage of both framings: what every session at rest is.
    pub(crate) fn resting(protocol: &Protocol, role: Role) -> Session {
        let mut session = Session::new(protocol, role);
        session.inbound.decoder = Decoder::settled(protocol.framing(role.other()), 0);
        session.outbound.encoder = Encoder::settled(protocol.framing(role));
        session
    }

    /// How far it has come, when that is all there is to remember: it is between two messages both
    /// ways, in the last stage of the protocol it began with, with nothing received or to be sent.
    pub(crate) fn rest(&mut self) -> Option<Rest> {
        let rests = !self.switched
            && self.coupler.is_none()
            && self.inbound.is_at_rest()
            && self.outbound.is_at_rest();
        rests.then(|| Rest {
            offset: self.inbound.decoder.offset(),
            messages_received: self.inbound.messages(),
            discarded: self.inbound.discarded(),
            messages_sent: self.outbound.messages(),
            bytes_sent: self.outbound.bytes(),
        })
    }

    /// Whether it frames what is sent as every session of its protocol does that is at rest.
    pub(crate) fn frames_as_at_rest(&self) -> bool {
        let is_settled = self.outbound.encoder.as_ref().is_ok_and(Encoder::is_settled);
        !self.switched && self.coupler.is_none() && is_settled
    }

    /// Goes on where another session of the same protocol came to rest. Only for a session at rest.
    pub(crate) fn resume(&mut self, rest: &Rest) {
        self.inbound.resume(rest.offset, rest.messages_received, rest.discarded);
        self.outbound.resume(rest.messages_sent, rest.bytes_sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Event;

    /// A loop uses the session of one conversation for the next, which has not come so far.
    #[test]
    fn a_session_goes_on_at_the_beginning_of_another_stream() {
        let protocol: Protocol = "u32be".parse().unwrap();
        let mut session = Session::new(&protocol, Role::Server);
        let two = b"\0\0\0\x01a\0\0\0\x01b";
        session.receive_space(two.len())[..two.len()].copy_from_slice(two);
        session.handle_received(two.len());
        while session.poll().unwrap() == Event::Message {}
        assert!(session.rest().is_some());
        session.resume(&Rest::default());
        // What a service that speaks first asks for.
        let (message, mut sending) = session.message_and_sending();
        assert_eq!((message.number(), message.frame_bytes()), (0, 0));
        sending.queue(b"hello").unwrap();
    }

    /// Of every framing: those without a fast form are read by the interpreter, and it is no
    /// reason to be large that nothing has come yet of the next message.
    #[test]
    fn whoever_is_between_two_messages_rests() {
        for (spec, wire) in [
            ("u32be", &b"\0\0\0\x01!"[..]),
            ("lines", b"one\n"),
            ("fixed:2 ; u16be", b"ab\0\x01!"),
            ("resp", b"+OK\r\n"),
            ("header:content-length", b"content-length: 1\r\n\r\n!"),
            ("type{\"a\": 2, *: lines}", b"a12"),
            ("pad:u8 len:u16be,rest body =pad", b"\x01\0\x02!\0"),
        ] {
            let protocol: Protocol = spec.parse().unwrap_or_else(|error| panic!("{error}"));
            let mut session = Session::new(&protocol, Role::Server);
            let mut rests = false;
            for piece in wire.chunks(1) {
                session.receive_space(1)[..1].copy_from_slice(piece);
                session.handle_received(1);
                while session.poll().unwrap() == Event::Message {}
                rests = session.inbound.is_at_rest();
            }
            assert!(rests, "{spec} after {} messages", session.inbound.messages());
        }
    }
}
