//! Twisted's receivers, as clients of `swb serve` and as servers to `swb send`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Process, run, skip};
use crate::swb::{Echo, send};

/// Twisted's name, and ours.
const FRAMINGS: [(&str, &str); 3] =
    [("int32", "int32"), ("netstring", "netstring"), ("line", "crlf")];

/// A Python that has Twisted: the one `scripts/install` makes, or the system's.
fn python() -> Option<Command> {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut candidates = vec![build.join("peers/venv/bin/python")];
    candidates.push(PathBuf::from("python3"));
    let has_twisted = |python: &PathBuf| {
        let mut command = Command::new(python);
        command.args(["-c", "import twisted"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let Some(python) = candidates.into_iter().find(has_twisted) else {
        skip("no python3 has twisted; scripts/install brings it");
        return None;
    };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/twisted_echo.py");
    let mut command = Command::new(python);
    command.arg(program).stdin(Stdio::null()).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(command)
}

#[test]
fn twisted_is_a_client_of_swb_serve() {
    for (receiver, frame) in FRAMINGS {
        let Some(mut command) = python() else { return };
        let echo = Echo::start(frame);
        command.args(["client", receiver, &echo.port.to_string(), "200"]);
        assert_eq!(run(&mut command).ok(), "echoed 200\n", "{receiver}");
    }
}

#[test]
fn twisted_is_a_server_to_swb_send() {
    for (receiver, frame) in FRAMINGS {
        let Some(mut command) = python() else { return };
        let mut server = Process::start(command.args(["server", receiver]));
        let line = server.line_with("port ").expect("python ended early");
        let port = line.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
        let replies = send(port, frame, "a message", 50);
        assert_eq!(replies, ["a message"; 50], "{receiver}");
        assert!(server.finish().ok().ends_with("served 50\n"), "{receiver}");
    }
}
