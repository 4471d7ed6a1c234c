//! `swb demo`: the main job on a bare machine, checked to the byte.
//!
//! Servers that echo in eight framings, each under threads, processes and event loops, on free
//! loopback ports, with TLS and without, and on Unix sockets.
//! Clients talk to them through a link that cuts every read and write at random, glues others
//! together and interrupts calls. Conversations half-close and read on; some peers vanish or reset
//! in the middle of a message. Everything is compared with what was sent.

mod framings;
mod over;
mod round;
mod server;

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::DemoArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::Printer;
use framings::FRAMINGS;
use over::{Identity, Over};
use round::Tally;
use server::EchoServer;
use switchboard::Ending;
use switchboard::server::{Dispatch, Endings};

/// How often the progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Event loops of each server that has them.
const LOOPS: usize = 2;

pub(crate) fn run(args: &DemoArgs, printer: &Printer) -> Outcome {
    let directory = scratch_directory()?;
    let outcome = in_directory(args, printer, &directory);
    // What is left over is in the temporary directory, and the system clears that.
    let _ = std::fs::remove_dir_all(&directory);
    outcome
}

fn in_directory(args: &DemoArgs, printer: &Printer, directory: &std::path::Path) -> Outcome {
    let seed = args.seed.unwrap_or_else(seed_from_clock);
    printer.talk(&format!(
        "echo servers in eight framings, under threads, processes and events, over TCP, TLS and \
         Unix sockets; a link that cuts, glues and interrupts (seed {seed})"
    ));
    let identity = Identity::new()?;
    let servers = start_servers(&identity, directory)?;
    let started = Instant::now();
    let tallies: Vec<Arc<Tally>> = servers.iter().map(|_| Arc::new(Tally::default())).collect();
    let over = AtomicBool::new(false);
    let failures: Vec<String> = thread::scope(|scope| {
        let clients: Vec<_> = servers
            .iter()
            .zip(&tallies)
            .enumerate()
            .map(|(index, (server, tally))| {
                let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(index as u64);
                let identity = &identity;
                scope.spawn(move || client(server, identity, tally, seed, started + args.time))
            })
            .collect();
        let progress = scope.spawn(|| show_progress(printer, &tallies, started, &over));
        let failures = clients
            .into_iter()
            .filter_map(|client| match client.join() {
                Ok(result) => result.err(),
                Err(_) => Some("a client panicked".to_owned()),
            })
            .collect();
        over.store(true, Ordering::Relaxed);
        progress.thread().unpark();
        failures
    });
    let elapsed = started.elapsed();
    let mut wrong = failures;
    let mut rows = Vec::new();
    for (server, tally) in servers.into_iter().zip(&tallies) {
        let (framing, over, under) =
            (server.framing.spec, server.over.to_string(), server.dispatch.to_string());
        let (endings, why) = server.stop(tally);
        wrong.extend(why);
        rows.push(Row { framing, over, under, tally, endings });
    }
    printer.data(table(&rows, elapsed).as_bytes())?;
    conclude(printer, &tallies, &wrong, seed)
}

/// Each framing under each dispatcher. Those of processes come first: they are forked off, and that
/// is for a program that has no other threads yet.
fn start_servers(
    identity: &Identity,
    directory: &std::path::Path,
) -> Result<Vec<EchoServer>, Failure> {
    // More than one loop on any machine, and not a hundred on a large one.
    let events = Dispatch::events().with_loops(LOOPS);
    let mut servers = Vec::new();
    let dispatchers = [Dispatch::processes(), Dispatch::threads(), events];
    for (shift, dispatch) in dispatchers.into_iter().enumerate() {
        for (number, framing) in FRAMINGS.iter().enumerate() {
            // So that each dispatcher has each of them.
            let over = Over::ALL[(number + shift) % Over::ALL.len()];
            let places = (identity, directory);
            servers.push(EchoServer::start(framing, dispatch.clone(), over, places)?);
        }
    }
    let place = |server: &EchoServer| FRAMINGS.iter().position(|f| f.spec == server.framing.spec);
    servers.sort_by_key(place);
    Ok(servers)
}

/// Rounds of conversations until the time is over; then the first that went wrong.
fn client(
    server: &EchoServer,
    identity: &Identity,
    tally: &Tally,
    seed: u64,
    deadline: Instant,
) -> Result<(), String> {
    let mut round = 0;
    // At least one round of every kind, however short the time.
    while round < round::KINDS || Instant::now() < deadline {
        round::run(server, identity, tally, (seed.wrapping_add(round), round))
            .map_err(|why| format!("{}: {why}", server.name()))?;
        round += 1;
    }
    Ok(())
}

fn show_progress(printer: &Printer, tallies: &[Arc<Tally>], started: Instant, over: &AtomicBool) {
    let terminal = stderr().is_terminal();
    let mut told = 0;
    while !over.load(Ordering::Relaxed) {
        let seconds = started.elapsed().as_secs();
        let messages: u64 = tallies.iter().map(|tally| tally.messages()).sum();
        let conversations: u64 = tallies.iter().map(|tally| tally.conversations()).sum();
        let line =
            format!("{seconds:>3} s  {messages:>9} messages in {conversations:>5} conversations");
        if terminal {
            printer.status(&line);
        } else if seconds > told {
            told = seconds;
            printer.talk(&line);
        }
        thread::park_timeout(PROGRESS_INTERVAL);
    }
    if terminal {
        printer.status("");
    }
}

/// What became of a server.
struct Row<'a> {
    framing: &'static str,
    over: String,
    under: String,
    tally: &'a Tally,
    endings: Endings,
}

fn table(rows: &[Row<'_>], elapsed: Duration) -> String {
    let mut text = format!(
        "{:<22} {:<5} {:<9} {:>9} {:>8} {:>8}   {}\n",
        "framing",
        "over",
        "under",
        "messages",
        "MiB",
        "per s",
        "endings (finished/truncated/reset)"
    );
    let mut line = |names: [&str; 3], messages: u64, bytes: u64, endings: [u64; 3]| {
        let [name, over, under] = names;
        let mib = bytes as f64 / (1024.0 * 1024.0);
        let rate = messages as f64 / elapsed.as_secs_f64();
        let [finished, truncated, reset] = endings;
        text.push_str(&format!(
            "{name:<22} {over:<5} {under:<9} {messages:>9} {mib:>8.1} {rate:>8.0}   \
             {finished}/{truncated}/{reset}\n"
        ));
    };
    let mut sums = (0, 0, [0; 3]);
    for Row { framing, over, under, tally, endings } in rows {
        let endings =
            [Ending::Finished, Ending::Truncated, Ending::Reset].map(|one| endings.count(one));
        line([framing, over, under], tally.messages(), tally.bytes(), endings);
        sums.0 += tally.messages();
        sums.1 += tally.bytes();
        for (sum, count) in sums.2.iter_mut().zip(endings) {
            *sum += count;
        }
    }
    line(["all", "", ""], sums.0, sums.1, sums.2);
    text
}

fn conclude(printer: &Printer, tallies: &[Arc<Tally>], wrong: &[String], seed: u64) -> Outcome {
    printer.flush()?;
    for why in wrong {
        printer.talk(&format!("wrong: {why}"));
    }
    if !wrong.is_empty() {
        return Err(Failure::new(
            Exit::No,
            format_args!("{} wrong; again with 'swb demo --seed {seed}'", wrong.len()),
        ));
    }
    let messages: u64 = tallies.iter().map(|tally| tally.messages()).sum();
    printer.talk(&format!(
        "every byte of {messages} messages came back right, every ending was told as it was\n\n\
         try next:\n  \
         swb serve 127.0.0.1:7000 --frame u32be echo &\n  \
         swb send 127.0.0.1:7000 --frame u32be --data hello\n  \
         printf '5:hello,3:abc' | swb decode --frame netstring --json"
    ));
    Ok(Exit::Done)
}

fn seed_from_clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::from(now.subsec_nanos()) ^ now.as_secs())
}

/// A directory of our own for the Unix sockets.
fn scratch_directory() -> Result<std::path::PathBuf, Failure> {
    let name = format!("swb-demo-{}-{}", std::process::id(), seed_from_clock());
    let path = std::env::temp_dir().join(name);
    let made = std::fs::create_dir(&path);
    made.map_err(|error| Failure::usage(format_args!("cannot make {}: {error}", path.display())))?;
    Ok(path)
}
