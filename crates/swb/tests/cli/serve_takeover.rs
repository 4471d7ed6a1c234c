//! `swb serve --handover` and `--takeover`: restarts that nobody notices, and words for those that
//! cannot be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::serve_dispatch::summary;
use crate::support::{Dir, Ran, Running, read_to_end, run, swb};

/// How often a server is restarted: about twice a second, by what is done in between.
const RESTARTS: usize = 20;

/// Requests of each conversation.
const REQUESTS: usize = 3;

/// Clients at a time. Each has a conversation, so as many are open at every restart.
const CLIENTS: usize = 16;

/// How often further requests are let go.
const PACE: Duration = Duration::from_millis(10);

/// Longer than any restart takes in a test that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server under a dispatcher, and how the next one is started.
struct Site<'a> {
    dir: Dir,
    dispatch: &'a [&'a str],
    drain: &'a str,
}

impl Site<'_> {
    fn start(&self, how: &str) -> Running {
        let socket = self.dir.path.join("take");
        let socket = socket.to_str().unwrap();
        let drain = ["--drain", self.drain, how, socket, "-f", "lines", "--max", "64m"];
        Running::start(&[&["serve", "127.0.0.1:0"], self.dispatch, &drain, &["echo"]].concat())
    }
}

/// Lets a request go; nobody at the end.
type Go = Mutex<Receiver<()>>;

/// One conversation, from the connect to the end; the first thing that is not as it should be.
fn converse(endpoint: &str, number: usize, go: &Go) -> Result<(), String> {
    let told = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| format!("conversation {number}, {what}: {error}")
    };
    let mut stream = TcpStream::connect(endpoint).map_err(told("connecting"))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(told("setting a time"))?;
    let mut lines = BufReader::new(stream.try_clone().map_err(told("cloning"))?);
    for request in 0..REQUESTS {
        // At the end of it all the rest goes at once.
        let _ = go.lock().unwrap().recv();
        let text = format!("{request} of {number}\n");
        stream.write_all(text.as_bytes()).map_err(told("a request"))?;
        let mut reply = String::new();
        lines.read_line(&mut reply).map_err(told("a reply"))?;
        if reply != text {
            return Err(format!("conversation {number}: {reply:?} came for {text:?}"));
        }
    }
    stream.shutdown(std::net::Shutdown::Write).map_err(told("the end"))?;
    match lines.read(&mut [0]).map_err(told("the other end"))? {
        0 => Ok(()),
        _ => Err(format!("conversation {number}: there is more")),
    }
}

/// What was not as it should be in a conversation, and from when to when that went on.
struct Trouble {
    what: String,
    began: Instant,
    ended: Instant,
}

/// New conversations, so many a second, until told to stop.
struct Load {
    done: AtomicUsize,
    troubles: Mutex<Vec<Trouble>>,
    /// Those begun before the one time may be ended from the other on.
    may_end: Mutex<Vec<(Instant, Instant)>>,
    is_over: AtomicBool,
}

impl Load {
    fn new() -> Load {
        Load {
            done: AtomicUsize::new(0),
            troubles: Mutex::default(),
            may_end: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    fn trouble(&self) -> Vec<String> {
        let may_end = self.may_end.lock().unwrap();
        let is_trouble = |one: &&Trouble| {
            !may_end.iter().any(|&(begun, from)| one.began < begun && from <= one.ended)
        };
        let troubles = self.troubles.lock().unwrap();
        troubles.iter().filter(is_trouble).map(|one| one.what.clone()).collect()
    }

    /// A server was taken over, and half of its time is over at `from`: then it ends those that it
    /// still has, which on a slow machine may be others than the stuck one.
    fn may_end(&self, from: Instant) {
        self.may_end.lock().unwrap().push((Instant::now(), from));
    }

    /// One client: one conversation after the other.
    fn client(&self, endpoint: &str, go: &Go) {
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.done.fetch_add(1, Ordering::Relaxed);
            let began = Instant::now();
            if let Err(what) = converse(endpoint, number, go) {
                let ended = Instant::now();
                let is_end = what.contains(": \"\" came for ");
                self.troubles.lock().unwrap().push(Trouble { what, began, ended });
                if !is_end {
                    return;
                }
            }
        }
    }

    /// Waits until so many were begun, or something went wrong.
    fn wait_for(&self, count: usize) {
        let end = Instant::now() + PATIENCE;
        while self.done.load(Ordering::Relaxed) < count && self.trouble().is_empty() {
            assert!(Instant::now() < end, "{} conversations", self.done.load(Ordering::Relaxed));
            thread::yield_now();
        }
    }

    /// Runs `while_it_goes` under the load.
    fn under<T>(&self, endpoint: &str, a_second: usize, while_it_goes: impl FnOnce() -> T) -> T {
        let paces = usize::try_from(1000 / PACE.as_millis()).unwrap();
        let each = (REQUESTS * a_second).div_ceil(paces);
        let (let_go, go) = channel();
        let go = Mutex::new(go);
        let (end, ended) = channel::<()>();
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| self.client(endpoint, &go));
            }
            scope.spawn(move || {
                // Who keeps up has so many a second, who does not has what it can do.
                while ended.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                    for _ in 0..each {
                        let _ = let_go.send(());
                    }
                }
            });
            let done = while_it_goes();
            self.is_over.store(true, Ordering::Relaxed);
            drop(end);
            done
        })
    }
}

/// Restarts under new conversations with requests in flight: nobody is refused, no reply is lost,
/// nobody is reset.
fn restarts(dispatch: &[&str], a_second: usize) {
    let dir = Dir::new(&format!("takeover-{}", dispatch.concat()));
    let site = Site { dir, dispatch, drain: "30s" };
    let mut server = site.start("--handover");
    let endpoint = server.endpoint.clone();
    let load = Load::new();
    let between = a_second / 2;
    let (ended, last) = load.under(&endpoint, a_second, || {
        let mut ended = Vec::new();
        for restart in 0..RESTARTS {
            load.wait_for((restart + 1) * between);
            let next = site.start("--takeover");
            assert_eq!(next.endpoint, endpoint);
            ended.push(std::mem::replace(&mut server, next).end());
        }
        load.wait_for((RESTARTS + 1) * between);
        (ended, server)
    });
    assert!(load.trouble().is_empty(), "{:?}", load.trouble());
    let served = |text: &str| text.split(' ').next().unwrap().parse::<usize>().unwrap();
    let mut all = 0;
    for ran in ended {
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        let sum = summary(&ran.stderr);
        assert!(!sum.contains(';'), "{sum}");
        all += served(sum);
    }
    last.terminate();
    let ran = last.end();
    assert_eq!(ran.exit, 143, "{}", ran.stderr);
    all += served(summary(&ran.stderr));
    assert_eq!(all, load.done.load(Ordering::Relaxed));
    assert!(all > RESTARTS * between);
}

#[test]
fn twenty_restarts_under_load_lose_nothing_with_threads() {
    restarts(&["--dispatch", "threads"], 600);
}

#[test]
fn twenty_restarts_under_load_lose_nothing_with_events() {
    restarts(&["--dispatch", "events"], 600);
}

#[test]
fn twenty_restarts_under_load_lose_nothing_with_processes() {
    restarts(&["--dispatch", "processes"], 100);
}

/// The same while the old process has a peer that takes nothing: it ends in time all the same.
fn restarts_beside_a_stuck_peer(dispatch: &[&str], a_second: usize) {
    const DRAIN: Duration = Duration::from_secs(2);
    let dir = Dir::new(&format!("takeover-stuck-{}", dispatch.concat()));
    let site = Site { dir, dispatch, drain: "2s" };
    let mut server = site.start("--handover");
    let endpoint = server.endpoint.clone();
    let load = Load::new();
    let mut stuck = Vec::new();
    load.under(&endpoint, a_second, || {
        for restart in 0..3 {
            let mut peer = server.connect();
            // Its echo is more than the buffers hold, and nobody takes it.
            peer.write_all(&[vec![b'x'; 32 << 20], b"\n".to_vec()].concat()).unwrap();
            peer.read_exact(&mut [0]).unwrap();
            let name = peer.local_addr().unwrap();
            stuck.push(peer);
            load.wait_for((restart + 1) * a_second / 2);
            let before = Instant::now();
            let next = site.start("--takeover");
            load.may_end(before + DRAIN / 2);
            let taken = Instant::now();
            let ran = std::mem::replace(&mut server, next).end();
            // Much sooner than the time runs out in which a peer has to take something.
            let took = taken.elapsed();
            assert!(took < PATIENCE / 2, "it took {took:?}");
            assert_eq!(ran.exit, 4, "{}", ran.stderr);
            assert!(ran.stderr.contains(&format!(": cut off: tcp://{name}: ")), "{}", ran.stderr);
            assert!(summary(&ran.stderr).contains("; cut off "), "{}", ran.stderr);
        }
    });
    assert!(load.trouble().is_empty(), "{:?}", load.trouble());
    server.terminate();
    assert_eq!(server.end().exit, 143);
}

#[test]
fn a_stuck_peer_holds_up_no_restart_with_threads() {
    restarts_beside_a_stuck_peer(&["--dispatch", "threads"], 300);
}

#[test]
fn a_stuck_peer_holds_up_no_restart_with_events() {
    restarts_beside_a_stuck_peer(&["--dispatch", "events"], 300);
}

#[test]
fn a_stuck_peer_holds_up_no_restart_with_processes() {
    restarts_beside_a_stuck_peer(&["--dispatch", "processes"], 100);
}

#[test]
fn a_conversation_goes_on_with_the_old_one_and_that_is_told() {
    let site = Site { dir: Dir::new("takeover-told"), dispatch: &[], drain: "1m" };
    let mut old = site.start("--handover");
    let mut client = old.connect();
    let mut answer = [0; 2];
    client.write_all(b"a\n").unwrap();
    client.read_exact(&mut answer).unwrap();
    let new = site.start("--takeover");
    let told = old.told("another process accepts");
    let expected = "swb: another process accepts now: going on with 1 conversation, for 60s at the \
                    most";
    assert_eq!(summary(&told), expected);
    client.write_all(b"b\n").unwrap();
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"b\n");
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client).unwrap(), b"");
    let ran = old.end();
    assert_eq!((ran.exit, summary(&ran.stderr)), (0, "1 conversation, 2 messages"));
    new.terminate();
    assert_eq!(summary(&new.end().stderr), "0 conversations, 0 messages");
}

#[test]
fn who_cannot_be_taken_over_is_told_before_anything_is_served() {
    let dir = Dir::new("takeover-errors");
    let path = |name: &str| dir.path.join(name).to_str().unwrap().to_owned();
    let tries = |how: &str, socket: &str| {
        let ran = run(&["serve", "127.0.0.1:0", "echo", "-f", "lines", how, socket], b"");
        assert!(!ran.stderr.contains("listening"), "{}", ran.stderr);
        (ran.exit, ran.stderr)
    };
    let (exit, told) = tries("--takeover", &path("nobody"));
    assert_eq!(exit, 3);
    assert!(told.starts_with("swb: cannot connect to unix:/"), "{told}");
    assert!(told.ends_with("with a handover there (--handover)\n"), "{told}");
    // One that listens and never answers.
    let deaf = UnixListener::bind(path("deaf")).unwrap();
    let (exit, told) = tries("--takeover", &path("deaf"));
    assert_eq!(exit, 3);
    let expected = format!(
        "swb: taking over from unix:{}: timed out: the server there does not hand over, or is busy \
         with another one\n",
        path("deaf")
    );
    assert_eq!(told, expected);
    drop(deaf);
    // Its path is stale now, which the one is told of, and the other replaces.
    let (exit, told) = tries("--takeover", &path("deaf"));
    assert_eq!(exit, 3);
    assert!(told.contains("connection refused: nobody hands over there"), "{told}");
    let site = Site { dir: Dir::new("takeover-live"), dispatch: &[], drain: "1s" };
    std::fs::write(site.dir.path.join("no-socket"), "").unwrap();
    let server = site.start("--handover");
    let live = site.dir.path.join("take").to_str().unwrap().to_owned();
    let (exit, told) = tries("--handover", &live);
    assert_eq!(exit, 3);
    assert!(told.ends_with("take over from it, or end it (--takeover)\n"), "{told}");
    let (exit, told) = tries("--handover", site.dir.path.join("no-socket").to_str().unwrap());
    assert_eq!(exit, 3);
    assert!(told.contains("something that is no socket has that path"), "{told}");
    server.terminate();
    assert_eq!(server.end().exit, 143);
}

/// Clients of what nobody listens on any more would be refused.
#[test]
fn whoever_would_listen_elsewhere_takes_nothing_over() {
    let site = Site { dir: Dir::new("takeover-elsewhere"), dispatch: &[], drain: "1s" };
    let old = site.start("--handover");
    let socket = site.dir.path.join("take");
    let socket = socket.to_str().unwrap();
    let port = old.endpoint.rsplit(':').next().unwrap();
    let takes_over = ["-f", "lines", "--takeover", socket, "echo"];
    for place in ["127.0.0.2:0".to_owned(), format!("localhost:{port}")] {
        let ran = run(&[&["serve", &place], &takes_over[..]].concat(), b"");
        let expected = format!(
            "swb: cannot take over: the other server listens on tcp://{}, and this one was to \
             listen on tcp://{place}",
            old.endpoint
        );
        assert_eq!(ran.exit, 3);
        assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
        assert!(ran.stderr.ends_with("the other one goes on\n"), "{}", ran.stderr);
    }
    let place = old.endpoint.clone();
    let send = ["send", &place, "-f", "lines", "--data", "hello", "--expect", "hello"];
    assert_eq!(run(&send, b"").exit, 0);
    // The port that it was given is as good as the 0 that it asked for.
    let new = Running::start(&[&["serve", &place], &takes_over[..]].concat());
    assert_eq!((new.endpoint.as_str(), old.end().exit), (place.as_str(), 0));
    assert_eq!(run(&send, b"").exit, 0);
    new.terminate();
    assert_eq!(new.end().exit, 143);
}

#[test]
fn what_does_not_go_together_is_a_matter_of_usage() {
    let serve = ["serve", "127.0.0.1:0", "--takeover", "/x"];
    let ran = run(&[&serve[..], &["-f", "u8", "--handover", "/y", "echo"]].concat(), b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
    let ran = run(&[&serve[..], &["exec", "cat"]].concat(), b"");
    let expected = "swb: --takeover does not go with exec: the program has the raw socket\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (2, expected));
    let ran = run(&["serve", "127.0.0.1:0", "-f", "u8", "--handover", "", "echo"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("expected a path or @name after unix:"), "{}", ran.stderr);
}

/// A user who is nobody else.
const NOBODY: u32 = 65534;

/// The name has no mode that would keep anybody out: it is the server who does.
#[test]
fn a_process_of_another_user_gets_nothing() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can be somebody else");
        assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "and nothing may be skipped");
        return;
    }
    let socket = format!("unix:@swb-takeover-{}", std::process::id());
    let serve =
        |how: &str| ["serve", "127.0.0.1:0", "-f", "u8", how, &socket, "echo"].map(str::to_owned);
    let server = Running::start(&serve("--handover").each_ref().map(String::as_str));
    let mut other = swb(&serve("--takeover").each_ref().map(String::as_str));
    let ran = Ran::from(other.uid(NOBODY).gid(NOBODY).output().unwrap());
    let expected = format!(
        "swb: cannot take over from {socket}: the other process is not to be trusted: it is of \
         user {NOBODY}, and this one of 0\n"
    );
    assert_eq!((ran.exit, ran.stderr), (3, expected));
    // It goes on, for who may have it.
    let next = Running::start(&serve("--takeover").each_ref().map(String::as_str));
    assert_eq!(next.endpoint, server.endpoint);
    assert_eq!(server.end().exit, 0);
    next.terminate();
    assert_eq!(next.end().exit, 143);
}

/// What somebody else serves is not taken over either, by root least of all.
#[test]
fn a_server_of_another_user_is_not_trusted() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can be somebody else");
        assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "and nothing may be skipped");
        return;
    }
    let socket = format!("unix:@swb-untrusted-{}", std::process::id());
    let mut other = swb(&["serve", "127.0.0.1:0", "-f", "u8", "--handover", &socket, "echo"]);
    let mut other = other.uid(NOBODY).gid(NOBODY).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(other.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let ran = run(&["serve", "127.0.0.1:0", "-f", "u8", "--takeover", &socket, "echo"], b"");
    let expected = format!(
        "swb: cannot take over from {socket}: the other process is not to be trusted: it is of \
         user {NOBODY}, and this one of 0\n"
    );
    assert_eq!((ran.exit, ran.stderr), (3, expected));
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&other),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert_eq!(Ran::from(other.wait_with_output().unwrap()).exit, 143);
}
