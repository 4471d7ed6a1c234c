//! A thread that has Python move bytes for the main one, in which signals' handlers run: what one
//! raised in the middle would have the bytes lost.
//!
//! It is there from when it is first needed until it is dropped: a program that forks wants no
//! thread of which it knows nothing.

use crate::interrupt;
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::{io, mem, process};

type Job = Box<dyn FnOnce() + Send>;

/// Makes the thread, and ends it.
#[derive(Default)]
pub(crate) struct Mover(Mutex<Option<Made>>);

struct Made {
    /// In one that was forked off this one there is no such thread.
    process: u32,
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

impl Mover {
    /// Has the thread do this, and waits for it.
    ///
    /// # Errors
    /// There can be no thread.
    pub(crate) fn have<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(Python<'_>) -> T + Send + 'static,
    ) -> io::Result<T> {
        let done = py.detach(|| {
            let (tell, told) = mpsc::sync_channel(1);
            let job = move || {
                let work = || Python::attach(|py| interrupt::moving(|| work(py)));
                // Whoever asked is there until he is told.
                let _ = tell.send(catch_unwind(AssertUnwindSafe(work)));
            };
            let gone = || io::Error::other("the thread that moves bytes is gone");
            self.jobs()?.send(Box::new(job)).map_err(|_| gone())?;
            told.recv().map_err(|_| gone())
        });
        Ok(done?.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    fn jobs(&self) -> io::Result<Sender<Job>> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*made
            && made.process == process::id()
        {
            return Ok(made.jobs.clone());
        }
        let (jobs, queue) = mpsc::channel::<Job>();
        let thread = thread::Builder::new().name("switchboard-tls".into()).spawn(move || {
            // Python knows it all the time, and not anew for each call.
            Python::attach(|py| py.detach(|| queue.into_iter().for_each(|job| job())));
        })?;
        let new = Made { process: process::id(), jobs: jobs.clone(), thread };
        // That of another process may have been in the middle of anything.
        mem::forget(made.replace(new));
        Ok(jobs)
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        let made = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Made { process, jobs, thread }) = made else { return };
        if process != process::id() {
            mem::forget((jobs, thread));
            return;
        }
        drop(jobs);
        // At the very end of the program it ends with that.
        let ended = Python::try_attach(|py| py.detach(|| thread.join().is_ok()));
        let _ = ended;
    }
}
