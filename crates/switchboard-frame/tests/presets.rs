//! Every preset reads, prints and draws.

use switchboard_frame::{Decoder, Encoder, Framing, Protocol, Role, Step, preset, presets};

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

/// Each can be sent as it is, once the conversation has begun.
#[test]
fn heartbeats_are_messages_of_their_protocols() {
    let mut count = 0;
    for preset in presets() {
        for role in [Role::Client, Role::Server] {
            if let Some(heartbeat) = preset.heartbeat(role) {
                let framing = Framing::parse(preset.framing(role)).unwrap();
                let mut wire = Vec::new();
                Encoder::settled(&framing).unwrap().encode(heartbeat, &mut wire).unwrap();
                let frame = Decoder::settled(&framing, 0).step(&wire, false).unwrap();
                let Step::Frame(frame) = frame else { panic!("{}: {frame:?}", preset.name) };
                assert_eq!((&wire[frame.message], frame.whole.end), (heartbeat, wire.len()));
                count += 1;
            }
        }
    }
    assert_eq!(count, 7);
}
