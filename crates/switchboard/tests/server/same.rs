//! A service written once gives the same bytes and the same ending under every dispatcher.

use crate::help::*;
use switchboard::server::{Limits, Reply, Service};
use switchboard::transport::Interest;
use switchboard::{Error, Message, Transport};

everywhere! {
    the_same_service_gives_the_same_bytes_and_endings,
}

/// Does what the first byte of a message says.
struct Script {
    heard: u32,
}

impl Service for Script {
    fn opened(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.send(b"welcome")
    }

    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        self.heard += 1;
        match message.first() {
            None | Some(b'0'..=b'3') => {}
            Some(b'4'..=b'5') => {
                reply.send(&message)?;
                reply.send(self.heard.to_string().as_bytes())?;
            }
            Some(b'6'..=b'7') => {
                let (answer, promise) = (message.to_vec(), reply.later());
                std::thread::spawn(move || promise.send(answer));
            }
            Some(b'8') => reply.send(&pattern(60_000))?,
            Some(b'9') => reply.later().skip()?,
            Some(b'c') => reply.close(),
            Some(b'f') => return Err(Error::caller("told to fail")),
            Some(b'h') => reply.finish(),
            Some(b'p') => std::panic::panic_any("on purpose"),
            Some(b's') => reply.set_framing(&"netstring".parse().unwrap()),
            Some(_) => reply.send(&message)?,
        }
        Ok(())
    }

    fn finished(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        let _ = reply.send(format!("{} in all", self.heard).as_bytes());
        reply.close();
        Ok(())
    }
}

/// What a client sends: few enough bytes that closing never breaks the stream off.
fn script(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut framing = "u16be";
    for _ in 0..random.below(40) {
        let size = [0, 1, 1, 10, 300, 1_000][random.below(6)];
        let mut message = random.bytes(size);
        if let Some(first) = message.first_mut() {
            let rare = random.below(30) == 0;
            let choices: &[u8] = if rare { b"cfhps" } else { b"01234567789xyz" };
            *first = choices[random.below(choices.len())];
        }
        bytes.extend(requests(framing, &[&message]));
        if message.first() == Some(&b's') {
            framing = "netstring";
        }
    }
    match random.below(6) {
        0 => bytes.extend(b"\xff\xffcut off"),
        1 if framing == "netstring" => bytes.extend(b"3:abc;"),
        _ => {}
    }
    bytes
}

/// Sends all of it in pieces, however the server takes it, and gives what comes, to the end, or to
/// the reset of a service that fails.
fn play(stream: &dyn Transport, mut left: &[u8], random: &mut Random) -> Vec<u8> {
    let (mut received, mut buffer) = (Vec::new(), vec![0; 10_000]);
    let mut is_finished = false;
    loop {
        if left.is_empty() && !is_finished {
            // There may be nobody left to be told.
            let _ = stream.finish();
            is_finished = true;
        }
        let interest = if is_finished { Interest::READ } else { Interest::BOTH };
        let ready = ready(stream, interest);
        if ready.write && !is_finished {
            let size = [1, 2, 30, 2_000, 100_000][random.below(5)];
            left = &left[fill(stream, &left[..left.len().min(size)])..];
        }
        if ready.read {
            match stream.read(&mut buffer) {
                Ok(0) => return received,
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) if is_reset(&error) => return received,
                Err(error) => panic!("{error} behind {} bytes", received.len()),
            }
        }
    }
}

fn the_same_service_gives_the_same_bytes_and_endings() {
    const SCRIPTS: u64 = 60;
    let mut expected: Vec<(Vec<u8>, String)> = Vec::new();
    for case in cases() {
        for seed in 0..SCRIPTS {
            let bytes = script(&mut Random::new(seed));
            let limits = Limits { messages_per_turn: 7, ..Limits::default() };
            let served = case.start("u16be", &limits, || Script { heard: 0 });
            // The cuts are others each time.
            let mut random = Random::new(u64::from(unique()));
            let stream = served.connect();
            let received = play(&*stream, &bytes, &mut random);
            drop(stream);
            let stats = served.wait_for("the end", |stats| stats.open == 0 && stats.accepted == 1);
            assert_eq!(stats.queued_bytes, 0, "{case}, seed {seed}");
            let found = (received, stats.endings.to_string());
            let place = usize::try_from(seed).unwrap();
            match expected.get(place) {
                None => expected.push(found),
                Some(expected) => {
                    assert_eq!(found.1, expected.1, "{case}, seed {seed}");
                    let lengths = (found.0.len(), expected.0.len());
                    assert!(found.0 == expected.0, "{case}, seed {seed}: {lengths:?} bytes");
                }
            }
        }
    }
    // The scripts are worth their name.
    let endings: std::collections::BTreeSet<_> = expected.iter().map(|(_, end)| end).collect();
    assert!(endings.len() >= 3, "{endings:?}");
}
