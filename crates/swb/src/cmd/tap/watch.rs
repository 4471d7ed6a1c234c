//! One conversation seen from between: the messages of both directions, as they pass.
//!
//! Invariant: what one side says is decoded, and shown to the protocol's coupling, before it is
//! passed on; so the answer, which cannot come earlier, is framed as the coupling says.

use std::time::SystemTime;

use switchboard::Ending;
use switchboard_frame::{Coupler, ErrorKind, FrameError, Protocol, Role, Switch};

use crate::cmd::tap::keep::Keep;
use crate::cmd::tap::relay::Watcher;
use crate::cmd::tap::show::{Show, Stamp};
use crate::exit::Failure;
use crate::pump::{self, Event, Pump};

/// What passed in one direction.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

pub(crate) struct Watch<'a> {
    show: &'a Show,
    keep: &'a Keep,
    conversation: u64,
    /// When what is looked at passed; now, unless told.
    time: Option<SystemTime>,
    coupler: Coupler,
    client: Side,
    server: Side,
}

/// One direction.
struct Side {
    view: View,
    count: Count,
}

/// How a direction is looked at.
enum View {
    Framed(Box<Pump>),
    /// Not framed any more; the bytes are shown as they come.
    Raw,
    /// Not to be read any more: encrypted.
    Closed,
}

/// What the bytes at hand came to, once nothing more can be said of them.
enum Pause {
    Wait,
    Switch(Vec<Switch>),
    Broken(FrameError),
    Finished,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(
        protocol: &Protocol,
        show: &'a Show,
        keep: &'a Keep,
        conversation: u64,
    ) -> Watch<'a> {
        let side = |role| Side {
            view: View::Framed(Box::new(Pump::new(protocol.framing(role)))),
            count: Count::default(),
        };
        Watch {
            show,
            keep,
            conversation,
            time: None,
            coupler: protocol.coupler(),
            client: side(Role::Client),
            server: side(Role::Server),
        }
    }

    /// What is looked at from here on passed then.
    pub(crate) fn set_time(&mut self, time: SystemTime) {
        self.time = Some(time);
    }

    /// What passed, of the client and of the server.
    pub(crate) fn counts(&self) -> [Count; 2] {
        [self.client.count, self.server.count]
    }

    fn side(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// Shows what the bytes given so far hold. The error in which the stream ended, if in one.
    fn look(&mut self, writer: Role, at_end: bool) -> Result<Option<FrameError>, Failure> {
        loop {
            match self.next(writer, at_end)? {
                Pause::Wait | Pause::Finished => return Ok(None),
                Pause::Switch(switches) => {
                    for switch in switches {
                        self.switch(&switch)?;
                    }
                }
                Pause::Broken(error) if error.kind() == ErrorKind::Truncated => {
                    return Ok(Some(error));
                }
                Pause::Broken(error) => {
                    self.broken(writer, &error)?;
                    return Ok(None);
                }
            }
        }
    }

    fn next(&mut self, writer: Role, at_end: bool) -> Result<Pause, Failure> {
        let stamp = Stamp::new(self.conversation, writer, self.time);
        let (side, coupler) = match writer {
            Role::Client => (&mut self.client, &mut self.coupler),
            Role::Server => (&mut self.server, &mut self.coupler),
        };
        let View::Framed(pump) = &mut side.view else { return Ok(Pause::Finished) };
        loop {
            match pump.next(at_end) {
                Event::Wait => return Ok(Pause::Wait),
                Event::Finished(_) => return Ok(Pause::Finished),
                Event::Broken(error) => return Ok(Pause::Broken(error)),
                Event::Discarded(discarded) => self.show.discarded(&stamp, &discarded)?,
                Event::Message(message) => {
                    side.count.messages += 1;
                    self.show.message(&stamp, &message)?;
                    let switches = coupler.observe(writer, message.bytes);
                    if !switches.is_empty() {
                        return Ok(Pause::Switch(switches));
                    }
                }
            }
        }
    }

    fn switch(&mut self, switch: &Switch) -> Result<(), Failure> {
        let stamp = Stamp::new(self.conversation, switch.writer, self.time);
        let show = self.show;
        let side = self.side(switch.writer);
        let View::Framed(pump) = &mut side.view else { return Ok(()) };
        match switch.why {
            None => pump.switch(&switch.framing),
            Some(why) => {
                show.raw(&stamp, why, None)?;
                side.view = View::Closed;
            }
        }
        Ok(())
    }

    /// The stream breaks its framing: said once, and what is held of it is shown as it is.
    fn broken(&mut self, writer: Role, error: &FrameError) -> Result<(), Failure> {
        let stamp = Stamp::new(self.conversation, writer, self.time);
        let show = self.show;
        let side = self.side(writer);
        let View::Framed(pump) = &side.view else { return Ok(()) };
        show.raw(&stamp, &pump::describe(pump, error), Some(error))?;
        show.raw_bytes(&stamp, pump.unread())?;
        side.view = View::Raw;
        Ok(())
    }
}

impl Watcher for Watch<'_> {
    fn bytes(&mut self, writer: Role, bytes: &[u8]) -> Result<(), Failure> {
        self.keep.read(self.conversation, writer, bytes)?;
        let stamp = Stamp::new(self.conversation, writer, self.time);
        let show = self.show;
        let side = self.side(writer);
        side.count.bytes += bytes.len() as u64;
        match &mut side.view {
            View::Framed(pump) => pump.give(bytes),
            View::Raw => return show.raw_bytes(&stamp, bytes),
            View::Closed => return Ok(()),
        }
        self.look(writer, false).map(drop)
    }

    fn ended(&mut self, writer: Role, ending: Ending) -> Result<(), Failure> {
        self.keep.ended(self.conversation, writer, ending)?;
        // After a reset the message under way is no news: the reset says it.
        let truncated = match ending {
            Ending::Finished => self.look(writer, true)?,
            _ => None,
        };
        let stamp = Stamp::new(self.conversation, writer, self.time);
        let show = self.show;
        show.end(&stamp, ending, truncated.as_ref(), self.side(writer).count)
    }

    fn over(&mut self, writer: Role, ending: Ending) -> Result<(), Failure> {
        self.keep.over(self.conversation, writer)?;
        let stamp = Stamp::new(self.conversation, writer, self.time);
        let show = self.show;
        show.over(&stamp, ending, self.side(writer).count)
    }

    fn pause(&mut self) -> Result<(), Failure> {
        // What is shown is kept by then, whatever becomes of this process.
        self.keep.flush()?;
        self.show.flush()
    }
}
