//! Running `swb` and looking at what it did.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};

/// The command with arguments, its three streams piped.
pub(crate) fn swb(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swb"));
    command.args(args);
    // Neither the terminal nor the person who runs the tests decides what is printed.
    command.env_remove("NO_COLOR").env("TERM", "dumb");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("stdout is UTF-8")
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            exit: output.status.code().expect("no signal ended it"),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

/// Runs `swb` with `input` on its stdin to its end.
pub(crate) fn run(args: &[&str], input: &[u8]) -> Ran {
    feed(swb(args).spawn().expect("swb starts"), input)
}

/// Writes `input` to a started `swb` and waits for its end.
pub(crate) fn feed(mut child: Child, input: &[u8]) -> Ran {
    let mut stdin = child.stdin.take().expect("stdin is piped");
    thread::scope(|scope| {
        scope.spawn(move || {
            // It may end before it has read everything.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("swb ends").into()
    })
}

/// A `swb` that listens.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
    pub(crate) stderr: BufReader<ChildStderr>,
    /// `host:port`, or the path of its Unix socket.
    pub(crate) endpoint: String,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Running {
        let mut all = args.to_vec();
        // Behind the verb, because behind `exec` it would be the program's.
        all.insert(1, "--print-endpoint");
        Running::of(swb(&all))
    }

    /// One that may have so many descriptors.
    pub(crate) fn limited(descriptors: usize, args: &[&str]) -> Running {
        let plain = swb(&[args, &["--print-endpoint"]].concat());
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"")]);
        command.arg(plain.get_program()).args(plain.get_args());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::of(command)
    }

    fn of(mut command: Command) -> Running {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut endpoint = String::new();
        stdout.read_line(&mut endpoint).unwrap();
        let endpoint = endpoint.trim_end();
        let endpoint = endpoint.strip_prefix("tcp://").unwrap_or(endpoint);
        let endpoint = endpoint.strip_prefix("unix:").unwrap_or(endpoint);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Running { child, stdout, stderr, endpoint: endpoint.to_owned() }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.endpoint).unwrap()
    }

    /// The next line it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    /// Sends a SIGINT.
    pub(crate) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Sends a SIGTERM.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Sends a SIGINT and waits until it is told; what was told before it.
    pub(crate) fn interrupt_told(&mut self) -> String {
        self.interrupt();
        self.told("swb: interrupted: ")
    }

    /// Sends a signal, which was sent before, until that has aborted it.
    pub(crate) fn abort(&mut self, signal: Signal) {
        let (_open, pause) = std::sync::mpsc::channel::<()>();
        for _ in 0..200 {
            if self.child.try_wait().unwrap().is_some() {
                return;
            }
            kill_process(Pid::from_child(&self.child), signal).unwrap();
            pause.recv_timeout(std::time::Duration::from_millis(50)).unwrap_err();
        }
        panic!("it goes on");
    }

    /// Waits until something is told on stderr; that, and all before it.
    pub(crate) fn told(&mut self, part: &str) -> String {
        let mut told = String::new();
        while !told.contains(part) {
            assert!(self.stderr.read_line(&mut told).unwrap() > 0, "{told}");
        }
        told
    }

    /// Waits for its end; what it printed since.
    pub(crate) fn end(mut self) -> Ran {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.stdout.read_to_end(&mut stdout).unwrap();
        self.stderr.read_to_end(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        std::process::Output { status, stdout, stderr }.into()
    }
}

/// A server for one conversation: its address, and the thread that runs it.
pub(crate) fn server<T: Send + 'static>(
    run: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = thread::spawn(move || run(listener.accept().unwrap().0));
    (address, thread)
}

/// Closes a socket with a reset.
pub(crate) fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
}

pub(crate) fn read_to_end(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map(|_| bytes)
}

/// Bytes from hex digits, blanks between the pairs or not.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "{text}");
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// A temporary directory of this test alone, removed at the end.
pub(crate) struct Dir {
    pub(crate) path: std::path::PathBuf,
}

impl Dir {
    pub(crate) fn new(name: &str) -> Dir {
        let path = std::env::temp_dir().join(format!("swb-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Dir { path }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
