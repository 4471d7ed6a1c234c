//! The process in front of a server that serves in another one: what
//! [`Server::start`](crate::Server::start) leaves behind.

use super::{Sizes, explain};
use crate::server::{Server, Stats};
use crate::{Error, Stopper, sys};
use rustix::process::Pid;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A master that was forked off.
#[derive(Debug)]
pub(in crate::server) struct Front {
    pid: Pid,
    /// Held for as long as the master may serve: when this process dies, it sees the end of it.
    _lifeline: OwnedFd,
    /// What serving came to.
    outcome: OwnedFd,
}

/// The longest text of an error that is told, in bytes: a pipe takes as much at once.
const TEXT_BYTES_MAX: usize = 4000;

/// What serving came to, in a byte. No byte at all: the master has died.
const WELL: u8 = 0;
const CALLER: u8 = 1;
const EXHAUSTED: u8 = 2;
const OTHER: u8 = 3;

/// Forks a master off, which serves.
///
/// # Errors
/// This process has other threads, or the system no process, descriptor or memory.
pub(in crate::server) fn start(
    mut server: Server,
    sizes: Sizes,
    serve: impl FnOnce(Server) -> Result<Stats, Error>,
) -> Result<Front, Error> {
    let fail = |error| Error::io("cannot start a server", error);
    server.shared.set_board(&sizes.board()?);
    let (reads, lifeline) = std::io::pipe().map_err(fail)?;
    let (outcome, mut tells) = std::io::pipe().map_err(fail)?;
    let Some(pid) = sys::fork().map_err(explain)? else {
        drop((lifeline, outcome));
        let all = || {
            server.listeners.iter().for_each(|listener| listener.is_of(std::process::id()));
            server.lifeline = Some(Stopper::at_the_end_of(reads.into()));
            serve(server)
        };
        let served = catch_unwind(AssertUnwindSafe(all));
        let panicked = |_| Err(Error::caller("the server has panicked"));
        // A front that is gone wants to hear nothing.
        let _ = tells.write_all(&told(served.unwrap_or_else(panicked)));
        sys::exit(0)
    };
    let master = pid.as_raw_nonzero().get().unsigned_abs();
    server.listeners.iter().for_each(|listener| listener.is_of(master));
    server.shared.is_served_by(master);
    Ok(Front { pid, _lifeline: lifeline.into(), outcome: outcome.into() })
}

fn told(served: Result<Stats, Error>) -> Vec<u8> {
    let Err(error) = served else { return vec![WELL] };
    let kind = match &error {
        error if error.is_caller() => CALLER,
        error if error.is_exhausted() => EXHAUSTED,
        _ => OTHER,
    };
    let text = error.to_string();
    [&[kind], &text.as_bytes()[..text.len().min(TEXT_BYTES_MAX)]].concat()
}

impl Front {
    /// Waits until the master has served.
    ///
    /// # Errors
    /// What serving said there; the master has died.
    pub(in crate::server) fn wait(self) -> Result<(), Error> {
        let mut told = Vec::new();
        let read = std::fs::File::from(self.outcome).read_to_end(&mut told);
        let ended = loop {
            // It tells as the last thing it does, so this does not go round often.
            match sys::reap(self.pid) {
                Some(ended) => break ended,
                None => std::thread::yield_now(),
            }
        };
        read.map_err(|error| Error::io("cannot hear of the server", error))?;
        match told.split_first() {
            Some((&WELL, _)) => Ok(()),
            Some((kind, text)) => {
                let text = String::from_utf8_lossy(text);
                Err(Error::told(text, *kind == CALLER, *kind == EXHAUSTED))
            }
            None => Err(Error::caller(format!("the process of the server died: {ended}"))),
        }
    }
}
