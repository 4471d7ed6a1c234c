//! Segmentation and time: which bytes go in one write, and when.

use crate::help::*;

#[test]
fn without_faults_all_passes_at_once() {
    World::new("lines", &[])
        .client("one\ntw")
        .client("o\n")
        .server("ok\n")
        .end(CLIENT)
        .end(SERVER)
        .takes(&["0 c2s one\\ntw", "0 c2s o\\n", "0 s2c ok\\n", "0 c2s fin", "0 s2c fin"])
        .tells(&[]);
}

#[test]
fn split_every_so_many_bytes() {
    World::new("u8", &["split(every=2)@c2s msg:2"])
        .client("\x01a\x04bcde\x01f")
        .run()
        .takes(&["0 c2s \\x01a", "0 c2s \\x04b", "20 c2s cd", "40 c2s e", "60 c2s \\x01f"])
        .tells(&["c2s 2 @2: cut"]);
}

#[test]
fn split_counts_from_the_message_however_it_comes() {
    World::new("u8", &["split(every=2, gap=1ms)"])
        .client("\x04b")
        .client("c")
        .run()
        .client("de")
        .run()
        .takes(&["0 c2s \\x04b", "1 c2s c", "1 c2s d", "2 c2s e"]);
}

#[test]
fn split_once_a_message() {
    World::new("lines", &["split(at=2, gap=5ms)@s2c"]).server("abcd\nx\nyz\n").run().takes(&[
        "0 s2c ab",
        "5 s2c cd\\n",
        "10 s2c x\\n",
        "15 s2c yz",
        "20 s2c \\n",
    ]);
}

#[test]
fn split_inside_each_field() {
    World::new("u16be", &["split(field, gap=1ms)"]).client("\0\x04abcd").run().takes(&[
        "0 c2s \\x00",
        "1 c2s \\x04ab",
        "2 c2s cd",
    ]);
    // A delimiter of two bytes is a field too.
    World::new("crlf", &["split(field, gap=1ms)"]).client("abc\r\n").run().takes(&[
        "0 c2s a",
        "1 c2s bc\\r",
        "2 c2s \\n",
    ]);
}

#[test]
fn split_without_a_framing_is_of_the_stream() {
    World::new("", &["split(every=3, gap=1ms)@c2s byte:2"])
        .client("abcdefg")
        .run()
        .takes(&["0 c2s ab", "0 c2s cde", "1 c2s fg"])
        .tells(&["c2s - @2: cut"]);
}

#[test]
fn coalesce_gathers_messages() {
    World::new("lines", &["coalesce(n=2, within=50ms)@c2s"])
        .client("a\n")
        .at(10)
        .client("b\n")
        .client("c\n")
        .run()
        .takes(&["10 c2s a\\nb\\n", "60 c2s c\\n"]);
}

#[test]
fn coalesce_gathers_bytes_without_a_framing() {
    World::new("", &["coalesce(bytes=4)"])
        .client("ab")
        .client("cde")
        .client("f")
        .end(CLIENT)
        .takes(&["0 c2s abcde", "0 c2s f", "0 c2s fin"]);
}

#[test]
fn glue_writes_one_and_a_half() {
    World::new("lines", &["glue(1.5, gap=5ms)"]).client("abc\ndef\nghi\njkl\n").run().takes(&[
        "0 c2s abc\\nde",
        "5 c2s f\\nghi\\n",
        "50 c2s jkl\\n",
    ]);
}

#[test]
fn delay_keeps_the_order() {
    World::new("lines", &["delay(50ms)@c2s msg:1"])
        .client("a\nb\n")
        .at(20)
        .client("c\n")
        .run()
        .takes(&["50 c2s a\\nb\\nc\\n"])
        .tells(&["c2s 1 @0: 50 ms late"]);
}

#[test]
fn delay_without_a_framing_is_of_what_comes_at_once() {
    World::new("", &["delay(10ms, jitter=5ms)@s2c"]).server("a").at(100).server("b").run();
    let mut world = World::new("", &["delay(10ms)@s2c after:50ms"]);
    world.server("a").at(60).server("b").run();
    world.takes(&["0 s2c a", "70 s2c b"]).tells(&["s2c - @1: 10 ms late"]);
}

#[test]
fn a_jitter_stays_within_its_bounds_and_changes_nothing_else() {
    let mut world = World::new("lines", &["delay(50ms, jitter=20ms)"]);
    for n in 0..200 {
        world.at(n * 100).client("x\n");
    }
    world.run();
    let late = |(n, line): (u64, &String)| {
        line.split(' ').next().unwrap().parse::<u64>().unwrap() - n * 100
    };
    let late: Vec<u64> = (0..).zip(&world.out).map(late).collect();
    assert_eq!(late.len(), 200);
    assert!(late.iter().all(|late| (30..=70).contains(late)), "{late:?}");
    assert!(late.iter().min() < Some(&35) && late.iter().max() > Some(&65), "{late:?}");
}

#[test]
fn stall_pauses_once() {
    World::new("lines", &["stall(1s)@c2s msg:2+1B"])
        .client("ab\ncd\nef\n")
        .run()
        .takes(&["0 c2s ab\\nc", "1000 c2s d\\nef\\n"])
        .tells(&["c2s 2 @4: pauses for 1000 ms"]);
}

#[test]
fn stall_at_a_byte_needs_no_framing() {
    World::new("", &["stall(2s)@s2c byte:3"])
        .server("abcde")
        .run()
        .takes(&["0 s2c abc", "2000 s2c de"]);
}

#[test]
fn drip_is_one_byte_after_the_other() {
    World::new("lines", &["drip(10)@c2s msg:2"]).client("a\nbcd\ne\n").run().takes(&[
        "0 c2s a\\n",
        "0 c2s b",
        "100 c2s c",
        "200 c2s d",
        "300 c2s \\n",
        "300 c2s e\\n",
    ]);
}

#[test]
fn rate_lets_a_burst_go_and_then_what_it_says() {
    let mut world = World::new("", &["rate(8000, burst=100)@c2s"]);
    world.write(CLIENT, &[b'x'; 1100]).run();
    assert_eq!(world.out[0], format!("0 c2s {}", "x".repeat(100)));
    assert_eq!(world.bytes("c2s").len(), 1100);
    // 1,000 bytes at 1,000 a second.
    let last = world.out.last().unwrap().split(' ').next().unwrap();
    assert!((990..=1010).contains(&last.parse::<u64>().unwrap()), "{last}");
}

#[test]
fn who_is_not_taken_from_is_not_read() {
    let mut world = World::new("", &["stall(60s)@c2s"]);
    let mut written = 0;
    while world.link.reads(CLIENT) {
        world.write(CLIENT, &[0; 16 * 1024]);
        written += 16 * 1024;
    }
    assert!((256 * 1024..300 * 1024).contains(&written), "{written}");
    world.run();
    assert!(world.link.reads(CLIENT));
}
