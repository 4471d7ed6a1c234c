//! Every bound and every default of this crate, in one table.
//!
//! Nothing here waits for ever and nothing grows without an end: each queue, buffer and wait has
//! its line below, and an option somewhere that changes it.

use std::time::Duration;

/// How long [`connect`](crate::Endpoint::connect) may take in all: resolving the name and trying
/// every address it has.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an address is tried before the next one is started beside it: the value that RFC 8305,
/// section 8, recommends. An address that fails starts the next one at once.
pub const CONNECT_STAGGER: Duration = Duration::from_millis(250);

/// The most addresses of one name that are tried; a name that resolves to more has the rest left
/// out.
pub const CONNECT_ADDRESSES_MAX: usize = 32;

/// How many connections the kernel holds for a listener that have not been accepted yet. The
/// kernel caps it further (`net.core.somaxconn` on Linux, 4096 there by default).
pub const LISTEN_BACKLOG: u32 = 4096;

/// The most addresses of one name that a [`Listener`](crate::Listener) listens on.
pub const LISTEN_ADDRESSES_MAX: usize = 16;

/// The longest path of a Unix socket, in bytes: `sun_path` of Linux less its closing zero.
pub const UNIX_PATH_BYTES_MAX: usize = 107;

/// How long a full queue at a Unix listener is left alone before connecting is tried again; the
/// kernel has no event for a place that becomes free in it.
pub const UNIX_RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// How long starting on a Unix path waits for another process that is starting on a path in the
/// same directory.
pub const UNIX_BIND_TIMEOUT: Duration = Duration::from_secs(2);

/// Silence on a connection before its liveness is probed (`TCP_KEEPIDLE`).
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// Time between two liveness probes (`TCP_KEEPINTVL`).
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Unanswered probes after which the peer is dead (`TCP_KEEPCNT`).
pub const KEEPALIVE_PROBES: u32 = 6;

/// How long sent bytes may stay unacknowledged before the peer is dead (`TCP_USER_TIMEOUT`).
pub const USER_TIMEOUT: Duration = Duration::from_secs(120);

/// The most bytes that closing reads and throws away while it waits for the peer's end.
pub const LINGER_BYTES_MAX: usize = 64 * 1024;

/// How long closing waits for the peer's end.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// What each direction of an in-memory [`pair`](crate::transport::pair) holds, in bytes.
pub const PAIR_BUFFER_BYTES: usize = 64 * 1024;

/// The most bytes in one write to an inherited pipe or terminal, which must not be switched to
/// non-blocking: `PIPE_BUF` of Linux, what a pipe that polls as writable takes without waiting.
pub const PIPE_WRITE_BYTES: usize = 4096;

/// How often a child process without a process descriptor is looked at while it is waited for.
pub const CHILD_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The most bytes that a fault-injecting transport holds back to glue writes together.
pub const FAULT_GLUE_BYTES_MAX: usize = 16 * 1024;

/// How long the rest of a message already begun is waited for.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the next message is waited for.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// How long sending waits for a peer that takes nothing.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Queued bytes at which a queue is flushed by itself.
pub const QUEUE_MARK_BYTES: usize = 64 * 1024;

/// The most bytes that a blocked `send` reads ahead.
pub const READ_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// The piece in which a message larger than memory is read and sent, in bytes.
pub const STREAM_CHUNK_BYTES: usize = 64 * 1024;

/// The most conversations that [`serve`](crate::serve) holds at a time.
pub const CONVERSATIONS_MAX: usize = 256;

/// How long accepting pauses when descriptors or memory have run out.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The most events that one [`Poller::wait`](crate::Poller::wait) takes from the system; the rest
/// stays there and comes first the next time.
pub const POLL_EVENTS_MAX: usize = 1024;
