//! Erlang's `gen_tcp` with its own framings, as a client of `swb serve` and as a server to
//! `swb send`.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{Process, Scratch, programs, run};
use crate::swb::{Echo, send};

/// What Erlang calls a framing, and what we call it.
const FRAMINGS: [(&str, &str); 4] =
    [("1", "u8"), ("2", "u16be"), ("4", "u32be"), ("line", "lines")];

fn escript(scratch: &Scratch) -> Option<Command> {
    let [escript] = programs(["escript"])?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/gen_tcp.escript");
    let mut command = Command::new(escript);
    command.arg(program).env("HOME", scratch.path()).stdin(Stdio::null());
    Some(command)
}

#[test]
fn gen_tcp_is_a_client_of_swb_serve() {
    let scratch = Scratch::new("erlang");
    for (packet, frame) in FRAMINGS {
        let Some(mut command) = escript(&scratch) else { return };
        let echo = Echo::start(frame);
        command.args(["client", packet, &echo.port.to_string(), "200"]);
        assert_eq!(run(&mut command).ok(), "echoed 200\n", "{{packet, {packet}}}");
    }
}

#[test]
fn gen_tcp_is_a_server_to_swb_send() {
    let scratch = Scratch::new("erlang");
    for (packet, frame) in FRAMINGS {
        let Some(mut command) = escript(&scratch) else { return };
        let mut server = Process::start(command.args(["server", packet]));
        let line = server.line_with("port ").expect("escript ended early");
        let port = line.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
        let replies = send(port, frame, "a message", 50);
        assert_eq!(replies, ["a message"; 50], "{{packet, {packet}}}");
        assert!(server.finish().ok().ends_with("served 50\n"), "{{packet, {packet}}}");
    }
}
