//! Who is let in: the faults of connections.

use super::occasion::{Chooser, Occasion};
use super::plan::{Class, Plan};
use super::record::{Injection, Record};
use super::what::Kind;
use std::time::{Duration, Instant};
use switchboard_frame::Role;

/// The faults of connections under a [`Plan`], for all connections there are, in their order.
///
/// ```
/// use switchboard::deadline;
/// use switchboard::transport::fault::{Admission, Door, Plan};
///
/// let plan = Plan::new(["refuse every:2".parse()?], None)?;
/// let now = deadline::now();
/// let mut door = Door::new(&plan, 7, now);
/// let mut records = Vec::new();
/// assert_eq!(door.admit(1, 0, now, &mut records), Admission::Enter { wait: Default::default() });
/// assert_eq!(door.admit(2, 1, now, &mut records), Admission::Refuse);
/// assert_eq!(records.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Door {
    plan: Plan,
    seed: u64,
    began: Instant,
    choosers: Vec<Chooser>,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Its server is connected to, after a wait.
    Enter {
        /// How long.
        wait: Duration,
    },
    /// It is reset at once.
    Refuse,
    /// It is closed in order; no server hears of it.
    Close {
        /// So long after it came.
        after: Duration,
    },
}

impl Door {
    /// Open from `now` on.
    #[must_use]
    pub fn new(plan: &Plan, seed: u64, now: Instant) -> Door {
        let mut door = Door { plan: plan.clone(), seed, began: now, choosers: Vec::new() };
        door.set_plan(plan);
        door
    }

    /// Another plan for the connections that come from here on; its faults begin anew.
    pub fn set_plan(&mut self, plan: &Plan) {
        self.plan = plan.clone();
        let chooser = |fault: usize| Chooser::new(self.seed, &[u64::MAX, 0, fault as u64]);
        self.choosers = (0..plan.list.len()).map(chooser).collect();
    }

    /// What becomes of connection `n`, from 1 on, beside `open` others.
    pub fn admit(
        &mut self,
        n: u64,
        open: usize,
        now: Instant,
        records: &mut Vec<Record>,
    ) -> Admission {
        let plan = self.plan.clone();
        let mut wait = Duration::ZERO;
        for (fault, planned) in plan.list.iter().enumerate() {
            if planned.class != Class::Connection || !self.picks(fault, n, now) {
                continue;
            }
            let (admission, done) = match planned.fault.kind {
                Kind::SlowAccept { time } => {
                    wait = wait.saturating_add(time);
                    (None, format!("waits for {} ms", time.as_millis()))
                }
                Kind::Refuse => (Some(Admission::Refuse), "reset".to_owned()),
                Kind::AcceptThenClose { after } => {
                    (Some(Admission::Close { after }), "closed".to_owned())
                }
                Kind::LimitConns { count } if open as u64 >= count => {
                    (Some(Admission::Refuse), format!("reset: {open} are open"))
                }
                Kind::Flap { .. }
                    if plan.down_at(self.began, now).is_some_and(|(at, _)| at <= now) =>
                {
                    (Some(Admission::Refuse), "down: reset".to_owned())
                }
                _ => continue,
            };
            records.push(Record::Injection(Injection {
                writer: None,
                fault: planned.text.clone(),
                message: None,
                offset: 0,
                done,
                resets: if admission == Some(Admission::Refuse) { &[Role::Client] } else { &[] },
                time: Duration::ZERO,
            }));
            if let Some(admission) = admission {
                return admission;
            }
        }
        Admission::Enter { wait }
    }

    /// When all began.
    #[must_use]
    pub fn began(&self) -> Instant {
        self.began
    }

    fn picks(&mut self, fault: usize, n: u64, now: Instant) -> bool {
        let occasion = Occasion {
            conversation: n,
            elapsed: now.saturating_duration_since(self.began),
            message: None,
            content: None,
            bytes: 0..1,
        };
        self.choosers[fault].picks(&self.plan.list[fault], &occasion)
    }
}
