//! Making the connections, a bounded number at a time, and how long each took.

use std::sync::Arc;
use std::time::Instant;

use switchboard::select::Source;
use switchboard::{
    ConnectOptions, Connecting, Endpoint, Error, Stopper, Transport, deadline, select,
};

use super::descriptors::not_made;
use super::limits::CONNECTING_MAX;
use crate::args::ConnectionArgs;
use crate::exit::{Exit, Failure};
use crate::printer::Printer;

/// Makes more connections like the first one.
pub(super) struct Dialer {
    endpoint: Endpoint,
    options: ConnectOptions,
}

impl Dialer {
    /// Begins to make one.
    ///
    /// # Errors
    /// It failed at once.
    pub(super) fn start(&self) -> Result<Connecting, Error> {
        self.endpoint.start_connect(&self.options)
    }
}

/// Makes so many connections; `took` is told of each how many nanoseconds it took.
///
/// # Errors
/// One of them failed, in the words of the library; or it was interrupted.
pub(super) fn connect(
    args: &ConnectionArgs,
    count: usize,
    stopper: &Stopper,
    printer: &Printer,
    took: &mut dyn FnMut(u64),
) -> Result<(Dialer, Vec<Arc<dyn Transport>>), Failure> {
    let tls = args.tls(printer)?;
    let mut options = args.options(tls.clone(), stopper)?;
    let began = deadline::now();
    let failed = |error| not_made(error, &args.endpoint, count);
    let first = args.endpoint.connect(&options).map_err(failed)?;
    took(since(began));
    // The first one has found the address of a name, for all.
    let endpoint = match (&args.endpoint, first.remote()) {
        (Endpoint::Tls { .. }, Some(Endpoint::Tcp { host, port })) => Endpoint::Tls { host, port },
        (Endpoint::Tcp { .. }, Some(remote)) => remote,
        (given, _) => given.clone(),
    };
    if let (Endpoint::Tls { host, .. }, None) = (&args.endpoint, &args.trust.tls_name) {
        // The certificate must have the host's name, though it is the address that is connected to.
        let tls =
            if host.is_empty() { tls } else { tls.with_name(host).map_err(Failure::usage)? };
        options = options.with_tls(tls);
    }
    let dialer = Dialer { endpoint, options };
    let mut made = vec![first];
    match &dialer.endpoint {
        Endpoint::Tcp { .. } | Endpoint::Tls { .. } => {
            at_once(&dialer, count, stopper, &mut made, took)?;
        }
        // Nothing else has anything to wait for.
        other => {
            while made.len() < count {
                let began = deadline::now();
                made.push(other.connect(&dialer.options).map_err(failed)?);
                took(since(began));
            }
        }
    }
    Ok((dialer, made))
}

/// Makes connections beside each other until there are so many.
fn at_once(
    dialer: &Dialer,
    count: usize,
    stopper: &Stopper,
    made: &mut Vec<Arc<dyn Transport>>,
    took: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let failed = |error| not_made(error, &dialer.endpoint, count);
    let mut under_way: Vec<(Connecting, Instant)> = Vec::new();
    while made.len() < count {
        while under_way.len() < CONNECTING_MAX.min(count - made.len()) {
            let began = deadline::now();
            let connecting = dialer.start().map_err(failed)?;
            under_way.push((connecting, began));
        }
        let sources: Vec<&dyn Source> = under_way.iter().map(|(it, _)| it as _).collect();
        let ready = select(&[stopper], &sources, &[], None).map_err(Failure::usage)?;
        if !ready.readers.is_empty() {
            return Err(Failure::new(Exit::Interrupted, "interrupted"));
        }
        // From behind, so that those before one that is taken out keep their places.
        let mut places = ready.writers;
        places.sort_unstable_by(|a, b| b.cmp(a));
        for place in places {
            let (connecting, began) = &mut under_way[place];
            if let Some(transport) = connecting.finish().map_err(failed)? {
                took(since(*began));
                made.push(transport);
                under_way.swap_remove(place);
            }
        }
    }
    Ok(())
}

fn since(then: Instant) -> u64 {
    u64::try_from(then.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
