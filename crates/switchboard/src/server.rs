//! Serving: a thread for each conversation.
//!
//! [`serve`] accepts, begins a conversation, and runs a function over it in a thread of its own, at
//! most so many at a time; at the limit the kernel's backlog waits. An error or a panic in one
//! conversation ends that one and touches no other, and the listener goes on.

use crate::transport::Wait;
use crate::{Conversation, Error, Listener, Stopper, Timeouts, deadline, limits};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use switchboard_frame::{Protocol, Role};

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The most conversations at a time.
    pub conversations_max: usize,
    /// How long each conversation waits, and for what.
    pub timeouts: Timeouts,
    /// Ends the serving: nothing more is accepted, and every call that waits in a conversation
    /// ends with the ending `stopped`.
    pub stopper: Option<Stopper>,
    /// Ends the serving after so many conversations have been accepted; they are seen to their end.
    pub conversations: Option<u64>,
}

impl Default for ServeOptions {
    /// The values in [`limits`]; until the process ends.
    fn default() -> ServeOptions {
        ServeOptions {
            conversations_max: limits::CONVERSATIONS_MAX,
            timeouts: Timeouts::default(),
            stopper: None,
            conversations: None,
        }
    }
}

/// What was served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Conversations accepted.
    pub accepted: u64,
    /// Conversations whose handler returned an error.
    pub failed: u64,
    /// Conversations whose handler panicked.
    pub panicked: u64,
}

/// Serves conversations with `handler`, each in a thread of its own, until the options say to stop;
/// then waits for those that are open. When the handler returns `Ok` the conversation is
/// [closed](Conversation::close), so that the peer loses nothing.
///
/// # Errors
/// The options cannot be, or the listener is broken. An error of one connection is none of the
/// listener's; when descriptors or memory run out, accepting pauses and goes on.
///
/// # Examples
/// ```
/// use switchboard::{Conversation, Listener, ServeOptions, Stopper, serve};
///
/// let listener = Listener::bind(&"tcp://127.0.0.1:0".parse()?, &Default::default())?;
/// let endpoint = listener.endpoints()[0].to_string();
/// let options = ServeOptions { conversations: Some(1), ..ServeOptions::default() };
/// let server = std::thread::spawn(move || {
///     serve(&listener, &"lines".parse().unwrap(), &options, |conversation| {
///         while let Some(message) = conversation.recv_owned()? {
///             conversation.queue(&message)?;
///         }
///         Ok(())
///     })
/// });
/// let mut client = Conversation::connect(&endpoint, "lines")?;
/// assert_eq!(&*client.request(b"echo me")?, b"echo me");
/// client.close()?;
/// assert_eq!(server.join().unwrap()?.accepted, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn serve<H>(
    listener: &Listener,
    protocol: &Protocol,
    options: &ServeOptions,
    handler: H,
) -> Result<Served, Error>
where
    H: Fn(&mut Conversation) -> Result<(), Error> + Sync,
{
    if options.conversations_max == 0 {
        let error = Error::caller("conversations_max is 0, so nothing can be served");
        return Err(error.with_advice("give it at least 1"));
    }
    let (failed, panicked) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut accepted = 0;
    let run = |mut conversation: Conversation| {
        match catch_unwind(AssertUnwindSafe(|| handler(&mut conversation))) {
            // That a peer did not take the end of a reply is told to the handler's side by the
            // count only: there is no one else.
            Ok(Ok(())) => u64::from(conversation.close().is_err()),
            Ok(Err(_)) => 1,
            Err(_) => {
                panicked.fetch_add(1, Ordering::Relaxed);
                0
            }
        }
    };
    let result = thread::scope(|scope| {
        let (over, ended) = mpsc::channel();
        let mut open = 0;
        while options.conversations.is_none_or(|most| accepted < most) {
            open -= ended.try_iter().count();
            if open == options.conversations_max && ended.recv().is_ok() {
                open -= 1;
            }
            let Some(conversation) = next(listener, protocol, options)? else { break };
            accepted += 1;
            open += 1;
            let (over, run, failed) = (over.clone(), &run, &failed);
            let thread = thread::Builder::new().name(format!("conversation {accepted}"));
            let spawned = thread.spawn_scoped(scope, move || {
                failed.fetch_add(run(conversation), Ordering::Relaxed);
                // The receiver is gone when serving has ended, and then needs no telling.
                let _ = over.send(());
            });
            if spawned.is_err() {
                // No thread is to be had: that conversation is over, the next may fare better.
                open -= 1;
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    });
    let (failed, panicked) = (failed.into_inner(), panicked.into_inner());
    result.map(|()| Served { accepted, failed, panicked })
}

/// The next conversation; `None` when the stopper has stopped.
fn next(
    listener: &Listener,
    protocol: &Protocol,
    options: &ServeOptions,
) -> Result<Option<Conversation>, Error> {
    let until = Wait { stopper: options.stopper.as_ref(), ..Wait::FOREVER };
    loop {
        match listener.accept(&until) {
            Ok(transport) => {
                let conversation = Conversation::with_role(transport, protocol, Role::Server);
                let mut conversation = conversation.with_timeouts(options.timeouts);
                if let Some(stopper) = &options.stopper {
                    conversation.set_stopper(stopper);
                }
                return Ok(Some(conversation));
            }
            Err(error) if error.is_stopped() => return Ok(None),
            Err(error) if error.is_exhausted() => pause(options)?,
            Err(error) => return Err(error),
        }
    }
}

/// Leaves the listener alone for a while, or until stopped.
fn pause(options: &ServeOptions) -> Result<(), Error> {
    let until = Wait {
        stopper: options.stopper.as_ref(),
        deadline: deadline::after(limits::ACCEPT_PAUSE),
        ..Wait::FOREVER
    };
    let waited = crate::sys::wait(&mut [], &until);
    waited.map(|_| ()).map_err(|error| Error::io("cannot wait", error))
}
