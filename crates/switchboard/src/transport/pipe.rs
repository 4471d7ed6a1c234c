//! Programs, inherited descriptors, standard input and output.
//!
//! Invariant: a descriptor that another process may share is never switched to non-blocking: that
//! would be seen over there. It is polled before each call, and written to in pieces that what
//! polls as writable takes.

use super::{Facts, Process, Tcp, Transport, Unix};
use crate::{Endpoint, deadline, limits, sys, transport::Wait};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat, open};
use rustix::net::{AddressFamily, Shutdown, SocketType, getsockname, shutdown, sockopt};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One stream made of a descriptor to read and a descriptor to write: a child's standard output
/// and input (`exec:`), this program's own (`-`), or one that came with the process (`fd:3`).
///
/// A reset does not exist here: [`reset`](Transport::reset) closes both, and the other side reads
/// an end.
#[derive(Debug)]
pub struct Pipe {
    endpoint: Endpoint,
    /// None on a descriptor that is for writing only, as the other on one for reading only.
    /// Reading finds the end then, if it came with the process: a program that was given a place
    /// to write to has heard all there is. Whoever took it over by himself is told.
    read: Option<Half>,
    write: Option<Half>,
    finished: AtomicBool,
    came_with_process: bool,
    process: Option<Process>,
}

#[derive(Debug)]
struct Half {
    descriptor: Arc<OwnedFd>,
    kind: Kind,
    /// It stands for standard output, which is to end when this half does.
    is_stdout: bool,
}

/// How a descriptor is used so that no call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Our own end of a pipe, switched to non-blocking: nobody shares it.
    Own,
    /// Polled before each call.
    Shared,
    /// Told with each call not to wait.
    Socket,
    /// Never waits.
    File,
}

impl Pipe {
    /// Starts a program whose standard input and output are the stream; its standard error is
    /// this program's.
    ///
    /// # Errors
    /// When there is no such program, or no process or descriptor left.
    pub fn spawn(words: &[String]) -> io::Result<Pipe> {
        let Some((command, arguments)) = words.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no command"));
        };
        let mut child = Command::new(command)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        // From here on the child is taken care of, also if something below fails.
        let process = Process::new(child);
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(io::Error::other("the program has no pipes"));
        };
        Ok(Pipe {
            endpoint: Endpoint::Exec(words.to_vec()),
            read: Some(Half::own(stdout.into())?),
            write: Some(Half::own(stdin.into())?),
            finished: AtomicBool::new(false),
            came_with_process: false,
            process: Some(process),
        })
    }

    /// Takes over a descriptor that came with the process: a connected socket becomes a [`Tcp`] or
    /// a [`Unix`], anything else a `Pipe` in the directions in which it is open.
    ///
    /// # Errors
    /// When it is not open, was opened by this process itself, or is taken already.
    pub fn inherited(number: i32) -> io::Result<Arc<dyn Transport>> {
        over(sys::take(number)?, number, true)
    }

    /// A stream over a duplicate of a descriptor that something else in this process has: what it
    /// is, is found out as by [`inherited`](Self::inherited). Whoever has the descriptor closes it
    /// by himself, and should no longer read from it or write to it.
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    /// use switchboard::transport::Pipe;
    ///
    /// let (socket, _peer) = UnixStream::pair()?;
    /// let transport = Pipe::duplicated(socket.as_raw_fd())?;
    /// drop(socket); // The transport has its own.
    /// assert_eq!(transport.write(b"hello")?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When it is not open, or is a socket and no stream.
    pub fn duplicated(number: i32) -> io::Result<Arc<dyn Transport>> {
        over(sys::duplicate(number)?, number, false)
    }

    /// Standard input and output as one stream; a [`Tcp`] or a [`Unix`] where both are the same
    /// socket, as a program started by `inetd` has them.
    ///
    /// # Errors
    /// When one of them is closed.
    pub fn stdio() -> io::Result<Arc<dyn Transport>> {
        let (stdin, stdout) = (sys::take(0)?, sys::take(1)?);
        if is_socket(stdin.as_fd())? {
            let (a, b) = (fstat(&stdin)?, fstat(&stdout)?);
            if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino) {
                return from_socket(stdin);
            }
        }
        let half = |descriptor: OwnedFd, is_stdout| -> io::Result<Option<Half>> {
            let kind = kind_of(descriptor.as_fd())?;
            Ok(Some(Half { descriptor: Arc::new(descriptor), kind, is_stdout }))
        };
        Ok(Arc::new(Pipe {
            endpoint: Endpoint::Stdio,
            read: half(stdin, false)?,
            write: half(stdout, true)?,
            finished: AtomicBool::new(false),
            came_with_process: true,
            process: None,
        }))
    }

    /// The halves are one descriptor: ending one would end both.
    fn is_one(&self) -> bool {
        match (&self.read, &self.write) {
            (Some(read), Some(write)) => Arc::ptr_eq(&read.descriptor, &write.descriptor),
            _ => false,
        }
    }
}

impl Transport for Pipe {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(half) = &self.read else {
            if self.came_with_process {
                return Ok(0);
            }
            return Err(one_way("it is open for writing only: another end of it is to be read"));
        };
        match half.kind {
            Kind::Socket => return sys::socket::read(half.as_fd(), buffer),
            Kind::Shared => half.poll(true, false)?,
            Kind::Own | Kind::File => {}
        }
        Ok(rustix::io::read(half, buffer)?)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(half) = &self.write else {
            return Err(one_way("it is open for reading only: another end of it is to be written"));
        };
        if self.finished.load(Ordering::Acquire) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let bytes = match half.kind {
            Kind::Socket => return sys::socket::write(half.as_fd(), bytes),
            Kind::Shared => {
                half.poll(false, true)?;
                &bytes[..bytes.len().min(limits::PIPE_WRITE_BYTES)]
            }
            Kind::Own | Kind::File => bytes,
        };
        Ok(rustix::io::write(half, bytes)?)
    }

    fn finish(&self) -> io::Result<()> {
        if self.finished.swap(true, Ordering::AcqRel) || self.is_one() {
            return Ok(());
        }
        match &self.write {
            Some(half) => half.end(Shutdown::Write),
            None => Ok(()),
        }
    }

    fn reset(&self) -> io::Result<()> {
        self.finished.store(true, Ordering::Release);
        for half in [&self.write, &self.read].into_iter().flatten() {
            half.end(Shutdown::Both)?;
        }
        Ok(())
    }

    fn read_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.read.as_ref().filter(|half| half.kind != Kind::File).map(AsFd::as_fd)
    }

    fn write_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.write.as_ref().filter(|half| half.kind != Kind::File).map(AsFd::as_fd)
    }

    fn local(&self) -> Option<Endpoint> {
        None
    }

    fn remote(&self) -> Option<Endpoint> {
        Some(self.endpoint.clone())
    }

    fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    fn facts(&self) -> Facts {
        Facts { half_close: !self.is_one(), reset: false, silent_death: false, in_memory: false }
    }
}

impl AsFd for Half {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Half {
    fn own(descriptor: OwnedFd) -> io::Result<Half> {
        fcntl_setfl(&descriptor, fcntl_getfl(&descriptor)? | OFlags::NONBLOCK)?;
        Ok(Half { descriptor: Arc::new(descriptor), kind: Kind::Own, is_stdout: false })
    }

    /// A look without a wait.
    fn poll(&self, read: bool, write: bool) -> io::Result<()> {
        let mut watch = [sys::Watch::new(self.as_fd(), read, write)];
        match sys::wait(&mut watch, &Wait::until(deadline::now()))? {
            sys::Woke::Ready => Ok(()),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Lets go of what is behind the descriptor. Its number stays open, since another thread may
    /// be polling it.
    fn end(&self, how: Shutdown) -> io::Result<()> {
        if self.kind == Kind::Socket {
            return Ok(shutdown(self, how)?);
        }
        let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        if self.is_stdout {
            rustix::stdio::dup2_stdout(&null)?;
        }
        sys::replace(&self.descriptor, null.as_fd())
    }
}

/// What the descriptor is not open for.
fn one_way(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn is_socket(descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(fstat(descriptor)?.st_mode) == FileType::Socket)
}

fn kind_of(descriptor: BorrowedFd<'_>) -> io::Result<Kind> {
    Ok(match FileType::from_raw_mode(fstat(descriptor)?.st_mode) {
        FileType::Socket => {
            sys::socket::without_signals(descriptor);
            Kind::Socket
        }
        FileType::RegularFile => Kind::File,
        _ => Kind::Shared,
    })
}

/// A stream over a descriptor, which was known as `number`.
fn over(
    descriptor: OwnedFd,
    number: i32,
    came_with_process: bool,
) -> io::Result<Arc<dyn Transport>> {
    if is_socket(descriptor.as_fd())? {
        return from_socket(descriptor);
    }
    let flags = fcntl_getfl(&descriptor)? & OFlags::RWMODE;
    let kind = kind_of(descriptor.as_fd())?;
    let descriptor = Arc::new(descriptor);
    let half = || {
        let descriptor = Arc::clone(&descriptor);
        Some(Half { descriptor, kind, is_stdout: number == 1 })
    };
    Ok(Arc::new(Pipe {
        endpoint: Endpoint::Fd(number),
        read: if flags == OFlags::WRONLY { None } else { half() },
        write: if flags == OFlags::RDONLY { None } else { half() },
        finished: AtomicBool::new(false),
        came_with_process,
        process: None,
    }))
}

/// Whether it never had a peer, nor is on its way to one. One whose peer is gone is told by the
/// first read.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_unconnected(socket: &OwnedFd) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    if rustix::net::getpeername(socket).err() != Some(rustix::io::Errno::NOTCONN) {
        return Ok(false);
    }
    let mut looked = [PollFd::new(socket, PollFlags::RDHUP)];
    poll(&mut looked, Some(&Timespec::default()))?;
    let found = looked[0].revents();
    Ok(found.contains(PollFlags::HUP) && !found.contains(PollFlags::RDHUP))
}

/// A stream socket by its family.
fn from_socket(socket: OwnedFd) -> io::Result<Arc<dyn Transport>> {
    let unfit = |text| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    if sockopt::socket_type(&socket)? != SocketType::STREAM {
        return unfit("it is a socket, and no stream");
    }
    // Elsewhere the first read tells.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if sockopt::socket_acceptconn(&socket)? {
        return unfit("it is a socket that listens, and no stream");
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if is_unconnected(&socket)? {
        return unfit("it is a socket that is not connected");
    }
    match getsockname(&socket)?.address_family() {
        AddressFamily::UNIX => {
            Ok(Arc::new(Unix::from(std::os::unix::net::UnixStream::from(socket))))
        }
        AddressFamily::INET | AddressFamily::INET6 => {
            Ok(Arc::new(Tcp::from(std::net::TcpStream::from(socket))))
        }
        _ => unfit("it is a socket of a family that is not known here"),
    }
}
