//! `swb serve .. echo`, `discard`, `reply`: whole messages, under any dispatcher.

use std::sync::{Arc, mpsc};
use std::thread;

use switchboard::server::{Dispatch, Limits, Reply, Running, Server, Service, Stats};
use switchboard::{Ending, Error, Message, limits};
use switchboard_frame::{EncodeError, Encoder, Protocol, Role};

use super::lookout::Lookout;
use crate::args::ServeArgs;
use crate::dialogue;
use crate::exit::{Exit, Failure, Outcome};
use crate::listening;
use crate::printer::Printer;
use crate::signals::{Interrupts, Kept};
use crate::units;

/// What is done with a message.
#[derive(Clone)]
pub(super) enum Action {
    Echo,
    Discard,
    Reply(Arc<[u8]>),
}

pub(super) fn run(args: &ServeArgs, action: &Action, printer: &Printer) -> Outcome {
    let Some(framing) = &args.framing() else {
        return Err(Failure::usage("serve needs --frame, to know what a message is"));
    };
    let protocol = framing.protocol()?;
    if let Action::Reply(text) = action {
        refuse_what_cannot_be_sent(&protocol, text, "reply: the framing cannot carry TEXT")?;
    }
    let limits = limits(args)?;
    if let Some(heartbeat) = &limits.heartbeat {
        let what = "--heartbeat: the framing cannot carry MESSAGE";
        refuse_what_cannot_be_sent(&protocol, &heartbeat.message, what)?;
    }
    let dispatch = args.dispatcher()?;
    let forks = dispatch.to_string() == Dispatch::processes().to_string();
    let mut server = Server::of(&protocol).with_dispatch(dispatch).with_limits(limits);
    server = server.with_drain(args.conduct.drain());
    if let Some(count) = args.count {
        server = server.with_conversations_in_all(count);
    }
    let options = args.listen_options()?;
    let user = args.guard.privileges()?;
    let stopper = Interrupts::stopper_to_be()?;
    // What watches for signals has a thread, and nothing is forked off beside one.
    let watch = |kept: Kept| kept.watch(Some("answering what has come"), printer);
    let early = if forks { None } else { Some(watch(Interrupts::prepare(&stopper)?)?) };
    let server = args.conduct.listening(server, &args.endpoint, &options)?;
    let server = server.with_stopper(&stopper).with_notify();
    let handle = server.handle();
    user.map_or(Ok(()), |user| user.take(&args.paths(handle.endpoints())))?;
    let watching = match early {
        Some(watching) => Ok(watching),
        None => Err(Interrupts::prepare(&stopper)?),
    };
    listening::tell(handle.endpoints(), args.print_endpoint, printer)?;
    let serving = match forks {
        true => Serving::started(server, action, printer)?,
        false => Serving::Here(Box::new(server)),
    };
    let interrupts = watching.or_else(watch)?;
    let lookout = Lookout {
        handle: &handle,
        printer,
        interrupts: &interrupts,
        drain: args.conduct.drain(),
        tells: args.stats,
    };
    let served = serve(serving, &lookout, action).map_err(|error| failure(&error))?;
    printer.talk(&summary(&served));
    // Each has been told by its own line.
    Ok(if served.cut_off > 0 { Exit::TimedOut } else { interrupts.exit() })
}

fn failure(error: &Error) -> Failure {
    // Else it is the listener that is broken.
    let own = error.is_caller() || error.is_exhausted();
    Failure::new(if own { Exit::Usage } else { Exit::Unreachable }, error)
}

/// What would end every conversation is found before the first one.
fn refuse_what_cannot_be_sent(protocol: &Protocol, text: &[u8], what: &str) -> Result<(), Failure> {
    // What a framing carries may depend on what the client says, or on where the stream is.
    if protocol.is_coupled() {
        return Ok(());
    }
    let framing = protocol.framing(Role::Server);
    let encode = |encoder: Result<Encoder, EncodeError>| encoder?.encode(text, &mut Vec::new());
    if encode(Encoder::new(framing)).is_ok() {
        return Ok(());
    }
    encode(Encoder::settled(framing)).map_err(|why| Failure::usage(format_args!("{what}: {why}")))
}

fn limits(args: &ServeArgs) -> Result<Limits, Failure> {
    let most = args.max.map_or(0, |max| usize::try_from(max).unwrap_or(usize::MAX));
    let framing = args.frame.as_deref().unwrap_or_default();
    let defaults = Limits::default();
    Ok(Limits {
        conversations_max: args.max_conversations.unwrap_or(limits::CONVERSATIONS_MAX),
        // Whatever may come may be sent back, behind what is still queued.
        queued_bytes_max: most
            .saturating_add(limits::QUEUE_HIGH_BYTES)
            .max(limits::QUEUED_BYTES_MAX),
        timeouts: args.timeouts(),
        // Who asks for less patience than that has none with a handshake either.
        opening: args.idle.map(|idle| idle.min(limits::OPENING_TIMEOUT)).or(defaults.opening),
        conversations_per_address_max: args.guard.max_per_address,
        heartbeat: args.guard.heartbeat(framing)?,
        ..defaults
    })
}

/// A server that is about to serve, or that does so in another process already.
enum Serving {
    Here(Box<Server>),
    Started(Running),
}

impl Serving {
    /// Forks it off, while this is the only thread.
    fn started(server: Server, action: &Action, printer: &Printer) -> Result<Serving, Failure> {
        let (action, printer) = (action.clone(), printer.clone());
        let started = server.start(move || Conversation::new(&action, &printer));
        Ok(Serving::Started(started.map_err(|error| failure(&error))?))
    }
}

/// Serves to the end, and tells meanwhile what a person is to know.
fn serve(serving: Serving, lookout: &Lookout<'_>, action: &Action) -> Result<Stats, Error> {
    thread::scope(|scope| {
        // However serving ends, the channel closes with it, and then the lookout ends.
        let (_serving, over) = mpsc::channel();
        scope.spawn(move || lookout.keep(&over));
        match serving {
            Serving::Here(server) => server.serve(|| Conversation::new(action, lookout.printer)),
            Serving::Started(running) => running.join(),
        }
    })
}

/// A conversation that is served.
struct Conversation {
    /// From 1, in the order in which they began.
    number: u64,
    action: Action,
    printer: Printer,
}

impl Conversation {
    fn new(action: &Action, printer: &Printer) -> Conversation {
        Conversation { number: 0, action: action.clone(), printer: printer.clone() }
    }
}

impl Service for Conversation {
    fn opened(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        self.number = reply.number();
        Ok(())
    }

    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        match &self.action {
            Action::Echo => reply.send(&message),
            Action::Discard => Ok(()),
            Action::Reply(text) => reply.send(text),
        }
    }

    fn unopened(&mut self, ending: Ending, error: Option<&Error>) {
        self.closed(ending, error);
    }

    fn closed(&mut self, _ending: Ending, error: Option<&Error>) {
        if let Some(error) = error {
            let (number, words) = (self.number, dialogue::words(error));
            self.printer.talk(&match number {
                // It never opened, so it has none.
                0 => format!("swb: {words}"),
                _ => format!("swb: conversation {number}: {words}"),
            });
        }
    }
}

/// `2 conversations, 3 messages`, and behind it whatever did not go as it should.
fn summary(served: &Stats) -> String {
    let mut text = format!(
        "{}, {}",
        units::count(served.accepted, "conversation"),
        units::count(served.messages_received, "message")
    );
    let well = [Ending::Finished, Ending::Stopped];
    let endings = served.endings.iter().filter(|(ending, _)| !well.contains(ending));
    let mut others: Vec<_> = endings.map(|(ending, count)| format!("{ending} {count}")).collect();
    for (what, count) in [
        ("discarded", served.messages_discarded),
        ("cut off", served.cut_off),
        ("crashed", served.crashed),
        ("refused", served.refused),
        ("errors of accept", served.accept_errors),
    ] {
        if count > 0 {
            others.push(format!("{what} {count}"));
        }
    }
    if !others.is_empty() {
        text.push_str(&format!("; {}", others.join(", ")));
    }
    text
}
