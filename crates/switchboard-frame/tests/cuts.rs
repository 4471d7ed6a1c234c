//! However a stream is cut, the messages, the discarded frames and the ending are the same.

#![allow(clippy::unwrap_used, reason = "tests say what went wrong by failing")]

mod harness;
mod vectors;

use switchboard_frame::{Decoder, Framing};

use harness::{Outcome, decode, decode_as_asked, decode_cut, framing};

/// A small generator of numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// One framing and one stream, cut in every way that is asked for.
struct Check<'s> {
    spec: &'s str,
    framing: Framing,
    stream: &'s [u8],
    expected: Outcome,
}

impl<'s> Check<'s> {
    fn new(spec: &'s str, stream: &'s [u8]) -> Check<'s> {
        let framing = framing(spec);
        let expected = decode(&mut Decoder::new(&framing), stream);
        let check = Check { spec, framing, expected, stream };
        let expected = check.normal(check.expected.clone());
        Check { expected, ..check }
    }

    /// `raw` gives bytes as they come, so there only their concatenation can be compared.
    fn normal(&self, outcome: Outcome) -> Outcome {
        if self.spec.contains("raw") { outcome.joined() } else { outcome }
    }

    fn cut(&self, cuts: &[usize]) {
        for end_with_last in [true, false] {
            for new in [Decoder::new, Decoder::interpreted] {
                let mut decoder = new(&self.framing);
                let outcome = decode_cut(&mut decoder, self.stream, cuts, end_with_last);
                self.same(&self.normal(outcome), &format!("cut at {cuts:?}"));
            }
        }
    }

    fn as_asked(&self) {
        let exact = !self.spec.contains("type{");
        for new in [Decoder::new, Decoder::interpreted] {
            let outcome = decode_as_asked(&mut new(&self.framing), self.stream, exact);
            self.same(&self.normal(outcome), "fed what was asked for");
        }
    }

    fn same(&self, outcome: &Outcome, how: &str) {
        let (spec, stream) = (self.spec, self.stream.escape_ascii());
        assert_eq!(*outcome, self.expected, "{spec}\n{stream}\n{how}");
    }

    fn every_byte(&self) {
        self.cut(&(1..self.stream.len()).collect::<Vec<_>>());
    }

    fn one_cut(&self) {
        (0..=self.stream.len()).for_each(|cut| self.cut(&[cut]));
    }

    fn two_cuts(&self) {
        for first in 0..self.stream.len() {
            for second in first..self.stream.len() {
                self.cut(&[first, second]);
            }
        }
    }

    fn random_cuts(&self, times: usize, random: &mut Random) {
        for _ in 0..times {
            let count = random.below(self.stream.len().min(9));
            let mut cuts: Vec<_> = (0..count).map(|_| random.below(self.stream.len())).collect();
            cuts.sort_unstable();
            self.cut(&cuts);
        }
    }
}

/// Runs `check` on every row and tells all that go wrong at once.
fn each_row(check: impl Fn(&Check<'_>) + std::panic::RefUnwindSafe) {
    let mut wrong = Vec::new();
    for (spec, stream, _) in vectors::rows() {
        if std::panic::catch_unwind(|| check(&Check::new(spec, stream))).is_err() {
            wrong.push(format!("{spec}  {}", stream.escape_ascii()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_byte_at_a_time() {
    each_row(|check| check.every_byte());
}

#[test]
fn as_many_bytes_as_asked_for() {
    each_row(|check| check.as_asked());
}

#[test]
fn one_cut_anywhere() {
    each_row(|check| check.one_cut());
}

#[test]
fn two_cuts_anywhere() {
    each_row(|check| {
        if check.stream.len() <= 24 {
            check.two_cuts();
        }
    });
}

/// Streams of many frames: what a row begins with, again and again, up to the row's own end.
#[test]
fn long_streams_cut_at_random() {
    let mut random = Random(0x5eed_0123_4567_89ab);
    for (spec, stream, _) in vectors::rows() {
        let mut long = Vec::new();
        while long.len() < 2000 && !stream.is_empty() {
            long.extend_from_slice(stream);
        }
        let check = Check::new(spec, &long);
        if !long.is_empty() {
            check.random_cuts(6, &mut random);
            check.as_asked();
        }
    }
}

/// Rows with bytes changed go wrong in more ways than a person writes down.
#[test]
fn changed_rows_cut_at_random() {
    let mut random = Random(0x0bad_5eed_0bad_5eed);
    for (spec, stream, _) in vectors::rows() {
        for _ in 0..12 {
            let mut changed = stream.repeat(2);
            for _ in 0..1 + random.below(3) {
                if changed.is_empty() {
                    break;
                }
                let at = random.below(changed.len());
                match random.below(3) {
                    0 => changed[at] ^= 1 << random.below(8),
                    1 => drop(changed.remove(at)),
                    _ => changed.insert(at, stream[random.below(stream.len())]),
                }
            }
            if changed.is_empty() {
                continue;
            }
            let check = Check::new(spec, &changed);
            check.every_byte();
            check.as_asked();
            check.random_cuts(3, &mut random);
        }
    }
}
