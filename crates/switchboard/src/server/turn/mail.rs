//! What a turn does with its conversation's mail: messages of others, and promised answers in the
//! order in which they were promised.
//!
//! **Invariant:** what waits behind a promise leaves behind its answer or not at all.

use super::Turn;
use crate::server::Service;
use crate::server::group::Batch;
use crate::server::inbox::Post;
use crate::server::line::{Held, Phase};
use crate::session::Sending;
use crate::{Ending, Error};
use switchboard_frame::EncodeError;

impl<S: Service> Turn<'_, S> {
    /// What others have sent to this conversation, as far as there is room for it. An answer that
    /// was promised needs none: what waits behind it may be all that fills the queue.
    pub(super) fn take_mail(&mut self) {
        self.note_full();
        let high = self.bench.setup.limits.queue_high_bytes;
        let room = if self.line.flags.full { 0 } else { high.saturating_sub(self.queued()).max(1) };
        let Some(mailbox) = &self.line.extras().mailbox else { return };
        // What is put off is looked at again once there is room.
        self.line.flags.mail = !mailbox.take(room, &mut self.bench.posts);
        let mut posts = std::mem::take(&mut self.bench.posts);
        for post in posts.drain(..) {
            match post {
                Post::Message(message) => self.send_of_its_own(&message),
                Post::Batch(batch) => self.send_batch(&batch),
                Post::Answer { number, answer } => self.keep_promise(number, answer),
                Post::Resume => self.call(|_, reply| {
                    reply.resume();
                    Ok(())
                }),
                Post::Close => self.call(|_, reply| {
                    reply.close();
                    Ok(())
                }),
                Post::Finish => self.line.finish(),
                Post::Overflow => {
                    let error = Error::limit("the queue for a slow peer is full");
                    let name = self.line.transport.name();
                    self.line.close(Ending::Stopped, Some(error.at_endpoint(name)));
                    self.line.phase = Phase::Over;
                }
            }
        }
        self.bench.posts = posts;
        self.note_full();
    }

    fn send_of_its_own(&mut self, message: &[u8]) {
        // What was put in before the conversation began to close still goes out.
        if !self.line.flags.half_closed && !self.line.is_deaf() {
            self.queue(message);
        }
    }

    /// Messages of a group, as they have been framed for all who frame alike.
    fn send_batch(&mut self, batch: &Batch) {
        let is_plain = self.session.frames_as_at_rest();
        match is_plain.then(|| batch.framed(&self.bench.setup)).flatten() {
            Some((frames, last)) if !self.line.flags.half_closed && !self.line.is_deaf() => {
                self.session.outbound.queue_framed(frames, last, batch.len());
            }
            _ => batch.messages().for_each(|message| self.send_of_its_own(message)),
        }
    }

    pub(super) fn queue(&mut self, message: &[u8]) -> bool {
        self.queue_by(|sending| sending.queue(message))
    }

    /// Whether it could be framed; else that ends the conversation.
    fn queue_by(
        &mut self,
        queue: impl FnOnce(&mut Sending<'_>) -> Result<(), EncodeError>,
    ) -> bool {
        let queued = queue(&mut self.session.sending());
        if let Err(error) = queued {
            let name = self.line.transport.name();
            let number = self.session.outbound.messages() + 1;
            let error = Error::caller("cannot send to").with_source(error);
            self.fail(error.at_endpoint(name).at_message(number));
            return false;
        }
        true
    }

    /// Sends what has waited for its turn. If that cannot be, what was to come behind it is no
    /// answer to anything any more: the peer would take it for this one.
    fn queue_held(&mut self, queue: impl FnOnce(&mut Sending<'_>) -> Result<(), EncodeError>) {
        if !self.queue_by(queue) {
            self.line.drop_held();
        }
    }

    fn keep_promise(&mut self, number: u64, answer: Result<Option<bytes::Bytes>, Error>) {
        let extras = self.line.extras();
        let is_it = |held: &Held| matches!(held, Held::Promise(promised) if *promised == number);
        let Some(place) = extras.held.iter().position(is_it) else { return };
        match answer {
            Ok(Some(answer)) => {
                extras.held_bytes += answer.len();
                extras.held[place] = Held::Message(answer);
            }
            Ok(None) => drop(extras.held.remove(place)),
            Err(error) => extras.held[place] = Held::Broken(error),
        }
        self.release_held();
        let held_bytes_max = self.bench.setup.limits.queued_bytes_max;
        if self.line.held_bytes() > held_bytes_max {
            let error = Error::limit("the answers that wait for an earlier one are too many");
            self.line.close(Ending::Stopped, Some(error));
            self.line.phase = Phase::Over;
        }
    }

    /// Sends what has waited for a promise that is kept now.
    fn release_held(&mut self) {
        loop {
            let extras = self.line.extras();
            if matches!(extras.held.front(), None | Some(Held::Promise(_))) {
                return;
            }
            let Some(held) = extras.held.pop_front() else { return };
            extras.held_bytes -= held.bytes();
            match held {
                Held::Message(message) => self.queue_held(|sending| sending.queue(&message)),
                Held::With(fields, body) => {
                    self.queue_held(|sending| sending.queue_with(&fields, &body));
                }
                Held::Framing(protocol) => self.session.sending().set_outbound(&protocol),
                Held::Broken(error) => {
                    self.fail(error);
                    self.line.drop_held();
                }
                Held::Promise(_) => {}
            }
        }
    }
}
