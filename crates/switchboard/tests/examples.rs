//! Runs the programs of `examples/` as a user would, against peers in this process: what they
//! print, how they end, and what they say when something is wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread;
use switchboard::{Conversation, Received};

/// The built example: beside the folder of this test's own program.
fn example(name: &str, args: &[&str]) -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.set_file_name("examples");
    path.push(name);
    assert!(path.exists(), "{name} is not built: run `cargo build -p switchboard --examples`");
    let mut command = Command::new(path);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(name: &str, args: &[&str]) -> Output {
    example(name, args).output().unwrap()
}

/// Stdout, stderr, exit status.
fn told(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

/// An example that listens: ended with the test, however that ends.
struct Listening {
    child: Child,
    stderr: BufReader<ChildStderr>,
    endpoint: String,
}

impl Listening {
    fn start(name: &str, args: &[&str]) -> Listening {
        let mut child = example(name, args).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let endpoint = line.trim_end().strip_prefix("listening on ").expect(&line).to_owned();
        Listening { child, stderr, endpoint }
    }

    fn line_of_stdout(&mut self, stdout: &mut impl BufRead) -> String {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn echo_answers_and_request_asks() {
    for dispatcher in switchboard::Dispatch::NAMES {
        echo_answers(dispatcher);
    }
    let (_, err, code) = told(&output("echo", &["127.0.0.1:0", "lines", "fibres"]));
    assert_eq!(code, 1);
    assert_eq!(err, "echo: no dispatcher is called fibres: write threads, processes or events\n");
}

fn echo_answers(dispatcher: &str) {
    let echo = Listening::start("echo", &["127.0.0.1:0", "netstring", dispatcher]);
    let (out, err, code) = told(&output("request", &[&echo.endpoint, "netstring", "hello"]));
    assert_eq!((&*out, &*err, code), ("hello\n", "", 0));

    // A line end is part of no line: refused here, and nothing is sent.
    let (_, err, code) = told(&output("request", &[&echo.endpoint, "lines", "two\nlines"]));
    assert!(err.starts_with("request: cannot send to tcp://127.0.0.1:"), "{err}");
    assert_eq!(code, 1);

    let mut client = Conversation::connect(&echo.endpoint, "netstring").unwrap();
    client.send_many(["one", "", "three"]).unwrap();
    client.finish().unwrap();
    let replies: Vec<Vec<u8>> = client.messages().map(Result::unwrap).collect();
    assert_eq!(replies, [&b"one"[..], b"", b"three"]);
}

#[test]
fn what_one_says_all_hear() {
    // Processes have no memory in common, and nobody would hear anybody.
    for dispatcher in ["threads", "events"] {
        let room = Listening::start("chat_room", &["127.0.0.1:0", dispatcher]);
        let enter = || Conversation::connect(&room.endpoint, "lines").unwrap();
        let hear = |guest: &mut Conversation| {
            String::from_utf8(guest.recv_owned().unwrap().unwrap()).unwrap()
        };
        let mut first = enter();
        let first_name = first.local().unwrap().to_string();
        assert_eq!(hear(&mut first), format!("{first_name}: hello"));
        let mut second = enter();
        let second_name = second.local().unwrap().to_string();
        assert_eq!(hear(&mut second), format!("{second_name}: hello"));
        assert_eq!(hear(&mut first), format!("{second_name}: hello"));

        first.send(b"anybody here?").unwrap();
        for guest in [&mut first, &mut second] {
            assert_eq!(hear(guest), format!("{first_name}: anybody here?"));
        }
        second.close().unwrap();
        assert_eq!(hear(&mut first), format!("{second_name}: gone (finished)"));
    }
}

#[test]
fn what_is_published_all_subscribers_are_sent() {
    for dispatcher in ["threads", "events"] {
        let served = Listening::start("publish", &["127.0.0.1:0", dispatcher]);
        let connect = || Conversation::connect(&served.endpoint, "lines").unwrap();
        let mut subscribers = [connect(), connect()];
        for subscriber in &mut subscribers {
            assert_eq!(&*subscriber.request(b"subscribe").unwrap(), b"subscribed");
        }
        let mut publisher = connect();
        publisher.send_many(["one", "two", "three"]).unwrap();
        for subscriber in &mut subscribers {
            for line in ["one", "two", "three"] {
                assert_eq!(&*subscriber.recv().unwrap().unwrap(), line.as_bytes());
            }
        }
        let [left, stayed] = &mut subscribers;
        assert_eq!(&*left.request(b"unsubscribe").unwrap(), b"unsubscribed");
        left.send(b"from one that has left").unwrap();
        assert_eq!(&*stayed.recv().unwrap().unwrap(), b"from one that has left");
        left.finish().unwrap();
        assert!(left.recv().unwrap().is_none());
    }
}

#[test]
fn slow_work_holds_nobody_up() {
    let server = Listening::start("slow_work", &["127.0.0.1:0", "2"]);
    let connect = || Conversation::connect(&server.endpoint, "lines").unwrap();
    let mut slow = connect();
    // A prime of 61 bits: its divisors are looked for longer than this test takes.
    slow.send_many(["91", "2305843009213693951", "15"]).unwrap();
    assert_eq!(slow.recv_owned().unwrap().unwrap(), b"7");
    let mut quick = connect();
    for (number, divisor) in [("91", "7"), ("13", "13"), ("x", "that is no number"), ("9", "3")] {
        assert_eq!(&*quick.request(number.as_bytes()).unwrap(), divisor.as_bytes());
    }
    // The answer for 15 is there, and waits behind the one before it.
    assert!(matches!(slow.try_recv().unwrap(), Received::Pending));
}

#[test]
fn request_tells_what_went_wrong() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mute = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&mut socket).read_line(&mut line).unwrap();
        line
    });
    let (out, err, code) = told(&output("request", &[&address, "lines", "anyone?"]));
    assert_eq!((&*out, code), ("", 1));
    let expected = format!("request: no reply from tcp://{address}: it finished without one\n");
    assert_eq!(err, expected);
    assert_eq!(mute.join().unwrap(), "anyone?\n");

    let (_, err, code) = told(&output("request", &[&address, "lines", "anyone?"]));
    assert!(err.contains("refused") && err.contains(&address), "{err}");
    assert_eq!(code, 1);
    let (_, err, _) = told(&output("request", &[&address, "u32bee", "anyone?"]));
    assert!(err.contains("column 1"), "{err}");
    for name in ["request", "chat", "fetch", "larger_than_memory"] {
        let (_, err, code) = told(&output(name, &[]));
        assert!(err.starts_with("usage: "), "{err}");
        assert_eq!(code, 2);
    }
}

#[test]
fn chat_carries_lines_both_ways_and_says_goodbye() {
    let mut first = Listening::start("chat", &["listen", "127.0.0.1:0"]);
    let mut second = example("chat", &[&first.endpoint]).spawn().unwrap();
    let mut first_out = BufReader::new(first.child.stdout.take().unwrap());
    let mut second_out = BufReader::new(second.stdout.take().unwrap());
    let mut first_in = first.child.stdin.take().unwrap();
    let mut second_in = second.stdin.take().unwrap();

    // Either speaks first: here both, before either has heard anything.
    first_in.write_all(b"hello from the listener\n").unwrap();
    second_in.write_all(b"hello from the caller\n").unwrap();
    assert_eq!(first.line_of_stdout(&mut first_out), "hello from the caller\n");
    assert_eq!(first.line_of_stdout(&mut second_out), "hello from the listener\n");

    drop(second_in); // The caller says goodbye, and still hears the answer.
    let mut line = String::new();
    first.stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "the other side has said goodbye\n");
    first_in.write_all(b"see you\n").unwrap();
    assert_eq!(first.line_of_stdout(&mut second_out), "see you\n");
    drop(first_in);
    assert_eq!(second.wait().unwrap().code(), Some(0));
    assert_eq!(first.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_room_of_many_is_served_in_one_thread() {
    let room = Listening::start("select_chat", &["127.0.0.1:0"]);
    let enter = || {
        let mut guest = Conversation::connect(&room.endpoint, "lines").unwrap();
        assert_eq!(&*guest.recv().unwrap().unwrap(), b"welcome");
        guest
    };
    let mut guests: Vec<Conversation> = (0..20).map(|_| enter()).collect();
    // Lines that come together are all heard: those behind the first wait in a buffer.
    guests[0].send_many(["one", "two", "three"]).unwrap();
    for guest in &mut guests[1..] {
        for line in ["one", "two", "three"] {
            assert_eq!(&*guest.recv().unwrap().unwrap(), line.as_bytes());
        }
    }
    // One leaves, one breaks off, one breaks the framing: the others go on.
    guests.remove(0).finish().unwrap();
    guests.remove(1).abort();
    guests[1].transport().write(&[b'x'; 2_000_000]).unwrap();
    drop(guests.remove(1));
    guests[2].send(b"still here").unwrap();
    for at in [0, 1, 16] {
        assert_eq!(&*guests[at].recv().unwrap().unwrap(), b"still here");
    }
    let mut last = enter();
    last.send(b"hello").unwrap();
    assert_eq!(&*guests[0].recv().unwrap().unwrap(), b"hello");
}

/// A web server for one request: gives what the client wrote, answers with `answer`, closes.
fn web_server(answer: Vec<u8>) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut asked = String::new();
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        while !asked.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut asked).unwrap(), 0, "only {asked:?}");
        }
        write_in_pieces(&mut socket, &answer);
        asked
    });
    (address, server)
}

fn write_in_pieces(socket: &mut TcpStream, bytes: &[u8]) {
    for piece in bytes.chunks(1 + bytes.len() / 7) {
        socket.write_all(piece).unwrap();
    }
}

#[test]
fn fetch_reads_to_the_end_of_the_stream() {
    // Larger than any buffer on the way, with zero bytes in it, and no length to go by.
    let page: Vec<u8> = (0..300_000u32).map(|i| i.to_le_bytes()[usize::from(i % 2 == 0)]).collect();
    let answer = [&b"HTTP/1.1 200 OK\r\nServer: test\r\n\r\n"[..], &page].concat();
    let (address, server) = web_server(answer);
    let fetched = output("fetch", &[&address, "/page"]);
    assert!(fetched.stdout == page, "the page of {} bytes differs", fetched.stdout.len());
    assert_eq!(String::from_utf8_lossy(&fetched.stderr), "HTTP/1.1 200 OK, 300000 bytes\n");
    assert!(fetched.status.success());
    let asked = server.join().unwrap();
    assert!(asked.starts_with("GET /page HTTP/1.0\r\nHost: "), "{asked}");
    assert!(asked.contains("\r\nConnection: close\r\n"), "{asked}");
}

#[test]
fn fetch_tells_a_page_that_is_not_there_or_not_whole() {
    let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope";
    let (address, server) = web_server(answer.to_vec());
    let (out, err, code) = told(&output("fetch", &[&address]));
    assert_eq!((&*out, code), ("nope", 1));
    assert!(err.contains("404 Not Found"), "{err}");
    assert!(server.join().unwrap().starts_with("GET / HTTP/1.0\r\n"));

    let (address, server) =
        web_server(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec());
    let (_, err, code) = told(&output("fetch", &[&address]));
    assert_eq!((&*err, code), ("fetch: 4 bytes came, of 9\n", 1));
    server.join().unwrap();
}

#[test]
fn a_file_goes_through_as_one_message() {
    let folder = std::env::temp_dir().join(format!("switchboard-examples-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (from, to) = (folder.join("from"), folder.join("to"));
    let bytes: Vec<u8> = (0..3_000_000u32).map(|i| i.to_le_bytes()[0] ^ 0x5a).collect();
    std::fs::write(&from, &bytes).unwrap();
    let to_name = to.to_str().unwrap();
    let mut receiver = Listening::start("larger_than_memory", &["receive", "127.0.0.1:0", to_name]);
    let sent = ["send", &receiver.endpoint, from.to_str().unwrap()];
    let (_, err, code) = told(&output("larger_than_memory", &sent));
    assert_eq!((&*err, code), ("sent 3000000 bytes\n", 0));
    let mut rest = String::new();
    receiver.stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "received 3000000 bytes\n");
    assert!(receiver.child.wait().unwrap().success());
    assert!(std::fs::read(&to).unwrap() == bytes, "the file differs");
    std::fs::remove_dir_all(&folder).unwrap();
}
