//! The style in which a function is given a blocking conversation, and waits as it likes.

use super::bench::Bench;
use super::stats::Count;
use crate::transport::Transport;
use crate::{Conversation, Ending, Error, Stopper};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use switchboard_frame::Role;

/// Serves one conversation to its end.
pub(super) fn converse<H>(
    transport: Arc<dyn Transport>,
    handler: &H,
    bench: &mut Bench,
    stopper: &Stopper,
) where
    H: Fn(&mut Conversation) -> Result<(), Error>,
{
    let peer = Arc::clone(&transport);
    let setup = &bench.setup;
    let conversation = Conversation::with_role(transport, &setup.protocol, Role::Server);
    let mut conversation = conversation.with_timeouts(setup.limits.timeouts);
    conversation.set_stopper(stopper);
    let handled = catch_unwind(AssertUnwindSafe(|| handler(&mut conversation)));
    let (ended, told) = match handled {
        Ok(Ok(())) => {
            // The answers are delivered after a stop too, within the usual times.
            if let Ok(fresh) = Stopper::new() {
                conversation.set_stopper(&fresh);
            }
            let at_end = conversation.session().inbound.at_end();
            match conversation.end() {
                Ok(()) => (if at_end { Ending::Finished } else { Ending::Stopped }, None),
                Err(error) => (error.ending().unwrap_or(Ending::Reset), Some(error)),
            }
        }
        Ok(Err(error)) => {
            bench.counters.add(Count::Failed, u64::from(error.ending().is_none()));
            (error.ending().unwrap_or(Ending::Stopped), Some(error))
        }
        Err(_) => {
            bench.counters.add(Count::Panicked, 1);
            (Ending::Stopped, Some(Error::caller("the handler panicked")))
        }
    };
    let (counters, session) = (&bench.counters, conversation.session());
    counters.add(Count::MessagesReceived, session.inbound.messages());
    counters.add(Count::MessagesDiscarded, session.inbound.discarded());
    counters.add(Count::MessagesSent, session.outbound.messages());
    counters.add(Count::BytesReceived, session.inbound.received());
    counters.add(Count::BytesSent, session.outbound.bytes());
    drop(conversation);
    bench.ended(&*peer, ended, told.as_ref());
    bench.leave(&*peer);
}
