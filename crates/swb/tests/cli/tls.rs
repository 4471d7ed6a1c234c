//! TLS through the options: who is served, who is believed, and what is told of the rest.

use crate::support::{Dir, Running, run};

/// A certificate for 127.0.0.1 that is signed by itself, its key, and another key.
struct Files {
    _dir: Dir,
    cert: String,
    key: String,
    other: String,
    /// A key that is itself encrypted, as far as its words go.
    locked: String,
}

impl Files {
    fn new(name: &str) -> Files {
        let dir = Dir::new(&format!("tls-{name}"));
        let made = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (own, other) = (made(), made());
        let file = |name: &str, text: String| {
            let path = dir.path.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let cert = file("cert.pem", own.cert.pem());
        let key = file("key.pem", own.signing_key.serialize_pem());
        let other = file("other.pem", other.signing_key.serialize_pem());
        let words = "ENCRYPTED PRIVATE KEY-----";
        let locked = file("locked.pem", format!("-----BEGIN {words}\nAAAA\n-----END {words}\n"));
        Files { _dir: dir, cert, key, other, locked }
    }

    fn serve(&self, more: &[&str]) -> Running {
        let args = ["serve", "tls://127.0.0.1:0", "-f", "lines", "--tls-cert", &self.cert];
        let args = [&args, &["--tls-key", &self.key][..], more].concat();
        Running::start(&args)
    }
}

fn send(endpoint: &str, more: &[&str]) -> crate::support::Ran {
    run(&[&["send", endpoint, "-f", "lines", "--data", "hello"][..], more].concat(), b"")
}

#[test]
fn whoever_trusts_the_certificate_is_answered() {
    let files = Files::new("trusts");
    let server = files.serve(&["echo"]);
    assert!(server.endpoint.starts_with("tls://127.0.0.1:"), "{}", server.endpoint);
    let ran = send(&server.endpoint, &["--tls-ca", &files.cert, "--expect", "hello"]);
    assert_eq!((ran.exit, ran.text()), (0, "hello\n"), "{}", ran.stderr);
    assert_eq!(ran.stderr, "");
    server.interrupt();
    let told = server.end();
    assert!(told.stderr.ends_with("1 conversation, 1 message\n"), "{}", told.stderr);
}

/// A certificate says TLS, however the endpoint is written.
#[test]
fn a_certificate_is_enough() {
    let files = Files::new("enough");
    let Files { cert, key, .. } = &files;
    let identity = ["-f", "lines", "--tls-cert", cert, "--tls-key", key];
    let server = Running::start(&[&["serve", "127.0.0.1:0"], &identity[..], &["echo"]].concat());
    assert!(server.endpoint.starts_with("tls://127.0.0.1:"), "{}", server.endpoint);
    let upstream = server.endpoint.replace("tls://", "tcp://");
    let tap = ["tap", "127.0.0.1:0", &upstream, "--tls-upstream", "--tls-ca", cert];
    let tap = Running::start(&[&tap, &identity[..]].concat());
    assert!(tap.endpoint.starts_with("tls://127.0.0.1:"), "{}", tap.endpoint);
    let ran = send(&tap.endpoint, &["--tls-ca", cert, "--expect", "hello"]);
    assert_eq!((ran.exit, ran.text()), (0, "hello\n"), "{}", ran.stderr);
    tap.interrupt();
    let told = tap.end();
    assert!(told.text().contains(": hello"), "{}", told.text());
    server.interrupt();
    server.end();
}

#[test]
fn whoever_does_not_verify_is_told_each_time() {
    let files = Files::new("insecure");
    let server = files.serve(&["echo"]);
    for _ in 0..2 {
        let ran = send(&server.endpoint, &["--insecure"]);
        assert_eq!((ran.exit, ran.text()), (0, "hello\n"));
        assert!(
            ran.stderr.starts_with("swb: INSECURE: whoever answers as tls://"),
            "{}",
            ran.stderr
        );
    }
    server.interrupt();
    server.end();
}

/// Each in words, with the code of a server that cannot be reached; the server says whom it lost.
#[test]
fn whom_nobody_vouches_for_is_not_spoken_to() {
    let files = Files::new("nobody");
    let other = Files::new("somebody");
    let mut server = files.serve(&["echo"]);
    let port = server.endpoint.rsplit(':').next().unwrap().to_owned();
    for (args, words) in [
        (
            &["--tls-ca", &other.cert][..],
            "was issued by nobody who is trusted here: trust its CA: --tls-ca FILE\n",
        ),
        (
            &["--tls-ca", &files.cert, "--tls-name", "example.org"],
            "is for 127.0.0.1, not for example.org: connect to that name, or say that it is \
             meant: --tls-name",
        ),
    ] {
        let ran = send(&server.endpoint, args);
        assert_eq!((ran.exit, ran.text()), (3, ""), "{}", ran.stderr);
        // Every verb has the same words.
        let bench = run(&[&["bench", &server.endpoint, "-f", "lines"], args].concat(), b"");
        assert_eq!((bench.exit, bench.stderr), (3, ran.stderr.clone()));
        server.told("the TLS handshake failed with tls://127.0.0.1:");
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(
            ran.stderr.starts_with("swb: cannot connect to tls://127.0.0.1:"),
            "{}",
            ran.stderr
        );
        server.told("the TLS handshake failed with tls://127.0.0.1:");
    }
    // And who speaks none.
    let ran = send(&format!("127.0.0.1:{port}"), &[]);
    assert_eq!(ran.exit, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("the peer speaks TLS: connect with tls://"), "{}", ran.stderr);
    server.told("the peer does not speak TLS: it has to connect with TLS (tls://)");
    server.interrupt();
    let told = server.end();
    assert!(told.stderr.ends_with("; bad-prefix 1, reset 4\n"), "{}", told.stderr);
}

#[test]
fn a_client_certificate_can_be_required() {
    let files = Files::new("clients");
    let server = files.serve(&["--tls-client-ca", &files.cert, "echo"]);
    let ran = send(&server.endpoint, &["--tls-ca", &files.cert]);
    assert_eq!(ran.exit, 6, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("a client certificate: give one: --tls-cert FILE"),
        "{}",
        ran.stderr
    );
    server.interrupt();
    let told = server.end();
    assert!(told.stderr.contains("the client gave no certificate"), "{}", told.stderr);
}

#[test]
fn what_cannot_be_is_told_before_anything_is_served() {
    let files = Files::new("usage");
    let Files { cert, key, other, locked, .. } = &files;
    let serve = ["serve", "tls://127.0.0.1:0", "-f", "lines"];
    let none = "listening on tls://127.0.0.1:0 needs --tls-cert FILE and --tls-key FILE";
    let mismatch = "the key does not belong to the certificate";
    for (args, words) in [
        ([&serve[..], &["echo"]].concat(), none),
        ([&serve[..], &["--alpn", "x", "echo"]].concat(), none),
        ([&serve[..], &["--tls-cert", cert, "echo"]].concat(), "--tls-key <FILE>"),
        ([&serve[..], &["--tls-cert", cert, "--tls-key", other, "echo"]].concat(), mismatch),
        (
            [&serve[..], &["--tls-cert", key, "--tls-key", key, "echo"]].concat(),
            "there is no certificate in ",
        ),
        (
            vec!["serve", "127.0.0.1:0", "-f", "u8", "--alpn", "x", "echo"],
            "--alpn is about TLS, and tcp://127.0.0.1:0 has none",
        ),
        (
            vec!["serve", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "exec", "cat"],
            "exec does not go with TLS: the program has the raw socket",
        ),
        (
            vec!["serve", "unix:x", "-f", "u8", "--tls-cert", cert, "--tls-key", key, "echo"],
            "--tls-cert is about TLS, and unix:x has none",
        ),
        (
            [&serve[..], &["--tls-cert", cert, "--tls-key", locked, "echo"]].concat(),
            "is encrypted: decrypt it first",
        ),
        (
            [&serve[..], &["--tls-cert", cert, "--tls-key", key, "--alpn", "", "echo"]].concat(),
            "the name of a protocol has 1 to 255 bytes, and this one 0",
        ),
        (
            vec!["tap", "127.0.0.1:0", "unix:/no/such", "-f", "u8", "--tls-upstream"],
            "--tls-upstream is for a host and port, and the upstream is unix:/no/such",
        ),
        (
            vec!["serve", "tls://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "exec", "cat"],
            "exec does not go with TLS: the program has the raw socket",
        ),
        (
            vec!["send", "127.0.0.1:1", "-f", "u8", "--tls-ca", cert],
            "--tls-ca is about TLS, and tcp://127.0.0.1:1 has none",
        ),
        (
            vec!["send", "tls://127.0.0.1:1", "-f", "u8", "--tls-ca", "/no/such/file"],
            "cannot read /no/such/file: no such file or directory",
        ),
        (
            vec!["tap", "127.0.0.1:0", "127.0.0.1:1", "-f", "u8", "--insecure"],
            "--insecure is about TLS, and tcp://127.0.0.1:1 has none",
        ),
    ] {
        let ran = run(&args, b"");
        assert_eq!((ran.exit, ran.text()), (2, ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{args:?}: {}, expected {words}", ran.stderr);
    }
}
