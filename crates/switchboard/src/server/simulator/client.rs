//! The simulated clients: what each sends, how it behaves, and what it must have got.

use super::random::Random;
use super::world::World;
use switchboard_frame::{Decoder, Encoder, Framing, Step};

/// How a client's sending ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Whole messages, then a half-close.
    Finish,
    /// A half-close inside a message.
    Truncate,
    /// A reset.
    Reset,
    /// Nothing any more, and no end.
    Silence,
    /// It is gone without having read everything.
    Vanish,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: usize,
    pub(super) messages: Vec<Vec<u8>>,
    wire: Vec<u8>,
    sent: usize,
    pub(super) end: End,
    has_ended: bool,
    /// It ends only when it has every answer: no end of stream helps the server along.
    waits: bool,
    waits_for: usize,
    looked_at: usize,
    framing: Framing,
    /// In how many of a thousand steps it reads.
    reads: usize,
    pub(super) received: Vec<u8>,
    /// It has read the server's end, or a reset.
    pub(super) saw_end: bool,
    pub(super) saw_reset: bool,
    is_connected: bool,
}

/// What a message asks the service to do: its first letter.
pub(super) const ASKS: &[u8] = b"eeeeeeeeddnnlllkbbsuxfpz";

impl Client {
    pub(super) fn new(id: usize, framing: &Framing, random: &mut Random) -> Client {
        let calm = random.chance(700);
        let count = random.skewed(0, 40);
        let messages: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let is_large = random.chance(30);
                let length =
                    if is_large { 1 + random.below(60_000) } else { random.skewed(1, 300) };
                let letter = b'a' + u8::try_from(random.below(26)).unwrap();
                let mut message = vec![letter; length];
                let asks = if calm { &ASKS[..ASKS.len() - 4] } else { ASKS };
                message[0] = *random.pick(asks);
                message
            })
            .collect();
        let mut encoder = Encoder::new(framing).unwrap();
        let mut wire = Vec::new();
        for message in &messages {
            encoder.encode(message, &mut wire).unwrap();
        }
        let ends = [End::Finish, End::Finish, End::Truncate, End::Reset, End::Silence, End::Vanish];
        let end = if calm { End::Finish } else { *random.pick(&ends) };
        if end == End::Truncate {
            let before = wire.len();
            encoder.encode(b"e never whole", &mut wire).unwrap();
            wire.truncate(before + 1 + random.below(wire.len() - before - 1));
        }
        let reads = if calm || random.chance(800) { 100 + random.below(900) } else { 0 };
        let waits_for = messages.iter().map(|message| answers(message).0.len()).sum();
        Client {
            id,
            waits: calm && random.chance(500),
            waits_for,
            looked_at: 0,
            framing: framing.clone(),
            messages,
            wire,
            sent: 0,
            end,
            has_ended: false,
            reads,
            received: Vec::new(),
            saw_end: false,
            saw_reset: false,
            is_connected: false,
        }
    }

    /// Whether nothing more is to be expected of it.
    pub(super) fn is_done(&self, world: &World) -> bool {
        let stream = &world.streams[self.id];
        let was_accepted = !world.backlog.contains(&self.id);
        self.has_ended && was_accepted && (self.saw_end || stream.server_gone)
    }

    /// Whether it reads whatever comes to the end.
    pub(super) fn reads_all(&self) -> bool {
        self.reads > 0 && self.end != End::Vanish && self.end != End::Reset
    }

    pub(super) fn step(&mut self, world: &mut World) {
        if !self.is_connected {
            self.is_connected = true;
            world.backlog.push_back(self.id);
            return;
        }
        if world.random.chance(self.reads) {
            self.read(world);
        }
        if !world.random.chance(500) {
            return;
        }
        let room = {
            let stream = &world.streams[self.id];
            stream.capacity.saturating_sub(stream.to_server.len())
        };
        let left = self.wire.len() - self.sent;
        let broken = world.streams[self.id].reset || self.saw_end;
        if left > 0 && !broken {
            if room > 0 {
                let count = world.random.skewed(1, left.min(room));
                let bytes = &self.wire[self.sent..self.sent + count];
                if world.streams[self.id].server_gone {
                    world.streams[self.id].reset = true;
                } else {
                    world.streams[self.id].to_server.extend(bytes);
                }
                self.sent += count;
            }
            return;
        }
        if !self.has_ended && (broken || self.has_answers()) {
            let is_over = broken || world.streams[self.id].server_gone;
            self.finish(world, is_over);
        }
    }

    /// Whether it has all that it waits for.
    fn has_answers(&mut self) -> bool {
        if self.waits && self.looked_at < self.received.len() {
            self.looked_at = self.received.len();
            let mut replies = self.replies(&self.framing);
            replies.retain(|reply| reply != b"Push" && reply != b"Heartbeat");
            self.waits = replies.len() < self.waits_for;
        }
        !self.waits || self.waits_for == 0
    }

    fn finish(&mut self, world: &mut World, broken: bool) {
        let stream = &mut world.streams[self.id];
        match self.end {
            // Silent until the server has lost its patience.
            End::Silence if !broken => return,
            End::Silence | End::Finish | End::Truncate => stream.client_finished = true,
            End::Reset => {
                stream.reset = true;
                stream.to_server.clear();
            }
            End::Vanish => (stream.client_finished, stream.client_gone) = (true, true),
        }
        self.has_ended = true;
    }

    pub(super) fn read(&mut self, world: &mut World) {
        let len = world.streams[self.id].to_client.len();
        if len > 0 {
            // Who has to read much before it goes on must not take all day.
            let count = if self.waits { len } else { world.random.skewed(1, len) };
            self.received.extend(world.streams[self.id].to_client.drain(..count));
            return;
        }
        let stream = &world.streams[self.id];
        self.saw_reset |= stream.reset;
        self.saw_end |= stream.server_finished || stream.reset;
    }

    /// The messages it has received whole.
    pub(super) fn replies(&self, framing: &Framing) -> Vec<Vec<u8>> {
        let mut decoder = Decoder::new(framing);
        let mut rest = &self.received[..];
        let mut replies = Vec::new();
        while let Step::Frame(frame) = decoder.step(rest, false).unwrap() {
            replies.push(rest[frame.message].to_vec());
            rest = &rest[frame.whole.end..];
        }
        replies
    }
}

/// What a service answers to a message, in order; `None` behind what ends it.
pub(super) fn answers(message: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let reply = |letter: u8| {
        let mut reply = message.to_vec();
        reply[0] = letter;
        reply
    };
    match message[0] {
        b'e' | b'l' | b's' | b'u' => (vec![reply(b'r')], false),
        b'd' => (vec![reply(b'r'), reply(b'R')], false),
        b'b' => (vec![vec![b'B'; 40_000]], false),
        b'n' | b'k' => (vec![], false),
        b'x' | b'f' | b'p' => (vec![reply(b'r')], true),
        b'z' => (vec![], true),
        other => panic!("no client asks for {other}"),
    }
}
