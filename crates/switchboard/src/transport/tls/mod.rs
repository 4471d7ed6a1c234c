//! TLS over any transport: [`Tls`].
//!
//! It owns a connection of rustls and the transport that carries its records. The lock on the two
//! is held across calls that never wait, and never while anybody waits, so one thread may read
//! while another writes.
//!
//! **Invariants:** a read takes from the transport beneath only when nothing decrypted is left. At
//! most [`TLS_HELD_BYTES_MAX`](limits::TLS_HELD_BYTES_MAX) of what was written is held while the
//! peer takes nothing. The end of the stream is the peer's `close_notify`: without it a read says
//! `UnexpectedEof`. What went wrong is told again at every later call.

mod client;
mod failure;
mod info;
mod pem;
mod server;
mod state;
mod verify;

pub use client::TlsClient;
pub(crate) use failure::Failure;
pub use server::TlsServer;

use super::{Interest, TlsInfo, Transport, Wait, Woken, wait_beside};
use crate::sys::Level;
use crate::transport::passed_on::passed_on;
use crate::{Error, limits};
use rustls::Connection;
use state::{Finish, Room, State};
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// TLS 1.2 or 1.3 (RFC 5246, RFC 8446) over another transport: a TCP connection, most often.
///
/// The handshake is done by whoever reads, writes or [flushes](Transport::flush) first; connecting
/// to `tls://` does it before it returns. [`finish`](Transport::finish) says `close_notify`, and
/// reading goes on as over TCP.
///
/// ```
/// use std::sync::Arc;
/// use switchboard::Conversation;
/// use switchboard::transport::{Tls, TlsClient, TlsServer, pair};
///
/// # let dir = std::env::temp_dir().join(format!("swb-tls-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let made = rcgen::generate_simple_self_signed(["example.org".to_owned()])?;
/// # let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
/// # std::fs::write(&cert, made.cert.pem())?;
/// # std::fs::write(&key, made.signing_key.serialize_pem())?;
/// let server = TlsServer::from_files(&cert, &key)?;
/// let client = TlsClient::default().with_ca_file(&cert)?;
/// let (a, b) = pair()?;
/// let a = Tls::client(Arc::new(a), &client, "example.org")?;
/// let b = Tls::server(Arc::new(b), &server)?;
///
/// let protocol = "lines".parse()?;
/// let mut served = Conversation::over(Arc::new(b), &protocol);
/// let thread = std::thread::spawn(move || {
///     let message = served.recv_owned();
///     served.close().and(message)
/// });
/// let mut client = Conversation::over(Arc::new(a), &protocol);
/// client.send(b"hello")?;
/// assert!(client.recv()?.is_none());
/// client.close()?;
/// assert_eq!(thread.join().unwrap()?.unwrap(), b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tls {
    inner: Arc<dyn Transport>,
    state: Mutex<State>,
}

impl Tls {
    /// The client's side. `name` is the server's name or address, which its certificate must have
    /// and which it is told (SNI), unless the [client](TlsClient::with_name) says another.
    ///
    /// # Errors
    /// The name is none; the system has no certificates that it trusts.
    pub fn client(inner: Arc<dyn Transport>, client: &TlsClient, name: &str) -> Result<Tls, Error> {
        let connection = client.connection(name)?;
        Ok(Tls::over(inner, connection.into()))
    }

    /// The server's side.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn server(inner: Arc<dyn Transport>, server: &TlsServer) -> Result<Tls, Error> {
        let connection = server.connection()?;
        Ok(Tls::over(inner, connection.into()))
    }

    fn over(inner: Arc<dyn Transport>, mut connection: Connection) -> Tls {
        connection.set_buffer_limit(Some(limits::TLS_HELD_BYTES_MAX));
        let state = State {
            connection,
            plaintext: 0,
            has_ended: false,
            failure: None,
            deaf: None,
            owes: false,
            finish: Finish::No,
            opened: None,
        };
        Tls { inner, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_into(&self, mut room: Room<'_>) -> io::Result<usize> {
        if room.last.is_empty() {
            std::mem::swap(&mut room.first, &mut room.last);
        }
        if room.last.is_empty() {
            return Ok(0);
        }
        let end = room.last.len();
        let mut state = self.lock();
        if state.failure.is_none() {
            return state.read(&*self.inner, &mut room);
        }
        // What came before it is given first.
        let given = state.give(&mut room, 0, end);
        match &mut state.failure {
            Some(failed) if given == 0 => {
                let failure = failed.failure.clone();
                match std::mem::replace(&mut failed.told, true) {
                    true => Err(state.drain(&*self.inner, &failure)),
                    false => Err(failure.to_io()),
                }
            }
            _ => Ok(given),
        }
    }

    /// Whether what has come beneath is something to read: not all of what TLS says is.
    fn comes(&self) -> bool {
        let mut state = self.lock();
        if state.failure.is_some() || state.holds_input() {
            return true;
        }
        match state.pull(&*self.inner) {
            Ok(()) => state.holds_input(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => {
                state.note_reset(&error);
                state.untell();
                true
            }
        }
    }

    /// The transport beneath.
    #[must_use]
    pub fn inner(&self) -> &Arc<dyn Transport> {
        &self.inner
    }
}

impl Transport for Tls {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_into(Room { first: &mut [], last: buffer })
    }

    fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match buffers {
            [first, last] => self.read_into(Room { first, last }),
            buffers => match buffers.iter_mut().find(|buffer| !buffer.is_empty()) {
                Some(first) => self.read(first),
                None => Ok(0),
            },
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let write = |connection: &mut Connection, from| connection.writer().write(&bytes[from..]);
        match self.lock().write(&*self.inner, bytes.len(), write)? {
            0 if !bytes.is_empty() => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let write = |connection: &mut Connection, _| connection.writer().write_vectored(buffers);
        // As much as goes at once.
        match self.lock().write(&*self.inner, 0, write)? {
            0 if buffers.iter().any(|buffer| !buffer.is_empty()) => {
                Err(ErrorKind::WouldBlock.into())
            }
            count => Ok(count),
        }
    }

    fn finish(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.finish == Finish::No {
            state.finish = Finish::Wanted;
        }
        state.push(&*self.inner).map(drop)
    }

    fn reset(&self) -> io::Result<()> {
        // Nothing is said to a peer that hears a reset.
        self.lock().finish = Finish::Done;
        self.inner.reset()
    }

    fn disown(&self) {
        self.lock().finish = Finish::Done;
        self.inner.disown();
    }

    fn interest(&self, wanted: Interest) -> Interest {
        let state = self.lock();
        let holds = state.holds_output();
        let is_opening = state.connection.is_handshaking() && state.failure.is_none();
        let wanted = match is_opening {
            true => Interest { read: true, write: holds },
            false => Interest { read: wanted.read, write: wanted.write || holds },
        };
        self.inner.interest(wanted)
    }

    fn flush(&self) -> io::Result<bool> {
        let mut state = self.lock();
        if let Some(failed) = &mut state.failure {
            if !std::mem::replace(&mut failed.told, true) {
                return Err(failed.failure.to_io());
            }
        } else if state.connection.is_handshaking() {
            state.open(&*self.inner)?;
        }
        let is_empty = state.push(&*self.inner)?;
        Ok(self.inner.flush()? && is_empty)
    }

    fn opening(&self) -> Option<&'static str> {
        let handshake = || self.lock().connection.is_handshaking().then_some("the TLS handshake");
        self.inner.opening().or_else(handshake)
    }

    fn wait(&self, interest: Interest, until: &Wait<'_>) -> io::Result<Woken> {
        loop {
            match self.flush() {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // The next call tells.
                Err(_) => {
                    self.lock().untell();
                    return Ok(Woken::Ready(interest));
                }
            }
            let opened = {
                let mut state = self.lock();
                if interest.read && state.holds_input() {
                    return Ok(Woken::Ready(Interest::READ));
                }
                match state.connection.is_handshaking() {
                    true if state.opened.is_none() => {
                        let opened = Arc::new(Level::new()?);
                        state.opened = Some(Arc::clone(&opened));
                        Some(opened)
                    }
                    true => state.opened.clone(),
                    false => None,
                }
            };
            let (read, write) = (self.inner.read_descriptor(), self.inner.write_descriptor());
            let other = opened.as_ref().map(|opened| opened.as_fd());
            let found = match wait_beside(read, write, self.interest(interest), other, until)? {
                Woken::Ready(found) => found,
                other => return Ok(other),
            };
            if opened.is_some() {
                return Ok(Woken::Ready(interest));
            }
            let ready = Interest {
                read: found.read && interest.read && self.comes(),
                write: found.write && interest.write,
            };
            if ready != Interest::NONE {
                return Ok(Woken::Ready(ready));
            }
        }
    }

    fn holds_input(&self) -> bool {
        self.lock().holds_input()
    }

    /// As of the transport beneath, with `tls://` for `tcp://`.
    fn name(&self) -> String {
        let name = self.inner.name();
        name.strip_prefix("tcp").map_or(name.clone(), |rest| format!("tls{rest}"))
    }

    fn tls(&self) -> Option<TlsInfo> {
        info::of(&self.lock().connection)
    }

    passed_on! {
        undelivered read_descriptor write_descriptor local remote client set_liveness silence
        process facts
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.inner).finish()
    }
}

impl Drop for Tls {
    /// Says `close_notify`, as a socket that is dropped says its end: once, without waiting.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.finish == Finish::No {
            state.finish = Finish::Wanted;
        }
        if state.finish != Finish::Done {
            let _ = state.push(&*self.inner);
        }
    }
}
