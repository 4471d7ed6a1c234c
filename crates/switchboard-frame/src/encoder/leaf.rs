//! The stage behind the keys of `type{}`: the one shape that a message is written in.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::EncodeError;
use super::fields::{self, Fields};
use crate::framing::{Case, Deliver, Options, Shape, Stage};

/// A shape as it applies.
pub(super) struct Leaf<'a> {
    pub(super) shape: &'a Shape,
    pub(super) options: Options,
    pub(super) deliver: Deliver,
    /// The first bytes, which choose it.
    pub(super) key: Cow<'a, [u8]>,
    /// It stands in a `type{}`.
    pub(super) chosen: bool,
}

impl<'a> Leaf<'a> {
    fn top(stage: &'a Stage) -> Leaf<'a> {
        Leaf {
            shape: &stage.shape,
            options: stage.options,
            deliver: stage.deliver(),
            key: Cow::Borrowed(&[]),
            chosen: false,
        }
    }

    fn case(self, case: &'a Case) -> Leaf<'a> {
        let options = case.stage.options.within(&self.options);
        let own = case.key.as_deref().unwrap_or_default();
        let key = match self.key.is_empty() {
            true => Cow::Borrowed(own),
            false => Cow::Owned([&self.key, own].concat()),
        };
        Leaf {
            shape: &case.stage.shape,
            options,
            deliver: case.stage.deliver_with(&options),
            key,
            chosen: true,
        }
    }

    /// The shape of every message, when only one is possible.
    pub(super) fn only(stage: &'a Stage) -> Option<Leaf<'a>> {
        let mut leaf = Leaf::top(stage);
        while let Shape::Type(cases) = leaf.shape {
            let [case] = cases.as_slice() else { return None };
            leaf = leaf.case(case);
        }
        Some(leaf)
    }

    /// The shape that the first bytes of a whole frame choose: the longest key wins.
    pub(super) fn by_key(stage: &'a Stage, frame: &[u8]) -> Option<Leaf<'a>> {
        let mut leaf = Leaf::top(stage);
        while let Shape::Type(cases) = leaf.shape {
            let rest = &frame[leaf.key.len()..];
            let key = |case: &'a Case| case.key.as_deref().unwrap_or_default();
            let fits = cases.iter().filter(|case| rest.starts_with(key(case)));
            leaf = leaf.case(fits.max_by_key(|case| key(case).len())?);
        }
        Some(leaf)
    }

    /// The only shape that has all the fields given, and no other.
    pub(super) fn by_fields(stage: &'a Stage, given: &Fields) -> Result<Leaf<'a>, EncodeError> {
        let mut all = Vec::new();
        Leaf::top(stage).collect(&mut all);
        if all.len() > 1 {
            all.retain(|leaf| match leaf.shape {
                Shape::Record(record) => fields::Values::resolve(record, given).is_ok(),
                Shape::Header(name) => given.names().all(|n| n.eq_ignore_ascii_case(name)),
                _ => given.is_empty(),
            });
        }
        match (all.pop(), all.is_empty()) {
            (Some(leaf), true) => Ok(leaf),
            (Some(_), false) => Err(EncodeError::new(
                "more than one case of type{} has these fields, give the whole frame instead",
            )),
            (None, _) => Err(EncodeError::new(
                "no case of type{} has exactly these fields, give the whole frame instead",
            )),
        }
    }

    /// Every shape of a stage.
    pub(super) fn all(stage: &'a Stage) -> Vec<Leaf<'a>> {
        let mut all = Vec::new();
        Leaf::top(stage).collect(&mut all);
        all
    }

    fn collect(self, all: &mut Vec<Leaf<'a>>) {
        let Shape::Type(cases) = self.shape else { return all.push(self) };
        for case in cases {
            let outer = Leaf { key: self.key.clone(), ..self };
            outer.case(case).collect(all);
        }
    }
}
