//! What TLS does with a stream: nothing is lost, cut unnoticed, or waited for in vain.

use crate::help::*;
use std::io::{ErrorKind, IoSliceMut};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use switchboard::transport::{
    Faults, Faulty, Interest, Tcp, Wait, Woken, pair, pair_with_capacity,
};
use switchboard::{Ending, Poller, Received, Transport, deadline, select};

#[test]
fn both_directions_carry_megabytes_at_once() {
    const COUNT: usize = 400;
    for capacity in [1000, 64 * 1024] {
        let (a, b) = pair_with_capacity(capacity).unwrap();
        let (a, b) = over(Arc::new(a), Arc::new(b));
        std::thread::scope(|scope| {
            for end in [a, b] {
                // The handshake too is left to the two threads.
                let (mut receiving, mut sending) = converse(end, "u32be").split().unwrap();
                scope.spawn(move || {
                    sending.send_many((0..COUNT).map(|n| vec![b'x'; 20 * n])).unwrap();
                    sending.finish().unwrap();
                });
                scope.spawn(move || {
                    for n in 0..COUNT {
                        assert_eq!(receiving.recv().unwrap().unwrap().len(), 20 * n);
                    }
                    assert!(receiving.recv().unwrap().is_none());
                });
            }
        });
    }
}

/// The bytes that it waits for are taken by the other thread.
#[test]
fn a_thread_that_waits_hears_that_another_has_done_the_handshake() {
    for _ in 0..50 {
        // The server: nothing more comes to it once the handshake is over.
        let (b, a) = ends();
        let (waits, begins) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                while a.opening().is_some() {
                    waits.send(()).unwrap();
                    let until = Wait { deadline: deadline::after(PATIENCE), ..Wait::FOREVER };
                    assert_ne!(a.wait(Interest::WRITE, &until).unwrap(), Woken::Deadline);
                }
            });
            begins.recv().unwrap();
            while !waiting.is_finished() {
                b.flush().unwrap();
                a.flush().unwrap();
            }
        });
    }
}

#[test]
fn a_stream_beneath_with_faults_gives_the_same_messages() {
    for faults in [
        Faults::new(1).bytes_per_call(1),
        Faults::new(2).interrupts(1000),
        Faults::new(3).would_blocks(1000),
        Faults::new(4).cuts().interrupts(300).would_blocks(300),
        Faults::new(5).glue(700).cuts(),
    ] {
        let (a, b) = pair().unwrap();
        let faulty = |end| -> Stream { Arc::new(Faulty::new(Arc::new(end), faults)) };
        let (a, b) = over(faulty(a), faulty(b));
        let server = std::thread::spawn(move || {
            let mut served = converse(b, "u32be");
            while let Some(message) = served.recv_owned().unwrap() {
                served.send(&message).unwrap();
            }
            served.close().unwrap();
        });
        let mut client = converse(a, "u32be");
        for size in [0, 1, 100, 5_000, 40_000] {
            let message = vec![b'f'; size];
            assert!(*client.request(&message).unwrap() == message, "{faults:?}");
        }
        client.finish().unwrap();
        assert!(client.recv().unwrap().is_none(), "{faults:?}");
        client.close().unwrap();
        server.join().unwrap();
    }
}

/// The stream beneath ends, and TLS has not said so: whoever is in between could do that.
#[test]
fn an_end_without_goodbye_is_a_cut() {
    for (framing, sent, messages, ending) in [
        ("lines", &b"one\n"[..], 1, Ending::Finished),
        ("lines", b"one\ntw", 1, Ending::Truncated),
        ("u32be", b"\0\0\0\x01a", 1, Ending::Finished),
        ("u32be", b"\0\0\0\x02a", 0, Ending::Truncated),
        ("eof", b"the whole of it, is it?", 0, Ending::Truncated),
        ("raw", b"some", 1, Ending::Truncated),
    ] {
        let (a, b) = ends();
        shake(&a, &b);
        assert_eq!(b.write(sent).unwrap(), sent.len());
        b.inner().finish().unwrap();
        let mut client = converse(a, framing);
        assert_eq!(client.messages().filter(Result::is_ok).count(), messages, "{framing}");
        let ended = match client.recv() {
            Ok(None) => Ending::Finished,
            Ok(Some(_)) => panic!("{framing}: there was no more"),
            Err(error) => error.ending().unwrap(),
        };
        assert_eq!(ended, ending, "{framing}");
    }
    // To whoever reads bytes it is an error in any case, and one that says what it is.
    let (a, b) = ends();
    shake(&a, &b);
    b.inner().finish().unwrap();
    let error = a.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert!(error.to_string().contains("without a close_notify"), "{error}");
}

#[test]
fn goodbye_is_an_end_and_the_other_direction_goes_on() {
    let (a, b) = ends();
    shake(&a, &b);
    a.finish().unwrap();
    assert_eq!(b.read(&mut [0; 10]).unwrap(), 0);
    assert_eq!(b.read(&mut [0; 10]).unwrap(), 0);
    assert_eq!(b.write(b"still here").unwrap(), 10);
    let mut bytes = [0; 20];
    assert_eq!(a.read(&mut bytes).unwrap(), 10);
    assert_eq!(a.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    // Dropped, it says goodbye by itself.
    drop(b);
    assert_eq!(a.read(&mut bytes).unwrap(), 0);
}

#[test]
fn a_reset_is_a_reset() {
    let (a, b) = ends();
    shake(&a, &b);
    b.reset().unwrap();
    assert_eq!(a.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// The system has nothing to tell of what is decrypted already.
#[test]
fn what_is_decrypted_is_seen_by_select_and_pollers() {
    let (a, b) = ends();
    shake(&a, &b);
    let mut bytes = [0; 2];
    let stream: Stream = a.clone();
    assert!(select(&[&stream], &[], &[], Some(Duration::ZERO)).unwrap().is_empty());
    assert_eq!(b.write(b"one\ntwo\n").unwrap(), 8);
    assert_eq!(a.read(&mut bytes).unwrap(), 2);
    assert!(a.holds_input());
    assert_eq!(select(&[&stream], &[], &[], Some(PATIENCE)).unwrap().readers, [0]);
    let mut poller = Poller::new().unwrap();
    poller.register(1, converse(stream, "lines"), Interest::READ).unwrap();
    for expected in [&b"e"[..], b"two"] {
        assert!(!poller.wait(Some(PATIENCE)).unwrap().is_empty());
        let Some(switchboard::select::AnySource::Conversation(client)) = poller.get_mut(1) else {
            panic!("it is the one there is")
        };
        match client.try_recv().unwrap() {
            Received::Message(message) => assert_eq!(&*message, expected),
            other => panic!("{other:?}"),
        }
    }
    assert!(poller.wait(Some(Duration::ZERO)).unwrap().is_empty());
}

/// A peer that does not read: what is taken from whoever writes has an end.
#[test]
fn what_is_held_is_bounded() {
    let (a, b) = pair_with_capacity(10_000).unwrap();
    let (a, b) = over(Arc::new(a), Arc::new(b));
    shake(&a, &b);
    let mut taken = 0;
    loop {
        match a.write(&[b'x'; 10_000]) {
            Ok(count) => taken += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
        assert!(taken < 200_000);
    }
    assert!(taken >= 64 * 1024, "{taken}");
    assert!(!a.flush().unwrap());
    assert_eq!(a.interest(Interest::READ), Interest::BOTH);
    a.finish().unwrap();
    let mut bytes = vec![0; 4096];
    let mut received = 0;
    while received < taken {
        match b.read(&mut bytes) {
            Ok(count) => received += count,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        a.flush().unwrap();
    }
    assert_eq!(b.read(&mut bytes).unwrap(), 0);
    assert!(a.flush().unwrap());
}

/// However large the reads are and however the room is cut up.
#[test]
fn much_that_comes_at_once_is_the_same_bytes() {
    let (a, b) = pair_with_capacity(256 * 1024).unwrap();
    let (a, b) = over(Arc::new(a), Arc::new(b));
    shake(&a, &b);
    let byte = |place: usize| u8::try_from(place % 251).unwrap();
    let (mut sent, mut received) = (0, 0);
    let (mut first, mut last) = (vec![0; 70_000], vec![0; 70_000]);
    for round in 1..300_usize {
        // Records of all lengths, several in one read and several reads in one.
        let len = [1, 20, 5000, 16_384, 16_385, 40_000, 100, 65_540][round % 8];
        let bytes: Vec<u8> = (sent..sent + len).map(byte).collect();
        sent += a.write(&bytes).unwrap();
        let (room, behind) = [(70_000, 0), (100, 66_000), (30_000, 70_000), (3, 0)][round % 4];
        let read = match behind {
            0 => b.read(&mut first[..room]),
            _ => b.read_vectored(&mut [
                IoSliceMut::new(&mut first[..room]),
                IoSliceMut::new(&mut last[..behind]),
            ]),
        };
        let read = read.unwrap();
        let found = first[..room].iter().chain(&last[..behind]).take(read);
        assert!(found.copied().eq((received..received + read).map(byte)), "round {round}");
        received += read;
    }
    assert!(a.flush().unwrap());
    while received < sent {
        let read = b.read(&mut first).unwrap();
        assert!(first[..read].iter().copied().eq((received..received + read).map(byte)));
        received += read;
    }
    assert_eq!(b.read(&mut first).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_came_before_a_damaged_record_is_given_first() {
    for first in [2, 24 * 1024] {
        damaged_behind_five_bytes(first);
    }
}

fn damaged_behind_five_bytes(room: usize) {
    let (a, b) = ends();
    shake(&a, &b);
    assert_eq!(b.write(b"whole").unwrap(), 5);
    let record = [&[23, 3, 3, 0, 40][..], &[7; 40]].concat();
    assert_eq!(b.inner().write(&record).unwrap(), record.len());
    let mut room = vec![0; room];
    let mut left = 5;
    while left > 0 {
        left -= a.read(&mut room).unwrap();
    }
    assert!(a.holds_input(), "there is something to tell");
    let error = a.read(&mut room).unwrap_err();
    assert!(error.to_string().contains("damaged or forged"), "{error}");
}

/// A damaged record is told as what it is.
#[test]
fn a_record_that_was_changed_on_its_way() {
    let (a, b) = ends();
    shake(&a, &b);
    let record = [&[23, 3, 3, 0, 40][..], &[7; 40]].concat();
    assert_eq!(b.inner().write(&record).unwrap(), record.len());
    let mut client = converse(a, "lines");
    let error = client.recv().unwrap_err();
    assert!(error.to_string().contains("a record was damaged or forged"), "{error}");
    assert_eq!(error.ending(), Some(Ending::BadTrailer));
    assert!(client.recv().unwrap_err().is_tls());
}

/// The same, to a side that has said goodbye and has nothing left to answer with.
#[test]
fn a_record_that_was_changed_after_goodbye() {
    let (a, b) = ends();
    shake(&a, &b);
    a.finish().unwrap();
    let record = [&[23, 3, 3, 0, 40][..], &[7; 40]].concat();
    assert_eq!(b.inner().write(&record).unwrap(), record.len());
    let error = a.read(&mut [0; 10]).unwrap_err();
    assert!(error.to_string().contains("damaged or forged"), "{error}");
    drop(a);
}

/// The system tells a reset once, and here it is the write of what was held that hears it.
#[test]
fn a_reset_that_a_write_has_heard_of_is_no_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    let (a, b) = over(Arc::new(Tcp::from(theirs)), Arc::new(Tcp::from(ours)));
    while a.opening().is_some() || b.opening().is_some() {
        a.flush().unwrap();
        b.flush().unwrap();
    }
    while b.write(&[7; 64 << 10]).is_ok() {}
    a.reset().unwrap();
    b.inner().wait(Interest::READ, &Wait::FOREVER).unwrap();
    assert_eq!(b.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}
