//! What the tests share.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use switchboard::transport::{Interest, Wait, Woken};
use switchboard::{ConnectOptions, Endpoint, Listener, Transport, deadline};

pub(crate) type Shared = Arc<dyn Transport>;

/// Long enough never to pass in a test that works.
pub(crate) fn soon() -> Wait<'static> {
    Wait { deadline: deadline::after(Duration::from_secs(20)), ..Wait::FOREVER }
}

/// A deadline that has passed: a look without a wait.
pub(crate) fn now() -> Wait<'static> {
    Wait::until(deadline::now())
}

pub(crate) fn is_again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn wait(transport: &dyn Transport, interest: Interest) {
    let woken = transport.wait(interest, &soon()).unwrap();
    assert!(matches!(woken, Woken::Ready(_)), "{woken:?} on {transport:?}");
}

pub(crate) fn write_all(transport: &dyn Transport, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match transport.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait(transport, Interest::WRITE);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads once; 0 is the end.
pub(crate) fn read_some(transport: &dyn Transport, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match transport.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait(transport, Interest::READ);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

pub(crate) fn read_exact(transport: &dyn Transport, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        let more = read_some(transport, &mut bytes[filled..]).unwrap();
        assert_ne!(more, 0, "the stream ended after {filled} of {count} bytes");
        filled += more;
    }
    bytes
}

pub(crate) fn read_to_end(transport: &dyn Transport) -> io::Result<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match read_some(transport, &mut buffer)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// A number that no other test of this run gets.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("swb-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A directory that is removed with what is in it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        let path = std::env::temp_dir().join(unique());
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn listen(endpoint: &str) -> Listener {
    Listener::listen(endpoint).unwrap()
}

pub(crate) fn connect(endpoint: &Endpoint) -> Shared {
    endpoint.connect(&ConnectOptions::default()).unwrap()
}

/// A client and what the listener made of it.
pub(crate) fn over(listener: &Listener) -> (Shared, Shared) {
    let client = connect(&listener.endpoints()[0]);
    (client, listener.accept(&soon()).unwrap())
}

const CHILD: &str = "SWITCHBOARD_TEST_CHILD";

/// Whether this is the process that [`own_process`] started.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// This program again, for one test alone and in its first thread: for tests that need signals or
/// limits of a process.
pub(crate) fn own_process(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--test-threads=1", "--nocapture"]).env(CHILD, "1");
    command
}

/// Leaves a path that nobody serves. Nobody ever did: whoever is forked off just then, by another
/// test, would have the listener too, and be taken for a server.
pub(crate) fn leave_stale(path: impl AsRef<std::path::Path>) {
    use socket2::{Domain, SockAddr, Socket, Type};
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(path).unwrap()).unwrap();
}
