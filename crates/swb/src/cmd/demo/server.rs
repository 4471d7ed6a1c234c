//! A server of the demo: echoes every message and notes how every conversation ended.

use super::framings::DemoFraming;
use super::round::Tally;
use crate::exit::{Exit, Failure};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use switchboard::{
    Conversation, Ending, Endpoint, Error, ListenOptions, Listener, ServeOptions, Stopper, serve,
};

pub(super) struct EchoServer {
    pub(super) framing: &'static DemoFraming,
    pub(super) endpoint: Endpoint,
    seen: Arc<Mutex<Seen>>,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

/// How the conversations ended, as the server was told.
#[derive(Default)]
struct Seen {
    finished: u64,
    resets: u64,
    /// What had arrived of the messages that stayed incomplete.
    partials: Vec<Vec<u8>>,
    other: Vec<String>,
}

impl EchoServer {
    pub(super) fn start(
        framing: &'static DemoFraming,
        directory: &Path,
    ) -> Result<EchoServer, Failure> {
        let cannot_listen = |error: Error| Failure::new(Exit::Unreachable, error);
        let endpoint = if framing.unix {
            format!("unix:{}", directory.join(framing.spec).display())
        } else {
            "tcp://127.0.0.1:0".to_owned()
        };
        let endpoint: Endpoint = endpoint.parse().map_err(Failure::usage)?;
        let listener = Listener::bind(&endpoint, &ListenOptions::default());
        let listener = listener.map_err(cannot_listen)?;
        let endpoint = listener.endpoints().into_iter().next().unwrap_or(endpoint);
        let protocol = framing.protocol().map_err(Failure::usage)?;
        let stopper = Stopper::new();
        let stopper = stopper.map_err(|error| cannot_listen(Error::io("no stopper", error)))?;
        let options = ServeOptions { stopper: Some(stopper.clone()), ..ServeOptions::default() };
        let seen = Arc::new(Mutex::new(Seen::default()));
        let notes = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            let served = serve(&listener, &protocol, &options, |conversation| {
                let result = echo(conversation);
                note(&notes, result.as_ref().err());
                result
            });
            if let Err(error) = served {
                note(&notes, Some(&error));
            }
        });
        Ok(EchoServer { framing, endpoint, seen, stopper, thread: Some(thread) })
    }

    pub(super) fn over(&self) -> &'static str {
        if self.framing.unix { "unix" } else { "tcp" }
    }

    /// How many conversations finished, were truncated, were reset.
    pub(super) fn endings(&self) -> [u64; 3] {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        [seen.finished, seen.partials.len() as u64, seen.resets]
    }

    /// Whether the server was told every ending as the client made it.
    pub(super) fn check(&self, tally: &Tally) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let spec = self.framing.spec;
        let mut wrong: Vec<String> = seen
            .other
            .iter()
            .map(|error| format!("{spec}: the server was told: {error}"))
            .collect();
        let mut compare = |what: &str, told: u64, made: u64| {
            if told != made {
                wrong.push(format!("{spec}: {made} conversations {what}, the server saw {told}"));
            }
        };
        compare("finished", seen.finished, tally.finished());
        compare("were reset", seen.resets, tally.resets());
        let mut told = seen.partials.clone();
        let mut made = tally.partials();
        told.sort();
        made.sort();
        if told != made {
            wrong.push(format!(
                "{spec}: {} messages were broken off, the server saw {}, or other bytes of them",
                made.len(),
                told.len()
            ));
        }
        wrong
    }

    /// Waits until the server has seen so many conversations end.
    pub(super) fn has_seen(&self, endings: u64) -> bool {
        let [finished, truncated, reset] = self.endings();
        finished + truncated + reset >= endings
    }
}

fn echo(conversation: &mut Conversation) -> Result<(), Error> {
    while let Some(message) = conversation.recv_owned()? {
        conversation.queue(&message)?;
    }
    Ok(())
}

fn note(seen: &Mutex<Seen>, error: Option<&Error>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match error.and_then(Error::ending) {
        None if error.is_none() => seen.finished += 1,
        Some(Ending::Truncated) => {
            let partial = error.map(|error| error.partial().to_vec()).unwrap_or_default();
            seen.partials.push(partial);
        }
        Some(Ending::Reset) => seen.resets += 1,
        _ => seen.other.extend(error.map(ToString::to_string)),
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            // A panic in it has been told as conversations that are missing.
            let _ = thread.join();
        }
    }
}
