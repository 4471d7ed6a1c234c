//! A server in a process that has run out of descriptors, and gets them back: who waits is served
//! then, nobody spins meanwhile, and who has waited too long is told. The limit is the whole
//! process's, so each test has a process of its own: this program, started again.

#![expect(clippy::print_stdout, reason = "a count is shown, not only held against its bound")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};
use switchboard::{Dispatch, Reply, Server, limits};

const CHILD: &str = "SWITCHBOARD_EXHAUSTED_CHILD";
const FRAME: &[u8] = b"\0\0\0\x05hello";
const CLIENTS: usize = 8;
const LOOPS: usize = 2;

/// Runs one test of this program alone in a process; there, says that it is the one to run.
fn is_alone(test: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let output = alone.args(["--exact", test, "--nocapture"]).env(CHILD, "1").output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// Two loops share the right to try, and the pause.
fn events() -> Dispatch {
    Dispatch::events().with_loops(LOOPS)
}

/// What a loop is woken by, and how many descriptors that takes.
const SIGNAL: (&str, usize) = if cfg!(feature = "portable") { ("pipe", 2) } else { ("eventfd", 1) };

fn signals() -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let names = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    names.filter(|name| name.to_string_lossy().contains(SIGNAL.0)).count() / SIGNAL.1
}

/// Every descriptor there is.
fn take_all() -> Vec<File> {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..before }).unwrap();
    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(!taken.is_empty());
    taken
}

/// A client that is not connected yet: to connect takes no other descriptor.
fn unconnected() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()
}

fn connect(socket: Socket, port: u16) -> TcpStream {
    socket.connect(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], port)))).unwrap();
    let client = TcpStream::from(socket);
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    client
}

fn echo_of(client: &mut TcpStream) {
    let mut echoed = [0; FRAME.len()];
    client.read_exact(&mut echoed).unwrap();
    assert_eq!(echoed, FRAME);
}

/// Whether a client that waited was served, or told to go elsewhere.
fn echo_or_reset(client: &mut TcpStream) -> Option<()> {
    let mut echoed = [0; FRAME.len()];
    match client.read_exact(&mut echoed) {
        Ok(()) => assert_eq!(echoed, FRAME),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            return None;
        }
    }
    Some(())
}

/// Gives the descriptors back at once, since to look at the process takes one.
fn processor_ticks_after(taken: Vec<File>) -> u64 {
    drop(taken);
    processor_ticks()
}

/// Processor time that this process has had, in the system's ticks of 10 ms.
fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name in brackets is the second column, and may have blanks in it.
    let columns: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    columns[11].parse::<u64>().unwrap() + columns[12].parse::<u64>().unwrap()
}

/// H18: clients wait in the backlog, one is told after the patience has run out, and the others are
/// served as soon as there are descriptors.
fn outlives_a_lack(dispatch: Dispatch) {
    let signals_before = signals();
    let server = Server::new("u32be").unwrap().listen("127.0.0.1:0").unwrap();
    let echo = || |message: &[u8], reply: &mut Reply<'_>| reply.send(message);
    let running = server.with_dispatch(dispatch.clone()).start(echo).unwrap();
    let port = running.endpoints()[0].port().unwrap();
    // Each loop has its descriptors before there are no more.
    while dispatch == events() && signals() < signals_before + LOOPS {
        std::thread::yield_now();
    }
    // One that is open already goes on all the time.
    let mut open = connect(unconnected(), port);
    open.write_all(FRAME).unwrap();
    echo_of(&mut open);

    let sockets: Vec<Socket> = (0..CLIENTS).map(|_| unconnected()).collect();
    // To look takes a descriptor.
    let ticks_before = processor_ticks();
    let taken = take_all();
    let begin = Instant::now();
    let mut clients: Vec<TcpStream> =
        sockets.into_iter().map(|socket| connect(socket, port)).collect();
    for client in &mut clients[1..] {
        client.write_all(FRAME).unwrap();
    }
    // An open conversation goes on meanwhile.
    open.write_all(FRAME).unwrap();
    echo_of(&mut open);
    // The first in the backlog is the first to be turned away.
    let error = clients[0].read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let stats = running.handle().stats();
    let elapsed = begin.elapsed();
    let ticks = processor_ticks_after(taken) - ticks_before;
    println!("{dispatch}: {ticks} ticks of 10 ms of the processor");
    assert!(elapsed >= limits::EXHAUSTED_PATIENCE, "turned away after {elapsed:?}");
    assert_eq!((stats.accepted, stats.open), (1, 1), "{stats:?}");
    // Each call of accept fails meanwhile, but the one of whoever was turned away.
    let calls = stats.accept_errors + stats.refused;
    // One at the beginning, one that a second loop makes at the same time, and turning away.
    let bound = elapsed.as_millis() / limits::ACCEPT_PAUSE.as_millis() + 3;
    println!("{dispatch}: {calls} calls of accept in {elapsed:?}, {bound} at most");
    assert!(u128::from(calls) <= bound, "{calls} calls of accept in {elapsed:?}");
    assert!(calls >= 10, "{calls} calls of accept in {elapsed:?}: it does not look again");
    assert!(u128::from(ticks) * 10 <= elapsed.as_millis() / 10, "{ticks} ticks in {elapsed:?}");

    let served = clients[1..].iter_mut().filter_map(echo_or_reset).count();
    drop((clients, open));
    let stats = running.stop().unwrap();
    // Should the descriptors have come back late, a second client has been turned away.
    assert_eq!(stats.refused, (CLIENTS - served) as u64, "{stats:?}");
    assert!(served > 0 && stats.refused < 4, "{stats:?}");
    assert_eq!((stats.accepted, stats.panicked), (1 + served as u64, 0), "{stats:?}");
}

#[test]
fn threads_outlive_a_lack() {
    if is_alone("threads_outlive_a_lack") {
        outlives_a_lack(Dispatch::threads());
    }
}

#[test]
fn events_outlive_a_lack() {
    if is_alone("events_outlive_a_lack") {
        outlives_a_lack(events());
    }
}
