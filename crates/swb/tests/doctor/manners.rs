//! What is refused before anything is asked, and what each way to end gives.

use std::net::TcpListener;
use std::path::Path;

use crate::scratch::Scratch;
use crate::servers::{Server, own};
use crate::{Told, command, doctor};

const ECHO: &[&str] = &["--frame", "u32be", "--echo"];

/// Nobody is there, so whatever is not refused is told otherwise.
fn refused(args: &[&str], expected: &str) {
    let told = doctor("127.0.0.1:1", &[ECHO, args].concat());
    assert_eq!((told.exit, told.stdout.as_str()), (2, ""), "{args:?}: {}", told.stderr);
    assert!(told.stderr.contains(expected), "{args:?}: {}", told.stderr);
}

#[test]
fn numbers_have_bounds() {
    refused(&["--runs", "0"], "it must be at least 1");
    for huge in ["1001", "99999999999", "1M"] {
        refused(&["--runs", huge], "it may be at most 1000");
    }
    refused(&["--runs", "many"], "a number is written in digits");
    refused(&["--gap", "0ms"], "it must be more than 0");
    refused(&["--gap", "11s"], "it may be at most 10s");
    refused(&["--gap", "18446744073709551615ms"], "it may be at most");
    for stated in ["--idle", "--dead"] {
        refused(&[stated, "0"], "it must be more than 0");
        refused(&[stated, "5"], "a unit is missing: 5ms, 5s");
        refused(&[stated, "25h"], "it may be at most 24h");
        refused(&[stated, "99999999999h"], "it may be at most");
    }
    refused(&["--max", "0"], "it must be at least 1");
    refused(&["--max", "1MB"], "a size is written");
    refused(&["--greeting", "65536"], "65536 is not in 0..=65535");
    for negative in ["--runs", "--gap", "--idle", "--max", "--greeting"] {
        refused(&[negative, "-1"], "unexpected argument '-1'");
    }
}

/// As in a framing.
#[test]
fn sizes_are_written_as_everywhere() {
    for size in ["1048576", "1024k", "1m", "1M", "1MiB"] {
        let told = doctor("127.0.0.1:1", &[ECHO, &["--max", size]].concat());
        assert_eq!(told.exit, 3, "{size}: {}", told.stderr);
    }
}

#[test]
fn what_cannot_be_asked_with_is_wrong_usage() {
    let ask = |args: &[&str]| doctor("127.0.0.1:1", args);
    let told = ask(&["--frame", "redis", "--send", "PING"]);
    assert_eq!(told.exit, 2, "{}", told.stderr);
    assert!(told.stderr.contains("--send: the message of 4 bytes is no whole frame"));
    let told = ask(&["--frame", "redis", "--echo"]);
    assert!(told.exit == 2 && told.stderr.contains("--echo: the message"), "{}", told.stderr);
    let told = ask(&["--frame", "u33be", "--echo"]);
    assert!(told.exit == 2 && told.stderr.contains("column 1"), "{}", told.stderr);
    let told = doctor("127.0.0.1:0", ECHO);
    assert!(told.exit == 2 && told.stderr.contains("or have it started with --exec"));
}

/// The table of exit codes in the docs: here the rows that no other test has.
#[test]
fn each_exit_code() {
    let server = Server::swb(&["127.0.0.1:0", "--frame", "u32be", "echo"]);
    let ask = |only: &str| doctor(&server.said, &[ECHO, &["--only", only]].concat());
    assert_eq!(ask("F4").exit, 0);
    // Nothing of it was asked.
    let told = ask("T1");
    assert_eq!(told.exit, 2, "{}", told.stdout);
    assert!(told.stdout.contains("T1  mute                    skipped: "), "{}", told.stdout);
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [&unused.to_string(), "unix:/nobody/listens/here", "no-such-host.invalid:7"] {
        assert_eq!(doctor(endpoint, ECHO).exit, 3, "{endpoint}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_is_asked() {
    let scratch = Scratch::new();
    let asked = scratch.path("asked");
    let exec = format!("touch '{asked}'; {}", own("127.0.0.1:{port} --frame u32be echo"));
    let missing = scratch.path("no/such/folder.xml");
    let args = ["--exec", &exec, "--junit", &missing];
    let told = doctor("127.0.0.1:0", &[ECHO, &args].concat());
    assert_eq!((told.exit, told.stdout.as_str()), (2, ""), "{}", told.stderr);
    assert!(told.stderr.contains("--junit: cannot write "), "{}", told.stderr);
    assert!(!Path::new(&asked).exists());
}

/// A pipe has no status line, no colours and no lines that are cut.
#[test]
fn nothing_but_words_goes_into_a_pipe() {
    let server = Server::swb(&["127.0.0.1:0", "--frame", "u32be", "echo"]);
    let mut command = command(&server.said, &[ECHO, &["--only", "F1,T1"]].concat());
    let told = Told::from(command.env("COLUMNS", "20").output().unwrap());
    assert_eq!((told.exit, told.stderr.as_str()), (0, ""), "{}", told.stdout);
    assert!(told.stdout.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()));
    assert_eq!(told.stdout.lines().count(), 4, "{}", told.stdout);
}
