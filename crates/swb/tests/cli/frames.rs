//! `swb frames`: the list, and one framing drawn.

use crate::support::run;

#[test]
fn the_list_has_every_preset_with_its_document() {
    let ran = run(&["frames"], b"");
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    let lines = ran.lines();
    let at = |name: &str| {
        let found = lines.iter().position(|line| line.split(' ').next() == Some(name));
        found.unwrap_or_else(|| panic!("{name} is in the list"))
    };
    assert!(lines[at("mqtt")].ends_with("  type:1 len:uleb4"), "{}", lines[at("mqtt")]);
    assert!(lines[at("mqtt") + 1].contains("OASIS MQTT"));
    let postgres = at("postgres");
    assert!(lines[postgres].ends_with("  (client)"), "{}", lines[postgres]);
    assert!(lines[postgres + 1].ends_with("  (server)"), "{}", lines[postgres + 1]);
    for name in ["dns", "redis", "netstring", "http1", "chunked", "lsp", "sunrpc", "kafka"] {
        at(name);
    }
}

#[test]
fn json_has_a_line_for_each() {
    let ran = run(&["frames", "--json"], b"");
    let plain = run(&["frames"], b"");
    let names = plain.lines().into_iter().filter(|line| !line.starts_with(' ')).count();
    assert_eq!(ran.lines().len(), names);
    let expected = r#"{"type":"preset","name":"dns","client":"u16be","server":"u16be","source":""#;
    assert!(ran.lines().iter().any(|line| line.starts_with(expected)));
    let ran = run(&["frames", "len:u32be max=1k", "--json"], b"");
    let expected = r#"{"type":"framing","client":"u32be max=1k","server":"u32be max=1k"}"#;
    assert_eq!(ran.lines(), [expected]);
}

#[test]
fn a_string_is_drawn_after_its_shortest_form() {
    let ran = run(&["frames", "type:1 len:u32be,self"], b"");
    assert_eq!(ran.exit, 0);
    assert_eq!(ran.lines()[0], "type:1 u32be,self");
    assert!(ran.lines()[1].starts_with("  +--"), "{}", ran.text());
    assert!(ran.text().contains("| type "), "{}", ran.text());
    assert!(ran.text().contains("5 to 16777221 bytes"), "{}", ran.text());
}

#[test]
fn a_preset_has_its_document_its_notes_and_both_sides() {
    let ran = run(&["frames", "postgres"], b"");
    assert!(ran.text().starts_with("postgres: PostgreSQL documentation, "), "{}", ran.text());
    for side in ["\nclient: u32be,self", "\nserver: type:1 u32be,self\n", "SSLRequest"] {
        assert!(ran.text().contains(side), "{side:?} in {}", ran.text());
    }
    assert!(ran.lines().iter().all(|line| line.len() <= 100), "{}", ran.text());
}

#[test]
fn no_such_framing_is_exit_2() {
    let ran = run(&["frames", "u33be"], b"");
    assert_eq!((ran.exit, ran.text()), (2, ""));
    assert!(ran.stderr.starts_with("swb: framing, column 1: "), "{}", ran.stderr);
    let ran = run(&["frames", "stomp"], b"");
    assert!(ran.stderr.contains("stomp is not there yet"), "{}", ran.stderr);
}
