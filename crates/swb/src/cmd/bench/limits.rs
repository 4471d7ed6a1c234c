//! Every bound of `swb bench`, in one table.

use std::time::Duration;

/// What one read takes at the most, in bytes.
pub(super) const READ_BYTES: usize = 128 * 1024;

/// Requests that are encoded ahead, in bytes; one is, however large.
pub(super) const BLOCK_BYTES: usize = 1024 * 1024;

/// The most connections that are being made at a time.
pub(super) const CONNECTING_MAX: usize = 64;

/// The descriptors that this program may have open beside its connections: its own, a dozen, and
/// what it was started with.
pub(super) const DESCRIPTORS_BESIDE: u64 = 32;

/// The most events that are taken from the system at a time.
pub(super) const EVENTS_MAX: usize = 1024;

/// The most requests without a reply on a connection, in the open loop. What is due beyond them is
/// sent when replies come, and its latency counts from when it was due.
pub(super) const IN_FLIGHT_MAX: u64 = 65_536;

/// The longest latency that is told apart, in nanoseconds: an hour.
pub(super) const LATENCY_MAX: u64 = 3_600_000_000_000;

/// The highest rate, in messages a second in all; more than a processor can see to.
pub(super) const RATE_MAX: f64 = 100e6;

/// How late this program itself may send one message of a hundred, in the open loop, before the
/// run is invalid.
pub(super) const LAG_P99_MAX: Duration = Duration::from_millis(1);

/// The share of the messages due that this program must have seen to; and that must have been
/// answered in time, where it was busy all the time.
pub(super) const KEPT_SHARE_MIN: f64 = 0.99;

/// The share of a processor at which this program counts as busy all the time.
pub(super) const BUSY_SHARE: f64 = 0.95;

/// How many conversations in a row the server may end without any reply, before a run that opens
/// them again is ended.
pub(super) const ENDS_IN_VAIN_MAX: u32 = 5;

/// How many of the numbers that were awaited are told, where another one came.
pub(super) const NUMBERS_TOLD_MAX: usize = 4;

/// How many bytes of the first reply are shown.
pub(super) const REPLY_BYTES_SHOWN_MAX: usize = 48;

/// How long replies that are outstanding at the end are waited for.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// How long is measured, if nothing else was said.
pub(super) const DURATION: Duration = Duration::from_secs(10);

/// How long the load goes on before that.
pub(super) const WARM_UP: Duration = Duration::from_secs(1);

/// How long no reply may come, while some are outstanding, before a run that was to go on for as
/// long as it takes is ended.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(30);
