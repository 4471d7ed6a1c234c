//! Standing between clients and a server: what `tap` and `chaos` begin with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use switchboard::{ConnectOptions, Endpoint, ListenOptions, Listener, Liveness, Transport};

use crate::args::BetweenArgs;
use crate::exit::Failure;
use crate::listening::{self, CONVERSATIONS_MAX, Limits, with_tls};
use crate::printer::Printer;
use crate::signals::Interrupts;

/// The server behind.
pub(crate) struct Upstream {
    endpoint: Endpoint,
    options: ConnectOptions,
    printer: Printer,
    unreached: AtomicU64,
}

/// The place in front.
pub(crate) struct Between {
    pub(crate) listener: Listener,
    pub(crate) upstream: Upstream,
    pub(crate) interrupts: Interrupts,
    pub(crate) limits: Limits,
}

impl Between {
    /// Listens, and knows where to connect to.
    ///
    /// # Errors
    /// The options do not go together; it cannot listen there.
    pub(crate) fn open(args: &BetweenArgs, printer: &Printer) -> Result<Between, Failure> {
        let endpoint = args.upstream()?;
        let tls = args.identity.server(&args.guests, &args.listen)?;
        let upstream_tls = args.trust.client(None, &endpoint, printer)?;
        let interrupts = Interrupts::watch("waiting for the conversations under way", printer)?;
        // Who stands between does not end what only pauses.
        let liveness = args.liveness.unwrap_or_else(Liveness::patient);
        let options = with_tls(ListenOptions::default().with_liveness(liveness), tls);
        let print = args.print_endpoint;
        let listener = listening::listen(&args.listen, &options, None, print, printer)?;
        let options = ConnectOptions::default()
            .with_timeout(Some(args.connect_timeout))
            .with_liveness(liveness)
            .with_tls(upstream_tls);
        let unreached = AtomicU64::new(0);
        let upstream = Upstream { endpoint, options, printer: printer.clone(), unreached };
        let limits = Limits { in_all: args.count, at_once: CONVERSATIONS_MAX };
        Ok(Between { listener, upstream, interrupts, limits })
    }
}

impl Upstream {
    /// Connects for conversation `n`. `None`, and told, when there is nobody: the client is closed,
    /// and the next one may find the server there.
    pub(crate) fn connect(&self, n: u64) -> Option<Arc<dyn Transport>> {
        match self.endpoint.connect(&self.options) {
            Ok(server) => Some(server),
            Err(error) => {
                self.unreached.fetch_add(1, Ordering::Relaxed);
                self.printer.talk(&format!("swb: conversation {n}: {error}"));
                None
            }
        }
    }

    /// For a summary: how many found no server; nothing when all did.
    pub(crate) fn unreached(&self) -> String {
        match self.unreached.load(Ordering::Relaxed) {
            0 => String::new(),
            number => format!(", {number} without a server"),
        }
    }
}
