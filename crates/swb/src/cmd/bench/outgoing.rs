//! Requests on their way out of one connection: slices of the block of frames that all share, or
//! frames of its own where each is another one.

use std::io;

use switchboard::{Error, Transport};
use switchboard_frame::{Encoder, Role};

use super::plan::{Plan, Requests};
use crate::exit::{Exit, Failure};

/// Bytes of frames of its own that are made before a write.
const BATCH_BYTES: usize = 64 * 1024;

/// The sending side of a connection.
pub(super) enum Outgoing {
    /// All requests are the same; `left` bytes are to be sent of one that has begun.
    Same {
        left: usize,
    },
    Each(Box<Each>),
}

/// Requests of which each is another one.
pub(super) struct Each {
    encoder: Encoder,
    /// Framed and not sent, from `at` on.
    out: Vec<u8>,
    at: usize,
    next: u64,
    /// How many numbers there are to tell requests apart by.
    numbers: u64,
}

/// What went.
#[derive(Default)]
pub(super) struct Sent {
    /// Messages that began to be sent.
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// There is no room for what is left.
    pub(super) is_blocked: bool,
}

impl Outgoing {
    pub(super) fn new(plan: &Plan) -> Result<Outgoing, Failure> {
        Ok(match &plan.requests {
            Requests::Same { .. } => Outgoing::Same { left: 0 },
            Requests::Each { numbers } => {
                let encoder = Encoder::new(plan.protocol.framing(Role::Client));
                let encoder = encoder.map_err(|error| Failure::new(Exit::BadFrame, error))?;
                let (out, numbers) = (Vec::new(), *numbers);
                Outgoing::Each(Box::new(Each { encoder, out, at: 0, next: 0, numbers }))
            }
        })
    }

    /// Begins anew on another connection, behind so many requests.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub(super) fn renew(&mut self, plan: &Plan, requests: u64) -> Result<(), Failure> {
        *self = Outgoing::new(plan)?;
        if let Outgoing::Each(each) = self {
            each.next = requests;
        }
        Ok(())
    }

    /// How many numbers there are to tell requests apart by.
    pub(super) fn numbers(&self) -> u64 {
        match self {
            Outgoing::Same { .. } => u64::MAX,
            Outgoing::Each(each) => each.numbers,
        }
    }

    /// Sends what is left of a message that has begun, and at most so many behind it, as much as
    /// goes without waiting.
    ///
    /// # Errors
    /// The connection has ended.
    pub(super) fn send(
        &mut self,
        transport: &dyn Transport,
        plan: &Plan,
        due: u64,
    ) -> Result<Sent, Error> {
        let broken = |error| Error::stream("cannot send to", error).at_endpoint(transport.name());
        match (self, &plan.requests) {
            (Outgoing::Same { left }, Requests::Same { block, frame_bytes }) => {
                same(left, block, *frame_bytes, transport, due).map_err(broken)
            }
            (Outgoing::Each(each), _) => each.send(transport, plan, due),
            // Both were made of one plan.
            (Outgoing::Same { .. }, Requests::Each { .. }) => Ok(Sent::default()),
        }
    }
}

impl Each {
    fn send(&mut self, transport: &dyn Transport, plan: &Plan, due: u64) -> Result<Sent, Error> {
        let mut sent = Sent::default();
        loop {
            if self.at == self.out.len() {
                self.out.clear();
                self.at = 0;
                while sent.messages < due && self.out.len() < BATCH_BYTES {
                    let number = self.next % self.numbers;
                    let encoded = plan.message.encode(number, &mut self.encoder, &mut self.out);
                    encoded.map_err(|error| Error::caller(error.to_string()))?;
                    self.next += 1;
                    sent.messages += 1;
                }
            }
            let rest = &self.out[self.at..];
            if rest.is_empty() {
                return Ok(sent);
            }
            let wrote = write(transport, rest).map_err(|error| {
                Error::stream("cannot send to", error).at_endpoint(transport.name())
            })?;
            sent.bytes += wrote as u64;
            self.at += wrote;
            if self.at < self.out.len() {
                sent.is_blocked = true;
                return Ok(sent);
            }
        }
    }
}

/// Sends a part of `block`, frames of `frame_bytes`: the last `left` bytes of one, and `due` more.
fn same(
    left: &mut usize,
    block: &[u8],
    frame_bytes: usize,
    transport: &dyn Transport,
    due: u64,
) -> io::Result<Sent> {
    let mut sent = Sent::default();
    loop {
        let more = usize::try_from(due - sent.messages).unwrap_or(usize::MAX);
        let all = more.saturating_mul(frame_bytes).saturating_add(*left);
        if all == 0 {
            return Ok(sent);
        }
        let from = if *left > 0 { frame_bytes - *left } else { 0 };
        let to = block.len().min(from.saturating_add(all));
        let wrote = write(transport, &block[from..to])?;
        let of_new = wrote.saturating_sub(*left);
        let begun = of_new.div_ceil(frame_bytes);
        *left = left.saturating_sub(wrote) + begun * frame_bytes - of_new;
        sent.messages += begun as u64;
        sent.bytes += wrote as u64;
        if wrote < to - from {
            sent.is_blocked = true;
            return Ok(sent);
        }
    }
}

/// Writes what goes without waiting.
fn write(transport: &dyn Transport, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match transport.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            wrote => return wrote,
        }
    }
}

#[cfg(test)]
mod tests {
    use switchboard::transport::pair_with_capacity;

    use super::*;

    /// However little the other side takes at a time, it gets the frames whole and in order, and
    /// each counts once, when it has begun to be sent.
    #[test]
    fn frames_that_are_cut_are_gone_on_with() {
        let frame = b"0123456789";
        for frames in [1, 2, 5] {
            for capacity in [1, 7, 10, 25, 1000] {
                let (here, there) = pair_with_capacity(capacity).unwrap();
                let block = frame.repeat(frames);
                let (mut left, mut due, mut came) = (0, 7, Vec::new());
                loop {
                    let sent = same(&mut left, &block, frame.len(), &here, due).unwrap();
                    due -= sent.messages;
                    assert_eq!(sent.is_blocked, due > 0 || left > 0);
                    let mut bytes = [0; 1000];
                    let Ok(read) = there.read(&mut bytes) else { break };
                    assert_eq!(read as u64, sent.bytes);
                    came.extend_from_slice(&bytes[..read]);
                    let begun = (7 - due) * frame.len() as u64;
                    assert_eq!((came.len() + left) as u64, begun);
                }
                assert_eq!(came, frame.repeat(7), "{frames} frames, {capacity} bytes");
            }
        }
    }
}
