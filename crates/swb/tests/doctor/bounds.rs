//! The doctor's own bounds, whatever a server does: it is run where it has no more.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Told;
use crate::right::serving;
use crate::servers::own;

/// Addresses, the stacks of threads among them: far less than a server could make it hold.
const MEMORY: &str = "ulimit -v 300000";
/// As the page says.
const DESCRIPTORS: &str = "ulimit -n 256";

fn doctor_within(limit: &str, endpoint: &str, args: &[&str]) -> Told {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limit} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_swb")]);
    // Else each thread sets addresses aside that it never uses.
    command.env("MALLOC_ARENA_MAX", "1").args(["doctor", endpoint, "--echo"]);
    command.args(args).stdin(Stdio::null()).output().unwrap().into()
}

/// An echo of lines until it was calibrated; from then on each answer is a line without an end.
fn endless() -> String {
    let answered = Arc::new(AtomicUsize::new(0));
    serving(move |mut stream| {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        while let Some(line) = lines.next().transpose()? {
            if answered.fetch_add(1, Ordering::SeqCst) >= 10 {
                loop {
                    stream.write_all(&[b'x'; 64 * 1024])?;
                }
            }
            stream.write_all(format!("{line}\n").as_bytes())?;
        }
        Ok(())
    })
}

#[test]
fn an_answer_without_end_is_not_held() {
    let args = ["--frame", "lines", "--json", "--runs", "1", "--only", "F2,F4,F6,C1"];
    let told = doctor_within(MEMORY, &endless(), &args);
    assert_eq!(told.exit, 1, "{}{}", told.stdout, told.stderr);
    assert_eq!(told.objects().len(), 5, "{}", told.stdout);
    assert!(told.stdout.contains("oversize"), "{}", told.stdout);
}

/// Of the probes those that have the most open.
#[test]
fn the_descriptors_that_it_says_are_enough() {
    let exec = own("127.0.0.1:{port} --frame u32be echo");
    let args = ["--frame", "u32be", "--only", "C9,B1,R1,R2", "--exec", &exec];
    let told = doctor_within(DESCRIPTORS, "127.0.0.1:0", &args);
    assert_eq!(told.exit, 0, "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("\n4 ok in "), "{}", told.stdout);
}
