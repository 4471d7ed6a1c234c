//! The server, where it is started here: its command, what it says, what it has in use, its end.
//!
//! **Invariant:** nothing of it is left when this is gone. It and all that it starts are ended; who
//! has lost its parent is adopted by this process, so it is known. Should this process die without
//! having had a chance to do so, a guard beside it does, of everything in its group.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{self, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, set_child_subreaper};
use rustix::process::{kill_process, kill_process_group, waitpid};
use switchboard::{ConnectOptions, Endpoint, Stopper, deadline};

use super::link::{pause, told};
use super::usage::{self, Process, Usage};
use super::whereabouts::without_tls;
use super::words;
use crate::args::DoctorArgs;
use crate::exit::{Exit, Failure};

/// How long it may take to end once it was asked to, before it is killed, and then.
const END_MAX: Duration = Duration::from_secs(2);
const KILLED_MAX: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// Who uses this part of a processor, while there is nothing to do, spins.
const SPINNING: u32 = 5;
/// Ports that are tried where one is chosen: another program may take it in between.
const PORTS: usize = 3;

/// What kills the group that it is told of, unless it is told that nobody needs it any more.
const GUARD: &str = "read group; read done || kill -s KILL -- \"-$group\"";

/// A server that was started here, and may be started again.
pub(super) struct Child {
    command: String,
    /// As it was asked for; with port 0 one is chosen at each start.
    asked: Endpoint,
    options: ConnectOptions,
    /// How long it may take until it accepts.
    start_max: Duration,
    stopper: Stopper,
    now: Mutex<Running>,
}

/// One start of it.
struct Running {
    endpoint: Endpoint,
    leader: process::Child,
    status: Option<ExitStatus>,
    guard: process::Child,
    lifeline: Option<ChildStdin>,
    said: Arc<Mutex<VecDeque<u8>>>,
}

impl Child {
    /// Starts it, and waits until it accepts.
    ///
    /// # Errors
    /// The command does not say where to listen; it does not start, or does not accept.
    pub(super) fn start(
        args: &DoctorArgs,
        command: &str,
        options: ConnectOptions,
        stopper: &Stopper,
    ) -> Result<Child, Failure> {
        let asked = args.connection.endpoint.clone();
        check(&asked, command, &options)?;
        // Without it, what has lost its parent is not known of; all else is as it should be.
        let _ = set_child_subreaper(Some(getpid()));
        let endpoint = choose(&asked, None)?;
        let running = Running::start(command, endpoint)?;
        let (command, stopper) = (command.to_owned(), stopper.clone());
        let start_max = args.connection.connect_timeout;
        let now = Mutex::new(running);
        let child = Child { command, asked, options, start_max, stopper, now };
        let mut left = PORTS;
        while let Err(why) = child.await_accepting() {
            left -= 1;
            let may_try =
                is_chosen(&child.asked) && child.has_ended() && !child.stopper.is_stopped();
            if left == 0 || !may_try {
                let exit =
                    if child.stopper.is_stopped() { Exit::Interrupted } else { Exit::Unreachable };
                return Err(Failure::new(exit, why));
            }
            child.begin(&child.command, None)?;
        }
        Ok(child)
    }

    /// Where it listens.
    pub(super) fn endpoint(&self) -> Endpoint {
        self.lock().endpoint.clone()
    }

    /// What it and all that it has started have in use.
    pub(super) fn usage(&self) -> Usage {
        let me = me();
        usage::of(&self.lock().tree(), me)
    }

    /// What it has in use once that is so, or when the time is over.
    pub(super) fn usage_when(
        &self,
        mut is_so: impl FnMut(&Usage) -> bool,
        time: Duration,
    ) -> Usage {
        let until = deadline::after(time);
        loop {
            let usage = self.usage();
            if is_so(&usage) || self.stopper.is_stopped() || deadline::has_passed(until) {
                return usage;
            }
            thread::sleep(LOOK);
        }
    }

    /// Its processes.
    pub(super) fn processes(&self) -> Vec<Process> {
        self.lock().tree()
    }

    /// How it ended, and the last it said, where nothing of it is left.
    pub(super) fn ended(&self) -> Option<String> {
        self.lock().ended()
    }

    /// The same, of what may be about to end.
    pub(super) fn ended_within(&self, time: Duration) -> Option<String> {
        self.usage_when(|usage| usage.processes == 0, time);
        self.ended()
    }

    fn has_ended(&self) -> bool {
        self.ended().is_some()
    }

    /// What it does while so much time passes, where that is more than a server does that waits. On
    /// a busy machine one that spins is left little time of processors, and wants all of it.
    pub(super) fn spins(&self, time: Duration) -> Option<String> {
        let look = || (self.usage().processor, usage::busy(&self.processes()));
        let (used_before, busy_before) = look();
        pause(time, &self.stopper).ok()?;
        let (used, busy) = look();
        let used = used.saturating_sub(used_before);
        let since = |(id, busy): (&i32, &Duration)| {
            busy.saturating_sub(busy_before.get(id).copied().unwrap_or_default())
        };
        let busiest = busy.iter().map(since).max().unwrap_or_default();
        let spins = used > time / SPINNING || busiest > time * 3 / 4;
        let (used, busiest, time) = (told(used), told(busiest.min(time)), told(time));
        spins.then(|| {
            format!(
                "in {time} it used {used} of processor time, and a thread was running, or ready \
                 to run, for {busiest}"
            )
        })
    }

    /// Asks it to end, as whoever supervises it does: SIGTERM to the process that serves.
    pub(super) fn terminate(&self) {
        let running = self.lock();
        if let Some(id) = running.server() {
            let _ = kill_process(id, Signal::TERM);
        }
    }

    /// Kills it, and all that it has started.
    pub(super) fn kill(&self) {
        self.lock().end(Duration::ZERO);
    }

    /// Ends what is left of it and starts it again, on the same port if need be; waits until it
    /// accepts.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn restart(&self, on_the_same_port: bool) -> Result<(), String> {
        let same = on_the_same_port.then(|| self.endpoint());
        self.begin(&self.command, same).map_err(|failure| failure.to_string())?;
        self.await_accepting()
    }

    /// The same, where each of its processes may have so many descriptors and no more.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn restart_limited(&self, descriptors: u64) -> Result<(), String> {
        let command = format!("ulimit -n {descriptors}; {}", self.command);
        self.begin(&command, None).map_err(|failure| failure.to_string())?;
        self.await_accepting()
    }

    fn begin(&self, command: &str, endpoint: Option<Endpoint>) -> Result<(), Failure> {
        let mut running = self.lock();
        // First: of two at once nobody could say which processes are whose.
        running.end(END_MAX);
        let endpoint = choose(&self.asked, endpoint)?;
        *running = Running::start(command, endpoint)?;
        Ok(())
    }

    fn await_accepting(&self) -> Result<(), String> {
        let until = deadline::after(self.start_max);
        let endpoint = self.endpoint();
        loop {
            match endpoint.connect(&self.options) {
                Err(error) if is_not_there(&error) => {
                    if let Some(ended) = self.ended() {
                        return Err(format!("the server does not accept on {endpoint}: {ended}"));
                    }
                    if deadline::has_passed(until) {
                        return Err(self.does_not_accept(&endpoint));
                    }
                    if self.stopper.is_stopped() {
                        return Err("interrupted".to_owned());
                    }
                }
                // Whatever else is wrong with it is for whoever asks next to tell.
                Ok(_) | Err(_) => return Ok(()),
            }
            thread::sleep(LOOK);
        }
    }

    /// What was waited for, and what is there instead.
    fn does_not_accept(&self, endpoint: &Endpoint) -> String {
        let running = self.lock();
        let tree = running.tree();
        let commands: Vec<&str> = tree.iter().map(|process| process.command.as_str()).collect();
        let ports: Vec<String> = usage::ports(&tree).iter().map(u16::to_string).collect();
        let instead = match ports.is_empty() {
            true => String::new(),
            false => format!(", and listens on port {}", ports.join(", ")),
        };
        format!(
            "the server does not accept on {endpoint}: {:?} were waited (--connect-timeout), and \
             what was started still runs ({}){instead}{}",
            self.start_max,
            commands.join(", "),
            running.last_said()
        )
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn start(command: &str, endpoint: Endpoint) -> Result<Running, Failure> {
        let failed = |error| Failure::usage(format_args!("--exec: cannot start sh: {error}"));
        let port = match &endpoint {
            Endpoint::Tcp { port, .. } | Endpoint::Tls { port, .. } => port.to_string(),
            _ => String::new(),
        };
        let command = command.replace("{endpoint}", &endpoint.to_string()).replace("{port}", &port);
        let (from, into) = std::io::pipe().map_err(failed)?;
        // First, so that there is no server without it.
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD]).process_group(0);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut guard = guard.spawn().map_err(failed)?;
        let mut lifeline = guard.stdin.take();
        let mut leader = Command::new("sh");
        leader.arg("-c").arg(command).process_group(0).stdin(Stdio::null());
        leader.stdout(into.try_clone().map_err(failed)?).stderr(into);
        let leader = leader.spawn().map_err(failed)?;
        if let Some(lifeline) = &mut lifeline {
            let _ = lifeline.write_all(format!("{}\n", leader.id()).as_bytes());
        }
        let said = Arc::default();
        let running =
            Running { endpoint, leader, status: None, guard, lifeline, said: Arc::clone(&said) };
        let thread = thread::Builder::new().name("server's words".to_owned());
        thread.spawn(move || words::keep(from, &said)).map_err(failed)?;
        Ok(running)
    }

    /// Its processes, and those that they have left behind.
    fn tree(&self) -> Vec<Process> {
        usage::tree(me(), Some(pid(&self.guard).as_raw_nonzero().get()))
    }

    /// The process that serves: the shell that only waits for it is passed over.
    fn server(&self) -> Option<Pid> {
        let tree = self.tree();
        let mut id = pid(&self.leader).as_raw_nonzero().get();
        loop {
            let process = tree.iter().find(|process| process.id == id)?;
            let mut children = tree.iter().filter(|process| process.parent == id);
            match (process.command.as_str(), children.next(), children.next()) {
                ("sh" | "bash" | "dash", Some(child), None) => id = child.id,
                _ => return Pid::from_raw(id),
            }
        }
    }

    fn ended(&mut self) -> Option<String> {
        self.reap();
        let status = self.status?;
        if self.tree().iter().any(|process| !process.is_zombie) {
            return None;
        }
        Some(words::ended(status, &self.said()))
    }

    /// Waits for those of it that have ended, as far as that is for this process to do.
    fn reap(&mut self) {
        if self.status.is_none() {
            self.status = self.leader.try_wait().ok().flatten();
        }
        let leader = self.leader.id();
        for process in self.tree() {
            let is_adopted = process.parent == me() && process.id.unsigned_abs() != leader;
            if is_adopted && process.is_zombie {
                let _ = waitpid(Pid::from_raw(process.id), WaitOptions::NOHANG);
            }
        }
    }

    /// The last lines that it said, if any.
    fn last_said(&self) -> String {
        words::last(&self.said())
    }

    fn said(&self) -> Vec<u8> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().copied().collect()
    }

    /// Asks it to end, kills it when it has not done so in time, and waits until nothing is left.
    fn end(&mut self, time: Duration) {
        let asked = deadline::after(time);
        // What was killed cannot stay for long.
        let until = deadline::after(time + KILLED_MAX);
        if !time.is_zero() && self.status.is_none() {
            let _ = kill_process_group(pid(&self.leader), Signal::TERM);
        }
        while !self.is_gone() && !deadline::has_passed(until) {
            if deadline::has_passed(asked) {
                for process in self.tree().iter().filter(|process| !process.is_zombie) {
                    let _ = Pid::from_raw(process.id).map(|id| kill_process(id, Signal::KILL));
                }
            }
            thread::sleep(LOOK.min(remaining(asked)).max(Duration::from_millis(1)));
        }
        self.dismiss_the_guard();
    }

    fn is_gone(&mut self) -> bool {
        self.reap();
        self.status.is_some() && self.tree().is_empty()
    }

    fn dismiss_the_guard(&mut self) {
        if let Some(mut lifeline) = self.lifeline.take() {
            let _ = lifeline.write_all(b"done\n");
        }
        let _ = self.guard.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.lifeline.is_some() {
            self.end(END_MAX);
        }
    }
}

fn remaining(until: Option<Instant>) -> Duration {
    deadline::remaining(until).unwrap_or_default()
}

fn me() -> i32 {
    getpid().as_raw_nonzero().get()
}

fn pid(child: &process::Child) -> Pid {
    Pid::from_child(child)
}

/// Whether it can be started there.
fn check(asked: &Endpoint, command: &str, options: &ConnectOptions) -> Result<(), Failure> {
    if is_chosen(asked) {
        return match command.contains("{port}") || command.contains("{endpoint}") {
            true => Ok(()),
            false => Err(Failure::usage(
                "--exec: port 0 is chosen here, so the command has to be told: write {port} where \
                 it goes, or a port in ENDPOINT",
            )),
        };
    }
    if !matches!(
        asked,
        Endpoint::Tcp { .. } | Endpoint::Tls { .. } | Endpoint::Unix(_) | Endpoint::Abstract(_)
    ) {
        return Err(Failure::usage(format_args!(
            "--exec starts what listens on a port or a Unix socket, and {asked} is neither"
        )));
    }
    if command.contains("{port}") && matches!(asked, Endpoint::Unix(_) | Endpoint::Abstract(_)) {
        return Err(Failure::usage(
            "--exec: a Unix endpoint has no port: write {endpoint} where the command says {port}",
        ));
    }
    // Else that one would be asked, and taken for the one that is started.
    match without_tls(asked.clone()).connect(options) {
        Err(_) => Ok(()),
        Ok(_) => Err(Failure::usage(format_args!(
            "--exec: somebody listens on {asked} already: end that, or have a port chosen with \
             port 0"
        ))),
    }
}

/// Whether the port is chosen here, at each start.
pub(super) fn is_chosen(asked: &Endpoint) -> bool {
    matches!(asked, Endpoint::Tcp { port: 0, .. } | Endpoint::Tls { port: 0, .. })
}

/// A port where one is to be chosen: one that nobody has now.
fn choose(asked: &Endpoint, same: Option<Endpoint>) -> Result<Endpoint, Failure> {
    if let Some(same) = same {
        return Ok(same);
    }
    let free = |host: &String| {
        let host = if host.is_empty() { "localhost" } else { host };
        let listener = TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr());
        listener.map(|address| address.port()).map_err(|error| {
            Failure::new(Exit::Unreachable, format_args!("no port to be had of {host}: {error}"))
        })
    };
    Ok(match asked {
        Endpoint::Tcp { host, port: 0 } => Endpoint::Tcp { host: host.clone(), port: free(host)? },
        Endpoint::Tls { host, port: 0 } => Endpoint::Tls { host: host.clone(), port: free(host)? },
        other => other.clone(),
    })
}

/// Whether nobody listens there yet.
fn is_not_there(error: &switchboard::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    let of_each = error.attempts().iter().map(|attempt| &*attempt.error);
    error.is_refused()
        || of_each
            .chain(error.io_error())
            .any(|io| matches!(io.kind(), ConnectionRefused | NotFound))
}
