//! Streams that misbehave on purpose.
//!
//! Two ways, for two questions:
//!
//! - [`Faulty`] has the *calls* of a transport misbehave: one byte a call, interrupts,
//!   `WouldBlock`. Does a program cope with what every system may do at any time?
//! - [`Link`] has the *other side* misbehave, or the way to it: what passes is cut, delayed, ended,
//!   silenced and changed, at a message, a byte or a time that a [`Plan`] names. Does a program
//!   cope with its peers? [`Injected`] is a transport under it; `swb chaos` is a proxy.
//!
//! A stream loses no bytes and keeps their order, so faults that lose or reorder exist for whole
//! messages alone. What is by chance is decided by a seed: the same traffic has the same faults
//! again.

mod calls;
mod change;
mod door;
mod framer;
mod injected;
mod lane;
mod link;
mod occasion;
mod outlet;
mod parse;
mod plan;
mod queue;
mod random;
mod record;
mod refuse;
mod shown;
mod values;
mod what;

pub use calls::{Faults, Faulty};
pub use door::{Admission, Door};
pub use injected::Injected;
pub use link::{Link, Over, Turn};
pub use plan::{Plan, PlanError};
pub use record::{Injection, Record};
pub use what::{Cut, Direction, Fault, FaultError, Kind, LengthChange, Matcher, Pattern, Trigger};
