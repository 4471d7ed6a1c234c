//! A service that panics or errs ends its own conversation and no other.

use crate::SHARES_MEMORY;
use crate::help::*;
use std::time::Duration;
use switchboard::server::{Limits, Reply, Service};
use switchboard::{Ending, Error, Message, Transport};

everywhere! {
    a_panic_ends_one_conversation_only,
    one_of_fifty_panics_and_the_others_finish,
    an_error_ends_one_conversation_only,
    a_service_that_cannot_be_made_ends_one_conversation_only,
}

/// Goes wrong in the method that the first message names; the others echo.
struct Trouble {
    at: &'static str,
    panics: bool,
    closed: Noted<u32>,
    /// It has heard a message.
    has_begun: bool,
}

impl Trouble {
    fn at(&self, method: &str) -> Result<(), Error> {
        match self.at == method {
            true if self.panics => std::panic::panic_any("on purpose"),
            true => Err(Error::caller("on purpose")),
            false => Ok(()),
        }
    }
}

impl Service for Trouble {
    fn opened(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.send(b"welcome")?;
        self.at("opened")
    }

    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        self.has_begun = true;
        reply.send(&message)?;
        self.at("message")
    }

    fn finished(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.send(b"goodbye")?;
        reply.close();
        self.at("finished")
    }

    fn tick(&mut self, _: &mut Reply<'_>) -> Result<(), Error> {
        if self.has_begun { self.at("tick") } else { Ok(()) }
    }

    fn closed(&mut self, _: Ending, _: Option<&Error>) {
        self.closed.change(|closed| *closed += 1);
        // It cannot err, only panic.
        if self.panics {
            let _ = self.at("closed");
        }
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        if self.at == "drop" && !std::thread::panicking() {
            std::panic::panic_any("on purpose");
        }
    }
}

/// What its client reads, to the end.
fn read_of(at: &str) -> &'static [u8] {
    match at {
        "opened" => b"welcome\n",
        "message" | "tick" => b"welcome\nhello\n",
        _ => b"welcome\nhello\ngoodbye\n",
    }
}

/// What the client of it reads.
fn goes_wrong_for(stream: &dyn Transport, case: &Case, at: &'static str, what: &str) {
    if at != "opened" {
        write_all(stream, b"hello\n").unwrap();
    }
    if at != "tick" {
        // It may have been told already.
        let _ = stream.finish();
    }
    let (received, is_reset) = read_out(stream, 100);
    assert_eq!(received.escape_ascii().to_string(), read_of(at).escape_ascii().to_string());
    let is_end = at == "closed" || at == "drop";
    assert_eq!(is_reset, case.has_resets() && !is_end, "{what}");
}

fn goes_wrong(case: &Case, at: &'static str, panics: bool) {
    let what = format!("{case}, {at}, panics: {panics}");
    let closed = Noted::<u32>::new();
    let limits = Limits { tick: Some(Duration::from_millis(5)), ..Limits::default() };
    let served = case.start("lines", &limits, {
        let closed = closed.clone();
        let numbers = Numbers::new(9);
        move || {
            let number = numbers.next();
            // The first and the third conversation go well.
            let at = if number == 2 { at } else { "nowhere" };
            Trouble { at, panics, closed: closed.clone(), has_begun: false }
        }
    });
    let mut before = served.client();
    assert_eq!(&*before.recv().unwrap().unwrap(), b"welcome", "{what}");
    match served.try_connect() {
        Ok(stream) => goes_wrong_for(&*stream, case, at, &what),
        // It failed before this side was done connecting.
        Err(error) => assert!(at == "opened" && error.is_reset(), "{what}: {error}"),
    }
    served.wait_for("its end", |stats| stats.open == 1);
    let mut after = served.client();
    assert_eq!(&*after.recv().unwrap().unwrap(), b"welcome", "{what}");
    for client in [&mut before, &mut after] {
        assert_eq!(&*client.request(b"still here").unwrap(), b"still here", "{what}");
    }
    let stats = served.stats();
    let counted = (stats.panicked, stats.failed);
    let expected = if panics { (1, 0) } else { (0, 1) };
    assert_eq!(counted, expected, "{what}");
    // What goes wrong at the very end takes nothing back.
    let is_end = at == "closed" || at == "drop";
    let ending = if is_end { Ending::Finished } else { Ending::Stopped };
    assert_eq!(stats.endings.count(ending), 1, "{what}: {}", stats.endings);
    drop((before, after));
    served.stop();
    // A service that panicked is not called any more.
    let told = if panics && at != "closed" && at != "drop" { 2 } else { 3 };
    assert!(!SHARES_MEMORY || *closed.lock() == told, "{what}");
}

fn a_panic_ends_one_conversation_only() {
    for case in dispatchers(Over::Tcp).into_iter().chain(dispatchers(Over::Pair)) {
        for at in ["opened", "message", "finished", "tick", "closed", "drop"] {
            goes_wrong(&case, at, true);
        }
    }
}

fn one_of_fifty_panics_and_the_others_finish() {
    const OTHERS: usize = 49;
    for case in dispatchers(Over::Tcp) {
        let served = case.start("u32be", &Limits::default(), || {
            |message: &[u8], reply: &mut Reply<'_>| {
                assert_ne!(message, b"panic", "on purpose");
                reply.send(message)
            }
        });
        let mut others: Vec<_> = (0..OTHERS).map(|_| served.connect()).collect();
        let mut victim = served.client();
        let large = requests("u32be", &[pattern(50_000), pattern(10)]);
        // In small pieces, so that most of them are under way when it happens.
        let pieces: Vec<_> = large.chunks(1000).collect();
        let (large, pieces) = (&large, &pieces);
        std::thread::scope(|scope| {
            for stream in others.drain(..) {
                let case = &case;
                scope.spawn(move || {
                    assert!(exchange(&*stream, pieces).unwrap() == *large, "{case}")
                });
            }
            victim.send(b"panic").unwrap();
            assert!(victim.recv().unwrap_err().is_reset(), "{case}");
        });
        drop(victim);
        let stats = served.wait_for("all", |stats| stats.open == 0);
        let ended = |ending| stats.endings.count(ending);
        let expected = (1, 1, OTHERS as u64);
        let found = (stats.panicked, ended(Ending::Stopped), ended(Ending::Finished));
        assert_eq!(found, expected, "{case}: {}", stats.endings);
    }
}

fn an_error_ends_one_conversation_only() {
    for case in dispatchers(Over::Tcp).into_iter().chain(dispatchers(Over::Pair)) {
        for at in ["opened", "message", "finished", "tick"] {
            goes_wrong(&case, at, false);
        }
    }
}

fn a_service_that_cannot_be_made_ends_one_conversation_only() {
    for case in cases() {
        let numbers = Numbers::new(9);
        let served = case.start("lines", &Limits::default(), move || {
            assert_ne!(numbers.next(), 2, "on purpose");
            |message: &[u8], reply: &mut Reply<'_>| reply.send(message)
        });
        let mut before = served.client();
        assert_eq!(&*before.request(b"hello").unwrap(), b"hello", "{case}");
        match served.try_connect_bare() {
            Ok(stream) => {
                assert_eq!(read_out(&*stream, 100), (Vec::new(), case.has_resets()), "{case}");
            }
            Err(error) => assert!(error.is_reset(), "{case}: {error}"),
        }
        let mut after = served.client();
        for client in [&mut before, &mut after] {
            assert_eq!(&*client.request(b"still here").unwrap(), b"still here", "{case}");
        }
        let stats = served.wait_for("two", |stats| stats.open == 2);
        let counted = (stats.accepted, stats.panicked, stats.endings.count(Ending::Stopped));
        assert_eq!(counted, (3, 1, 1), "{case}");
    }
}
