//! Real programs' traffic through `swb`: what they say they sent and got is compared with what
//! `swb` saw. A program that is not installed skips its tests and says so on stderr; with
//! `SWITCHBOARD_NO_SKIP=1` it fails them (`scripts/install` brings them all).
//!
//! Every server is started here, in a folder of its own and on a free loopback port, and ended by
//! its process id. Nothing waits for a time: a server is ready when it says so.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a peer that cannot be run has failed the test")]

mod dns;
mod erlang;
mod haproxy;
mod harness;
mod mqtt;
mod nginx;
mod postgres;
mod redis;
mod swb;
mod tls;
mod twisted;
mod wireshark;
