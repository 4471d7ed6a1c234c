//! Several faults that go together, over a framing or without one: [`Plan`].
//!
//! Invariant: a plan that exists can be carried out. What would lose or reorder single bytes of a
//! stream, and what asks for messages where there are none, is refused here, with the reason.

use super::what::{Cut, Direction, Fault, Kind, Trigger};
use crate::limits;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use switchboard_frame::{Encoder, Protocol, Role};

/// Faults that were looked at together. Cheap to clone; a value without any state.
///
/// ```
/// use switchboard::transport::fault::Plan;
///
/// let protocol = "u32be".parse()?;
/// let plan = Plan::new(["drop@c2s every:10".parse()?, "delay(50ms)".parse()?], Some(&protocol))?;
/// assert_eq!(plan.faults().count(), 2);
/// // A stream loses no single bytes.
/// let why = Plan::new(["drop@c2s".parse()?], None).unwrap_err().to_string();
/// assert!(why.starts_with("fault 1, drop@c2s: drop is about whole messages"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) list: Arc<[Planned]>,
    pub(super) is_framed: bool,
}

/// A fault and what was found out about it beforehand.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) fault: Fault,
    /// As it is written.
    pub(super) text: Arc<str>,
    pub(super) class: Class,
    /// The frame that `inject` and `replace` put in, of the client and of the server.
    pub(super) frames: [Arc<[u8]>; 2],
}

/// At what a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// When a connection comes.
    Connection,
    /// At a place of the stream.
    Point,
    /// To everything from some place on, or to the messages that are picked.
    Span,
    /// To whole messages.
    Message,
    /// When a direction ends.
    End,
    /// To a silence.
    Heal,
}

impl Plan {
    /// These faults over `protocol`; without one only those that need no messages. The files of
    /// `inject` and `replace` are read and framed.
    ///
    /// # Errors
    /// A fault cannot be carried out: which, and why; a file cannot be read, or is no message.
    pub fn new(
        faults: impl IntoIterator<Item = Fault>,
        protocol: Option<&Protocol>,
    ) -> Result<Plan, PlanError> {
        let mut list = Vec::new();
        for (index, fault) in faults.into_iter().enumerate() {
            let wrong =
                |why: String| PlanError { number: index + 1, fault: fault.to_string(), why };
            if index == limits::FAULTS_MAX {
                return Err(wrong(format!("there may be {} faults", limits::FAULTS_MAX)));
            }
            list.push(planned(&fault, protocol).map_err(wrong)?);
        }
        Plan { list: list.into(), is_framed: protocol.is_some() }.together()
    }

    /// The faults, in their order.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.list.iter().map(|planned| &planned.fault)
    }

    /// Whether what `writer` writes has to be held until a message is whole.
    pub(super) fn needs_whole(&self, writer: Role) -> bool {
        self.is_framed
            && self.list.iter().any(|planned| {
                let kind = &planned.fault.kind;
                let looks = |trigger: &Trigger| matches!(trigger, Trigger::Match(_));
                planned.fault.direction.is_of(writer)
                    && (planned.class == Class::Message
                        || matches!(kind, Kind::Split { cut: Cut::Field, .. } | Kind::Glue { .. })
                        || planned.fault.triggers.iter().any(looks))
            })
    }

    /// How long after it began a silence of `writer` in this conversation ends.
    pub(super) fn heals(&self, writer: Role, conversation: u64) -> Option<(usize, Duration)> {
        self.list.iter().enumerate().find_map(|(index, planned)| match planned.fault.kind {
            Kind::Heal { after }
                if planned.fault.direction.is_of(writer) && planned.fault.is_for(conversation) =>
            {
                Some((index, after))
            }
            _ => None,
        })
    }

    /// Refuses what does not go together.
    fn together(self) -> Result<Plan, PlanError> {
        let drops = |kind: &Kind| *kind == Kind::Blackhole;
        let drops_bytes = !self.is_framed && self.faults().any(|fault| drops(&fault.kind));
        for (index, planned) in self.list.iter().enumerate() {
            if drops_bytes && planned.class == Class::Heal {
                let why = "behind a blackhole the stream would go on with bytes missing: give a \
                    framing, and it goes on with the next message";
                let fault = planned.text.to_string();
                return Err(PlanError { number: index + 1, fault, why: why.to_owned() });
            }
        }
        Ok(self)
    }
}

impl Fault {
    /// Whether it is for this conversation at all.
    pub(super) fn is_for(&self, conversation: u64) -> bool {
        let other =
            |trigger: &Trigger| matches!(trigger, Trigger::Conversation(n) if *n != conversation);
        !self.triggers.iter().any(other)
    }

    /// Whether a trigger picks it message by message.
    pub(super) fn picks_messages(&self) -> bool {
        self.triggers.iter().any(|trigger| {
            matches!(
                trigger,
                Trigger::Message { .. }
                    | Trigger::First(_)
                    | Trigger::Every(_)
                    | Trigger::Chance(_)
                    | Trigger::Match(_)
            )
        })
    }
}

/// Why faults make no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    number: usize,
    fault: String,
    why: String,
}

impl PlanError {
    /// Which of the faults, from 1 on.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {}, {}: {}", self.number, self.fault, self.why)
    }
}

impl std::error::Error for PlanError {}

fn planned(fault: &Fault, protocol: Option<&Protocol>) -> Result<Planned, String> {
    let class = class(&fault.kind, protocol.is_some());
    if protocol.is_none() {
        without_framing(fault, class)?;
    }
    triggers(fault, class)?;
    let name = fault.kind.name();
    if class == Class::Connection && fault.direction != Direction::Both {
        return Err(format!("{name} is about a connection, which has no direction: leave it out"));
    }
    let frame = |writer: Role| match (&fault.kind, protocol) {
        (Kind::Inject { file } | Kind::Replace { file }, Some(protocol))
            if fault.direction.is_of(writer) =>
        {
            framed(file, protocol, writer)
        }
        _ => Ok(Vec::new()),
    };
    let frames = [frame(Role::Client)?.into(), frame(Role::Server)?.into()];
    Ok(Planned { fault: fault.clone(), text: fault.to_string().into(), class, frames })
}

fn class(kind: &Kind, is_framed: bool) -> Class {
    match kind {
        Kind::SlowAccept { .. }
        | Kind::Refuse
        | Kind::AcceptThenClose { .. }
        | Kind::LimitConns { .. }
        | Kind::Flap { .. } => Class::Connection,
        Kind::Split { .. }
        | Kind::Coalesce { .. }
        | Kind::Glue { .. }
        | Kind::Delay { .. }
        | Kind::Drip { .. }
        | Kind::Rate { .. } => Class::Span,
        Kind::Stall { .. }
        | Kind::Reset
        | Kind::Fin
        | Kind::HalfClose
        | Kind::Blackhole
        | Kind::Deaf
        | Kind::Dead
        | Kind::LimitBytes { .. } => Class::Point,
        Kind::Flip { .. } | Kind::Garbage { .. } if !is_framed => Class::Point,
        Kind::SlowClose { .. } | Kind::SwallowFin | Kind::RstForFin => Class::End,
        Kind::Heal { .. } => Class::Heal,
        Kind::Flip { .. }
        | Kind::Truncate { .. }
        | Kind::Length { .. }
        | Kind::Garbage { .. }
        | Kind::DelimiterInject
        | Kind::Drop
        | Kind::Dup { .. }
        | Kind::Reorder { .. }
        | Kind::Replace { .. }
        | Kind::Inject { .. } => Class::Message,
    }
}

/// What there is without messages.
fn without_framing(fault: &Fault, class: Class) -> Result<(), String> {
    let name = fault.kind.name();
    let about_messages = class == Class::Message
        || matches!(
            fault.kind,
            Kind::Glue { .. }
                | Kind::Coalesce { messages: Some(_), .. }
                | Kind::Split { cut: Cut::Field, .. }
        );
    if about_messages {
        return Err(format!(
            "{name} is about whole messages, and without a framing there are none: give one"
        ));
    }
    let is_place = |trigger: &Trigger| !matches!(trigger, Trigger::Conversation(_));
    let bytes = matches!(fault.kind, Kind::Flip { .. } | Kind::Garbage { .. });
    if bytes && !fault.triggers.iter().any(is_place) {
        return Err(format!(
            "without a framing {name} needs a place: byte:1024, after:5s or p:0.01"
        ));
    }
    let counts = fault.triggers.iter().find(|trigger| {
        matches!(
            trigger,
            Trigger::Message { .. } | Trigger::Match(_) | Trigger::First(_) | Trigger::Every(_)
        )
    });
    match counts {
        Some(trigger) if class != Class::Connection => Err(format!(
            "{trigger} is about messages, and without a framing there are none: give one, or use \
             byte:, after:, p: or conn:"
        )),
        _ => Ok(()),
    }
}

/// What a fault is about, where that is no place and no message, and the triggers that it takes.
fn triggers(fault: &Fault, class: Class) -> Result<(), String> {
    let by_conversation = |trigger: &Trigger| matches!(trigger, Trigger::Conversation(_));
    let about = match (&fault.kind, class) {
        (Kind::Flap { .. } | Kind::LimitConns { .. }, _) => "every connection",
        (Kind::LimitBytes { .. }, _) => "a conversation as a whole",
        (_, Class::Heal) => "a silence, whenever it began",
        (_, Class::Connection) => "a connection",
        (_, Class::End) => "the end of a direction, which comes once",
        _ => return places(fault),
    };
    let takes = |trigger: &&Trigger| match (&fault.kind, class) {
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
    match fault.triggers.iter().find(|trigger| !takes(trigger)) {
        Some(trigger) => {
            let name = fault.kind.name();
            Err(format!("{name} is about {about}: {trigger} does not go with it"))
        }
        None => Ok(()),
    }
}

/// A place is a byte or a message.
fn places(fault: &Fault) -> Result<(), String> {
    let has = |wanted: fn(&Trigger) -> bool| fault.triggers.iter().any(wanted);
    if has(|trigger| matches!(trigger, Trigger::Byte(_))) {
        let message = fault.triggers.iter().find(|t| matches!(t, Trigger::Message { .. }));
        if let Some(message) = message {
            return Err(format!("{message} and a byte are two places: write one of them"));
        }
    }
    let inside = |trigger: &&Trigger| matches!(trigger, Trigger::Message { plus: 1.., .. });
    match fault.triggers.iter().find(inside) {
        Some(trigger) if class(&fault.kind, true) != Class::Point => Err(format!(
            "{} is about the whole of a message, and {trigger} is a place in it: leave out the + \
             and what is behind it",
            fault.kind.name()
        )),
        _ => Ok(()),
    }
}

/// The message in `file`, as `writer` frames it once its stream has begun.
fn framed(file: &Path, protocol: &Protocol, writer: Role) -> Result<Vec<u8>, String> {
    let shown = file.display();
    let unread = |error| format!("cannot read {shown}: {error}");
    let bytes = fs::metadata(file).map_err(unread)?.len();
    if bytes > limits::FAULT_FILE_BYTES_MAX {
        let most = limits::FAULT_FILE_BYTES_MAX;
        return Err(format!("{shown} has {bytes} bytes, and may have {most}"));
    }
    let message = fs::read(file).map_err(unread)?;
    let mut frame = Vec::new();
    Encoder::settled(protocol.framing(writer))
        .and_then(|mut encoder| encoder.encode(&message, &mut frame))
        .map_err(|error| format!("{shown} is no message of the {writer}: {error}"))?;
    Ok(frame)
}
