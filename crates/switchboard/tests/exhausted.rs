//! A listener in a process that has run out of descriptors. The limit is the whole process's, so
//! these tests have a process of their own, and take turns in it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use switchboard::transport::Wait;
use switchboard::{Listener, deadline};

/// Every descriptor there is, until dropped. One test at a time has them.
struct Exhausted {
    taken: Vec<File>,
    before: Rlimit,
    _turn: MutexGuard<'static, ()>,
}

fn take_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exhausted {
    fn new(turn: MutexGuard<'static, ()>) -> Exhausted {
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..before }).unwrap();
        let mut exhausted = Exhausted { taken: Vec::new(), before, _turn: turn };
        exhausted.take_all();
        assert!(!exhausted.taken.is_empty());
        exhausted
    }

    fn take_all(&mut self) {
        while let Ok(file) = File::open("/dev/null") {
            self.taken.push(file);
        }
    }
}

impl Drop for Exhausted {
    fn drop(&mut self) {
        self.taken.clear();
        setrlimit(Resource::Nofile, self.before).unwrap();
    }
}

fn soon() -> Wait<'static> {
    Wait { deadline: deadline::after(Duration::from_secs(20)), ..Wait::FOREVER }
}

fn client_of(listener: &Listener) -> TcpStream {
    let client = TcpStream::connect(("127.0.0.1", listener.endpoints()[0].port().unwrap()));
    let client = client.unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client
}

#[test]
fn a_connection_waits_until_there_is_a_descriptor_again() {
    let turn = take_turn();
    let listener = Listener::listen("127.0.0.1:0").unwrap();
    let client = client_of(&listener);
    let mut exhausted = Exhausted::new(turn);
    let error = listener.accept(&soon()).unwrap_err();
    assert!(error.is_exhausted(), "{error}");
    assert!(error.to_string().contains("too many open files"), "{error}");
    assert!(error.to_string().contains("ulimit -n"), "{error}");
    let error = listener.try_accept().unwrap_err();
    assert!(error.is_exhausted(), "{error}");
    // Each call of ours made one call of the system's: nothing spins inside.
    let counts = listener.accept_counts();
    assert_eq!((counts.calls, counts.exhausted), (2, 2), "{counts:?}");
    assert_eq!((counts.accepted, counts.errors, counts.turned_away), (0, 0, 0), "{counts:?}");

    exhausted.taken.pop();
    let served = listener.try_accept().unwrap().expect("the connection still waits");
    assert_eq!(served.remote(), Some(client.local_addr().unwrap().into()));
    let counts = listener.accept_counts();
    assert_eq!((counts.calls, counts.exhausted, counts.accepted), (3, 2, 1), "{counts:?}");
}

#[test]
fn turning_away_tells_one_client_and_keeps_the_reserve() {
    let turn = take_turn();
    let listener = Listener::listen("127.0.0.1:0").unwrap();
    assert!(!listener.turn_away().unwrap(), "there are descriptors");
    let clients: Vec<TcpStream> = (0..3).map(|_| client_of(&listener)).collect();
    assert!(!listener.turn_away().unwrap(), "there are descriptors, so nobody is turned away");
    let mut exhausted = Exhausted::new(turn);
    for (told, mut client) in (1..).zip(&clients[..2]) {
        assert!(listener.try_accept().unwrap_err().is_exhausted());
        assert!(listener.turn_away().unwrap());
        assert_eq!(listener.accept_counts().turned_away, told);
        // The reserve is back: there is no descriptor for anybody else.
        exhausted.take_all();
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    exhausted.taken.clear();
    let served = listener.accept(&soon()).unwrap();
    assert_eq!(served.remote(), Some(clients[2].local_addr().unwrap().into()));
    let counts = listener.accept_counts();
    assert_eq!((counts.accepted, counts.errors), (1, 0), "{counts:?}");
    assert_eq!((counts.exhausted, counts.turned_away), (2, 2), "{counts:?}");
}

#[test]
fn with_nobody_waiting_nobody_is_turned_away() {
    let turn = take_turn();
    let listener = Listener::listen("127.0.0.1:0").unwrap();
    let _exhausted = Exhausted::new(turn);
    assert!(!listener.turn_away().unwrap());
    assert!(!listener.turn_away().unwrap());
    assert_eq!(listener.accept_counts().turned_away, 0);
}

#[test]
fn a_client_of_a_unix_socket_reads_an_end() {
    let turn = take_turn();
    let path = std::env::temp_dir().join(format!("swb-exhausted-{}", std::process::id()));
    let listener = Listener::listen(&format!("unix:{}", path.display())).unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _exhausted = Exhausted::new(turn);
    assert!(listener.turn_away().unwrap());
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn several_threads_turn_each_client_away_once() {
    let turn = take_turn();
    let listener = Listener::listen("127.0.0.1:0").unwrap();
    let clients: Vec<TcpStream> = (0..8).map(|_| client_of(&listener)).collect();
    let _exhausted = Exhausted::new(turn);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| while listener.turn_away().unwrap() {});
        }
    });
    assert_eq!(listener.accept_counts().turned_away, 8);
    for mut client in clients {
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

/// As it is too when somebody else took the descriptor while the reserve was given up.
#[test]
fn a_listener_made_with_the_last_descriptor_has_its_reserve_later() {
    let turn = take_turn();
    let mut exhausted = Exhausted::new(turn);
    exhausted.taken.truncate(exhausted.taken.len() - 1);
    let listener = Listener::listen("127.0.0.1:0").unwrap();
    assert!(!listener.turn_away().unwrap(), "it has no reserve");
    exhausted.taken.truncate(exhausted.taken.len() - 1);
    let mut client = client_of(&listener);
    assert!(!listener.turn_away().unwrap(), "it has no reserve yet");
    exhausted.taken.truncate(exhausted.taken.len() - 1);
    assert!(listener.turn_away().unwrap(), "the reserve was taken, and was the last one");
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}
