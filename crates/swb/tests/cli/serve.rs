//! `swb serve`: whole messages, and programs on the raw socket.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use crate::support::{Dir, Running, read_to_end, run};

/// Sends `bytes`, half-closes, and reads to the end.
pub(crate) fn exchange(server: &Running, bytes: &[u8]) -> Vec<u8> {
    let mut client = server.connect();
    client.write_all(bytes).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    read_to_end(&client).unwrap()
}

#[test]
fn echo_sends_every_message_back() {
    let server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "u8", "--count", "2"]);
    assert_eq!(exchange(&server, b"\x02hi\x00\x03yes"), b"\x02hi\x00\x03yes");
    assert_eq!(exchange(&server, b""), b"");
    let ran = server.end();
    assert_eq!((ran.exit, ran.text()), (0, ""));
    let stderr: Vec<&str> = ran.stderr.lines().collect();
    assert!(stderr[0].starts_with("listening on tcp://127.0.0.1:"), "{}", ran.stderr);
    assert_eq!(stderr[1], "2 conversations, 3 messages");
}

#[test]
fn discard_answers_nothing_and_reply_always_the_same() {
    let server = Running::start(&["serve", "--frame", "lines", "127.0.0.1:0", "discard"]);
    assert_eq!(exchange(&server, b"a\nb\n"), b"");
    server.interrupt();
    assert_eq!(server.end().exit, 130);
    let args = ["serve", "127.0.0.1:0", "--frame", "lines", "--count", "1", "reply", "no\\x21"];
    let server = Running::start(&args);
    assert_eq!(exchange(&server, b"a\nb\n"), b"no!\nno!\n");
    assert_eq!(server.end().exit, 0);
}

#[test]
fn a_bad_frame_ends_its_conversation_and_is_told_with_the_bytes_around() {
    let server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "netstring"]);
    assert_eq!(exchange(&server, b"2:ok,1:xy"), b"2:ok,");
    assert_eq!(exchange(&server, b"2:ok,"), b"2:ok,", "the next conversation is served");
    server.interrupt();
    let ran = server.end();
    let told = ran.stderr.lines().find(|line| line.contains("conversation 1: ")).unwrap();
    for part in ["bad-trailer", "message 2", "byte 5", "bytes around it: 31 3a 78 [79]"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn answers_before_a_bad_frame_outlive_what_comes_behind_it() {
    // Closing with unread input would be a reset, and the answer could be lost to it.
    let args = ["serve", "127.0.0.1:0", "echo", "-f", "netstring", "--count", "1"];
    let server = Running::start(&args);
    let mut client = server.connect();
    client.write_all(b"2:ok,1:xy").unwrap();
    assert_eq!(read_to_end(&client).unwrap(), b"2:ok,");
    client.write_all(b"more").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.end().exit, 0);
    assert!(client.take_error().unwrap().is_none(), "an end, not a reset");
}

#[test]
fn an_interrupt_answers_what_has_come_and_ends() {
    let mut server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "u8"]);
    let mut client = server.connect();
    client.write_all(b"\x02hi").unwrap();
    let mut answer = [0; 3];
    client.read_exact(&mut answer).unwrap();
    server.interrupt_told();
    assert_eq!(read_to_end(&client).unwrap(), b"", "a clean end");
    drop(client);
    let ran = server.end();
    assert_eq!(ran.exit, 130);
    assert!(ran.stderr.ends_with("1 conversation, 1 message\n"), "{}", ran.stderr);
}

#[test]
fn a_unix_socket_is_served_too() {
    let dir = Dir::new("serve-unix");
    let path = dir.path.join("socket");
    let endpoint = format!("unix:{}", path.display());
    let server = Running::start(&["serve", &endpoint, "echo", "-f", "lines", "--count", "1"]);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"hi\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client).unwrap(), b"hi\n");
    assert_eq!(server.end().exit, 0);
}

#[test]
fn exec_gives_a_program_the_socket_and_its_environment() {
    let script = "read line; echo \"$line $PROTO $TCPLOCALIP $TCPLOCALPORT $TCPREMOTEIP \
                  $TCPREMOTEPORT ${TCPREMOTEHOST-unset}\"";
    let args = ["serve", "127.0.0.1:0", "--count", "1", "exec", "sh", "-c", script];
    let server = Running::start(&args);
    let mut client: TcpStream = server.connect();
    client.write_all(b"hello\n").unwrap();
    let port = client.local_addr().unwrap().port();
    let listens = client.peer_addr().unwrap().port();
    let answer = String::from_utf8(read_to_end(&client).unwrap()).unwrap();
    assert_eq!(answer, format!("hello TCP 127.0.0.1 {listens} 127.0.0.1 {port} unset\n"));
    let ran = server.end();
    assert_eq!((ran.exit, ran.text()), (0, ""));
    assert!(ran.stderr.ends_with("\n1 conversation\n"), "{}", ran.stderr);
}

#[test]
fn exec_on_a_unix_socket_says_who_connected() {
    let dir = Dir::new("serve-exec-unix");
    let path = dir.path.join("socket");
    let endpoint = format!("unix:{}", path.display());
    let script = "echo \"$PROTO $UNIXLOCALPATH $UNIXREMOTEEUID $UNIXREMOTEEGID $UNIXREMOTEPID\"";
    let args = ["serve", &endpoint, "--count", "1", "exec", "sh", "-c", script];
    let server = Running::start(&args);
    let answer = read_to_end(UnixStream::connect(&path).unwrap()).unwrap();
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let expected = format!(
        "UNIX {} {} {} {}\n",
        path.display(),
        uid.as_raw(),
        gid.as_raw(),
        std::process::id()
    );
    assert_eq!(String::from_utf8(answer).unwrap(), expected);
    assert_eq!(server.end().exit, 0);
}

#[test]
fn exec_reads_to_the_half_close_and_failures_are_told() {
    let args = ["serve", "127.0.0.1:0", "--count", "2", "exec", "sort", "-r"];
    let server = Running::start(&args);
    assert_eq!(exchange(&server, b"a\nb\n"), b"b\na\n");
    assert_eq!(exchange(&server, b""), b"");
    assert_eq!(server.end().exit, 0);
    let args = ["serve", "127.0.0.1:0", "--count", "2", "exec", "sh", "-c", "exit 7"];
    let server = Running::start(&args);
    drop((server.connect(), server.connect()));
    let ran = server.end();
    assert_eq!(ran.exit, 0);
    assert!(ran.stderr.contains("swb: conversation 2: exit status: 7\n"), "{}", ran.stderr);
    // What looks like a program and cannot be run is found out by the first who wants it.
    let dir = Dir::new("serve-exec");
    let broken = dir.path.join("broken");
    std::fs::write(&broken, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&broken, Permissions::from_mode(0o755)).unwrap();
    let broken = broken.to_str().unwrap();
    let server = Running::start(&["serve", "127.0.0.1:0", "--count", "1", "exec", broken]);
    drop(server.connect());
    let ran = server.end();
    let expected = format!("conversation 1: cannot run {broken}: ");
    assert!(ran.stderr.contains(&expected), "{}", ran.stderr);
    for missing in ["no-such-one", "/no/such/one", "/"] {
        let ran = run(&["serve", "127.0.0.1:0", "exec", missing], b"");
        let expected = format!(
            "swb: cannot run {missing}: there is no such program: check its name and PATH\n"
        );
        assert_eq!((ran.exit, ran.stderr), (2, expected));
    }
}

#[test]
fn options_about_messages_do_not_go_with_exec() {
    for option in
        ["--frame=lines", "--max=1k", "--idle=1s", "--dispatch=threads", "--loops=1", "--stats"]
    {
        let ran = run(&["serve", option, "127.0.0.1:0", "exec", "cat"], b"");
        assert_eq!((ran.exit, ran.text()), (2, ""));
        let name = option.split('=').next().unwrap();
        let expected = format!("swb: {name} does not go with exec: ");
        assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
    }
    let ran = run(&["serve", "127.0.0.1:0", "echo"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.starts_with("swb: serve needs --frame"), "{}", ran.stderr);
    assert_eq!(run(&["serve", "127.0.0.1:0"], b"").exit, 2);
}

#[test]
fn a_silent_conversation_is_ended_by_the_idle_time() {
    let args = ["serve", "127.0.0.1:0", "echo", "-f", "u8", "--idle", "50ms", "--count", "1"];
    let server = Running::start(&args);
    let client = server.connect();
    assert_eq!(read_to_end(&client).unwrap(), b"");
    drop(client);
    let ran = server.end();
    assert!(ran.stderr.contains("swb: conversation 1: waiting for a message"), "{}", ran.stderr);
}
