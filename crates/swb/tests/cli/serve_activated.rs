//! `swb serve activated` and `fd:N`: sockets that somebody else made; and what a supervisor is
//! told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Dir, Ran, Running, run, swb};

/// What a supervisor does to start a program for the sockets on its stdin and stdout: they become
/// descriptors 3 and 4, and the variables name this very process.
const SUPERVISOR: &str = "exec 3<&0 4<&1 </dev/null >&2; \
                          export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web; exec \"$0\" \"$@\"";

fn passed(first: OwnedFd, second: OwnedFd, args: &[&str]) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", SUPERVISOR, env!("CARGO_BIN_EXE_swb")]).args(args);
    command.stdin(Stdio::from(first)).stdout(Stdio::from(second)).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn end(child: Child) -> Ran {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    child.wait_with_output().unwrap().into()
}

fn echoes(mut stream: impl std::io::Read + Write) {
    stream.write_all(b"hello\n").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert_eq!(line, "hello\n");
}

#[test]
fn all_sockets_that_were_passed_are_served_and_their_paths_stay() {
    for dispatch in [&["--dispatch", "threads"][..], &["--dispatch", "events"]] {
        let dir = Dir::new("activated");
        let path = dir.path.join("socket");
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let unix = UnixListener::bind(&path).unwrap();
        let args = [&["serve", "activated", "-f", "lines"], dispatch, &["echo"]].concat();
        let child = passed(tcp.into(), unix.into(), &args);
        // Who connects before it is there waits.
        echoes(TcpStream::connect(address).unwrap());
        echoes(UnixStream::connect(&path).unwrap());
        let ran = end(child);
        assert_eq!(ran.exit, 143, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("listening on tcp://{address}\n")), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("listening on unix:{}\n", path.display())));
        assert!(path.exists());
    }
}

#[test]
fn one_that_was_passed_is_served_by_its_number_and_by_programs_too() {
    for (place, serves) in [
        ("fd:3", &["-f", "lines", "echo"][..]),
        ("fd:3", &["exec", "cat"]),
        ("fd:0", &["-f", "lines", "echo"]),
    ] {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let mut command = Command::new("sh");
        let words = "exec 3<&0; exec \"$0\" \"$@\"";
        command.args(["-c", words, env!("CARGO_BIN_EXE_swb"), "serve", place]).args(serves);
        command.stdin(Stdio::from(OwnedFd::from(tcp))).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        echoes(TcpStream::connect(address).unwrap());
        assert_eq!(end(child).exit, 143, "{place}");
    }
}

#[test]
fn sockets_that_were_passed_go_over_to_a_successor() {
    let dir = Dir::new("activated-takeover");
    let socket = dir.path.join("take").to_str().unwrap().to_owned();
    let one = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = one.local_addr().unwrap();
    let two = TcpListener::bind("127.0.0.1:0").unwrap();
    let serve = ["serve", "activated", "-f", "lines"];
    let args = [&serve[..], &["--handover", &socket, "echo"]].concat();
    let child = passed(one.into(), two.into(), &args);
    echoes(TcpStream::connect(address).unwrap());
    let mut next = Running::start(&[&serve[..], &["--takeover", &socket, "echo"]].concat());
    assert_eq!(next.endpoint, address.to_string());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    echoes(TcpStream::connect(address).unwrap());
    next.interrupt_told();
    assert_eq!(next.end().exit, 130);
}

#[test]
fn what_was_not_passed_or_does_not_listen_is_told() {
    let refused = |place: &str, stdin: Stdio, variables: &[(&str, &str)]| {
        let mut command = swb(&["serve", place, "-f", "lines", "echo"]);
        command.stdin(stdin).envs(variables.iter().copied());
        let ran = Ran::from(command.spawn().unwrap().wait_with_output().unwrap());
        assert_eq!(ran.exit, 3, "{}", ran.stderr);
        ran.stderr
    };
    let none = "swb: no socket was passed to this program: start it by a supervisor that listens \
                for it and sets LISTEN_FDS and LISTEN_PID\n";
    assert_eq!(refused("activated", Stdio::null(), &[]), none);
    // Those of another process, whose child this one is.
    let others = [("LISTEN_PID", "1"), ("LISTEN_FDS", "1")];
    assert_eq!(refused("activated", Stdio::null(), &others), none);
    let wrong = [("LISTEN_PID", "1"), ("LISTEN_FDS", "two")];
    let told = refused("activated", Stdio::null(), &wrong);
    assert_eq!(told, "swb: LISTEN_FDS is \"two\", and that is no number\n");
    let told = refused("fd:99", Stdio::null(), &[]);
    let expected = "swb: cannot listen on fd:99: bad file descriptor: the program was not started \
                    with it\n";
    assert_eq!(told, expected);
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
    let datagrams = UnixDatagram::unbound().unwrap();
    for (stdin, what) in [
        (Stdio::null(), "it is no socket"),
        (Stdio::from(OwnedFd::from(stream)), "it is a socket that does not listen"),
        (Stdio::from(OwnedFd::from(datagrams)), "it is a socket, and no stream"),
    ] {
        let told = refused("fd:0", stdin, &[]);
        let expected =
            format!("swb: cannot listen on fd:0: {what}: pass a stream socket that listens\n");
        assert_eq!(told, expected);
    }
    let ran = run(&["serve", "activated", "exec", "cat"], b"");
    let expected = "swb: exec serves one socket, and not one was passed to this program\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (3, expected));
}

/// A supervisor's socket.
struct Supervisor(UnixDatagram);

impl Supervisor {
    fn at(address: &SocketAddr) -> Supervisor {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Supervisor(socket)
    }

    fn hears(&self) -> String {
        let mut bytes = [0; 256];
        let count = self.0.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    fn hears_nothing(&self) {
        self.0.set_nonblocking(true).unwrap();
        assert!(self.0.recv(&mut [0; 256]).is_err());
    }
}

#[test]
fn a_supervisor_is_told_when_it_accepts_and_when_it_ends() {
    let dir = Dir::new("notified");
    let path = dir.path.join("notify");
    let name = format!("swb-notify-{}", std::process::id());
    for (address, variable) in [
        (SocketAddr::from_pathname(&path).unwrap(), path.to_str().unwrap().to_owned()),
        (SocketAddr::from_abstract_name(&name).unwrap(), format!("@{name}")),
    ] {
        let supervisor = Supervisor::at(&address);
        for serves in [
            &["-f", "lines", "echo"][..],
            &["-f", "lines", "--dispatch", "threads", "echo"],
            &["-f", "lines", "--dispatch", "processes", "echo"],
            &["exec", "cat"],
        ] {
            let mut command = swb(&[&["serve", "127.0.0.1:0"], serves].concat());
            let child = command.env("NOTIFY_SOCKET", &variable).spawn().unwrap();
            assert_eq!(supervisor.hears(), "READY=1");
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
            assert_eq!(supervisor.hears(), "STOPPING=1");
            assert_eq!(Ran::from(child.wait_with_output().unwrap()).exit, 143);
            supervisor.hears_nothing();
            supervisor.0.set_nonblocking(false).unwrap();
        }
    }
}

#[test]
fn a_supervisor_is_told_of_the_process_that_took_over_and_not_of_the_end_of_the_other() {
    for dispatch in ["threads", "events", "processes"] {
        let dir = Dir::new(&format!("notified-takeover-{dispatch}"));
        let notify = dir.path.join("notify");
        let supervisor = Supervisor::at(&SocketAddr::from_pathname(&notify).unwrap());
        let socket = dir.path.join("take").to_str().unwrap().to_owned();
        let start = |how: &str| {
            let serve = ["serve", "127.0.0.1:0", "-f", "lines", "--dispatch", dispatch];
            let mut command = swb(&[&serve[..], &[how, &socket, "echo"]].concat());
            command.env("NOTIFY_SOCKET", &notify).spawn().unwrap()
        };
        let old = start("--handover");
        assert_eq!(supervisor.hears(), "READY=1");
        let new = start("--takeover");
        assert_eq!(supervisor.hears(), format!("MAINPID={}\nREADY=1", new.id()));
        assert_eq!(Ran::from(old.wait_with_output().unwrap()).exit, 0);
        assert_eq!(end(new).exit, 143);
        assert_eq!(supervisor.hears(), "STOPPING=1");
        supervisor.hears_nothing();
    }
}

#[test]
fn a_supervisor_that_is_gone_keeps_nobody_from_serving() {
    let mut command = swb(&["serve", "127.0.0.1:0", "-f", "lines", "--count=1", "echo"]);
    command.env("NOTIFY_SOCKET", "/nowhere/to/be/found");
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on tcp://").unwrap();
    echoes(TcpStream::connect(address).unwrap());
    assert_eq!(Ran::from(child.wait_with_output().unwrap()).exit, 0);
}
