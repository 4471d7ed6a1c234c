//! Streams that misbehave on purpose.

mod calls;
mod parse;
mod random;
mod shown;
mod values;
mod what;

pub use calls::{Faults, Faulty};
pub use what::{Cut, Direction, Fault, FaultError, Kind, LengthChange, Matcher, Pattern, Trigger};
