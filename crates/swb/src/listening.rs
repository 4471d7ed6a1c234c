//! Listening, and a thread for each conversation.
//!
//! `tap`, `chaos` and the programs of `serve` share it: where it listens is told, at most so many
//! conversations at once are served while further ones wait at the listener, and the end waits for
//! all of them. What serves messages is the library's server; it shares only the listening.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use switchboard::limits::ACCEPT_PAUSE;
use switchboard::server::notify;
use switchboard::transport::{TlsServer, Transport, Wait};
use switchboard::{Endpoint, Error, ListenOptions, Listener, Stopper};

use crate::exit::{Exit, Failure};
use crate::printer::Printer;
use crate::privileges::Privileges;
use crate::units;

/// The most conversations at once, unless told; each has a thread.
pub(crate) const CONVERSATIONS_MAX: usize = 1024;

/// How long the conversations under way may take to end before it is told that they are awaited.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many conversations are served.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// So many, and then no more; without it until stopped.
    pub(crate) in_all: Option<u64>,
    /// Further ones wait at the listener.
    pub(crate) at_once: usize,
}

/// With TLS, if there is any.
pub(crate) fn with_tls(options: ListenOptions, tls: Option<TlsServer>) -> ListenOptions {
    match tls {
        Some(tls) => options.with_tls(tls),
        None => options,
    }
}

/// Listens, becomes the user that is to serve, and tells where it listens: on stderr, and with
/// `print` alone on stdout.
pub(crate) fn listen(
    endpoint: &Endpoint,
    options: &ListenOptions,
    user: Option<&Privileges>,
    print: bool,
    printer: &Printer,
) -> Result<Listener, Failure> {
    let listener = Listener::bind(endpoint, options)
        .map_err(|error| Failure::new(Exit::Unreachable, error))?;
    let endpoints = listener.endpoints();
    user.map_or(Ok(()), |user| user.take(&endpoints))?;
    tell(&endpoints, print, printer)?;
    Ok(listener)
}

/// Tells where it listens: on stderr, and with `print` alone on stdout.
pub(crate) fn tell(endpoints: &[Endpoint], print: bool, printer: &Printer) -> Result<(), Failure> {
    if let Some(first) = endpoints.first().filter(|_| print) {
        printer.data_now(format!("{first}\n").as_bytes())?;
    }
    for endpoint in endpoints {
        printer.talk(&format!("listening on {endpoint}"));
    }
    Ok(())
}

/// The conversations under way.
#[derive(Default)]
struct Active {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    now: usize,
    /// Why nothing can go on, from whichever conversation found it.
    failure: Option<Failure>,
}

/// Serves conversations until the stopper stops or as many as may were begun, then waits for those
/// under way. The first failure that concerns all of them ends everything at once.
/// `begin` is called for each in its order and gives what its thread does.
///
/// # Errors
/// That failure, or the listener's.
pub(crate) fn converse<C>(
    listener: Listener,
    stopper: &Stopper,
    limits: Limits,
    printer: &Printer,
    mut begin: impl FnMut(u64, Arc<dyn Transport>) -> C,
) -> Result<u64, Failure>
where
    C: FnOnce() -> Result<(), Failure> + Send + 'static,
{
    let active = Arc::new(Active::default());
    notify("READY=1");
    let mut begun = 0;
    let (mut is_out, mut is_full_told) = (false, false);
    while limits.in_all.is_none_or(|limit| begun < limit) {
        // Who has said how many knows what becomes of further ones.
        let is_full = active.lock().now >= CONVERSATIONS_MAX && limits.at_once == CONVERSATIONS_MAX;
        if is_full && !std::mem::replace(&mut is_full_told, true) {
            let text = "conversations are open, and that is the limit: further ones wait";
            printer.talk(&format!("swb: {CONVERSATIONS_MAX} {text}"));
        }
        active.wait_until(|state| state.now < limits.at_once)?;
        let transport = match listener.accept(&Wait::FOREVER.or_stopped(stopper)) {
            Ok(transport) => transport,
            Err(error) if error.is_stopped() => break,
            Err(error) if error.is_exhausted() => {
                // It is looked at often, and told once.
                if !is_out {
                    printer.talk(&format!("swb: {error}"));
                    is_out = true;
                }
                // The connection that waits would be found again at once.
                active.pause(ACCEPT_PAUSE)?;
                continue;
            }
            Err(error) => return Err(listen_failure(&error)),
        };
        is_out = false;
        begun += 1;
        let guard = Guard::enter(&active, stopper);
        let serve = begin(begun, transport);
        let conversation = move || guard.leave(serve());
        let thread = thread::Builder::new().name(format!("conversation {begun}"));
        if let Err(error) = thread.spawn(conversation) {
            printer.talk(&format!("swb: conversation {begun}: no thread for it: {error}"));
        }
    }
    // Nobody is kept waiting in a queue that nobody empties.
    drop(listener);
    if stopper.is_stopped() {
        notify("STOPPING=1");
        let open = active.wait_for_the_end(PATIENCE)?;
        if open > 0 {
            let who = units::count(open as u64, "conversation");
            printer.talk(&format!("swb: waiting for {who}; once more aborts"));
        }
    }
    active.wait_until(|state| state.now == 0)?;
    Ok(begun)
}

fn listen_failure(error: &Error) -> Failure {
    Failure::new(Exit::Unreachable, error)
}

impl Active {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is so, or until there is a failure for all.
    fn wait_until(&self, is_so: impl Fn(&State) -> bool) -> Result<(), Failure> {
        let mut state = self.lock();
        loop {
            if let Some(failure) = state.failure.take() {
                return Err(failure);
            }
            if is_so(&state) {
                return Ok(());
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for `time`, or until no conversation is open; how many are.
    fn wait_for_the_end(&self, time: Duration) -> Result<usize, Failure> {
        let state = self.lock();
        let goes_on = |state: &mut State| state.now > 0 && state.failure.is_none();
        let waited = self.changed.wait_timeout_while(state, time, goes_on);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(state.now),
        }
    }

    /// Waits for `time`, or until a conversation ends: it gives back what had run out.
    fn pause(&self, time: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + time;
        let mut state = self.lock();
        let before = state.now;
        while state.now == before && state.failure.is_none() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { break };
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

/// Counts a conversation while it lives, also when its thread panics.
struct Guard {
    active: Arc<Active>,
    stopper: Stopper,
}

impl Guard {
    fn enter(active: &Arc<Active>, stopper: &Stopper) -> Guard {
        active.lock().now += 1;
        Guard { active: Arc::clone(active), stopper: stopper.clone() }
    }

    fn leave(self, done: Result<(), Failure>) {
        if let Err(failure) = done {
            self.active.lock().failure.get_or_insert(failure);
            // The accept that waits is to notice.
            self.stopper.stop();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.active.lock().now -= 1;
        self.active.changed.notify_all();
    }
}
