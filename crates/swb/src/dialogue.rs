//! Talking to a peer from one thread: messages go out while messages come in.
//!
//! `send` and `talk` share it. Nothing is left unread while something waits to be written, so two
//! sides that both send a lot cannot block each other; and nothing waits for ever, except for a
//! person who has not typed yet.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use switchboard::transport::Interest;
use switchboard::{Conversation, Error, Message, Received, Stopper, limits};
use switchboard_frame::Fields;

use crate::exit::{Exit, Failure};
use crate::printer::Printer;
use crate::units;

/// Messages received before what is to be sent has its turn again.
const RECEIVE_TURN: u32 = 256;

/// What a verb wants sent and does with what comes.
pub(crate) trait Talker {
    /// What is to be sent next.
    ///
    /// # Errors
    /// The input cannot be read.
    fn next(&mut self) -> Result<Next, Failure>;

    /// What to poll when [`Next::Wait`] was the answer.
    fn input(&self) -> Option<BorrowedFd<'_>>;

    /// The input is ready to be read.
    ///
    /// # Errors
    /// The input cannot be read.
    fn read_input(&mut self) -> Result<(), Failure>;

    /// A message has come.
    ///
    /// # Errors
    /// It cannot be shown.
    fn received(&mut self, message: &Message<'_>) -> Result<(), Failure>;

    /// A message cannot be sent in this framing; nothing of it was. Whether to go on.
    ///
    /// # Errors
    /// That cannot be told.
    fn refused(&mut self, error: &Error) -> Result<bool, Failure>;

    /// The peer has finished sending.
    ///
    /// # Errors
    /// That cannot be told.
    fn peer_finished(&mut self) -> Result<(), Failure>;

    /// The dialogue is about to wait.
    ///
    /// # Errors
    /// What was received cannot be shown.
    fn pause(&mut self) -> Result<(), Failure>;
}

/// What is to be sent next.
pub(crate) enum Next {
    Message(Vec<u8>),
    /// Nothing before more input is read.
    Wait,
    /// Nothing more.
    End,
}

/// How a dialogue ended.
pub(crate) enum Over {
    /// Everything was sent, and the peer finished between two messages.
    Finished,
    /// A message could not be sent in this framing.
    Refused(Error),
    /// The stream or its framing broke.
    Broken(Error),
    /// Nothing moved for so long.
    TimedOut(Duration),
    Interrupted,
}

pub(crate) struct Dialogue<'a> {
    pub(crate) conversation: &'a mut Conversation,
    /// Values for the header's fields of every message.
    pub(crate) fields: &'a Fields,
    pub(crate) stopper: &'a Stopper,
    /// How long nothing may move, in either direction.
    pub(crate) timeout: Duration,
}

/// Where a dialogue stands.
struct State {
    sending: bool,
    receiving: bool,
    /// The input has to be read before there is something to send.
    awaits_input: bool,
    /// A message that the peer does not take yet.
    held: Option<Vec<u8>>,
    /// Why nothing can be sent any more; told when everything that came was received.
    send_error: Option<Error>,
    /// When something last moved, and what was pending then.
    moved: Instant,
    marks: (usize, usize),
}

impl Dialogue<'_> {
    /// Sends everything, half-closes, and receives to the end.
    ///
    /// # Errors
    /// The talker's, or this machine's.
    pub(crate) fn run(&mut self, talker: &mut dyn Talker) -> Result<Over, Failure> {
        let mut state = State {
            sending: true,
            receiving: true,
            awaits_input: false,
            held: None,
            send_error: None,
            moved: Instant::now(),
            marks: (0, 0),
        };
        loop {
            let more = match self.receive(&mut state, talker)? {
                Ok(more) => more,
                Err(error) => return Ok(Over::Broken(error)),
            };
            if let Some(over) = self.send(&mut state, talker)? {
                return Ok(over);
            }
            if !state.receiving && !state.sending {
                return Ok(state.send_error.map_or(Over::Finished, Over::Broken));
            }
            talker.pause()?;
            if let Some(over) = self.wait(&mut state, talker, more)? {
                return Ok(over);
            }
        }
    }

    /// Receives what is there; whether more may be there still.
    fn receive(
        &mut self,
        state: &mut State,
        talker: &mut dyn Talker,
    ) -> Result<Result<bool, Error>, Failure> {
        if !state.receiving {
            return Ok(Ok(false));
        }
        for _ in 0..RECEIVE_TURN {
            match self.conversation.try_recv() {
                Ok(Received::Message(message)) => {
                    state.moved = Instant::now();
                    talker.received(&message)?;
                }
                Ok(Received::Pending) => return Ok(Ok(false)),
                Ok(Received::Finished) => {
                    state.receiving = false;
                    talker.peer_finished()?;
                    return Ok(Ok(false));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(true))
    }

    /// Sends what goes without waiting, and half-closes behind the last of it.
    fn send(
        &mut self,
        state: &mut State,
        talker: &mut dyn Talker,
    ) -> Result<Option<Over>, Failure> {
        state.awaits_input = false;
        while state.sending {
            let message = match state.held.take() {
                Some(message) => message,
                None => match talker.next()? {
                    Next::Message(message) => message,
                    Next::Wait => {
                        state.awaits_input = true;
                        break;
                    }
                    Next::End => {
                        match self.conversation.try_flush() {
                            Ok(false) => break,
                            Ok(true) => state.stop_sending(self.conversation.finish().err()),
                            Err(error) => state.stop_sending(Some(error)),
                        }
                        continue;
                    }
                },
            };
            match self.offer(&message) {
                Ok(true) => {}
                Ok(false) => {
                    state.held = Some(message);
                    break;
                }
                Err(error) if error.is_caller() => {
                    if !talker.refused(&error)? {
                        // What was right is sent; what is wrong is told.
                        let sent = self.conversation.flush();
                        return Ok(Some(Over::Refused(sent.err().unwrap_or(error))));
                    }
                }
                Err(error) => state.stop_sending(Some(error)),
            }
        }
        if state.sending
            && let Err(error) = self.conversation.try_flush()
        {
            state.stop_sending(Some(error));
        }
        Ok(None)
    }

    /// Sends a message if that needs no waiting: small ones together, a large one alone.
    fn offer(&mut self, message: &[u8]) -> Result<bool, Error> {
        if !self.fields.is_empty() {
            return self.conversation.send_with(self.fields, message).map(|()| true);
        }
        let pending = self.conversation.session().outbound.pending();
        if pending + message.len() < limits::QUEUE_MARK_BYTES / 2 {
            return self.conversation.queue(message).map(|()| true);
        }
        self.conversation.try_send(message)
    }

    fn wait(
        &mut self,
        state: &mut State,
        talker: &mut dyn Talker,
        more: bool,
    ) -> Result<Option<Over>, Failure> {
        let session = self.conversation.session();
        let pending = session.outbound.pending();
        let marks = (pending, session.inbound.unread().len());
        if marks != state.marks {
            state.marks = marks;
            state.moved = Instant::now();
        }
        // A person may take any time to type; the peer may not.
        let person = state.awaits_input && pending == 0;
        let deadline = (!person).then(|| state.moved + self.timeout);
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) && !more {
            return Ok(Some(Over::TimedOut(self.timeout)));
        }
        let transport = self.conversation.transport();
        let input = talker.input().filter(|_| state.awaits_input);
        let more = more || state.receiving && transport.holds_input();
        let wanted = transport.interest(Interest {
            read: state.receiving,
            write: state.sending && (pending > 0 || state.held.is_some()),
        });
        let reads = transport.read_descriptor().filter(|_| wanted.read);
        let writes = transport.write_descriptor().filter(|_| wanted.write);
        let mut polled = vec![PollFd::from_borrowed_fd(self.stopper.as_fd(), PollFlags::IN)];
        polled.extend(reads.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        polled.extend(writes.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        polled.extend(input.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let left = match more {
            true => Some(Duration::ZERO),
            false => deadline.map(|at| at.saturating_duration_since(Instant::now())),
        };
        // A time that the kernel's type cannot hold is as good as for ever.
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut polled, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Failure::usage(format_args!("cannot poll: {error}"))),
        }
        let typed = input.is_some() && polled.last().is_some_and(|fd| !fd.revents().is_empty());
        if self.stopper.is_stopped() {
            return Ok(Some(Over::Interrupted));
        }
        if typed {
            talker.read_input()?;
            state.moved = Instant::now();
        }
        Ok(None)
    }
}

impl State {
    fn stop_sending(&mut self, error: Option<Error>) {
        self.sending = false;
        self.send_error = error;
    }
}

/// The exit code and the words of an ending, and of what the bytes around a bad frame are.
pub(crate) fn outcome(over: Over, conversation: &Conversation) -> Result<(), Failure> {
    match over {
        Over::Finished => Ok(()),
        Over::Refused(error) => Err(Failure::new(Exit::BadFrame, error)),
        Over::Broken(error) => Err(Failure::new(Exit::of(&error), words(&error))),
        Over::TimedOut(time) => {
            let (name, number) = (conversation.transport().name(), next_message(conversation));
            let text = format!("timed out: {name}, message {number}: nothing moved for {time:?}");
            Err(Failure::new(Exit::TimedOut, text))
        }
        Over::Interrupted => Err(Failure::new(Exit::Interrupted, "interrupted")),
    }
}

/// The words of an error, with the bytes around it when a frame is bad.
pub(crate) fn words(error: &Error) -> String {
    let mut text = error.to_string();
    if let (Some((offset, bytes)), Some(frame)) = (error.around(), error.frame_error())
        && let Some(around) = crate::pump::around(bytes, offset, frame.at())
    {
        text.push_str("; bytes around it: ");
        text.push_str(&around);
    }
    text
}

/// Messages over the limit that were passed over, and a stream that could be read no further.
pub(crate) fn tell_what_was_not_shown(conversation: &Conversation, printer: &Printer) {
    let discarded = conversation.session().inbound.discarded();
    if discarded > 0 {
        let what = units::count(discarded, "message");
        printer.talk(&format!("swb: discarded {what} over the limit"));
    }
    if let Some(why) = conversation.notice() {
        printer.talk(&format!("swb: {why}"));
    }
}

fn next_message(conversation: &Conversation) -> u64 {
    conversation.session().inbound.messages() + 1
}
