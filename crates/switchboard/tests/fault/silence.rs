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
    // To close would be to tell the server the end that it is kept from.
    assert_eq!(world.link.over(), None);
    world.link.gone(SERVER);
    assert_eq!(world.link.over(), Some(Over::Reset));
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
    world.tells(&["c2s 2 @3: stops reading", "c2s 2 @3: passes again"]);
}

/// Nothing passes in its direction once it acts: no end, no reset, and no closed socket.
#[test]
fn a_blackhole_keeps_the_end_too() {
    let kept = |faults: &[&str]| {
        let mut world = World::new("lines", faults);
        // The client has said all and waits; the server answers, and closes.
        world.client("a\n").end(CLIENT).server("x\n").end(SERVER);
        world.takes(&["0 c2s a\\n", "0 c2s fin"]);
        world.at(599_999).takes(&[]);
        assert_eq!(world.link.over(), None, "{faults:?}");
        world.at(600_000).takes(&["600000 rst"]);
    };
    kept(&["blackhole@s2c"]);
    kept(&["blackhole@s2c msg:1"]);
    kept(&["dead@s2c msg:1"]);
    let mut world = World::new("lines", &["swallow-fin@s2c"]);
    world.client("a\n").end(CLIENT).server("x\n").end(SERVER).at(599_999);
    world.takes(&["0 c2s a\\n", "0 c2s fin", "0 s2c x\\n"]);
    assert_eq!(world.link.over(), None);
}

#[test]
fn a_server_that_is_gone_behind_a_blackhole_is_written_to() {
    let mut world = World::new("lines", &["blackhole@s2c"]);
    world.end(SERVER);
    // It takes nothing more, and the client is not to see that.
    world.link.untaken(CLIENT, world.now);
    world.client("a\n").client("b\n").takes(&[]);
    assert_eq!(world.link.over(), None);
    // Both are gone.
    world.link.broken(CLIENT, world.now);
    assert_eq!(world.link.over(), Some(Over::Closed));
}

#[test]
fn a_silence_is_as_long_as_it_is_told() {
    let mut world = World::new("", &["blackhole"]);
    world.link = world.link.with_silence_max(std::time::Duration::from_secs(5));
    world.run().takes(&["5000 rst"]);
}

#[test]
fn dead_is_for_the_sockets_to_do() {
    let mut world = World::new("lines", &["dead@s2c msg:2", "heal(2s)"]);
    world.server("a\nb\n").end(SERVER);
    assert!(world.link.is_dead(SERVER) && !world.link.is_dead(CLIENT));
    assert!(!world.link.reads(SERVER));
    // What was read already is not lost.
    world.takes(&["0 s2c a\\n"]).run().takes(&["2000 s2c b\\n", "2000 s2c fin"]);
    assert!(!world.link.is_dead(SERVER));
}

#[test]
fn a_silence_has_an_end() {
    let mut world = World::new("", &["blackhole"]);
    world.end(CLIENT).end(SERVER).run();
    assert_eq!(world.link.over(), None);
    world.at(600_000).takes(&["600000 rst"]);
}
