//! Who is left behind ends: what has come is answered, and no process stays.

use crate::answers::echo;
use crate::help::*;
use crate::proc;
use crate::runner::{self, Test};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use switchboard::server::{Limits, Server};
use switchboard::{Conversation, Timeouts};

tests! {
    when_the_master_is_killed_its_children_end,
    when_the_front_is_killed_all_end,
    signals_to_all_do_nothing_below_the_front,
    two_servers_do_not_hold_each_other_up,
}

/// A front that is killed.
pub(crate) const PROGRAM: Test = ("lifelines::front", front);

/// Every process of these has ended.
fn wait_for_the_end_of(pids: &[u32]) {
    wait_until("the end of all", || {
        let left: Vec<_> = pids.iter().filter(|pid| proc::runs(**pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

fn when_the_master_is_killed_its_children_end() {
    for case in dispatchers(Over::Tcp) {
        let served = case.start("u32be", &Limits::default(), echo);
        let mut clients: Vec<_> = (0..4).map(|_| served.client()).collect();
        for client in &mut clients {
            client.request(b"hello").unwrap();
        }
        let master = proc::master();
        let all = proc::descendants(std::process::id());
        proc::signal(master, Signal::KILL);
        for client in &mut clients {
            // As at a stop: nothing breaks off.
            assert!(client.recv().unwrap().is_none(), "{case}");
        }
        drop(clients);
        wait_for_the_end_of(&all);
        let error = served.running.join().unwrap_err();
        assert!(error.to_string().contains("died: signal 9"), "{case}: {error}");
    }
}

/// Serves both ways, for as long as its stdin is open.
fn front() {
    let case = |case: Case| case.start("u32be", &Limits::default(), echo);
    let served: Vec<_> = dispatchers(Over::Tcp).into_iter().map(case).collect();
    for served in &served {
        println!("{}", served.running.endpoints()[0]);
    }
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn when_the_front_is_killed_all_end() {
    let mut program = runner::program(PROGRAM);
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let endpoints: Vec<String> = lines.take(2).map(Result::unwrap).collect();
    let connect = |endpoint: &String| {
        let client = Conversation::connect(endpoint, "u32be").unwrap();
        client.with_timeouts(Timeouts::all(PATIENCE))
    };
    let mut clients: Vec<_> = endpoints.iter().map(connect).collect();
    for client in &mut clients {
        assert_eq!(&*client.request(b"hello").unwrap(), b"hello");
    }
    let all = proc::descendants(child.id());
    assert_eq!(all.len(), 2 + 1 + 8, "{all:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    for client in &mut clients {
        assert!(client.recv().unwrap().is_none());
    }
    drop(clients);
    wait_for_the_end_of(&all);
}

fn signals_to_all_do_nothing_below_the_front() {
    for case in dispatchers(Over::Tcp) {
        let served = case.start("u32be", &Limits::default(), echo);
        let mut client = served.client();
        client.request(b"hello").unwrap();
        for signal in [Signal::INT, Signal::TERM] {
            for pid in proc::descendants(std::process::id()) {
                proc::signal(pid, signal);
            }
            assert_eq!(&*client.request(b"still here").unwrap(), b"still here", "{case}");
        }
        client.close().unwrap();
        let mut another = served.client();
        assert_eq!(&*another.request(b"and here").unwrap(), b"and here", "{case}");
        another.close().unwrap();
        assert_eq!(served.stop().crashed, 0, "{case}");
    }
}

fn two_servers_do_not_hold_each_other_up() {
    let start = || {
        let server = Server::new("lines").unwrap().listen("127.0.0.1:0").unwrap();
        server.with_dispatch(switchboard::Dispatch::processes().with_pool(1)).start(echo).unwrap()
    };
    let (first, second) = (start(), start());
    let connect = |running: &switchboard::server::Running| {
        let client = Conversation::connect(&running.endpoints()[0].to_string(), "lines").unwrap();
        client.with_timeouts(Timeouts::all(PATIENCE))
    };
    let mut client = connect(&second);
    client.request(b"hello").unwrap();
    // The second one's processes were forked off while this one's were there.
    assert_eq!(first.stop().unwrap().accepted, 0);
    assert_eq!(&*client.request(b"still here").unwrap(), b"still here");
    client.close().unwrap();
    assert_eq!(second.stop().unwrap().accepted, 1);
}
