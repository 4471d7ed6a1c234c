//! Faults that cannot be carried out, or could never happen: refused, with place and reason.
//!
//! What would lose or reorder single bytes of a stream, what asks for messages or for parts of them
//! where there are none, triggers of which no occasion has all, and what another fault leaves
//! nothing to do.

use super::plan::{Class, Planned, class};
use super::what::{Cut, Direction, Fault, Kind, Trigger};
use switchboard_frame::{Protocol, Role};

/// Why a fault makes no plan.
pub(super) struct Refusal {
    pub(super) at: At,
    pub(super) why: String,
}

/// What of a fault it is about.
#[derive(Clone, Copy)]
pub(super) enum At {
    Name,
    Direction,
    /// The trigger with this index.
    Trigger(usize),
}

type Checked = Result<(), Refusal>;

impl Refusal {
    pub(super) fn of_name(why: String) -> Refusal {
        Refusal { at: At::Name, why }
    }
}

impl Fault {
    /// Where this part of it stands, as it displays itself: in characters, from 1 on.
    pub(super) fn column(&self, at: At) -> usize {
        let before = |direction, triggers: &[Trigger]| {
            let before = Fault { direction, triggers: triggers.to_vec(), kind: self.kind.clone() };
            before.to_string().chars().count()
        };
        match at {
            At::Name => 1,
            At::Direction => before(Direction::Both, &[]) + 1,
            At::Trigger(index) => before(self.direction, &self.triggers[..index]) + 2,
        }
    }

    /// Its first trigger of which that is so.
    fn trigger(&self, is_so: impl Fn(&Trigger) -> bool) -> Option<(At, &Trigger)> {
        let index = self.triggers.iter().position(is_so)?;
        Some((At::Trigger(index), &self.triggers[index]))
    }
}

/// Refuses what cannot be by itself.
pub(super) fn alone(fault: &Fault, class: Class, protocol: Option<&Protocol>) -> Checked {
    match protocol {
        None => without_framing(fault, class)?,
        Some(protocol) if !protocol.is_coupled() => parts(fault, class, protocol)?,
        // What its messages are may change with each of them.
        Some(_) => {}
    }
    triggers(fault, class)?;
    occasions(fault, class)?;
    if class == Class::Connection && fault.direction != Direction::Both {
        let name = fault.kind.name();
        let why = format!("{name} is about a connection, which has no direction: leave it out");
        return Err(Refusal { at: At::Direction, why });
    }
    Ok(())
}

/// Refuses what cannot be beside the others: those in the list, of which it is the one at `index`.
pub(super) fn together(index: usize, list: &[Planned], is_framed: bool) -> Checked {
    let Planned { fault, class, .. } = &list[index];
    let meets = |other: &Fault| {
        [Role::Client, Role::Server]
            .iter()
            .any(|role| fault.direction.is_of(*role) && other.direction.is_of(*role))
    };
    let others = || list.iter().map(|planned| &planned.fault).filter(|other| meets(other));
    if *class == Class::Heal {
        let is_silence = |it: &Fault| matches!(it.kind, Kind::Blackhole | Kind::Deaf | Kind::Dead);
        if !others().any(is_silence) {
            let why = "there is no silence in its direction that it could end: blackhole, deaf or \
                dead";
            return Err(Refusal::of_name(why.to_owned()));
        }
        if !is_framed && others().any(|other| other.kind == Kind::Blackhole) {
            let why = "behind a blackhole the stream would go on with bytes missing: give a \
                framing, and it goes on with the next message";
            return Err(Refusal::of_name(why.to_owned()));
        }
    }
    let Some(group) = group(&fault.kind) else { return Ok(()) };
    let covers = |other: &&Planned| {
        let direction = other.fault.direction;
        other.fault.triggers.is_empty()
            && self::group(&other.fault.kind) == Some(group)
            && (direction == Direction::Both || direction == fault.direction)
    };
    match list[..index].iter().find(covers) {
        Some(first) => Err(Refusal::of_name(format!(
            "{}, which is before it, is there always, and of two that {group} the first counts",
            first.text
        ))),
        None => Ok(()),
    }
}

/// What only one of several faults can do at a time.
fn group(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Split { .. } => "cut",
        Kind::Coalesce { .. } | Kind::Glue { .. } => "gather",
        Kind::Delay { .. } => "delay",
        Kind::Drip { .. } | Kind::Rate { .. } => "pace",
        Kind::SlowClose { .. } | Kind::SwallowFin | Kind::RstForFin => "are about the end",
        Kind::Heal { .. } => "heal",
        Kind::Flap { .. } => "flap",
        _ => return None,
    })
}

/// Whether a fault is about whole messages, whatever its triggers are.
fn is_about_messages(fault: &Fault, class: Class) -> bool {
    class == Class::Message
        || matches!(
            fault.kind,
            Kind::Glue { .. }
                | Kind::Coalesce { messages: Some(_), .. }
                | Kind::Split { cut: Cut::Field, .. }
        )
}

/// Whether a trigger is about messages.
fn is_of_messages(trigger: &Trigger) -> bool {
    matches!(
        trigger,
        Trigger::Message { .. } | Trigger::Match(_) | Trigger::First(_) | Trigger::Every(_)
    )
}

/// What there is without messages.
fn without_framing(fault: &Fault, class: Class) -> Checked {
    let name = fault.kind.name();
    if is_about_messages(fault, class) {
        return Err(Refusal::of_name(format!(
            "{name} is about whole messages, and without a framing there are none: give one"
        )));
    }
    let is_place = |trigger: &Trigger| !matches!(trigger, Trigger::Conversation(_));
    let bytes = matches!(fault.kind, Kind::Flip { .. } | Kind::Garbage { .. });
    if bytes && !fault.triggers.iter().any(is_place) {
        return Err(Refusal::of_name(format!(
            "without a framing {name} needs a place: byte:1024, after:5s or p:0.01"
        )));
    }
    match fault.trigger(is_of_messages) {
        Some((at, trigger)) if class != Class::Connection => {
            let why = format!(
                "{trigger} is about messages, and without a framing there are none: give one, or \
                 use byte:, after:, p: or conn:"
            );
            Err(Refusal { at, why })
        }
        _ => Ok(()),
    }
}

/// What there is in the messages of a framing: a fault has something to change in one direction at
/// least.
fn parts(fault: &Fault, class: Class, protocol: &Protocol) -> Checked {
    let of = |writer: Role| protocol.framing(writer).parts();
    let sides = [Role::Client, Role::Server].into_iter().filter(|it| fault.direction.is_of(*it));
    let sides: Vec<_> = sides.map(of).collect();
    let refuse = |at, missing: &str| {
        let why = format!("{missing} in this framing: it would never happen");
        Err(Refusal { at, why })
    };
    if class == Class::Connection {
        return Ok(());
    }
    if !sides.iter().any(|it| it.message) {
        if is_about_messages(fault, class) {
            return refuse(At::Name, "there are no messages of this direction");
        }
        if let Some((at, _)) = fault.trigger(is_of_messages) {
            return refuse(at, "there are no messages of this direction");
        }
    }
    match fault.kind {
        Kind::Length { .. } if !sides.iter().any(|it| it.length) => {
            refuse(At::Name, "no message announces a length")
        }
        Kind::DelimiterInject if !sides.iter().any(|it| it.trailer) => {
            refuse(At::Name, "no delimiter ends a message")
        }
        Kind::Split { cut: Cut::Field, .. } if !sides.iter().any(|it| it.middle) => {
            refuse(At::Name, "no field has two bytes that could be cut apart")
        }
        _ => Ok(()),
    }
}

/// Triggers that name one occasion, of which there is no second, third or tenth.
fn occasions(fault: &Fault, class: Class) -> Checked {
    let many = |trigger: &Trigger| matches!(trigger, Trigger::Every(2..));
    let Some((at, every)) = fault.trigger(many) else { return Ok(()) };
    let one = fault.trigger(|trigger| match trigger {
        Trigger::Message { .. } => true,
        Trigger::Byte(_) => class == Class::Message,
        Trigger::Conversation(_) => class == Class::Connection,
        _ => false,
    });
    match one {
        Some((_, one)) => {
            let why = format!("{one} happens once, so {every} never does: leave one of them out");
            Err(Refusal { at, why })
        }
        None => Ok(()),
    }
}

/// What a fault is about, where that is no place and no message, and the triggers that it takes.
fn triggers(fault: &Fault, class: Class) -> Checked {
    let by_conversation = |trigger: &Trigger| matches!(trigger, Trigger::Conversation(_));
    let about = match (&fault.kind, class) {
        (Kind::Flap { .. } | Kind::LimitConns { .. }, _) => "every connection",
        (Kind::LimitBytes { .. }, _) => "a conversation as a whole",
        (_, Class::Heal) => "a silence, whenever it began",
        (_, Class::Connection) => "a connection",
        (_, Class::End) => "the end of a direction, which comes once",
        _ => return places(fault),
    };
    let takes = |trigger: &Trigger| match (&fault.kind, class) {
        (Kind::Flap { .. } | Kind::LimitConns { .. }, _) => false,
        (Kind::LimitBytes { .. }, _) | (_, Class::Heal) => by_conversation(trigger),
        (_, Class::Connection) => {
            !matches!(trigger, Trigger::Message { .. } | Trigger::Byte(_) | Trigger::Match(_))
        }
        _ => {
            by_conversation(trigger)
                || matches!(trigger, Trigger::After(_) | Trigger::Byte(_) | Trigger::Chance(_))
        }
    };
    match fault.trigger(|trigger| !takes(trigger)) {
        Some((at, trigger)) => {
            let name = fault.kind.name();
            let why = format!("{name} is about {about}: {trigger} does not go with it");
            Err(Refusal { at, why })
        }
        None => Ok(()),
    }
}

/// A place is a byte or a message.
fn places(fault: &Fault) -> Checked {
    if fault.trigger(|trigger| matches!(trigger, Trigger::Byte(_))).is_some()
        && let Some((at, message)) = fault.trigger(|it| matches!(it, Trigger::Message { .. }))
    {
        let why = format!("{message} and a byte are two places: write one of them");
        return Err(Refusal { at, why });
    }
    match fault.trigger(|trigger| matches!(trigger, Trigger::Message { plus: 1.., .. })) {
        Some((at, trigger)) if class(&fault.kind, true) != Class::Point => {
            let name = fault.kind.name();
            let why = format!(
                "{name} is about the whole of a message, and {trigger} is a place in it: leave out \
                 the + and what is behind it"
            );
            Err(Refusal { at, why })
        }
        _ => Ok(()),
    }
}
