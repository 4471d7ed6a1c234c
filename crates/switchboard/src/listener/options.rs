//! How to listen: [`ListenOptions`].

use crate::{Liveness, ProxyFrom, limits};

/// How to listen.
///
/// ```
/// use switchboard::{ListenOptions, Listener};
///
/// let options = ListenOptions::default().with_backlog(128).with_reuse_port(true);
/// let listener = Listener::bind(&"127.0.0.1:0".parse()?, &options)?;
/// assert_eq!(listener.another()?.endpoints(), listener.endpoints());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ListenOptions {
    backlog: u32,
    pub(super) unix_mode: Option<u32>,
    pub(super) reuse_port: bool,
    pub(super) liveness: Liveness,
    pub(super) proxy: Option<ProxyFrom>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<crate::transport::TlsServer>,
}

impl Default for ListenOptions {
    /// The backlog and the liveness in [`limits`], the path's mode as the process's mask has it,
    /// the port for this listener alone, and no proxies.
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: limits::LISTEN_BACKLOG,
            unix_mode: None,
            reuse_port: false,
            liveness: Liveness::default(),
            proxy: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl ListenOptions {
    /// How many connections may wait to be accepted.
    ///
    /// The kernel caps it without a word (`net.core.somaxconn` on Linux). On Linux one more than
    /// this may wait, so that 0 is a place for one connection, and not a listener that refuses; a
    /// client that finds no place is not refused either, but tries again after a second (TCP), or
    /// waits until there is one (Unix).
    #[must_use]
    pub fn with_backlog(self, backlog: u32) -> ListenOptions {
        ListenOptions { backlog, ..self }
    }

    /// The permissions of a Unix path, as in `0o660`: who may connect. The path never has wider
    /// ones, not for a moment. Only the nine bits of `0o777` count. Nothing else has a path: an
    /// abstract name or a port is open to all, with this or without.
    #[must_use]
    pub fn with_unix_mode(self, mode: u32) -> ListenOptions {
        ListenOptions { unix_mode: Some(mode & 0o777), ..self }
    }

    /// Whether several listeners may share the port (`SO_REUSEPORT`), in this process or in others
    /// of the same user. Each must say so; the kernel spreads new connections over them, each of
    /// which keeps a backlog of its own. See [`another`](crate::Listener::another).
    ///
    /// What waits in the backlog of one is not handed to the others when it is dropped: those
    /// connections are reset. With it a second server on the port is no longer an "address in use".
    /// TCP only; [`bind`](crate::Listener::bind) refuses it on a Unix socket.
    #[must_use]
    pub fn with_reuse_port(self, reuse_port: bool) -> ListenOptions {
        ListenOptions { reuse_port, ..self }
    }

    /// Who the listener is, and whom it lets in, over TLS: `tls://` needs it, and what listens on
    /// another endpoint speaks TLS with it too.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: crate::transport::TlsServer) -> ListenOptions {
        ListenOptions { tls: Some(tls), ..self }
    }

    /// The liveness of what is accepted. A server with a
    /// [liveness of its own](crate::Server::with_liveness) has that instead.
    #[must_use]
    pub fn with_liveness(self, liveness: Liveness) -> ListenOptions {
        ListenOptions { liveness, ..self }
    }

    /// From whom the header of the PROXY protocol is required, and believed. From all others, and
    /// without this from everyone, it is not looked for. It has to come within
    /// [`OPENING_TIMEOUT`](limits::OPENING_TIMEOUT), or what a server's limits say instead.
    #[must_use]
    pub fn with_proxy(self, from: ProxyFrom) -> ListenOptions {
        ListenOptions { proxy: Some(from), ..self }
    }

    /// The backlog as the system takes it.
    pub(super) fn backlog(&self) -> i32 {
        i32::try_from(self.backlog).unwrap_or(i32::MAX)
    }
}
