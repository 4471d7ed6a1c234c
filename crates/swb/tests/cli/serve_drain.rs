//! `swb serve --drain`: a signal ends it within the time, whatever its peers do.

use std::io::{Read, Write};

use crate::serve_dispatch::{DISPATCHERS, start, summary};
use crate::support::{Dir, read_to_end, run};

/// A file of so many bytes to answer with, and the word for it.
fn answer(dir: &Dir, bytes: usize) -> String {
    let path = dir.path.join("answer");
    std::fs::write(&path, vec![b'x'; bytes]).unwrap();
    format!("@{}", path.display())
}

#[test]
fn everyone_who_can_be_served_is_and_the_exit_code_is_that_of_the_signal() {
    let dir = Dir::new("serve-drain-all");
    let answer = answer(&dir, 4 << 20);
    for dispatch in DISPATCHERS {
        let args = ["-f", "u32be", "--drain", "1m", "reply", &answer];
        let mut server = start(dispatch, &args);
        let (idle, mut slow) = (server.connect(), server.connect());
        slow.write_all(b"\0\0\0\x01a").unwrap();
        slow.read_exact(&mut [0]).unwrap();
        slow.write_all(b"\0\0\0\x09not wh").unwrap();
        server.terminate();
        server.told("swb: terminated: ");
        assert_eq!(read_to_end(&idle).unwrap(), b"");
        assert_eq!(read_to_end(&slow).unwrap().len(), 3 + (4 << 20));
        drop((idle, slow));
        let ran = server.end();
        assert_eq!((ran.exit, summary(&ran.stderr)), (143, "2 conversations, 1 message"));
    }
}

#[test]
fn who_is_left_when_the_time_is_over_is_cut_off_and_told() {
    let dir = Dir::new("serve-drain-cut");
    let answer = answer(&dir, 24 << 20);
    for dispatch in DISPATCHERS {
        let rest = ["-f", "u32be", "--max", "24m", "--drain=200ms", "reply", &answer];
        let server = start(dispatch, &rest);
        // One that takes nothing, and one that never ends.
        let (mut deaf, silent) = (server.connect(), server.connect());
        deaf.write_all(b"\0\0\0\0").unwrap();
        deaf.read_exact(&mut [0]).unwrap();
        let name = deaf.local_addr().unwrap();
        server.terminate();
        let ran = server.end();
        assert_eq!(ran.exit, 4, "{}", ran.stderr);
        assert_eq!(summary(&ran.stderr), "2 conversations, 1 message; cut off 2");
        let expected = format!(": cut off: tcp://{name}: stopped: ");
        let told = ran.stderr.lines().find(|line| line.contains(&expected));
        assert!(told.is_some_and(|line| line.ends_with(" bytes queued")), "{}", ran.stderr);
        assert!(ran.stderr.contains("it had everything, and did not end"), "{}", ran.stderr);
        drop((deaf, silent));
    }
}

#[test]
fn a_time_that_cannot_be_and_a_program_are_refused() {
    let ran = run(&["serve", "127.0.0.1:0", "-f", "u8", "--drain", "5", "echo"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("--drain") && ran.stderr.contains("a unit is missing"));
    let ran = run(&["serve", "127.0.0.1:0", "--drain", "5s", "exec", "cat"], b"");
    let expected = "swb: --drain does not go with exec: the program has the raw socket\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (2, expected));
}
