//! `swb bench` where the server ends conversations: what it says, and `--reconnect`.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use crate::bench::{bench, read_message, summary};
use crate::support::{read_to_end, reset, run};

/// Serves one conversation after the other, each with so many replies; then it listens no more,
/// and the last one ends after that.
fn in_turn(conversations: &'static [usize]) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = move || {
        let mut listener = Some(listener);
        for (number, replies) in conversations.iter().enumerate() {
            let (stream, _) = listener.as_ref().unwrap().accept().unwrap();
            if number + 1 == conversations.len() {
                listener = None;
            }
            converse(stream, *replies);
        }
    };
    (address, thread::spawn(serve))
}

/// Answers so often, and ends then: in peace, for requests may be on their way.
fn converse(mut stream: TcpStream, replies: usize) {
    for _ in 0..replies {
        let Some(message) = read_message(&mut stream) else { return };
        stream.write_all(&message).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let _ = read_to_end(stream);
}

/// The request behind the last reply is sent before its end can be known.
#[test]
fn a_conversation_that_the_server_ends_is_opened_again_and_goes_on() {
    let (address, server) = in_turn(&[3, 3, 3]);
    let ran = bench(&address, "u8", &["-c", "1", "--count", "10", "--reconnect"]);
    let told = summary(&ran);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{told}");
    assert_eq!((&told["messages_received"], &told["reconnects"]), (&8.into(), &2.into()), "{told}");
    assert_eq!(told["errors"], serde_json::json!({"ended": 2}));
    assert_eq!(told["connect_ns"]["count"], 3);
    assert_eq!(told["latency_ns"]["count"], 8);
    server.join().unwrap();

    let (address, server) = in_turn(&[3, 3, 3]);
    let args = ["bench", &address, "-f", "u8", "-c", "1", "--count", "10", "--reconnect"];
    let ran = run(&args, b"");
    assert!(
        ran.text().contains("\nopened    2 conversations that the server had ended\n"),
        "{}",
        ran.text()
    );
    server.join().unwrap();
}

/// The server has not read the request that was on its way; within a reply a reset is none of this.
#[test]
fn a_reset_between_two_replies_is_such_an_end_too() {
    for (part, exit) in [(&b""[..], 0), (b"\x05ab", 6)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            for _ in 0..3 {
                let message = read_message(&mut stream).unwrap();
                stream.write_all(&message).unwrap();
            }
            read_message(&mut stream).unwrap();
            stream.write_all(part).unwrap();
            reset(stream);
            if part.is_empty() {
                converse(listener.accept().unwrap().0, usize::MAX);
            }
        });
        let ran = bench(&address, "u8", &["-c", "1", "--count", "10", "--reconnect"]);
        let told = summary(&ran);
        assert_eq!((ran.exit, &told["errors"]["reset"]), (exit, &1.into()), "{}", ran.stderr);
        if exit == 0 {
            assert_eq!(told["errors"], serde_json::json!({"ended": 1, "reset": 1}));
            assert_eq!(told["messages_received"], 9);
        }
        server.join().unwrap();
    }
}

/// Numbers go on from one conversation to the next, and so does the schedule; what is due while
/// there is none is sent in the next one.
#[test]
fn numbers_and_the_schedule_go_on_in_the_next_conversation() {
    let frame = "len:u8,rest id:1";
    let numbered = ["--size", "4", "--match", "field:id", "--verify"];
    for load in [&["--depth", "4"][..], &["-r", "2000"], &["-r", "1M"]] {
        let (address, server) = in_turn(&[30; 12]);
        let args = ["-c", "1", "--count", "300", "--reconnect"];
        let ran = bench(&address, frame, &[&args[..], &numbered, load].concat());
        let told = summary(&ran);
        let count = |of: &serde_json::Value| of.as_u64().unwrap_or_default();
        let (ended, replies) = (count(&told["errors"]["ended"]), count(&told["messages_received"]));
        assert_eq!((ended + replies, ran.stderr.as_str()), (300, ""), "{load:?}: {told}");
        let kinds = told["errors"].as_object().unwrap().len();
        assert_eq!(kinds, usize::from(ended > 0), "{load:?}: {told}");
        assert_eq!(told["difference"], serde_json::Value::Null, "{load:?}: {told}");
        assert!(count(&told["reconnects"]) >= replies / 30 - 1, "{load:?}: {told}");
        let connected = count(&told["connect_ns"]["count"]);
        assert_eq!(connected, count(&told["reconnects"]) + 1, "{load:?}: {told}");
        // Who waits for one that does not come any more is let go.
        while let Ok(stream) = TcpStream::connect(&address) {
            drop(stream);
        }
        server.join().unwrap();
    }
}

/// The first one is due at the beginning and has no reply; the second one is due a second later,
/// and that second is not in its latency.
#[test]
fn on_a_schedule_a_request_that_ended_has_had_its_turn() {
    let (address, server) = in_turn(&[0, 1]);
    let ran = bench(&address, "u8", &["-c", "1", "-r", "1", "--count", "2", "--reconnect"]);
    let told = summary(&ran);
    assert_eq!(told["errors"], serde_json::json!({"ended": 1}), "{told}");
    let latency = &told["latency_ns"];
    assert_eq!(latency["count"], 1, "{told}");
    assert!(latency["max"].as_u64().unwrap() < 1_000_000_000, "{told}");
    server.join().unwrap();
}

#[test]
fn without_reconnect_an_end_says_how_far_it_came_and_what_to_do() {
    for (replies, told) in [
        (
            &[3][..],
            "after 3 replies (1 request had none), at tcp://ADDRESS: --reconnect opens it \
                    again and goes on",
        ),
        (
            &[0],
            "after 0 replies (1 request had none), at tcp://ADDRESS: does it understand the \
                requests? see --frame, --data, --field",
        ),
    ] {
        let (address, server) = in_turn(replies);
        let ran = bench(&address, "u8", &["-c", "1"]);
        let told = told.replace("ADDRESS", &address);
        let told = format!("swb: the server ended the conversation {told}\n");
        assert_eq!((ran.exit, ran.stderr), (5, told));
        server.join().unwrap();
    }
}

/// The other connection would go on for an hour.
#[test]
fn reconnecting_in_vain_ends_the_run() {
    let args = ["-c", "1", "--reconnect", "--duration", "1h"];
    let (address, server) = in_turn(&[0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0]);
    let ran = bench(&address, "u8", &args);
    assert_eq!(summary(&ran)["reconnects"], 10, "a reply begins the count anew: {}", ran.stderr);
    let told = format!(
        "swb: --reconnect gave up: the server ended 5 conversations in a row without a reply, at \
         tcp://{address}\n"
    );
    assert_eq!((ran.exit, ran.stderr), (5, told));
    server.join().unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let [one, other] = [(); 2].map(|()| listener.accept().unwrap().0);
        drop(listener);
        thread::scope(|scope| {
            scope.spawn(|| converse(one, usize::MAX));
            converse(other, 3);
        });
    });
    let ran = bench(&address, "u8", &[&args[2..], &["-c", "2"]].concat());
    let told = format!("swb: --reconnect gave up: cannot connect to tcp://{address}");
    assert_eq!((ran.exit, ran.stderr.starts_with(&told)), (3, true), "{}", ran.stderr);
    server.join().unwrap();
}

#[test]
fn what_is_not_opened_again_is_refused() {
    for (endpoint, frame, told) in [
        (
            "127.0.0.1:1",
            "eof",
            "each request has a connection of its own: --reconnect has no place",
        ),
        ("fd:0", "u8", "fd:0 is open once: --reconnect has no place"),
    ] {
        let ran = run(&["bench", endpoint, "-f", frame, "--reconnect"], b"");
        assert_eq!((ran.exit, ran.stderr.contains(told)), (2, true), "{}", ran.stderr);
    }
}
