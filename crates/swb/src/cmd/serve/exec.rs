//! `swb serve .. exec`: a program for each conversation, with the socket as its stdin and stdout.

use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::net::sockopt;
use switchboard::{Endpoint, Error, Listener, Transport};

use crate::args::{Place, ServeArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::listening::{self, Limits};
use crate::printer::Printer;
use crate::signals::Interrupts;
use crate::units;

/// Variables of other servers that may have started this one, and that would be lies here.
const STALE_VARIABLES: [&str; 6] =
    ["TCPLOCALHOST", "TCPREMOTEHOST", "TCPREMOTEINFO", "UNIXREMOTEPATH", "UNIXREMOTEPID", "PROTO"];

/// A program for each conversation.
pub(super) fn run(args: &ServeArgs, command: &[OsString], printer: &Printer) -> Outcome {
    if let Some(option) = args.option_about_messages() {
        return Err(Failure::usage(format_args!(
            "{option} does not go with exec: the program has the raw socket"
        )));
    }
    let at_once = args.max_conversations.unwrap_or(listening::CONVERSATIONS_MAX);
    let interrupts = Interrupts::watch("waiting for the programs under way", printer)?;
    let listener = listen(args, printer)?;
    let (words, talk) = (command.to_vec(), printer.clone());
    let serve = move |n, transport: Arc<dyn Transport>| {
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
    let limits = Limits { in_all: args.count, at_once };
    let begun = listening::converse(listener, stopper, limits, printer, serve)?;
    printer.talk(&units::count(begun, "conversation"));
    Ok(interrupts.exit())
}

fn listen(args: &ServeArgs, printer: &Printer) -> Result<Listener, Failure> {
    let endpoint = match &args.endpoint {
        Place::At(endpoint) => endpoint,
        Place::Activated => {
            let fail = |error: Error| Failure::new(Exit::Unreachable, error);
            let mut passed = Listener::activated().map_err(fail)?;
            let (Some((_, listener)), true) = (passed.pop(), passed.is_empty()) else {
                let what = "exec serves one socket, and not one was passed to this program";
                return Err(Failure::new(Exit::Unreachable, what));
            };
            listening::tell(&listener.endpoints(), args.print_endpoint, printer)?;
            return Ok(listener);
        }
    };
    listening::listen(endpoint, args.print_endpoint, printer)
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
