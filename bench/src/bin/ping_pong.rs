//! One client and one message at a time, blocking: a `Conversation` against the read and write that
//! one would write by hand. Whoever answers is the same for both, a thread of this process that
//! sends back what it reads.
//!
//! VARIANT is `by-hand` or `conversation`. Prints one line of JSON after SECONDS, and is meant to
//! be pinned on one processor: then a round trip takes what both sides take together.

use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};
use switchboard::Conversation;
use switchboard_peers::{Outcome, say};

const BODY_BYTES: usize = 64;

/// So many round trips between two looks at the clock.
const BATCH: u64 = 256;

/// What the first round trips take is not counted.
const WARM_UP: Duration = Duration::from_millis(100);

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [variant, place, seconds] = words.as_slice() else {
        return Err("usage: ping_pong by-hand|conversation tcp|unix:PATH SECONDS".into());
    };
    let duration = Duration::from_secs_f64(seconds.parse()?);
    let endpoint = answer(place)?;
    let message = [b'x'; BODY_BYTES];
    match (variant.as_str(), place.strip_prefix("unix:")) {
        ("conversation", _) => {
            let mut conversation = Conversation::connect(&endpoint, "u32be")?;
            measure(duration, || Ok(conversation.request(&message)?.len()))
        }
        ("by-hand", None) => {
            let stream = TcpStream::connect(&endpoint)?;
            stream.set_nodelay(true)?;
            by_hand(duration, stream, &message)
        }
        ("by-hand", Some(path)) => by_hand(duration, UnixStream::connect(path)?, &message),
        (other, _) => Err(format!("there is no {other}").into()),
    }
}

/// Starts who answers; gives the endpoint.
fn answer(place: &str) -> Result<String, Box<dyn Error>> {
    match place.strip_prefix("unix:") {
        Some(path) => {
            let listener = UnixListener::bind(path)?;
            thread::spawn(move || listener.accept().map(|(stream, _)| echo(stream)));
            Ok(place.to_owned())
        }
        None => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let endpoint = listener.local_addr()?.to_string();
            thread::spawn(move || {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                echo(stream);
                std::io::Result::Ok(())
            });
            Ok(endpoint)
        }
    }
}

fn echo(mut stream: impl Read + Write) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

fn by_hand(duration: Duration, mut stream: impl Read + Write, message: &[u8]) -> Outcome {
    let mut frame = (message.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(message);
    let mut buffer = [0; 4096];
    let mut filled = 0;
    measure(duration, || {
        stream.write_all(&frame)?;
        loop {
            filled += match stream.read(&mut buffer[filled..])? {
                0 => return Err("the stream has ended".into()),
                count => count,
            };
            if let Some((prefix, rest)) = buffer[..filled].split_first_chunk::<4>() {
                let size = u32::from_be_bytes(*prefix) as usize;
                if rest.len() >= size {
                    buffer.copy_within(4 + size..filled, 0);
                    filled -= 4 + size;
                    return Ok(size);
                }
            }
        }
    })
}

fn measure(
    duration: Duration,
    mut round_trip: impl FnMut() -> Result<usize, Box<dyn Error>>,
) -> Outcome {
    let mut run = |duration: Duration| -> Result<(u64, Duration, Duration), Box<dyn Error>> {
        let (start, cpu) = (Instant::now(), own_cpu());
        let mut round_trips = 0;
        while start.elapsed() < duration {
            for _ in 0..BATCH {
                if round_trip()? != BODY_BYTES {
                    return Err("a reply of another size".into());
                }
            }
            round_trips += BATCH;
        }
        Ok((round_trips, start.elapsed(), own_cpu() - cpu))
    };
    run(WARM_UP)?;
    let (round_trips, elapsed, cpu) = run(duration)?;
    let each = |time: Duration| time.as_nanos() as f64 / round_trips as f64;
    say(&format!(
        "{{\"round_trips\":{round_trips},\"ns\":{:.1},\"client_cpu_ns\":{:.1}}}",
        each(elapsed),
        each(cpu)
    ))?;
    Ok(())
}

/// What this thread has had of the processor.
fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
