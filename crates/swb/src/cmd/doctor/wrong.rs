//! What a server makes of bytes that are no message.

use super::link::{Heard, Link, Went};
use super::patient::Patient;
use super::probe::Finding;

/// What becomes of what a server must not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It ends the conversation, or says that something is wrong: with any bytes of its own.
    Rejects,
    /// It answers as if it had been sent a message.
    Takes(Heard),
    /// Nothing, for as long as one waits.
    Waits(Heard),
}

/// Sends what is wrong, and says what comes of it.
///
/// # Errors
/// The server does not serve others any more.
pub(super) fn reaction(
    patient: &Patient,
    link: &mut Link,
    wrong: &[u8],
) -> Result<Reaction, Finding> {
    if let Went::Refused(..) = link.send(wrong)? {
        patient.survives(link)?;
        return Ok(Reaction::Rejects);
    }
    answer(patient, link, wrong)
}

/// What comes of what has been sent already, and ends with these bytes. Of an echo a reply made of
/// bytes that were sent is no error message.
///
/// # Errors
/// The server does not serve others any more.
pub(super) fn answer(
    patient: &Patient,
    link: &mut Link,
    wrong: &[u8],
) -> Result<Reaction, Finding> {
    let request = patient.request()?;
    let reaction = match link.hear()? {
        Heard::Message(reply) => {
            let is_answer = request.reply.as_ref().is_some_and(|expected| expected.is(&reply));
            match is_answer || patient.is_echo() && is_echoed(&reply, wrong) {
                true => Reaction::Takes(Heard::Message(reply)),
                false => Reaction::Rejects,
            }
        }
        heard @ Heard::Silence(..) => Reaction::Waits(heard),
        Heard::End(..) | Heard::Unframed(..) => Reaction::Rejects,
    };
    patient.survives(link)?;
    Ok(reaction)
}

/// Whether a reply is made of bytes that were sent, and so is no error message.
pub(super) fn is_echoed(reply: &[u8], sent: &[u8]) -> bool {
    reply.is_empty() || sent.windows(reply.len()).any(|window| window == reply)
}
