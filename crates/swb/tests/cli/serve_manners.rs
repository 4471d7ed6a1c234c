//! What `swb serve` says and does when something is out of the ordinary: peers that keep it
//! waiting, signals, a lack of descriptors, an answer that cannot be sent.

use std::io::Write;

use crate::serve_dispatch::{DISPATCHERS, start, summary};
use crate::support::{Dir, read_to_end};

#[test]
fn half_a_message_is_not_waited_for_longer_than_idle() {
    for dispatch in DISPATCHERS {
        let server = start(dispatch, &["-f", "u32be", "--idle", "50ms", "--count", "1", "echo"]);
        let mut client = server.connect();
        client.write_all(b"\0\0").unwrap();
        assert_eq!(read_to_end(&client).unwrap(), b"", "closed");
        drop(client);
        let ran = server.end();
        assert_eq!(summary(&ran.stderr), "1 conversation, 0 messages; timed-out 1");
    }
}

#[test]
fn a_peer_that_takes_nothing_is_not_waited_for_longer_than_idle() {
    let dir = Dir::new("serve-stall");
    let path = dir.path.join("answer");
    // More than the buffers of both sockets hold.
    std::fs::write(&path, vec![b'x'; 24 << 20]).unwrap();
    let answer = format!("@{}", path.display());
    for dispatch in DISPATCHERS {
        let rest = ["-f", "u32be", "--max", "24m", "--idle", "100ms", "--count", "1"];
        let server = start(dispatch, &[&rest[..], &["reply", &answer]].concat());
        let mut client = server.connect();
        client.write_all(b"\0\0\0\0").unwrap();
        let ran = server.end();
        assert_eq!(summary(&ran.stderr), "1 conversation, 1 message; timed-out 1");
        drop(client);
    }
}
