//! Sides that say nothing more, and do not say so.

use crate::help::*;
use switchboard::transport::fault::Over;

#[test]
fn blackhole_reads_and_drops() {
    let mut world = World::new("lines", &["blackhole@c2s msg:2"]);
    world.client("a\nb\n").client("c\n").server("x\n").takes(&["0 c2s a\\n", "0 s2c x\\n"]);
    world.tells(&["c2s 2 @2: drops what comes"]);
    // The end is dropped too.
    world.end(CLIENT).takes(&[]);
    assert_eq!(world.link.over(), None);
}

#[test]
fn a_reset_does_not_come_out_of_a_blackhole() {
    let mut world = World::new("", &["blackhole@c2s"]);
    world.client("a");
    world.link.broken(CLIENT, world.now);
    world.run().takes(&[]);
    assert_eq!(world.link.over(), None);
    world.server("into nothing").end(SERVER).takes(&[]);
    assert_eq!(world.link.over(), Some(Over::Closed));
}

#[test]
fn a_blackhole_heals_with_the_next_message() {
    let mut world = World::new("lines", &["blackhole@c2s msg:2", "heal(5s)"]);
    world.client("a\nb\n").at(4_999).client("cc").at(5_001).client("c\nd\n");
    world.takes(&["0 c2s a\\n", "5001 c2s d\\n"]);
    world.tells(&["c2s 2 @2: drops what comes", "c2s 3 @6: the next message passes"]);
}

#[test]
fn deaf_is_not_read_and_loses_nothing() {
    let mut world = World::new("lines", &["deaf@c2s msg:2+1B", "heal(5s)@c2s"]);
    world.client("a\nbc\nd\n").takes(&["0 c2s a\\nb"]);
    assert!(!world.link.reads(CLIENT));
    world.server("x\n").takes(&["0 s2c x\\n"]);
    world.run().takes(&["5000 c2s c\\nd\\n"]);
    assert!(world.link.reads(CLIENT));
    world.tells(&["c2s 2 @3: stops reading", "c2s - @7: passes again"]);
}

#[test]
fn dead_is_for_the_sockets_to_do() {
    let mut world = World::new("lines", &["dead@s2c msg:1", "heal(2s)"]);
    world.server("a\n");
    assert!(world.link.is_dead(SERVER) && !world.link.is_dead(CLIENT));
    world.run();
    assert!(!world.link.is_dead(SERVER));
}

#[test]
fn a_silence_has_an_end() {
    let mut world = World::new("", &["blackhole"]);
    world.end(CLIENT).end(SERVER).run();
    assert_eq!(world.link.over(), None);
    world.at(600_000).takes(&["600000 rst"]);
}
