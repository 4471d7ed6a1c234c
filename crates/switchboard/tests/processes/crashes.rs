//! A crash ends one conversation, tells its peer, and nothing else happens.

use crate::help::*;
use crate::proc;
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use switchboard::server::{Limits, Reply, Stats};
use switchboard::{Conversation, Dispatch, Ending, Error, Timeouts};

tests! {
    one_of_fifty_crashes_and_the_others_finish,
    a_crash_at_the_end_is_no_second_ending,
    what_a_crashed_one_had_queued_is_taken_off,
    a_pool_replaces_who_is_killed_without_a_conversation,
    crashes_are_told_apart_when_nobody_waits_for_children,
}

/// A server in a process whose children are cleared away by the system: see the last test.
pub(crate) const PROGRAM: crate::runner::Test = ("crashes::unattended", unattended);

const CONVERSATIONS: usize = 50;

/// Both ways, with room for all.
fn roomy() -> Vec<Case> {
    let ways = dispatchers(Over::Tcp).into_iter().chain(dispatchers(Over::Unix));
    let roomy = |mut case: Case| {
        if case.to_string().contains("pool") {
            case.dispatch = Dispatch::processes().with_pool(CONVERSATIONS);
        }
        case
    };
    ways.map(roomy).collect()
}

/// Echoes, or dies of what it is told.
fn mortal() -> impl Fn(&[u8], &mut Reply<'_>) -> Result<(), Error> {
    |message, reply| {
        match message {
            b"abort" => std::process::abort(),
            b"exit 0" => std::process::exit(0),
            b"exit 3" => std::process::exit(3),
            b"segfault" => loop {
                // The first one is caught by the standard library, which then lets go.
                proc::signal(std::process::id(), Signal::SEGV);
            },
            b"kill" => loop {
                proc::signal(std::process::id(), Signal::KILL);
            },
            _ => reply.send(message),
        }
    }
}

fn one_of_fifty_crashes_and_the_others_finish() {
    for case in roomy() {
        let served = case.start("u32be", &Limits::default(), mortal);
        let deaths = ["abort", "exit 0", "exit 3", "segfault", "kill"];
        for (number, death) in (1..).zip(deaths) {
            let mut clients: Vec<_> = (0..CONVERSATIONS).map(|_| served.client()).collect();
            for client in &mut clients {
                assert_eq!(&*client.request(b"hello").unwrap(), b"hello", "{case}");
            }
            let mut victim = clients.remove(7);
            std::thread::scope(|scope| {
                for (place, client) in clients.into_iter().enumerate() {
                    scope.spawn(move || works(client, place));
                }
                victim.send(death.as_bytes()).unwrap();
                match case.over {
                    Over::Tcp => assert!(victim.recv().unwrap_err().is_reset(), "{case}, {death}"),
                    // Which has no resets.
                    _ => assert!(victim.recv().unwrap().is_none(), "{case}, {death}"),
                }
            });
            drop(victim);
            let stats = served.wait_for(death, |stats| stats.open == 0);
            let others = number * (CONVERSATIONS as u64 - 1);
            let ended = |ending| stats.endings.count(ending);
            assert_eq!(
                (stats.crashed, ended(Ending::Stopped)),
                (number, number),
                "{case}, {death}"
            );
            assert_eq!(ended(Ending::Finished), others, "{case}, {death}: {}", stats.endings);
            // What the crashed one had counted before it died stays.
            assert_eq!(stats.messages_sent, others * 21 + number, "{case}, {death}");
        }
        served.stop();
    }
}

/// Has everything echoed, and ends.
fn works(mut client: Conversation, seed: usize) {
    for round in 1..20 {
        let message = pattern(round * 1_000 + seed);
        assert!(client.request(&message).unwrap().bytes() == message, "{seed}, {round}");
    }
    client.send(&pattern(10)).unwrap();
    client.finish().unwrap();
    assert_eq!(client.messages().count(), 1, "{seed}");
}

/// Dies when it is told that its conversation is over.
struct LastBreath;

impl switchboard::Service for LastBreath {
    fn message(
        &mut self,
        message: switchboard::Message<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Error> {
        reply.send(&message)
    }

    fn closed(&mut self, _: Ending, _: Option<&Error>) {
        std::process::abort();
    }
}

fn a_crash_at_the_end_is_no_second_ending() {
    for case in dispatchers(Over::Tcp) {
        let served = case.start("lines", &Limits::default(), || LastBreath);
        for number in 1..=10 {
            let stream = served.connect();
            assert_eq!(exchange(&*stream, &[b"a\nb\n"]).unwrap(), b"a\nb\n", "{case}");
            let stats = served.ended(Ending::Finished, number);
            assert_eq!((stats.crashed, stats.accepted), (number, number), "{case}");
        }
    }
}

fn what_a_crashed_one_had_queued_is_taken_off() {
    for case in dispatchers(Over::Tcp) {
        let served = case.start("u32be", &Limits::default(), || {
            |_: &[u8], reply: &mut Reply<'_>| reply.send(&pattern(8 << 20))
        });
        let stream = served.connect();
        write_all(&*stream, &requests("u32be", &["much"])).unwrap();
        served.wait_for("a queue", |stats| stats.queued_bytes > 1 << 20);
        for (pid, _) in proc::children(proc::master()) {
            proc::signal(pid, Signal::KILL);
        }
        let stats = served.ended(Ending::Stopped, 1);
        assert_eq!((stats.queued_bytes, stats.crashed), (0, 1), "{case}");
        assert_eq!(stats.messages_sent, 1, "{case}");
        assert!(read_to_end(&*stream, 10_000).is_err(), "{case}: no end");
    }
}

fn a_pool_replaces_who_is_killed_without_a_conversation() {
    let case = dispatchers(Over::Tcp).remove(1);
    let served = case.start("lines", &Limits::default(), crate::answers::echo);
    let master = proc::master();
    for number in 1..=2 {
        let pool = wait_until("a pool", || match proc::children(master) {
            pool if pool.len() == 8 && pool.iter().all(|(_, is_zombie)| !is_zombie) => Ok(pool),
            other => Err(other),
        });
        for (pid, _) in pool {
            proc::signal(pid, Signal::KILL);
        }
        // Who comes while there is nobody waits for those that come instead.
        let mut client = served.client();
        assert_eq!(&*client.request(b"hello").unwrap(), b"hello", "{case}");
        client.close().unwrap();
        // Who is killed before it has counted its conversation had one.
        assert_eq!(served.ended(Ending::Finished, number).crashed, 0, "{case}");
    }
}

/// Serves with both, and says how it went.
fn unattended() {
    for dispatch in [Dispatch::processes(), Dispatch::processes().with_pool(2)] {
        let server = switchboard::Server::new("lines").unwrap().listen("127.0.0.1:0").unwrap();
        let running = server.with_dispatch(dispatch).start(mortal).unwrap();
        println!("{}", running.endpoints()[0]);
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        let Stats { accepted, crashed, open, .. } = running.stop().unwrap();
        println!("{accepted} {crashed} {open}");
    }
}

fn crashes_are_told_apart_when_nobody_waits_for_children() {
    // What is ignored stays so in the program that a shell starts.
    let program = crate::runner::program(PROGRAM);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' CHLD; exec \"$0\" \"$@\""]).arg(program.get_program());
    shell.args(program.get_args()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    let mut input = child.stdin.take().unwrap();
    for _ in 0..2 {
        let endpoint = line();
        let connect = || {
            let client = Conversation::connect(&endpoint, "lines").unwrap();
            client.with_timeouts(Timeouts::all(PATIENCE))
        };
        let mut good = connect();
        assert_eq!(&*good.request(b"hello").unwrap(), b"hello");
        let mut bad = connect();
        bad.send(b"abort").unwrap();
        assert!(bad.recv().unwrap_err().is_reset());
        assert_eq!(&*good.request(b"still here").unwrap(), b"still here");
        good.close().unwrap();
        std::io::Write::write_all(&mut input, b"go on\n").unwrap();
        assert_eq!(line(), "2 1 0");
    }
    drop(input);
    child.wait().unwrap();
    let _ = BufReader::new(std::io::empty()).read(&mut [0]);
}
