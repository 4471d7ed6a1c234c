//! When a fault happens.

use crate::help::*;

/// The messages, of ten that are the digits, that `drop` with these triggers leaves out.
fn dropped(triggers: &str) -> String {
    let mut world = World::new("fixed:1", &[&format!("drop@c2s {triggers}")]);
    world.client("0123456789");
    let passed = world.bytes("c2s");
    "0123456789".chars().filter(|digit| !passed.contains(*digit)).collect()
}

#[test]
fn each_picks_messages() {
    for (triggers, expected) in [
        ("", "0123456789"),
        ("msg:7", "6"),
        ("byte:3", "3"),
        ("first:2", "01"),
        ("every:4", "37"),
        ("every:2 first:2", "13"),
        ("match:/5/", "5"),
        ("conn:1", "0123456789"),
        ("conn:2", ""),
        ("after:1s", ""),
        ("p:1", "0123456789"),
        ("p:1 every:3", "258"),
    ] {
        assert_eq!(dropped(triggers), expected, "{triggers}");
    }
}

#[test]
fn chance_is_of_its_size_and_of_the_seed() {
    let run = |seed, conversation| {
        let mut world = World::of("fixed:1", &["drop@c2s p:0.25"], seed, conversation);
        for _ in 0..10 {
            world.write(CLIENT, &[b'x'; 1000]);
        }
        (world.records.len(), world.records)
    };
    let (count, records) = run(7, 1);
    assert!((2300..2700).contains(&count), "{count}");
    assert_eq!(run(7, 1).1, records);
    assert_ne!(run(8, 1).1, records);
    assert_ne!(run(7, 2).1, records);
}

#[test]
fn without_a_framing_chance_is_of_each_byte() {
    let mut world = World::new("", &["flip@c2s p:0.01"]);
    for _ in 0..10 {
        world.write(CLIENT, &[0; 10_000]);
    }
    assert!((850..1150).contains(&world.records.len()), "{}", world.records.len());
}

#[test]
fn a_place_that_a_message_does_not_reach_is_in_no_other() {
    World::new("lines", &["reset@c2s msg:1+5B"])
        .client("a\nbcdefghi\n")
        .takes(&["0 c2s a\\nbcdefghi\\n"])
        .tells(&[]);
}

#[test]
fn after_is_of_the_conversation() {
    let mut world = World::new("lines", &["drop@c2s after:1s"]);
    world.client("a\n").at(999).client("b\n").at(1000).client("c\n");
    world.takes(&["0 c2s a\\n", "999 c2s b\\n"]);
}

#[test]
fn directions_are_counted_each_for_itself() {
    let mut world = World::new("lines", &["drop msg:2"]);
    world.client("a\nb\n").server("x\ny\nz\n");
    world.takes(&["0 c2s a\\n", "0 s2c x\\nz\\n"]);
    world.tells(&["c2s 2 @2: left out 2 bytes", "s2c 2 @2: left out 2 bytes"]);
}

#[test]
fn a_byte_is_counted_from_the_first_of_its_direction() {
    World::new("lines", &["reset@c2s byte:4"])
        .client("ab")
        .client("cdef")
        .takes(&["0 c2s ab", "0 c2s cd", "0 rst"])
        .tells(&["c2s 1 @4: resets both sides"]);
}

#[test]
fn a_span_begins_with_the_message_behind_the_byte() {
    World::new("lines", &["delay(5ms)@c2s byte:3"])
        .client("abc\nd\n")
        .run()
        .takes(&["0 c2s abc\\n", "5 c2s d\\n"]);
}

#[test]
fn a_new_plan_is_for_the_messages_from_then_on() {
    let mut world = World::new("lines", &["delay(1s)@c2s"]);
    world.client("a\nb");
    let next = plan("lines", &["drop@c2s first:1"]);
    world.link.set_plan(&next, world.began, world.now);
    // The one under way is finished as it was begun.
    world.client("b\nc\nd\n").run();
    world.takes(&["1000 c2s a\\nbb\\nd\\n"]);
    // And back to none, from one that held messages.
    world.client("e");
    world.link.set_plan(&plan("lines", &[]), world.began, world.now);
    world.client("e\nf\n").takes(&["1000 c2s ee\\nf\\n"]);
}

#[test]
fn a_new_plan_ends_a_silence() {
    let mut world = World::new("lines", &["deaf@c2s msg:1"]);
    world.client("a\n").takes(&[]);
    world.link.set_plan(&plan("lines", &[]), world.began, world.now);
    world.client("b\n").takes(&["0 c2s a\\nb\\n"]);
}
