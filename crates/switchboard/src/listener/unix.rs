//! Binding Unix sockets: the abstract name, the path and its life.

use super::{Family, ListenOptions, Listening};
use crate::transport::Wait;
use crate::{Endpoint, Error, deadline, limits, sys};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// A socket's path, unlinked when dropped unless somebody else has put their own there.
#[derive(Debug)]
pub(super) struct BoundPath {
    path: PathBuf,
    identity: Option<Identity>,
    /// A child that forked off has a copy of this value, and the path is not the child's.
    process: AtomicU32,
    /// It is another process's: it was handed over to it, or is not handed over yet.
    is_given_away: AtomicBool,
}

/// Device and inode of a path.
type Identity = (u64, u64);

impl BoundPath {
    /// The path of a socket that is bound to it.
    pub(super) fn of(path: &Path) -> BoundPath {
        BoundPath {
            path: path.to_path_buf(),
            identity: identity(path),
            process: AtomicU32::new(std::process::id()),
            is_given_away: AtomicBool::new(false),
        }
    }

    pub(super) fn is_ours(&self) -> bool {
        self.process.load(Ordering::Relaxed) == std::process::id()
            && !self.is_given_away.load(Ordering::Relaxed)
            && self.identity.is_some()
            && self.identity == identity(&self.path)
    }

    /// Says whether it is another process's.
    pub(super) fn set_given_away(&self, is_given_away: bool) {
        self.is_given_away.store(is_given_away, Ordering::Relaxed);
    }

    pub(super) fn is_of(&self, process: u32) {
        self.process.store(process, Ordering::Relaxed);
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        if self.is_ours() {
            // What is gone already is as good as removed.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

pub(super) fn bind_abstract(name: &[u8], options: &ListenOptions) -> Result<Listening, Error> {
    let endpoint = Endpoint::Abstract(name.to_vec());
    let attempt = || {
        let address = crate::transport::abstract_address(name)?;
        let socket = socket()?;
        socket.bind(&address)?;
        socket.listen(options.backlog())?;
        Ok(socket)
    };
    let socket = attempt().map_err(|error| explain(error, &endpoint))?;
    Ok(Listening { socket, endpoint, family: Family::Unix })
}

pub(super) fn bind_path(
    path: &Path,
    options: &ListenOptions,
) -> Result<(Listening, BoundPath), Error> {
    let endpoint = Endpoint::unix(path);
    let explain = |error| explain(error, &endpoint);
    let address = address(path, &endpoint)?;
    // Held until the new socket listens: to another process that starts at the same moment, a
    // socket that is bound and does not listen yet would look like one that was left behind.
    let _lock = lock(path);
    let socket = match bind(&address, options) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path, &address, &endpoint)?;
            bind(&address, options).map_err(explain)?
        }
        other => other.map_err(explain)?,
    };
    let bound = BoundPath::of(path);
    if let Some(mode) = options.unix_mode {
        // The process's mask may have taken bits away that are wanted.
        std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(explain)?;
    }
    socket.listen(options.backlog()).map_err(explain)?;
    Ok((Listening { socket, endpoint, family: Family::Unix }, bound))
}

/// The address of a path, or the words for one that is too long.
fn address(path: &Path, endpoint: &Endpoint) -> Result<SockAddr, Error> {
    let bytes = path.as_os_str().len();
    if bytes > limits::UNIX_PATH_BYTES_MAX {
        return Err(Error::caller("cannot listen on").at_endpoint(endpoint).with_advice(format!(
            "the path has {bytes} bytes and the system takes {}: choose a shorter one",
            limits::UNIX_PATH_BYTES_MAX
        )));
    }
    SockAddr::unix(path).map_err(|error| explain(error, endpoint))
}

fn socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind(address: &SockAddr, options: &ListenOptions) -> io::Result<Socket> {
    let socket = socket()?;
    if let Some(mode) = options.unix_mode {
        // The path is made with the mode of the socket, so that it is never wider than wanted.
        #[allow(clippy::useless_conversion, reason = "a mode has 16 bits on other systems")]
        let mode = mode.try_into().unwrap_or(0o600);
        rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode))?;
    }
    socket.bind(address)?;
    Ok(socket)
}

/// Removes a socket that nobody serves, or says why the path cannot be had.
fn remove_stale(path: &Path, address: &SockAddr, endpoint: &Endpoint) -> Result<(), Error> {
    let in_use = |advice: &str| {
        Error::io("cannot listen on", Errno::ADDRINUSE.into())
            .at_endpoint(endpoint)
            .with_advice(advice)
    };
    let found = identity(path);
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if !is_socket {
        return Err(in_use("something that is no socket has that path: choose another one"));
    }
    let probe = socket().map_err(|error| explain(error, endpoint))?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // A connection, a full queue, no permission to look: somebody may be there.
        _ => {
            return Err(in_use("another program serves it: end it, or choose another path"));
        }
    }
    if identity(path) == found {
        std::fs::remove_file(path).map_err(|error| explain(error, endpoint))?;
    }
    Ok(())
}

/// Locks the directory of `path` against others that start like this one. Without the lock (no
/// permission to read the directory, a file system without locks, somebody who never lets go) it
/// goes on: the lock narrows a window, nothing depends on it.
fn lock(path: &Path) -> Option<OwnedFd> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(directory, flags, Mode::empty()).ok()?;
    let end = deadline::after(limits::UNIX_BIND_TIMEOUT);
    loop {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(Errno::AGAIN | Errno::INTR) if !deadline::has_passed(end) => {
                let pause = deadline::after(Duration::from_millis(5));
                sys::wait(&mut [], &Wait { deadline: pause, ..Wait::FOREVER }).ok()?;
            }
            Err(_) => return None,
        }
    }
}

fn explain(error: io::Error, endpoint: &Endpoint) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "its directory is not there: make it first",
        io::ErrorKind::PermissionDenied => {
            "this user may not write to its directory: choose another one"
        }
        io::ErrorKind::AddrInUse => "another program serves it: end it, or choose another name",
        io::ErrorKind::InvalidInput => "the system takes 107 bytes of it: choose a shorter one",
        _ => return Error::io("cannot listen on", error).at_endpoint(endpoint),
    };
    Error::io("cannot listen on", error).at_endpoint(endpoint).with_advice(advice)
}
