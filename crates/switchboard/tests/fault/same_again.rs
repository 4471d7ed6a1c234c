//! The same seed and the same traffic have the same faults, byte for byte, however the traffic is
//! cut on its way: over all faults, triggers, directions and kinds of framings.

use crate::help::*;
use proptest::prelude::*;
use std::sync::LazyLock;
use std::time::Duration;
use switchboard::deadline;
use switchboard::transport::fault::{Door, Fault, Over, Plan, Record};

/// Every fault, with what else is to be said of it. What waits for others does so for longer than
/// the traffic takes: how many come in a time is the traffic's, not the seed's.
const FAULTS: [&str; 40] = [
    "split(every=3)",
    "split(at=2)",
    "split(field)",
    "coalesce(n=2)",
    "coalesce(bytes=9)",
    "glue(1.5)",
    "delay(10ms)",
    "delay(10ms, jitter=9ms)",
    "stall(7ms)",
    "drip(1000)",
    "rate(8000, burst=3)",
    "slow-accept(1s)",
    "reset",
    "fin",
    "half-close",
    "slow-close(1s)",
    "swallow-fin",
    "rst-for-fin",
    "blackhole",
    "deaf",
    "dead",
    "heal(5s)",
    "flip",
    "flip(5)",
    "truncate",
    "truncate(3)",
    "length(+1)",
    "length(-2)",
    "length(max)",
    "garbage(4)",
    "delimiter-inject",
    "drop",
    "dup(2)",
    "reorder(3, within=8760h)",
    "inject(\"FILE\")",
    "replace(\"FILE\")",
    "refuse",
    "accept-then-close(1s)",
    "limit-bytes(40)",
    "flap(200s, 1s)",
];

const TRIGGERS: [&str; 18] = [
    "",
    "",
    "msg:1",
    "msg:3",
    "msg:2+2B",
    "byte:0",
    "byte:17",
    "every:2",
    "every:3 first:2",
    "first:1",
    "p:0.5",
    "p:0.2",
    "match:/a/",
    "match:/b/ every:2",
    "p:0.7 every:2 first:3",
    "conn:1",
    "conn:2",
    "byte:5 p:0.9",
];

const FRAMINGS: [&str; 9] = [
    "",
    "raw",
    "lines",
    "netstring",
    "u8",
    "u16be",
    "fixed:3",
    r#"type{"a": 2, *: u8}"#,
    "delim:\"--\"",
];

/// A message that is one in all of these framings.
static FILE: LazyLock<String> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("switchboard-same-{}", std::process::id()));
    std::fs::write(&path, "abc").unwrap();
    path.display().to_string()
});

/// Of these faults those that go together over the framing.
fn accepted(framing: &str, faults: &[(&str, &str, &str)]) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for (fault, direction, triggers) in faults {
        let fault = fault.replace("FILE", &FILE);
        list.push(format!("{fault}{direction} {triggers}").trim_end().to_owned());
        let parsed = list.iter().map(|text| text.parse::<Fault>().unwrap());
        if Plan::new(parsed, protocol(framing).as_ref()).is_err() {
            list.pop();
        }
    }
    list
}

fn faults() -> impl Strategy<Value = Vec<(&'static str, &'static str, &'static str)>> {
    let one = (
        prop::sample::select(&FAULTS[..]),
        prop::sample::select(&["", "@c2s", "@s2c"][..]),
        prop::sample::select(&TRIGGERS[..]),
    );
    prop::collection::vec(one, 1..7)
}

/// Bytes that are messages, and some that are not.
fn traffic(framing: &str, messages: &[String]) -> Vec<u8> {
    let frame = |message: &String| match framing {
        "netstring" => format!("{}:{message},", message.len()),
        "u8" => format!("{}{message}", char::from(u8::try_from(message.len()).unwrap())),
        "u16be" => format!("\0{}{message}", char::from(u8::try_from(message.len()).unwrap())),
        "fixed:3" => format!("{message:.3}"),
        "lines" => format!("{message}\n"),
        "delim:\"--\"" => format!("{message}--"),
        _ => message.clone(),
    };
    messages.iter().map(frame).collect::<String>().into_bytes()
}

/// All that both sides write, one after the other, and what came of it: for each direction what it
/// was told and what it got, and how it was over.
fn run(framing: &str, faults: &[String], seed: u64, sides: [&[&[u8]]; 2]) -> Outcome {
    let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
    let mut world = World::of(framing, &faults, seed, 1);
    // Silences end by what was said, not by how long all of it takes.
    world.link = world.link.with_silence_max(Duration::from_secs(1 << 40));
    // What is at the beginning of either comes before the traffic of both.
    world.at(0);
    for (writer, pieces) in [CLIENT, SERVER].into_iter().zip(sides) {
        for piece in pieces {
            if !world.link.reads(writer) {
                later(&mut world);
            }
            if !world.link.reads(writer) {
                // It is not read any more.
                break;
            }
            world.write(writer, piece);
        }
        world.end(writer);
        // What one direction comes to is not to be cut off at some time by the other.
        later(&mut world);
    }
    let injections = world.records.iter().map(|record| match record {
        Record::Injection(it) => {
            let it = (it.writer, &it.fault, it.message, it.offset, &it.done);
            format!("{it:?}")
        }
        other => told(std::slice::from_ref(other)).join(""),
    });
    let of = |direction: &str| {
        let is_end = |line: &&String| line.ends_with(&format!(" {direction} fin"));
        (world.bytes(direction), world.out.iter().filter(is_end).count())
    };
    let mut injections: Vec<String> = injections.collect();
    // Those of one direction are in their order; which of both was first is a matter of time.
    injections.sort_by_key(|it| it.starts_with("(Some(Server)") || it.starts_with("s2c "));
    Outcome { injections, got: [of("c2s"), of("s2c")], over: world.link.over() }
}

/// Long enough for all that only takes time.
fn later(world: &mut World) {
    let passed = u64::try_from((world.now - world.began).as_millis()).unwrap();
    world.at(passed + 1_000_000);
}

#[derive(Debug, PartialEq)]
struct Outcome {
    injections: Vec<String>,
    got: [(String, usize); 2],
    over: Option<Over>,
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut pieces: Vec<&[u8]> = Vec::new();
    for cut in cuts.iter().cycle().take(bytes.len()) {
        let (piece, behind) = rest.split_at((*cut).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn messages() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-f]{0,12}", 0..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(1000)))]

    #[test]
    fn cuts_on_the_way_decide_nothing(
        framing in prop::sample::select(&FRAMINGS[..]),
        faults in faults(),
        client in messages(),
        server in messages(),
        noise in prop::collection::vec(any::<u8>(), 0..12),
        cuts in [prop::collection::vec(1_usize..9, 1..8), prop::collection::vec(1_usize..9, 1..8)],
        seed in any::<u64>(),
    ) {
        let faults = accepted(framing, &faults);
        let mut client = traffic(framing, &client);
        let server = traffic(framing, &server);
        // What is no message any more, too.
        client.extend(noise);
        let run = |cuts: [&[usize]; 2]| {
            let sides = [&cut(&client, cuts[0])[..], &cut(&server, cuts[1])];
            run(framing, &faults, seed, sides)
        };
        let whole = run([&[usize::MAX], &[usize::MAX]]);
        prop_assert_eq!(&whole, &run([&cuts[0], &cuts[1]]), "{} {:?}", framing, faults);
        prop_assert_eq!(&whole, &run([&[1], &[1]]), "{} {:?}", framing, faults);
    }
}

#[test]
fn who_is_let_in_is_decided_by_the_seed() {
    let admitted = |seed| {
        let faults =
            ["refuse p:0.3", "accept-then-close(1s) p:0.5 first:9", "slow-accept(1s) p:0.2"];
        let faults = faults.map(|fault| fault.parse::<Fault>().unwrap());
        let plan = Plan::new(faults, None).unwrap();
        let now = deadline::now();
        let (mut door, mut records) = (Door::new(&plan, seed, now), Vec::new());
        let all: Vec<_> = (1..=100).map(|n| door.admit(n, 0, now, &mut records)).collect();
        (all, records)
    };
    assert_eq!(admitted(7), admitted(7));
    assert_ne!(admitted(7), admitted(8));
}
