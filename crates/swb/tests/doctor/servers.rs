//! Servers: started, asked for their port, ended.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server in a process of its own; killed, by its id, when this goes.
pub(crate) struct Server {
    child: Child,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl Server {
    fn start(command: &mut Command) -> Server {
        // What a mutant says as it dies is what it is there for.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let server = Server { child, said: said.trim_end().to_owned() };
        assert!(!server.said.is_empty(), "{command:?} printed nothing");
        server
    }

    /// A program in Python.
    pub(crate) fn python(path: impl AsRef<OsStr>) -> Server {
        Server::start(Command::new("python3").arg(path).arg("0"))
    }

    /// `swb serve ENDPOINT`.
    pub(crate) fn swb(args: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swb"));
        command.args(["serve", "--print-endpoint"]).args(args);
        Server::start(&mut command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command that starts our own with `--exec`.
pub(crate) fn own(args: &str) -> String {
    format!("exec '{}' serve {args}", env!("CARGO_BIN_EXE_swb"))
}

/// Dies of half a header, with words that are not to be printed as they are.
pub(crate) const FRAGILE: &str = r#"
import os, socket, struct, sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    while header := conn.recv(4):
        if len(header) < 4:
            print("half a <header> & \x1b[31m", flush=True)
            os._exit(7)
        (length,) = struct.unpack(">I", header)
        body = conn.recv(length, socket.MSG_WAITALL)
        conn.sendall(struct.pack(">I", len(body)) + body)
"#;

/// A server with one mistake: a program that prints the port it was given. The comment at its top
/// says what is wrong with it; lines `framing: ..`, `options: ..` and `verdict: ..` say how it
/// is asked and what is found, where that is not u32be, nothing and failed; `exec: yes` has the
/// doctor start it, which needs no port.
pub(crate) struct Mutant {
    path: PathBuf,
    text: String,
}

impl Mutant {
    /// All of which the name begins so.
    pub(crate) fn all(beginning: &str) -> Vec<Mutant> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/mutants");
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let is_wanted =
            |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(beginning);
        paths.retain(is_wanted);
        let read = |path: PathBuf| Mutant { text: fs::read_to_string(&path).unwrap(), path };
        paths.into_iter().map(read).collect()
    }

    pub(crate) fn name(&self) -> &str {
        self.path.file_stem().unwrap().to_str().unwrap()
    }

    /// The probe that finds it.
    pub(crate) fn id(&self) -> &str {
        self.name().split('_').next().unwrap()
    }

    /// What its comment says of something.
    pub(crate) fn says(&self, key: &str) -> Option<&str> {
        let comment = self.text.lines().take_while(|line| line.starts_with(['#', '/', ' ']));
        let mut words = comment.map(|line| line.trim_matches(['#', '/', '*', ' ']));
        words.find_map(|words| words.strip_prefix(key)?.strip_prefix(": "))
    }

    /// What `--exec` starts it with: of those in Python alone.
    pub(crate) fn command(&self, more: &[&str]) -> Option<String> {
        let quoted = |word: &&str| format!(" '{word}'");
        let more: String = more.iter().map(quoted).collect();
        let path = self.path.display();
        is_there("python3").then(|| format!("exec python3 '{path}' {{port}}{more}"))
    }

    /// `None`, and why is said, where what it is written in is missing.
    pub(crate) fn start(&self) -> Option<Server> {
        if self.path.extension().unwrap() == "py" {
            if !is_there("python3") {
                return None;
            }
            return Some(Server::python(&self.path));
        }
        if !is_there("cc") {
            return None;
        }
        let built = Built::of(&self.path);
        Some(Server::start(Command::new(&built.0).arg("0")))
    }
}

/// A program made of a file of C; removed when this goes.
struct Built(PathBuf);

impl Built {
    fn of(source: &Path) -> Built {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("swb-mutant-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut command = Command::new("cc");
        let status = command.args(["-O1", "-pthread", "-o"]).arg(&path).arg(source).status();
        assert!(status.unwrap().success(), "{}", source.display());
        Built(path)
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        skip(&format!("{program} is not installed"));
    }
    found
}

/// Says why a test did not do what it is there for; fails it where nothing may be skipped.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "may not be skipped: {why}");
    // Past the test runner's capture, which would hide it in a test that passes.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
