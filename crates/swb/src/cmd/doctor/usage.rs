//! What the server's processes have in use, as /proc tells it.
//!
//! They are all that descend from the process that is looked from: whoever loses its parent is
//! adopted there, so nothing gets away.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use crate::units;

/// More memory than this nobody needs for one conversation; a thread of its own has a stack, and a
/// heap, of so many addresses.
const RESIDENT_MAX: u64 = 64 << 20;
const ADDRESSES_MAX: u64 = 256 << 20;

/// What all of them have in use together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Bytes in memory.
    pub(super) resident: u64,
    /// Bytes of addresses, whether anything is there or not.
    pub(super) addresses: u64,
    pub(super) descriptors: u64,
    /// Processes that live.
    pub(super) processes: u64,
    /// Processes that have ended and that the server has not waited for.
    pub(super) zombies: u64,
    /// Time of processors since the start, also of those that have ended.
    pub(super) processor: Duration,
}

impl Usage {
    /// How much more memory than before is in use, where that is more than one conversation takes,
    /// and is for bytes that have not come.
    pub(super) fn memory_taken(&self, before: &Usage, announced: u64) -> Option<String> {
        let resident = self.resident.saturating_sub(before.resident);
        let addresses = self.addresses.saturating_sub(before.addresses);
        let is_much = resident > RESIDENT_MAX || addresses > ADDRESSES_MAX.max(announced / 8);
        is_much.then(|| {
            let (resident, addresses) = (units::rounded(resident), units::rounded(addresses));
            format!("it took {resident} of memory and {addresses} of virtual memory for it")
        })
    }
}

/// A process of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: i32,
    pub(super) parent: i32,
    pub(super) command: String,
    pub(super) is_zombie: bool,
    /// Of them, and what it has of its ended children.
    ticks: u64,
    addresses: u64,
    pages: u64,
}

/// All that descend from a process, but for one and what descends from that.
pub(super) fn tree(root: i32, but: Option<i32>) -> Vec<Process> {
    let mut all: Vec<Process> = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(id) = id.filter(|id| Some(*id) != but) else { continue };
        // Whoever has ended meanwhile is none.
        let stat = fs::read_to_string(entry.path().join("stat")).ok();
        all.extend(stat.and_then(|stat| Process::read(id, &stat)));
    }
    let mut tree: Vec<Process> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        let of_parent = all.extract_if(.., |process| process.parent == parent);
        for process in of_parent {
            parents.push(process.id);
            tree.push(process);
        }
    }
    tree
}

/// What they have in use; those that have ended and are to be waited for by `root` are not theirs.
pub(super) fn of(tree: &[Process], root: i32) -> Usage {
    let mut usage = Usage::default();
    let mut ticks = 0;
    for process in tree {
        ticks += process.ticks;
        if process.is_zombie {
            usage.zombies += u64::from(process.parent != root);
            continue;
        }
        usage.processes += 1;
        usage.addresses += process.addresses;
        usage.resident += process.pages * rustix::param::page_size() as u64;
        usage.descriptors += process.descriptors();
    }
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    usage.processor = Duration::from_millis(ticks.saturating_mul(1000) / ticks_per_second);
    usage
}

/// The TCP ports that any of them listens on.
pub(super) fn ports(tree: &[Process]) -> Vec<u16> {
    let sockets: Vec<String> = tree.iter().flat_map(Process::sockets).collect();
    let mut ports = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        ports.extend(text.lines().filter_map(|line| listened_on(line, &sockets)));
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Of a line of `/proc/net/tcp`, proc_pid_net(5), where it is of one of these sockets.
fn listened_on(line: &str, sockets: &[String]) -> Option<u16> {
    /// The state of one that listens.
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let (_, port) = local.rsplit_once(':')?;
    let is_theirs = *state == LISTEN && sockets.iter().any(|socket| socket == inode);
    is_theirs.then(|| u16::from_str_radix(port, 16).ok()).flatten()
}

/// For how long each thread of them has run, or has been ready to run and has had to wait for a
/// processor: however busy the machine is, who spins is always one or the other.
pub(super) fn busy(tree: &[Process]) -> HashMap<i32, Duration> {
    let mut busy = HashMap::new();
    for process in tree {
        let tasks = fs::read_dir(format!("/proc/{}/task", process.id));
        for task in tasks.into_iter().flatten().flatten() {
            let id = task.file_name().to_str().and_then(|name| name.parse().ok());
            // Nanoseconds of both, and how often it ran.
            let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let times = stat.split(' ').take(2).map_while(|time| time.parse::<u64>().ok());
            busy.extend(id.map(|id| (id, Duration::from_nanos(times.sum()))));
        }
    }
    busy
}

impl Process {
    /// The sockets that it has, by their numbers.
    fn sockets(&self) -> Vec<String> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.id)).into_iter().flatten().flatten();
        let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
        let socket = |target: std::path::PathBuf| {
            Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        };
        targets.filter_map(socket).collect()
    }

    /// From a line of `/proc/ID/stat`, proc_pid_stat(5).
    fn read(id: i32, stat: &str) -> Option<Process> {
        // The command may have blanks and parentheses in it.
        let (start, rest) = stat.rsplit_once(')')?;
        let (_, command) = start.split_once('(')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // Numbered from 1 there, and the state is the third.
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |at| field(at)?.parse::<u64>().ok();
        Some(Process {
            id,
            command: command.to_owned(),
            is_zombie: matches!(field(3)?, "Z" | "X"),
            parent: field(4)?.parse().ok()?,
            ticks: number(14)? + number(15)? + number(16)? + number(17)?,
            addresses: number(23)?,
            pages: number(24)?,
        })
    }

    /// How many descriptors it has.
    pub(super) fn descriptors(&self) -> u64 {
        fs::read_dir(format!("/proc/{}/fd", self.id)).map_or(0, |entries| entries.count() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_whatever_the_command_is_called() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 50 60 7 8 20 0 1 0 99 4096 12 \
                    18446744073709551615 0 0";
        let read = Process::read(42, stat).expect("it is a line of stat");
        assert_eq!((read.command.as_str(), read.parent), ("a) b (c", 7));
        assert_eq!((read.ticks, read.addresses, read.pages), (125, 4096, 12));
        assert!(!read.is_zombie);
        assert_eq!(Process::read(42, "42 (a) Z 7"), None);
    }

    #[test]
    fn a_child_is_seen_with_what_it_has_and_when_it_is_a_zombie() {
        let root = i32::try_from(std::process::id()).expect("ids are small");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "echo; read it"]);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("there is a shell");
        // Before it says something the system may still be making it.
        let stdout = child.stdout.as_mut().expect("it is piped");
        std::io::Read::read_exact(stdout, &mut [0]).expect("it says that it is there");
        let id = i32::try_from(child.id()).expect("ids are small");
        let seen = || tree(root, None).into_iter().find(|process| process.id == id);
        let process = seen().expect("it is there");
        let usage = of(&[process], root);
        assert!(usage.processes == 1 && usage.resident > 0 && usage.addresses >= usage.resident);
        assert!(usage.descriptors >= 3, "{usage:?}");
        assert_eq!(tree(root, Some(id)).iter().find(|process| process.id == id), None);
        drop(child.stdin.take());
        while seen().is_some_and(|process| !process.is_zombie) {
            std::thread::yield_now();
        }
        // It is this process that has to wait for it.
        let process = seen().expect("nobody has waited for it");
        assert_eq!(of(std::slice::from_ref(&process), root).zombies, 0);
        assert_eq!(of(&[process], root + 1).zombies, 1);
        child.wait().expect("it ends");
        assert_eq!(seen(), None);
    }
}
