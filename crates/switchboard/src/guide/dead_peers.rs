//! Dead peers: gone without a close, silent, slow; clocks, heartbeats, no lock, no kill (H20).
//!
#![doc = include_str!("dead_peers.md")]
//!
//! ## In the reference
//!
//! [`Liveness`](crate::Liveness), [`Timeouts`](crate::Timeouts),
//! [`Limits`](crate::server::Limits), [`Heartbeat`](crate::server::Heartbeat),
//! [`SlowPeer`](crate::server::SlowPeer), [`Stopper`](crate::Stopper).
