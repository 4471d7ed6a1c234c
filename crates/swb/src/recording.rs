//! What passed between clients and a server, kept in a file: every read as it came.
//!
//! ```text
//! swb recording 1 u32be        the format, and the framing that was given
//! 1 > 12031 0000000268         conversation, direction (> a client wrote it), microseconds since
//! 1 < 12544 000000036f6b21     the recording began, the bytes of one read in hex
//! 1 > 12600 finished           how a direction ended; 'over' is one that the other side ended
//! ```
//!
//! What passed is in the file before more is waited for, so that whoever ends the process ends a
//! recording that can be read. Text, so that it can be read, cut and compared with what there is on
//! every machine. What is written down was shown to nobody else first: a recording has secrets in
//! it if the traffic had.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use switchboard::{Ending, deadline};
use switchboard_frame::Role;

use crate::exit::Failure;
use crate::payload;

/// What the first line begins with.
const MAGIC: &str = "swb recording 1 ";

/// How a direction ends that the other side has ended.
const OVER: &str = "over";

/// The most bytes of all reads together that are read back: they are held in memory.
pub(crate) const RECORDED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Writes a recording.
pub(crate) struct Recorder {
    file: Mutex<BufWriter<File>>,
    path: String,
    began: Instant,
}

impl Recorder {
    /// A new file, which only this user may read.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub(crate) fn create(path: &Path, framing: &str) -> Result<Recorder, Failure> {
        use std::os::unix::fs::OpenOptionsExt;
        let shown = path.display().to_string();
        let failed = |error| Failure::usage(format_args!("cannot record to {shown}: {error}"));
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let mut file = BufWriter::new(file.map_err(failed)?);
        writeln!(file, "{MAGIC}{framing}").and_then(|()| file.flush()).map_err(failed)?;
        let path = shown.clone();
        Ok(Recorder { file: Mutex::new(file), path, began: deadline::now() })
    }

    /// What `writer` wrote, as it was read at once.
    ///
    /// # Errors
    /// It cannot be written down.
    pub(crate) fn read(&self, n: u64, writer: Role, bytes: &[u8]) -> Result<(), Failure> {
        let mut hex = String::new();
        payload::push_hex(&mut hex, bytes);
        self.line(n, writer, &hex)
    }

    /// How a direction ended.
    ///
    /// # Errors
    /// As for [`read`](Recorder::read).
    pub(crate) fn ended(&self, n: u64, writer: Role, ending: Ending) -> Result<(), Failure> {
        self.line(n, writer, ending.name())?;
        self.flush()
    }

    /// A direction that the other side ended.
    ///
    /// # Errors
    /// As for [`read`](Recorder::read).
    pub(crate) fn over(&self, n: u64, writer: Role) -> Result<(), Failure> {
        self.line(n, writer, OVER)?;
        self.flush()
    }

    /// Writes down what was not yet.
    ///
    /// # Errors
    /// As for [`read`](Recorder::read).
    pub(crate) fn flush(&self) -> Result<(), Failure> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.flush().map_err(|error| self.failed(&error))
    }

    fn line(&self, n: u64, writer: Role, what: &str) -> Result<(), Failure> {
        let arrow = if writer == Role::Client { '>' } else { '<' };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that times never go back.
        let micros = self.began.elapsed().as_micros();
        writeln!(file, "{n} {arrow} {micros} {what}").map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::usage(format_args!("cannot record to {}: {error}", self.path))
    }
}

/// A recording that was read back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recording {
    pub(crate) framing: String,
    /// In the order of their first events.
    pub(crate) conversations: Vec<Recorded>,
    /// The line in the middle of which it ends: what there is of it was left out.
    pub(crate) cut: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) n: u64,
    /// In the order in which they came.
    pub(crate) events: Vec<Event>,
}

impl Recorded {
    /// Whether the recording ends before it does.
    pub(crate) fn is_cut(&self) -> bool {
        let ends = self.events.iter().filter(|event| !matches!(event.what, What::Bytes(_)));
        ends.count() < 2
    }

    /// Whether what the server would have said next is not known: the recording ends before it
    /// does, or the client had it end.
    pub(crate) fn is_open(&self) -> bool {
        let reset = |event: &Event| event.writer == Role::Client && event.what == What::Broke;
        self.is_cut() || self.events.iter().any(reset)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) writer: Role,
    /// Since the recording began.
    pub(crate) at: Duration,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// One read.
    Bytes(Vec<u8>),
    /// The direction ended in order.
    Finished,
    /// It broke.
    Broke,
    /// The other side ended it.
    Over,
}

impl Recording {
    /// # Errors
    /// The file cannot be read, or is no recording: the line.
    pub(crate) fn open(path: &Path) -> Result<Recording, Failure> {
        let shown = path.display();
        let file = File::open(path)
            .map_err(|error| Failure::usage(format_args!("cannot read {shown}: {error}")))?;
        Recording::read(BufReader::new(file))
            .map_err(|why| Failure::usage(format_args!("{shown}: {why}")))
    }

    /// Where it ends in the middle of something, for who is to know; `None` where it does not.
    pub(crate) fn cut_text(&self) -> Option<String> {
        let middle = "the recording ends in the middle of";
        if let Some(line) = self.cut {
            return Some(format!("{middle} line {line}"));
        }
        let mut cut = self.conversations.iter().filter(|recorded| recorded.is_cut());
        let first = cut.next()?.n;
        Some(match cut.count() {
            0 => format!("{middle} conversation {first}"),
            more => format!("{middle} conversation {first} and of {more} more"),
        })
    }

    fn read(mut file: impl BufRead) -> Result<Recording, String> {
        let mut line = String::new();
        let mut next = |number: usize| {
            line.clear();
            file.read_line(&mut line).map_err(|error| format!("line {number}: {error}"))?;
            Ok::<_, String>(line.clone())
        };
        let first = next(1)?;
        let Some(framing) = first.strip_prefix(MAGIC).and_then(|it| it.strip_suffix('\n')) else {
            let told = format!("line 1: a recording begins with '{MAGIC}FRAMING'");
            return Err(if first.is_empty() { "it is empty".to_owned() } else { told });
        };
        let mut recording =
            Recording { framing: framing.to_owned(), conversations: Vec::new(), cut: None };
        let mut left = RECORDED_BYTES_MAX;
        for number in 2.. {
            let line = next(number)?;
            let Some(line) = line.strip_suffix('\n') else {
                recording.cut = (!line.is_empty()).then_some(number);
                break;
            };
            let (n, event) = event(line).map_err(|why| format!("line {number}: {why}"))?;
            if let What::Bytes(bytes) = &event.what {
                left = left.checked_sub(bytes.len()).ok_or_else(|| {
                    format!("line {number}: more than {RECORDED_BYTES_MAX} bytes are too many")
                })?;
            }
            let known = recording.conversations.iter_mut().rev().find(|it| it.n == n);
            match known {
                Some(recorded) => recorded.events.push(event),
                None => recording.conversations.push(Recorded { n, events: vec![event] }),
            }
        }
        Ok(recording)
    }
}

fn event(line: &str) -> Result<(u64, Event), String> {
    let wrong = || "a line is CONVERSATION, > or <, MICROSECONDS, and bytes in hex".to_owned();
    let words: Vec<&str> = line.split(' ').collect();
    let [n, arrow, micros, what] = words[..] else { return Err(wrong()) };
    let writer = match arrow {
        ">" => Role::Client,
        "<" => Role::Server,
        _ => return Err(wrong()),
    };
    let n = n.parse().map_err(|_| wrong())?;
    let at = Duration::from_micros(micros.parse().map_err(|_| wrong())?);
    let what = match what {
        "finished" => What::Finished,
        "reset" | "truncated" | "peer-dead" => What::Broke,
        OVER => What::Over,
        hex => What::Bytes(payload::unhex(hex.as_bytes())?),
    };
    Ok((n, Event { writer, at, what }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_read_back() {
        let text =
            "swb recording 1 u8\n1 > 5 0161\n2 > 6 02\n1 < 7 00\n1 > 8 finished\n2 < 9 reset\n";
        let recording = Recording::read(text.as_bytes()).unwrap();
        assert_eq!(recording.framing, "u8");
        let counts: Vec<_> = recording.conversations.iter().map(|it| it.events.len()).collect();
        assert_eq!(counts, [3, 2]);
        let first = &recording.conversations[0];
        assert_eq!((first.n, first.events[0].at), (1, Duration::from_micros(5)));
        assert_eq!(first.events[0].what, What::Bytes(vec![1, b'a']));
        assert_eq!(
            (first.events[1].writer, &first.events[2].what),
            (Role::Server, &What::Finished)
        );
        assert_eq!(recording.conversations[1].events[1].what, What::Broke);
    }

    #[test]
    fn where_it_is_cut_is_known() {
        for (text, expected) in [
            ("1 > 5 00\n1 > 6 finished\n1 < 7 finished\n", None),
            ("1 > 5 00\n1 > 6 reset\n1 < 7 over\n", None),
            ("1 > 5 00\n1 > 6 finished\n1 < 7 fini", Some("line 4")),
            ("1 > 5 00\n1 > 6 finished\n", Some("conversation 1")),
            ("1 > 5 00\n2 > 6 00\n3 > 7 00\n", Some("conversation 1 and of 2 more")),
        ] {
            let read = Recording::read(format!("swb recording 1 u8\n{text}").as_bytes()).unwrap();
            let expected = expected.map(|it| format!("the recording ends in the middle of {it}"));
            assert_eq!(read.cut_text(), expected);
            assert_eq!(read.conversations[0].events[0].what, What::Bytes(vec![0]));
        }
    }

    #[test]
    fn what_is_no_recording_names_its_line() {
        for (text, expected) in [
            ("", "it is empty"),
            ("swb recording 1 u8", "line 1: a recording begins with"),
            ("swb recording 2 u8\n", "line 1: a recording begins with"),
            ("swb recording 1 u8\n1 > 5\n", "line 2: a line is CONVERSATION"),
            ("swb recording 1 u8\n1 > 5 00\n1 = 5 00\n", "line 3: a line is CONVERSATION"),
            ("swb recording 1 u8\n1 > 5 0\n", "line 2: column 1: a hex digit without its pair"),
        ] {
            let told = Recording::read(text.as_bytes()).unwrap_err();
            assert!(told.starts_with(expected), "{text}: {told}");
        }
    }
}
