//! A server that is started here: that it ends, what is told of how it ended, what is seen of it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::scratch::Scratch;
use crate::servers::{FRAGILE, Mutant, Server, is_there, own};
use crate::{Told, command, doctor};

/// Longer than anything here takes.
const BOUND: Duration = Duration::from_secs(30);

/// A command that starts our own server and two processes beside it, one of which leaves its group;
/// their ids are written to a file, and the port to another.
fn crowd(scratch: &Scratch) -> String {
    let (ids, port) = (scratch.path("ids"), scratch.path("port"));
    let note = format!("echo $! >> '{ids}'");
    let own = own("127.0.0.1:{port} --frame u32be echo");
    format!(
        "sleep 1000 & {note}; setsid sleep 1000 & {note}; echo $$ >> '{ids}'; \
         echo {{port}} > '{port}'; {own}"
    )
}

/// None of them is there any more.
fn are_gone(scratch: &Scratch) {
    let ids = fs::read_to_string(scratch.path("ids")).unwrap();
    assert_eq!(ids.lines().count(), 3, "{ids}");
    for id in ids.lines() {
        assert!(!Path::new("/proc").join(id).exists(), "{id} is still there");
    }
}

/// A doctor under way that has told so many results.
pub(crate) fn under_way(scratch: &Scratch, results: usize, more: &[&str]) -> (Child, Vec<String>) {
    let args = ["--frame", "u32be", "--echo", "--json", "--only", "F1,F4,T1", "--idle", "1h"];
    let crowd = crowd(scratch);
    let mut command = command("127.0.0.1:0", &[&args[..], &["--exec", &crowd], more].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    for _ in 0..results {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        lines.push(line);
    }
    // What is behind them stays in the pipe.
    assert_eq!(stdout.buffer(), b"");
    child.stdout = Some(stdout.into_inner());
    (child, lines)
}

#[test]
fn nothing_is_left_at_the_end() {
    let scratch = Scratch::new();
    let args = ["--frame", "u32be", "--echo", "--only", "F4", "--exec", &crowd(&scratch)];
    let told = doctor("127.0.0.1:0", &args);
    assert_eq!(told.exit, 0, "{}{}", told.stdout, told.stderr);
    are_gone(&scratch);
}

#[test]
fn an_interrupt_tells_what_is_known_and_leaves_nothing() {
    let scratch = Scratch::new();
    let (child, lines) = under_way(&scratch, 2, &[]);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let told = Told::from(child.wait_with_output().unwrap());
    assert_eq!(told.exit, 130, "{}", told.stderr);
    assert!(told.stderr.contains("interrupted: telling what was found so far"), "{}", told.stderr);
    let first: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((first["id"].as_str(), first["verdict"].as_str()), (Some("F1"), Some("ok")));
    let objects = told.objects();
    let (unasked, summary) = (&objects[0], &objects[1]);
    assert_eq!(unasked["why"], "interrupted", "{unasked}");
    assert_eq!(summary["interrupted"], true, "{summary}");
    assert_eq!(summary["type"], "summary");
    let counts = ["probes", "ok", "skipped"].map(|key| summary[key].as_u64());
    assert_eq!(counts, [Some(3), Some(2), Some(1)], "{summary}");
    are_gone(&scratch);
}

/// Whoever ends a run signals its process and then the group, as `timeout` does.
#[test]
fn two_signals_at_once_are_one() {
    let scratch = Scratch::new();
    let (child, _) = under_way(&scratch, 2, &[]);
    // Two of the same may be one to the system.
    for signal in [Signal::INT, Signal::TERM] {
        kill_process(Pid::from_child(&child), signal).unwrap();
    }
    let told = Told::from(child.wait_with_output().unwrap());
    assert!([130, 143].contains(&told.exit), "{}", told.stderr);
    assert_eq!(told.objects().last().unwrap()["type"], "summary", "{}", told.stdout);
    are_gone(&scratch);
}

/// The guard is for that: nobody else is there any more who could end it.
#[test]
fn a_doctor_that_is_killed_takes_its_server_with_it() {
    let scratch = Scratch::new();
    let (mut child, _) = under_way(&scratch, 2, &[]);
    let port = fs::read_to_string(scratch.path("port")).unwrap();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{}", port.trim())).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // It ends with the server, one way or the other; a time-out is an error too.
    let ended = stream.read(&mut [0; 64]);
    let is_time_out = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(!ended.as_ref().is_err_and(is_time_out), "the server is still there");
    end_astray(&scratch);
}

/// Ends the one that has left the group, which is all that the guard knows.
pub(crate) fn end_astray(scratch: &Scratch) {
    let ids = fs::read_to_string(scratch.path("ids")).unwrap();
    let astray = ids.lines().nth(1).unwrap().parse().unwrap();
    kill_process(Pid::from_raw(astray).unwrap(), Signal::KILL).unwrap();
}

/// It does not get as far as being asked.
fn is_refused(endpoint: &str, exec: &str, exit: i32, expected: &str) {
    let told = doctor(endpoint, &["--frame", "u32be", "--echo", "--exec", exec]);
    assert_eq!((told.exit, told.stdout.as_str()), (exit, ""), "{}", told.stderr);
    assert!(told.stderr.contains(expected), "{}", told.stderr);
}

#[test]
fn a_server_that_does_not_start_is_told_with_its_last_words() {
    let why = "it ended with exit status: 3; the last it said: no such option";
    is_refused("127.0.0.1:0", "echo no such option >&2; exit 3; {port}", 3, why);
    let why = "it ended with signal: 11 (SIGSEGV)";
    is_refused("127.0.0.1:0", "kill -s SEGV $$; {port}", 3, why);
    // What sh has started, which it tells as 128 and the number.
    let why = "it ended with signal: 13 (SIGPIPE), which a shell tells as 141";
    is_refused("127.0.0.1:0", "sh -c 'kill -s PIPE $$'; exit $?; {port}", 3, why);
}

/// Of a traceback the exception, and none of the frames.
#[test]
fn of_a_server_that_throws_the_exception_is_told() {
    if is_there("python3") {
        let exec = "python3 -c 'import struct; struct.unpack(\">I\", b\"ab\")' {port}";
        let why = "the last it said: struct.error: unpack requires a buffer of 4 bytes\n";
        is_refused("127.0.0.1:0", exec, 3, why);
    }
    if is_there("node") {
        let exec = "node -e 'Buffer.alloc(2).readUInt32BE(0)' {port}";
        let why = "the last it said: RangeError [ERR_BUFFER_OUT_OF_BOUNDS]: Attempt to access";
        is_refused("127.0.0.1:0", exec, 3, why);
    }
}

#[test]
fn a_server_that_dies_of_the_first_messages_is_told_with_its_last_words() {
    if is_there("python3") {
        let said = "so nothing was asked: it ended with exit status: 1; the last it said: \
                    ZeroDivisionError: division by zero\n";
        // Those that send nothing are to see whether it is there. The one behind may be let in.
        for (when, what) in [("n", "did not survive the first messages, "), ("not n", "")] {
            let serve = "s = socket.create_server((\"127.0.0.1\", {port}))\nwhile True:\n c, _ = \
                         s.accept()\n n = len(c.recv(9))";
            let text = format!("import socket\n{serve}\n if {when}: 1 / 0\n");
            let exec = format!("python3 -c '{text}'");
            is_refused("127.0.0.1:0", &exec, 2, &format!("{what}{said}"));
        }
    }
}

#[test]
fn a_server_that_never_listens_is_waited_for_no_longer_than_was_said() {
    let wait = ["--connect-timeout", "300ms"];
    let ask = |exec: &str| {
        let args = [&["--frame", "u32be", "--echo", "--exec", exec], &wait[..]].concat();
        let told = doctor("127.0.0.1:0", &args);
        assert_eq!((told.exit, told.stdout.as_str()), (3, ""), "{}", told.stderr);
        told.stderr
    };
    let told = ask("echo warming up; exec sleep 1000; {port}");
    let why = "300ms were waited (--connect-timeout), and what was started still runs (sleep); the \
               last it said: warming up\n";
    assert!(told.contains(why), "{told}");
    let told = ask(&own("127.0.0.1:0 --frame u32be echo; {port}"));
    assert!(told.contains("still runs (swb), and listens on port "), "{told}");
}

#[test]
fn a_command_has_to_say_where_to_listen() {
    is_refused("127.0.0.1:0", "server", 2, "write {port} where it goes");
    let why = "a Unix endpoint has no port: write {endpoint}";
    is_refused("unix:/tmp/swb-none", "server {port}", 2, why);
    is_refused("exec:cat", "server", 2, "exec:cat is neither");
}

/// It would be asked, and taken for the one that is started.
#[test]
fn nobody_else_may_listen_there() {
    let server = Server::swb(&["127.0.0.1:0", "--frame", "u32be", "echo"]);
    is_refused(&server.said, "exit 1", 2, "somebody listens on tcp://127.0.0.1:");
}

#[test]
fn a_server_that_dies_is_blamed_on_one_probe_and_started_again() {
    if !is_there("python3") {
        return;
    }
    let scratch = Scratch::new();
    let exec = format!("python3 '{}' {{port}}", scratch.file("server.py", FRAGILE));
    let args = ["--frame", "u32be", "--echo", "--json", "--only", "F1,F4", "--exec", &exec];
    let told = doctor("127.0.0.1:0", &args);
    let shown = format!("{}{}", told.stdout, told.stderr);
    let objects = told.objects();
    assert_eq!((told.exit, objects[0]["verdict"].as_str()), (1, Some("failed")), "{shown}");
    let came = objects[0]["came"].as_str().unwrap();
    assert!(came.contains("did not survive it: it ended with exit status: 7"), "{shown}");
    assert!(came.contains(r"half a <header> & \x1b[31m"), "{shown}");
    assert_eq!(objects[0]["runs"], 1, "{shown}");
    assert_eq!(objects[1]["verdict"], "ok", "{shown}");
}

#[test]
fn of_a_server_that_nobody_can_start_again_nothing_more_is_asked() {
    if !is_there("python3") {
        return;
    }
    let scratch = Scratch::new();
    let server = Server::python(scratch.file("server.py", FRAGILE));
    let endpoint = format!("127.0.0.1:{}", server.said);
    let told = doctor(&endpoint, &["--frame", "u32be", "--echo", "--json", "--only", "F1,F4"]);
    let objects = told.objects();
    let verdicts = (objects[0]["verdict"].as_str(), objects[1]["verdict"].as_str());
    assert_eq!(verdicts, (Some("failed"), Some("skipped")), "{}", told.stdout);
    assert_eq!(objects[1]["why"], "not asked: the server is gone since F1");
}

#[test]
fn a_server_that_spins_is_told_so() {
    for mutant in Mutant::all("C4_idle_fin") {
        let Some(exec) = mutant.command(&[]) else { continue };
        let args = ["--frame", "u32be", "--echo", "--runs", "1", "--only", "C4", "--exec", &exec];
        let told = doctor("127.0.0.1:0", &args);
        assert_eq!(told.exit, 1, "{}{}", told.stdout, told.stderr);
        assert!(told.stdout.contains("in 500 ms it used "), "{}", told.stdout);
    }
}
