//! Programs: found, started in a folder of their own, waited for, ended.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How long any one program may take to say or do what is waited for. Only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Servers are not always on a user's path; Debian keeps PostgreSQL's apart, one folder a version.
fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders
}

fn find(program: &str) -> Option<PathBuf> {
    folders().into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Where each of the programs is. `None`, and why is said, if one is missing and that may be.
pub(crate) fn programs<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = names.map(find);
    match names.iter().zip(&found).find(|(_, path)| path.is_none()) {
        None => Some(found.map(Option::unwrap_or_default)),
        Some((name, _)) => {
            skip(&format!("{name} is not installed; scripts/install brings it"));
            None
        }
    }
}

/// Says why a test did not do what it is there for; fails it where nothing may be skipped.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "may not be skipped: {why}");
    // Past the test runner's capture, which would hide it in a test that passes.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A folder that goes with its test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("swb-peers-{}-{number}-{name}", std::process::id());
        // Not below the build's folder: a server that runs as another user must get there.
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Someone a server that refuses to be root can run as; `None` if we are not root anyway.
#[derive(Clone, Copy)]
pub(crate) struct Account(Option<(u32, u32)>);

impl Account {
    pub(crate) fn unprivileged() -> Account {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if !status.lines().any(|line| line.starts_with("Uid:\t0\t")) {
            return Account(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap();
        let ids = |name: &str| {
            let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2).map(|field| field.parse().ok());
            Some((fields.next()??, fields.next()??))
        };
        Account(ids("postgres").or_else(|| ids("nobody")))
    }

    pub(crate) fn runs<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }

    pub(crate) fn owns(&self, path: &Path) {
        if let Some((user, group)) = self.0 {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }
}

enum Said {
    Stdout(String),
    Stderr(String),
}

/// What a program said, and how it ended.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// What it said on stdout, if it says that all went well.
    pub(crate) fn ok(self) -> String {
        self.ended_with(0)
    }

    /// What it said on stdout, if it ended with this code.
    pub(crate) fn ended_with(self, code: i32) -> String {
        let Output { status, stdout, stderr } = self;
        // The reason is on stderr; stdout can be megabytes.
        let told: String = stdout.chars().take(2000).collect();
        assert_eq!(status.code(), Some(code), "{status}\nstdout:\n{told}\nstderr:\n{stderr}");
        stdout
    }
}

/// A program that runs. Ended, by its id, when this goes.
pub(crate) struct Process {
    name: String,
    child: Child,
    said: Receiver<Said>,
    stdout: String,
    stderr: String,
    stop_signal: &'static str,
}

impl Process {
    /// Starts it with its output read all the time, so that it can never wait for us.
    pub(crate) fn start(command: &mut Command) -> Process {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (say, said) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        let stderr = child.stderr.take().unwrap();
        let say_stdout = say.clone();
        thread::spawn(move || read_lines(stdout, |line| say_stdout.send(Said::Stdout(line))));
        thread::spawn(move || read_lines(stderr, |line| say.send(Said::Stderr(line))));
        let (stdout, stderr) = (String::new(), String::new());
        Process { name, child, said, stdout, stderr, stop_signal: "TERM" }
    }

    /// Starts a server on a port that is free now, and again on another if someone was quicker.
    pub(crate) fn serve(ready: &str, command: impl Fn(u16) -> Command) -> (Process, u16) {
        for _ in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let mut process = Process::start(&mut command(port));
            if process.line_with(ready).is_some() {
                return (process, port);
            }
            let _ = writeln!(std::io::stderr(), "{}: {}", process.name, process.stderr);
        }
        panic!("not ready after three tries: {ready:?} was never said");
    }

    /// Ends it with another signal than TERM.
    pub(crate) fn stopped_by(mut self, signal: &'static str) -> Process {
        self.stop_signal = signal;
        self
    }

    /// The next line, of stdout or stderr, that holds `what`. `None` if it ended without.
    pub(crate) fn line_with(&mut self, what: &str) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.hear(deadline) {
                Ok(line) if line.contains(what) => return Some(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("{}: no {what:?} in time", self.name),
            }
        }
    }

    /// Waits until it has ended by itself.
    pub(crate) fn finish(mut self) -> Output {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.hear(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!(
                    "{} did not end in time\nstdout:\n{}\nstderr:\n{}",
                    self.name, self.stdout, self.stderr
                ),
            }
        }
        let status = self.child.wait().unwrap();
        let (stdout, stderr) = (&mut self.stdout, &mut self.stderr);
        Output { status, stdout: std::mem::take(stdout), stderr: std::mem::take(stderr) }
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(self) -> Output {
        self.signal(self.stop_signal);
        self.finish()
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-s", signal, &id]).stderr(Stdio::null()).status();
    }

    fn hear(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let patience = deadline.saturating_duration_since(Instant::now());
        let (all, line) = match self.said.recv_timeout(patience)? {
            Said::Stdout(line) => (&mut self.stdout, line),
            Said::Stderr(line) => (&mut self.stderr, line),
        };
        all.push_str(&line);
        Ok(line)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Gently first: PostgreSQL's children outlive one that is killed.
        self.signal(self.stop_signal);
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.hear(deadline).is_ok() {}
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines<E>(stream: impl Read, mut tell: impl FnMut(String) -> Result<(), E>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        if tell(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
        line.clear();
    }
}

/// Runs a program to its end with nothing on stdin.
pub(crate) fn run(command: &mut Command) -> Output {
    Process::start(command.stdin(Stdio::null())).finish()
}

/// Runs a program to its end with `input` on stdin.
pub(crate) fn run_with(command: &mut Command, input: &[u8]) -> Output {
    let mut process = Process::start(command.stdin(Stdio::piped()));
    let mut stdin = process.child.stdin.take().unwrap();
    let input = input.to_vec();
    thread::spawn(move || stdin.write_all(&input));
    process.finish()
}

#[test]
fn a_missing_peer_is_a_skip_or_a_failure() {
    let missing = std::panic::catch_unwind(|| programs(["no-such-peer"]).is_none());
    let may_skip = std::env::var_os("SWITCHBOARD_NO_SKIP").is_none();
    assert_eq!(missing.ok(), may_skip.then_some(true));
}
