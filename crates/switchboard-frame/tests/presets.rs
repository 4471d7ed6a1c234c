//! Every preset reads, prints and draws.

use switchboard_frame::{Framing, Protocol, Role, preset, presets};

#[test]
fn every_preset_reads_in_both_directions() {
    for preset in presets() {
        let protocol: Protocol = preset.name.parse().unwrap_or_else(|e| panic!("{e}"));
        for role in [Role::Client, Role::Server] {
            let text = preset.framing(role);
            let framing = Framing::parse(text).unwrap_or_else(|e| panic!("{}: {e}", preset.name));
            assert_eq!(protocol.framing(role), &framing, "{}", preset.name);
            let side = format!("{}-{role}", preset.name);
            assert_eq!(Framing::parse(&side).unwrap(), framing, "{side}");
        }
        assert_eq!(Framing::parse(preset.name).is_ok(), preset.is_symmetric(), "{}", preset.name);
    }
}

#[test]
fn presets_are_sorted_and_documented() {
    let names: Vec<_> = presets().iter().map(|preset| preset.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
    for preset in presets() {
        assert!(preset.source.len() > 5 && preset.notes.len() > 15, "{}", preset.name);
    }
}

#[test]
fn the_names_of_the_table_are_there() {
    let names = "packet1 int8 packet2 int16 dns packet4 int32 thrift mongodb postgres mysql mqtt \
                 kafka amqp redis tls http2 bgp ldap ssh diameter smpp fix netstring syslog-octet \
                 syslog tpkt fastcgi sunrpc 9p grpc lsp dap protobuf minecraft docker wayland \
                 bittorrent bitcoin memcached-binary modbus git rtsp irc mllp http1 resp chunked";
    for name in names.split_whitespace() {
        assert!(preset(name).is_some(), "{name}");
    }
    assert!(preset("postgres-client").is_none());
}
