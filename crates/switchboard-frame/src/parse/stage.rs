//! Stages and shapes: the tree of what is written, each part with its place.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::lexer::{Cursor, Fault, Parsed, number, shortened};
use super::options::Written;
use super::record::{self, RawItem};
use super::{TYPE_DEPTH_MAX, words};
use crate::Role;
use crate::framing::Delimiter;
use crate::presets::{self, Preset};

/// A stage as written.
#[derive(Clone, Debug)]
pub(crate) struct RawStage {
    pub(crate) at: usize,
    /// `N*`
    pub(crate) times: Option<u32>,
    pub(crate) shape: RawShape,
    pub(crate) options: Written,
}

#[derive(Clone, Debug)]
pub(crate) enum RawShape {
    Raw,
    Eof,
    Fixed(usize),
    Delimited(Delimiter),
    Header(Box<str>),
    Type(Vec<RawCase>),
    Resp { inline: bool },
    Chunked,
    Record(Vec<RawItem>),
}

#[derive(Clone, Debug)]
pub(crate) struct RawCase {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) stage: RawStage,
}

pub(crate) struct Parser<'a> {
    pub(crate) cursor: Cursor<'a>,
    role: Option<Role>,
    /// The text is a preset's own, in which no preset is looked up.
    within_preset: bool,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str, role: Option<Role>) -> Parser<'a> {
        Parser { cursor: Cursor::new(text, None), role, within_preset: false }
    }

    /// `stage { ";" stage }`
    pub(crate) fn stages(&mut self) -> Parsed<Vec<RawStage>> {
        let mut stages = Vec::new();
        loop {
            self.stage(0, false, &mut stages)?;
            match self.cursor.peek() {
                None => return Ok(stages),
                Some(';') => {
                    let at = self.cursor.at();
                    self.cursor.bump();
                    self.cursor.skip_blanks();
                    if self.cursor.peek().is_none() {
                        return Err(Fault::new(at, "no stage follows this `;`")
                            .hint("leave it out: the last stage applies for ever"));
                    }
                }
                Some(_) => return Err(self.stray()),
            }
        }
    }

    /// What stands where a stage should have ended.
    fn stray(&self) -> Fault {
        let at = self.cursor.at();
        match self.cursor.peek() {
            Some('}') => Fault::new(at, "this `}` closes nothing").hint("leave it out"),
            Some(',') => Fault::new(at, "this `,` follows no integer")
                .hint("a comma adds to an integer, such as u32be,self, or parts cases of type{}"),
            _ => Fault::new(at, format!("expected `;` or the end, found {}", self.cursor.found())),
        }
    }

    /// `[N*] shape {option}`: one stage, or those of a preset, are added to `stages`.
    fn stage(&mut self, depth: usize, in_case: bool, stages: &mut Vec<RawStage>) -> Parsed<()> {
        self.cursor.skip_blanks();
        let at = self.cursor.at();
        let times = self.times(in_case)?;
        self.cursor.skip_blanks();
        let before = stages.len();
        if let Some(preset) = self.preset_here() {
            self.expand(preset, at, times, stages)?;
        } else {
            let shape = self.shape(depth, in_case)?;
            stages.push(RawStage { at, times, shape, options: Written::default() });
        }
        let options = self.options()?;
        self.apply(&options, at, &mut stages[before..])?;
        if in_case && stages.len() - before > 1 {
            return Err(Fault::new(
                at,
                "a case of type{} holds one stage, this preset has several",
            )
            .hint("write the one stage that belongs to this case"));
        }
        Ok(())
    }

    /// Options written behind a preset replace its own, in each of its stages they can apply to.
    fn apply(&self, options: &Written, at: usize, stages: &mut [RawStage]) -> Parsed<()> {
        if let [stage] = stages {
            stage.options = options.or(&stage.options);
            return Ok(());
        }
        for (option_at, told) in options.each().into_iter().flatten() {
            if !stages.iter().any(|stage| super::resolve::can_apply(&stage.shape, told)) {
                return Err(Fault::new(option_at, format!("{told} applies to no stage of this")));
            }
        }
        let _ = at;
        for stage in stages {
            let fitting = super::resolve::only_applicable(options, &stage.shape);
            stage.options = fitting.or(&stage.options);
        }
        Ok(())
    }

    fn times(&mut self, in_case: bool) -> Parsed<Option<u32>> {
        let rest = self.cursor.rest();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let behind = rest[digits..].trim_start();
        if digits == 0 || !behind.starts_with('*') {
            return Ok(None);
        }
        let at = self.cursor.at();
        if in_case {
            return Err(Fault::new(at, "a case of type{} applies once each time it is chosen")
                .hint("leave the N* out"));
        }
        let times = number(at, &rest[..digits], "how often a stage applies")?;
        let times = u32::try_from(times)
            .map_err(|_| Fault::new(at, "a stage applies at most 4294967295 times"))?;
        if times == 0 {
            return Err(Fault::new(at, "a stage that applies 0 times is none")
                .hint("leave the stage out, or write how many frames it takes"));
        }
        self.cursor.advance(rest.len() - behind.len() + 1);
        Ok(Some(times))
    }

    /// The preset named here, if a name of one stands where a stage can.
    fn preset_here(&self) -> Option<presets::Side> {
        if self.within_preset {
            return None;
        }
        let (word, next) = self.cursor.peek_word_and_next();
        let ends = next.is_none_or(|c| c.is_ascii_whitespace() || matches!(c, ';' | ',' | '}'));
        if !ends || words::PLAIN_SHAPES.contains(&word) {
            return None;
        }
        presets::side(word)
    }

    fn expand(
        &mut self,
        side: presets::Side,
        at: usize,
        times: Option<u32>,
        stages: &mut Vec<RawStage>,
    ) -> Parsed<()> {
        let name = self.cursor.word();
        let preset: &Preset = side.preset;
        let text = match side.role.or(self.role) {
            Some(Role::Client) => preset.client,
            Some(Role::Server) => preset.server,
            None if preset.client == preset.server => preset.client,
            None => {
                return Err(Fault::new(at, format!("{name} has a framing for each direction"))
                    .hint(format!("say who writes: {name}-client or {name}-server")));
            }
        };
        let mut inner =
            Parser { cursor: Cursor::new(text, Some(at)), role: self.role, within_preset: true };
        let mut expanded = inner.stages()?;
        if times.is_some() && expanded.len() > 1 {
            return Err(Fault::new(
                at,
                format!("{name} has several stages and cannot be repeated"),
            )
            .hint("leave the N* out"));
        }
        if let (Some(times), [stage]) = (times, &mut expanded[..]) {
            stage.times = Some(times);
        }
        stages.append(&mut expanded);
        Ok(())
    }

    fn shape(&mut self, depth: usize, in_case: bool) -> Parsed<RawShape> {
        let at = self.cursor.at();
        let (word, next) = self.cursor.peek_word_and_next();
        match (word, next) {
            ("", None) => Err(Fault::new(at, "expected a framing, found nothing")
                .hint("write one such as u32be, lines, or the name of a preset")),
            (_, Some(':')) if words::COLON_SHAPES.contains(&word) => self.colon_shape(),
            ("type", Some('{')) => self.cases(depth),
            (_, Some(':')) => self.record(in_case),
            _ if words::PLAIN_SHAPES.contains(&word) => {
                self.cursor.word();
                Ok(plain_shape(word))
            }
            _ if words::COLON_SHAPES.contains(&word) => {
                let example = match word {
                    "fixed" => "fixed:8",
                    "delim" => "delim:\"\\n\"",
                    _ => "header:content-length",
                };
                Err(Fault::new(at, format!("{word} needs a colon and what follows it"))
                    .hint(format!("write for example {example}")))
            }
            _ if words::not_yet(word).is_some() => {
                let missing = words::not_yet(word).unwrap_or(word);
                Err(match missing == word {
                    true => Fault::new(at, format!("{word} is not there yet")),
                    false => {
                        Fault::new(at, format!("{word} needs {missing}, which is not there yet"))
                    }
                })
            }
            _ => self.record(in_case),
        }
    }

    fn colon_shape(&mut self) -> Parsed<RawShape> {
        let word = self.cursor.word();
        self.cursor.eat(':');
        let at = self.cursor.at();
        match word {
            "fixed" => {
                let bytes = number(at, self.cursor.value(), "the size of a frame")?;
                match usize::try_from(bytes) {
                    Ok(0) => Err(Fault::new(at, "a frame of 0 bytes never ends")
                        .hint("write how many bytes each message has: fixed:8")),
                    Ok(bytes) => Ok(RawShape::Fixed(bytes)),
                    Err(_) => Err(Fault::new(at, "a frame larger than memory")),
                }
            }
            "delim" => self.delimiters(),
            _ => {
                let rest = self.cursor.rest();
                let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                let end = rest.find(|c| !is_token(c)).unwrap_or(rest.len());
                self.cursor.advance(end);
                if end == 0 {
                    let found = self.cursor.found();
                    return Err(Fault::new(at, format!("expected a header's name, found {found}"))
                        .hint("write header:content-length"));
                }
                Ok(RawShape::Header(rest[..end].into()))
            }
        }
    }

    fn delimiters(&mut self) -> Parsed<RawShape> {
        let mut literals: Vec<Box<[u8]>> = Vec::new();
        loop {
            let at = self.cursor.at();
            let literal = self.cursor.literal()?.into_boxed_slice();
            if literals.contains(&literal) {
                return Err(
                    Fault::new(at, "this delimiter is given twice").hint("leave one of them")
                );
            }
            literals.push(literal);
            if !self.cursor.eat('|') {
                return Ok(RawShape::Delimited(Delimiter::Literals(literals)));
            }
        }
    }

    fn record(&mut self, in_case: bool) -> Parsed<RawShape> {
        let items = record::items(&mut self.cursor, in_case)?;
        if in_case
            && let [item] = &items[..]
            && let Some(bytes) = item.bare_number()
        {
            return Ok(RawShape::Fixed(bytes));
        }
        Ok(RawShape::Record(items))
    }

    /// `type{ LIT: stage, .. }`
    fn cases(&mut self, depth: usize) -> Parsed<RawShape> {
        let at = self.cursor.at();
        if depth >= TYPE_DEPTH_MAX {
            return Err(Fault::new(at, format!("type{{}} nests at most {TYPE_DEPTH_MAX} deep")));
        }
        self.cursor.word();
        self.cursor.eat('{');
        let mut cases: Vec<RawCase> = Vec::new();
        loop {
            self.cursor.skip_blanks();
            let key_at = self.cursor.at();
            let key = self.key(at, cases.is_empty())?;
            if cases.iter().any(|case| case.key == key) {
                return Err(Fault::new(key_at, "this key is given twice").hint("leave one of them"));
            }
            self.cursor.skip_blanks();
            if !self.cursor.eat(':') {
                let found = self.cursor.found();
                let fault = Fault::new(self.cursor.at(), format!("expected `:`, found {found}"));
                return Err(fault.hint("a case is a literal, a colon and a stage: \"+\": crlf"));
            }
            let mut stages = Vec::new();
            self.stage(depth + 1, true, &mut stages)?;
            cases.extend(stages.pop().map(|stage| RawCase { key, stage }));
            match self.cursor.peek() {
                Some(',') => self.cursor.eat(','),
                Some('}') => {
                    self.cursor.eat('}');
                    return Ok(RawShape::Type(cases));
                }
                Some(';') => {
                    return Err(Fault::new(self.cursor.at(), "a case of type{} holds one stage")
                        .hint("write the stages outside, or part the cases with a comma"));
                }
                None => return Err(Fault::new(at, "this type{ has no closing `}`").hint("add a }")),
                Some(_) => {
                    let found = self.cursor.found();
                    let message = format!("expected `,` or `}}`, found {found}");
                    return Err(Fault::new(self.cursor.at(), message));
                }
            };
        }
    }

    fn key(&mut self, type_at: usize, first: bool) -> Parsed<Option<Vec<u8>>> {
        if self.cursor.eat('*') {
            return Ok(None);
        }
        match self.cursor.peek() {
            None => Err(Fault::new(type_at, "this type{ has no closing `}`").hint("add a }")),
            Some('}') if first => Err(Fault::new(self.cursor.at(), "type{} without a case")
                .hint("write a literal, a colon and a stage: type{\"+\": crlf}")),
            Some('}') => Err(Fault::new(self.cursor.at(), "no case follows the comma")
                .hint("leave the comma out")),
            _ => self.cursor.literal().map(Some),
        }
    }

    /// `{option}`, up to where a stage ends.
    fn options(&mut self) -> Parsed<Written> {
        let mut options = Written::default();
        loop {
            self.cursor.skip_blanks();
            if matches!(self.cursor.peek(), None | Some(';' | ',' | '}')) {
                return Ok(options);
            }
            let (word, next) = self.cursor.peek_word_and_next();
            let at = self.cursor.at();
            if next == Some('=') && !word.is_empty() {
                if !self.cursor.is_after_blank() {
                    return Err(Fault::new(at, "a blank belongs before an option"));
                }
                options.option(&mut self.cursor)?;
            } else {
                let found = self.cursor.found();
                let hint = match options.first_at() {
                    Some(_) => String::from("items are written before the options"),
                    None => stray_hint(word, next),
                };
                return Err(Fault::new(at, format!("expected an option, found {found}")).hint(hint));
            }
        }
    }
}

fn stray_hint(word: &str, next: Option<char>) -> String {
    if words::OPTIONS.contains(&word) {
        return format!("write {word}= and its value");
    }
    if next == Some(':') || words::nearest_stage_word(word).is_some() {
        return "one shape makes a stage; the next stage is written after a `;`".into();
    }
    format!("the options are {}", words::OPTIONS.join("= ") + "=")
}

fn plain_shape(word: &str) -> RawShape {
    match word {
        "raw" => RawShape::Raw,
        "eof" => RawShape::Eof,
        "lines" => RawShape::Delimited(Delimiter::Lines),
        "crlf" => RawShape::Delimited(Delimiter::Literals(alloc::vec![Box::from(&b"\r\n"[..])])),
        "resp" => RawShape::Resp { inline: false },
        "resp-command" => RawShape::Resp { inline: true },
        _ => RawShape::Chunked,
    }
}

/// A name that stands for a field, checked by the caller to be followed by a colon.
pub(crate) fn field_name(at: usize, word: &str) -> Parsed<()> {
    if words::is_reserved(word) {
        return Err(Fault::new(
            at,
            format!("`{}` is a word of the grammar and names no field", shortened(word)),
        )
        .hint(format!("take another name, such as {}_", shortened(word))));
    }
    if !word.starts_with(|c: char| c.is_ascii_alphabetic()) || word.ends_with('-') {
        return Err(Fault::new(at, format!("`{}` is no name", shortened(word)))
            .hint("a name begins with a letter and goes on with letters, digits, _ and -"));
    }
    Ok(())
}
