//! The harness: it starts this program anew for each test, with the test's name, and gives it so
//! much time. What it prints is what `cargo test` prints.

use std::env::{args, current_exe};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A test's name and what it does.
pub(crate) type Test = (&'static str, fn());

/// How long a test may take; then it is killed, and with it, by their lifelines, all it started.
const PATIENCE: Duration = Duration::from_secs(180);

/// What this program is started with for one test.
const ONE: &str = "--one-test";

/// Runs what the arguments say: tests, or one test or program alone.
pub(crate) fn run(tests: &[&[Test]], programs: &[Test]) -> ExitCode {
    let tests: Vec<Test> = tests.concat();
    let words: Vec<String> = args().skip(1).collect();
    if let [first, name] = &words[..]
        && first == ONE
    {
        let mut all = tests.iter().chain(programs);
        let (_, test) = all.find(|(known, _)| known == name).unwrap();
        test();
        return ExitCode::SUCCESS;
    }
    let all = tests.len();
    let tests: Vec<Test> = tests.into_iter().filter(|(name, _)| is_wanted(name, &words)).collect();
    if words.iter().any(|word| word == "--list") {
        tests.iter().for_each(|(name, _)| println!("{}: test", shown(name)));
        println!("\n{} tests, 0 benchmarks", tests.len());
        return ExitCode::SUCCESS;
    }
    report(&tests, all - tests.len())
}

/// The name without that of this binary, as the usual harness shows it.
fn shown(name: &str) -> &str {
    name.split_once("::").map_or(name, |(_, rest)| rest)
}

/// Filters as the usual harness knows them; options that change what is shown are passed over.
fn is_wanted(name: &str, words: &[String]) -> bool {
    let name = shown(name);
    let is_exact = words.iter().any(|word| word == "--exact");
    let is_hit = |filter: &String| if is_exact { name == filter } else { name.contains(filter) };
    let (mut filters, mut skips) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--skip" => skips.extend(words.next()),
            "--test-threads" | "--format" | "--color" | "--logfile" => drop(words.next()),
            _ if word.starts_with('-') => {}
            _ => filters.push(word),
        }
    }
    (filters.is_empty() || filters.into_iter().any(is_hit)) && !skips.into_iter().any(is_hit)
}

fn report(tests: &[Test], filtered: usize) -> ExitCode {
    let started = Instant::now();
    println!("\nrunning {} tests", tests.len());
    let left = Mutex::new(tests.iter());
    let failures = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some(&(name, test)) = next else { return };
                    let failed = play((name, test));
                    let word = if failed.is_some() { "FAILED" } else { "ok" };
                    println!("test {} ... {word}", shown(name));
                    failures.lock().unwrap().extend(failed.map(|output| (name, output)));
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    for (name, output) in &failures {
        println!("\n---- {} ----\n{output}", shown(name));
    }
    let word = if failures.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {} passed; {} failed; 0 ignored; 0 measured; {filtered} filtered \
         out; finished in {:.2}s\n",
        tests.len() - failures.len(),
        failures.len(),
        started.elapsed().as_secs_f64()
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// This program, to be started for something else. The caller says what becomes of its streams.
pub(crate) fn program((name, _): Test) -> Command {
    let mut command = Command::new(current_exe().unwrap());
    command.args([ONE, name]);
    command
}

/// Runs one test; what it said if it failed.
fn play((name, test): Test) -> Option<String> {
    let file = name.replace("::", "-");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("processes-{file}.out"));
    // A file and no pipe: a process that outlived its test would keep that open.
    let output = File::create(&path).unwrap();
    let mut command = program((name, test));
    command.stdin(Stdio::null());
    command.stdout(output.try_clone().unwrap()).stderr(output.try_clone().unwrap());
    let ended = wait(command.spawn().unwrap());
    if let Some(trouble) = &ended {
        writeln!(&output, "{trouble}").unwrap();
    }
    ended.map(|_| String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned())
}

/// How it failed.
fn wait(mut child: Child) -> Option<String> {
    let id = rustix::process::Pid::from_child(&child);
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || tell.send(child.wait().unwrap()));
        match told.recv_timeout(PATIENCE) {
            Ok(status) if status.success() => None,
            Ok(status) => Some(format!("it ended with {status}")),
            Err(RecvTimeoutError::Timeout) => {
                // It has not been waited for, so the number is still its own.
                rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
                Some(format!("it was killed after {PATIENCE:?}"))
            }
            Err(RecvTimeoutError::Disconnected) => Some("it could not be waited for".to_owned()),
        }
    })
}
