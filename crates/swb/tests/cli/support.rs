//! Running `swb` and looking at what it did.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

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
