//! This side of the cable: lays it, has everyone meet, pulls it, and judges by the time.

use crate::mode::Mode;
use crate::serve::{CONVERSATIONS, hows};
use crate::{CANNOT, role};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use switchboard::deadline;

/// How late an ending may be.
const TOLERANCE: Duration = Duration::from_secs(1);

/// How long anything else may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process in a role, which talks by lines.
struct Part {
    name: String,
    mode: Mode,
    child: Child,
    stdin: ChildStdin,
    /// Each line, and when it came.
    lines: Receiver<(Instant, String)>,
}

pub(crate) fn run() -> ExitCode {
    let mut peers = Part::start(&["unshare", "--net"], "peers", Mode::Liveness);
    let Some(_here) = peers.try_line() else { return cannot("no second namespace") };
    let pid = peers.child.id();
    let laid = ip(&format!("link add switchboard0 type veth peer name switchboard1 netns {pid}"));
    if let Err(why) = laid {
        return cannot(&why);
    }
    ip("addr add 10.77.0.1/24 dev switchboard0").unwrap();
    ip("link set switchboard0 up").unwrap();
    peers.order("plug");

    let (servers, mut clients) = start_all();
    let endpoints: Vec<String> = servers.iter().map(Part::line).collect();
    for client in &clients {
        assert_eq!(client.line(), "ready");
    }
    for (server, endpoint) in servers.iter().zip(endpoints) {
        // TCP alone is found out by what a heartbeat sends to someone idle.
        let names =
            if server.mode == Mode::Heartbeat { "idle idle idle" } else { "idle rest much" };
        peers.order(&format!("meet {endpoint} {names}"));
    }
    for client in &mut clients {
        peers.tell("listen");
        client.tell(&peers.line());
        peers.order(&format!("accept {CONVERSATIONS}"));
    }
    peers.order("pull");
    let cut = deadline::now();
    for part in servers.into_iter().chain(clients) {
        part.judge(cut);
    }
    // With its stdin closed it ends.
    drop(peers);
    ExitCode::SUCCESS
}

fn start_all() -> (Vec<Part>, Vec<Part>) {
    let mut servers = Vec::new();
    for how in hows() {
        for mode in [Mode::Liveness, Mode::Clocks, Mode::Heartbeat] {
            // A blocking conversation has no heartbeat of its own.
            if how != "conversations" || mode != Mode::Heartbeat {
                servers.push(Part::start(&[], &format!("serve {how} {mode:?}"), mode));
            }
        }
    }
    let modes = [Mode::Liveness, Mode::Clocks];
    let clients = modes.map(|mode| Part::start(&[], &format!("call {mode:?}"), mode));
    (servers, clients.into())
}

/// Where the peers of a server or a client stop: idle, amid a message, amid what they are sent.
fn names(mode: Mode) -> [&'static str; CONVERSATIONS] {
    match mode {
        // It is someone idle that only a heartbeat finds out about.
        Mode::Heartbeat => ["idle"; CONVERSATIONS],
        Mode::Liveness | Mode::Clocks => ["idle", "rest", "much"],
    }
}

fn cannot(why: &str) -> ExitCode {
    println!("{why}");
    ExitCode::from(u8::try_from(CANNOT).unwrap())
}

/// Runs `ip` of iproute2.
pub(crate) fn ip(arguments: &str) -> Result<(), String> {
    let ran = Command::new("ip").args(arguments.split_whitespace()).output();
    let ran = ran.map_err(|error| format!("ip (of iproute2): {error}"))?;
    let why = String::from_utf8_lossy(&ran.stderr);
    if ran.status.success() { Ok(()) } else { Err(format!("ip {arguments}: {why}")) }
}

impl Part {
    fn start(unshare: &[&str], what: &str, mode: Mode) -> Part {
        let mut command = role(unshare, what);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (found, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if found.send((deadline::now(), line)).is_err() {
                    return;
                }
            }
        });
        Part { name: what.to_owned(), mode, child, stdin, lines }
    }

    fn try_line(&self) -> Option<String> {
        self.lines.recv_timeout(PATIENCE).ok().map(|(_, line)| line)
    }

    fn line(&self) -> String {
        self.try_line().unwrap_or_else(|| panic!("{} says nothing", self.name))
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// Tells, and waits until it is done.
    fn order(&mut self, line: &str) {
        self.tell(line);
        assert_eq!(self.line(), "done", "{line}");
    }

    /// Each of its conversations has ended as it should and when it should, and then all is over.
    fn judge(mut self, cut: Instant) {
        let (name, mode) = (self.name.clone(), self.mode);
        let mut ended = Vec::new();
        loop {
            let next = self.lines.recv_timeout(PATIENCE);
            let (when, line) = next.unwrap_or_else(|_| panic!("{name} does not end: {ended:?}"));
            let late = when.saturating_duration_since(cut);
            assert!(late <= mode.time() + TOLERANCE, "{name}: {line}: {late:?} after the cut");
            let words: Vec<&str> = line.splitn(5, ' ').collect();
            match words[..] {
                ["ended", who, ending, after, text] => {
                    assert_eq!(ending, mode.ending(), "{name}: {line}");
                    let after = Duration::from_millis(after.parse().unwrap());
                    let likely = Duration::from_secs(1)..mode.time() + TOLERANCE;
                    assert!(likely.contains(&after), "{name}: {line}");
                    assert!(text.contains(" after "), "{name}: {line}");
                    ended.push(who.to_owned());
                }
                ["over", open, ..] => {
                    assert_eq!(open, "0", "{name}: a place is still taken");
                    break;
                }
                _ => panic!("{name}: {line}"),
            }
        }
        ended.sort();
        let mut expected = names(mode);
        expected.sort_unstable();
        assert_eq!(ended, expected, "{name}");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{name}: {status}");
    }
}

impl Drop for Part {
    /// Whoever fails leaves nobody behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
