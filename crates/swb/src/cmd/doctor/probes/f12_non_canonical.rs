//! F12: the length of a right message, written as it must not be.

use switchboard_frame::{Decoder, Framing, LengthField, LengthForm};

use super::super::exchange::Request;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::wrong::{Reaction, reaction};

pub(super) static PROBE: Probe = Probe {
    id: "F12",
    name: "non-canonical",
    sends: "a message whose length is written otherwise: leading zeros, a sign, a blank, digits or \
            groups of bits that overflow 64 bits",
    right: "each is refused: nobody reads it otherwise than who stands before it or after it",
    bug: "the language's own number parser takes signs, blanks and zeros, or the sum overflows",
    cure: "digits alone, no leading zero, and checked arithmetic at each of them",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.request()?;
    let field = request.length_field()?;
    let wrong = wrong(patient.framing(), &request, field);
    if wrong.is_empty() {
        return Err(Finding::skipped("a length has no second way to be written"));
    }
    // Of so many digits one may be a blank by agreement.
    let is_agreed = matches!(field.form(), LengthForm::Digits(_));
    let mut weak = None;
    for bytes in &wrong {
        let mut link = patient.link()?;
        match reaction(patient, &mut link, bytes)? {
            Reaction::Rejects => {}
            Reaction::Takes(heard) if !is_agreed => return Err(link.failed(heard)),
            Reaction::Takes(heard) | Reaction::Waits(heard) => {
                weak = Some(link.failed(heard).as_weak());
            }
        }
    }
    weak.map_or(Ok(()), Err)
}

/// The request with its length written in every way that this framing refuses.
fn wrong(framing: &Framing, request: &Request, field: &LengthField) -> Vec<Vec<u8>> {
    let refuses = |bytes: &Vec<u8>| Decoder::new(framing).step(bytes, false).is_err();
    let forms = forms(&request.bytes[field.at()], field);
    forms.iter().map(|length| request.forged(field, length)).filter(refuses).collect()
}

/// The same length, `written` as it should be, in every way that may be wrong.
fn forms(written: &[u8], field: &LengthField) -> Vec<Vec<u8>> {
    match field.form() {
        LengthForm::DigitsUntil(base) => {
            let digits = written.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            let (digits, literal) = written.split_at(digits);
            let before = |text: &str| [text.as_bytes(), digits, literal].concat();
            let over = u128::from(field.length()) + (1 << 64);
            let over = if base == 16 { format!("{over:x}") } else { over.to_string() };
            let over = [over.as_bytes(), literal].concat();
            vec![before("00"), before("+"), before(" "), before("-"), over]
        }
        // A small number begins with a zero, whose place something else can take.
        LengthForm::Digits(_) if written.first() == Some(&b'0') => {
            let with = |first: u8| [&[first], &written[1..]].concat();
            vec![with(b'+'), with(b' '), with(b'-')]
        }
        LengthForm::Uleb(bytes_max) => {
            let mut open: Vec<u8> = written.iter().map(|byte| byte | 0x80).collect();
            let longer = [&open[..], &[0]].concat();
            open.resize(usize::from(bytes_max), 0x80);
            vec![longer, [&open[..], &[0]].concat()]
        }
        LengthForm::Vlq(bytes_max) => {
            let before = |count: usize| [&vec![0x80; count][..], written].concat();
            vec![before(1), before(usize::from(bytes_max))]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use switchboard_frame::{Fields, Protocol, Role};

    use super::super::super::exchange::{Exchange, Requests};
    use super::*;

    fn wrong_ones(framing: &str) -> Vec<Vec<u8>> {
        let protocol: Protocol = framing.parse().expect("it is a framing");
        let fields = Fields::new();
        let requests = Requests::new(&Exchange::Echo, &fields, &protocol);
        let request = requests.expect("it can be sent").next().expect("it is a request");
        let field = request.length_field().expect("it has a length");
        wrong(protocol.framing(Role::Client), &request, field)
    }

    #[test]
    fn what_is_sent_is_wrong_in_this_framing() {
        let wrong = wrong_ones("netstring");
        let starts: Vec<&[u8]> = wrong.iter().map(|bytes| &bytes[..5]).collect();
        assert_eq!(starts, [b"0016:", b"+16:s", b" 16:s", b"-16:s", b"18446"]);
        assert_eq!(wrong_ones("dec5").len(), 3);
        assert_eq!(wrong_ones("hex4").len(), 3);
        assert_eq!(wrong_ones("uleb3"), [b"\x90\x80\x80\0swb doctor 00001"]);
        assert_eq!(wrong_ones("vlq"), [[&[0x80; 10][..], b"\x10swb doctor 00001"].concat()]);
        // Blanks around it and leading zeros are right there.
        assert_eq!(wrong_ones("header:len deliver=body").len(), 3);
    }

    #[test]
    fn what_a_framing_allows_is_not_sent() {
        assert!(wrong_ones("u32be").is_empty());
        assert!(wrong_ones("ber").is_empty());
        let lenient = wrong_ones("len:dec\":\" body \",\" leading-zeros=yes");
        assert!(!lenient.iter().any(|bytes| bytes.starts_with(b"0")));
    }
}
