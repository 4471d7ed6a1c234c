//! The server that is asked: how it is reached, what it answers, how long that takes.

use std::sync::OnceLock;
use std::time::Duration;

use switchboard::{ConnectOptions, Endpoint, Stopper, deadline};
use switchboard_frame::{Decoder, Fields, Protocol, Role, Step};

use super::canary::{self, Took};
use super::child::Child;
use super::deaths::Death;
use super::exchange::{Exchange, Request, Requests, SIZED_BYTES_MAX};
use super::link::{self, Heard, Link};
use super::probe::{Asked, Finding, Verdict};
use super::whereabouts::{is_local, without_tls};
use crate::args::DoctorArgs;
use crate::exit::Failure;
use crate::payload;
use crate::printer::Printer;
use crate::units;

/// Exchanges of the calibration.
const EXCHANGES: usize = 10;
/// The patience is so many times the slowest of them, within these bounds.
const PATIENCE: u32 = 20;
const PATIENCE_MIN: Duration = Duration::from_millis(1000);
const PATIENCE_MAX: Duration = Duration::from_secs(10);
/// A greeting is waited for at least so long: a process is started for it, or a password checked,
/// which the calibration sees once and nothing else of.
const GREETING_MIN: Duration = Duration::from_secs(5);
/// The gap between two pieces is at least so many times that, up to a bound.
const GAP: u32 = 2;
const GAP_MAX: Duration = Duration::from_millis(200);
/// A time of day that is told in seconds is another one after so long.
const TICK: Duration = Duration::from_millis(1100);
/// How long one that was started here may answer otherwise than it is said to.
const STARTING_MAX: Duration = Duration::from_secs(3);
/// How long one that was started again may recover before it serves.
const SERVING_MAX: Duration = Duration::from_secs(10);
/// How long many exchanges may take, one behind the other.
const IN_STEP_MAX: Duration = Duration::from_secs(10);

/// Why that is not asked which takes two clients at once.
pub(super) const ONE_AT_A_TIME: &str =
    "it takes two clients at once, and one blocks all others: K1";

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Between two pieces.
    pub(super) gap: Duration,
    /// How long an answer is waited for.
    pub(super) patience: Duration,
    /// What an exchange takes: the median of the calibration.
    pub(super) usual: Duration,
    /// The slowest of it.
    pub(super) slowest: Duration,
}

pub(super) struct Patient {
    endpoint: Endpoint,
    options: ConnectOptions,
    child: Option<Child>,
    protocol: Protocol,
    exchange: Exchange,
    fields: Fields,
    /// What each conversation begins with.
    opening: Vec<u8>,
    greeting: u16,
    pub(super) times: Times,
    /// The largest body, where it was said.
    pub(super) max: Option<u64>,
    /// How long it lets a client be silent, where it was said.
    pub(super) idle: Option<Duration>,
    /// How soon it finds out that a client is dead, where it was said.
    pub(super) dead: Option<Duration>,
    /// Nobody else suffers with it.
    pub(super) may_be_harmed: bool,
    serves_side_by_side: OnceLock<bool>,
    /// The shortest answer to a request that is the same each time.
    reply_bytes: usize,
    /// It has answered nothing while it was calibrated.
    is_silent: bool,
    stopper: Stopper,
}

impl Patient {
    pub(super) fn new(
        args: &DoctorArgs,
        stopper: &Stopper,
        printer: &Printer,
    ) -> Result<Patient, Failure> {
        let tls = args.connection.tls(printer)?;
        let mut patient = Patient {
            endpoint: args.connection.endpoint.clone(),
            options: args.connection.options(tls, stopper)?,
            child: None,
            protocol: args.framing.protocol()?,
            exchange: Exchange::new(args)?,
            fields: args.fields.build()?,
            opening: match &args.open {
                Some(text) => payload::read(text, args.hex)?,
                None => Vec::new(),
            },
            greeting: args.greeting,
            times: Times {
                gap: args.gap,
                patience: PATIENCE_MAX,
                usual: Duration::ZERO,
                slowest: Duration::ZERO,
            },
            max: args.framing.max,
            idle: args.idle,
            dead: args.dead,
            may_be_harmed: args.intrusive
                || args.exec.is_some()
                || is_local(&args.connection.endpoint),
            serves_side_by_side: OnceLock::new(),
            reply_bytes: 0,
            is_silent: false,
            stopper: stopper.clone(),
        };
        let first = patient.try_requests()?.next();
        let flag = if args.echo { "--echo" } else { "--send" };
        first.map_err(|error| Failure::usage(format_args!("{flag}: {error}")))?;
        // Last, so that wrong usage is told before anything is started.
        if let Some(command) = &args.exec {
            patient.child = Some(Child::start(args, command, patient.options.clone(), stopper)?);
        }
        Ok(patient)
    }

    /// Finds out what the server answers and how long that takes, with whole messages and nothing
    /// else. What is not right yet is told as a finding.
    ///
    /// # Errors
    /// There is no server.
    pub(super) fn calibrate(&mut self) -> Result<Asked, Failure> {
        // Whether there is one at all is the one thing that has an exit code of its own.
        let transport =
            self.endpoint().connect(&self.options).map_err(crate::args::not_connected)?;
        drop(transport);
        let until = deadline::after(STARTING_MAX);
        loop {
            let asked = self.measure();
            // One that has just been started may accept, and say that it is not ready.
            let may_be_starting = self.child().is_some_and(|child| child.ended().is_none())
                && !self.is_silent
                && !deadline::has_passed(until);
            if asked.is_ok()
                || !may_be_starting
                || link::pause(self.times.gap, &self.stopper).is_err()
            {
                return Ok(asked);
            }
        }
    }

    fn measure(&mut self) -> Asked {
        let mut link = self.link()?;
        let (mut took, mut tells_time) = (Vec::new(), false);
        for number in 0..EXCHANGES {
            let mut requests = self.requests()?;
            let request = self.nth(&mut requests, number)?;
            let began = deadline::now();
            link.give(&request.bytes)?;
            let reply = match link.hear()? {
                Heard::Message(reply) if request.is_answered_by(&reply) => reply,
                heard => {
                    self.is_silent = number == 0 && matches!(heard, Heard::Silence(..));
                    return Err(self.unexpected(&link, heard, number));
                }
            };
            took.push(deadline::now().saturating_duration_since(began));
            self.reply_bytes = match number {
                0 => reply.len(),
                _ => self.reply_bytes.min(reply.len()),
            };
            tells_time |= reply.iter().any(u8::is_ascii_digit);
        }
        if tells_time && self.exchange.is_exact() {
            // By then a clock tells another time.
            link.pause(TICK)?;
            let request = self.request()?;
            link.give(&request.bytes)?;
            match link.hear()? {
                Heard::Message(reply) if request.is_answered_by(&reply) => {}
                heard => return Err(self.unexpected(&link, heard, EXCHANGES)),
            }
        }
        let took = Took::of(took);
        self.times.usual = took.median();
        self.times.slowest = took.slowest();
        // What is slow to look at what has come does so later, too.
        self.times.gap = self.times.gap.max((took.slowest() * GAP).min(GAP_MAX));
        self.times.patience = (took.slowest() * PATIENCE).clamp(PATIENCE_MIN, PATIENCE_MAX);
        Ok(())
    }

    fn nth(&self, requests: &mut Requests<'_>, number: usize) -> Result<Request, Finding> {
        let mut request = self.next(requests)?;
        for _ in 0..number {
            request = self.next(requests)?;
        }
        Ok(request)
    }

    /// What is to be said when this came in the place of an answer, behind so many right ones.
    fn unexpected(&self, link: &Link, heard: Heard, behind: usize) -> Finding {
        let differs = match (&heard, &self.exchange) {
            (Heard::Message(came), Exchange::Fixed { reply: Some(reply), .. }) => {
                Some(reply.difference(came))
            }
            _ => None,
        };
        let mut found = link.failed(heard);
        if behind > 0 {
            let replies = units::count(behind as u64, "reply");
            found = found.and(&format!("{replies} before it had been as expected"));
        }
        differs.map_or(found.clone(), |differs| found.and(&differs))
    }

    /// What a user has to know of how answers are judged.
    pub(super) fn judges_answers_by(&self) -> Option<&'static str> {
        matches!(self.exchange, Exchange::Fixed { reply: None, .. }).then_some(
            "no --expect and no --expect-start: any one message counts as the answer, so a wrong \
             one is not seen",
        )
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
        self.is_silent && ask().unwrap_or(false)
    }

    /// A new connection, with nothing read of it.
    pub(super) fn connection(&self) -> Result<Link, Finding> {
        let transport = self
            .endpoint()
            .connect(&self.options)
            .map_err(|error| Finding::failed(error.to_string()))?;
        // Whether a reply is too large is for a probe to say.
        let roomy = self.roomy();
        Ok(Link::new(transport, &roomy, self.times, self.stopper.clone()))
    }

    /// A new connection without the TLS that there should be over it.
    pub(super) fn bare_connection(&self) -> Result<Link, Finding> {
        let connected = without_tls(self.endpoint()).connect(&self.options);
        let transport = connected.map_err(|error| Finding::failed(error.to_string()))?;
        Ok(Link::new(transport, &self.protocol, self.times, self.stopper.clone()))
    }

    /// A new conversation, past its opening and what the server says to it, or by itself.
    pub(super) fn link(&self) -> Result<Link, Finding> {
        let mut link = self.connection()?;
        link.begin(&self.opening)?;
        for number in 1..=self.greeting {
            match link.hear_within(self.times.patience.max(GREETING_MIN))? {
                Heard::Message(_) => {}
                heard => {
                    return Err(link.failed(format_args!("instead of greeting {number}: {heard}")));
                }
            }
        }
        Ok(link)
    }

    /// One that says nothing from its very start.
    pub(super) fn mute_link(&self) -> Result<Link, Finding> {
        if self.opening.is_empty() { self.link() } else { self.connection() }
    }

    /// Those of one conversation.
    pub(super) fn requests(&self) -> Result<Requests<'_>, Finding> {
        self.try_requests().map_err(|failure| failed(&failure))
    }

    fn try_requests(&self) -> Result<Requests<'_>, Failure> {
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
        let mut requests = self.requests()?;
        (0..count).map(|_| self.next(&mut requests)).collect()
    }

    /// A first request with a body of so many bytes, however many the server takes.
    pub(super) fn sized_request(&self, bytes: usize) -> Result<Request, Finding> {
        let roomy = self.roomy();
        let requests = Requests::new(&self.exchange, &self.fields, &roomy);
        let mut requests = requests.map_err(|failure| failed(&failure))?;
        requests.sized(bytes).map_err(Finding::skipped)
    }

    /// The same framing, with room for what is larger than it may be.
    fn roomy(&self) -> Protocol {
        self.protocol.with_max(self.max.unwrap_or(0).max(SIZED_BYTES_MAX))
    }

    /// A first request without a body.
    pub(super) fn empty_request(&self) -> Result<Request, Finding> {
        let empty = self.requests()?.empty();
        empty.map_err(|_| Finding::skipped("there is no empty message in this framing"))
    }

    /// How many bytes of message the answer to a request has, at the least, as far as is known.
    pub(super) fn reply_bytes(&self, request: &Request) -> usize {
        if self.is_echo() { request.reply_bytes_min() } else { self.reply_bytes }
    }

    /// Whether it sends every message back.
    pub(super) fn is_echo(&self) -> bool {
        matches!(self.exchange, Exchange::Echo)
    }

    /// Whether it ends a conversation behind so many replies, however it goes: one in which each is
    /// read before the next request is sent.
    pub(super) fn ends_after(&self, replies: usize) -> Result<bool, Finding> {
        let (mut link, mut requests) = (self.link()?, self.requests()?);
        let until = deadline::after(IN_STEP_MAX);
        for number in 0..=replies {
            let request = self.next(&mut requests)?;
            if deadline::has_passed(until) {
                break;
            }
            if link.exchange(&request).is_err() {
                return Ok(number == replies);
            }
        }
        Ok(false)
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

    /// How it is known to be dead, or as good as that, where it does not serve any more.
    pub(super) fn death(&self) -> Option<Death> {
        let dead = |found: &Finding| found.verdict == Verdict::Failed;
        let found = self.is_alive().or_else(|_| self.is_alive()).err().filter(dead)?;
        let ended = self.child().and_then(|child| {
            // It stops listening a moment before it is gone.
            child.usage_when(|usage| usage.processes == 0, self.times.patience);
            child.ended()
        });
        Some(Death { ended, came: found.came })
    }

    /// Whether nobody is there any more to let a client in, as far as one can tell.
    pub(super) fn is_gone(&self) -> bool {
        self.endpoint().connect(&self.options).is_err()
    }

    /// Where it is: it may be started again on another port.
    pub(super) fn endpoint(&self) -> Endpoint {
        self.child.as_ref().map_or_else(|| self.endpoint.clone(), Child::endpoint)
    }

    /// The server's processes, where it was started here.
    pub(super) fn child(&self) -> Option<&Child> {
        self.child.as_ref()
    }

    /// Starts it again, on the same port if need be, and waits until it serves: it may accept while
    /// it recovers, and serve a moment later. That it does not is seen by whoever asks next.
    ///
    /// # Errors
    /// It is not started here, or does not accept.
    pub(super) fn restart(&self, on_the_same_port: bool) -> Asked {
        self.started()?.restart(on_the_same_port).map_err(Finding::failed)?;
        self.await_serving();
        Ok(())
    }

    /// Waits until it serves, or has had time enough to do so.
    pub(super) fn await_serving(&self) {
        let until = deadline::after(SERVING_MAX);
        let has_ended = || self.child().is_some_and(|child| child.ended().is_some());
        while self.is_alive().is_err() && !has_ended() && !deadline::has_passed(until) {
            if link::pause(self.times.gap, &self.stopper).is_err() {
                return;
            }
        }
    }

    /// Bytes of memory that these have in use.
    pub(super) fn memory_bytes(&self) -> Option<u64> {
        self.child().map(|child| child.usage().resident)
    }

    /// The same, for what cannot be asked without.
    pub(super) fn started(&self) -> Result<&Child, Finding> {
        let why = "the server's processes are known only where it is started here: --exec COMMAND";
        self.child().ok_or_else(|| Finding::skipped(why))
    }

    /// The same, of a server that something has been done to.
    pub(super) fn survives(&self, link: &Link) -> Asked {
        link.pause(self.times.gap)?;
        let Err(found) = self.is_alive() else { return Ok(()) };
        match found.verdict {
            // Of one that serves nobody beside this client it is seen when that one has gone.
            Verdict::Failed if !self.serves_side_by_side() => Ok(()),
            Verdict::Failed => {
                Err(link.failed(format_args!("a new conversation, then: {}", found.came)))
            }
            _ => Err(found),
        }
    }

    /// Whether a client is served beside another one that is silent. Where none is, nothing can be
    /// asked of two at a time, and that is blamed once (K1).
    pub(super) fn serves_side_by_side(&self) -> bool {
        *self.serves_side_by_side.get_or_init(|| canary::serves_beside_a_silent_one(self).is_ok())
    }

    /// Whether the end of a first request is told by what stands there, and by nothing before it.
    pub(super) fn is_delimited(&self, request: &Request) -> bool {
        let endless = [&request.bytes[..request.body.start], &[b'x'; 4096][..]].concat();
        let goes_on =
            matches!(Decoder::new(self.framing()).step(&endless, false), Ok(Step::Need(_)));
        goes_on && request.length.is_none() && request.trailer_bytes() > 0
    }

    /// Whether these bytes and the end of the stream behind them are a whole message.
    pub(super) fn is_whole(&self, bytes: &[u8]) -> bool {
        let mut decoder = Decoder::new(self.framing());
        matches!(decoder.step(bytes, true), Ok(Step::Frame(_)))
    }

    pub(super) fn stopper(&self) -> &Stopper {
        &self.stopper
    }
}

fn failed(failure: &Failure) -> Finding {
    Finding::skipped(failure.to_string())
}
