//! Processes that are forked off: how they begin, and how they end.
//!
//! **Invariant:** nothing is forked off a process that has other threads. What those hold (a lock,
//! a half-made allocation) would be held in the child for ever.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::fmt;
use std::io::{self, Write};

/// Why nothing was forked off.
#[derive(Debug)]
pub(crate) enum ForkError {
    /// So many threads there are, and there may be one.
    Threads(usize),
    /// How many there are cannot be found out.
    Unknown(io::Error),
    System(io::Error),
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Exit(i32),
    Signal(i32),
    /// It was cleared away by somebody else: `SIGCHLD` is ignored, for one.
    Unknown,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exit(code) => write!(f, "exit {code}"),
            Ended::Signal(number) => write!(f, "signal {number}"),
            Ended::Unknown => f.write_str("an end that nobody saw"),
        }
    }
}

/// Whether this process has one thread, so that it may fork.
pub(crate) fn may_fork() -> Result<(), ForkError> {
    match threads() {
        Ok(1) => Ok(()),
        Ok(threads) => Err(ForkError::Threads(threads)),
        Err(error) => Err(ForkError::Unknown(error)),
    }
}

/// Forks. In the child, which is told `None`, SIGINT and SIGTERM do nothing: they come to a whole
/// group of processes, and who is to end is told by other means. They are handled, not ignored:
/// what is ignored stays so in programs that the child starts.
///
/// What is buffered for stdout is written before, so that it is written once.
#[expect(unsafe_code, reason = "there is no safe call for it")]
pub(crate) fn fork() -> Result<Option<Pid>, ForkError> {
    may_fork()?;
    // A closed stdout is the business of whoever writes to it.
    let _ = io::stdout().flush();
    let before = mask(libc::SIG_BLOCK, &both_signals());
    let forked = match crate::host::fork() {
        Some(fork) => fork(),
        // SAFETY: this is the only thread, as was just looked up, and it holds no lock of the C
        // library; so the child is as free to do what it likes as its parent.
        None => match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            pid => Ok(pid),
        },
    };
    if matches!(forked, Ok(0)) {
        handle_without_effect();
    }
    mask(libc::SIG_SETMASK, &before);
    // Of 0 there is no process number.
    forked.map(Pid::from_raw).map_err(ForkError::System)
}

/// Ends this process at once: no destructor runs, nor what was registered for an exit, which is
/// the parent's. What is buffered for stdout is written.
#[expect(unsafe_code, reason = "there is no safe call for it")]
pub(crate) fn exit(code: i32) -> ! {
    let _ = io::stdout().flush();
    // SAFETY: it takes any number, and nothing of this process is used any more.
    unsafe { libc::_exit(code) }
}

/// Clears a child away that has ended, and says how; `None` while it runs.
pub(crate) fn reap(child: Pid) -> Option<Ended> {
    loop {
        return match waitpid(Some(child), WaitOptions::NOHANG) {
            Ok(None) => None,
            Ok(Some((_, status))) => {
                Some(match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Ended::Exit(code),
                    (_, Some(signal)) => Ended::Signal(signal),
                    _ => Ended::Unknown,
                })
            }
            Err(Errno::INTR) => continue,
            Err(_) => Some(Ended::Unknown),
        };
    }
}

/// Kills a child that has not been [reaped](reap). That it is gone already is as good.
pub(crate) fn kill(child: Pid) {
    let _ = kill_process(child, Signal::KILL);
}

/// How many threads this process has. One that has been joined may still be listed for a moment,
/// so who finds several looks again.
fn threads() -> io::Result<usize> {
    let mut count = 0;
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::yield_now();
        }
        count = std::fs::read_dir("/proc/self/task")?.count();
        if count == 1 {
            break;
        }
    }
    Ok(count)
}

/// A thread that ends is listed for some microseconds longer; one that stays is told soon.
const LOOKS: u32 = 500;

#[expect(unsafe_code, reason = "a set of signals is filled in by the system")]
fn both_signals() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: the first call makes an empty set of it, and the others add signals that there are.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        set.assume_init()
    }
}

/// Changes which signals wait, and gives those that did before.
#[expect(unsafe_code, reason = "there is no safe call for it")]
fn mask(how: libc::c_int, set: &libc::sigset_t) -> libc::sigset_t {
    let mut before = both_signals();
    // SAFETY: both sets are whole ones, and `how` is one of the words there are; so it cannot fail.
    unsafe { libc::pthread_sigmask(how, set, &raw mut before) };
    before
}

#[expect(unsafe_code, reason = "a handler is a bare function")]
fn handle_without_effect() {
    extern "C" fn nothing(_signal: libc::c_int) {}
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: all zeros are a `sigaction` without flags, whose mask is filled in below; the
        // handler touches nothing; both signals can be handled, so it cannot fail.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}
