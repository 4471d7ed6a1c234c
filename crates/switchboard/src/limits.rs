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
/// kernel caps it further, silently (`net.core.somaxconn` on Linux, 4096 there by default).
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

/// The most bytes that closing reads and throws away while it waits for the peer's end. It bounds
/// the work, not the wait: past them it waits on without reading. To close with unread input sends
/// a reset, and that would destroy what the peer has not taken yet.
pub const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long closing waits for the peer's end.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// When it is first looked whether the peer's system has everything, before a reset: it would take
/// away what is still under way. Later looks are each twice as far apart as the one before.
pub const DELIVERY_LOOK_FIRST: Duration = Duration::from_millis(2);

/// How far apart those looks are at the most.
pub const DELIVERY_LOOK_MAX: Duration = Duration::from_millis(64);

/// What each direction of an in-memory [`pair`](crate::transport::pair) holds, in bytes.
pub const PAIR_BUFFER_BYTES: usize = 64 * 1024;

/// The most bytes in one write to an inherited pipe or terminal, which must not be switched to
/// non-blocking: `PIPE_BUF` of Linux, what a pipe that polls as writable takes without waiting.
pub const PIPE_WRITE_BYTES: usize = 4096;

/// How often a child process without a process descriptor is looked at while it is waited for.
pub const CHILD_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The most bytes that a fault-injecting transport holds back to glue writes together.
pub const FAULT_GLUE_BYTES_MAX: usize = 16 * 1024;

/// The pause between two pieces that [`fault`](crate::transport::fault) cuts apart, unless told.
/// A server that reads half a message and takes it for all of one is seldom caught without a pause,
/// and nearly always with one of 5 ms.
pub const FAULT_GAP: Duration = Duration::from_millis(20);

/// How long messages are held by a fault for the ones behind them, unless told.
pub const FAULT_GATHER_TIME: Duration = Duration::from_millis(50);

/// Bytes that go at once under a fault's rate after a pause, unless told.
pub const FAULT_BURST_BYTES: u64 = 1024;

/// Bytes by chance that a fault puts in, unless told.
pub const FAULT_GARBAGE_BYTES: u64 = 16;

/// The most messages that one fault holds, or makes of one.
pub const FAULT_WINDOW_MAX: u64 = 64;

/// Bytes of one direction held by faults at which nothing more is read from its writer; what was
/// read at once, a message that has to be whole, and what a fault adds come on top.
pub const FAULT_HELD_BYTES_MAX: usize = 256 * 1024;

/// The most bytes of a file that a fault puts in.
pub const FAULT_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The longest time that a fault may be told: no sum of such times overflows.
pub const FAULT_TIME_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// The most faults in one plan.
pub const FAULTS_MAX: usize = 64;

/// How long a conversation that a fault has silenced is kept; then both sides are reset.
pub const FAULT_SILENCE_MAX: Duration = Duration::from_secs(600);

/// How long the rest of a message already begun is waited for.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes a second at which a message must come, once [`MESSAGE_TIMEOUT`] has passed.
pub const MESSAGE_RATE_MIN: u32 = 1024;

/// How long the next message is waited for.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a wait may overlook that it was stopped or has mail, or that a signal came just before
/// it: so long it may stay in one call of the system that sees nothing but the stream, which saves
/// another call.
pub const BLIND_WAIT: Duration = Duration::from_millis(64);

/// Bytes that such a call takes where several threads share a conversation: more than that it reads
/// in one call more, where it would have to otherwise, and these are copied.
pub const EARLY_BYTES: usize = 4 * 1024;

/// How long a thread that waits for another one's turn with a conversation may overlook that it was
/// stopped or interrupted, or that its time is over.
pub const TURN_LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How long a thread may wait without its hook for interrupts being asked: a signal that comes just
/// before a wait interrupts nothing, and is seen so much later.
pub const INTERRUPT_LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// How long sending waits for a peer that takes nothing.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a transport may take to open: a TLS handshake, or whatever else comes before the first
/// byte of the stream. It begins when the connection is accepted, or when its conversation is made,
/// and does not begin anew.
pub const OPENING_TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes that TLS takes and holds, while the peer takes none of what is encrypted already:
/// enough for a message of 64 KiB with its header and what encryption adds.
pub const TLS_HELD_BYTES_MAX: usize = 66 * 1024;

/// How often a peer that takes nothing is offered bytes again. The system says that there is room
/// only once much of it is free; a peer that takes little at a time would look like one that takes
/// nothing.
pub const STALL_LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Queued bytes at which a queue is flushed by itself.
pub const QUEUE_MARK_BYTES: usize = 64 * 1024;

/// A reply of so many bytes is offered to the transport from where it lies, not copied behind what
/// is queued: by then a copy costs more than a call.
pub const WRITE_THROUGH_BYTES: usize = 32 * 1024;

/// The most bytes of an unfinished message, or of replies not yet taken, that are copied out of a
/// loop's buffer when the turn of their conversation ends; more stays where it is, and the buffer
/// goes with it.
pub const PARKED_BYTES_MAX: usize = 8 * 1024;

/// How many small buffers, and how many states of conversations, a loop keeps for the next ones
/// that leave something unfinished.
pub const PARKED_MAX: usize = 64;

/// The most bytes that a blocked `send` reads ahead.
pub const READ_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// The piece in which a message larger than memory is read and sent, in bytes.
pub const STREAM_CHUNK_BYTES: usize = 64 * 1024;

/// The most conversations that a server holds at a time, whatever its dispatcher.
pub const CONVERSATIONS_MAX: usize = 10_000;

/// The most threads that the dispatcher *threads* has, each with one conversation at a time.
pub const THREADS_MAX: usize = 256;

/// The stack of a thread of that dispatcher, in bytes. The kernel gives memory to what is used of
/// it only.
pub const THREAD_STACK_BYTES: usize = 512 * 1024;

/// How long a thread of that dispatcher waits for another conversation before it ends.
pub const THREAD_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The most processes that the dispatcher *processes* has for conversations, one each.
pub const PROCESSES_MAX: usize = 256;

/// How long a process of a pool that died without a conversation is not replaced: the next one may
/// die of the same.
pub const PROCESS_RESTART_PAUSE: Duration = Duration::from_secs(1);

/// How often a process of a conversation, and the one that accepts, look whether the time of a
/// drain has become shorter.
pub const DRAIN_LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How long after the deadline of a drain a process that has not cut its conversation off by itself
/// is killed.
pub const CUT_OFF_GRACE: Duration = Duration::from_millis(500);

/// The most messages of one conversation that a service is given before others have their turn.
pub const MESSAGES_PER_TURN: usize = 1024;

/// The most connections that are accepted before the open conversations have their turn.
pub const ACCEPTS_PER_TURN: usize = 64;

/// Bytes queued to one peer at which nothing more is read from it.
pub const QUEUE_HIGH_BYTES: usize = 256 * 1024;

/// Bytes queued to one peer below which reading from it goes on.
pub const QUEUE_LOW_BYTES: usize = 64 * 1024;

/// The most bytes queued to one peer; a reply that would pass it is refused.
pub const QUEUED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The most bytes that all conversations of a server have queued together.
pub const QUEUED_BYTES_IN_ALL_MAX: usize = 1024 * 1024 * 1024;

/// The most answers of one conversation that are promised and not given; while there are so many,
/// nothing more is read from its peer.
pub const LATER_MAX: usize = 1024;

/// The most bytes that a [`Sender`](crate::server::Sender) holds for a peer that does not take
/// them.
pub const SENDER_BYTES_MAX: usize = 1024 * 1024;

/// The most messages that a [`Sender`](crate::server::Sender) holds.
pub const SENDER_MESSAGES_MAX: usize = 64 * 1024;

/// How often a [`Sender`](crate::server::Sender) that waits looks whether the server as a whole has
/// room again.
pub const QUEUE_LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How long accepting pauses when descriptors or memory have run out: that keeps the calls of
/// `accept` at 8 a second until there are some again.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(125);

/// How long connections are left waiting in the backlog while descriptors are out, before one is
/// [turned away](crate::Listener::turn_away) at each look.
pub const EXHAUSTED_PATIENCE: Duration = Duration::from_secs(5);

/// The longest header of the PROXY protocol that is read. What a proxy sends is a tenth of that;
/// certificates in TLVs are what may make it long.
pub const PROXY_HEADER_BYTES_MAX: usize = 4096;

/// The most errors of single connections that one look for a connection passes over.
pub const ACCEPT_ERRORS_MAX: u32 = 1024;

/// The most bytes that a conversation still reads once its server was told to stop: more than a
/// system holds of what was received and nobody has read yet.
pub const DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long a server that was taken over goes on with the conversations it has, and how long `swb
/// serve` drains after a signal, unless told.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a server waits for the next word of a process that is taking it over.
pub const HANDOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long more such a process has to prepare, once it has the sockets.
pub const HANDOVER_PREPARE_TIMEOUT: Duration = Duration::from_secs(60);

/// The most sockets that go over in one message; Linux passes 253 at the most.
pub const HANDOVER_SOCKETS_AT_ONCE: usize = 128;

/// The most conversations that were cut off by the deadline of a drain that a server names; all are
/// counted.
pub const CUT_OFF_MAX: usize = 256;

/// The most bytes that an error shows on each side of the one at which a framing broke.
pub const AROUND_BYTES_MAX: usize = 16;

/// The most events that one [`Poller::wait`](crate::Poller::wait) takes from the system; the rest
/// stays there and comes first the next time.
pub const POLL_EVENTS_MAX: usize = 1024;
