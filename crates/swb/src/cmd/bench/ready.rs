//! Which connections have something to read or room to write: epoll, told once what to watch.
//!
//! Level-triggered, so a connection is read once for each event and what is left is told again. The
//! time that a wait may take is in milliseconds, rounded up; a schedule needs a timer of its own
//! among what is watched. Both are Linux's; this file is the place to port.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use switchboard::transport::Interest;

use super::limits::EVENTS_MAX;

/// The token of the timer.
const TIMER: u64 = u64::MAX - 1;

const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The kernel's set of what is watched.
pub(super) struct Ready {
    set: OwnedFd,
    events: Vec<epoll::Event>,
    timer: Option<OwnedFd>,
}

/// Something is ready.
#[derive(Clone, Copy)]
pub(super) struct Event {
    /// What it was watched under.
    pub(super) token: u64,
    /// To be read, or ended, or broken: reading tells which.
    pub(super) read: bool,
}

impl Ready {
    /// A punctual one ends a wait to the nanosecond, at the price of a call more.
    pub(super) fn new(is_punctual: bool) -> io::Result<Ready> {
        let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut ready = Ready { set, events: Vec::with_capacity(EVENTS_MAX), timer: None };
        if is_punctual {
            let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
            ready.watch(&timer, TIMER, Interest::READ)?;
            ready.timer = Some(timer);
        }
        Ok(ready)
    }

    pub(super) fn watch(
        &self,
        what: impl AsFd,
        token: u64,
        interest: Interest,
    ) -> Result<(), Errno> {
        epoll::add(&self.set, what, epoll::EventData::new_u64(token), flags(interest))
    }

    pub(super) fn change(
        &self,
        what: impl AsFd,
        token: u64,
        interest: Interest,
    ) -> Result<(), Errno> {
        epoll::modify(&self.set, what, epoll::EventData::new_u64(token), flags(interest))
    }

    /// That it is not watched is as good.
    pub(super) fn forget(&self, what: BorrowedFd<'_>) {
        let _ = epoll::delete(&self.set, what);
    }

    /// Waits until something is ready or the time has passed, or a signal came.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // A time that the kernel's type cannot hold is as good as for ever.
        let mut timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        if let (Some(timer), Some(it_value)) = (&self.timer, timeout)
            && it_value != NOW
        {
            // Set anew it is not ready any more, so nobody has to read it.
            let once = Itimerspec { it_interval: NOW, it_value };
            timerfd_settime(timer, TimerfdTimerFlags::empty(), &once)?;
            timeout = None;
        }
        self.events.clear();
        match epoll::wait(&self.set, spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How many events the last wait found.
    pub(super) fn found(&self) -> usize {
        self.events.len()
    }

    pub(super) fn event(&self, index: usize) -> Event {
        let epoll::Event { flags, data } = self.events[index];
        let broken = epoll::EventFlags::ERR | epoll::EventFlags::HUP;
        Event { token: data.u64(), read: flags.intersects(epoll::EventFlags::IN | broken) }
    }
}

fn flags(interest: Interest) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN, interest.read);
    flags.set(epoll::EventFlags::OUT, interest.write);
    flags
}
