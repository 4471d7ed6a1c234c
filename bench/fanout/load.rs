//! The load of a fan-out: one publisher and its subscribers in one epoll loop, which so knows what
//! has been delivered. At most so many messages are published that not every subscriber has yet.
//!
//! usage: fanout_load PROTOCOL PORT [--subscribers N] [--ahead N] [--seconds S] [--warm-up S]
//!                    [--server-pid PID] [--verify]          PROTOCOL: u32be, resp, nats
//!
//! Prints one JSON object. `--verify` holds each subscriber's bytes, in their order, against what
//! was published; without it they are counted: all frames of one protocol have the same size.

mod protocol;

use protocol::{BODY_BYTES, Protocol};
use rustix::event::{Timespec, epoll};
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long nothing may be delivered before the run has failed.
const STALL: Duration = Duration::from_secs(10);
const PUBLISHER: u64 = u64::MAX;

struct Plan {
    protocol: Protocol,
    port: u16,
    subscribers: usize,
    ahead: u64,
    seconds: f64,
    warm_up: f64,
    server_pid: Option<u32>,
    verify: bool,
}

fn main() -> Outcome<()> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    let mut load = Load::connect(&plan)?;
    load.run(plan.warm_up)?;
    let before = (load.delivered, plan.server_cpu()?);
    let seconds = load.run(plan.seconds)?;
    let deliveries = load.delivered - before.0;
    let each = |ns: u64| ns as f64 / deliveries.max(1) as f64;
    let cpu = plan.server_cpu()?.zip(before.1).map(|(after, before)| each(after - before));
    println!(
        "{{\"subscribers\":{},\"ahead\":{},\"seconds\":{seconds:.3},\"deliveries\":{deliveries},\
         \"deliveries_per_second\":{:.0},\"server_cpu_ns_per_delivery\":{},\"verified\":{}}}",
        plan.subscribers,
        plan.ahead,
        deliveries as f64 / seconds,
        cpu.map_or("null".to_owned(), |cpu| format!("{cpu:.2}")),
        plan.verify,
    );
    Ok(())
}

impl Plan {
    fn parse(mut args: impl Iterator<Item = String>) -> Outcome<Plan> {
        let mut plan = Plan {
            protocol: args.next().ok_or("which protocol?")?.parse()?,
            port: args.next().ok_or("which port?")?.parse()?,
            subscribers: 100,
            ahead: 64,
            seconds: 1.0,
            warm_up: 0.2,
            server_pid: None,
            verify: false,
        };
        while let Some(arg) = args.next() {
            if arg == "--verify" {
                plan.verify = true;
                continue;
            }
            let value = args.next().ok_or_else(|| format!("{arg} wants a value"))?;
            match &*arg {
                "--subscribers" => plan.subscribers = value.parse()?,
                "--ahead" => plan.ahead = value.parse()?,
                "--seconds" => plan.seconds = value.parse()?,
                "--warm-up" => plan.warm_up = value.parse()?,
                "--server-pid" => plan.server_pid = Some(value.parse()?),
                _ => return Err(format!("what is {arg}?").into()),
            }
        }
        Ok(plan)
    }

    /// What the server's threads have had of the processor, in nanoseconds.
    fn server_cpu(&self) -> Outcome<Option<u64>> {
        let Some(pid) = self.server_pid else { return Ok(None) };
        let mut sum = 0;
        for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            sum += text.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
        }
        Ok(Some(sum))
    }
}

struct Load {
    queue: std::os::fd::OwnedFd,
    protocol: Protocol,
    publisher: TcpStream,
    /// Published and not taken by the socket yet.
    unsent: Vec<u8>,
    published: u64,
    subscribers: Vec<Subscriber>,
    /// How many subscribers have had so many messages, modulo its length.
    at: Vec<usize>,
    /// What all have had.
    had_by_all: u64,
    delivered: u64,
    ahead: u64,
    verify: bool,
    buffer: Vec<u8>,
}

struct Subscriber {
    stream: TcpStream,
    messages: u64,
    /// Bytes of the next message that have come.
    partial: usize,
}

impl Load {
    fn connect(plan: &Plan) -> Outcome<Load> {
        let Plan { protocol, ahead, verify, .. } = *plan;
        let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let watch = |stream: &TcpStream, key| -> io::Result<()> {
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let key = epoll::EventData::new_u64(key);
            Ok(epoll::add(&queue, stream, key, epoll::EventFlags::IN)?)
        };
        let mut subscribers = Vec::with_capacity(plan.subscribers);
        for key in 0..plan.subscribers {
            let stream = protocol.subscribe(TcpStream::connect(("127.0.0.1", plan.port))?)?;
            watch(&stream, key as u64)?;
            subscribers.push(Subscriber { stream, messages: 0, partial: 0 });
        }
        let publisher = protocol.publish(TcpStream::connect(("127.0.0.1", plan.port))?)?;
        watch(&publisher, PUBLISHER)?;
        let mut at = vec![0; usize::try_from(ahead)? + 1];
        at[0] = subscribers.len();
        Ok(Load {
            queue,
            protocol,
            publisher,
            unsent: Vec::new(),
            published: 0,
            subscribers,
            at,
            had_by_all: 0,
            delivered: 0,
            ahead,
            verify,
            buffer: vec![0; 256 * 1024],
        })
    }

    /// How many seconds it took.
    fn run(&mut self, seconds: f64) -> Outcome<f64> {
        let begin = Instant::now();
        let mut space = [MaybeUninit::uninit(); 256];
        let stall = Timespec::try_from(STALL)?;
        while begin.elapsed().as_secs_f64() < seconds {
            self.refill()?;
            let (events, _) = epoll::wait(&self.queue, &mut space, Some(&stall))?;
            if events.is_empty() {
                let waits = format!("{} published, {} had by all", self.published, self.had_by_all);
                return Err(format!("nothing was delivered for {STALL:?}: {waits}").into());
            }
            for event in events.iter() {
                match event.data.u64() {
                    PUBLISHER => self.hear_publisher()?,
                    key => self.receive(usize::try_from(key)?)?,
                }
            }
        }
        Ok(begin.elapsed().as_secs_f64())
    }

    /// Publishes what may be.
    fn refill(&mut self) -> Outcome<()> {
        while self.at[self.slot(self.had_by_all)] == 0 && self.had_by_all < self.published {
            self.had_by_all += 1;
        }
        while self.published < self.had_by_all + self.ahead {
            self.protocol.append_published(self.published, &mut self.unsent);
            self.published += 1;
        }
        if !self.unsent.is_empty() {
            match self.publisher.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn slot(&self, messages: u64) -> usize {
        usize::try_from(messages).unwrap_or(0) % self.at.len()
    }

    /// Replies to the publisher are of no interest, except that some must be answered.
    fn hear_publisher(&mut self) -> Outcome<()> {
        let bytes = self.publisher.read(&mut self.buffer)?;
        if bytes == 0 {
            return Err("the server has closed the publisher's connection".into());
        }
        self.unsent.extend_from_slice(self.protocol.answer(&self.buffer[..bytes]));
        Ok(())
    }

    fn receive(&mut self, key: usize) -> Outcome<()> {
        let bytes = match self.subscribers[key].stream.read(&mut self.buffer) {
            Ok(0) => return Err(format!("the server has closed subscriber {key}").into()),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut received = &self.buffer[..bytes];
        let one = &mut self.subscribers[key];
        if one.partial == 0 && self.protocol.is_ping(received) {
            one.stream.write_all(self.protocol.answer(received))?;
            received = &received[protocol::PING.len()..];
        }
        if self.verify {
            self.protocol.verify(one.messages, one.partial, received)?;
        }
        let size = self.protocol.delivered_bytes();
        let in_all = one.partial + received.len();
        let (messages, partial) = ((in_all / size) as u64, in_all % size);
        let before = one.messages;
        one.messages += messages;
        one.partial = partial;
        self.delivered += messages;
        let (from, to) = (self.slot(before), self.slot(before + messages));
        self.at[from] -= 1;
        self.at[to] += 1;
        Ok(())
    }
}

const _: () = assert!(BODY_BYTES >= 16, "a body begins with its number");
