//! A server that is told of dead peers, and then says what is left of them.

use crate::mode::{MUCH, MUCH_BYTES, Mode};
use std::time::Duration;
use switchboard::server::Server;
use switchboard::{Conversation, Dispatch, Ending, Error, Message, Reply, Service, deadline};

/// What a server runs under: every dispatcher, by its name, and the blocking conversations.
pub(crate) fn hows() -> impl Iterator<Item = &'static str> {
    Dispatch::NAMES.into_iter().chain(["conversations"])
}

/// Conversations that each server has.
pub(crate) const CONVERSATIONS: usize = 3;

/// A service that greets, and sends much if it is asked to.
#[derive(Default)]
struct Greeter {
    /// What the peer called itself.
    name: String,
}

impl Service for Greeter {
    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        if &*message == MUCH {
            return reply.send(&vec![7; MUCH_BYTES]);
        }
        self.name = String::from_utf8_lossy(&message).into_owned();
        reply.send(&message)
    }

    fn closed(&mut self, ending: Ending, error: Option<&Error>) {
        told(&self.name, ending.name(), error);
    }
}

/// Says how a conversation has ended.
pub(crate) fn told(name: &str, ending: &str, error: Option<&Error>) {
    let after = error.and_then(Error::after).unwrap_or(Duration::ZERO);
    let text = error.map_or_else(String::new, Error::to_string);
    println!("ended {name} {ending} {} {text}", after.as_millis());
}

pub(crate) fn run(how: &str, mode: Mode) {
    let before = left();
    let server = Server::new("u32be").unwrap().listen("10.77.0.1:0").unwrap();
    let server = server.with_conversations_in_all(CONVERSATIONS as u64);
    let server = server.with_liveness(mode.liveness()).with_limits(mode.limits());
    println!("{}", server.endpoints()[0].to_string().trim_start_matches("tcp://"));
    let stats = match how {
        "conversations" => server.serve_conversations(converse),
        how => {
            let dispatch: Dispatch = how.parse().unwrap();
            server.with_dispatch(dispatch).serve(Greeter::default)
        }
    };
    let stats = stats.unwrap();
    println!("over {} {}", stats.open, stats.endings);
    nothing_is_left(before);
}

fn converse(conversation: &mut Conversation) -> Result<(), Error> {
    let mut name = String::new();
    let mut talk = || {
        while let Some(message) = conversation.recv_owned()? {
            if message == MUCH {
                conversation.send(&vec![7; MUCH_BYTES])?;
            } else {
                name = String::from_utf8_lossy(&message).into_owned();
                conversation.send(&message)?;
            }
        }
        Ok(())
    };
    let talked: Result<(), Error> = talk();
    let error = talked.as_ref().err();
    told(&name, error.and_then(Error::ending).map_or("none", Ending::name), error);
    talked
}

/// Threads, descriptors and child processes of this process.
pub(crate) fn left() -> [usize; 3] {
    let count = |path: &str| std::fs::read_dir(path).unwrap().count();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let children = tasks.map(|task| {
        // A thread may end while it is looked at.
        let children = std::fs::read_to_string(task.unwrap().path().join("children"));
        children.unwrap_or_default().split_whitespace().count()
    });
    [count("/proc/self/task"), count("/proc/self/fd"), children.sum()]
}

/// A thread that has been joined takes a moment more to leave the kernel's list.
pub(crate) fn nothing_is_left(before: [usize; 3]) {
    let end = deadline::after(Duration::from_secs(20));
    while left() != before && !deadline::has_passed(end) {
        std::thread::yield_now();
    }
    assert_eq!(left(), before, "threads, descriptors, child processes");
}
