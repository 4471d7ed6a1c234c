//! A connection from a proxy, which begins with who it is from.

use super::{Interest, Transport, Wait, Woken, wait_beside};
use crate::limits::PROXY_HEADER_BYTES_MAX;
use crate::proxy::Said;
use crate::proxy::header::{Parsed, parse};
use crate::sys::Level;
use crate::transport::passed_on::passed_on;
use crate::{Endpoint, sys};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// A connection that a listener has accepted from a [proxy it trusts](crate::ProxyFrom), over TCP
/// or a Unix socket. It is [open](Transport::opening) once the header of the PROXY protocol has
/// come; from then on it is the stream behind it, between the two sides that the header names.
///
/// Of the socket, not a byte more is taken than the header has: whoever goes on with the bare
/// descriptor, as a program that is started on it, finds the stream.
#[derive(Debug)]
pub struct Proxied {
    inner: Box<dyn Transport>,
    /// What the header says, once it is whole.
    said: OnceLock<Said>,
    header: Mutex<Header>,
}

#[derive(Debug, Default)]
struct Header {
    /// The part of it that has come.
    bytes: Vec<u8>,
    /// Wakes those who wait for something else than its next byte, which another may read.
    opened: Option<Arc<Level>>,
}

impl Proxied {
    /// Over a socket of which nothing has been read.
    pub(crate) fn over(inner: impl Transport + 'static) -> Proxied {
        Proxied { inner: Box::new(inner), said: OnceLock::new(), header: Mutex::default() }
    }

    fn header(&self) -> MutexGuard<'_, Header> {
        self.header.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, once it is open.
    fn opened(&self) -> io::Result<&dyn Transport> {
        match self.open()? {
            true => Ok(&*self.inner),
            false => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Reads on in the header, as far as it has come. Whether it is whole.
    fn open(&self) -> io::Result<bool> {
        if self.said.get().is_some() {
            return Ok(true);
        }
        let Some(socket) = self.inner.read_descriptor() else { return Ok(false) };
        let mut header = self.header();
        if self.said.get().is_some() {
            return Ok(true);
        }
        let Header { bytes, opened } = &mut *header;
        let mut done = |said| {
            let _ = self.said.set(said);
            opened.take().iter().for_each(|opened| opened.raise());
            Ok(true)
        };
        loop {
            let before = bytes.len();
            // A look first: only what is of the header is taken.
            let mut room = [0; PROXY_HEADER_BYTES_MAX];
            let seen = match sys::socket::peek(socket, &mut room[before..]) {
                Ok(0) if before == 0 => {
                    // Whoever looks whether somebody listens says nothing at all.
                    return done(Said::Nothing);
                }
                Ok(0) => {
                    let why = "the connection ended within it";
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, why));
                }
                Ok(seen) => seen,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            room[..before].copy_from_slice(bytes);
            let parsed = parse(&room[..before + seen]);
            // It is not taken, so the next look says the same.
            let malformed = |why| io::Error::new(ErrorKind::InvalidData, why);
            let (whole, said) = match parsed.map_err(malformed)? {
                Parsed::More => (before + seen, None),
                Parsed::Whole(whole, said) => (whole, Some(said)),
            };
            let taken = sys::socket::read(socket, &mut room[before..whole])?;
            bytes.extend_from_slice(&room[before..before + taken]);
            if before + taken < whole {
                continue;
            }
            if let Some(said) = said {
                *bytes = Vec::new();
                return done(said);
            }
        }
    }
}

impl Transport for Proxied {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.opened()?.read(buffer)
    }

    fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.opened()?.read_vectored(buffers)
    }

    fn read_within(&self, buffer: &mut [u8], time: Option<Duration>) -> io::Result<usize> {
        self.opened()?.read_within(buffer, time)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.opened()?.write(bytes)
    }

    fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.opened()?.write_vectored(buffers)
    }

    fn finish(&self) -> io::Result<()> {
        self.inner.finish()
    }

    fn reset(&self) -> io::Result<()> {
        self.inner.reset()
    }

    fn wait(&self, interest: Interest, until: &Wait<'_>) -> io::Result<Woken> {
        let opened = {
            let mut header = self.header();
            match self.said.get() {
                Some(_) => return self.inner.wait(interest, until),
                None => match &header.opened {
                    Some(opened) => Arc::clone(opened),
                    None => Arc::clone(header.opened.insert(Arc::new(Level::new()?))),
                },
            }
        };
        let (read, write) = (self.read_descriptor(), self.write_descriptor());
        let found = wait_beside(read, write, Interest::READ, Some(opened.as_fd()), until)?;
        Ok(match found {
            // Whatever is wanted may go on.
            Woken::Ready(_) => Woken::Ready(interest),
            other => other,
        })
    }

    fn interest(&self, wanted: Interest) -> Interest {
        match self.opening() {
            Some(_) if wanted != Interest::NONE => Interest::READ,
            _ => wanted,
        }
    }

    fn flush(&self) -> io::Result<bool> {
        self.open()?;
        // It holds nothing of what was written: before it is open it takes nothing.
        Ok(true)
    }

    fn opening(&self) -> Option<&'static str> {
        self.said.get().is_none().then_some("the PROXY header")
    }

    fn local(&self) -> Option<Endpoint> {
        match self.said.get() {
            Some(Said::Sides { local, .. }) => local.clone(),
            _ => self.inner.local(),
        }
    }

    fn remote(&self) -> Option<Endpoint> {
        match self.said.get() {
            Some(Said::Sides { remote, .. }) => remote.clone(),
            _ => self.inner.remote(),
        }
    }

    fn client(&self) -> Option<Endpoint> {
        match self.said.get() {
            Some(Said::Sides { remote, .. }) => remote.clone(),
            _ => None,
        }
    }

    passed_on! {
        disown undelivered read_descriptor write_descriptor set_liveness silence facts
    }
}
