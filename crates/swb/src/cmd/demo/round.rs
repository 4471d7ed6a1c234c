//! One conversation of the demo, of one of several kinds, and what is counted over all of them.

use super::over::Identity;
use super::server::EchoServer;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use switchboard::Conversation;
use switchboard::transport::{Faults, Interest, Transport, Wait};
use switchboard_frame::{Encoder, Role};

/// Kinds of rounds: small messages, large ones, a peer that vanishes, a peer that resets.
pub(super) const KINDS: u64 = 4;

/// How long any wait of the demo may take: a bound for a machine that hangs, not a measure.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was done, over all conversations with one server.
#[derive(Debug, Default)]
pub(super) struct Tally {
    messages: AtomicU64,
    bytes: AtomicU64,
    finished: AtomicU64,
    resets: AtomicU64,
    partials: Mutex<Vec<Vec<u8>>>,
}

impl Tally {
    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn finished(&self) -> u64 {
        self.finished.load(Ordering::Relaxed)
    }

    pub(super) fn resets(&self) -> u64 {
        self.resets.load(Ordering::Relaxed)
    }

    pub(super) fn partials(&self) -> Vec<Vec<u8>> {
        self.partials.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn conversations(&self) -> u64 {
        let partials = self.partials.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.finished() + self.resets() + partials as u64
    }

    fn count(&self, message: &[u8]) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(message.len() as u64, Ordering::Relaxed);
    }
}

/// Runs the round with that number.
pub(super) fn run(
    server: &EchoServer,
    identity: &Identity,
    tally: &Tally,
    (seed, round): (u64, u64),
) -> Result<(), String> {
    let mut random = Random::new(seed);
    let faults = Faults::new(seed).cuts().glue(300).interrupts(100).would_blocks(100);
    let link = identity.connect(&server.endpoint, faults).map_err(|error| error.to_string())?;
    let resets = link.facts().reset;
    let protocol = server.framing.protocol()?;
    let conversation =
        Conversation::with_role(link, &protocol, Role::Client).with_timeout(PATIENCE);
    match round % KINDS {
        0 => pipeline(conversation, server, tally, &mut random, (200, 400)),
        1 => pipeline(conversation, server, tally, &mut random, (4, 40_000)),
        kind => break_off(conversation, server, tally, &mut random, kind == 3 && resets),
    }
}

/// Sends many messages, half-closes, and reads every reply to the end.
fn pipeline(
    mut conversation: Conversation,
    server: &EchoServer,
    tally: &Tally,
    random: &mut Random,
    (count, size): (usize, usize),
) -> Result<(), String> {
    let sent: Vec<Vec<u8>> = (0..count)
        .map(|_| {
            let size = random.below(size);
            (server.framing.message)(random, size)
        })
        .collect();
    for message in &sent {
        let queued = match random.below(4) {
            0 => conversation.send(message),
            _ => conversation.queue(message),
        };
        queued.map_err(|error| error.to_string())?;
    }
    conversation.finish().map_err(|error| error.to_string())?;
    for (number, message) in sent.iter().enumerate() {
        match conversation.recv() {
            Ok(Some(reply)) if *reply == **message => tally.count(message),
            Ok(Some(_)) => return Err(format!("reply {} has other bytes", number + 1)),
            Ok(None) => return Err(format!("the end came instead of reply {}", number + 1)),
            Err(error) => return Err(error.to_string()),
        }
    }
    match conversation.recv() {
        Ok(None) => {}
        Ok(Some(_)) => return Err("a reply too many".to_owned()),
        Err(error) => return Err(error.to_string()),
    }
    tally.finished.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Has a message answered, then vanishes or resets in the middle of the next.
fn break_off(
    mut conversation: Conversation,
    server: &EchoServer,
    tally: &Tally,
    random: &mut Random,
    resets: bool,
) -> Result<(), String> {
    let message = (server.framing.message)(random, 100);
    match conversation.request(&message) {
        Ok(reply) if *reply == *message => tally.count(&message),
        Ok(_) => return Err("the reply has other bytes".to_owned()),
        Err(error) => return Err(error.to_string()),
    }
    let half = half_of_a_frame(server, random)?;
    let (link, _) = conversation.into_parts().map_err(|error| error.to_string())?;
    write_all(&*link, &half).map_err(|error| error.to_string())?;
    let before = server.endings().sum();
    if resets {
        link.reset().map_err(|error| error.to_string())?;
        tally.resets.fetch_add(1, Ordering::Relaxed);
    } else {
        tally.partials.lock().unwrap_or_else(PoisonError::into_inner).push(half);
        finish(&*link).map_err(|error| error.to_string())?;
    }
    drop(link);
    // The servers are asked at the end, so each ending must have been told by then.
    let patience = std::time::Instant::now() + PATIENCE;
    while server.endings().sum() <= before {
        if std::time::Instant::now() > patience {
            return Err("the server was not told that its peer is gone".to_owned());
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    Ok(())
}

/// The beginning of a frame, at least a byte of it and never all of it.
fn half_of_a_frame(server: &EchoServer, random: &mut Random) -> Result<Vec<u8>, String> {
    let size = 1 + random.below(50);
    let message = (server.framing.message)(random, size);
    let protocol = server.framing.protocol()?;
    let encoder = Encoder::new(protocol.framing(Role::Client));
    let mut frame = Vec::new();
    encoder
        .and_then(|mut encoder| encoder.encode(&message, &mut frame))
        .map_err(|error| error.to_string())?;
    let most = frame.len() - 1;
    frame.truncate(1 + random.below(most));
    Ok(frame)
}

fn write_all(link: &dyn Transport, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = patiently(link, || link.write(bytes))?;
        bytes = &bytes[written..];
    }
    deliver(link)
}

/// Ends this side, and sees that the other one is told.
fn finish(link: &dyn Transport) -> io::Result<()> {
    patiently(link, || link.finish())?;
    deliver(link)
}

/// Hands on what the link itself still holds.
fn deliver(link: &dyn Transport) -> io::Result<()> {
    while !patiently(link, || link.flush())? {
        link.wait(Interest::WRITE, &Wait::FOREVER)?;
    }
    Ok(())
}

/// Calls until it neither has to wait nor was interrupted.
fn patiently<T>(link: &dyn Transport, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                link.wait(Interest::WRITE, &Wait::FOREVER)?;
            }
            done => return done,
        }
    }
}

/// A small generator: the demo repeats from its seed (xorshift64*).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// A number from 0 to less than `end`; 0 for an `end` of 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = end.max(1) as u64;
        usize::try_from((self.next() >> 11) % end).unwrap_or(0)
    }
}
