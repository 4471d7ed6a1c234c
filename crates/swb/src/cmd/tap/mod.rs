//! `swb tap`: stands between clients and a server, passes bytes on and shows the messages.

mod keep;
mod relay;
mod show;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use switchboard::Transport;
use switchboard_frame::Protocol;

use crate::args::TapArgs;
use crate::between::{Between, Upstream};
use crate::cmd::tap::keep::Keep;
use crate::cmd::tap::show::Show;
use crate::cmd::tap::watch::{Count, Watch};
use crate::exit::{Failure, Outcome};
use crate::listening;
use crate::printer::Printer;
use crate::units;

pub(crate) fn run(args: &TapArgs, printer: &Printer) -> Outcome {
    let protocol = args.framing.protocol()?;
    let keep = Keep::new(args)?;
    let Between { listener, upstream, interrupts, limits } = Between::open(&args.between, printer)?;
    let show = Show { printer: printer.clone(), json: args.json, hex: args.hex };
    let tap = Arc::new(Tap { protocol, upstream, show, keep, totals: Mutex::default() });
    let stopper = interrupts.stopper();
    let begun = listening::converse(listener, stopper, limits, printer, |n, client| {
        let tap = Arc::clone(&tap);
        move || tap.conversation(n, &*client)
    })?;
    printer.flush()?;
    tap.keep.flush()?;
    printer.talk(&tap.summary(begun));
    Ok(interrupts.exit())
}

struct Tap {
    protocol: Protocol,
    upstream: Upstream,
    show: Show,
    keep: Keep,
    totals: Mutex<[Count; 2]>,
}

impl Tap {
    fn conversation(&self, n: u64, client: &dyn Transport) -> Result<(), Failure> {
        let Some(server) = self.upstream.connect(n) else { return Ok(()) };
        self.keep.begin(n, client)?;
        let mut watch = Watch::new(&self.protocol, &self.show, &self.keep, n);
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
        format!(
            "{}: {client} from clients, {server} from servers{}",
            units::count(begun, "conversation"),
            self.upstream.unreached()
        )
    }
}
