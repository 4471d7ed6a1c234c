//! HAProxy in front of `swb serve`: who it says the client is, in both versions of its protocol.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

use crate::harness::{Process, Scratch, programs};
use crate::swb::Serve;

/// How a server line of HAProxy asks for each kind of header.
const HEADERS: [&str; 4] = [
    "send-proxy",
    "send-proxy-v2",
    "send-proxy-v2 proxy-v2-options crc32c,unique-id",
    // Its own checks come between: LOCAL, and what version 1 has for it.
    "send-proxy-v2 check inter 10ms",
];

/// HAProxy on a port of its own, in front of another one.
fn start(scratch: &Scratch, header: &str, server: u16) -> Option<(Process, u16)> {
    let [haproxy] = programs(["haproxy"])?;
    Some(Process::serve("Loading success", |port| {
        let configuration = format!(
            "defaults
                 mode tcp
                 timeout connect 10s
                 timeout client 60s
                 timeout server 60s
             listen it
                 bind 127.0.0.1:{port}
                 unique-id-format %pid-%rt
                 server swb 127.0.0.1:{server} {header}\n"
        );
        let file = scratch.file("haproxy.cfg", configuration);
        let mut command = Command::new(&haproxy);
        command.args(["-W", "-db", "-f"]).arg(file);
        command
    }))
}

#[test]
fn a_program_is_told_the_client_and_finds_the_stream_from_its_first_byte() {
    for header in HEADERS {
        let scratch = Scratch::new("haproxy");
        let script = "echo $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALPORT; cat";
        let serve = Serve::start(&["--proxy-from", "127.0.0.1", "exec", "sh", "-c", script]);
        let Some((haproxy, port)) = start(&scratch, header, serve.port) else { return };
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // It is there before the program is: what lies behind the header is the program's.
        let stream = "stream\n".repeat(20_000);
        let sent = stream.clone();
        let mut sending = client.try_clone().unwrap();
        let sending = std::thread::spawn(move || {
            sending.write_all(sent.as_bytes()).unwrap();
            sending.shutdown(Shutdown::Write).unwrap();
        });
        let local = client.local_addr().unwrap();
        let mut answer = BufReader::new(&mut client);
        let mut who = String::new();
        answer.read_line(&mut who).unwrap();
        assert_eq!(who, format!("{} {} {port}\n", local.ip(), local.port()), "{header}");
        let mut echoed = String::new();
        answer.read_to_string(&mut echoed).unwrap();
        sending.join().unwrap();
        assert!(echoed == stream, "{header}: {} bytes of {}", echoed.len(), stream.len());
        haproxy.stop();
        serve.stop();
    }
}

#[test]
fn messages_come_through_and_each_client_counts_by_its_own_address() {
    for dispatch in ["threads", "events"] {
        for header in HEADERS {
            let scratch = Scratch::new("haproxy");
            let options = ["--proxy-from", "127.0.0.0/8", "--max-per-address", "1", "--frame"];
            let action = ["lines", "--dispatch", dispatch, "echo"];
            let serve = Serve::start(&[&options[..], &action].concat());
            let Some((haproxy, port)) = start(&scratch, header, serve.port) else { return };
            let connect = |from: [u8; 4]| {
                let socket =
                    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
                let socket = socket.unwrap();
                socket.bind(&std::net::SocketAddr::from((from, 0)).into()).unwrap();
                socket.connect(&std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
                TcpStream::from(socket)
            };
            let answer = |client: &mut TcpStream| {
                let mut line = String::new();
                let sent = client.write_all(b"one\n");
                let read = BufReader::new(client).read_line(&mut line);
                if sent.is_ok() && read.is_ok() { line } else { String::new() }
            };
            let mut first = connect([127, 0, 0, 2]);
            assert_eq!(answer(&mut first), "one\n", "{header}");
            // Through the same proxy, and yet somebody else.
            let mut second = connect([127, 0, 0, 3]);
            assert_eq!(answer(&mut second), "one\n", "{header}");
            let mut again = connect([127, 0, 0, 2]);
            assert_eq!(answer(&mut again), "", "{header}");
            drop((first, second, again));
            haproxy.stop();
            let told = serve.stop();
            assert!(told.contains("refused 1"), "{header}: {told}");
            assert!(!told.contains("bad-prefix"), "{header}: {told}");
        }
    }
}
