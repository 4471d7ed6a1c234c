//! A thread for each connection, BufReader and BufWriter of the standard library, flushed before a
//! read that would wait. VARIANT is `default`, buffers as they are made, or `large`.

use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::thread;
use switchboard_peers::{Asked, Listener, Outcome};

/// What the standard library's own buffers have.
const DEFAULT_BYTES: usize = 8 * 1024;

/// As much as the floor reads at a time.
const LARGE_BYTES: usize = 64 * 1024;

/// Enough for what is done here, and a thousand of them.
const STACK_BYTES: usize = 128 * 1024;

fn main() -> Outcome {
    let asked = Asked::with_variant();
    let lines = asked.framing == "lines";
    let size = if asked.variant == "large" { LARGE_BYTES } else { DEFAULT_BYTES };
    match asked.listen()? {
        Listener::Tcp(listener) => loop {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            start(move || converse(&stream, &stream, size, lines))?;
        },
        Listener::Unix(listener) => loop {
            let (stream, _) = listener.accept()?;
            start(move || converse(&stream, &stream, size, lines))?;
        },
    }
}

/// How one connection ends is of no interest here.
fn start(converse: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(converse)?;
    Ok(())
}

fn converse(input: impl Read, output: impl Write, size: usize, lines: bool) -> io::Result<()> {
    let input = BufReader::with_capacity(size, input);
    let output = BufWriter::with_capacity(size, output);
    if lines { by_line(input, output) } else { by_length(input, output) }
}

fn by_length<R: Read>(mut input: BufReader<R>, mut output: impl Write) -> io::Result<()> {
    let mut message = Vec::new();
    loop {
        if input.buffer().is_empty() {
            output.flush()?;
        }
        let mut prefix = [0; 4];
        input.read_exact(&mut prefix)?;
        message.resize(u32::from_be_bytes(prefix) as usize, 0);
        input.read_exact(&mut message)?;
        output.write_all(&prefix)?;
        output.write_all(&message)?;
    }
}

fn by_line<R: Read>(mut input: BufReader<R>, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        if input.buffer().is_empty() {
            output.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        output.write_all(&line)?;
    }
}
