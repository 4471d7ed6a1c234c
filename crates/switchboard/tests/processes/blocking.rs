//! Blocking conversations, each in a process of its own; and serving in the process that calls.

use crate::help::*;
use crate::runner::{self, Test};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use switchboard::server::{Handle, Server};
use switchboard::{Conversation, Error, Timeouts};

tests! {
    a_blocking_conversation_answers_and_closes,
    a_panic_an_error_or_an_abort_ends_one_only,
    a_stop_ends_every_wait,
}

/// Serves in its own process, in the way that its stdin says, and tells how it went.
pub(crate) const PROGRAM: Test = ("blocking::program", program);

fn program() {
    let mut way = String::new();
    std::io::stdin().read_line(&mut way).unwrap();
    let (_, dispatch) = crate::ways().swap_remove(way.trim().parse().unwrap());
    let server = Server::new("lines").unwrap().with_dispatch(dispatch);
    let server = server.listen("127.0.0.1:0").unwrap();
    let handle = server.handle();
    println!("{}", server.endpoints()[0]);
    let stats = server.serve_conversations(|conversation| echo(conversation, &handle)).unwrap();
    let crashed = stats.crashed;
    print!("{} accepted, {} open, {}, ", stats.accepted, stats.open, stats.endings);
    println!("{} panicked, {} failed, {crashed} crashed", stats.panicked, stats.failed);
}

fn echo(conversation: &mut Conversation, handle: &Handle) -> Result<(), Error> {
    while let Some(message) = conversation.recv_owned()? {
        match &message[..] {
            b"panic" => std::panic::panic_any("on purpose"),
            b"fail" => return Err(Error::caller("told to fail")),
            b"abort" => std::process::abort(),
            b"close" => return Ok(()),
            b"stop" => handle.stop(),
            _ => conversation.queue(&message)?,
        }
    }
    Ok(())
}

/// The program, while it serves.
struct Served {
    child: Child,
    endpoint: String,
    lines: BufReader<std::process::ChildStdout>,
}

/// One for each way.
fn each() -> Vec<Served> {
    let start = |way| {
        let mut program = runner::program(PROGRAM);
        let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{way}").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut endpoint = String::new();
        lines.read_line(&mut endpoint).unwrap();
        Served { child, endpoint: endpoint.trim().to_owned(), lines }
    };
    (0..crate::ways().len()).map(start).collect()
}

impl Served {
    fn connect(&self) -> Conversation {
        let client = Conversation::connect(&self.endpoint, "lines").unwrap();
        client.with_timeouts(Timeouts::all(PATIENCE))
    }

    /// What it tells at its end; nobody stays behind with its stdout.
    fn told(mut self) -> String {
        let mut told = String::new();
        self.lines.read_to_string(&mut told).unwrap();
        assert!(self.child.wait().unwrap().success());
        told
    }
}

/// Has the server stop, from within one of its conversations.
fn stop(served: &Served) {
    let mut client = served.connect();
    client.send(b"stop").unwrap();
    assert!(client.recv().unwrap().is_none());
}

fn a_blocking_conversation_answers_and_closes() {
    for served in each() {
        let mut client = served.connect();
        client.send_many(["a", "b", "c"]).unwrap();
        client.finish().unwrap();
        let all: Result<Vec<_>, Error> = client.messages().collect();
        assert_eq!(all.unwrap(), [b"a", b"b", b"c"]);
        let mut client = served.connect();
        client.send_many(["a", "close", "b"]).unwrap();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"a");
        assert!(client.recv().unwrap().is_none());
        drop(client);
        stop(&served);
        let expected = "3 accepted, 0 open, finished 1, stopped 2, ";
        assert_eq!(served.told(), format!("{expected}0 panicked, 0 failed, 0 crashed\n"));
    }
}

fn a_panic_an_error_or_an_abort_ends_one_only() {
    for served in each() {
        let mut other = served.connect();
        for request in ["panic", "fail", "abort"] {
            let mut client = served.connect();
            client.send_many([request]).unwrap();
            assert!(client.recv().unwrap_err().is_reset(), "{request}");
            assert_eq!(&*other.request(b"still here").unwrap(), b"still here");
        }
        other.close().unwrap();
        stop(&served);
        let expected = "5 accepted, 0 open, finished 1, stopped 4, ";
        assert_eq!(served.told(), format!("{expected}1 panicked, 1 failed, 1 crashed\n"));
    }
}

fn a_stop_ends_every_wait() {
    for served in each() {
        let mut clients: Vec<_> = (0..5).map(|_| served.connect()).collect();
        for client in &mut clients {
            assert_eq!(&*client.request(b"hello").unwrap(), b"hello");
        }
        stop(&served);
        for client in &mut clients {
            assert!(client.recv().unwrap().is_none());
        }
        drop(clients);
        let expected = "6 accepted, 0 open, stopped 6, ";
        assert_eq!(served.told(), format!("{expected}0 panicked, 0 failed, 0 crashed\n"));
    }
}
