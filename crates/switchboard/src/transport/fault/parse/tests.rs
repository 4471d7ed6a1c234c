//! Faults as they are written: read, refused, and said again.

use super::*;

fn read(text: &str) -> Result<Fault, FaultError> {
    text.parse()
}

#[test]
fn what_is_displayed_is_read_back() {
    for text in [
        "split(every=1)",
        "split(at=2, gap=5ms)@c2s msg:7",
        "split(field)@s2c every:10 first:2",
        "coalesce(n=3, bytes=4096, within=1s)",
        "glue(1.5)",
        "glue(2.25, within=10ms, gap=0ms)",
        "delay(50ms, jitter=20ms)@s2c every:10",
        "stall(1s)@c2s byte:1024",
        "drip(10)",
        "rate(64000, burst=4096)",
        "slow-accept(2m)",
        "reset msg:3+2B",
        "fin p:0.01",
        "half-close@c2s after:5s",
        "slow-close(1h)",
        "swallow-fin",
        "rst-for-fin conn:3",
        "blackhole@c2s msg:3",
        "deaf",
        "dead@s2c",
        "heal(5s)",
        "flip",
        "flip(bits=3) byte:7",
        "truncate(bytes=2)",
        "length(+1)",
        "length(-4)",
        "length(max)",
        "garbage(bytes=3)",
        "delimiter-inject",
        "drop match:/a\\/b c/",
        "dup(times=2)",
        "reorder(window=3, within=10ms)",
        "replace(\"a, b).bin\")",
        "inject(\"x\")",
        "refuse every:2",
        "accept-then-close(after=1s)",
        "limit-bytes(4096)",
        "limit-conns(10)",
        "flap(up=5s, down=500ms)",
    ] {
        assert_eq!(read(text).unwrap().to_string(), text);
    }
}

#[test]
fn there_are_shorter_ways_to_write_it() {
    for (short, long) in [
        ("  flip(3)@both  byte:1k ", "flip(bits=3) byte:1024"),
        ("rate(64k)", "rate(64000)"),
        ("rate(bps=8, burst=1k)", "rate(8)"),
        ("drip( bytes=1 )", "drip(1)"),
        ("delay(1000ms)", "delay(1s)"),
        ("flap(5s, 1s)", "flap(up=5s, down=1s)"),
        ("reorder()", "reorder"),
        ("inject(a/b.bin)", "inject(\"a/b.bin\")"),
    ] {
        assert_eq!(read(short).unwrap().to_string(), long);
    }
}

#[test]
fn a_refusal_names_the_column_and_what_belongs_there() {
    for (text, expected) in [
        ("", "column 1: a fault's name belongs here: split, "),
        ("resett", "column 1: there is no fault 'resett'; there are split, "),
        ("split", "column 6: split needs where to cut: "),
        ("split(every=1, at=2)", "column 6: split needs one place to cut"),
        ("split(every=0)", "column 13: it must be at least 1"),
        ("delay", "column 6: delay needs time, say delay(time=50ms)"),
        ("delay(50)", "column 7: a unit is missing: 50ms, 50s"),
        ("delay(8761h)", "column 7: it may be at most 8760h"),
        ("delay(x)", "column 7: a duration is written 250ms, "),
        ("delay(1s, jiter=2ms)", "column 17: delay has no argument 'jiter': it takes time, "),
        ("delay(1s", "column 9: a comma or ')' belongs here"),
        ("delay(,)", "column 7: an argument belongs here"),
        ("reset(now)", "column 7: reset has no argument 'now': it takes none"),
        ("reset@s2x", "column 7: there is no direction 's2x'"),
        ("reset(", "column 7: an argument belongs here"),
        ("reset@c2s!", "column 10: '@DIRECTION' or a blank belongs here"),
        ("reset msg", "column 7: a trigger belongs here: msg:7, "),
        ("reset masg:7", "column 7: there is no trigger 'masg'"),
        ("reset msg:0", "column 11: messages are counted from 1"),
        ("reset msg:3+2", "column 11: a message is written msg:7, "),
        ("reset byte:x", "column 12: a size is written"),
        ("reset byte:18446744073709551616", "column 12: it is too large: the most is 1844674"),
        ("reset byte:99999999999g", "column 12: it is too large"),
        ("reset msg:99999999999999999999", "column 11: it is too large"),
        ("reset msg:3+99999999999999999999B", "column 11: it is too large"),
        ("reset conn:99999999999999999999", "column 12: it is too large"),
        ("reset byte:99999999999999999999x", "column 12: a size is written"),
        ("delay(99999999999999999999s)", "column 7: it may be at most 8760h"),
        ("delay(99999999999999999999)", "column 7: a unit is missing: "),
        ("rate(99999999999999999999k)", "column 6: it is too large"),
        ("reset p:2", "column 9: a probability is written 0.01"),
        ("reset msg:1 msg:2", "column 13: a trigger of this kind stands here already"),
        ("drop match:x", "column 12: a pattern stands between slashes"),
        ("drop match:/x", "column 12: the pattern has no second slash"),
        ("drop match://", "column 12: no pattern: an empty pattern"),
        ("glue(1)", "column 6: messages a write are written 1.5"),
        ("rate(7)", "column 6: it must be at least 8 bits a second"),
        ("flap(1s, 0s)", "column 10: it must be more than 0"),
        ("length(2)", "column 8: a length is changed by +1 or -1, or to max"),
        ("reorder(1)", "column 9: it must be from 2 to 64"),
    ] {
        let told = read(text).unwrap_err().to_string();
        assert!(told.starts_with(expected), "{text}: {told}");
    }
}
