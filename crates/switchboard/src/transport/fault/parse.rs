//! Faults as people write them, read: `NAME(args)@DIRECTION TRIGGER ..`.
//!
//! Every refusal has the column of what it is about. What each fault takes is said in `kind` and
//! nowhere else.

use super::values::*;
use super::what::{Cut, Direction, Fault, FaultError, Kind, Matcher, Pattern, Trigger};
use crate::limits;
use std::time::Duration;

type Parsed<T> = Result<T, FaultError>;

type Compile<'a> = &'a dyn Fn(&str) -> Result<Matcher, String>;

/// The names of all faults, for who has written another.
const NAMES: &str = "split, coalesce, glue, delay, stall, drip, rate, slow-accept, reset, fin, \
    half-close, slow-close, swallow-fin, rst-for-fin, blackhole, deaf, dead, heal, flip, truncate, \
    length, garbage, delimiter-inject, drop, dup, reorder, replace, inject, refuse, \
    accept-then-close, limit-bytes, limit-conns, flap";

/// Reads a whole fault.
pub(super) fn fault(text: &str, compile: Compile<'_>) -> Parsed<Fault> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.blanks();
    let (name, column) = (cursor.word(), cursor.column());
    let column = column - name.chars().count();
    let mut args = Args::read(&mut cursor, name)?;
    let kind = kind(name, column, &mut args)?;
    args.all_used()?;
    let direction = direction(&mut cursor)?;
    let mut triggers: Vec<Trigger> = Vec::new();
    while cursor.separated()? {
        let column = cursor.column();
        let trigger = trigger(&mut cursor, compile)?;
        let same = |other: &Trigger| {
            std::mem::discriminant(other) == std::mem::discriminant(&trigger)
                && !matches!(trigger, Trigger::Match(_))
        };
        if triggers.iter().any(same) {
            return Err(refuse(column, "a trigger of this kind stands here already"));
        }
        triggers.push(trigger);
    }
    Ok(Fault { kind, direction, triggers })
}

/// What takes no arguments.
fn plain(name: &str) -> Option<Kind> {
    Some(match name {
        "reset" => Kind::Reset,
        "fin" => Kind::Fin,
        "half-close" => Kind::HalfClose,
        "swallow-fin" => Kind::SwallowFin,
        "rst-for-fin" => Kind::RstForFin,
        "blackhole" => Kind::Blackhole,
        "deaf" => Kind::Deaf,
        "dead" => Kind::Dead,
        "delimiter-inject" => Kind::DelimiterInject,
        "drop" => Kind::Drop,
        "refuse" => Kind::Refuse,
        _ => return None,
    })
}

/// What each other fault takes.
fn kind(name: &str, column: usize, args: &mut Args<'_>) -> Parsed<Kind> {
    if let Some(kind) = plain(name) {
        return Ok(kind);
    }
    Ok(match name {
        "split" => Kind::Split { cut: cut(args)?, gap: args.time("gap", limits::FAULT_GAP)? },
        "coalesce" => {
            let messages = args.maybe("n", None, at_least_one)?;
            let bytes = args.maybe("bytes", None, size)?;
            let within = args.time("within", limits::FAULT_GATHER_TIME)?;
            Kind::Coalesce { messages, bytes, within }
        }
        "glue" => {
            let hundredths = args.need("messages", 0, "1.5", hundredths)?;
            let within = args.time("within", limits::FAULT_GATHER_TIME)?;
            Kind::Glue { hundredths, within, gap: args.time("gap", limits::FAULT_GAP)? }
        }
        "delay" => {
            let time = args.need("time", 0, "50ms", time)?;
            Kind::Delay { time, jitter: args.time("jitter", Duration::ZERO)? }
        }
        "stall" => Kind::Stall { time: args.need("for", 0, "1s", time)? },
        "drip" => Kind::Drip { bytes_per_second: args.need("bytes", 0, "10", at_least_one)? },
        "rate" => {
            let bits_per_second = args.need("bps", 0, "64000", rate)?;
            let burst = args.maybe("burst", Some(1), size)?;
            Kind::Rate { bits_per_second, burst: burst.unwrap_or(limits::FAULT_BURST_BYTES) }
        }
        "slow-accept" => Kind::SlowAccept { time: args.need("time", 0, "1s", time)? },
        "slow-close" => Kind::SlowClose { time: args.need("time", 0, "1s", time)? },
        "heal" => Kind::Heal { after: args.need("after", 0, "5s", time)? },
        "flip" => Kind::Flip { bits: args.maybe("bits", Some(0), bits)?.unwrap_or(1) },
        "truncate" => {
            Kind::Truncate { bytes: args.maybe("bytes", Some(0), at_least_one)?.unwrap_or(1) }
        }
        "length" => Kind::Length { change: args.need("change", 0, "+1", length)? },
        "garbage" => {
            let bytes = args.maybe("bytes", Some(0), piece)?;
            Kind::Garbage { bytes: bytes.unwrap_or(limits::FAULT_GARBAGE_BYTES) }
        }
        "dup" => Kind::Dup { times: args.maybe("times", Some(0), copies)?.unwrap_or(1) },
        "reorder" => {
            let window = args.maybe("window", Some(0), window)?.unwrap_or(2);
            Kind::Reorder { window, within: args.time("within", limits::FAULT_GATHER_TIME)? }
        }
        "replace" => Kind::Replace { file: args.need("file", 0, "reply.bin", path)? },
        "inject" => Kind::Inject { file: args.need("file", 0, "reply.bin", path)? },
        "accept-then-close" => {
            let after = args.maybe("after", Some(0), time)?;
            Kind::AcceptThenClose { after: after.unwrap_or_default() }
        }
        "limit-bytes" => Kind::LimitBytes { bytes: args.need("bytes", 0, "4096", size)? },
        "limit-conns" => Kind::LimitConns { count: args.need("count", 0, "10", number)? },
        "flap" => Kind::Flap {
            up: args.need("up", 0, "5s", some_time)?,
            down: args.need("down", 1, "1s", some_time)?,
        },
        "" => return Err(refuse(column, format!("a fault's name belongs here: {NAMES}"))),
        other => {
            return Err(refuse(column, format!("there is no fault '{other}'; there are {NAMES}")));
        }
    })
}

fn cut(args: &mut Args<'_>) -> Parsed<Cut> {
    let every = args.maybe("every", None, at_least_one)?;
    let at = args.maybe("at", None, at_least_one)?;
    let field = args.flag("field");
    match (every, at, field) {
        (Some(bytes), None, false) => Ok(Cut::Every(bytes)),
        (None, Some(bytes), false) => Ok(Cut::At(bytes)),
        (None, None, true) => Ok(Cut::Field),
        (None, None, false) => {
            Err(args.missing("where to cut: split(every=1), split(at=2) or split(field)"))
        }
        _ => Err(args.missing("one place to cut: every=, at= or field")),
    }
}

fn direction(cursor: &mut Cursor<'_>) -> Parsed<Direction> {
    if !cursor.eat('@') {
        return Ok(Direction::Both);
    }
    let column = cursor.column();
    match cursor.word() {
        "c2s" => Ok(Direction::ClientToServer),
        "s2c" => Ok(Direction::ServerToClient),
        "both" => Ok(Direction::Both),
        other => Err(refuse(
            column,
            format!("there is no direction '{other}'; there are c2s, s2c and both"),
        )),
    }
}

fn trigger(cursor: &mut Cursor<'_>, compile: Compile<'_>) -> Parsed<Trigger> {
    let column = cursor.column();
    let name = cursor.word();
    if !cursor.eat(':') {
        return Err(refuse(
            column,
            "a trigger belongs here: msg:7, msg:3+2B, byte:1024, after:5s, first:2, every:10, \
             p:0.01, match:/re/, conn:3",
        ));
    }
    let value_column = cursor.column();
    if name == "match" {
        return pattern(cursor, compile);
    }
    let value = cursor.value();
    let wrong = |text: String| refuse(value_column, text);
    Ok(match name {
        "msg" => message(value).map_err(wrong)?,
        "byte" => Trigger::Byte(size(value).map_err(wrong)?),
        "after" => Trigger::After(time(value).map_err(wrong)?),
        "first" => Trigger::First(at_least_one(value).map_err(wrong)?),
        "every" => Trigger::Every(at_least_one(value).map_err(wrong)?),
        "p" => Trigger::Chance(probability(value).map_err(wrong)?),
        "conn" => Trigger::Conversation(at_least_one(value).map_err(wrong)?),
        other => {
            return Err(refuse(
                column,
                format!(
                    "there is no trigger '{other}'; there are msg, byte, after, first, every, p, \
                     match and conn"
                ),
            ));
        }
    })
}

/// `/re/`, in which `\/` is a slash.
fn pattern(cursor: &mut Cursor<'_>, compile: Compile<'_>) -> Parsed<Trigger> {
    let column = cursor.column();
    if !cursor.eat('/') {
        return Err(refuse(column, "a pattern stands between slashes: match:/re/"));
    }
    let mut text = String::new();
    loop {
        match cursor.next() {
            None => return Err(refuse(column, "the pattern has no second slash")),
            Some('/') => break,
            Some('\\') if cursor.eat('/') => text.push('/'),
            Some(c @ '\\') => {
                text.push(c);
                text.extend(cursor.next());
            }
            Some(c) => text.push(c),
        }
    }
    let matcher = compile(&text).map_err(|why| refuse(column, format!("no pattern: {why}")))?;
    Ok(Trigger::Match(Pattern::new(text, matcher)))
}

/// What stands in the brackets, in the order in which it does.
struct Args<'a> {
    fault: &'a str,
    column: usize,
    list: Vec<Arg<'a>>,
    taken: Vec<&'static str>,
}

struct Arg<'a> {
    column: usize,
    /// `None`: told by its place.
    name: Option<&'a str>,
    value: &'a str,
    used: bool,
}

impl<'a> Args<'a> {
    fn read(cursor: &mut Cursor<'a>, fault: &'a str) -> Parsed<Args<'a>> {
        let mut args = Args { fault, column: cursor.column(), list: Vec::new(), taken: Vec::new() };
        if !cursor.eat('(') {
            return Ok(args);
        }
        loop {
            cursor.blanks();
            if cursor.eat(')') {
                return Ok(args);
            }
            let column = cursor.column();
            let start = cursor.at;
            let name = Some(cursor.word()).filter(|word| !word.is_empty() && cursor.eat('='));
            if name.is_none() {
                cursor.at = start;
            }
            let value_column = cursor.column();
            let value = cursor.argument();
            if value.is_empty() {
                return Err(refuse(value_column, "an argument belongs here"));
            }
            let column = if name.is_some() { value_column } else { column };
            args.list.push(Arg { column, name, value, used: false });
            cursor.blanks();
            if cursor.peek() != Some(')') && !cursor.eat(',') {
                return Err(refuse(cursor.column(), "a comma or ')' belongs here"));
            }
        }
    }

    /// The argument `name`, or the one at `place` without a name.
    fn maybe<T>(
        &mut self,
        name: &'static str,
        place: Option<usize>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Parsed<Option<T>> {
        self.taken.push(name);
        let named = self.list.iter().position(|arg| arg.name == Some(name));
        let placed = || place.filter(|at| self.list.get(*at).is_some_and(|a| a.name.is_none()));
        let Some(at) = named.or_else(placed) else { return Ok(None) };
        let arg = &mut self.list[at];
        arg.used = true;
        read(arg.value).map(Some).map_err(|why| refuse(arg.column, why))
    }

    fn need<T>(
        &mut self,
        name: &'static str,
        place: usize,
        example: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Parsed<T> {
        match self.maybe(name, Some(place), read)? {
            Some(value) => Ok(value),
            None => Err(self.missing(&format!("{name}, say {}({name}={example})", self.fault))),
        }
    }

    fn time(&mut self, name: &'static str, unless: Duration) -> Parsed<Duration> {
        Ok(self.maybe(name, None, time)?.unwrap_or(unless))
    }

    /// A word that stands there or does not.
    fn flag(&mut self, name: &'static str) -> bool {
        self.taken.push(name);
        let found = self.list.iter_mut().find(|arg| arg.name.is_none() && arg.value == name);
        found.map(|arg| arg.used = true).is_some()
    }

    fn missing(&self, what: &str) -> FaultError {
        refuse(self.column, format!("{} needs {what}", self.fault))
    }

    fn all_used(&self) -> Parsed<()> {
        let Some(unused) = self.list.iter().find(|arg| !arg.used) else { return Ok(()) };
        let what = unused.name.unwrap_or(unused.value);
        let takes = match self.taken[..] {
            [] => "it takes none".to_owned(),
            _ => format!("it takes {}", self.taken.join(", ")),
        };
        let text = format!("{} has no argument '{what}': {takes}", self.fault);
        Err(refuse(unused.column, text))
    }
}

/// A place in the text.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn column(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn blanks(&mut self) {
        self.take_while(|c| c.is_ascii_whitespace());
    }

    fn word(&mut self) -> &'a str {
        self.take_while(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    }

    /// Up to a blank.
    fn value(&mut self) -> &'a str {
        self.take_while(|c| !c.is_ascii_whitespace())
    }

    /// Up to a comma or a bracket; between quotes whatever there is.
    fn argument(&mut self) -> &'a str {
        if self.peek() == Some('"')
            && let Some(end) = self.text[self.at + 1..].find('"')
        {
            let value = &self.text[self.at + 1..self.at + 1 + end];
            self.at += end + 2;
            return value;
        }
        self.take_while(|c| c != ',' && c != ')').trim_end()
    }

    /// Goes over the blanks before the next word; whether there is one.
    fn separated(&mut self) -> Parsed<bool> {
        let before = self.at;
        self.blanks();
        match self.peek() {
            None => Ok(false),
            Some(_) if self.at > before => Ok(true),
            Some(_) => Err(refuse(self.column(), "'@DIRECTION' or a blank belongs here")),
        }
    }
}

fn refuse(column: usize, message: impl Into<String>) -> FaultError {
    FaultError { column, message: message.into() }
}

#[cfg(test)]
mod tests;
