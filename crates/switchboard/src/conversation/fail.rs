//! Ending because this side has failed: the peer is told, and loses nothing of what it was sent.

use super::Conversation;

impl Conversation {
    /// Delivers what is pending, and then resets the stream, so that the peer does not take what it
    /// was sent for all there is. Where there are no resets it does nothing.
    ///
    /// Waits as [`close`](Self::close) does; after that it is told, whatever is left.
    pub(crate) fn fail(&mut self) {
        let transport = &self.link.transport;
        if !transport.facts().reset || transport.opening().is_some() {
            return;
        }
        // Who takes nothing is told all the same.
        if self.flush().is_ok() {
            self.link.linger_for_delivery(self.session.inbound.at_end());
        }
        self.break_off();
    }
}
