//! The three lists: what makes each kind of source ready in each of them.

use crate::help::*;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;
use switchboard::select::{Ready, select};
use switchboard::transport::pair;
use switchboard::{
    ConnectOptions, Connecting, Conversation, Endpoint, Error, Stopper, Transport, deadline,
};

#[test]
fn a_listener_is_a_reader_when_a_connection_waits() {
    let listener = listen();
    assert_eq!(looks(&listener), (false, false, false));
    let _client = connect(&listener);
    assert_eq!(readers(&[&listener]), [0]);
    assert_eq!(looks(&listener), (true, false, false));
    assert!(listener.try_accept().unwrap().is_some());
    assert_eq!(looks(&listener), (false, false, false));
}

#[test]
fn every_socket_of_a_listener_counts() {
    let options = switchboard::ListenOptions::default();
    let listener = switchboard::Listener::bind(&"localhost:0".parse().unwrap(), &options).unwrap();
    for endpoint in listener.endpoints() {
        let _client = endpoint.connect(&ConnectOptions::default()).unwrap();
        assert_eq!(readers(&[&listener]), [0], "{endpoint}");
        assert!(listener.try_accept().unwrap().is_some());
        assert!(!looks(&listener).0);
    }
}

/// Drives a connecting socket by `select` alone.
fn drive(mut connecting: Connecting) -> Result<Shared, Error> {
    loop {
        assert_eq!(select(&[], &[&connecting], &[], SOON)?.writers, [0], "no outcome in time");
        if let Some(transport) = connecting.finish()? {
            return Ok(transport);
        }
    }
}

#[test]
fn a_connecting_socket_is_a_writer_when_it_has_connected() {
    let listener = listen();
    for host in ["127.0.0.1", "localhost"] {
        let endpoint = Endpoint::tcp(host, listener.endpoints()[0].port().unwrap());
        let connecting = endpoint.start_connect(&ConnectOptions::default()).unwrap();
        let client = drive(connecting).unwrap();
        let served = listener.accept(&soon()).unwrap();
        assert_eq!(client.remote(), served.local());
    }
}

#[test]
fn a_connecting_socket_is_a_writer_when_it_is_refused() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // A name is not known at once, so the refusal does not come at once either.
    let endpoint = Endpoint::tcp("localhost", port);
    let connecting = endpoint.start_connect(&ConnectOptions::default()).unwrap();
    assert!(drive(connecting).unwrap_err().is_refused());
    let endpoint = Endpoint::tcp("127.0.0.1", port);
    let error = endpoint.start_connect(&ConnectOptions::default()).and_then(drive).unwrap_err();
    assert!(error.is_refused(), "{error}");
}

#[test]
fn a_connecting_socket_whose_time_is_over_has_an_outcome() {
    // The queue holds one connection more than it was told; those behind it get no answer.
    let silent = socket2::Socket::from(TcpListener::bind("127.0.0.1:0").unwrap());
    silent.listen(0).unwrap();
    let address = silent.local_addr().unwrap().as_socket().unwrap();
    let _in_the_queue = TcpStream::connect(address).unwrap();
    let time = Duration::from_millis(20);
    let options = ConnectOptions::default().with_timeout(Some(time));
    let connecting = Endpoint::from(address).start_connect(&options).unwrap();
    let end = connecting.deadline().unwrap();
    assert_eq!(select(&[], &[&connecting], &[], None).unwrap().writers, [0]);
    assert!(deadline::now() >= end);
    assert!(drive(connecting).unwrap_err().is_timeout());
}

#[test]
fn a_stream_is_ready_for_bytes_for_the_end_and_for_an_error() {
    let (a, b) = tcp_pair();
    assert_eq!(looks(&a), (false, true, false));
    b.write(b"x").unwrap();
    assert_eq!(readers(&[&a]), [0]);
    assert_eq!(a.read(&mut [0; 8]).unwrap(), 1);
    assert_eq!(looks(&a), (false, true, false));

    b.finish().unwrap();
    assert_eq!(readers(&[&a]), [0]);
    assert_eq!(a.read(&mut [0; 8]).unwrap(), 0);
    assert_eq!(looks(&a), (true, true, false), "a half close: writing goes on, no error");

    b.reset().unwrap();
    let ready = select(&[], &[], &[&a], SOON).unwrap();
    assert_eq!(ready.errors, [0], "a reset that nobody has told yet");
    assert_eq!(looks(&a), (true, true, true));
}

#[test]
fn an_end_in_both_directions_is_no_error_and_no_reason_to_spin() {
    let (a, b) = tcp_pair();
    a.finish().unwrap();
    b.finish().unwrap();
    assert_eq!(readers(&[&a]), [0]);
    assert_eq!(looks(&a), (true, true, false));
    // The system tells of the hang-up at once, unasked: only the time may end this.
    let begun = deadline::now();
    let time = Duration::from_millis(20);
    assert!(select(&[], &[], &[&a, &b], Some(time)).unwrap().is_empty());
    assert!(deadline::now() - begun >= time);
}

#[test]
fn urgent_data_is_among_the_errors() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = socket2::Socket::from(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let (served, _) = listener.accept().unwrap();
    let served = switchboard::transport::Tcp::from(served);
    assert_eq!(looks(&served), (false, true, false));
    client.send_out_of_band(b"!").unwrap();
    let Ready { errors, .. } = select(&[], &[], &[&served], SOON).unwrap();
    assert_eq!(errors, [0]);
}

#[test]
fn a_full_stream_is_no_writer_until_the_peer_reads() {
    let (a, b) = unix_pair();
    while a.write(&[0; 4096]).is_ok() {}
    assert!(!looks(&a).1);
    while b.read(&mut [0; 4096]).is_ok() {}
    assert_eq!(select(&[], &[&a], &[], SOON).unwrap().writers, [0]);
}

#[test]
fn the_ends_of_a_pipe_are_ready_each_in_its_list() {
    let (read, write) = std::io::pipe().unwrap();
    let (read_end, write_end) = (inherited(&read), inherited(&write));
    drop((read, write));
    let all = select(&[&read_end], &[&write_end], &[&read_end, &write_end], NOW).unwrap();
    assert_eq!((all.readers, all.writers, all.errors), (vec![], vec![0], vec![]));
    write_end.write(b"x").unwrap();
    assert_eq!(readers(&[&read_end]), [0]);
    assert_eq!(read_end.read(&mut [0; 8]).unwrap(), 1);

    drop(read_end);
    let ready = select(&[], &[&write_end], &[&write_end], SOON).unwrap();
    assert_eq!((ready.writers, ready.errors), (vec![0], vec![0]), "nobody reads it any more");
}

#[test]
fn the_end_of_a_pipe_is_no_error() {
    let (read, write) = std::io::pipe().unwrap();
    let read_end = inherited(&read);
    drop((read, write));
    let ready = select(&[&read_end], &[], &[&read_end], SOON).unwrap();
    assert_eq!((ready.readers, ready.errors), (vec![0], vec![]));
    assert_eq!(read_end.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_program_is_waited_for_like_a_socket() {
    let cat: Endpoint = "exec:cat".parse().unwrap();
    let cat = cat.connect(&ConnectOptions::default()).unwrap();
    assert_eq!(looks(&cat), (false, true, false));
    cat.write(b"hello").unwrap();
    assert_eq!(readers(&[&cat]), [0]);
}

#[test]
fn a_regular_file_is_always_ready() {
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let transport = inherited(&file);
    assert_eq!(looks(&transport), (true, true, false));
    let descriptor = file.as_fd();
    assert_eq!(select(&[&descriptor], &[], &[], None).unwrap().readers, [0]);
}

#[test]
fn a_stopper_is_a_reader_once_stopped() {
    let stopper = Stopper::new().unwrap();
    assert_eq!(looks(&stopper), (false, false, false));
    let (conversation, _peer) = Conversation::pair("lines").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| stopper.stop());
        assert_eq!(readers(&[&conversation, &stopper]), [1]);
    });
    assert_eq!(readers(&[&stopper, &stopper]), [0, 1], "and stays so");
}

#[test]
fn one_source_may_stand_in_several_lists_and_twice_in_one() {
    let (a, b) = pair().unwrap();
    let (c, _d) = tcp_pair();
    let ready = select(&[&a, &c, &a], &[&a, &c, &a], &[&a, &c], NOW).unwrap();
    let Ready { readers, mut writers, errors } = ready;
    writers.sort_unstable();
    assert_eq!((readers, writers, errors), (vec![], vec![0, 1, 2], vec![]));
    b.write(b"x").unwrap();
    let Ready { mut readers, mut writers, errors } =
        select(&[&a, &c, &a], &[&a, &c, &a], &[&a, &c], NOW).unwrap();
    readers.sort_unstable();
    writers.sort_unstable();
    assert_eq!((readers, writers, errors), (vec![0, 2], vec![0, 1, 2], vec![]));
}

#[test]
fn empty_lists_wait_for_the_time_alone() {
    assert!(select(&[], &[], &[], NOW).unwrap().is_empty());
    let begun = deadline::now();
    let time = Duration::from_millis(10);
    assert!(select(&[], &[], &[], Some(time)).unwrap().is_empty());
    assert!(deadline::now() - begun >= time);
}

#[test]
fn a_timeout_past_what_the_clock_can_say_is_for_ever() {
    let (a, b) = pair().unwrap();
    b.write(b"x").unwrap();
    let ready = select(&[&a], &[], &[], Some(Duration::MAX)).unwrap();
    assert_eq!(ready.readers, [0]);
}
