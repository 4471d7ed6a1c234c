//! Several faults that go together, over a framing or without one: [`Plan`].
//!
//! Invariant: a plan that exists can be carried out. What cannot be, `refuse` says.

use super::refuse::{self, Refusal};
use super::what::{Cut, Fault, Kind, Trigger};
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
/// assert!(why.starts_with("fault 1, drop@c2s: column 1: drop is about whole messages"));
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
        let protocol = protocol.filter(|protocol| has_messages(protocol));
        let mut list = Vec::new();
        for (index, fault) in faults.into_iter().enumerate() {
            let wrong = |refusal| PlanError::new(index, &fault, refusal);
            if index == limits::FAULTS_MAX {
                let why = format!("there may be {} faults", limits::FAULTS_MAX);
                return Err(wrong(Refusal::of_name(why)));
            }
            list.push(planned(&fault, protocol).map_err(wrong)?);
        }
        for (index, planned) in list.iter().enumerate() {
            refuse::together(index, &list, protocol.is_some())
                .map_err(|refusal| PlanError::new(index, &planned.fault, refusal))?;
        }
        Ok(Plan { list: list.into(), is_framed: protocol.is_some() })
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
    column: usize,
    why: String,
}

impl PlanError {
    fn new(index: usize, fault: &Fault, refusal: Refusal) -> PlanError {
        let column = fault.column(refusal.at);
        PlanError { number: index + 1, fault: fault.to_string(), column, why: refusal.why }
    }

    /// Which of the faults, from 1 on.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Where in it, as it displays itself: in characters, from 1 on.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlanError { number, fault, column, why } = self;
        write!(f, "fault {number}, {fault}: column {column}: {why}")
    }
}

impl std::error::Error for PlanError {}

/// Whether this says at all where messages end, and does not leave all to the reads.
fn has_messages(protocol: &Protocol) -> bool {
    let has = |writer| protocol.framing(writer).parts().message;
    protocol.is_coupled() || has(Role::Client) || has(Role::Server)
}

fn planned(fault: &Fault, protocol: Option<&Protocol>) -> Result<Planned, Refusal> {
    let class = class(&fault.kind, protocol.is_some());
    refuse::alone(fault, class, protocol)?;
    let frame = |writer: Role| match (&fault.kind, protocol) {
        (Kind::Inject { file } | Kind::Replace { file }, Some(protocol))
            if fault.direction.is_of(writer) =>
        {
            framed(file, protocol, writer).map_err(Refusal::of_name)
        }
        _ => Ok(Vec::new()),
    };
    let frames = [frame(Role::Client)?.into(), frame(Role::Server)?.into()];
    Ok(Planned { fault: fault.clone(), text: fault.to_string().into(), class, frames })
}

pub(super) fn class(kind: &Kind, is_framed: bool) -> Class {
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
