//! Sides that `swb chaos` silences, seen from both ends.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::chaos::{start, start_at, told};
use crate::support::{Dir, Running, read_to_end, server};

const PATIENCE: Duration = Duration::from_millis(300);

/// Nothing comes for a while.
fn is_silent(stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let read = (&*stream).read(&mut [0]);
    stream.set_read_timeout(None).unwrap();
    matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Ends it though it has a conversation that nobody ends.
fn abort(mut chaos: Running) -> Vec<String> {
    chaos.interrupt_told();
    chaos.abort(Signal::INT);
    let ran = chaos.end();
    assert_eq!(ran.exit, 130);
    told(ran.text())
}

#[test]
fn a_blackhole_takes_all_and_says_nothing() {
    let (upstream, server) = server(|mut stream| {
        let mut first = [0; 2];
        stream.read_exact(&mut first).unwrap();
        (first, is_silent(&stream))
    });
    let chaos = start(&upstream, &["-f", "lines", "--fault", "blackhole@both msg:2"]);
    let mut client = chaos.connect();
    client.write_all(b"a\nb\n").unwrap();
    // More than any buffer on the way holds: it is read, though nobody gets it.
    client.write_all(&vec![b'x'; 8 << 20]).unwrap();
    assert_eq!(server.join().unwrap(), (*b"a\n", true));
    drop(client);
    assert_eq!(abort(chaos), ["c2s 2 @2: drops what comes"]);
}

#[test]
fn the_end_does_not_come_out_of_a_blackhole() {
    let (upstream, server) = server(|mut stream| {
        let got = read_to_end(&stream).unwrap();
        stream.write_all(b"answer\n").unwrap();
        got
    });
    let dir = Dir::new("blackhole");
    let listen = format!("unix:{}", dir.path.join("front").display());
    let args = ["-f", "lines", "--count", "1", "--fault", "blackhole@s2c msg:1"];
    let chaos = start_at(&listen, &upstream, &args);
    let mut client = UnixStream::connect(&chaos.endpoint).unwrap();
    client.write_all(b"a\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.join().unwrap(), b"a\n");
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    // Once nobody is left who could hear it, its place is free.
    drop(client);
    assert_eq!(told(chaos.end().text()), ["s2c 1 @0: drops what comes"]);
}

#[test]
fn a_silence_is_given_up() {
    let (upstream, server) = server(drop);
    let args = ["--count", "1", "--silence", "500ms", "--fault", "blackhole@s2c"];
    let chaos = start(&upstream, &args);
    let client = chaos.connect();
    server.join().unwrap();
    let error = read_to_end(&client).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(told(chaos.end().text()), ["s2c - @0: drops what comes"]);
}

#[test]
fn a_blackhole_heals_with_a_message() {
    let (upstream, server) = server(|mut stream| {
        let mut got = [0; 4];
        stream.read_exact(&mut got).unwrap();
        got
    });
    let args = ["-f", "lines", "--fault", "blackhole@c2s msg:2", "--fault", "heal(200ms)"];
    let mut chaos = start(&upstream, &args);
    let mut client = chaos.connect();
    client.write_all(b"a\nb\n").unwrap();
    assert!(chaos.line().contains("drops what comes"));
    assert!(chaos.line().contains("passes again"));
    client.write_all(b"c\n").unwrap();
    assert_eq!(&server.join().unwrap(), b"a\nc\n");
    drop(client);
    chaos.interrupt();
    chaos.end();
}

#[test]
fn who_is_deaf_is_not_written_to() {
    let (upstream, server) = server(|mut stream| {
        let mut got = [0; 2];
        stream.read_exact(&mut got).unwrap();
        stream.write_all(b"heard\n").unwrap();
        let silent = is_silent(&stream);
        (got, silent)
    });
    let chaos = start(&upstream, &["-f", "lines", "--fault", "deaf@c2s msg:2"]);
    let mut client = chaos.connect();
    client.write_all(b"a\nb\n").unwrap();
    // The other direction goes on.
    let mut reply = [0; 6];
    client.read_exact(&mut reply).unwrap();
    // The window fills up.
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    let chunk = vec![b'x'; 1 << 20];
    let full = (0..64).find_map(|_| client.write(&chunk).err());
    assert_eq!(full.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
    assert_eq!(server.join().unwrap(), (*b"a\n", true));
    drop(client);
    assert_eq!(abort(chaos), ["c2s 2 @2: stops reading"]);
}

#[test]
fn who_is_deaf_hears_again_and_nothing_is_lost() {
    let (upstream, server) = server(|mut stream| {
        let mut got = [0; 6];
        stream.read_exact(&mut got).unwrap();
        got
    });
    let args = ["-f", "lines", "--fault", "deaf@c2s msg:2+1B", "--fault", "heal(100ms)"];
    let mut chaos = start(&upstream, &args);
    let mut client = chaos.connect();
    client.write_all(b"a\nbc\n").unwrap();
    assert!(chaos.line().contains("stops reading"));
    client.write_all(b"d").unwrap();
    assert_eq!(&server.join().unwrap(), b"a\nbc\nd");
    drop(client);
    chaos.interrupt();
    chaos.end();
}

#[test]
fn who_may_not_drop_packets_is_told_how_to() {
    // It ends when it cannot listen, and by then it has told.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        command.args(["--bounding-set=-all", "--inh-caps=-all"]);
    }
    command.arg(env!("CARGO_BIN_EXE_swb")).args(["chaos", &listen, "127.0.0.1:1"]);
    let ran = command.args(["--fault", "dead", "--fault", "reset"]).output();
    let told = ran.map(|ran| String::from_utf8_lossy(&ran.stderr).into_owned());
    match told {
        Ok(told) if told.starts_with("swb: skipped: dead: no filter can be put on a socket: ") => {
            assert!(told.contains("CAP_NET_ADMIN"), "{told}");
            assert!(told.contains("cannot listen") || told.contains("in use"), "{told}");
        }
        // Without setpriv, or where anyone may do it.
        other => {
            eprintln!("skipped: nobody is without the privilege here: {other:?}");
            assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "nothing may be skipped");
        }
    }
}

#[test]
fn who_is_dead_acknowledges_nothing() {
    let (upstream, _server) = server(|mut stream| {
        let _ = stream.read(&mut [0; 8]);
        stream
    });
    let mut chaos = start(&upstream, &["-f", "lines", "--fault", "dead@c2s msg:1"]);
    let mut client = chaos.connect();
    let told = chaos.told("seed ");
    if told.contains("skipped: dead: ") {
        assert!(told.contains("CAP_NET_ADMIN"), "{told}");
        eprintln!("skipped: packets of a socket cannot be dropped here: {told}");
        assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "and nothing may be skipped");
        drop(client);
        chaos.interrupt();
        chaos.end();
        return;
    }
    socket2::SockRef::from(&client).set_tcp_user_timeout(Some(Duration::from_secs(1))).unwrap();
    client.write_all(b"a\n").unwrap();
    assert!(chaos.line().contains("acknowledges nothing"));
    client.write_all(b"b\n").unwrap();
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(client);
    assert_eq!(abort(chaos), Vec::<String>::new());
}
