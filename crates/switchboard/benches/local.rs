//! The same conversation with another process over TCP, a Unix socket and a pair of pipes, side by
//! side. `scripts/bench-local` runs it and prints the table; it takes less than 20 seconds.
//!
//! The peer is this program again. It sends small messages back, and only reads large ones. Whether
//! the two share a core matters more than the transport, and a scheduler changes its mind: so each
//! transport is measured both ways, with both processes pinned. All of them are measured in each
//! round, in an order that chance decides, so that whatever else the machine does falls on all
//! alike; the tables have the medians of the rounds.

#![expect(clippy::print_stdout, reason = "a program prints its table")]

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use socket2::SockRef;
use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::{BuildHasher, Hasher};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};
use switchboard::transport::Wait;
use switchboard::{ConnectOptions, Conversation, Endpoint, Listener, Transport, deadline};

type Outcome<T> = Result<T, Box<dyn Error>>;

const FRAMING: &str = "u32be";
const SMALL_BYTES: usize = 64;
const LARGE_BYTES: usize = 64 * 1024;
const IN_FLIGHT: usize = 64;

const ROUND_TRIPS: usize = 1000;
const STREAMED: usize = 40_000;
const LARGE: usize = 400;

const ROUNDS_MAX: usize = 101;
const TIME_MAX: Duration = Duration::from_secs(14);

/// What is measured in each round, in the table's order.
const MEASURES: [&str; 3] = ["round trip, µs", "messages/s, 64 in flight", "64 KiB one way, MiB/s"];

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--peer") {
        return peer(&args[at + 1], args[at + 2].parse()?, args.get(at + 3).map(String::as_str));
    }
    let allowed = sched_getaffinity(None)?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    let mut lanes = Vec::new();
    for peer_core in cores.iter().take(2) {
        lanes.extend(lanes_to(cores[0], *peer_core)?);
    }
    let begin = Instant::now();
    let mut rounds = 0;
    for lane in &mut lanes {
        lane.measure()?; // To warm up.
    }
    while rounds < ROUNDS_MAX && begin.elapsed() < TIME_MAX {
        for index in shuffled(lanes.len()) {
            let measured = lanes[index].measure()?;
            lanes[index].rounds.push(measured);
        }
        rounds += 1;
    }
    println!("medians of {rounds} rounds, {} cores; in brackets, times the first row", cores.len());
    let one_core = lanes.iter().filter(|lane| lane.peer_core == cores[0]).collect::<Vec<_>>();
    print("both processes on one core", &one_core);
    let two_cores = lanes.iter().filter(|lane| lane.peer_core != cores[0]).collect::<Vec<_>>();
    if !two_cores.is_empty() {
        print("each process on a core of its own", &two_cores);
    }
    lanes.into_iter().try_for_each(Lane::end)
}

fn stay_on(core: usize) -> Outcome<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// The other side.
fn peer(endpoint: &str, core: usize, congestion: Option<&str>) -> Outcome<()> {
    stay_on(core)?;
    let transport = endpoint.parse::<Endpoint>()?.connect(&ConnectOptions::default())?;
    set_congestion(&*transport, congestion)?;
    let mut conversation = Conversation::over(transport, &FRAMING.parse()?);
    let mut back = Vec::new();
    while let Some(message) = conversation.recv()? {
        if message.len() > SMALL_BYTES {
            continue;
        }
        back.clear();
        back.extend_from_slice(&message);
        conversation.queue(&back)?;
    }
    Ok(conversation.close()?)
}

/// A transport that is measured.
struct Lane {
    name: String,
    conversation: Conversation,
    /// None behind `exec:`, whose transport has the child.
    child: Option<Child>,
    core: usize,
    peer_core: usize,
    rounds: Vec<[f64; 3]>,
}

fn lanes_to(core: usize, peer_core: usize) -> Outcome<Vec<Lane>> {
    let socket = std::env::temp_dir().join(format!("swb-bench-{}", std::process::id()));
    let mut lanes = vec![accepted("127.0.0.1:0", peer_core, None)?];
    if lanes[0].0 != "TCP, reno" {
        // What paces its sending (bbr does) is slower on one machine; reno is there everywhere.
        lanes.push(accepted("127.0.0.1:0", peer_core, Some("reno"))?);
    }
    lanes.push(accepted(&format!("unix:{}", socket.display()), peer_core, None)?);
    let program = std::env::current_exe()?.to_string_lossy().into_owned();
    let words = [program, "--peer".to_owned(), "-".to_owned(), peer_core.to_string()];
    let transport = Endpoint::Exec(words.into()).connect(&ConnectOptions::default())?;
    lanes.push(("a pair of pipes".to_owned(), transport, None));
    let protocol = FRAMING.parse()?;
    let lane = |(name, transport, child)| {
        let conversation = Conversation::over(transport, &protocol);
        Lane { name, conversation, child, core, peer_core, rounds: Vec::new() }
    };
    Ok(lanes.into_iter().map(lane).collect())
}

/// A transport to a child that connects.
fn accepted(
    endpoint: &str,
    peer_core: usize,
    congestion: Option<&str>,
) -> Outcome<(String, Arc<dyn Transport>, Option<Child>)> {
    let listener = Listener::listen(endpoint)?;
    let endpoint = listener.endpoints()[0].to_string();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--peer", &endpoint, &peer_core.to_string()]).args(congestion);
    let child = command.spawn()?;
    let until = Wait { deadline: deadline::after(Duration::from_secs(10)), ..Wait::FOREVER };
    let transport = listener.accept(&until)?;
    set_congestion(&*transport, congestion)?;
    let name = match transport.read_descriptor().filter(|_| endpoint.starts_with("tcp")) {
        Some(descriptor) => {
            let congestion = SockRef::from(&descriptor).tcp_congestion()?;
            let congestion = String::from_utf8_lossy(&congestion);
            format!("TCP, {}", congestion.trim_end_matches('\0'))
        }
        None => "Unix socket".to_owned(),
    };
    Ok((name, transport, Some(child)))
}

fn set_congestion(transport: &dyn Transport, congestion: Option<&str>) -> Outcome<()> {
    if let (Some(name), Some(descriptor)) = (congestion, transport.read_descriptor()) {
        SockRef::from(&descriptor).set_tcp_congestion(name.as_bytes())?;
    }
    Ok(())
}

impl Lane {
    fn measure(&mut self) -> Outcome<[f64; 3]> {
        stay_on(self.core)?;
        let conversation = &mut self.conversation;
        let (small, large) = ([7; SMALL_BYTES], vec![7; LARGE_BYTES]);

        let begin = Instant::now();
        for _ in 0..ROUND_TRIPS {
            conversation.request(&small)?;
        }
        let round_trip = begin.elapsed().as_secs_f64() / ROUND_TRIPS as f64;

        let begin = Instant::now();
        for _ in 0..IN_FLIGHT {
            conversation.queue(&small)?;
        }
        for _ in IN_FLIGHT..STREAMED {
            expect(conversation)?;
            conversation.queue(&small)?;
        }
        for _ in 0..IN_FLIGHT {
            expect(conversation)?;
        }
        let streamed = STREAMED as f64 / begin.elapsed().as_secs_f64();

        let begin = Instant::now();
        for _ in 0..LARGE {
            conversation.send(&large)?;
        }
        conversation.request(&small)?; // Answered behind all of them.
        let mib = (LARGE * LARGE_BYTES) as f64 / f64::from(1 << 20);
        Ok([round_trip * 1e6, streamed, mib / begin.elapsed().as_secs_f64()])
    }

    /// The first quartile, the median and the third quartile of the rounds.
    fn quartiles(&self, measure: usize) -> [f64; 3] {
        let mut values: Vec<f64> = self.rounds.iter().map(|round| round[measure]).collect();
        values.sort_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
    }

    fn end(self) -> Outcome<()> {
        self.conversation.close()?;
        if let Some(mut child) = self.child {
            child.wait()?;
        }
        Ok(())
    }
}

fn expect(conversation: &mut Conversation) -> Outcome<()> {
    conversation.recv()?.map(|_| ()).ok_or_else(|| "the peer ended".into())
}

/// The numbers below `count` in an order of chance.
fn shuffled(count: usize) -> Vec<usize> {
    let mut order: Vec<(u64, usize)> =
        (0..count).map(|index| (RandomState::new().build_hasher().finish(), index)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

fn print(title: &str, lanes: &[&Lane]) {
    println!("\n{title}\n");
    table(lanes, |lane, measure, digits| {
        let [_, value, _] = lane.quartiles(measure);
        let [_, first, _] = lanes[0].quartiles(measure);
        format!("{value:.digits$} ({:.2})", value / first)
    });
    println!("\nthe middle half of the rounds\n");
    table(lanes, |lane, measure, digits| {
        let [low, _, high] = lane.quartiles(measure);
        format!("{low:.digits$} to {high:.digits$}")
    });
}

fn table(lanes: &[&Lane], cell: impl Fn(&Lane, usize, usize) -> String) {
    println!("| | {} |", MEASURES.join(" | "));
    println!("|---|---:|---:|---:|");
    for lane in lanes {
        let cells: Vec<String> = (0..MEASURES.len())
            .map(|measure| cell(lane, measure, usize::from(measure == 0)))
            .collect();
        println!("| {} | {} |", lane.name, cells.join(" | "));
    }
}
