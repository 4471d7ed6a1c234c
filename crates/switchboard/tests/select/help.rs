//! What the tests share.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::Write;
use std::os::fd::{AsFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use switchboard::select::{Ready, Source, select};
use switchboard::transport::{Unix, Wait};
use switchboard::{
    ConnectOptions, Conversation, Endpoint, ListenOptions, Listener, Received, Transport, deadline,
};

pub(crate) type Shared = Arc<dyn Transport>;

/// Never passes in a test that works.
pub(crate) const SOON: Option<Duration> = Some(Duration::from_secs(20));

/// A look without a wait.
pub(crate) const NOW: Option<Duration> = Some(Duration::ZERO);

pub(crate) fn soon() -> Wait<'static> {
    Wait { deadline: SOON.and_then(deadline::after), ..Wait::FOREVER }
}

/// Those of the readers that are ready, at least one; waits for it.
pub(crate) fn readers(sources: &[&dyn Source]) -> Vec<usize> {
    let Ready { mut readers, .. } = select(sources, &[], &[], SOON).unwrap();
    assert!(!readers.is_empty(), "nobody became ready in time");
    readers.sort_unstable();
    readers
}

/// Whether a source is ready as a reader, as a writer, and among the errors; a look.
pub(crate) fn looks(source: &dyn Source) -> (bool, bool, bool) {
    let ready = select(&[source], &[source], &[source], NOW).unwrap();
    (!ready.readers.is_empty(), !ready.writers.is_empty(), !ready.errors.is_empty())
}

/// The message that is there.
pub(crate) fn message(conversation: &mut Conversation) -> Vec<u8> {
    match conversation.try_recv().unwrap() {
        Received::Message(message) => message.to_vec(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn is_pending(conversation: &mut Conversation) -> bool {
    matches!(conversation.try_recv().unwrap(), Received::Pending)
}

pub(crate) fn over(transport: impl Transport + 'static, framing: &str) -> Conversation {
    Conversation::over(Arc::new(transport), &framing.parse().unwrap())
}

pub(crate) fn listen() -> Listener {
    Listener::bind(&"127.0.0.1:0".parse().unwrap(), &ListenOptions::default()).unwrap()
}

pub(crate) fn connect(listener: &Listener) -> Shared {
    listener.endpoints()[0].connect(&ConnectOptions::default()).unwrap()
}

/// A TCP client and what the listener made of it.
pub(crate) fn tcp_pair() -> (Shared, Shared) {
    let listener = listen();
    let client = connect(&listener);
    (client, listener.accept(&soon()).unwrap())
}

pub(crate) fn unix_pair() -> (Unix, Unix) {
    let (a, b) = UnixStream::pair().unwrap();
    (Unix::from(a), Unix::from(b))
}

/// Opens a descriptor as `fd:` does, one that a parent left: not marked close-on-exec.
pub(crate) fn inherited(descriptor: impl AsFd) -> Shared {
    let number = rustix::io::dup(descriptor).unwrap().into_raw_fd();
    let endpoint: Endpoint = format!("fd:{number}").parse().unwrap();
    endpoint.connect(&ConnectOptions::default()).unwrap()
}

/// Sees to it that `count` descriptors more can be opened while what it gives is held: one test at
/// a time has many. `None`: they cannot, and why is said.
pub(crate) fn have_descriptors(count: u64) -> Option<MutexGuard<'static, ()>> {
    const MOST: u64 = 20_000;
    // What the other tests of this program may have open meanwhile.
    const OTHERS: u64 = 1_000;
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX).min(MOST);
    let wanted = count + OTHERS;
    if limit.current.is_none_or(|current| current >= wanted) {
        return Some(turn);
    }
    if hard < wanted {
        skip(&format!("{count} descriptors are wanted and the hard limit is {hard}"));
        return None;
    }
    let limit = Rlimit { current: Some(hard), maximum: limit.maximum };
    setrlimit(Resource::Nofile, limit).unwrap();
    Some(turn)
}

/// Says why a test did not do what it is there for; fails it where nothing may be skipped.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "may not be skipped: {why}");
    // Past the test runner's capture, which would hide it in a test that passes.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

const CHILD: &str = "SWITCHBOARD_TEST_CHILD";

/// Whether this is the process that [`own_process`] started.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// This program again, for one test alone and in its first thread, which is the one that signals
/// hit.
pub(crate) fn own_process(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--test-threads=1", "--nocapture"]).env(CHILD, "1");
    command
}
