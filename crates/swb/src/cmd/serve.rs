//! `swb serve`: small servers of whole messages, and a program for each conversation.

use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::net::sockopt;
use switchboard::{Conversation, Endpoint, Error, Stopper, Timeouts, Transport};
use switchboard_frame::{Protocol, Role};

use crate::args::{ServeAction, ServeArgs};
use crate::dialogue;
use crate::exit::{Failure, Outcome};
use crate::listening;
use crate::payload;
use crate::printer::Printer;
use crate::signals::Interrupts;
use crate::units;

/// Variables of other servers that may have started this one, and that would be lies here.
const STALE_VARIABLES: [&str; 6] =
    ["TCPLOCALHOST", "TCPREMOTEHOST", "TCPREMOTEINFO", "UNIXREMOTEPATH", "UNIXREMOTEPID", "PROTO"];

pub(crate) fn run(args: &ServeArgs, printer: &Printer) -> Outcome {
    if let ServeAction::Exec { command } = &args.action {
        return exec(args, command, printer);
    }
    let Some(framing) = &args.framing() else {
        return Err(Failure::usage("serve needs --frame, to know what a message is"));
    };
    let protocol = framing.protocol()?;
    let action = Arc::new(Action::new(&args.action)?);
    let interrupts = Interrupts::watch("answering what has come", printer)?;
    let listener = listening::listen(&args.endpoint, args.print_endpoint, printer)?;
    let stopper = interrupts.stopper();
    let server = Server {
        protocol,
        action,
        timeouts: args.timeouts(),
        stopper: stopper.clone(),
        printer: printer.clone(),
        messages: Arc::default(),
    };
    let messages = Arc::clone(&server.messages);
    let served = move |n, transport| {
        server.conversation(n, transport);
        Ok(())
    };
    let begun = listening::converse(listener, stopper, args.count, printer, served)?;
    let messages = messages.load(Ordering::Relaxed);
    printer.talk(&format!(
        "{}, {}",
        units::count(begun, "conversation"),
        units::count(messages, "message")
    ));
    Ok(interrupts.exit())
}

/// What is done with a message.
enum Action {
    Echo,
    Discard,
    Reply(Vec<u8>),
}

impl Action {
    fn new(action: &ServeAction) -> Result<Action, Failure> {
        Ok(match action {
            ServeAction::Echo => Action::Echo,
            ServeAction::Discard | ServeAction::Exec { .. } => Action::Discard,
            ServeAction::Reply { text } => Action::Reply(payload::read(text, false)?),
        })
    }
}

struct Server {
    protocol: Protocol,
    action: Arc<Action>,
    timeouts: Timeouts,
    stopper: Stopper,
    printer: Printer,
    messages: Arc<AtomicU64>,
}

impl Server {
    /// Serves one conversation to its end. What goes wrong in it is told and touches no other.
    fn conversation(&self, n: u64, transport: Arc<dyn Transport>) {
        let conversation = Conversation::with_role(transport, &self.protocol, Role::Server);
        let mut conversation = conversation.with_timeouts(self.timeouts);
        conversation.set_stopper(&self.stopper);
        let served = self.answer(&mut conversation);
        let text = match &served {
            Ok(()) => None,
            // Told to stop: everything that came whole is answered.
            Err(error) if error.is_stopped() => None,
            Err(error) => Some(dialogue::failure(error, &conversation).to_string()),
        };
        self.messages.fetch_add(conversation.session().inbound.messages(), Ordering::Relaxed);
        // The answers are delivered, after a stop and a bad frame too; within the usual times.
        if let Ok(fresh) = Stopper::new() {
            conversation.set_stopper(&fresh);
        }
        let closed = conversation.close();
        let text = text.or_else(|| closed.err().map(|error| error.to_string()));
        if let Some(text) = text {
            self.printer.talk(&format!("swb: conversation {n}: {text}"));
        }
    }

    fn answer(&self, conversation: &mut Conversation) -> Result<(), Error> {
        match &*self.action {
            Action::Echo => {
                while let Some(message) = conversation.recv_owned()? {
                    conversation.queue(&message)?;
                }
            }
            Action::Discard => while conversation.recv()?.is_some() {},
            Action::Reply(reply) => {
                while conversation.recv()?.is_some() {
                    conversation.queue(reply)?;
                }
            }
        }
        Ok(())
    }
}

/// `exec`: a program for each conversation, with the socket as its stdin and stdout.
fn exec(args: &ServeArgs, command: &[OsString], printer: &Printer) -> Outcome {
    if let Some(option) = args.framing_option() {
        return Err(Failure::usage(format_args!(
            "{option} does not go with exec: the program has the raw socket"
        )));
    }
    let interrupts = Interrupts::watch("waiting for the programs under way", printer)?;
    let listener = listening::listen(&args.endpoint, args.print_endpoint, printer)?;
    let (words, talk) = (command.to_vec(), printer.clone());
    let run = move |n, transport: Arc<dyn Transport>| {
        let started = start(&words, &*transport);
        // The program's are the only descriptors now: the end of it is the end of the stream.
        drop(transport);
        let told = match started.and_then(|mut child| child.wait()) {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => status.to_string(),
            Err(error) => format!("cannot run {}: {error}", words[0].display()),
        };
        talk.talk(&format!("swb: conversation {n}: {told}"));
        Ok(())
    };
    let stopper = interrupts.stopper();
    let begun = listening::converse(listener, stopper, args.count, printer, run)?;
    printer.talk(&units::count(begun, "conversation"));
    Ok(interrupts.exit())
}

fn start(words: &[OsString], transport: &dyn Transport) -> io::Result<Child> {
    let Some(socket) = transport.read_descriptor() else {
        return Err(io::Error::other("the connection has no descriptor"));
    };
    let copy = || socket.try_clone_to_owned().map(|fd: OwnedFd| Stdio::from(fd));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(copy()?).stdout(copy()?);
    for name in STALE_VARIABLES {
        command.env_remove(name);
    }
    command.envs(environment(transport, socket));
    command.spawn()
}

/// The UCSPI environment: `PROTO` and what it names.
fn environment(transport: &dyn Transport, socket: BorrowedFd<'_>) -> Vec<(&'static str, String)> {
    let (local, remote) = (transport.local(), transport.remote());
    let mut variables = Vec::new();
    if let Some(Endpoint::Tcp { host, port }) = &local {
        variables.push(("PROTO", "TCP".to_owned()));
        variables.push(("TCPLOCALIP", host.clone()));
        variables.push(("TCPLOCALPORT", port.to_string()));
        if let Some(Endpoint::Tcp { host, port }) = remote {
            variables.push(("TCPREMOTEIP", host));
            variables.push(("TCPREMOTEPORT", port.to_string()));
        }
        return variables;
    }
    variables.push(("PROTO", "UNIX".to_owned()));
    match local {
        Some(Endpoint::Unix(path)) => {
            variables.push(("UNIXLOCALPATH", path.display().to_string()));
        }
        Some(Endpoint::Abstract(name)) => {
            variables.push(("UNIXLOCALPATH", format!("@{}", String::from_utf8_lossy(&name))));
        }
        _ => {}
    }
    variables.push(("UNIXLOCALUID", rustix::process::geteuid().as_raw().to_string()));
    variables.push(("UNIXLOCALGID", rustix::process::getegid().as_raw().to_string()));
    variables.push(("UNIXLOCALPID", std::process::id().to_string()));
    if let Some(Endpoint::Unix(path)) = remote {
        variables.push(("UNIXREMOTEPATH", path.display().to_string()));
    }
    // Who connected, as the kernel saw it then.
    if let Ok(peer) = sockopt::socket_peercred(socket) {
        variables.push(("UNIXREMOTEEUID", peer.uid.as_raw().to_string()));
        variables.push(("UNIXREMOTEEGID", peer.gid.as_raw().to_string()));
        variables.push(("UNIXREMOTEPID", peer.pid.as_raw_nonzero().to_string()));
    }
    variables
}
