//! What an echo of the requests is, for `--verify`.

use switchboard_frame::{Decoder, EncodeError, Encoder, Framing, Step};

use super::plan::Message;

/// What the replies have to be.
pub(super) enum Expected {
    /// Anything.
    Anything,
    /// All this.
    Always(Vec<u8>),
    /// Each has the number of its request in it.
    Numbered(Framing),
}

impl Expected {
    /// What a decoder gives of the message.
    ///
    /// # Errors
    /// The framing cannot carry it.
    pub(super) fn new(framing: &Framing, message: &Message) -> Result<Expected, EncodeError> {
        let [first, second] = [decoded(framing, message, 0)?, decoded(framing, message, 1)?];
        Ok(match first == second {
            true => Expected::Always(first),
            false => Expected::Numbered(framing.clone()),
        })
    }

    /// Where the reply to the request of this number first differs from it.
    pub(super) fn differs(&self, message: &Message, number: u64, reply: &[u8]) -> Option<String> {
        match self {
            Expected::Anything => None,
            Expected::Always(sent) => difference(sent, reply),
            // What could be sent can be framed again.
            Expected::Numbered(framing) => {
                difference(&decoded(framing, message, number).ok()?, reply)
            }
        }
    }
}

fn decoded(framing: &Framing, message: &Message, number: u64) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    message.encode(number, &mut Encoder::new(framing)?, &mut out)?;
    match Decoder::new(framing).step(&out, true) {
        Ok(Step::Frame(frame)) => Ok(out[frame.message].to_vec()),
        _ => Err(EncodeError::new("it is no frame by itself, which --verify needs")),
    }
}

fn difference(sent: &[u8], reply: &[u8]) -> Option<String> {
    if sent == reply {
        return None;
    }
    match sent.iter().zip(reply).position(|(sent, came)| sent != came) {
        Some(at) => {
            let (sent, came) = (sent[at], reply[at]);
            Some(format!("byte {at} is 0x{came:02x}, and 0x{sent:02x} was sent"))
        }
        None => Some(format!("it has {} bytes, and {} were sent", reply.len(), sent.len())),
    }
}
