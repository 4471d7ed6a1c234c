//! MQTT: a publisher and a subscriber through the tap to mosquitto.

use std::process::{Command, Stdio};

use crate::harness::{Process, programs, run_with};
use crate::swb::Tap;

const MESSAGES: usize = 50;

#[test]
fn mosquitto_receives_what_was_published() {
    let names = ["mosquitto", "mosquitto_pub", "mosquitto_sub"];
    let Some([broker, publisher, subscriber]) = programs(names) else { return };
    let (mut broker, port) = Process::serve("running", |port| {
        let mut command = Command::new(&broker);
        command.args(["-v", "-p", &port.to_string()]);
        command
    });
    let tap = Tap::start(port, "mqtt");
    let client = |program| {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &tap.port.to_string(), "-t", "a/topic", "-q", "1"]);
        command
    };
    let mut subscribe = client(&subscriber);
    subscribe.args(["-C", &(MESSAGES + 1).to_string()]).stdin(Stdio::null());
    let receiving = Process::start(&mut subscribe);
    // The broker's own word: mosquitto_sub holds its back while stdout is no terminal.
    broker.line_with("Sending SUBACK").expect("mosquitto ended early");

    let lines: Vec<String> = (0..MESSAGES).map(|n| format!("message {n}")).collect();
    run_with(client(&publisher).arg("-l"), (lines.join("\n") + "\n").as_bytes()).ok();
    // Its length takes three bytes.
    let long = "l".repeat(100_000);
    run_with(client(&publisher).arg("-s"), long.as_bytes()).ok();

    let received = receiving.finish().ok();
    let got: Vec<&str> = received.lines().collect();
    assert_eq!(got.len(), MESSAGES + 1);
    assert!(got[..MESSAGES].iter().zip(&lines).all(|(got, sent)| got == sent), "{got:?}");
    assert_eq!(got[MESSAGES], long);

    let seen = tap.seen();
    seen.assert_whole();
    let publishes = |bytes: &[u8]| bytes[0] & 0xf0 == 0x30;
    assert_eq!(seen.count(true, publishes), MESSAGES + 1);
    assert_eq!(seen.count(false, publishes), MESSAGES + 1);
    // Type and flags, three bytes of length, the topic with its length, an identifier, the payload.
    let bytes = 1 + 3 + 2 + "a/topic".len() + 2 + long.len();
    assert_eq!(seen.count(false, |message| message.len() == bytes), 1);
    // Two publishers and a subscriber came and were let in.
    assert_eq!(seen.count(true, |bytes| bytes[0] == 0x10), 3);
    assert_eq!(seen.count(false, |bytes| bytes == [0x20, 2, 0, 0]), 3);
    broker.stop().ok();
}
