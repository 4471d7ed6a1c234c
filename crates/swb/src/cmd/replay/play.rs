//! One conversation of a recording, said again.
//!
//! Invariant: it reads whenever it waits, so a server that answers before it reads on is never
//! stuck with this side.

use std::io;
use std::time::{Duration, Instant};

use switchboard::transport::{Interest, Wait, Woken};
use switchboard::{Stopper, Transport, deadline};
use switchboard_frame::{Protocol, Role};

use crate::cmd::replay::compare::{Answer, Talk};
use crate::exit::{Exit, Failure};
use crate::recording::{Event, RECORDED_BYTES_MAX, Recorded, What};

/// When the client's reads are written.
#[derive(Clone, Copy)]
pub(super) enum Pace {
    /// With the pauses of the recording, which began again then.
    AsRecorded(Instant),
    /// Once as many messages were answered as had been.
    AsAnswered,
}

/// What came of it.
pub(super) struct Played {
    pub(super) answers: Vec<Answer>,
    /// Bytes of answers.
    pub(super) answered: u64,
    /// Why it did not come to its end.
    pub(super) stuck: Option<Failure>,
}

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// Waits until a conversation began in the recording.
pub(super) fn wait_for_turn(
    recorded: &Recorded,
    pace: Pace,
    stopper: &Stopper,
) -> Result<(), Failure> {
    let (Pace::AsRecorded(began), Some(first)) = (pace, recorded.events.first()) else {
        return Ok(());
    };
    let (idle, _other) = switchboard::transport::pair().map_err(Failure::usage)?;
    let until = Wait { deadline: began.checked_add(first.at), ..Wait::FOREVER };
    match idle.wait(Interest::READ, &until.or_stopped(stopper)) {
        Ok(Woken::Stopped) => Err(interrupted()),
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::usage(format_args!("cannot wait: {error}"))),
    }
}

/// Says what the client said, and hears what is answered, for as long as something is within
/// `timeout`.
pub(super) fn play(
    recorded: &Recorded,
    protocol: &Protocol,
    transport: &dyn Transport,
    pace: Pace,
    timeout: Duration,
    stopper: &Stopper,
) -> Played {
    let mut player = Player {
        transport,
        timeout,
        stopper,
        n: recorded.n,
        over: false,
        buffer: vec![0; READ_BYTES],
        talk: Talk::new(protocol),
        answered: 0,
    };
    let stuck = player.all(recorded, Talk::new(protocol), pace).err();
    Played { answers: player.talk.answers(), answered: player.answered, stuck }
}

struct Player<'a> {
    transport: &'a dyn Transport,
    timeout: Duration,
    stopper: &'a Stopper,
    n: u64,
    /// The server has ended its direction, or broke.
    over: bool,
    buffer: Vec<u8>,
    /// What was said and answered.
    talk: Talk,
    answered: u64,
}

impl Player<'_> {
    fn all(&mut self, recorded: &Recorded, mut before: Talk, pace: Pace) -> Result<(), Failure> {
        for event in &recorded.events {
            if event.writer == Role::Client {
                match pace {
                    Pace::AsRecorded(began) => {
                        self.hear_until(began.checked_add(event.at))?;
                        // Who resets hears nothing more, and this server may be slower.
                        if event.what == What::Broke {
                            self.hear(before.heard())?;
                        }
                    }
                    Pace::AsAnswered => self.hear(before.heard())?,
                }
                self.say(event)?;
            } else if matches!(event.what, What::Finished | What::Broke) {
                self.hear_the_end()?;
            }
            before.event(event);
        }
        self.hear(before.heard())
    }

    fn say(&mut self, event: &Event) -> Result<(), Failure> {
        self.talk.event(event);
        match &event.what {
            What::Bytes(bytes) => self.write(bytes),
            // The server may be gone already, and then reading tells.
            What::Finished => {
                let _ = self.transport.finish();
                Ok(())
            }
            What::Broke => {
                let _ = self.transport.reset();
                self.over = true;
                Ok(())
            }
            What::Over => Ok(()),
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        let mut latest = deadline::after(self.timeout);
        while !bytes.is_empty() {
            match self.transport.write(bytes) {
                Ok(count) => {
                    bytes = &bytes[count..];
                    latest = deadline::after(self.timeout);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.look(Interest { read: !self.over, write: true }, latest)? {
                        return Err(self.silent("it takes nothing"));
                    }
                }
                // Whoever takes nothing more has said why.
                Err(_) => return Ok(()),
            }
        }
        while !self.transport.flush().unwrap_or(true) {
            if !self.look(Interest { read: !self.over, write: true }, latest)? {
                return Err(self.silent("it takes nothing"));
            }
        }
        Ok(())
    }

    /// Hears until the server has come as far, or has no more to say.
    fn hear(&mut self, (messages, raw): (usize, usize)) -> Result<(), Failure> {
        let is_short = |(m, r): (usize, usize)| m < messages || m == messages && r < raw;
        while !self.over && is_short(self.talk.heard()) {
            if !self.look(Interest::READ, deadline::after(self.timeout))? {
                return Err(self.silent("it does not answer"));
            }
        }
        Ok(())
    }

    fn hear_the_end(&mut self) -> Result<(), Failure> {
        while !self.over {
            if !self.look(Interest::READ, deadline::after(self.timeout))? {
                return Err(self.silent("it does not end"));
            }
        }
        Ok(())
    }

    fn hear_until(&mut self, until: Option<Instant>) -> Result<(), Failure> {
        loop {
            let interest = Interest { read: !self.over, write: false };
            if !self.look(interest, until)? {
                return Ok(());
            }
        }
    }

    /// Waits for one of these, and reads what there is; `false` when the time is over.
    fn look(&mut self, interest: Interest, until: Option<Instant>) -> Result<bool, Failure> {
        let wait = Wait { deadline: until, ..Wait::FOREVER }.or_stopped(self.stopper);
        match self.transport.wait(interest, &wait) {
            Ok(Woken::Deadline) => return Ok(false),
            Ok(Woken::Stopped) => return Err(interrupted()),
            Ok(_) => {}
            Err(error) => return Err(Failure::usage(format_args!("cannot wait: {error}"))),
        }
        if interest.read {
            self.read()?;
        }
        Ok(true)
    }

    fn read(&mut self) -> Result<(), Failure> {
        let what = match self.transport.read(&mut self.buffer) {
            Ok(0) => What::Finished,
            Ok(count) => {
                self.answered += count as u64;
                if self.answered > RECORDED_BYTES_MAX as u64 {
                    return Err(self.silent("it answers more than can be held"));
                }
                What::Bytes(self.buffer[..count].to_vec())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) => What::Broke,
        };
        self.over = !matches!(what, What::Bytes(_));
        self.talk.event(&Event { writer: Role::Server, at: Duration::ZERO, what });
        Ok(())
    }

    fn silent(&self, what: &str) -> Failure {
        let (n, name) = (self.n, self.transport.name());
        Failure::new(Exit::TimedOut, format_args!("conversation {n} with {name}: {what}"))
    }
}

fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted")
}
