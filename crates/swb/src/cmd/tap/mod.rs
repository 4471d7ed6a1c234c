//! `swb tap`: stands between clients and a server, passes bytes on and shows the messages.

mod relay;
mod show;
mod watch;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use switchboard::{ConnectOptions, Endpoint, ListenOptions, Liveness, Transport};
use switchboard_frame::Protocol;

use crate::args::TapArgs;
use crate::cmd::tap::show::Show;
use crate::cmd::tap::watch::{Count, Watch};
use crate::exit::{Failure, Outcome};
use crate::listening::{self, CONVERSATIONS_MAX, Limits, with_tls};
use crate::printer::Printer;
use crate::signals::Interrupts;
use crate::units;

pub(crate) fn run(args: &TapArgs, printer: &Printer) -> Outcome {
    let protocol = args.framing.protocol()?;
    if args.upstream == Endpoint::Stdio {
        return Err(Failure::usage("the upstream cannot be -: stdout is for the messages"));
    }
    let tls = args.identity.server(&args.guests, &args.listen)?;
    let upstream = args.upstream()?;
    let upstream_tls = args.trust.client(None, &upstream, printer)?;
    let interrupts = Interrupts::watch("waiting for the conversations under way", printer)?;
    // A relay does not end what only pauses.
    let liveness = args.liveness.unwrap_or_else(Liveness::patient);
    let options = with_tls(ListenOptions::default().with_liveness(liveness), tls);
    let listener = listening::listen(&args.listen, &options, None, args.print_endpoint, printer)?;
    let tap = Arc::new(Tap {
        protocol,
        upstream,
        options: ConnectOptions::default()
            .with_timeout(Some(args.connect_timeout))
            .with_liveness(liveness)
            .with_tls(upstream_tls),
        show: Show { printer: printer.clone(), json: args.json, hex: args.hex },
        unreached: AtomicU64::new(0),
        totals: Mutex::default(),
    });
    let each = Arc::clone(&tap);
    let stopper = interrupts.stopper();
    let limits = Limits { in_all: args.count, at_once: CONVERSATIONS_MAX };
    let begun = listening::converse(listener, stopper, limits, printer, move |n, client| {
        each.conversation(n, &*client)
    })?;
    printer.flush()?;
    printer.talk(&tap.summary(begun));
    Ok(interrupts.exit())
}

struct Tap {
    protocol: Protocol,
    upstream: Endpoint,
    options: ConnectOptions,
    show: Show,
    unreached: AtomicU64,
    totals: Mutex<[Count; 2]>,
}

impl Tap {
    fn conversation(&self, n: u64, client: &dyn Transport) -> Result<(), Failure> {
        let server = match self.upstream.connect(&self.options) {
            Ok(server) => server,
            Err(error) => {
                // The client is closed, and the next one may find the server there.
                self.unreached.fetch_add(1, Ordering::Relaxed);
                self.show.printer.talk(&format!("swb: conversation {n}: {error}"));
                return Ok(());
            }
        };
        let mut watch = Watch::new(&self.protocol, &self.show, n);
        let done = relay::relay(client, &*server, &mut watch);
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        for (total, count) in totals.iter_mut().zip(watch.counts()) {
            total.messages += count.messages;
            total.bytes += count.bytes;
        }
        done
    }

    fn summary(&self, begun: u64) -> String {
        let totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let [client, server] = totals.map(|count| {
            format!("{} ({})", units::count(count.messages, "message"), units::bytes(count.bytes))
        });
        let mut text = format!(
            "{}: {client} from clients, {server} from servers",
            units::count(begun, "conversation")
        );
        let unreached = self.unreached.load(Ordering::Relaxed);
        if unreached > 0 {
            text.push_str(&format!(", {unreached} without a server"));
        }
        text
    }
}
