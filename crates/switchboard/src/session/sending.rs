//! What may be sent while a message is looked at.

use super::Outbound;
use switchboard_frame::{Coupler, EncodeError, Fields, Framing, Protocol, Role};

/// The sending side of a [`Session`](super::Session), borrowed apart from the message that the last
/// poll told. What changes the framing of what comes waits until that message has been let go.
#[derive(Debug)]
pub(crate) struct Sending<'a> {
    pub(super) role: Role,
    pub(crate) outbound: &'a mut Outbound,
    pub(super) coupler: &'a mut Option<Coupler>,
    pub(super) next_inbound: &'a mut Option<Framing>,
    pub(super) switched: &'a mut bool,
    pub(super) notice: &'a mut Option<&'static str>,
}

impl Sending<'_> {
    #[inline]
    pub(crate) fn queue(&mut self, message: &[u8]) -> Result<(), EncodeError> {
        self.outbound.queue(message)?;
        if self.coupler.is_some() {
            self.observe(self.role, message);
        }
        Ok(())
    }

    pub(crate) fn queue_with(&mut self, fields: &Fields, body: &[u8]) -> Result<(), EncodeError> {
        self.outbound.queue_with(fields, body)?;
        if self.coupler.is_some() {
            // A coupled protocol's messages are whole frames.
            let message = self.outbound.queued_last().to_vec();
            self.observe(self.role, &message);
        }
        Ok(())
    }

    pub(crate) fn is_coupled(&self) -> bool {
        self.coupler.is_some()
    }

    /// Whether what comes behind the message at hand has another framing.
    #[inline]
    pub(crate) fn reframes(&self) -> bool {
        self.next_inbound.is_some()
    }

    pub(crate) fn set_protocol(&mut self, protocol: &Protocol) {
        self.set_inbound(protocol);
        self.set_outbound(protocol);
    }

    /// The direction of what comes, and the coupling.
    pub(crate) fn set_inbound(&mut self, protocol: &Protocol) {
        *self.switched = true;
        *self.next_inbound = Some(protocol.framing(self.role.other()).clone());
        *self.coupler = protocol.is_coupled().then(|| protocol.coupler());
    }

    /// The direction of what is sent.
    pub(crate) fn set_outbound(&mut self, protocol: &Protocol) {
        *self.switched = true;
        self.outbound.set_framing(protocol.framing(self.role));
    }

    /// Shows a coupled protocol a message that `writer` wrote.
    #[cold]
    pub(super) fn observe(&mut self, writer: Role, message: &[u8]) {
        let Some(coupler) = self.coupler else { return };
        for switch in coupler.observe(writer, message) {
            *self.switched = true;
            match switch.writer == self.role {
                true => self.outbound.set_framing(&switch.framing),
                false => *self.next_inbound = Some(switch.framing.clone()),
            }
            *self.notice = self.notice.or(switch.why);
        }
    }
}
