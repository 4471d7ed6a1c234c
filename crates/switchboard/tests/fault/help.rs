//! A conversation under a plan, driven by hand: its time is a number.

use std::time::{Duration, Instant};
use switchboard::deadline;
use switchboard::frame::{Protocol, Role};
use switchboard::transport::fault::{Fault, Link, Over, Plan, Record, Turn};

pub(crate) const CLIENT: Role = Role::Client;
pub(crate) const SERVER: Role = Role::Server;

/// Past this nothing is waited for: the bounds of silences are.
const HORIZON: Duration = Duration::from_secs(300);

/// The framing `""` is none.
pub(crate) fn protocol(framing: &str) -> Option<Protocol> {
    (!framing.is_empty()).then(|| framing.parse().unwrap())
}

pub(crate) fn plan(framing: &str, faults: &[&str]) -> Plan {
    let faults = faults.iter().map(|text| text.parse::<Fault>().unwrap());
    Plan::new(faults, protocol(framing).as_ref()).unwrap()
}

/// A link and its clock.
pub(crate) struct World {
    pub(crate) link: Link,
    pub(crate) began: Instant,
    pub(crate) now: Instant,
    /// What went out: `10 c2s bytes`, the time in milliseconds.
    pub(crate) out: Vec<String>,
    pub(crate) records: Vec<Record>,
}

impl World {
    pub(crate) fn new(framing: &str, faults: &[&str]) -> World {
        World::of(framing, faults, 7, 1)
    }

    pub(crate) fn of(framing: &str, faults: &[&str], seed: u64, conversation: u64) -> World {
        let began = deadline::now();
        let plan = plan(framing, faults);
        let link = Link::new(&plan, protocol(framing).as_ref(), seed, conversation, began);
        World { link, began, now: began, out: Vec::new(), records: Vec::new() }
    }

    /// `writer` writes, and whatever may go at once goes.
    pub(crate) fn write(&mut self, writer: Role, bytes: &[u8]) -> &mut World {
        assert!(self.link.reads(writer), "{writer} is not read");
        self.link.received(writer, bytes, self.now);
        self.turns();
        self
    }

    pub(crate) fn client(&mut self, bytes: &str) -> &mut World {
        self.write(CLIENT, bytes.as_bytes())
    }

    pub(crate) fn server(&mut self, bytes: &str) -> &mut World {
        self.write(SERVER, bytes.as_bytes())
    }

    pub(crate) fn end(&mut self, writer: Role) -> &mut World {
        self.link.ended(writer, self.now);
        self.turns();
        self
    }

    /// Goes to `millis` after the beginning, doing on the way what is due.
    pub(crate) fn at(&mut self, millis: u64) -> &mut World {
        let until = self.began + Duration::from_millis(millis);
        self.run_until(until);
        self.now = until;
        self.turns();
        self
    }

    /// Does all that only needs time.
    pub(crate) fn run(&mut self) -> &mut World {
        self.run_until(self.began + HORIZON);
        self
    }

    fn run_until(&mut self, until: Instant) {
        self.turns();
        for _ in 0..100_000 {
            match self.link.deadline(self.now) {
                Some(at) if at <= until && self.link.over().is_none() => {
                    self.now = self.now.max(at);
                    self.turns();
                }
                _ => return,
            }
        }
        panic!("there is always something to do: {:?}", self.out);
    }

    fn turns(&mut self) {
        self.link.tick(self.now);
        for writer in [CLIENT, SERVER] {
            let direction = if writer == CLIENT { "c2s" } else { "s2c" };
            let time = (self.now - self.began).as_millis();
            loop {
                let (what, count) = match self.link.turn(writer, self.now) {
                    Turn::Wait => break,
                    Turn::Finish => ("fin".to_owned(), None),
                    Turn::Write(bytes) => (bytes.escape_ascii().to_string(), Some(bytes.len())),
                };
                self.out.push(format!("{time} {direction} {what}"));
                if let Some(count) = count {
                    self.link.wrote(writer, count, self.now);
                }
            }
        }
        self.records.extend(self.link.take_records());
        if self.link.over() == Some(Over::Reset) && !self.out.iter().any(|it| it.ends_with(" rst"))
        {
            self.out.push(format!("{} rst", (self.now - self.began).as_millis()));
        }
    }

    pub(crate) fn takes(&mut self, expected: &[&str]) -> &mut World {
        assert_eq!(self.out, expected);
        self.out.clear();
        self
    }

    /// What was told since the last time: `c2s 1 @0: done`, a `-` where there is no message.
    pub(crate) fn tells(&mut self, expected: &[&str]) -> &mut World {
        assert_eq!(told(&self.records), expected);
        self.records.clear();
        self
    }

    /// The bytes that went out of what `direction` names, without their times.
    pub(crate) fn bytes(&self, direction: &str) -> String {
        let parts = self.out.iter().filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            let is_it = words.nth(1) == Some(direction);
            words.next().filter(|what| is_it && *what != "fin")
        });
        parts.collect()
    }
}

pub(crate) fn told(records: &[Record]) -> Vec<String> {
    let direction = |writer: Option<Role>| match writer {
        Some(Role::Client) => "c2s",
        Some(Role::Server) => "s2c",
        None => "both",
    };
    let tell = |record: &Record| match record {
        Record::Injection(it) => {
            let message = it.message.map_or("-".to_owned(), |n| n.to_string());
            format!("{} {message} @{}: {}", direction(it.writer), it.offset, it.done)
        }
        Record::Unframed { writer, offset, why, .. } => {
            format!("{} unframed @{offset}: {why}", direction(Some(*writer)))
        }
        other => format!("{other:?}"),
    };
    records.iter().map(tell).collect()
}
