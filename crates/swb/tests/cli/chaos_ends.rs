//! How `swb chaos` ends conversations, seen from both ends.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::chaos::{start, start_at, told};
use crate::support::{Dir, read_to_end, reset, server};

type Read1 = Result<Vec<u8>, io::ErrorKind>;

/// What each end reads to its end, when the client writes lines and the server answers each.
fn ends(fault: &str) -> (Read1, Read1, Vec<String>) {
    let (upstream, server) = server(|mut stream| {
        let mut got = Vec::new();
        let mut byte = [0];
        loop {
            match stream.read(&mut byte) {
                Ok(0) => return Ok(got),
                Ok(_) => got.push(byte[0]),
                Err(error) => return Err(error.kind()),
            }
            if byte[0] == b'\n' {
                let _ = stream.write_all(b"ok\n");
            }
        }
    });
    let chaos = start(&upstream, &["-f", "lines", "--count", "1", "--fault", fault]);
    let mut client = chaos.connect();
    client.write_all(b"a\n").unwrap();
    let mut talk = || {
        let mut reply = vec![0; 3];
        client.read_exact(&mut reply)?;
        client.write_all(b"b\n")?;
        reply.extend(read_to_end(&client)?);
        Ok(reply)
    };
    // Which call is told of a reset is chance, and so is by which of two names.
    let kind = |error: io::Error| match error.kind() {
        io::ErrorKind::BrokenPipe => io::ErrorKind::ConnectionReset,
        other => other,
    };
    let at_client = talk().map_err(kind);
    drop(client);
    let at_server = server.join().unwrap();
    (at_client, at_server, told(chaos.end().text()))
}

#[test]
fn both_ends_are_reset() {
    let (client, server, told) = ends("reset@c2s msg:2");
    assert_eq!((client, server), (broken(), broken()));
    assert_eq!(told, ["c2s 2 @2: resets both sides"]);
    let (client, server, told) = ends("reset@s2c byte:3");
    assert_eq!((client, server), (broken(), broken()));
    assert_eq!(told, ["s2c 1 @3: resets both sides"]);
}

fn broken() -> Read1 {
    Err(io::ErrorKind::ConnectionReset)
}

#[test]
fn both_ends_are_ended() {
    let (client, server, told) = ends("fin@c2s msg:2+1B");
    assert_eq!(client, Ok(b"ok\n".to_vec()));
    assert_eq!(server, Ok(b"a\nb".to_vec()));
    assert_eq!(told, ["c2s 2 @3: ends both directions"]);
    let (client, server, _) = ends("limit-bytes(3)@s2c");
    assert_eq!((client, server.is_ok()), (Ok(b"ok\n".to_vec()), true));
}

#[test]
fn one_direction_is_ended_and_the_other_goes_on() {
    let (client, server, told) = ends("half-close@c2s msg:2+1B");
    // The server's end comes behind all that it had to say.
    assert_eq!((client, server), (Ok(b"ok\n".to_vec()), Ok(b"a\nb".to_vec())));
    assert_eq!(told, ["c2s 2 @3: ends this direction"]);
}

#[test]
fn an_end_comes_late_or_as_a_reset() {
    let (upstream, server) = server(|stream| (read_to_end(&stream).unwrap(), Instant::now()));
    let chaos = start(&upstream, &["--count", "1", "--fault", "slow-close(300ms)@c2s"]);
    let mut client = chaos.connect();
    client.write_all(b"x").unwrap();
    let began = Instant::now();
    client.shutdown(Shutdown::Write).unwrap();
    let (got, ended) = server.join().unwrap();
    let time = ended - began;
    assert!(got == b"x" && time >= Duration::from_millis(300), "{got:?} {time:?}");
    drop(client);
    assert_eq!(told(chaos.end().text()), ["c2s - @1: the end comes 300 ms late"]);

    let (upstream, server) = crate::support::server(|mut stream| {
        stream.write_all(b"x").unwrap();
        read_to_end(&stream).map_err(|error| error.kind())
    });
    let chaos = start(&upstream, &["--count", "1", "--fault", "rst-for-fin@c2s"]);
    let mut client = chaos.connect();
    client.read_exact(&mut [0]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.join().unwrap(), broken());
    assert_eq!(read_to_end(&client).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(told(chaos.end().text()), ["c2s - @0: a reset for the end"]);
}

#[test]
fn an_end_that_is_swallowed_is_not_seen() {
    let (upstream, server) = server(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let kept = stream.read(&mut [0]).unwrap_err().kind();
        stream.write_all(b"still here").unwrap();
        kept
    });
    let args = ["--count", "1", "--silence", "5s", "--fault", "swallow-fin@c2s"];
    let chaos = start(&upstream, &args);
    let client = chaos.connect();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client).unwrap(), b"still here");
    assert_eq!(server.join().unwrap(), io::ErrorKind::WouldBlock);
    assert_eq!(told(chaos.end().text()), ["c2s - @0: the end is swallowed"]);
}

#[test]
fn what_a_socket_without_resets_shows_is_told() {
    let (upstream, server) = server(|stream| read_to_end(&stream).unwrap_err().kind());
    let dir = Dir::new("no-resets");
    let listen = format!("unix:{}", dir.path.join("front").display());
    let args = ["--count", "2", "--fault", "refuse conn:2", "--fault", "reset@c2s byte:1"];
    let chaos = start_at(&listen, &upstream, &args);
    let mut client = UnixStream::connect(&chaos.endpoint).unwrap();
    client.write_all(b"xy").unwrap();
    assert_eq!(read_to_end(&client).unwrap(), b"");
    assert_eq!(server.join().unwrap(), io::ErrorKind::ConnectionReset);
    assert_eq!(read_to_end(UnixStream::connect(&chaos.endpoint).unwrap()).unwrap(), b"");
    let seen = "the client sees an end: its socket has no resets";
    let first = format!("c2s - @1: resets both sides; {seen}");
    assert_eq!(told(chaos.end().text()), [first, format!("both - @0: reset; {seen}")]);
}

#[test]
fn resets_of_the_ends_pass_as_resets() {
    let (upstream, server) = server(|mut stream| {
        stream.write_all(b"x").unwrap();
        read_to_end(&stream).unwrap_err().kind()
    });
    let chaos = start(&upstream, &["--count", "1"]);
    let mut client = chaos.connect();
    client.read_exact(&mut [0]).unwrap();
    reset(client);
    assert_eq!(server.join().unwrap(), io::ErrorKind::ConnectionReset);
    assert_eq!(chaos.end().exit, 0);
}

#[test]
fn who_is_there_is_reset_when_the_server_goes_down() {
    let (upstream, server) = server(|stream| read_to_end(&stream).unwrap_err().kind());
    let chaos = start(&upstream, &["--count", "2", "--fault", "flap(up=3s, down=1h)"]);
    let mut client = chaos.connect();
    client.write_all(b"x").unwrap();
    assert_eq!(read_to_end(&client).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(server.join().unwrap(), io::ErrorKind::ConnectionReset);
    // And the next one does not even begin.
    let mut next = chaos.connect();
    let refused = next.write_all(b"x").and_then(|()| read_to_end(&next).map(drop));
    assert!(refused.is_err());
    let told = told(chaos.end().text());
    assert_eq!(told, ["both - @0: down: resets both sides", "both - @0: down: reset"]);
}
