//! F12: the length of a right message, written as it must not be.

use switchboard_frame::{Decoder, LengthField, LengthForm, Step};

use super::super::exchange::Request;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::wrong::{Reaction, reaction};

pub(super) static PROBE: Probe = Probe {
    id: "F12",
    name: "non-canonical",
    sends: "a message whose length is written otherwise: leading zeros, a sign, a blank, digits or \
            groups of bits that overflow 64 bits",
    right: "each is refused: nobody reads it otherwise than the one who stands before or behind",
    bug: "the language's own number parser takes signs, blanks and zeros, or the sum overflows",
    cure: "digits alone, no leading zero, and checked arithmetic at each of them",
    intrusive: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let (request, field) = patient.measured_request()?;
    let wrong: Vec<Vec<u8>> = forms(&request, &field)
        .into_iter()
        .map(|length| request.forged(&field, &length))
        // Not what this framing allows.
        .filter(|bytes| is_wrong(patient, bytes))
        .collect();
    if wrong.is_empty() {
        return Err(Finding::skipped("a length has no second way to be written"));
    }
    let mut waited = None;
    for bytes in &wrong {
        let mut link = patient.link()?;
        match reaction(patient, &mut link, bytes)? {
            Reaction::Rejects => {}
            Reaction::Takes(heard) => return Err(link.failed(heard)),
            Reaction::Waits(heard) => {
                waited = Some(link.failed(heard).as_weak());
            }
        }
    }
    waited.map_or(Ok(()), Err)
}

/// Whether the framing itself refuses it.
fn is_wrong(patient: &Patient, bytes: &[u8]) -> bool {
    !matches!(
        Decoder::new(patient.framing()).step(bytes, false),
        Ok(Step::Frame(_) | Step::Need(_))
    )
}

/// The same length in every way that may be wrong.
fn forms(request: &Request, field: &LengthField) -> Vec<Vec<u8>> {
    let written = &request.bytes[field.at()];
    match field.form() {
        LengthForm::DigitsUntil(base) => {
            let digits = written.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            let (digits, literal) = written.split_at(digits);
            let over = u128::from(field.length()) + (1 << 64);
            let over = if base == 16 { format!("{over:x}") } else { over.to_string() };
            let before = |text: &[u8]| [text, digits, literal].concat();
            vec![
                before(b"00"),
                before(b"+"),
                before(b" "),
                before(b"-"),
                [over.as_bytes(), literal].concat(),
            ]
        }
        // The first digit of the shorter numbers is a zero, whose place a sign can take.
        LengthForm::Digits(_) if written.first() == Some(&b'0') => {
            let with = |first: u8| [&[first], &written[1..]].concat();
            vec![with(b'+'), with(b' '), with(b'-')]
        }
        LengthForm::Uleb(bytes_max) => {
            let mut long: Vec<u8> = written.iter().map(|byte| byte | 0x80).collect();
            let shortly = [&long[..], &[0]].concat();
            long.resize(usize::from(bytes_max), 0x80);
            vec![shortly, [&long[..], &[0]].concat()]
        }
        LengthForm::Vlq(bytes_max) => {
            let before = |count: usize| [&vec![0x80; count][..], written].concat();
            vec![before(1), before(usize::from(bytes_max))]
        }
        _ => Vec::new(),
    }
}
