//! How conversations end, with faults and without.

use crate::help::*;
use std::time::Duration;
use switchboard::transport::fault::Over;

#[test]
fn a_conversation_is_over_when_both_have_ended() {
    let mut world = World::new("lines", &[]);
    world.client("a\n").end(CLIENT);
    assert_eq!(world.link.over(), None);
    world.server("b\n").end(SERVER);
    assert_eq!(world.link.over(), Some(Over::Closed));
    world.takes(&["0 c2s a\\n", "0 c2s fin", "0 s2c b\\n", "0 s2c fin"]);
}

#[test]
fn a_reset_comes_behind_what_came_before_it() {
    let mut world = World::new("lines", &["delay(1s)"]);
    world.client("a\n");
    world.link.broken(CLIENT, world.now);
    world.run().takes(&["1000 c2s a\\n", "1000 rst"]);
    assert_eq!(world.link.over(), Some(Over::Reset));
}

#[test]
fn reset_in_the_middle_of_a_message() {
    World::new("u16be", &["reset@c2s msg:2+3B"])
        .client("\0\x02ab\0\x02cd\0\x02ef")
        .takes(&["0 c2s \\x00\\x02ab\\x00\\x02c", "0 rst"])
        .tells(&["c2s 2 @7: resets both sides"]);
}

#[test]
fn reset_at_a_time_needs_no_traffic() {
    World::new("", &["reset@c2s after:5s"])
        .client("a")
        .run()
        .takes(&["0 c2s a", "5000 rst"])
        .tells(&["c2s - @1: resets both sides"]);
}

#[test]
fn reset_without_a_trigger_is_at_the_beginning() {
    World::new("lines", &["reset@s2c"]).run().takes(&["0 rst"]);
}

#[test]
fn fin_ends_both_directions_in_order() {
    let mut world = World::new("lines", &["fin@c2s msg:2"]);
    world.server("hello\n").client("a\nb\n").takes(&[
        "0 s2c hello\\n",
        "0 c2s a\\n",
        "0 c2s fin",
        "0 s2c fin",
    ]);
    // What still comes is read and dropped, for a while.
    world.client("c\n").server("late\n").takes(&[]);
    assert_eq!(world.link.over(), None);
    world.run();
    assert_eq!((world.link.over(), world.now - world.began), (Some(Over::Closed), two_seconds()));
}

#[test]
fn fin_of_the_server_reaches_both() {
    let mut world = World::new("lines", &["fin@s2c msg:1"]);
    world.server("a\n").takes(&["0 s2c fin"]);
    // The client's direction had its turn before: it is to have another one, at once.
    assert_eq!(world.link.deadline(world.now), Some(world.now));
    world.run().takes(&["0 c2s fin"]);
}

fn two_seconds() -> Duration {
    Duration::from_secs(2)
}

#[test]
fn half_close_leaves_the_other_direction() {
    let mut world = World::new("lines", &["half-close@c2s msg:2+1B"]);
    world.client("ab\ncd\n").client("ef\n").server("still\n");
    world.takes(&["0 c2s ab\\nc", "0 c2s fin", "0 s2c still\\n"]);
    world.end(SERVER).end(CLIENT).takes(&["0 s2c fin"]);
    assert_eq!(world.link.over(), Some(Over::Closed));
}

#[test]
fn limit_bytes_ends_both() {
    World::new("", &["limit-bytes(3)@c2s"])
        .client("abcdef")
        .takes(&["0 c2s abc", "0 c2s fin", "0 s2c fin"])
        .tells(&["c2s - @3: ends both directions"]);
}

#[test]
fn slow_close_tells_the_end_late() {
    World::new("", &["slow-close(3s)@c2s"])
        .client("a")
        .end(CLIENT)
        .run()
        .takes(&["0 c2s a", "3000 c2s fin"])
        .tells(&["c2s - @1: the end comes 3000 ms late"]);
}

#[test]
fn swallow_fin_never_tells_it() {
    let mut world = World::new("", &["swallow-fin@c2s"]);
    world.client("a").end(CLIENT).at(60_000).server("b").takes(&["0 c2s a", "60000 s2c b"]);
    assert_eq!(world.link.over(), None);
    // To close is to tell the end: it is kept from the server until that is gone.
    world.end(SERVER).takes(&["60000 s2c fin"]);
    assert_eq!(world.link.over(), None);
    world.link.gone(SERVER);
    assert_eq!(world.link.over(), Some(Over::Reset));
}

#[test]
fn rst_for_fin() {
    World::new("", &["rst-for-fin"])
        .client("a")
        .end(CLIENT)
        .takes(&["0 c2s a", "0 rst"])
        .tells(&["c2s - @1: a reset for the end"]);
}

#[test]
fn the_end_of_a_direction_is_held_against_its_triggers() {
    let mut world = World::new("", &["rst-for-fin@c2s byte:3", "swallow-fin conn:2"]);
    world.client("ab").end(CLIENT).takes(&["0 c2s ab", "0 c2s fin"]);
    World::new("", &["rst-for-fin@c2s byte:3"])
        .client("abc")
        .end(CLIENT)
        .takes(&["0 c2s abc", "0 rst"]);
}

#[test]
fn a_message_that_was_cut_off_by_the_end_passes_as_it_is() {
    World::new("u8", &["drop@c2s msg:2"])
        .client("\x02ab\x05cd")
        .end(CLIENT)
        .takes(&["0 c2s \\x02ab", "0 c2s \\x05cd", "0 c2s fin"])
        .tells(&[]);
}

#[test]
fn who_takes_nothing_more_is_told_by_the_system() {
    let mut world = World::new("", &[]);
    world.link.untaken(CLIENT, world.now);
    assert!(!world.link.reads(CLIENT));
    world.server("rest").end(SERVER).takes(&["0 s2c rest", "0 s2c fin"]);
    assert_eq!(world.link.over(), Some(Over::Closed));
}

#[test]
fn flap_resets_who_is_there_when_it_goes_down() {
    let plan = plan("", &["flap(up=5s, down=1s)"]);
    let mut world = World::new("", &[]);
    let link = switchboard::transport::fault::Link::new(&plan, None, 7, 1, world.now);
    world.link = link.flapping_since(world.began, world.now);
    world.client("a").run().takes(&["0 c2s a", "5000 rst"]);
    world.tells(&["both - @0: down: resets both sides"]);
}
