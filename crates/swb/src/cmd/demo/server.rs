//! A server of the demo: echoes every message and notes how every conversation ended.

use super::framings::DemoFraming;
use super::round::Tally;
use crate::exit::{Exit, Failure};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use switchboard::server::{Dispatch, Reply, Running, Server, Service};
use switchboard::{Ending, Endpoint, Error, Message};

pub(super) struct EchoServer {
    pub(super) framing: &'static DemoFraming,
    pub(super) endpoint: Endpoint,
    pub(super) dispatch: Dispatch,
    seen: Arc<Mutex<Seen>>,
    running: Running,
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
        dispatch: Dispatch,
        directory: &Path,
    ) -> Result<EchoServer, Failure> {
        let cannot_listen = |error: Error| Failure::new(Exit::Unreachable, error);
        let endpoint = if framing.unix {
            let name = format!("{}-{dispatch}", framing.spec);
            format!("unix:{}", directory.join(name).display())
        } else {
            "tcp://127.0.0.1:0".to_owned()
        };
        let protocol = framing.protocol().map_err(Failure::usage)?;
        let server = Server::of(&protocol).with_dispatch(dispatch.clone());
        let server = server.listen(&endpoint).map_err(cannot_listen)?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let notes = Arc::clone(&seen);
        let running = server.start(move || Echo(Arc::clone(&notes))).map_err(cannot_listen)?;
        let endpoint = running.endpoints().first().cloned();
        let endpoint = endpoint.ok_or_else(|| Failure::usage("a server listens nowhere"))?;
        Ok(EchoServer { framing, endpoint, dispatch, seen, running })
    }

    /// Ends it; what it did not do.
    pub(super) fn stop(self) -> Option<String> {
        let spec = format!("{} under {}", self.framing.spec, self.dispatch);
        let why = match self.running.stop() {
            Ok(stats) if stats.open == 0 && stats.panicked == 0 => return None,
            Ok(stats) => format!("the server ended as {stats:?}"),
            Err(error) => error.to_string(),
        };
        Some(format!("{spec}: {why}"))
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
        let spec = format!("{} under {}", self.framing.spec, self.dispatch);
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

/// Sends every message back, and notes how it ended.
struct Echo(Arc<Mutex<Seen>>);

impl Service for Echo {
    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.send(&message)
    }

    fn closed(&mut self, ending: Ending, error: Option<&Error>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (ending, error) {
            (Ending::Finished, None) => seen.finished += 1,
            (Ending::Truncated, Some(error)) => seen.partials.push(error.partial().to_vec()),
            (Ending::Reset, Some(_)) => seen.resets += 1,
            (_, Some(error)) => seen.other.push(error.to_string()),
            (ending, None) => seen.other.push(format!("an ending: {ending}")),
        }
    }
}
