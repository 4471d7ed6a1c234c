//! The server that is asked: how it is reached, what it answers, how long that takes.

use std::time::Duration;

use switchboard::{ConnectOptions, Endpoint, Stopper, deadline};
use switchboard_frame::{Fields, LengthField, Protocol, Role};

use super::exchange::{Exchange, Request, Requests, SIZED_BYTES_MAX};
use super::link::{Heard, Link};
use super::probe::{Asked, Finding};
use crate::args::DoctorArgs;
use crate::exit::{Exit, Failure};
use crate::printer::Printer;

/// Exchanges of the calibration.
const EXCHANGES: usize = 10;
/// The patience is so many times the slowest of them, within these bounds.
const PATIENCE: u32 = 20;
const PATIENCE_MIN: Duration = Duration::from_millis(1000);
const PATIENCE_MAX: Duration = Duration::from_secs(10);

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Between two pieces.
    pub(super) gap: Duration,
    /// How long an answer is waited for.
    pub(super) patience: Duration,
    /// What an exchange takes: the median of the calibration.
    pub(super) usual: Duration,
}

pub(super) struct Patient {
    endpoint: Endpoint,
    options: ConnectOptions,
    protocol: Protocol,
    exchange: Exchange,
    fields: Fields,
    greeting: u16,
    pub(super) times: Times,
    /// The largest body, where it was said.
    pub(super) max: Option<u64>,
    stopper: Stopper,
}

impl Patient {
    pub(super) fn new(
        args: &DoctorArgs,
        stopper: &Stopper,
        printer: &Printer,
    ) -> Result<Patient, Failure> {
        let tls = args.connection.tls(printer)?;
        let patient = Patient {
            endpoint: args.connection.endpoint.clone(),
            options: args.connection.options(tls, stopper)?,
            protocol: args.framing.protocol()?,
            exchange: Exchange::new(args)?,
            fields: args.fields.build()?,
            greeting: args.greeting,
            times: Times { gap: args.gap, patience: PATIENCE_MAX, usual: Duration::ZERO },
            max: args.framing.max,
            stopper: stopper.clone(),
        };
        let first = patient.requests()?.next();
        first.map_err(|error| Failure::new(Exit::BadFrame, error))?;
        Ok(patient)
    }

    /// Finds out what the server answers and how long that takes, with whole messages and nothing
    /// else. What is not right yet is told as a finding.
    ///
    /// # Errors
    /// There is no server.
    pub(super) fn calibrate(&mut self) -> Result<Asked, Failure> {
        // Whether there is one at all is the one thing that has an exit code of its own.
        let transport = self.endpoint.connect(&self.options).map_err(crate::args::not_connected)?;
        drop(transport);
        Ok(self.measure())
    }

    fn measure(&mut self) -> Asked {
        let mut link = self.link()?;
        let mut took = Vec::new();
        for number in 0..EXCHANGES {
            let mut requests = self.requests().map_err(|failure| failed(&failure))?;
            let request = self.nth(&mut requests, number)?;
            let began = deadline::now();
            link.give(&request.bytes)?;
            let reply = match link.hear()? {
                Heard::Message(reply) if request.is_answered_by(&reply) => reply,
                heard => return Err(link.failed(heard)),
            };
            took.push(deadline::now().saturating_duration_since(began));
            self.learn(reply);
        }
        took.sort_unstable();
        let slowest = took.last().copied().unwrap_or_default();
        self.times.usual = took.get(EXCHANGES / 2).copied().unwrap_or_default();
        self.times.patience = (slowest * PATIENCE).clamp(PATIENCE_MIN, PATIENCE_MAX);
        Ok(())
    }

    fn nth(&self, requests: &mut Requests<'_>, number: usize) -> Result<Request, Finding> {
        let mut request = self.next(requests)?;
        for _ in 0..number {
            request = self.next(requests)?;
        }
        Ok(request)
    }

    /// The first reply to a fixed request is what it has to answer from here on.
    fn learn(&mut self, answer: Vec<u8>) {
        if let Exchange::Fixed { reply: reply @ None, .. } = &mut self.exchange {
            *reply = Some(answer);
        }
    }

    /// Whether a reply comes once the end of input has: what is said of a server that answers
    /// nothing before it.
    pub(super) fn answers_at_the_end(&self) -> bool {
        let ask = || -> Result<bool, Finding> {
            let mut link = self.link()?;
            let request = self.request()?;
            link.give(&request.bytes)?;
            link.finish();
            let heard = link.hear()?;
            Ok(matches!(heard, Heard::Message(reply) if request.is_answered_by(&reply)))
        };
        ask().unwrap_or(false)
    }

    /// A new conversation, past what the server says by itself.
    pub(super) fn link(&self) -> Result<Link, Finding> {
        let transport = self
            .endpoint
            .connect(&self.options)
            .map_err(|error| Finding::failed(error.to_string()))?;
        // Whether a reply is too large is for a probe to say.
        let roomy = self.protocol.clone().with_max(SIZED_BYTES_MAX);
        let mut link = Link::new(transport, &roomy, self.times, self.stopper.clone());
        for number in 1..=self.greeting {
            match link.hear()? {
                Heard::Message(_) => {}
                heard => {
                    return Err(link.failed(format_args!("instead of greeting {number}: {heard}")));
                }
            }
        }
        Ok(link)
    }

    pub(super) fn requests(&self) -> Result<Requests<'_>, Failure> {
        Requests::new(&self.exchange, &self.fields, &self.protocol)
    }

    fn next(&self, requests: &mut Requests<'_>) -> Result<Request, Finding> {
        requests.next().map_err(Finding::skipped)
    }

    /// The first request of a conversation.
    pub(super) fn request(&self) -> Result<Request, Finding> {
        let mut all = self.some_requests(1)?;
        all.pop().ok_or_else(|| Finding::skipped("no request"))
    }

    /// The first requests of a conversation.
    pub(super) fn some_requests(&self, count: usize) -> Result<Vec<Request>, Finding> {
        let mut requests = self.requests().map_err(|failure| failed(&failure))?;
        (0..count).map(|_| self.next(&mut requests)).collect()
    }

    /// A first request with a body of so many bytes, however many the server takes.
    pub(super) fn sized_request(&self, bytes: usize) -> Result<Request, Finding> {
        let roomy = self.protocol.clone().with_max(SIZED_BYTES_MAX);
        let requests = Requests::new(&self.exchange, &self.fields, &roomy);
        let mut requests = requests.map_err(|failure| failed(&failure))?;
        requests.sized(bytes).map_err(Finding::skipped)
    }

    /// A first request without a body.
    pub(super) fn empty_request(&self) -> Result<Request, Finding> {
        let mut requests = self.requests().map_err(|failure| failed(&failure))?;
        requests.empty().map_err(Finding::skipped)
    }

    /// A first request, and where it says how long it is.
    pub(super) fn measured_request(&self) -> Result<(Request, LengthField), Finding> {
        let request = self.request()?;
        match request.length.clone() {
            Some(field) => Ok((request, field)),
            None => Err(Finding::skipped("no length field: messages end otherwise")),
        }
    }

    /// Whether it sends every message back.
    pub(super) fn is_echo(&self) -> bool {
        matches!(self.exchange, Exchange::Echo)
    }

    /// What writes towards the server.
    pub(super) fn framing(&self) -> &switchboard_frame::Framing {
        self.protocol.framing(Role::Client)
    }

    /// A conversation beside all others is served as it should be.
    pub(super) fn is_alive(&self) -> Asked {
        let mut link = self.link()?;
        link.exchange(&self.request()?)
    }

    pub(super) fn stopper(&self) -> &Stopper {
        &self.stopper
    }
}

fn failed(failure: &Failure) -> Finding {
    Finding::skipped(failure.to_string())
}
