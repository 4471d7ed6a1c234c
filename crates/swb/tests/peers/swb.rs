//! The command under test: started, and what it printed read.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Process, run};

pub(crate) fn swb() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swb"));
    command.stdin(Stdio::null());
    command
}

/// `swb tap` between a client and a server.
pub(crate) struct Tap {
    process: Process,
    pub(crate) port: u16,
}

/// `swb serve` on a port of its own.
pub(crate) struct Serve {
    process: Process,
    pub(crate) port: u16,
}

impl Serve {
    pub(crate) fn start(args: &[&str]) -> Serve {
        let mut process = Process::start(swb().args(["serve", "127.0.0.1:0"]).args(args));
        let line = process.line_with("listening on ").expect("swb serve ended before it listened");
        let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        Serve { process, port }
    }

    /// What it has told when it was asked to end.
    pub(crate) fn stop(self) -> String {
        let ended = self.process.stop();
        assert_eq!(ended.status.code(), Some(143), "{}", ended.stderr);
        ended.stderr
    }
}

/// `swb chaos` between a client and a server.
pub(crate) struct Chaos {
    process: Process,
    pub(crate) port: u16,
}

impl Chaos {
    pub(crate) fn start(upstream: u16, frame: &str, faults: &[&str]) -> Chaos {
        let mut command = swb();
        command.args(["chaos", "127.0.0.1:0", &format!("127.0.0.1:{upstream}"), "--frame", frame]);
        command.args(faults.iter().flat_map(|fault| ["--fault", fault]));
        let mut process = Process::start(&mut command).stopped_by("INT");
        let line = process.line_with("listening on ").expect("swb chaos ended before it listened");
        let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        Chaos { process, port }
    }

    /// How many faults it has done, once every conversation has ended.
    pub(crate) fn injections(self) -> usize {
        let stdout = self.process.stop().ended_with(130);
        stdout.lines().filter(|line| line.starts_with(r#"{"type":"injection""#)).count()
    }
}

/// What a tap saw.
pub(crate) struct Seen {
    pub(crate) messages: Vec<Message>,
    /// `(direction, why)` of every stream that could be read no further.
    pub(crate) raw: Vec<(String, String)>,
    /// `(direction, ending)` of every stream.
    pub(crate) ends: Vec<(String, String)>,
}

pub(crate) struct Message {
    pub(crate) conversation: u64,
    pub(crate) from_client: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Tap {
    /// Between a port chosen here and `upstream`, a port of this machine.
    pub(crate) fn start(upstream: u16, frame: &str) -> Tap {
        let upstream = format!("127.0.0.1:{upstream}");
        let mut command = swb();
        command.args(["tap", "127.0.0.1:0", &upstream, "--frame", frame, "--json"]);
        let mut process = Process::start(&mut command).stopped_by("INT");
        let line = process.line_with("listening on ").expect("swb tap ended before it listened");
        let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        Tap { process, port }
    }

    /// What it has seen when every conversation has ended, and that it ends well.
    pub(crate) fn seen(self) -> Seen {
        // Interrupted is what it was, after the conversations under way have ended.
        let stdout = self.process.stop().ended_with(130);
        let mut seen = Seen { messages: Vec::new(), raw: Vec::new(), ends: Vec::new() };
        for line in stdout.lines() {
            let value: Value = serde_json::from_str(line).expect(line);
            let text = |key: &str| value[key].as_str().expect(line).to_owned();
            match value["type"].as_str() {
                Some("message") => seen.messages.push(message(&value, line)),
                Some("raw") => seen.raw.push((text("direction"), text("why"))),
                Some("end") => seen.ends.push((text("direction"), text("ending"))),
                other => panic!("a line of a type that is not described: {other:?} in {line}"),
            }
        }
        seen
    }
}

fn message(value: &Value, line: &str) -> Message {
    let bytes = unhex(value["hex"].as_str().expect(line));
    let from_client = match value["direction"].as_str() {
        Some("client") => true,
        Some("server") => false,
        other => panic!("no direction: {other:?} in {line}"),
    };
    assert!(value["time"].is_string() || value["time"].is_number(), "no time: {line}");
    let frame_bytes = value["frame_bytes"].as_u64().expect(line);
    assert!(frame_bytes >= bytes.len() as u64, "less on the wire than delivered: {line}");
    Message { conversation: value["conversation"].as_u64().expect(line), from_client, bytes }
}

impl Seen {
    /// The messages that a client or a server wrote, of every conversation.
    pub(crate) fn from(&self, client: bool) -> impl Iterator<Item = &[u8]> {
        self.messages.iter().filter(move |m| m.from_client == client).map(|m| &m.bytes[..])
    }

    /// How many messages the client (or the server) wrote for which `this` holds.
    pub(crate) fn count(&self, client: bool, this: impl Fn(&[u8]) -> bool) -> usize {
        self.from(client).filter(|bytes| this(bytes)).count()
    }

    /// That everything was framed to the end, and every stream ended at a frame's edge.
    pub(crate) fn assert_whole(&self) {
        assert_eq!(self.raw, [], "read no further");
        assert!(!self.ends.is_empty(), "no ending was told");
        let bad: Vec<_> = self.ends.iter().filter(|(_, ending)| ending != "finished").collect();
        assert!(bad.is_empty(), "{bad:?}");
    }
}

/// `swb serve :0 --frame F echo`.
pub(crate) struct Echo {
    _process: Process,
    pub(crate) port: u16,
}

impl Echo {
    pub(crate) fn start(frame: &str) -> Echo {
        let mut command = swb();
        command.args(["serve", "127.0.0.1:0", "--frame", frame, "--print-endpoint", "echo"]);
        let mut process = Process::start(&mut command).stopped_by("INT");
        let line = process.line_with("tcp://127.0.0.1:").expect("swb serve ended early");
        let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        Echo { _process: process, port }
    }
}

/// `swb send` of `count` times `data`: the replies, a line each.
pub(crate) fn send(port: u16, frame: &str, data: &str, count: usize) -> Vec<String> {
    let endpoint = format!("127.0.0.1:{port}");
    let mut command = swb();
    command.args(["send", &endpoint, "--frame", frame, "--data", data]);
    command.args(["--count", &count.to_string()]);
    run(&mut command).ok().lines().map(str::to_owned).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "half a byte: {text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Whether `bytes` holds `text`.
pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
