//! The values of a frame's header and trailer fields, by name.

use alloc::vec::Vec;
use core::ops::Range;

use crate::engine::State;
use crate::engine::item::{Progress, Read, read};
use crate::engine::record::{Run, Value};
use crate::framing::{Shape, Stage};
use crate::record::{Item, Record};
use crate::{Decoder, LengthField};

/// The value of a header or trailer field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// An integer field. A negative one of a signed field that is not the length is given in two's
    /// complement.
    Integer(u64),
    /// Opaque bytes, the text of an `until` field (without its literal), a BER identifier.
    Bytes(&'a [u8]),
}

impl Decoder {
    /// The value of the field `name` of the frame that the last step gave. `bytes` are those given
    /// to that step.
    ///
    /// The length field is `len` unless it has another name; it is given as it lies on the wire. Of
    /// `header:NAME` the field NAME is the number that the header says.
    ///
    /// # Examples
    /// ```
    /// use switchboard_frame::{Decoder, Field, Framing, Step};
    ///
    /// let mut decoder = Decoder::new(&Framing::parse("len:u24le seq:1 deliver=body")?);
    /// let bytes = b"\x02\x00\x00\x07ok";
    /// let Step::Frame(frame) = decoder.step(bytes, false)? else { panic!() };
    /// assert_eq!(&bytes[frame.message], b"ok");
    /// assert_eq!(decoder.field("seq", bytes), Some(Field::Bytes(b"\x07")));
    /// assert_eq!(decoder.field("len", bytes), Some(Field::Integer(2)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn field<'b>(&self, name: &str, bytes: &'b [u8]) -> Option<Field<'b>> {
        match self.record() {
            Seen::Record(record, run) => {
                let index = record.items.iter().position(|item| item.name() == Some(name))?;
                field_at(record, index, run.value(index)?, bytes)
            }
            Seen::Fast(record) => {
                let index = record.items.iter().position(|item| item.name() == Some(name))?;
                field_at(record, index, read_again(record, index, bytes)?, bytes)
            }
            Seen::Header(header, length) if header.eq_ignore_ascii_case(name) => {
                length.map(|(length, _)| Field::Integer(length))
            }
            Seen::Header(..) | Seen::Nothing => None,
        }
    }

    /// The names of the fields of the frame that the last step gave, in wire order.
    #[must_use]
    pub fn field_names(&self) -> Vec<&str> {
        match self.record() {
            Seen::Record(record, _) | Seen::Fast(record) => {
                record.items.iter().filter_map(Item::name).collect()
            }
            Seen::Header(header, _) => alloc::vec![header],
            Seen::Nothing => Vec::new(),
        }
    }

    /// The part of the frame that the last step gave which says how long it is. `bytes` are those
    /// given to that step. `None` where no number does, or more than one: delimiters, `fixed:N`,
    /// `chunked`, `resp`.
    #[must_use]
    pub fn length_field(&self, bytes: &[u8]) -> Option<LengthField> {
        match self.record() {
            Seen::Record(record, run) => LengthField::of_record(record, |item| run.value(item)),
            Seen::Fast(record) => {
                LengthField::of_record(record, |item| read_again(record, item, bytes))
            }
            Seen::Header(_, length) => {
                length.map(|(length, at)| LengthField::of_header(at, length))
            }
            Seen::Nothing => None,
        }
    }

    /// Where the fields of the last frame are to be found.
    fn record(&self) -> Seen<'_> {
        let stage = &self.framing.stages[self.stage];
        if self.was_fast {
            return match &stage.shape {
                Shape::Record(record) => Seen::Fast(record),
                _ => Seen::Nothing,
            };
        }
        self.run.as_ref().map_or(Seen::Nothing, |run| seen(stage, &run.state))
    }
}

/// What the last frame was.
enum Seen<'a> {
    Record(&'a Record, &'a Run),
    /// By a fast form: it has noted nothing, so the header is read again.
    Fast(&'a Record),
    Header(&'a str, Option<(u64, Range<usize>)>),
    Nothing,
}

fn seen<'a>(stage: &'a Stage, state: &'a State) -> Seen<'a> {
    match (&stage.shape, state) {
        (Shape::Record(record), State::Record(run)) => Seen::Record(record, run),
        (Shape::Header(name), State::Header(run)) => Seen::Header(name, run.length_at()),
        (Shape::Type(cases), State::Type(run)) => {
            run.chosen().map_or(Seen::Nothing, |(case, inner)| seen(&cases[case].stage, inner))
        }
        _ => Seen::Nothing,
    }
}

/// Reads the header of a whole frame up to an item.
fn read_again(record: &Record, index: usize, bytes: &[u8]) -> Option<Value> {
    let mut start = 0;
    for (at, item) in record.items.iter().enumerate().take(index + 1) {
        let mut progress = Progress::default();
        let read = read(item, bytes.get(start..)?, &mut progress, true, &mut |_, _| false);
        let Read::Done(size) = read else { return None };
        let end = start + size;
        if at == index {
            return Some(Value { start, end, integer: progress.value });
        }
        start = end;
    }
    None
}

fn field_at<'b>(record: &Record, index: usize, value: Value, bytes: &'b [u8]) -> Option<Field<'b>> {
    let text = bytes.get(value.start..value.end)?;
    Some(match &record.items[index] {
        Item::Integer { .. } => Field::Integer(value.integer),
        Item::Until { literal, .. } => Field::Bytes(text.get(..text.len() - literal.len())?),
        _ => Field::Bytes(text),
    })
}
