//! `swb chaos`: stands between clients and a server, and does to their conversations what a plan of
//! faults says.
//!
//! What a fault does is the library's `transport::fault`. Here is what it is done to: connections.

mod dead;
mod log;
mod relay;
mod script;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use switchboard::limits::LINGER_TIMEOUT;
use switchboard::transport::fault::{Admission, Door, Plan};
use switchboard::transport::{Interest, Wait, Woken};
use switchboard::{Stopper, Transport, deadline};
use switchboard_frame::Protocol;

use crate::args::ChaosArgs;
use crate::between::{Between, Upstream};
use crate::cmd::chaos::log::Log;
use crate::cmd::chaos::script::{Editions, Script};
use crate::exit::{Failure, Outcome};
use crate::listening;
use crate::printer::Printer;
use crate::signals;
use crate::units;

pub(crate) fn run(args: &ChaosArgs, printer: &Printer) -> Outcome {
    let protocol = args.protocol()?;
    let script = Script::new(args, protocol.clone(), printer)?;
    let plan = script.read().map_err(Failure::usage)?;
    let Between { listener, upstream, interrupts, limits } = Between::open(&args.between, printer)?;
    let seed = args.seed.unwrap_or_else(chosen_seed);
    printer.talk(&format!("seed {seed}"));
    let log = Log::new(printer, !args.no_time);
    log.plan(seed, &plan)?;
    log.flush()?;
    let door = Mutex::new(Door::new(&plan, seed, deadline::now()));
    let editions = Editions::new(plan)?;
    let chaos = Arc::new(Chaos {
        protocol,
        upstream,
        seed,
        silence_max: args.silence,
        log,
        door,
        editions,
        stopper: interrupts.stopper().clone(),
        open: Arc::default(),
    });
    if args.config.is_some() {
        let (chaos, printer) = (Arc::clone(&chaos), printer.clone());
        signals::at_each_hangup(move || match script.read() {
            Ok(plan) => chaos.renew(&plan),
            Err(why) => printer.talk(&format!("swb: the faults stay as they are: {why}")),
        })?;
    }
    let stopper = interrupts.stopper();
    let begun = listening::converse(listener, stopper, limits, printer, |n, client| {
        // Here, where connections have their order: what becomes of one may depend on it.
        let admitted = chaos.admit(n, &*client);
        let chaos = Arc::clone(&chaos);
        move || chaos.conversation(n, &*client, admitted?)
    })?;
    printer.flush()?;
    printer.talk(&format!(
        "{}: {}{}",
        units::count(begun, "conversation"),
        units::count(chaos.log.injections(), "injection"),
        chaos.upstream.unreached()
    ));
    Ok(interrupts.exit())
}

/// One that is easy to write down.
fn chosen_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ (u64::from(std::process::id()) << 8)
}

/// What every conversation's thread has.
struct Chaos {
    protocol: Option<Protocol>,
    upstream: Upstream,
    seed: u64,
    silence_max: Duration,
    log: Log,
    door: Mutex<Door>,
    editions: Editions,
    stopper: Stopper,
    /// Conversations that were let in and are under way.
    open: Arc<AtomicUsize>,
}

/// A conversation that was let in, as long as it is under way.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Chaos {
    /// What becomes of a connection, and its place, as long as it has one.
    fn admit(&self, n: u64, client: &dyn Transport) -> Result<(Admission, Place), Failure> {
        let mut records = Vec::new();
        let open = self.open.fetch_add(1, Ordering::SeqCst);
        let place = Place(Arc::clone(&self.open));
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        let admission = door.admit(n, open, deadline::now(), &mut records);
        drop(door);
        // Of the server, which there is not yet, nothing is told.
        self.log.records(n, &records, [client.facts().reset, true])?;
        self.log.flush()?;
        Ok((admission, place))
    }

    fn conversation(
        &self,
        n: u64,
        client: &dyn Transport,
        (admission, place): (Admission, Place),
    ) -> Result<(), Failure> {
        // Whoever is not let in takes none.
        let _place = matches!(admission, Admission::Enter { .. }).then_some(place);
        match admission {
            Admission::Refuse => {
                // Who is gone already is refused too.
                let _ = client.reset();
                Ok(())
            }
            Admission::Close { after } => {
                self.leave_alone(client, after);
                close(client);
                Ok(())
            }
            Admission::Enter { wait } => {
                self.leave_alone(client, wait);
                self.relay(n, client)
            }
        }
    }

    fn relay(&self, n: u64, client: &dyn Transport) -> Result<(), Failure> {
        let Some(server) = self.upstream.connect(n) else { return Ok(()) };
        let began = self.door.lock().unwrap_or_else(PoisonError::into_inner).began();
        relay::relay(relay::Conversation {
            n,
            seed: self.seed,
            protocol: self.protocol.as_ref(),
            sides: [client, &*server],
            editions: &self.editions,
            silence_max: self.silence_max,
            began,
            log: &self.log,
        })
    }

    /// Waits and does nothing with a connection, for `time` or until all is to end.
    fn leave_alone(&self, client: &dyn Transport, time: Duration) {
        if !time.is_zero() {
            let until = Wait { deadline: deadline::after(time), ..Wait::FOREVER };
            let _ = client.wait(Interest::NONE, &until.or_stopped(&self.stopper));
        }
    }

    /// Conversations and connections have this plan from here on.
    fn renew(&self, plan: &Plan) {
        self.door.lock().unwrap_or_else(PoisonError::into_inner).set_plan(plan);
        self.editions.set(plan.clone(), &self.log.printer);
        // A stdout that is gone ends every conversation that has something to say.
        let _ = self.log.plan(self.seed, plan).and_then(|()| self.log.flush());
    }
}

/// Closes a connection so that its peer sees an end and no reset: what it still says is read.
fn close(client: &dyn Transport) {
    let until = Wait { deadline: deadline::after(LINGER_TIMEOUT), ..Wait::FOREVER };
    let mut buffer = [0; 4096];
    if client.finish().is_err() {
        return;
    }
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) if deadline::has_passed(until.deadline) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let woken = client.wait(Interest::READ, &until);
                if !matches!(woken, Ok(Woken::Ready(_))) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}
