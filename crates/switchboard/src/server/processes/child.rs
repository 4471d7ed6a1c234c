//! What a child does: it forgets what is its master's, drives one conversation or one after the
//! other, and exits. It never returns into what its master was about to do.

use super::super::acceptor::Acceptor;
use super::super::bench::{Bench, Setup};
use super::super::inbox::Inbox;
use super::super::shared::Shared;
use super::Processes;
use super::board::{Phase, Slot};
use crate::sys::{self, Watch};
use crate::transport::{Transport, Wait};
use crate::{Listener, Stopper, deadline};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Exit codes: all is well; something panicked that no conversation is to blame for; the system
/// has no descriptor for a child.
const WELL: i32 = 0;
const PANICKED: i32 = 101;
const NO_DESCRIPTOR: i32 = 71;

/// Serves one conversation.
pub(super) fn one<F: Fn(Arc<dyn Transport>, &mut Bench)>(
    acceptor: &mut Acceptor<'_, Processes<'_, F>>,
    slot: usize,
    transport: Arc<dyn Transport>,
) -> ! {
    live(|| {
        let mut own = forget(acceptor, slot)?;
        own.converse(acceptor.hands.work, transport);
        Ok(())
    })
}

/// Serves what comes over `control`, until the master wants an end.
pub(super) fn many<F: Fn(Arc<dyn Transport>, &mut Bench)>(
    acceptor: &mut Acceptor<'_, Processes<'_, F>>,
    slot: usize,
    control: &UnixStream,
) -> ! {
    live(|| {
        let mut own = forget(acceptor, slot)?;
        let Processes { work, pool, .. } = &acceptor.hands;
        while let Some(transport) = next(control, &own.lifeline, &pool.dressers)? {
            own.converse(*work, transport);
            if (&mut &*control).write_all(&[1]).is_err() || own.bench.shared.is_stopping() {
                break;
            }
        }
        Ok(())
    })
}

/// Runs all that a child does, and exits.
fn live(all: impl FnOnce() -> io::Result<()>) -> ! {
    sys::exit(match catch_unwind(AssertUnwindSafe(all)) {
        Ok(Ok(())) => WELL,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a process for conversations could not go on");
            NO_DESCRIPTOR
        }
        Err(_) => PANICKED,
    })
}

/// What a child has of its own.
struct Own {
    bench: Bench,
    slot: Slot,
    lifeline: Stopper,
}

/// Closes what is of the master and of its other children.
fn forget<F>(acceptor: &mut Acceptor<'_, Processes<'_, F>>, slot: usize) -> io::Result<Own> {
    let (shared, hands) = (acceptor.shared, &mut acceptor.hands);
    // With the master's end of the lifeline first: held here, it would never end.
    hands.lifeline = None;
    hands.children.forget();
    hands.pool.forget();
    acceptor.listeners.clear();
    acceptor.handover = None;
    shared.forget_adopted();
    let (slot, lifeline) = (hands.board.slot(slot), hands.childs_lifeline.clone());
    let bench = bench(hands.setup, shared, &slot, &lifeline)?;
    Ok(Own { bench, slot, lifeline })
}

fn bench(
    setup: &Arc<Setup>,
    shared: &Shared,
    slot: &Slot,
    lifeline: &Stopper,
) -> io::Result<Bench> {
    let shared = Arc::new(shared.of_child(slot.clone()));
    let inbox = Arc::new(Inbox::new()?);
    let mut bench = Bench::new(setup, &shared, inbox, Box::new(deadline::now));
    bench.lifeline = Some(lifeline.clone());
    Ok(bench)
}

impl Own {
    fn converse(
        &mut self,
        work: impl Fn(Arc<dyn Transport>, &mut Bench),
        transport: Arc<dyn Transport>,
    ) {
        self.slot.set_phase(Phase::Begun);
        self.bench.number = self.slot.number();
        // In the books of this process, which nobody else reads.
        self.bench.shared.door.enter(&*transport, false);
        work(transport, &mut self.bench);
        self.slot.set_client(0);
        self.slot.set_phase(Phase::Over);
    }
}

/// The next connection for a child of the pool; `None`: there will be none.
fn next(
    control: &UnixStream,
    lifeline: &Stopper,
    dressers: &[Listener],
) -> io::Result<Option<Arc<dyn Transport>>> {
    loop {
        let mut watches =
            [Watch::new(control.as_fd(), true, false), Watch::new(lifeline.as_fd(), true, false)];
        sys::wait(&mut watches, &Wait::FOREVER)?;
        // What was accepted is served, whoever wants an end.
        if watches[0].readable {
            let Some((place, socket)) = sys::passing::receive(control.as_fd())? else {
                return Ok(None);
            };
            let dresser = dressers.get(usize::from(place));
            return dresser.map(|dresser| dresser.dress(socket)).transpose();
        }
        if watches[1].readable {
            return Ok(None);
        }
    }
}
