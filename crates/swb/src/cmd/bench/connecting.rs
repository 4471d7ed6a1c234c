//! Making the connections, a bounded number at a time, and how long each took.

use std::sync::Arc;
use std::time::Instant;

use switchboard::select::Source;
use switchboard::transport::TlsClient;
use switchboard::{ConnectOptions, Connecting, Endpoint, Stopper, Transport, deadline, select};

use super::limits::CONNECTING_MAX;
use crate::args::{ConnectionArgs, not_connected};
use crate::exit::{Exit, Failure};
use crate::printer::Printer;

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
) -> Result<Vec<Arc<dyn Transport>>, Failure> {
    let options = args.options(stopper, printer)?;
    // The first one finds the address of a name, for all.
    let mut made = Vec::with_capacity(count);
    let began = deadline::now();
    let first = args.endpoint.connect(&options).map_err(not_connected)?;
    took(since(began));
    let endpoint = match (&args.endpoint, first.remote()) {
        (Endpoint::Tls { .. }, Some(Endpoint::Tcp { host, port })) => Endpoint::Tls { host, port },
        (_, Some(remote)) => remote,
        (given, None) => given.clone(),
    };
    made.push(first);
    match &args.endpoint {
        Endpoint::Tcp { .. } => at_once(&endpoint, &options, count, stopper, &mut made, took)?,
        Endpoint::Tls { host, .. } => {
            let options = match args.trust.tls_name {
                Some(_) => options,
                None => {
                    let tls = args.trust.client(Some(&args.identity), &args.endpoint, printer)?;
                    options.with_tls(named(tls, host)?)
                }
            };
            at_once(&endpoint, &options, count, stopper, &mut made, took)?;
        }
        // Nothing else has anything to wait for.
        other => {
            while made.len() < count {
                let began = deadline::now();
                made.push(other.connect(&options).map_err(not_connected)?);
                took(since(began));
            }
        }
    }
    Ok(made)
}

/// Makes connections beside each other until there are so many.
fn at_once(
    endpoint: &Endpoint,
    options: &ConnectOptions,
    count: usize,
    stopper: &Stopper,
    made: &mut Vec<Arc<dyn Transport>>,
    took: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let mut under_way: Vec<(Connecting, Instant)> = Vec::new();
    while made.len() < count {
        while under_way.len() < CONNECTING_MAX.min(count - made.len()) {
            let began = deadline::now();
            let connecting = endpoint.start_connect(options).map_err(not_connected)?;
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
            if let Some(transport) = connecting.finish().map_err(not_connected)? {
                took(since(*began));
                made.push(transport);
                under_way.swap_remove(place);
            }
        }
    }
    Ok(())
}

/// The certificate must have the host's name, though it is the address that is connected to.
fn named(tls: TlsClient, host: &str) -> Result<TlsClient, Failure> {
    match host.is_empty() {
        true => Ok(tls),
        false => tls.with_name(host).map_err(Failure::usage),
    }
}

fn since(then: Instant) -> u64 {
    u64::try_from(then.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
