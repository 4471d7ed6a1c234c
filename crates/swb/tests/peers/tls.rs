//! TLS as others speak it: OpenSSL's command, curl, Python and Erlang, as clients of `swb serve`
//! and as servers to `swb send`.

use std::path::{Path, PathBuf};
use std::process::Command;

use switchboard::transport::TlsClient;
use switchboard::{ConnectOptions, Conversation, Endpoint};

use crate::harness::{Process, Scratch, programs, run, run_with};
use crate::swb::swb;

/// A certificate for localhost that is signed by itself, as people make one, and its key.
struct Identity {
    scratch: Scratch,
    cert: PathBuf,
    key: PathBuf,
}

impl Identity {
    /// `None` without OpenSSL's command, as for whatever else is missing.
    fn new(name: &str) -> Option<Identity> {
        let [openssl] = programs(["openssl"])?;
        let scratch = Scratch::new(name);
        let (cert, key) = (scratch.path().join("cert.pem"), scratch.path().join("key.pem"));
        let mut command = Command::new(openssl);
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        command.args(["-nodes", "-days", "2", "-subj", "/CN=localhost"]);
        command.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        command.arg("-keyout").arg(&key).arg("-out").arg(&cert);
        run(&mut command).ok();
        Some(Identity { scratch, cert, key })
    }

    /// `swb serve` over TLS: the process, and its port.
    fn serve(&self, args: &[&str]) -> (Process, u16) {
        let mut command = swb();
        command.args(["serve", "tls://127.0.0.1:0", "--tls-cert"]).arg(&self.cert);
        command.arg("--tls-key").arg(&self.key).args(args);
        let mut process = Process::start(&mut command).stopped_by("INT");
        let line = process.line_with("tls://127.0.0.1:").expect("swb serve ended early");
        let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        (process, port)
    }

    /// `swb send` over TLS: the replies.
    fn send(&self, port: u16, args: &[&str]) -> Vec<String> {
        let endpoint = format!("tls://localhost:{port}");
        let mut command = swb();
        command.args(["send", &endpoint, "--tls-ca"]).arg(&self.cert).args(args);
        run(&mut command).ok().lines().map(str::to_owned).collect()
    }
}

/// That every conversation of a server ended well.
fn ended_well(server: Process) {
    let told = server.stop();
    let stderr = told.stderr.clone();
    told.ended_with(130);
    assert!(!stderr.contains("swb: conversation"), "{stderr}");
}

#[test]
fn s_client_talks_to_swb_serve() {
    let Some(identity) = Identity::new("s_client") else { return };
    let Some([openssl]) = programs(["openssl"]) else { return };
    // It goes on listening once its stdin has ended, so the server lets it go.
    let (server, port) = identity.serve(&["--frame", "lines", "--idle", "500ms", "echo"]);
    for version in ["-tls1_3", "-tls1_2"] {
        let mut command = Command::new(&openssl);
        command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), version, "-quiet"]);
        command.arg("-verify_return_error").arg("-CAfile").arg(&identity.cert);
        assert_eq!(run_with(&mut command, b"one\ntwo\n").ok(), "one\ntwo\n", "{version}");
    }
    let told = server.stop();
    assert!(told.stderr.contains("timed-out 2"), "{}", told.stderr);
}

#[test]
fn swb_send_talks_to_s_server() {
    let Some(identity) = Identity::new("s_server") else { return };
    let Some([openssl]) = programs(["openssl"]) else { return };
    for version in ["-tls1_3", "-tls1_2"] {
        let (_server, port) = Process::serve("ACCEPT", |port| {
            let mut command = Command::new(&openssl);
            command.args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-rev", version]);
            command.arg("-cert").arg(&identity.cert).arg("-key").arg(&identity.key);
            command
        });
        let replies = identity.send(port, &["--frame", "lines", "--data", "hello"]);
        assert_eq!(replies, ["olleh"], "{version}");
    }
}

#[test]
fn curl_fetches_from_swb_serve() {
    let Some(identity) = Identity::new("curl") else { return };
    let Some([curl]) = programs(["curl"]) else { return };
    let frame = r#"delim:"\r\n\r\n""#;
    let alpn = ["--frame", frame, "--alpn", "http/1.1", "reply", "HTTP/1.1 204 No Content"];
    let (server, port) = identity.serve(&alpn);
    let mut command = Command::new(curl);
    command.args(["-sS", "--max-time", "30", "-w", "%{http_code}"]);
    command.arg("--cacert").arg(&identity.cert);
    command.arg(format!("https://localhost:{port}/"));
    assert_eq!(run(&mut command).ok(), "204");
    ended_well(server);
}

#[test]
fn python_is_a_client_and_a_server() {
    let Some(identity) = Identity::new("python") else { return };
    let Some([python]) = programs(["python3"]) else { return };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/tls_peer.py");
    let (server, port) = identity.serve(&["--frame", "u32be", "echo"]);
    let mut client = Command::new(&python);
    client.arg(&program).args(["client", &port.to_string()]).arg(&identity.cert).arg("300");
    let told = run(&mut client).ok();
    assert!(told.starts_with("echoed 300 "), "{told}");
    ended_well(server);

    let mut server = Command::new(&python);
    server.arg(&program).arg("server").arg(&identity.cert).arg(&identity.key);
    let mut server = Process::start(&mut server);
    let line = server.line_with("port ").expect("python ended early");
    let port = line.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    let data = ["--frame", "u32be", "--data", "a message", "--count", "500"];
    assert_eq!(identity.send(port, &data), ["a message"; 500]);
    assert!(server.finish().ok().ends_with(&format!("served {}\n", 500 * 13)));
}

#[test]
fn erlang_is_a_client_and_a_server() {
    let Some(identity) = Identity::new("erlang-ssl") else { return };
    let Some([escript, erl]) = programs(["escript", "erl"]) else { return };
    let mut probe = Command::new(erl);
    probe.env("HOME", identity.scratch.path());
    probe.args(["-noshell", "-eval", "io:format(\"~p\", [code:which(ssl)]), halt()."]);
    if run(&mut probe).ok().contains("non_existing") {
        crate::harness::skip("erlang-ssl is not installed; scripts/install brings it");
        return;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/tls_peer.escript");
    let erlang = || {
        let mut command = Command::new(&escript);
        command.arg(&program).env("HOME", identity.scratch.path());
        command
    };
    let (server, port) = identity.serve(&["--frame", "u32be", "echo"]);
    let mut client = erlang();
    client.args(["client", &port.to_string()]).arg(&identity.cert).arg("200");
    assert_eq!(run(&mut client).ok(), "echoed 200\n");
    ended_well(server);

    let mut server = erlang();
    let mut server = Process::start(server.arg("server").arg(&identity.cert).arg(&identity.key));
    let line = server.line_with("port ").expect("escript ended early");
    let port: u16 = line.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    // Erlang knows no half-close over TLS: it answers nothing behind the other side's goodbye. So
    // here each reply is waited for.
    let trust = TlsClient::default().with_ca_file(&identity.cert).unwrap();
    let endpoint: Endpoint = format!("tls://localhost:{port}").parse().unwrap();
    let transport = endpoint.connect(&ConnectOptions::default().with_tls(trust)).unwrap();
    let mut client = Conversation::over(transport, &"u32be".parse().unwrap());
    for size in 0..50 {
        let message = vec![b'e'; size * size * 10];
        assert!(*client.request(&message).unwrap() == message);
    }
    client.close().unwrap();
    assert!(server.finish().ok().ends_with("served 50\n"));
}

/// The tap ends TLS on both sides, and sees the messages between.
#[test]
fn a_tap_stands_between_two_that_speak_tls() {
    let Some(identity) = Identity::new("tap") else { return };
    let (_server, upstream) = identity.serve(&["--frame", "lines", "echo"]);
    let mut command = swb();
    command.args(["tap", "tls://127.0.0.1:0", &format!("tls://localhost:{upstream}")]);
    command.args(["--frame", "lines", "--json", "--tls-cert"]).arg(&identity.cert);
    command.arg("--tls-key").arg(&identity.key).arg("--tls-ca").arg(&identity.cert);
    let mut tap = Process::start(&mut command).stopped_by("INT");
    let line = tap.line_with("listening on ").expect("swb tap ended before it listened");
    let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
    let data = ["--frame", "lines", "--data", "hello", "--count", "100"];
    assert_eq!(identity.send(port, &data), ["hello"; 100]);
    let told = tap.stop().ended_with(130);
    assert_eq!(told.matches("\"hello\"").count(), 200, "{told}");
    assert_eq!(told.matches("\"finished\"").count(), 2, "{told}");
}
