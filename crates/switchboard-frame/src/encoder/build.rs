//! Frames built around a body, one shape after the other.

use alloc::format;
use alloc::vec::Vec;

use super::fields::{Fields, Values};
use super::leaf::Leaf;
use super::record::{Plan, Writer};
use super::{EncodeError, number};
use crate::framing::{Delimiter, Shape};
use crate::record::{More, Record};

/// What was built.
pub(super) struct Built {
    /// How many frames.
    pub(super) frames: u32,
    /// It decodes to itself by the way it was built.
    pub(super) sure: bool,
}

/// Appends the frames that hold `body`.
pub(super) fn build(
    leaf: &Leaf<'_>,
    fields: &Fields,
    body: &[u8],
    tail: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<Built, EncodeError> {
    if let Shape::Delimited(delimiter) = leaf.shape {
        refuse_delimiter(delimiter, body)?;
    }
    if let Shape::Record(record) = leaf.shape {
        return build_record(leaf, record, fields, body, out);
    }
    let start = out.len();
    tail.clear();
    let sure = head(leaf, fields, body.len() as u64, tail, out)?;
    out.extend_from_slice(body);
    out.extend_from_slice(tail);
    limit_frame(leaf, (out.len() - start) as u64)?;
    Ok(Built { frames: 1, sure })
}

/// Appends what stands before a body of `len` bytes, and to `tail` what stands behind it. Says
/// whether that is right whatever the body holds.
pub(super) fn head(
    leaf: &Leaf<'_>,
    fields: &Fields,
    len: u64,
    tail: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<bool, EncodeError> {
    limit_body(leaf, len)?;
    if let Shape::Record(record) = leaf.shape {
        return head_record(leaf, record, fields, len, tail, out);
    }
    known_fields(leaf.shape, fields, len)?;
    out.extend_from_slice(&leaf.key);
    match leaf.shape {
        Shape::Raw | Shape::Eof if len == 0 && leaf.key.is_empty() => {
            return Err(EncodeError::new(
                "an empty message cannot be sent in raw or eof: it is no byte of the stream",
            ));
        }
        Shape::Fixed(bytes) if *bytes as u64 != len => {
            return Err(EncodeError::new(format!(
                "a message of {len} bytes where every one has {bytes}"
            )));
        }
        Shape::Raw | Shape::Eof | Shape::Fixed(_) => {}
        Shape::Delimited(delimiter) => {
            tail.extend_from_slice(end_of(delimiter));
            return Ok(false);
        }
        Shape::Header(name) => {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            number::put(out, len, 10);
            out.extend_from_slice(b"\r\n\r\n");
        }
        Shape::Chunked if len == 0 => out.extend_from_slice(b"0\r\n\r\n"),
        Shape::Chunked => {
            number::put(out, len, 16);
            out.extend_from_slice(b"\r\n");
            tail.extend_from_slice(b"\r\n");
        }
        Shape::Resp { .. } => return Ok(false),
        // The leaf is what stands behind every `type{}`, and a record has its own way.
        Shape::Type(_) | Shape::Record(_) => return Ok(false),
    }
    Ok(!leaf.chosen)
}

fn head_record(
    leaf: &Leaf<'_>,
    record: &Record,
    fields: &Fields,
    len: u64,
    tail: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<bool, EncodeError> {
    let writer = writer(leaf, record, fields)?;
    let Plan::Whole(raw) = writer.plan(len)? else {
        return Err(EncodeError::new(format!(
            "a body of {len} bytes takes several frames; send a part for each"
        )));
    };
    let start = out.len();
    writer.header(raw, out)?;
    writer.trailer(raw, tail)?;
    limit_frame(leaf, ((out.len() - start + tail.len()) as u64).saturating_add(len))?;
    Ok(record.length.is_some())
}

fn build_record(
    leaf: &Leaf<'_>,
    record: &Record,
    fields: &Fields,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<Built, EncodeError> {
    limit_body(leaf, body.len() as u64)?;
    let writer = writer(leaf, record, fields)?;
    let (mut rest, mut frames) = (body, 0);
    loop {
        let start = out.len();
        let plan = writer.plan(rest.len() as u64)?;
        let (raw, body_bytes) = match plan {
            Plan::Whole(raw) => (raw, rest.len()),
            Plan::Fragment { body_bytes, raw } => (Some(raw), body_bytes),
        };
        let (part, behind) = rest.split_at(body_bytes);
        out.reserve(part.len() + 64);
        writer.header(raw, out)?;
        out.extend_from_slice(part);
        writer.trailer(raw, out)?;
        limit_frame(leaf, (out.len() - start) as u64)?;
        rest = behind;
        frames += 1;
        if let Plan::Whole(_) = plan {
            return Ok(Built { frames, sure: is_sure(leaf, record) });
        }
    }
}

fn writer<'a>(
    leaf: &'a Leaf<'_>,
    record: &'a Record,
    fields: &'a Fields,
) -> Result<Writer<'a>, EncodeError> {
    let mut values = Values::resolve(record, fields)?;
    if let Some(More::LastFlag(flag)) = record.length.as_ref().map(|length| length.more) {
        values.set_flag(flag);
    }
    Ok(Writer { record, key: &leaf.key, values })
}

/// Whether the length and nothing else decides what is read, by the simplest of rules.
fn is_sure(leaf: &Leaf<'_>, record: &Record) -> bool {
    let plain = record.length.as_ref().is_some_and(|length| {
        length.mask == u64::MAX && length.short == 0 && length.more == More::Never
    });
    plain && !leaf.chosen && record.is_length_and_literals()
}

/// What ends a message that is sent.
fn end_of(delimiter: &Delimiter) -> &[u8] {
    match delimiter {
        Delimiter::Lines => b"\n",
        Delimiter::Literals(list) => list.first().map_or(b"", |first| first),
    }
}

/// A message that holds its own end, in words.
fn refuse_delimiter(delimiter: &Delimiter, body: &[u8]) -> Result<(), EncodeError> {
    match delimiter {
        Delimiter::Lines => {
            if let Some(at) = memchr::memchr(b'\n', body) {
                return Err(EncodeError::new(format!(
                    "a line cannot hold a line feed, there is one at byte {at} of the message"
                )));
            }
            if body.last() == Some(&b'\r') {
                return Err(EncodeError::new(format!(
                    "a line cannot end in a carriage return, there is one at byte {} of the \
                     message: it would be taken for a part of the line's end",
                    body.len() - 1
                )));
            }
        }
        Delimiter::Literals(list) => {
            for literal in list {
                if let Some(at) = memchr::memmem::find(body, literal) {
                    return Err(EncodeError::new(format!(
                        "the message holds the delimiter \"{}\" at byte {at}",
                        literal.escape_ascii()
                    )));
                }
            }
        }
    }
    Ok(())
}

/// The fields of a shape that is no record: none, but the number of `header:NAME`.
fn known_fields(shape: &Shape, fields: &Fields, len: u64) -> Result<(), EncodeError> {
    for name in fields.names() {
        let Shape::Header(header) = shape else {
            return Err(EncodeError::new(format!("no field {name:?}: this framing has no fields")));
        };
        if !header.eq_ignore_ascii_case(name) {
            return Err(EncodeError::new(format!("no field {name:?}: the fields are {header}")));
        }
        if !fields.says(name, len) {
            return Err(EncodeError::new(format!(
                "field {name}: another number was given than {len}, the bytes of the body; leave \
                 it away to have it computed"
            )));
        }
    }
    Ok(())
}

fn limit_body(leaf: &Leaf<'_>, len: u64) -> Result<(), EncodeError> {
    let limit = leaf.options.max();
    if len > limit && !matches!(leaf.shape, Shape::Raw) {
        return Err(EncodeError::new(format!(
            "a message of {len} bytes is over the limit of {limit}"
        )));
    }
    Ok(())
}

pub(super) fn limit_frame(leaf: &Leaf<'_>, len: u64) -> Result<(), EncodeError> {
    match leaf.options.maxframe {
        Some(limit) if len > limit && !matches!(leaf.shape, Shape::Raw) => {
            Err(EncodeError::new(format!("a frame of {len} bytes is over the limit of {limit}")))
        }
        _ => Ok(()),
    }
}
