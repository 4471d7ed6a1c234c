//! F3: a message one byte at a time; and where messages end with a delimiter, whether one that is
//! four times as long takes much more than four times as long.

use std::fmt;
use std::time::{Duration, Instant};

use switchboard::deadline;

use super::super::causes::ONE_READ;
use super::super::link::{Heard, Went, told};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::wrong::is_echoed;

/// One byte a segment takes no longer than this, however long a request is.
const OCTETS_MAX: Duration = Duration::from_secs(1);

/// The longer message, and how many times the shorter one it is.
const LONG_BYTES: usize = 256 * 1024;
const TIMES: usize = 4;
/// So many bytes a segment, and the pause between two.
const PIECE_BYTES: usize = 64;
const PACE: Duration = Duration::from_micros(1);
/// What is quadratic takes sixteen times as long, what is linear four times: this lies between.
const RATIO_MAX: u32 = 8;
/// A reply that comes this soon after the last byte is soon enough, and a hiccup is no finding.
const SOON: Duration = Duration::from_millis(25);
/// So often the longer one has to be slow, beside a shorter one of the same moment, before it has
/// been so often not: what else the machine does makes now this and now that one slower.
const LOOKS: usize = 3;
/// What is not seen within so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) static PROBE: Probe = Probe {
    id: "F3",
    name: "octets",
    sends: "a message, one byte a segment; where messages end with a delimiter also 64 KiB and \
            256 KiB in small pieces",
    right: "one reply; four times the bytes take about four times as long",
    bug: "after each read the whole buffer is searched or copied again, so time grows with the \
          square of the size",
    cure: "remember how far has been searched; append to a buffer that grows by doubling",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    octets(patient).map_err(|found| found.because(ONE_READ))?;
    let is_delimited = patient.is_delimited(&patient.request()?);
    let long = patient.max.map_or(LONG_BYTES as u64, |max| max.min(LONG_BYTES as u64));
    let long = usize::try_from(long).unwrap_or(LONG_BYTES);
    if !is_delimited || !patient.is_echo() || long < LONG_BYTES / TIMES {
        return Ok(());
    }
    grows(patient, long)
}

fn octets(patient: &Patient) -> Asked {
    let request = patient.request()?;
    let count = u32::try_from(request.bytes.len()).unwrap_or(u32::MAX).max(1);
    let gap = patient.times.gap.min(OCTETS_MAX / count);
    let mut link = patient.link()?;
    for byte in &request.bytes {
        link.give(&[*byte])?;
        link.pause(gap)?;
    }
    link.hear_answer(&request)
}

fn grows(patient: &Patient, long: usize) -> Asked {
    let short = long / TIMES;
    let (mut slow, mut not_slow) = (Vec::new(), 0);
    while slow.len() < LOOKS {
        let Some(of_short) = paced(patient, short)? else {
            return Err(Finding::inconclusive(format!(
                "one byte a segment is right; a message of {short} bytes is refused, so times \
                 cannot be compared"
            )));
        };
        // It may have a limit between the two.
        let Some(of_long) = paced(patient, long)? else { return Ok(()) };
        match of_long.is_slow(&of_short) {
            true => slow.push(format!("{of_short}; {of_long}")),
            false => not_slow += 1,
        }
        if not_slow == LOOKS {
            return Ok(());
        }
    }
    let seen = slow.pop().unwrap_or_default();
    let sent = format!("{short} bytes, and {long} bytes, {PIECE_BYTES} a segment");
    Err(Finding { sent, ..Finding::failed(seen) })
}

/// How long a message took.
struct Took {
    bytes: usize,
    all: Duration,
    /// From its last byte to the reply.
    after: Duration,
}

impl Took {
    /// More than what is linear takes, beside a shorter one.
    fn is_slow(&self, short: &Took) -> bool {
        let is_slow = |long: Duration, short: Duration| long > short.max(SOON) * RATIO_MAX;
        is_slow(self.after, short.after) || is_slow(self.all, short.all)
    }
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, after) = (told(self.all), told(self.after));
        write!(f, "{} bytes took {all}, {after} of it after the last one", self.bytes)
    }
}

/// A message of so many bytes in small pieces; `None` when it is refused.
fn paced(patient: &Patient, bytes: usize) -> Result<Option<Took>, Finding> {
    let request = patient.sized_request(bytes)?;
    let mut link = patient.link()?;
    link.note(format!("{bytes} bytes, {PIECE_BYTES} a segment"));
    let began = deadline::now();
    for piece in request.bytes.chunks(PIECE_BYTES) {
        match link.send_quietly(piece, PATIENCE)? {
            Went::All => link.pause(PACE)?,
            Went::Refused(..) => return Ok(None),
            Went::Stuck(_) => {
                return Err(link.failed(format_args!("it reads nothing for {}", told(PATIENCE))));
            }
        }
    }
    let sent = deadline::now();
    let heard = link.hear_within(PATIENCE)?;
    let now = deadline::now();
    match heard {
        Heard::Message(reply) if request.is_answered_by(&reply) => {
            let since = |then: Instant| now.saturating_duration_since(then);
            Ok(Some(Took { bytes, all: since(began), after: since(sent) }))
        }
        Heard::Message(reply) if !is_echoed(&reply, &request.bytes) => Ok(None),
        Heard::End(..) => Ok(None),
        heard => Err(link.failed(heard)),
    }
}
