//! What holds for every stream and every cut.

use crate::help::*;
use proptest::prelude::*;
use switchboard::frame::Role;
use switchboard::transport::fault::Fault;

/// Faults that may only cut and delay.
const TIMED: [&str; 9] = [
    "split(every=3) every:2",
    "split(at=2) p:0.5",
    "split(field)",
    "coalesce(n=3) p:0.5",
    "coalesce(bytes=64, within=5ms) every:3",
    "glue(1.5)",
    "delay(10ms, jitter=10ms) p:0.5",
    "rate(80000, burst=10) every:2",
    "stall(30ms) p:0.2",
];

fn faults(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(of, 0..=of.len())
}

/// Messages of lines or of netstrings on the wire, one after the other.
fn stream(framing: &str, messages: &[String]) -> Vec<u8> {
    let frame = |message: &String| match framing {
        "netstring" => format!("{}:{message},", message.len()),
        _ => format!("{message}\n"),
    };
    messages.iter().map(frame).collect::<String>().into_bytes()
}

/// Cuts a stream at these places, which may be more than it has.
fn pieces<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, rest) = bytes.split_at((*cut).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn run(framing: &str, faults: &[&str], seed: u64, pieces: &[&[u8]], pause: u64) -> World {
    let mut world = World::of(framing, faults, seed, 1);
    for (n, piece) in (1..).zip(pieces) {
        world.link.received(Role::Client, piece, world.now);
        world.at(n * pause);
    }
    world.end(Role::Client);
    world.run();
    world
}

fn messages() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-f]{0,12}", 0..20)
}

proptest! {
    /// No text is the end of the reader, and what it took it says again.
    #[test]
    fn whatever_is_written_is_read_or_refused(
        text in prop_oneof![
            any::<String>(),
            "(split|delay|flap|glue|drop|rate)(\\([a-z=0-9.,\" é]{0,12}\\)?)?\
             (@[a-z0-9]{0,4})?( [a-z]{1,6}:[0-9/+a-zB.é]{0,6}){0,2}",
        ],
    ) {
        if let Ok(fault) = text.parse::<Fault>() {
            let shown = fault.to_string();
            prop_assert_eq!(shown.parse::<Fault>().map(|again| again.to_string()), Ok(shown));
        }
    }

    /// Segmentation and time neither invent, lose nor reorder a byte.
    #[test]
    fn what_is_cut_and_delayed_is_all_there(
        messages in messages(),
        faults in faults(&TIMED),
        framing in prop::sample::select(vec!["lines", "netstring"]),
        cuts in prop::collection::vec(0_usize..20, 0..20),
        seed in any::<u64>(),
        pause in 0_u64..20,
    ) {
        let bytes = stream(framing, &messages);
        let world = run(framing, &faults, seed, &pieces(&bytes, &cuts), pause);
        prop_assert_eq!(world.bytes("c2s"), bytes.escape_ascii().to_string());
        prop_assert_eq!(world.out.last().map(|line| line.ends_with(" c2s fin")), Some(true));
    }

    /// What happens is decided by the bytes and the seed, not by how the bytes were cut.
    #[test]
    fn cuts_on_the_way_decide_nothing_without_messages(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(0_usize..20, 0..20),
        seed in any::<u64>(),
    ) {
        let faults = ["flip p:0.05", "garbage(3) p:0.02", "split(every=7)", "reset byte:250"];
        let whole = run("", &faults, seed, &pieces(&bytes, &[]), 0);
        let cut = run("", &faults, seed, &pieces(&bytes, &cuts), 0);
        prop_assert_eq!(told(&whole.records), told(&cut.records));
        prop_assert_eq!(whole.bytes("c2s"), cut.bytes("c2s"));
    }
}
