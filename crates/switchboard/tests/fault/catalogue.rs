//! The whole catalogue at `msg:2`: what each fault lets through of three messages, and when.
//!
//! It acts before the message that is named is passed, whichever it is.

use crate::help::*;
use std::collections::BTreeSet;
use switchboard::transport::fault::{Fault, Plan};

/// Every fault that takes `msg:`, and all that goes out of three netstrings under it, each in one
/// piece without it. What is decided by chance is `?`.
const AT_THE_SECOND: [(&str, &str); 25] = [
    ("split(every=3, gap=1s)", "0 1:a,|0 2:b|1000 b,|2000 1:c,"),
    ("split(at=1, gap=1s)", "0 1:a,|0 2|1000 :bb,|2000 1:c,"),
    ("split(field, gap=1s)", "0 1:a,|0 2|1000 :b|2000 b,|3000 1:c,"),
    ("coalesce(n=2)", "0 1:a,|0 2:bb,|0 1:c,"),
    ("glue(1.5)", "0 1:a,|0 2:bb,|20 1:c,"),
    ("delay(1s)", "0 1:a,|1000 2:bb,1:c,"),
    ("stall(1s)", "0 1:a,|1000 2:bb,1:c,"),
    ("drip(1)", "0 1:a,|0 2|1000 :|2000 b|3000 b|4000 ,|4000 1:c,"),
    ("rate(8, burst=1)", "0 1:a,|0 2|1000 :|2000 b|3000 b|4000 ,|4000 1:c,"),
    ("reset", "0 1:a,|0 rst"),
    ("fin", "0 1:a,|0 fin|0 s2c fin"),
    ("half-close", "0 1:a,|0 fin"),
    ("blackhole", "0 1:a,"),
    ("deaf", "0 1:a,"),
    ("dead", "0 1:a,"),
    ("flip(8)", "0 1:a,|0 ?|0 1:c,"),
    ("truncate(1)", "0 1:a,|0 2:bb|0 1:c,"),
    ("length(+1)", "0 1:a,|0 3:bb,|0 1:c,"),
    ("garbage(1)", "0 1:a,|0 ?|0 1:c,"),
    ("delimiter-inject", "0 1:a,|0 2:b,b,|0 1:c,"),
    ("drop", "0 1:a,|0 1:c,"),
    ("dup(1)", "0 1:a,|0 2:bb,2:bb,|0 1:c,"),
    ("reorder(2)", "0 1:a,|0 1:c,|50 2:bb,"),
    ("inject(\"FILE\")", "0 1:a,|0 1:!,2:bb,|0 1:c,"),
    ("replace(\"FILE\")", "0 1:a,|0 1:!,|0 1:c,"),
];

/// Those that do not: they are about connections, about ends, or about all.
const WITHOUT_MESSAGES: [&str; 10] = [
    "slow-accept(1s)",
    "slow-close(1s)",
    "swallow-fin",
    "rst-for-fin",
    "heal(1s)",
    "refuse",
    "accept-then-close",
    "limit-bytes(7)",
    "limit-conns(1)",
    "flap(1s, 1s)",
];

#[test]
fn what_is_at_a_message_acts_before_it_is_passed() {
    let file = std::env::temp_dir().join(format!("switchboard-second-{}", std::process::id()));
    std::fs::write(&file, "!").unwrap();
    let run = |fault: &str| {
        let fault = fault.replace("FILE", &file.display().to_string());
        let mut world = World::new("netstring", &[&format!("{fault}@c2s msg:2")]);
        for message in ["1:a,", "2:bb,", "1:c,"] {
            // What has stopped reading is given no more.
            if world.link.reads(CLIENT) {
                world.client(message);
            }
        }
        world.run();
        world.out.join("|").replace(" c2s ", " ")
    };
    let wrong: Vec<String> = AT_THE_SECOND
        .iter()
        .map(|(fault, expected)| (fault, expected, run(fault)))
        .filter(|(_, expected, got)| !is_like(got, expected))
        .map(|(fault, expected, got)| format!("{fault}: {got}, and not {expected}"))
        .collect();
    std::fs::remove_file(&file).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_like(got: &str, expected: &str) -> bool {
    let (got, expected): (Vec<_>, Vec<_>) =
        (got.split('|').collect(), expected.split('|').collect());
    let same = |(got, expected): (&&str, &&str)| got == expected || *expected == "0 ?";
    got.len() == expected.len() && got.iter().zip(&expected).all(same)
}

#[test]
fn all_others_refuse_a_message() {
    for fault in WITHOUT_MESSAGES {
        let fault: Fault = format!("{fault} msg:2").parse().unwrap();
        let told = Plan::new([fault.clone()], protocol("lines").as_ref()).unwrap_err().to_string();
        assert!(told.ends_with("msg:2 does not go with it"), "{fault}: {told}");
    }
}

#[test]
fn none_is_missing() {
    let told = "?".parse::<Fault>().unwrap_err().to_string();
    let all: BTreeSet<&str> = told.split_once("belongs here: ").unwrap().1.split(", ").collect();
    let tried = AT_THE_SECOND.iter().map(|(fault, _)| fault).chain(&WITHOUT_MESSAGES);
    let tried: BTreeSet<&str> = tried.map(|fault| fault.split('(').next().unwrap()).collect();
    assert_eq!(tried, all);
}
