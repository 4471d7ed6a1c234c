//! B2: a client beside another one that reads nothing.

use std::time::Duration;

use super::super::canary::{Canary, Took};
use super::super::causes::Cause;
use super::super::flood::Flood;
use super::super::link::told;
use super::super::patient::{ONE_AT_A_TIME, Patient, Times};
use super::super::probe::{Asked, Finding, How, Probe};

/// An answer may take so many times what it takes without that client.
const SLOWER: u32 = 3;
/// Below these, slowness is noise: of most answers, and of the slowest.
const USUAL_MIN: Duration = Duration::from_millis(20);
const SLOWEST_MIN: Duration = Duration::from_millis(500);

/// So often they have to be slow: what was taken before may be answered all at once, and machines
/// have hiccups.
const LOOKS: usize = 2;

pub(super) static PROBE: Probe = Probe {
    id: "B2",
    name: "head of line",
    sends: "requests without reading the replies, as in B1, and exchanges over another connection",
    right: "the others are served as fast as ever, or nearly: it takes at most three times as long",
    bug: "a write waits for one client, and with it everyone whom the same loop serves",
    cure: "write without waiting, and keep what is not taken for when the socket is writable",
    intrusive: true,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    if !patient.serves_side_by_side() {
        return Err(Finding::skipped(ONE_AT_A_TIME));
    }
    let mut canary = Canary::new(patient)?;
    let mut flood = Flood::open(patient)?;
    flood.fill_up()?;
    let blamed = |flood: &Flood<'_>, finding: Finding| {
        flood.link.failed(format_args!("to another client: {}", finding.came))
    };
    // Not counted: it may have to wait until what was taken has been answered.
    canary.exchange().map_err(|finding| blamed(&flood, finding))?;
    let mut slow = String::new();
    for _ in 0..LOOKS {
        let (paused, seen) = canary.beside(|| flood.link.pause(patient.times.patience));
        paused?;
        if let Some(finding) = seen.lost {
            return Err(blamed(&flood, finding));
        }
        match slowness(&seen.took, patient.times) {
            Some(again) => slow = again,
            None => return Ok(()),
        }
    }
    Err(flood.link.failed(slow).as_weak().because(TURNS))
}

const TURNS: Cause = Cause {
    bug: "while one client keeps the server busy or waiting the others get a turn too seldom",
    cure: "write without waiting, and do no more for one client in its turn than a bounded amount",
};

/// What there is to say of answers that took so long.
fn slowness(took: &Took, times: Times) -> Option<String> {
    let (median, slowest) = (took.median(), took.slowest());
    let is_slow = median > USUAL_MIN.max(times.usual * SLOWER)
        || slowest > SLOWEST_MIN.max(times.slowest * SLOWER);
    is_slow.then(|| {
        format!(
            "to another client: replies in {}, the slowest in {}; by itself it takes {}",
            told(median),
            told(slowest),
            told(times.usual)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noise_is_not_slow_and_three_times_as_long_is() {
        let ms = Duration::from_millis;
        let slow = |usual, each: &[u64]| {
            let times =
                Times { gap: ms(0), patience: ms(1000), usual: ms(usual), slowest: ms(usual) };
            slowness(&Took::of(each.iter().copied().map(ms).collect()), times)
        };
        assert_eq!(slow(1, &[1, 2, 1, 400]), None);
        assert_eq!(slow(100, &[300, 300, 300]), None);
        assert_eq!(slow(300, &[1, 1, 800]), None);
        let told = slow(1, &[25, 1, 25]).unwrap_or_default();
        assert_eq!(
            told,
            "to another client: replies in 25 ms, the slowest in 25 ms; by itself it takes 1 ms"
        );
        assert!(slow(100, &[1, 301, 301]).is_some());
        assert!(slow(1, &[1, 1, 501]).is_some());
    }
}
