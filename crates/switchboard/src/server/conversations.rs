//! The style in which a function is given a blocking conversation, and waits as it likes.

use super::bench::Bench;
use super::drain::CutOff;
use super::stats::Count;
use crate::transport::Transport;
use crate::{Conversation, Ending, Error, Stopper};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use switchboard_frame::Role;

/// What ends the calls of all conversations that wait.
pub(super) struct Stoppers {
    /// The server is stopping.
    pub(super) stop: Stopper,
    /// And the time for that is over.
    pub(super) last: Stopper,
}

/// Serves one conversation to its end.
pub(super) fn converse<H>(
    transport: Arc<dyn Transport>,
    handler: &H,
    bench: &mut Bench,
    stoppers: &Stoppers,
) where
    H: Fn(&mut Conversation) -> Result<(), Error>,
{
    let peer = Arc::clone(&transport);
    let setup = &bench.setup;
    let conversation = Conversation::with_role(transport, &setup.protocol, Role::Server);
    let mut conversation = conversation.with_timeouts(setup.limits.timeouts);
    conversation.set_opening_timeout(setup.limits.opening);
    // In a process of its own it is stopped from another one.
    conversation.set_stopper(bench.lifeline.as_ref().unwrap_or(&stoppers.stop));
    let mut counted = peer.client().is_some();
    let handled =
        catch_unwind(AssertUnwindSafe(|| {
            conversation.open()?;
            match bench.identify(&*peer, &mut counted) {
                true => handler(&mut conversation),
                // It is dropped, as one that is refused before it begins.
                false => Err(Error::stopped("too many conversations of the address of")
                    .at_endpoint(peer.name())),
            }
        }));
    let is_its_end = |error: &Error| {
        // That of another stream is none of this one; a stop is one of all.
        error.is_stopped() || error.ending().is_some() && error.endpoint() == Some(&*peer.name())
    };
    let failed = match &handled {
        Ok(handled) => handled.as_ref().is_err_and(|error| !is_its_end(error)),
        Err(_) => true,
    };
    if failed || matches!(handled, Ok(Ok(()))) {
        // The answers are delivered after a stop too, within the usual times.
        conversation.set_stopper(&stoppers.last);
    }
    let (ended, told) = match handled {
        Ok(Ok(())) => {
            let at_end = conversation.session().inbound.at_end();
            let ended = conversation.end();
            match cut_off(&conversation, stoppers, bench).map_or(ended, Err) {
                Ok(()) => (if at_end { Ending::Finished } else { Ending::Stopped }, None),
                Err(error) => (error.ending().unwrap_or(Ending::Reset), Some(error)),
            }
        }
        Ok(Err(error)) if failed => {
            bench.counters.add(Count::Failed, 1);
            (Ending::Stopped, Some(error))
        }
        Ok(Err(error)) => (error.ending().unwrap_or(Ending::Stopped), Some(error)),
        Err(_) => {
            bench.counters.add(Count::Panicked, 1);
            (Ending::Stopped, Some(Error::caller("the handler panicked")))
        }
    };
    if failed {
        conversation.fail();
    }
    let (counters, session) = (&bench.counters, conversation.session());
    counters.add(Count::MessagesReceived, session.inbound.messages());
    counters.add(Count::MessagesDiscarded, session.inbound.discarded());
    counters.add(Count::MessagesSent, session.outbound.messages());
    counters.add(Count::BytesReceived, session.inbound.received());
    counters.add(Count::BytesSent, session.outbound.bytes());
    drop(conversation);
    bench.ended(&*peer, ended, told.as_ref());
    bench.leave(&*peer, counted);
}

/// Notes who was not at its end when the time was over; the error to tell.
fn cut_off(conversation: &Conversation, stoppers: &Stoppers, bench: &Bench) -> Option<Error> {
    let session = conversation.session();
    if session.inbound.at_end() || !stoppers.last.is_stopped() {
        return None;
    }
    let peer = conversation.transport().name();
    let cut = CutOff { peer, queued_bytes: session.outbound.pending(), promised: 0 };
    Some(bench.cut_off(cut))
}
