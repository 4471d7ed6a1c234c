//! How a conversation under load ends, and the next one begins in its place.
//!
//! **Invariant:** a request counts once, whatever becomes of its conversation: as answered, or as
//! ended with it.

use switchboard::Error;
use switchboard_frame::{Assembler, Decoder, ErrorKind, FrameError, ReceiveBuffer, Role};

use super::super::limits::ENDS_IN_VAIN_MAX;
use super::{Common, Interest, Link, Way};
use crate::units;

/// What had happened on a link when its conversation began.
#[derive(Clone, Copy, Default)]
pub(super) struct Began {
    answered: u64,
    settled: u64,
}

impl Link {
    /// The end of the stream is the end of the reply.
    pub(super) fn end_reply(&mut self, common: &mut Common<'_>) -> Result<(), Error> {
        common.look_at_the_clock();
        let before = self.answered;
        let rest = std::mem::take(&mut self.rest);
        self.take(rest.unread(), true, common)?;
        if self.answered == before {
            return Err(self.finished(common));
        }
        self.use_up();
        Ok(())
    }

    /// The stream has ended, and another one takes its place where that is wanted.
    ///
    /// # Errors
    /// It ended within a reply; it may not have a successor, or has had too many in vain.
    pub(super) fn ended(&mut self, common: &mut Common<'_>) -> Result<(), Error> {
        if let Some(error) = self.cut_short() {
            return Err(error);
        }
        if !common.plan.reconnects {
            return Err(self.finished(common));
        }
        let was_used = self.settled() + self.flight.count() > self.began.settled;
        if self.answered > self.began.answered {
            self.ends_in_vain = 0;
        } else if was_used || self.due > 0 {
            self.ends_in_vain += 1;
        }
        let mut ended = 0;
        while let Some((_, together)) = self.flight.give_up() {
            ended += together;
        }
        self.ended += ended;
        common.tally.error("ended", ended);
        if self.ends_in_vain >= ENDS_IN_VAIN_MAX {
            let error = Error::finished(format!(
                "the server ended {ENDS_IN_VAIN_MAX} conversations in a row without a reply, at"
            ));
            let error = error.at_endpoint(self.name());
            common.gave_up = Some(error.clone());
            return Err(error);
        }
        self.use_up();
        // On a schedule nothing is due now, and the next request is not to wait for a connection.
        // One that ended unused is followed when there is a use for it.
        self.is_wanted = common.schedule.is_some() && was_used;
        Ok(())
    }

    /// The stream broke. A server that ends a conversation while a request is on its way to it
    /// resets it, so between two replies that is an end as well, and told beside it.
    ///
    /// # Errors
    /// It was anything else, or as for [`ended`](Self::ended).
    pub(super) fn broke(&mut self, error: Error, common: &mut Common<'_>) -> Result<(), Error> {
        if !common.plan.reconnects || !error.is_reset() || self.cut_short().is_some() {
            return Err(error);
        }
        common.tally.error("reset", 1);
        self.ended(common)
    }

    /// The connection has had what it was for.
    pub(super) fn use_up(&mut self) {
        self.way = Way::Used;
        // What was closed is not watched any more.
        self.watched = Interest::NONE;
    }

    /// Begins to make the next connection if there is a use for it.
    pub(super) fn follow(&mut self, common: &mut Common<'_>) -> Result<(), Error> {
        if !matches!(self.way, Way::Used) || self.due == 0 && !self.is_wanted {
            return Ok(());
        }
        self.is_wanted = false;
        let connecting = common.dialer.start();
        let connecting = connecting.inspect_err(|error| give_up(error, common))?;
        self.way = Way::Making(Box::new(connecting), common.now);
        self.go_on_connecting(common)
    }

    /// Goes on with making the next connection, which begins anew in everything.
    pub(super) fn go_on_connecting(&mut self, common: &mut Common<'_>) -> Result<(), Error> {
        let Way::Making(connecting, began) = &mut self.way else { return Ok(()) };
        let made = connecting.finish().inspect_err(|error| give_up(error, common))?;
        let Some(transport) = made else { return Ok(()) };
        common.look_at_the_clock();
        common.tally.connect.saturating_record(common.now.saturating_sub(*began));
        common.tally.reconnects += u64::from(common.plan.reconnects);
        // A request that was due when it began has waited for it. On a schedule its latency says
        // so by itself.
        let waits = common.plan.is_one_shot || common.schedule.is_none();
        self.connecting_since = waits.then_some(*began);
        self.way = Way::Open(transport);
        self.decoder = Decoder::new(common.plan.protocol.framing(Role::Server));
        self.assembler = Assembler::new();
        self.rest = ReceiveBuffer::new();
        self.need = 1;
        self.is_shut = false;
        self.began = Began { answered: self.answered, settled: self.settled() };
        let outgoing = self.outgoing.renew(common.plan, self.settled());
        outgoing.map_err(|error| Error::caller(error.to_string()))
    }

    /// What the end of the stream has cut off, if it has.
    fn cut_short(&mut self) -> Option<Error> {
        let error = if self.passing > 0 {
            let (whole, end) = (self.passing_whole, self.decoder.offset() - self.passing);
            let begin = self.decoder.offset() - whole;
            let error = FrameError::new(ErrorKind::Truncated, begin, end);
            error.with_progress(end - begin, Some(whole))
        } else {
            self.decoder.step(self.rest.unread(), true).err()?
        };
        Some(Error::frame(error, self.name(), self.answered + 1))
    }

    /// It ended between two replies.
    fn finished(&mut self, common: &Common<'_>) -> Error {
        if let Some(error) = self.cut_short() {
            return error;
        }
        let replies = self.answered - self.began.answered;
        let outstanding = match self.outstanding() {
            0 => String::new(),
            1 => " (1 request had none)".to_owned(),
            more => format!(" ({more} requests had none)"),
        };
        let replies_said = units::count(replies, "reply");
        let what =
            format!("the server ended the conversation after {replies_said}{outstanding}, at");
        let error = Error::finished(what).at_endpoint(self.name());
        match replies {
            _ if common.plan.is_one_shot => error,
            0 => error.with_advice("does it understand the requests? see --frame, --data, --field"),
            _ => error.with_advice("--reconnect opens it again and goes on"),
        }
    }
}

/// A connection that had to be made again was not made.
fn give_up(error: &Error, common: &mut Common<'_>) {
    if common.plan.reconnects {
        common.gave_up = Some(error.clone());
    }
}
