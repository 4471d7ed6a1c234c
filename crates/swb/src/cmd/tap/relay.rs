//! Bytes passed on unchanged between a client and a server, both directions in one poll loop.
//!
//! ```text
//! client --read--> [lane, at most 64 KiB] --write--> server
//! client <-write-- [lane, at most 64 KiB] <--read--- server
//! ```
//!
//! Invariants: every byte is shown to the watcher before it is written on; a side is not read while
//! its lane is full, so a peer that stops reading stops the other one and nothing piles up here; an
//! end of stream is passed on as a half-close once every byte before it is written, a reset as a
//! reset. It knows nothing about messages.

use std::io;

use switchboard::transport::Interest;
use switchboard::{Ending, Transport};
use switchboard_frame::Role;

use crate::exit::Failure;
use crate::sides::{Ready, Sides, is_passing};

/// Bytes held in each direction.
const LANE_BYTES: usize = 64 * 1024;

/// Sees what passes.
pub(crate) trait Watcher {
    /// Bytes that `writer` wrote, before they are passed on.
    ///
    /// # Errors
    /// There is nobody left to show them to; the relay ends.
    fn bytes(&mut self, writer: Role, bytes: &[u8]) -> Result<(), Failure>;

    /// `writer` will write no more.
    ///
    /// # Errors
    /// As for [`bytes`](Watcher::bytes).
    fn ended(&mut self, writer: Role, ending: Ending) -> Result<(), Failure>;

    /// `writer` can write no more, which was not its doing: the other side ended so.
    ///
    /// # Errors
    /// As for [`bytes`](Watcher::bytes).
    fn over(&mut self, writer: Role, ending: Ending) -> Result<(), Failure>;

    /// The relay is about to wait.
    ///
    /// # Errors
    /// As for [`bytes`](Watcher::bytes).
    fn pause(&mut self) -> Result<(), Failure>;
}

/// One direction.
struct Lane {
    writer: Role,
    bytes: Box<[u8]>,
    /// What is to be written on: `bytes[start..end]`.
    start: usize,
    end: usize,
    /// The writer's side may still give bytes.
    open: bool,
    /// The end was passed on, or cannot be.
    done: bool,
}

/// How a conversation is to be closed.
enum Over {
    /// Both directions ended and were passed on.
    Ended,
    /// One side broke the stream: the other is told so.
    Broken,
}

/// Passes bytes on until both directions have ended.
///
/// # Errors
/// The watcher can show nothing more, or this machine cannot poll.
pub(super) fn relay(
    client: &dyn Transport,
    server: &dyn Transport,
    watcher: &mut dyn Watcher,
) -> Result<(), Failure> {
    let mut relay = Relay {
        sides: Sides::new(client, server),
        lanes: [Lane::new(Role::Client), Lane::new(Role::Server)],
        watcher,
    };
    let over = relay.run()?;
    if matches!(over, Over::Broken) {
        for side in relay.sides.both {
            // The side that broke has nothing left to reset.
            let _ = side.reset();
        }
    }
    Ok(())
}

struct Relay<'a> {
    /// A lane reads from the side of its own index and writes to the other.
    sides: Sides<'a>,
    lanes: [Lane; 2],
    watcher: &'a mut dyn Watcher,
}

impl Relay<'_> {
    fn run(&mut self) -> Result<Over, Failure> {
        loop {
            for lane in 0..2 {
                self.write_on(lane)?;
            }
            let mut all = true;
            for side in 0..2 {
                match self.sides.both[side].flush() {
                    Ok(flushed) => all &= flushed,
                    Err(error) if is_passing(&error) => all = false,
                    // Its TLS has failed. That a side takes nothing is told to who writes to it.
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        return self.broken(side, Ending::Reset);
                    }
                    Err(_) => {}
                }
            }
            if all && self.lanes.iter().all(|lane| lane.done) {
                return Ok(Over::Ended);
            }
            self.watcher.pause()?;
            let ready = self.wait()?;
            for (lane, ready) in ready.into_iter().enumerate() {
                if ready.broken {
                    return self.broken(lane, Ending::Reset);
                }
                if ready.read
                    && let Some(over) = self.read(lane)?
                {
                    return Ok(over);
                }
            }
        }
    }

    /// Reads once from the side of `lane`, shows the bytes and tries to write them on.
    fn read(&mut self, index: usize) -> Result<Option<Over>, Failure> {
        let lane = &mut self.lanes[index];
        let from = lane.make_room();
        match self.sides.both[index].read(&mut lane.bytes[from..]) {
            Ok(0) => {
                lane.open = false;
                self.watcher.ended(lane.writer, Ending::Finished)?;
                Ok(None)
            }
            Ok(count) => {
                lane.end += count;
                self.watcher.bytes(lane.writer, &lane.bytes[from..from + count])?;
                Ok(None)
            }
            Err(error) if is_passing(&error) => Ok(None),
            Err(error) => {
                let ending = match error.kind() {
                    io::ErrorKind::TimedOut => Ending::PeerDead,
                    // Without the end that TLS has: the other side must not take it for one.
                    io::ErrorKind::UnexpectedEof => Ending::Truncated,
                    _ => Ending::Reset,
                };
                self.broken(index, ending).map(Some)
            }
        }
    }

    /// Writes what `lane` holds to the other side, as far as that takes it now; then its end.
    fn write_on(&mut self, index: usize) -> Result<(), Failure> {
        let to = self.sides.both[1 - index];
        let lane = &mut self.lanes[index];
        while lane.start < lane.end {
            match to.write(&lane.bytes[lane.start..lane.end]) {
                Ok(count) => lane.start += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return self.unwanted(index),
            }
        }
        lane.start = 0;
        lane.end = 0;
        if !lane.open && !lane.done {
            lane.done = true;
            // It fails when that side is gone already, and then its own lane tells.
            let _ = to.finish();
        }
        Ok(())
    }

    /// The other side takes no more bytes of `lane`. What that side wrote before is still passed
    /// on; then the writer is told as the system tells it: its bytes find a closed socket.
    fn unwanted(&mut self, index: usize) -> Result<(), Failure> {
        let lane = &mut self.lanes[index];
        let was_open = lane.open;
        lane.open = false;
        lane.done = true;
        lane.start = 0;
        lane.end = 0;
        if was_open {
            self.watcher.over(lane.writer, Ending::Reset)?;
        }
        Ok(())
    }

    /// The side of `lane` broke. What it wrote before is passed on as far as the other side takes
    /// it, and both directions are over.
    fn broken(&mut self, index: usize, ending: Ending) -> Result<Over, Failure> {
        let lane = &mut self.lanes[index];
        if std::mem::replace(&mut lane.open, false) {
            self.watcher.ended(lane.writer, ending)?;
        }
        let other = &mut self.lanes[1 - index];
        if std::mem::replace(&mut other.open, false) {
            self.watcher.over(other.writer, ending)?;
        }
        let lane = &mut self.lanes[index];
        while lane.start < lane.end {
            match self.sides.both[1 - index].write(&lane.bytes[lane.start..lane.end]) {
                Ok(count) => lane.start += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        Ok(Over::Broken)
    }

    /// Waits until something can be read or written; what of it, for each side.
    fn wait(&mut self) -> Result<[Ready; 2], Failure> {
        let wanted = |side: usize| Interest {
            read: self.lanes[side].wants_bytes(),
            write: self.lanes[1 - side].has_bytes(),
        };
        self.sides.wait([wanted(0), wanted(1)], None, None)
    }
}

impl Lane {
    fn new(writer: Role) -> Lane {
        let bytes = vec![0; LANE_BYTES].into_boxed_slice();
        Lane { writer, bytes, start: 0, end: 0, open: true, done: false }
    }

    fn has_bytes(&self) -> bool {
        self.start < self.end
    }

    fn wants_bytes(&self) -> bool {
        self.open && self.end - self.start < self.bytes.len()
    }

    /// Moves what is held to the front when the back is used up; where new bytes go.
    fn make_room(&mut self) -> usize {
        if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.end
    }
}
