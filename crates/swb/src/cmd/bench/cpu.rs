//! What processes have used of a processor: this one, and the server with its descendants.
//!
//! The clock of a process counts nanoseconds, threads that have ended too. Of children that have
//! ended and were waited for, their parent's entry in /proc knows, in ticks of 10 ms.

use std::collections::HashMap;
use std::fs;
use std::io;

use nix::time::ClockId;
use nix::unistd::Pid;

use crate::exit::Failure;

/// What this process has used, in nanoseconds.
pub(super) fn own() -> u64 {
    ClockId::CLOCK_PROCESS_CPUTIME_ID.now().map_or(0, nanoseconds)
}

/// A server on this machine.
pub(super) struct Server {
    pid: i32,
    nanoseconds_a_tick: u64,
}

impl Server {
    /// # Errors
    /// There is no such process, or no /proc to find its children in.
    pub(super) fn new(pid: u64) -> Result<Server, Failure> {
        let refuse = |what: &str, why: &dyn std::fmt::Display| {
            Failure::usage(format_args!("--server-pid {pid}: {what}: {why}"))
        };
        let number = i32::try_from(pid).map_err(|error| refuse("no process", &error))?;
        let ticks = rustix::param::clock_ticks_per_second();
        let server = Server { pid: number, nanoseconds_a_tick: 1_000_000_000 / ticks.max(1) };
        server.used().map_err(|error| refuse("cannot tell what it uses", &error))?;
        Ok(server)
    }

    /// What it and its descendants have used by now, in nanoseconds.
    pub(super) fn used(&self) -> io::Result<u64> {
        let own = ClockId::pid_cpu_clock_id(Pid::from_raw(self.pid)).and_then(ClockId::now)?;
        let table = processes()?;
        let mut sum = nanoseconds(own);
        let mut family = vec![self.pid];
        while let Some(parent) = family.pop() {
            sum += table.get(&parent).map_or(0, |entry| entry.waited_for * self.nanoseconds_a_tick);
            for (child, _) in table.iter().filter(|(_, entry)| entry.parent == parent) {
                // One that has just ended is its parent's the next time.
                let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(*child));
                sum += clock.and_then(ClockId::now).map_or(0, nanoseconds);
                family.push(*child);
            }
        }
        Ok(sum)
    }
}

/// A line of the table of processes.
struct Entry {
    parent: i32,
    /// What children that have ended had used, in ticks.
    waited_for: u64,
}

fn processes() -> io::Result<HashMap<i32, Entry>> {
    let mut table = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // One may end while the others are read.
        let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        table.extend(read(&text).map(|entry| (pid, entry)));
    }
    Ok(table)
}

/// Reads `/proc/PID/stat`: the name, which may hold anything, ends at the last parenthesis.
fn read(stat: &str) -> Option<Entry> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Entry { parent: fields.get(1)?.parse().ok()?, waited_for: ticks(13)? + ticks(14)? })
}

fn nanoseconds(time: nix::sys::time::TimeSpec) -> u64 {
    let (seconds, rest) = (time.tv_sec(), time.tv_nsec());
    u64::try_from(seconds).unwrap_or(0) * 1_000_000_000 + u64::try_from(rest).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_of_processes() {
        let line = "7 (a) b (c)) S 3 7 7 0 -1 0 1 2 3 4 50 60 11 22 20 0 1 0 99";
        let entry = read(line).unwrap();
        assert_eq!((entry.parent, entry.waited_for), (3, 33));
        assert!(read("7 (cut").is_none());
    }

    #[test]
    fn what_this_process_uses_grows_and_a_process_that_is_not_there_is_refused() {
        let server = Server::new(u64::from(std::process::id())).unwrap();
        let before = server.used().unwrap();
        assert!(own() > 0 && before > 0);
        let mut sum = 0_u64;
        while server.used().unwrap() == before {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(Server::new(u64::from(u32::MAX)).is_err());
    }
}
