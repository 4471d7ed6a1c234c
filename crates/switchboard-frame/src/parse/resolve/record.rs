//! Resolves a record: finds the length field, gives names their indices, joins literals.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::{delimiter, told};
use crate::framing::Shape;
use crate::parse::check;
use crate::parse::length::{How, HowKind};
use crate::parse::lexer::{Fault, Parsed};
use crate::parse::record::{RawItem, RawKind};
use crate::parse::words;
use crate::record::{Counts, Flag, Integer, Item, Length, More, Record};

/// Whether these items are only a body and a literal behind it, which is a delimiter.
pub(super) fn is_delimiter(items: &[RawItem]) -> bool {
    match items {
        [body, literals @ ..] => {
            matches!(body.kind, RawKind::Body)
                && !literals.is_empty()
                && literals.iter().all(|item| matches!(item.kind, RawKind::Literal(_)))
        }
        [] => false,
    }
}

pub(super) fn shape(at: usize, raw: Vec<RawItem>) -> Parsed<Shape> {
    check_names(&raw)?;
    let body = body_index(&raw)?;
    let header_end = body.unwrap_or(raw.len());
    let length = length_index(&raw, header_end)?;
    if let Some(stray) = stray_how(&raw, length) {
        return Err(Fault::new(stray, "only the length field counts something")
            .hint("name the length field len, or leave this out"));
    }
    let (items, header_items, places) = join(&raw, header_end, length);
    resolve_padding_check(&raw, &items)?;
    let length = match length {
        Some(index) => Some(resolve_length(&raw, index, &items[..header_items], &places)?),
        None => {
            if !matches!(items.get(header_items), Some(Item::Literal(_))) {
                return Err(no_length(at, &raw, body));
            }
            None
        }
    };
    if length.is_none() && header_items == 0 && items.len() == 1 {
        if let Some(Item::Literal(literal)) = items.into_iter().next() {
            return Ok(delimiter(literal));
        }
        return Err(no_length(at, &raw, body));
    }
    let record = Record { items, header_items, length };
    check::record(at, &record, &raw)?;
    Ok(Shape::Record(record))
}

fn check_names(raw: &[RawItem]) -> Parsed<()> {
    for (index, item) in raw.iter().enumerate() {
        let Some(name) = &item.name else { continue };
        if raw[..index].iter().any(|other| other.name.as_ref() == Some(name)) {
            return Err(Fault::new(item.at, format!("the name {} is given twice", told(name)))
                .hint("give each field a name of its own"));
        }
        if &**name == "len" && !matches!(item.kind, RawKind::Integer { .. }) {
            return Err(Fault::new(item.at, "len is the length field, and that is an integer")
                .hint("write len:u32be, or take another name"));
        }
    }
    Ok(())
}

fn body_index(raw: &[RawItem]) -> Parsed<Option<usize>> {
    let mut bodies = raw.iter().enumerate().filter(|(_, i)| matches!(i.kind, RawKind::Body));
    let first = bodies.next().map(|(index, _)| index);
    match bodies.next() {
        None => Ok(first),
        Some((_, second)) => {
            Err(Fault::new(second.at, "a frame has one body").hint("leave one `body` out"))
        }
    }
}

/// The one named `len`, or the only integer without a name.
fn length_index(raw: &[RawItem], header_end: usize) -> Parsed<Option<usize>> {
    let is_integer = |item: &RawItem| matches!(item.kind, RawKind::Integer { .. });
    let named = raw.iter().position(|item| is_integer(item) && item.name.as_deref() == Some("len"));
    let mut unnamed =
        raw.iter().enumerate().filter(|(_, item)| is_integer(item) && item.name.is_none());
    let first = unnamed.next().map(|(index, _)| index);
    if named.is_none()
        && let Some((_, second)) = unnamed.next()
    {
        return Err(Fault::new(second.at, "two length fields: two integers without a name")
            .hint("name the length field len, and the other as you like"));
    }
    match named.or(first) {
        Some(index) if index >= header_end => {
            Err(Fault::new(raw[index].at, "the length field stands behind the body it measures")
                .hint("write it before `body`, or give this integer a name"))
        }
        index => Ok(index),
    }
}

fn stray_how(raw: &[RawItem], length: Option<usize>) -> Option<usize> {
    raw.iter().enumerate().find_map(|(index, item)| match &item.kind {
        RawKind::Integer { hows, .. } if length != Some(index) => hows.first().map(|how| how.at),
        _ => None,
    })
}

fn no_length(at: usize, raw: &[RawItem], body: Option<usize>) -> Fault {
    let integer = raw.iter().find(|item| matches!(item.kind, RawKind::Integer { .. }));
    if let Some(item) = integer {
        let name = item.name.as_deref().unwrap_or_default();
        return Fault::new(item.at, "no length field: this frame never ends")
            .hint(format!("name the integer that is the length len, not {}", told(name)));
    }
    match body.and_then(|body| raw.get(body)) {
        Some(body) => {
            Fault::new(body.at, "neither a length nor a literal behind it ends this body")
                .hint("write a length field such as u32be before it, or a literal right behind it")
        }
        None => Fault::new(at, "no length field and no literal trailer: this frame never ends")
            .hint("add a length field such as u32be, or `body` and the literal that ends it"),
    }
}

/// The items, neighbouring literals joined; how many are header; where each raw item went.
fn join(
    raw: &[RawItem],
    header_end: usize,
    length: Option<usize>,
) -> (Vec<Item>, usize, Vec<usize>) {
    let mut items: Vec<Item> = Vec::with_capacity(raw.len());
    let mut places = Vec::with_capacity(raw.len());
    let mut header_items = 0;
    for (index, item) in raw.iter().enumerate() {
        if index == header_end {
            header_items = items.len();
        }
        let name = item.name.clone();
        let joined = match &item.kind {
            RawKind::Body => None,
            RawKind::Literal(bytes) => {
                if items.len() > header_items
                    && let Some(Item::Literal(before)) = items.last_mut()
                {
                    let mut both = core::mem::take(before).into_vec();
                    both.extend_from_slice(bytes);
                    *before = both.into_boxed_slice();
                    None
                } else {
                    Some(Item::Literal(bytes.clone().into_boxed_slice()))
                }
            }
            RawKind::Opaque(bytes) => opaque(&mut items, header_items, name, *bytes),
            // An integer that nobody can name and that measures nothing is bytes like any other.
            RawKind::Integer { integer: Integer::Binary { bytes, .. }, .. }
                if name.is_none() && length != Some(index) =>
            {
                opaque(&mut items, header_items, None, usize::from(*bytes))
            }
            RawKind::Integer { integer, .. } => {
                let name = if length == Some(index) { Some(Box::from("len")) } else { name };
                Some(Item::Integer { name, kind: integer.clone() })
            }
            RawKind::Until(literal) => {
                Some(Item::Until { name, literal: literal.clone().into_boxed_slice() })
            }
            RawKind::BerTag => Some(Item::BerTag { name }),
            RawKind::Padding(field) => {
                // An unknown field is refused right after; the index is then never looked at.
                let item = raw[..index]
                    .iter()
                    .position(|other| raw_name(other, raw, length) == Some(field))
                    .and_then(|other| places.get(other).copied())
                    .unwrap_or(usize::MAX);
                Some(Item::Padding { item })
            }
        };
        items.extend(joined);
        places.push(items.len().saturating_sub(1));
    }
    if header_end == raw.len() {
        header_items = items.len();
    }
    (items, header_items, places)
}

/// Opaque bytes; those without a name are joined with such before them, on the same side of the
/// body.
fn opaque(
    items: &mut [Item],
    header_items: usize,
    name: Option<Box<str>>,
    bytes: usize,
) -> Option<Item> {
    if name.is_none()
        && items.len() > header_items
        && let Some(Item::Opaque { name: None, bytes: before }) = items.last_mut()
    {
        *before = before.saturating_add(bytes);
        return None;
    }
    Some(Item::Opaque { name, bytes })
}

/// The name of a raw item; the length field's is `len`.
fn raw_name<'a>(item: &'a RawItem, raw: &[RawItem], length: Option<usize>) -> Option<&'a str> {
    let is_length = length.is_some_and(|index| core::ptr::eq(&raw[index], item));
    if is_length { Some("len") } else { item.name.as_deref() }
}

fn resolve_padding_check(raw: &[RawItem], items: &[Item]) -> Parsed<()> {
    let mut paddings = raw.iter().filter_map(|item| match &item.kind {
        RawKind::Padding(name) => Some((item.at, name)),
        _ => None,
    });
    for item in items {
        let Item::Padding { item: index } = item else {
            continue;
        };
        let Some((at, name)) = paddings.next() else {
            continue;
        };
        let Some(field) = items.get(*index) else {
            return Err(unknown_field(at + 1, name, items));
        };
        check_number(at + 1, name, field)?;
    }
    Ok(())
}

/// A field whose value is used is an integer, or opaque bytes that fit in 64 bits.
fn check_number(at: usize, name: &str, field: &Item) -> Parsed<()> {
    match field {
        Item::Integer { .. } | Item::Opaque { bytes: ..=8, .. } => Ok(()),
        Item::Opaque { .. } => Err(Fault::new(at, format!("{} has more than 8 bytes", told(name)))
            .hint("a field used as a number has at most 64 bits")),
        _ => Err(Fault::new(at, format!("{} is text, not a number", told(name)))
            .hint("name an integer, or opaque bytes")),
    }
}

fn unknown_field(at: usize, name: &str, items: &[Item]) -> Fault {
    let names: Vec<&str> = items.iter().filter_map(Item::name).collect();
    let fault = Fault::new(at, format!("no field {} is before this one", told(name)));
    match words::nearest(name, names.iter().copied()) {
        Some(near) => fault.hint(format!("write {near}")),
        None if names.is_empty() => fault.hint("give a field a name: pad:1"),
        None => fault.hint(format!("the fields are {}", told(&names.join(", ")))),
    }
}

fn resolve_length(
    raw: &[RawItem],
    index: usize,
    header: &[Item],
    places: &[usize],
) -> Parsed<Length> {
    let RawKind::Integer { integer, hows } = &raw[index].kind else {
        return Err(Fault::new(raw[index].at, "the length field is an integer"));
    };
    let mut length = Length {
        item: places[index],
        counts: Counts::Body,
        mask: u64::MAX,
        short: 0,
        unit: 1,
        add: 0,
        add_items: Vec::new(),
        little_when: None,
        more: More::Never,
    };
    let mut seen: Vec<&'static str> = Vec::new();
    for how in hows {
        let kind = name_of(&how.kind);
        if seen.contains(&kind) && kind != "+N" {
            return Err(
                Fault::new(how.at, format!("{kind} is given twice")).hint("leave one of them")
            );
        }
        seen.push(kind);
        apply(&mut length, how, integer, header)?;
    }
    if length.mask == check::value_max(integer) {
        length.mask = u64::MAX;
    }
    length.add_items.sort_unstable();
    check::length(raw[index].at, hows, integer, &length)?;
    Ok(length)
}

/// How a `how` is told when it is given twice. Additions may be.
fn name_of(kind: &HowKind) -> &'static str {
    match kind {
        HowKind::Counts(_) => "what the length counts",
        HowKind::Add(_) | HowKind::AddField(_) => "+N",
        HowKind::Unit(_) => "the unit *N",
        HowKind::Mask(_) => "the mask &HEX",
        HowKind::LastBit(_) | HowKind::LastFlag(..) | HowKind::Continue(_) => "last= or cont=",
        HowKind::LittleWhen(..) => "le=",
        HowKind::Short(_) => "short=",
    }
}

fn apply(length: &mut Length, how: &How, integer: &Integer, header: &[Item]) -> Parsed<()> {
    let field = |name: &str, before: usize| {
        let at = how.at + before;
        let index = header.iter().position(|item| item.name() == Some(name));
        let index = index.ok_or_else(|| unknown_field(at, name, header))?;
        check_number(at, name, &header[index]).map(|()| index)
    };
    match &how.kind {
        HowKind::Counts(counts) => length.counts = *counts,
        HowKind::Add(n) => {
            let sum = length.add.checked_add(*n).filter(|sum| *sum != i64::MIN);
            length.add = sum.ok_or_else(|| {
                Fault::new(how.at, "these sums are beyond 64 bits").hint("write their sum")
            })?;
        }
        HowKind::AddField(name) => {
            let item = field(name, 1)?;
            if item == length.item {
                return Err(Fault::new(how.at, "the length is added to itself")
                    .hint("write *2 for twice the length"));
            }
            length.add_items.push(item);
        }
        HowKind::Unit(unit) => length.unit = *unit,
        HowKind::Mask(mask) => length.mask = *mask,
        HowKind::LastBit(bit) => length.more = More::LastBit(*bit),
        HowKind::LastFlag(name, mask) => {
            let item = field(name, 5)?;
            check::flag(how.at + 6 + name.len(), *mask, &header[item])?;
            length.more = match item == length.item {
                true => More::LastBit(*mask),
                false => More::LastFlag(Flag { item, mask: *mask }),
            };
        }
        HowKind::Continue(value) => length.more = More::ContinueValue(*value),
        HowKind::LittleWhen(name, mask) => {
            let item = field(name, 3)?;
            check::flag(how.at + 4 + name.len(), *mask, &header[item])?;
            let ordered = matches!(integer, Integer::Binary { bytes: 2.., little: false, .. });
            if item == length.item || !ordered {
                return Err(Fault::new(
                    how.at,
                    "le= chooses the byte order of a big-endian length by \
                                               another field",
                )
                .hint("write the length as u16be or wider"));
            }
            length.little_when = Some(Flag { item, mask: *mask });
        }
        HowKind::Short(n) => length.short = *n,
    }
    Ok(())
}
