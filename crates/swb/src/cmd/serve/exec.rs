//! `swb serve .. exec`: a program for each conversation, with the socket as its stdin and stdout.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Access, access};
use rustix::net::sockopt;
use switchboard::limits::OPENING_TIMEOUT;
use switchboard::server::PerAddress;
use switchboard::transport::{Wait, open};
use switchboard::{Endpoint, Error, ListenOptions, Listener, Stopper, Transport, deadline};

use crate::args::{Place, ServeArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::listening::{self, Limits};
use crate::printer::Printer;
use crate::privileges::Privileges;
use crate::signals::Interrupts;
use crate::units;

/// Variables of other servers that may have started this one, and that would be lies here.
const STALE_VARIABLES: [&str; 9] = [
    "TCPLOCALHOST",
    "TCPREMOTEHOST",
    "TCPREMOTEINFO",
    "UNIXREMOTEPATH",
    "UNIXREMOTEPID",
    "PROTO",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
];

/// A program for each conversation.
pub(super) fn run(args: &ServeArgs, command: &[OsString], printer: &Printer) -> Outcome {
    if let Some(option) = args.option_about_messages() {
        return Err(Failure::usage(format_args!(
            "{option} does not go with exec: the program has the raw socket"
        )));
    }
    let is_tls = matches!(args.endpoint, Place::At(Endpoint::Tls { .. }));
    if is_tls || args.identity.tls_cert.is_some() {
        return Err(Failure::usage(
            "exec does not go with TLS: the program has the raw socket, and would have to speak \
             TLS by itself",
        ));
    }
    if !can_run(&command[0]) {
        return Err(Failure::usage(format_args!(
            "cannot run {}: there is no such program: check its name and PATH",
            command[0].display()
        )));
    }
    let options = args.listen_options()?;
    let at_once = args.max_conversations.unwrap_or(listening::CONVERSATIONS_MAX);
    let user = args.guard.privileges()?;
    let interrupts = Interrupts::watch("waiting for the programs under way", printer)?;
    let listener = listen(args, &options, user.as_ref(), printer)?;
    let programs = Arc::new(Programs {
        words: command.to_vec(),
        printer: printer.clone(),
        stopper: interrupts.stopper().clone(),
        places: args.guard.max_per_address.map(|max| Mutex::new(PerAddress::new(max))),
        refused: AtomicU64::new(0),
    });
    let limits = Limits { in_all: args.count, at_once };
    let begun = listening::converse(listener, interrupts.stopper(), limits, printer, |n, it| {
        let each = Arc::clone(&programs);
        move || {
            each.conversation(n, it);
            Ok(())
        }
    })?;
    let mut text = units::count(begun, "conversation");
    let refused = programs.refused.load(Ordering::Relaxed);
    if refused > 0 {
        text.push_str(&format!("; refused {refused}"));
    }
    printer.talk(&text);
    Ok(interrupts.exit())
}

/// Whether there is such a program, as far as can be seen before it is run.
fn can_run(command: &OsStr) -> bool {
    let is_program = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if command.as_encoded_bytes().contains(&b'/') {
        return is_program(Path::new(command));
    }
    // Without one the C library looks in places of its own: only running it tells.
    env::var_os("PATH").is_none_or(|path| {
        env::split_paths(&path).any(|directory| is_program(&directory.join(command)))
    })
}

/// What every conversation's thread has.
struct Programs {
    words: Vec<OsString>,
    printer: Printer,
    stopper: Stopper,
    places: Option<Mutex<PerAddress>>,
    /// Conversations closed at once, since their address had too many.
    refused: AtomicU64,
}

impl Programs {
    /// Runs the program on a connection, to its end.
    fn conversation(&self, n: u64, transport: Arc<dyn Transport>) {
        let tell = |what: &dyn fmt::Display| {
            self.printer.talk(&format!("swb: conversation {n}: {what}"));
        };
        let is_proxied = transport.opening().is_some();
        let until = Wait { deadline: deadline::after(OPENING_TIMEOUT), ..Wait::FOREVER };
        if let Err(error) = open(&*transport, &until.or_stopped(&self.stopper)) {
            return tell(&error);
        }
        let client = transport.client();
        if !self.places().is_none_or(|mut places| places.enter(client.as_ref())) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let started = start(&self.words, &*transport, is_proxied);
        // The program's are the only descriptors now: the end of it is the end of the stream.
        drop(transport);
        match started.and_then(|mut child| child.wait()) {
            Ok(status) if status.success() => {}
            Ok(status) => tell(&status),
            Err(error) => tell(&format_args!("cannot run {}: {error}", self.words[0].display())),
        }
        if let Some(mut places) = self.places() {
            places.leave(client.as_ref());
        }
    }

    fn places(&self) -> Option<MutexGuard<'_, PerAddress>> {
        let places = self.places.as_ref()?;
        Some(places.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn listen(
    args: &ServeArgs,
    options: &ListenOptions,
    user: Option<&Privileges>,
    printer: &Printer,
) -> Result<Listener, Failure> {
    let print = args.print_endpoint;
    if let Place::At(endpoint) = &args.endpoint {
        return listening::listen(endpoint, options, user, print, printer);
    }
    let fail = |error: Error| Failure::new(Exit::Unreachable, error);
    let mut passed = Listener::activated().map_err(fail)?;
    let (Some((_, listener)), true) = (passed.pop(), passed.is_empty()) else {
        let what = "exec serves one socket, and not one was passed to this program";
        return Err(Failure::new(Exit::Unreachable, what));
    };
    user.map_or(Ok(()), |user| user.take(&[]))?;
    listening::tell(&listener.endpoints(), print, printer)?;
    listener.with_options(options).map_err(fail)
}

fn start(words: &[OsString], transport: &dyn Transport, is_proxied: bool) -> io::Result<Child> {
    let Some(socket) = transport.read_descriptor() else {
        return Err(io::Error::other("the connection has no descriptor"));
    };
    let copy = || socket.try_clone_to_owned().map(|fd: OwnedFd| Stdio::from(fd));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(copy()?).stdout(copy()?);
    for name in STALE_VARIABLES {
        command.env_remove(name);
    }
    // Who connected, as the kernel saw it, is then only the proxy.
    let peer = (!is_proxied).then_some(socket);
    command.envs(environment(transport, peer));
    command.spawn()
}

/// The UCSPI environment: `PROTO` and what it names.
fn environment(
    transport: &dyn Transport,
    socket: Option<BorrowedFd<'_>>,
) -> Vec<(&'static str, String)> {
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
    if let Some(Ok(peer)) = socket.map(sockopt::socket_peercred) {
        variables.push(("UNIXREMOTEEUID", peer.uid.as_raw().to_string()));
        variables.push(("UNIXREMOTEEGID", peer.gid.as_raw().to_string()));
        variables.push(("UNIXREMOTEPID", peer.pid.as_raw_nonzero().to_string()));
    }
    variables
}
