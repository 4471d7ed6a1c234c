//! System calls of a server a message, counted by strace. For a message at a time: one receive and
//! one send, and one wait where a loop has others to wait for; next to none for many in flight; one
//! send to each member of a group for all that came together. The server is this program again,
//! since what is counted is the whole process: what two runs differ by is what their messages took.

#![expect(clippy::print_stdout, reason = "a count is shown, not only held against its bound")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use switchboard::server::{Group, SlowPeer};
use switchboard::transport::Interrupt;
use switchboard::{Dispatch, Error, Listener, Received, Reply, Server, SharedConversation};

const SERVES: &str = "SWITCHBOARD_CALLS_SERVES";
/// A blocking conversation, and no dispatcher.
const BLOCKING: &str = "blocking";
/// The same with a hook for interrupts.
const INTERRUPTIBLE: &str = "interruptible";
/// The same, and such that other threads may use it too.
const SHARED: &str = "shared";
const BODY_BYTES: usize = 64;

/// Calls by name.
type Calls = BTreeMap<String, i64>;

/// Messages are echoed to who sent them; or else sent to all others.
#[derive(Clone, Copy)]
struct Load {
    dispatch: &'static str,
    conversations: usize,
    in_flight: usize,
    is_echoed: bool,
}

/// The server, when this program is started as one; it ends with its standard input.
#[test]
fn serves() {
    let Ok(dispatch) = std::env::var(SERVES) else { return };
    if [BLOCKING, INTERRUPTIBLE, SHARED].contains(&&*dispatch) {
        return converse_blocking(&dispatch);
    }
    let server = Server::new("u32be").unwrap().listen("127.0.0.1:0").unwrap();
    let dispatch = dispatch.parse::<Dispatch>().unwrap().with_loops(1);
    let group = Group::new();
    let serve = move || {
        let group = group.clone();
        move |message: &[u8], reply: &mut Reply<'_>| {
            if message == b"join" {
                group.join(reply.sender(SlowPeer::Disconnect)?)?;
            } else if !group.is_empty() {
                group.send(message);
                return Ok::<(), Error>(());
            }
            reply.send(message)
        }
    };
    let running = server.with_dispatch(dispatch).start(serve).unwrap();
    println!("\nport {}", running.endpoints()[0].port().unwrap());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    running.stop().unwrap();
}

/// Without a server: one conversation, to its end.
fn converse_blocking(how: &str) {
    let listener = Listener::listen("127.0.0.1:0").unwrap();
    println!("\nport {}", listener.endpoints()[0].port().unwrap());
    let mut conversation = listener.accept_conversation(&"u32be".parse().unwrap()).unwrap();
    if how != BLOCKING {
        conversation.set_on_interrupt(|| Interrupt::Continue);
    }
    if how == SHARED {
        return echo_shared(&SharedConversation::new(conversation));
    }
    let mut copy = Vec::new();
    while let Some(message) = conversation.recv().unwrap() {
        copy.clear();
        copy.extend_from_slice(&message);
        conversation.send(&copy).unwrap();
    }
    conversation.close().unwrap();
}

fn echo_shared(shared: &SharedConversation) {
    while shared.receive().unwrap() {
        let message = match shared.look().buffered().unwrap() {
            Received::Message(message) => message.to_vec(),
            _ => continue,
        };
        shared.send(&message).unwrap();
    }
    shared.close().unwrap();
}

/// What a server calls from its beginning to its end, with so many rounds in between.
fn calls(load: Load, rounds: usize) -> Calls {
    let Load { dispatch, in_flight, conversations, .. } = load;
    let kind = format!("{dispatch}-{conversations}-{in_flight}-{rounds}");
    let name = format!("switchboard-calls-{}-{kind}", std::process::id());
    let summary = std::env::temp_dir().join(name);
    let mut traced = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(&summary)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "serves", "--nocapture"])
        .env(SERVES, dispatch)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(traced.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| line.unwrap().strip_prefix("port ")?.parse::<u16>().ok());
    converse(load, port.unwrap(), rounds);
    drop(traced.stdin.take());
    lines.for_each(drop);
    assert!(traced.wait().unwrap().success());
    let text = std::fs::read_to_string(&summary).unwrap();
    std::fs::remove_file(&summary).unwrap();
    parse(&text)
}

/// Of lines like `34.21    0.000121   7    17    2 recvfrom`, in which the errors may be missing.
fn parse(summary: &str) -> Calls {
    let call = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let name = *columns.last()?;
        let calls = columns.get(3)?.parse().ok()?;
        (name != "total").then(|| (name.to_owned(), calls))
    };
    summary.lines().filter_map(call).collect()
}

fn converse(load: Load, port: u16, rounds: usize) {
    let mut frame = u32::try_from(BODY_BYTES).unwrap().to_be_bytes().to_vec();
    frame.resize(4 + BODY_BYTES, b'm');
    let sent = frame.repeat(load.in_flight);
    let mut received = vec![0; sent.len()];
    let connect = |_| TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut clients: Vec<TcpStream> = (0..load.conversations).map(connect).collect();
    let mut speaker = (!load.is_echoed).then(|| {
        for client in &mut clients {
            client.write_all(b"\0\0\0\x04join").unwrap();
            client.read_exact(&mut received[..8]).unwrap();
        }
        connect(0)
    });
    for _ in 0..rounds {
        match &mut speaker {
            Some(speaker) => speaker.write_all(&sent).unwrap(),
            None => clients.iter_mut().for_each(|client| client.write_all(&sent).unwrap()),
        }
        for client in &mut clients {
            client.read_exact(&mut received).unwrap();
            assert!(received == sent);
        }
    }
    clients.extend(speaker);
    // Each run ends with the same calls: the server has seen the end before it is stopped.
    for client in &mut clients {
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut received).unwrap(), 0);
    }
}

/// What so many rounds more take.
fn calls_of_rounds(load: Load, rounds: usize) -> Calls {
    let (few, mut many) = (calls(load, 20), calls(load, 20 + rounds));
    for (name, calls) in few {
        *many.entry(name).or_default() -= calls;
    }
    many.retain(|_, calls| *calls != 0);
    many
}

fn sum(calls: &Calls, names: &[&str]) -> i64 {
    calls.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, calls)| calls).sum()
}

/// Says why not, and fails where nothing may be skipped.
fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-c", "-o", "/dev/null", "true"]).output();
    let why = match traced {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => format!("{error}; scripts/install brings it"),
    };
    println!("skipped: strace cannot trace here: {why}");
    assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "strace: {why}");
    false
}

#[test]
fn a_message_at_a_time_takes_a_receive_and_a_send_and_a_loop_a_wait() {
    if !can_trace() {
        return;
    }
    // A process for each conversation takes the calls of a thread, in a process that this harness
    // cannot be forked for.
    for dispatch in [BLOCKING, INTERRUPTIBLE, SHARED, "threads", "events"] {
        let rounds = 1000;
        let load = Load { dispatch, conversations: 1, in_flight: 1, is_echoed: true };
        let calls = calls_of_rounds(load, rounds);
        println!("{dispatch}, {rounds} messages, 1 in flight: {calls:?}");
        let rounds = i64::try_from(rounds).unwrap();
        // A thread that has waited for long looks at everything, and this machine may be busy.
        let looks = if [BLOCKING, "events"].contains(&dispatch) { 0 } else { rounds / 10 };
        let receives = sum(&calls, &["recvfrom", "recvmsg"]);
        assert!((rounds..=rounds + looks).contains(&receives), "{dispatch}: {calls:?}");
        assert_eq!(sum(&calls, &["sendto", "sendmsg"]), rounds, "{dispatch}: {calls:?}");
        // Without epoll an event costs one call more, which makes a level of an edge.
        let each = match dispatch {
            "events" if cfg!(feature = "portable") => 4,
            "events" => 3,
            _ => 2,
        };
        // Threads that start and stop meet each other or do not, and clocks run out.
        let all = calls.values().sum::<i64>();
        let more = rounds / 100 + 2 * looks;
        assert!((all - each * rounds).abs() <= more, "{dispatch}: {calls:?}");
    }
}

#[test]
fn a_message_of_many_in_flight_takes_next_to_none() {
    if !can_trace() {
        return;
    }
    let load = Load { dispatch: "events", conversations: 32, in_flight: 64, is_echoed: true };
    let rounds = 50;
    let calls = calls_of_rounds(load, rounds);
    let messages = i64::try_from(rounds * load.conversations * load.in_flight).unwrap();
    let all = calls.values().sum::<i64>();
    let each = all as f64 / messages as f64;
    println!(
        "events, 64 in flight: {all} calls for {messages} messages, {each:.4} each: {calls:?}"
    );
    let per_hundred_max = if cfg!(feature = "portable") { 6 } else { 4 };
    assert!(100 * all <= per_hundred_max * messages, "{each:.4} calls a message: {calls:?}");
}

/// What a conversation has for others of its loop wakes nobody, and a batch is one send to each.
#[test]
fn a_batch_for_many_takes_a_send_to_each() {
    if !can_trace() {
        return;
    }
    for (conversations, in_flight) in [(1, 1), (20, 64)] {
        let load = Load { dispatch: "events", conversations, in_flight, is_echoed: false };
        let rounds = 200;
        let calls = calls_of_rounds(load, rounds);
        println!("events, {in_flight} to {conversations}, {rounds} rounds: {calls:?}");
        let rounds = i64::try_from(rounds).unwrap();
        let sends = rounds * i64::try_from(conversations).unwrap();
        assert_eq!(sum(&calls, &["recvfrom", "recvmsg"]), rounds, "{calls:?}");
        assert_eq!(sum(&calls, &["sendto", "sendmsg"]), sends, "{calls:?}");
        // A wait for each round; without epoll one call more, which makes a level of an edge.
        let each = if cfg!(feature = "portable") { 3 } else { 2 };
        let all = calls.values().sum::<i64>();
        assert!((all - sends - each * rounds).abs() <= rounds / 20, "{calls:?}");
    }
}
