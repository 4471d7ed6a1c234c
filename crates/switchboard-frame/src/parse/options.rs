//! Options: what is written behind a shape.

use alloc::format;
use alloc::string::String;

use super::lexer::{Cursor, Fault, Parsed, number, shortened, size};
use super::words;
use crate::framing::Deliver;

/// A value and the place it was written at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<T> {
    pub(crate) at: usize,
    pub(crate) value: T,
}

/// Options as written: `None` is "not written", unlike an option written with its default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) max: Option<Said<u64>>,
    pub(crate) maxframe: Option<Said<u64>>,
    pub(crate) discard: Option<Said<bool>>,
    pub(crate) deliver: Option<Said<Deliver>>,
    /// `strip=no`, which says `deliver=frame` of delimited shapes and nothing of others.
    pub(crate) strip_no: Option<Said<()>>,
    pub(crate) eof_deliver: Option<Said<bool>>,
    pub(crate) leading_zeros: Option<Said<()>>,
}

impl Written {
    /// Reads `NAME=VALUE`; the cursor is at NAME.
    pub(crate) fn option(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        let at = cursor.at();
        let name = cursor.word();
        if !words::OPTIONS.contains(&name) {
            let near = words::nearest(name, words::OPTIONS);
            let hint = match near {
                Some(near) => format!("write {near}="),
                None => format!("the options are {}", words::OPTIONS.join("= ") + "="),
            };
            return Err(Fault::new(at, format!("`{}` is no option", shortened(name))).hint(hint));
        }
        cursor.eat('=');
        let value_at = cursor.at();
        let value = cursor.value();
        let choice = |choices: &[&'static str]| choose(value_at, name, value, choices);
        match name {
            "max" => put(&mut self.max, at, name, size(value_at, value, "max")?),
            "maxframe" => put(&mut self.maxframe, at, name, size(value_at, value, "maxframe")?),
            "oversize" => {
                let discard = choice(&["fail", "discard"])? == 1;
                put(&mut self.discard, at, name, discard)
            }
            "deliver" => {
                let deliver = deliver(value_at, value)?;
                not_with(self.strip_no, at, "deliver=", "strip=no")?;
                put(&mut self.deliver, at, name, deliver)
            }
            "eof" => {
                let deliver = choice(&["error", "deliver"])? == 1;
                put(&mut self.eof_deliver, at, name, deliver)
            }
            "strip" => {
                choice(&["no"])?;
                not_with(self.deliver, at, "strip=no", "deliver=")?;
                put(&mut self.strip_no, at, name, ())
            }
            _ => {
                choice(&["yes"])?;
                put(&mut self.leading_zeros, at, name, ())
            }
        }
    }

    /// These options, and what `outer` says where they say nothing.
    pub(crate) fn or(&self, outer: &Written) -> Written {
        let says_what = self.deliver.is_some() || self.strip_no.is_some();
        Written {
            max: self.max.or(outer.max),
            maxframe: self.maxframe.or(outer.maxframe),
            discard: self.discard.or(outer.discard),
            deliver: self.deliver.or(outer.deliver.filter(|_| !says_what)),
            strip_no: self.strip_no.or(outer.strip_no.filter(|_| !says_what)),
            eof_deliver: self.eof_deliver.or(outer.eof_deliver),
            leading_zeros: self.leading_zeros.or(outer.leading_zeros),
        }
    }

    /// Where the first of these options is written, if any is.
    pub(crate) fn first_at(&self) -> Option<usize> {
        self.each().into_iter().flatten().map(|(at, _)| at).min()
    }

    /// Every option that is written: its place and how it is told.
    pub(crate) fn each(&self) -> [Option<(usize, &'static str)>; 7] {
        [
            self.max.map(|said| (said.at, "max=")),
            self.maxframe.map(|said| (said.at, "maxframe=")),
            self.discard.map(|said| (said.at, "oversize=")),
            self.deliver.map(|said| (said.at, "deliver=")),
            self.strip_no.map(|said| (said.at, "strip=no")),
            self.eof_deliver.map(|said| (said.at, "eof=")),
            self.leading_zeros.map(|said| (said.at, "leading-zeros=yes")),
        ]
    }
}

fn put<T>(slot: &mut Option<Said<T>>, at: usize, name: &str, value: T) -> Parsed<()> {
    if slot.is_some() {
        return Err(Fault::new(at, format!("{name}= is given twice")).hint("leave one of them"));
    }
    *slot = Some(Said { at, value });
    Ok(())
}

fn not_with<T>(other: Option<Said<T>>, at: usize, this: &str, that: &str) -> Parsed<()> {
    match other {
        None => Ok(()),
        Some(_) => Err(Fault::new(at, format!("{this} and {that} say the same thing"))
            .hint("leave one of them: strip=no is deliver=frame")),
    }
}

/// Which of the `choices` was written.
fn choose(at: usize, name: &str, value: &str, choices: &[&'static str]) -> Parsed<usize> {
    if let Some(index) = choices.iter().position(|choice| *choice == value) {
        return Ok(index);
    }
    let hint: String = match words::nearest(value, choices.iter().copied()) {
        Some(near) => format!("write {name}={near}"),
        None if choices.len() == 1 => format!("write {name}={}, or leave it out", choices[0]),
        None => format!("write {name}={}", choices.join(&format!(" or {name}="))),
    };
    Err(Fault::new(at, format!("{name}= cannot be {}", quoted(value))).hint(hint))
}

fn quoted(value: &str) -> String {
    if value.is_empty() { String::from("empty") } else { format!("`{}`", shortened(value)) }
}

fn deliver(at: usize, value: &str) -> Parsed<Deliver> {
    match value {
        "body" => Ok(Deliver::Body),
        "frame" => Ok(Deliver::Frame),
        "nopad" => Ok(Deliver::NoPad),
        _ if value.starts_with(|c: char| c.is_ascii_digit()) => {
            let bytes = number(at, value, "how many bytes are dropped")?;
            match usize::try_from(bytes) {
                Ok(0) => Ok(Deliver::Frame),
                Ok(bytes) => Ok(Deliver::Without(bytes)),
                Err(_) => Err(Fault::new(at, "more bytes than any frame has")),
            }
        }
        _ => {
            let near = words::nearest(value, ["body", "frame", "nopad"]);
            let hint = match near {
                Some(near) => format!("write deliver={near}"),
                None => "write deliver=body, deliver=frame, deliver=nopad, or deliver=4 to drop \
                         the first 4 bytes"
                    .into(),
            };
            Err(Fault::new(at, format!("deliver= cannot be {}", quoted(value))).hint(hint))
        }
    }
}
