//! Work that takes long, under event loops: a few workers look for the smallest divisor.
//!
//! usage: slow_work [ENDPOINT [WORKERS]]        default: 127.0.0.1:7009 4

#![expect(clippy::print_stderr, reason = "a program talks to its user")]

use std::env::args;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use switchboard::server::{Limits, Pending};
use switchboard::{Dispatch, Error, Reply, Server};

fn smallest_divisor(number: u64) -> u64 {
    (2..).take_while(|n| *n <= number / n).find(|n| number.is_multiple_of(*n)).unwrap_or(number)
}

/// A worker: takes the next number, and keeps the promise.
fn work(queue: &Mutex<Receiver<(u64, Pending)>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, answer)) = next else { return }; // The server has ended.
        let _ = answer.send(smallest_divisor(number).to_string()); // Whoever asked may have gone.
    }
}

fn serve(endpoint: &str, workers: usize) -> Result<(), Error> {
    // So many numbers of one conversation may be under way; then nothing more is read from it.
    let limits = Limits { later_max: 16, ..Limits::default() };
    let server = Server::new("lines")?.listen(endpoint)?.with_limits(limits);
    eprintln!("listening on {}", server.endpoints()[0]);
    let (sender, queue) = channel();
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        (0..workers).for_each(|_| drop(scope.spawn(|| work(&queue))));
        let service = move || {
            let sender = sender.clone();
            move |line: &[u8], reply: &mut Reply<'_>| {
                match std::str::from_utf8(line).ok().and_then(|line| line.parse().ok()) {
                    Some(number) => drop(sender.send((number, reply.later()))),
                    None => reply.send(b"that is no number")?,
                }
                Ok(())
            }
        };
        server.with_dispatch(Dispatch::events()).serve(service).map(drop)
    })
}

fn main() -> ExitCode {
    let endpoint = args().nth(1).unwrap_or("127.0.0.1:7009".to_owned());
    let Some(workers) = args().nth(2).map_or(Some(4), |workers| workers.parse().ok()) else {
        eprintln!("usage: slow_work [ENDPOINT [WORKERS]]");
        return ExitCode::from(2);
    };
    let served = serve(&endpoint, workers).inspect_err(|error| eprintln!("slow_work: {error}"));
    served.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
