//! A thread for each connection, BufReader and BufWriter of the standard library, flushed before a
//! read that would wait.

use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::thread;
use switchboard_peers::{Asked, Listener, Outcome};

/// Enough for what is done here, and a thousand of them.
const STACK_BYTES: usize = 128 * 1024;

fn main() -> Outcome {
    let asked = Asked::new();
    let lines = asked.framing == "lines";
    match asked.listen()? {
        Listener::Tcp(listener) => loop {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            start(
                move || if lines { by_line(&stream, &stream) } else { by_length(&stream, &stream) },
            )?;
        },
        Listener::Unix(listener) => loop {
            let (stream, _) = listener.accept()?;
            start(
                move || if lines { by_line(&stream, &stream) } else { by_length(&stream, &stream) },
            )?;
        },
    }
}

/// How one connection ends is of no interest here.
fn start(converse: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(converse)?;
    Ok(())
}

fn by_length(input: impl Read, output: impl Write) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let mut output = BufWriter::new(output);
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

fn by_line(input: impl Read, output: impl Write) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let mut output = BufWriter::new(output);
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
