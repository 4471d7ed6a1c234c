//! What a service is told at the end of its conversation.

use crate::help::*;
use std::sync::mpsc;
use switchboard::server::{Dispatch, Reply, Server, Service};
use switchboard::{Ending, Error, Message};

/// Says how it ended.
struct Told(mpsc::Sender<(Ending, Option<Error>)>);

impl Service for Told {
    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.send(&message)
    }

    fn closed(&mut self, ending: Ending, error: Option<&Error>) {
        self.0.send((ending, error.cloned())).unwrap();
    }
}

/// What is told of a conversation in which a client sends these bytes and then ends.
fn told(dispatch: Dispatch, framing: &str, bytes: &[u8]) -> (Ending, Option<Error>) {
    let (tells, told) = mpsc::channel();
    let server = Server::new(framing).unwrap().listen("127.0.0.1:0").unwrap();
    let running = server.with_dispatch(dispatch).start(move || Told(tells.clone())).unwrap();
    let client = connect(&running.endpoints()[0]);
    write_all(&*client, bytes).unwrap();
    client.finish().unwrap();
    read_to_end(&*client).unwrap();
    let told = told.recv().unwrap();
    running.stop().unwrap();
    told
}

#[test]
fn the_error_has_what_had_come_of_a_message_that_was_broken_off() {
    for dispatch in [Dispatch::threads(), Dispatch::events()] {
        let (ending, error) = told(dispatch.clone(), "netstring", b"2:ok,5:hel");
        assert_eq!(ending, Ending::Truncated, "{dispatch}");
        assert_eq!(error.unwrap().partial(), b"5:hel", "{dispatch}");
    }
}

#[test]
fn the_error_shows_the_bytes_around_the_one_that_is_wrong() {
    for dispatch in [Dispatch::threads(), Dispatch::events()] {
        let (ending, error) = told(dispatch.clone(), "netstring", b"2:ok,1:xy and more");
        assert_eq!(ending, Ending::BadTrailer, "{dispatch}");
        let error = error.unwrap();
        assert_eq!(error.around(), Some((5, &b"1:xy and more"[..])), "{dispatch}");
        let (_, error) =
            told(dispatch, "netstring", b"40:0123456789012345678901234567890123456789;");
        assert_eq!(error.unwrap().around(), Some((27, &b"4567890123456789;"[..])));
    }
}

#[test]
fn a_stop_answers_every_whole_message_that_has_come() {
    // More than a service is given in one turn, and more answers than the buffers between the two
    // hold.
    for (count, size) in [(5_000, 1), (50, 500_000)] {
        for dispatch in [Dispatch::threads(), Dispatch::events()] {
            let server = Server::new("lines").unwrap().listen("127.0.0.1:0").unwrap();
            let answer = vec![b'x'; size];
            let service = move || {
                let answer = answer.clone();
                move |_: &[u8], reply: &mut Reply<'_>| reply.send(&answer)
            };
            let running = server.with_dispatch(dispatch.clone()).start(service).unwrap();
            let client = connect(&running.endpoints()[0]);
            write_all(&*client, b"a\n").unwrap();
            read_exact(&*client, size + 1);
            write_all(&*client, "a\n".repeat(count).as_bytes()).unwrap();
            write_all(&*client, b"no whole one").unwrap();
            running.handle().stop();
            let answers = read_to_end(&*client).unwrap().len() / (size + 1);
            assert_eq!(answers, count, "{size} bytes each under {dispatch}");
            drop(client);
            assert_eq!(running.join().unwrap().messages_received, 1 + count as u64);
        }
    }
}
