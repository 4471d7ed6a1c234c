//! Endpoints: what each string means, how it is written again, and what bad ones are told.

use switchboard::Endpoint;

fn check(text: &str, canonical: &str, expected: &Endpoint) {
    let parsed: Endpoint = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(&parsed, expected, "{text}");
    assert_eq!(parsed.to_string(), canonical, "{text}");
    assert_eq!(canonical.parse::<Endpoint>().as_ref(), Ok(expected), "{canonical}");
}

fn check_error(text: &str, expected: &str) {
    let error = text.parse::<Endpoint>().expect_err(text);
    assert_eq!(error.text(), text);
    let message = error.to_string();
    assert!(message.contains(expected), "{text}: {message}, expected {expected}");
}

#[test]
fn tcp_in_all_its_forms() {
    check("tcp://localhost:80", "tcp://localhost:80", &Endpoint::tcp("localhost", 80));
    check("localhost:0", "tcp://localhost:0", &Endpoint::tcp("localhost", 0));
    check(":65535", "tcp://:65535", &Endpoint::tcp("", 65535));
    check("tcp://:8080", "tcp://:8080", &Endpoint::tcp("", 8080));
    check("127.0.0.1:1", "tcp://127.0.0.1:1", &Endpoint::tcp("127.0.0.1", 1));
    check("[::1]:80", "tcp://[::1]:80", &Endpoint::tcp("::1", 80));
    check("tcp://[fe80::1%eth0]:80", "tcp://[fe80::1%eth0]:80", &Endpoint::tcp("fe80::1%eth0", 80));
    // A host may be called like a scheme.
    check("tcp:80", "tcp://tcp:80", &Endpoint::tcp("tcp", 80));
}

#[test]
fn the_other_kinds() {
    let tls = |host: &str, port| Endpoint::Tls { host: host.to_owned(), port };
    check("tls://host:443", "tls://host:443", &tls("host", 443));
    check("tls://[::1]:443", "tls://[::1]:443", &tls("::1", 443));
    check("tls://:443", "tls://:443", &tls("", 443));
    check("tls:443", "tcp://tls:443", &Endpoint::tcp("tls", 443));
    check("unix:/run/a b.sock", "unix:/run/a b.sock", &Endpoint::unix("/run/a b.sock"));
    check("unix:relative", "unix:relative", &Endpoint::unix("relative"));
    check("unix:@name", "unix:@name", &Endpoint::Abstract(b"name".to_vec()));
    check("fd:3", "fd:3", &Endpoint::Fd(3));
    check("-", "-", &Endpoint::Stdio);
}

#[test]
fn exec_splits_like_a_shell_for_quotes() {
    let exec = |words: &[&str]| Endpoint::Exec(words.iter().map(|w| (*w).to_owned()).collect());
    check("exec:cat", "exec:cat", &exec(&["cat"]));
    check("exec:  a   b ", "exec:a b", &exec(&["a", "b"]));
    check("exec:sh -c 'exit 3'", "exec:sh -c 'exit 3'", &exec(&["sh", "-c", "exit 3"]));
    check(r#"exec:a "b \"c\" \d" ''"#, r#"exec:a 'b "c" \d' ''"#, &exec(&["a", r#"b "c" \d"#, ""]));
    check(r"exec:a\ b it\'s", r"exec:'a b' 'it'\''s'", &exec(&["a b", "it's"]));
    // No shell: these are plain characters.
    check("exec:echo $HOME|x", "exec:echo $HOME|x", &exec(&["echo", "$HOME|x"]));
}

#[test]
fn bad_ones_are_told_what_was_expected() {
    check_error("", "it is empty, expected host:port");
    check_error("localhost", "there is no port in it");
    check_error("tcp://localhost", "expected localhost:port");
    check_error("localhost:", "\"\" is no port");
    check_error("localhost:http", "\"http\" is no port, expected a number from 0 to 65535");
    check_error("localhost:+80", "\"+80\" is no port");
    check_error("localhost:65536", "port 65536 is too large");
    check_error("::1:80", "an IPv6 address stands in brackets, as in [::1]:80");
    check_error("[::1:80", "expected ]:");
    check_error("[host]:80", "\"host\" is no IPv6 address");
    check_error("my host:80", "' ' is part of no host name");
    check_error("tcp://host:80/path", "nothing after the port");
    check_error("http://host:80", "\"http\" is no kind of endpoint");
    check_error("tls://host", "there is no port in it");
    check_error("shm:name", "shm is not there yet");
    check_error("unix:", "expected a path");
    check_error("unix:@", "expected a name");
    check_error("fd:x", "\"x\" is no descriptor");
    check_error("fd:-1", "is no descriptor");
    check_error("fd:99999999999", "is no descriptor");
    check_error("exec:", "expected a command");
    check_error("exec:'a", "expected a closing '");
    check_error("exec:\"a", "expected a closing \"");
    check_error("a\0b:80", "a zero byte");
}
