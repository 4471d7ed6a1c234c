//! The process in front of a server that serves in another one: what
//! [`Server::start`](crate::Server::start) leaves behind.

use super::{Sizes, explain};
use crate::server::shared::Shared;
use crate::server::{CutOff, Server, Stats};
use crate::{Error, Stopper, sys};
use rustix::process::Pid;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A master that was forked off.
#[derive(Debug)]
pub(in crate::server) struct Front {
    pid: Pid,
    /// Held for as long as the master may serve: when this process dies, it sees the end of it.
    _lifeline: OwnedFd,
    /// What serving came to.
    outcome: OwnedFd,
}

/// What serving came to, in a letter. None at all: the master has died.
const WELL: char = '+';
const CALLER: char = 'c';
const EXHAUSTED: char = 'x';
const OTHER: char = '-';

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
    let shared = Arc::clone(&server.shared);
    let (reads, lifeline) = std::io::pipe().map_err(fail)?;
    let (outcome, mut tells) = std::io::pipe().map_err(fail)?;
    let Some(pid) = sys::fork().map_err(explain)? else {
        drop((lifeline, outcome));
        let all = || {
            server.is_of(std::process::id());
            server.lifeline = Some(Stopper::at_the_end_of(reads.into()));
            serve(server)
        };
        let served = catch_unwind(AssertUnwindSafe(all));
        let panicked = |_| Err(Error::caller("the server has panicked"));
        // A front that is gone wants to hear nothing.
        let told = told(served.unwrap_or_else(panicked), &shared.drain.cut_off());
        let _ = tells.write_all(&told);
        sys::exit(0)
    };
    let master = pid.as_raw_nonzero().get().unsigned_abs();
    server.is_of(master);
    server.shared.is_served_by(master);
    Ok(Front { pid, _lifeline: lifeline.into(), outcome: outcome.into() })
}

/// A line of what serving came to, and one for each that was cut off.
fn told(served: Result<Stats, Error>, cut_off: &[CutOff]) -> Vec<u8> {
    let mut told = match served {
        Ok(_) => WELL.to_string(),
        Err(error) if error.is_caller() => format!("{CALLER}{error}"),
        Err(error) if error.is_exhausted() => format!("{EXHAUSTED}{error}"),
        Err(error) => format!("{OTHER}{error}"),
    };
    told = told.replace('\n', " ");
    for CutOff { peer, queued_bytes, promised } in cut_off {
        told.push_str(&format!("\n{queued_bytes} {promised} {peer}"));
    }
    told.into_bytes()
}

/// A line of [`told`] about one that was cut off.
fn cut_off(line: &str) -> Option<CutOff> {
    let mut words = line.splitn(3, ' ');
    let mut word = || words.next();
    let (queued_bytes, promised) = (word()?.parse().ok()?, word()?.parse().ok()?);
    Some(CutOff { peer: word()?.to_owned(), queued_bytes, promised })
}

impl AsFd for Front {
    /// Readable once the master has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.outcome.as_fd()
    }
}

impl Front {
    /// Waits until the master has served.
    ///
    /// # Errors
    /// What serving said there; the master has died.
    pub(in crate::server) fn wait(self, shared: &Shared) -> Result<(), Error> {
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
        let told = String::from_utf8_lossy(&told);
        let mut lines = told.lines();
        let outcome = lines.next().unwrap_or_default();
        lines.filter_map(cut_off).for_each(|cut| shared.drain.note(cut));
        let mut text = outcome.chars();
        match text.next() {
            Some(WELL) => Ok(()),
            Some(kind) => Err(Error::told(text.as_str(), kind == CALLER, kind == EXHAUSTED)),
            None => Err(Error::caller(format!("the process of the server died: {ended}"))),
        }
    }
}
