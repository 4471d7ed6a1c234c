//! Programs behind pipes, and descriptors that came with the process.

use crate::help::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use switchboard::transport::{Interest, Wait, Woken};
use switchboard::{ConnectOptions, Endpoint, Error, Stopper, Transport};

fn open(text: &str) -> Result<Shared, Error> {
    text.parse::<Endpoint>().unwrap().connect(&ConnectOptions::default())
}

/// A descriptor as a parent leaves it: not marked close-on-exec. Its number.
fn inherit(descriptor: impl AsFd) -> i32 {
    rustix::io::dup(descriptor).unwrap().into_raw_fd()
}

#[test]
fn a_program_answers_after_its_input_ends_and_its_status_is_known() {
    let sort = open("exec:sh -c 'sort; exit 3'").unwrap();
    write_all(&*sort, b"b\na\n").unwrap();
    sort.finish().unwrap();
    sort.finish().unwrap();
    assert_eq!(read_to_end(&*sort).unwrap(), b"a\nb\n");
    let status = sort.process().unwrap().wait(&soon()).unwrap().unwrap();
    assert_eq!(status.code(), Some(3));
    assert_eq!(sort.process().unwrap().try_status().unwrap(), Some(status));
    assert_eq!(sort.name(), "exec:sh -c 'sort; exit 3'");
    assert!(sort.write(b"x").is_err(), "nothing goes after the end");
}

#[test]
fn much_goes_through_a_program() {
    let cat = open("exec:cat").unwrap();
    let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_be_bytes).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            write_all(&*cat, &sent).unwrap();
            cat.finish().unwrap();
        });
        assert!(read_to_end(&*cat).unwrap() == sent);
    });
}

#[test]
fn a_program_that_does_not_read_makes_writes_block() {
    // It waits for a line that never comes, on a descriptor that is not its input.
    let sleeper = open("exec:sh -c 'exec 3<&0 0</dev/null; kill -STOP $$'").unwrap();
    let error = loop {
        if let Err(error) = sleeper.write(&[0; 4096]) {
            break error;
        }
    };
    assert!(is_again(&error), "{error}");
    assert_eq!(sleeper.wait(Interest::WRITE, &now()).unwrap(), Woken::Deadline);
    let process = sleeper.process().unwrap();
    assert_eq!(process.wait(&now()).unwrap(), None, "it runs");
    let stopper = Stopper::new().unwrap();
    stopper.stop();
    assert_eq!(process.wait(&Wait::FOREVER.or_stopped(&stopper)).unwrap(), None);
    let pid = rustix::process::Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(process.wait(&soon()).unwrap().unwrap().code(), None, "a signal ended it");
}

#[test]
fn a_program_that_is_not_there_says_so() {
    let error = open("exec:no-such-program-anywhere").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("exec:no-such-program-anywhere"), "{text}");
    assert!(text.contains("check its name and PATH"), "{text}");
}

#[test]
fn ended_programs_are_cleared_away() {
    let transport = open("exec:cat").unwrap();
    let id = transport.process().unwrap().id();
    drop(transport);
    // Its input is closed, so it ends; starting others clears it out of the system's table.
    let gone = || !std::path::Path::new(&format!("/proc/{id}")).exists();
    let end = switchboard::deadline::after(Duration::from_secs(20));
    while !gone() {
        assert!(!switchboard::deadline::has_passed(end), "program {id} was never waited for");
        let other = open("exec:true").unwrap();
        other.process().unwrap().wait(&soon()).unwrap();
    }
}

#[test]
fn an_inherited_pipe_is_polled_and_never_switched() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut writer = std::fs::File::from(OwnedFd::from(writer));
    let number = inherit(&reader);
    let transport = open(&format!("fd:{number}")).unwrap();
    let mut buffer = [0; 16];
    assert!(is_again(&transport.read(&mut buffer).unwrap_err()));
    assert_eq!(transport.wait(Interest::READ, &now()).unwrap(), Woken::Deadline);
    let flags = rustix::fs::fcntl_getfl(&reader).unwrap();
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "the other owner would notice");
    writer.write_all(b"hello").unwrap();
    assert_eq!(read_exact(&*transport, 5), b"hello");
    let error = transport.write(b"x").unwrap_err();
    let text = "it is open for reading only: another end of it is to be written";
    assert_eq!(error.to_string(), text);
    drop(writer);
    assert_eq!(read_to_end(&*transport).unwrap(), b"");
}

#[test]
fn writes_to_an_inherited_pipe_never_wait_and_finish_ends_it() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let transport = open(&format!("fd:{}", inherit(&writer))).unwrap();
    drop(writer);
    let mut sent = 0;
    loop {
        match transport.write(&[7; 100_000]) {
            Ok(count) => sent += count,
            Err(error) => {
                assert!(is_again(&error), "{error}");
                break;
            }
        }
    }
    assert!(sent > 0);
    assert_eq!(transport.read(&mut [0; 4]).unwrap(), 0, "it is for writing only");
    transport.finish().unwrap();
    let mut received = Vec::new();
    reader.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), sent);
}

#[test]
fn one_that_is_taken_over_says_that_it_cannot_be_read() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let transport =
        switchboard::transport::Pipe::duplicated(std::os::fd::AsRawFd::as_raw_fd(&writer)).unwrap();
    let error = transport.read(&mut [0; 4]).unwrap_err();
    let text = "it is open for writing only: another end of it is to be read";
    assert_eq!(error.to_string(), text);
}

#[test]
fn an_inherited_socket_is_a_socket() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let transport = open(&format!("fd:{}", inherit(&theirs))).unwrap();
    drop(theirs);
    let peer = switchboard::transport::Unix::from(ours);
    write_all(&peer, b"in").unwrap();
    peer.finish().unwrap();
    assert_eq!(read_to_end(&*transport).unwrap(), b"in");
    write_all(&*transport, b"out").unwrap();
    transport.finish().unwrap();
    assert_eq!(read_to_end(&peer).unwrap(), b"out");

    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = open(&format!("fd:{}", inherit(&listening))).unwrap_err();
    assert!(error.to_string().contains("listens"), "{error}");
    let unconnected = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let error = open(&format!("fd:{}", inherit(unconnected.unwrap()))).unwrap_err();
    assert!(error.to_string().contains("not connected"), "{error}");
}

#[test]
fn an_inherited_file_is_always_ready() {
    let directory = Directory::new();
    let path = directory.join("file");
    std::fs::write(&path, "content").unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let transport = open(&format!("fd:{}", inherit(&file))).unwrap();
    let woken = transport.wait(Interest::READ, &now()).unwrap();
    assert_eq!(woken, Woken::Ready(Interest::READ));
    assert_eq!(read_to_end(&*transport).unwrap(), b"content");
}

#[test]
fn only_what_was_inherited_is_taken_and_only_once() {
    let error = open("fd:9999").unwrap_err();
    assert!(error.to_string().contains("the program was not started with it"), "{error}");
    let own = std::fs::File::open("/dev/null").unwrap();
    let number = own.into_raw_fd();
    let error = open(&format!("fd:{number}")).unwrap_err();
    assert!(error.to_string().contains("was not inherited, or is taken already"), "{error}");
    let number = inherit(std::fs::File::open("/dev/null").unwrap());
    let _first = open(&format!("fd:{number}")).unwrap();
    let error = open(&format!("fd:{number}")).unwrap_err();
    assert!(error.to_string().contains("taken already"), "{error}");
}

/// Standard input and output are the whole process's, so this one has a process of its own.
#[test]
fn standard_input_and_output_are_one_stream_with_a_half_close() {
    let name = "pipe::standard_input_and_output_are_one_stream_with_a_half_close";
    if is_child() {
        let stream = open("-").unwrap();
        let request = read_exact(&*stream, 5);
        write_all(&*stream, &request).unwrap();
        stream.finish().unwrap();
        assert_eq!(read_to_end(&*stream).unwrap(), b"more", "reading goes on");
        return;
    }
    let program = own_process(name);
    let mut words = vec!["env".to_owned()];
    words.extend(program.get_envs().map(|(name, value)| {
        format!("{}={}", name.to_str().unwrap(), value.unwrap().to_str().unwrap())
    }));
    words.push(program.get_program().to_str().unwrap().to_owned());
    words.extend(program.get_args().map(|word| word.to_str().unwrap().to_owned()));
    let child = connect(&Endpoint::Exec(words));
    write_all(&*child, b"hello").unwrap();
    // The harness talks on the same output before; the end comes while the program runs on.
    let output = read_to_end(&*child).unwrap();
    assert!(output.ends_with(b"hello"), "{}", String::from_utf8_lossy(&output));
    assert_eq!(child.process().unwrap().try_status().unwrap(), None);
    write_all(&*child, b"more").unwrap();
    child.finish().unwrap();
    assert!(child.process().unwrap().wait(&soon()).unwrap().unwrap().success());
}
