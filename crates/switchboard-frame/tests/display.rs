//! What is printed is read again as the same framing, and is the shortest way to say it.

use proptest::prelude::*;
use switchboard_frame::{Framing, Role, presets};

#[track_caller]
fn prints(text: &str, want: &str) {
    let framing = Framing::parse(text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(framing.to_string(), want, "{text}");
    assert_eq!(Framing::parse(want).as_ref(), Ok(&framing), "{want}");
}

#[test]
fn defaults_are_dropped() {
    prints("len:u32be,body max=16MiB oversize=fail deliver=body", "u32be");
    prints("lines eof=error deliver=body", "lines");
    prints("type:1 len:u32be deliver=frame", "type:1 u32be");
    prints("u16be,*1,+0,&ffff", "u16be");
    prints("u16be,+5,-3", "u16be,+2");
    prints("uleb10", "uleb");
    prints("u32be body", "u32be");
    prints("1* u8 ; u16be", "u8;u16be");
    prints("fixed:8 deliver=frame", "fixed:8");
    prints("u8 deliver=0", "u8 deliver=frame");
}

#[test]
fn equal_meanings_print_alike() {
    prints("lines deliver=frame", "lines strip=no");
    prints("delim:\"\\r\\n\"", "crlf");
    prints("body \"\\n\"", "delim:x0a");
    prints("\"a\" \"b\" u8", "\"ab\" u8");
    prints("3 1 u8", "4 u8");
    prints("u16be len:u8", "2 u8");
    prints("type:u8 dec5 len:u8", "type:u8 dec5 len:u8");
    prints("max:u8 u16be".replace("max", "m").as_str(), "m:u8 u16be");
    prints("u32be,last=len&80000000,&7fffffff", "u32be,&7fffffff,last=80000000");
    prints("u8 max=65536", "u8 max=64k");
    prints("u8 max=1000", "u8 max=1000");
}

#[test]
fn options_of_a_type_are_written_where_they_are_shortest() {
    prints("type{x01: u8 max=1k, x02: u16be max=1k}", "type{x01:u8,x02:u16be} max=1k");
    prints("type{x01: u8, x02: u16be} max=1k", "type{x01:u8,x02:u16be} max=1k");
    prints(
        "type{x01: u8 max=16m, x02: u16be, x03: lines, x04: 1} max=1k",
        "type{x01:u8 max=16m,x02:u16be,x03:lines,x04:1} max=1k",
    );
    prints("type{x01: u8 deliver=frame, *: 3}", "type{x01:u8,*:3}");
    prints(
        "type{x01: lines strip=no, x02: u8, x03: u8, x04: u8} deliver=body",
        "type{x01:lines strip=no,x02:u8,x03:u8,x04:u8} deliver=body",
    );
    prints("type{x01: type{x02: u8 max=5}, *: 1 max=5}", "type{x01:type{x02:u8},*:1} max=5");
    prints(
        "type{x01: fixed:0003, x02: 0}".replace("fixed:0003", "fixed:3").as_str(),
        "type{x01:3,x02:0}",
    );
}

#[test]
fn presets_print_and_read_again() {
    for preset in presets() {
        for role in [Role::Client, Role::Server] {
            let framing = Framing::parse(preset.framing(role)).unwrap();
            let text = framing.to_string();
            assert_eq!(Framing::parse(&text).unwrap(), framing, "{}: {text}", preset.name);
            assert!(text.len() <= preset.framing(role).len(), "{}: {text}", preset.name);
        }
    }
}

#[test]
fn a_limit_from_outside_is_printed() {
    for (text, want) in [
        ("u8", "u8 max=5"),
        ("raw", "raw"),
        ("type{x01: u8, *: lines max=7}", "type{x01:u8,*:lines} max=5"),
    ] {
        let framing = Framing::parse(text).unwrap().with_max(5);
        assert_eq!(framing.to_string(), want);
        assert_eq!(Framing::parse(want).unwrap(), framing);
    }
}

/// Literals, in text and in hex.
fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 1..6).prop_map(|bytes| {
            format!("x{}", bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
        }),
        "[ -!#-\\[\\]-~]{1,6}".prop_map(|text| format!("\"{text}\"")),
        prop::sample::select(vec![r#""\r\n""#, r#""\"\\""#, r#""\0\t""#, r#""\xff""#, "x0D0A"])
            .prop_map(String::from),
    ]
}

fn integer() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "u8", "u16be", "u16le", "u24be", "u32le", "u40be", "u64be", "i16be", "i64le", "uleb",
            "uleb4", "uleb10", "vlq", "vlq2", "ber", "dec5", "dec20", "hex4", "hex16",
        ])
        .prop_map(String::from),
        1 => prop::sample::select(vec!["dec\":\"", "decx3a", "hexx0d0a", "dec\" \""])
            .prop_map(String::from),
    ]
}

fn how() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        prop::sample::select(vec![",body", ",rest", ",self", ",frame"]).prop_map(String::from),
        (0u32..70_000).prop_map(|n| format!(",+{n}")),
        (0u32..4).prop_map(|n| format!(",-{n}")),
        (1u32..9).prop_map(|n| format!(",*{n}")),
        prop::sample::select(vec![
            ",&7f",
            ",&ff",
            ",short=4",
            ",cont=ff",
            ",&7f,last=80",
            ",last=f0&1",
            ",+f0",
            ",+f1",
            ",le=f0&80",
            ",short=0",
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(one, 0..3).prop_map(|hows| hows.concat())
}

fn item(index: usize) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => literal(),
        2 => (1u32..20).prop_map(|n| n.to_string()),
        2 => (1u32..8).prop_map(move |n| format!("f{index}:{n}")),
        2 => integer().prop_map(move |int| format!("f{index}:{int}")),
        1 => integer(),
        1 => literal().prop_map(move |lit| format!("f{index}:until{lit}")),
        1 => Just(format!("f{index}:bertag")),
        1 => Just(format!("=f{}", index.saturating_sub(1))),
    ]
}

fn options() -> impl Strategy<Value = String> {
    let one = prop::sample::select(vec![
        "max=64k",
        "max=16MiB",
        "max=70000",
        "maxframe=1g",
        "maxframe=100000",
        "oversize=discard",
        "oversize=fail",
        "deliver=body",
        "deliver=frame",
        "deliver=1",
        "eof=deliver",
        "eof=error",
        "strip=no",
        "leading-zeros=yes",
        "deliver=nopad",
    ]);
    prop::collection::vec(one, 0..3)
        .prop_map(|options| options.into_iter().map(|option| format!(" {option}")).collect())
}

fn record() -> impl Strategy<Value = String> {
    let length = (prop::bool::ANY, integer(), how())
        .prop_map(|(named, int, how)| format!("{}{int}{how}", if named { "len:" } else { "" }));
    let header =
        (prop::option::of(item(0)), prop::option::of(item(1)), length, prop::option::of(item(2)));
    let trailer = prop::option::of((item(3), prop::option::of(item(4))));
    (header, trailer).prop_map(|((a, b, length, c), trailer)| {
        let mut items: Vec<String> = [a, b, Some(length), c].into_iter().flatten().collect();
        if let Some((first, second)) = trailer {
            items.push("body".into());
            items.push(first);
            items.extend(second);
        }
        items.join(" ")
    })
}

fn shape() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => record(),
        1 => prop::sample::select(vec!["lines", "crlf", "resp", "resp-command", "chunked"])
            .prop_map(String::from),
        1 => (1u32..100).prop_map(|n| format!("fixed:{n}")),
        1 => prop::collection::vec(literal(), 1..3).prop_map(|l| format!("delim:{}", l.join("|"))),
        1 => (literal(), literal()).prop_map(|(a, b)| format!("{a} body {b}")),
        1 => literal().prop_map(|a| format!("body {a}")),
        1 => Just("header:content-length".to_string()),
    ]
}

fn stage() -> impl Strategy<Value = String> {
    let leaf = (shape(), options()).prop_map(|(shape, options)| shape + &options);
    leaf.prop_recursive(3, 12, 4, |inner| {
        let outer = options().prop_map(|options| options.replace(" strip=no", ""));
        (prop::collection::vec((literal(), inner.clone()), 1..4), prop::option::of(inner), outer)
            .prop_map(|(cases, other, options)| {
                let mut cases: Vec<String> =
                    cases.into_iter().map(|(key, stage)| format!("{key}:{stage}")).collect();
                cases.extend(other.map(|stage| format!("*:{stage}")));
                format!("type{{{}}}{options}", cases.join(","))
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        max_global_rejects: 200_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn printed_is_read_as_the_same(
        first in prop::option::weighted(0.2, (1u32..4, stage())),
        last in stage(),
    ) {
        let text = match first {
            Some((times, first)) => format!("{times}*{first};{last}"),
            None => last,
        };
        let framing = Framing::parse(&text);
        prop_assume!(framing.is_ok());
        let framing = framing.unwrap();
        let printed = framing.to_string();
        let again = Framing::parse(&printed);
        prop_assert!(again.is_ok(), "{}\n{}\n{}", text, printed, again.unwrap_err());
        prop_assert_eq!(again.as_ref().unwrap(), &framing, "{}\n{}", text, printed);
        prop_assert_eq!(again.unwrap().to_string(), printed.clone());
        // A body that only a literal ends is told as the delimiter it is, one character longer.
        let bodies = text.matches("body ").count();
        prop_assert!(printed.len() <= text.len() + bodies, "{}\n{}", text, printed);
    }

    #[test]
    fn no_string_panics(text in "[a-z0-9:;,*{}\"\\\\=+&| x-]{0,40}") {
        let _ = Framing::parse(&text);
    }

    #[test]
    fn no_damaged_string_panics(
        text in stage(),
        at in any::<prop::sample::Index>(),
        c in any::<char>(),
    ) {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        chars[at] = c;
        let text: String = chars.into_iter().collect();
        if let Err(error) = Framing::parse(&text) {
            prop_assert!(error.column() <= text.chars().count() + 1);
            prop_assert!(!error.message().is_empty());
        }
    }
}
