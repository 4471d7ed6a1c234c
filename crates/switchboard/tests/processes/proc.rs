//! What the system says about processes: whose children they are, and whether they run.

use rustix::process::{Pid, Signal, kill_process};

/// The children of a process that have not been cleared away, and whether each is a zombie.
pub(crate) fn children(of: u32) -> Vec<(u32, bool)> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let of_it = numbers.filter_map(|pid: u32| {
        let (state, parent) = stat(pid)?;
        (parent == of).then_some((pid, state == "Z"))
    });
    of_it.collect()
}

/// Its children, and theirs.
pub(crate) fn descendants(of: u32) -> Vec<u32> {
    let mut found: Vec<u32> = children(of).into_iter().map(|(pid, _)| pid).collect();
    for place in 0..found.len() {
        found.extend(descendants(found[place]));
    }
    found
}

/// Whether it runs: what nobody has cleared away yet does not.
pub(crate) fn runs(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// Its state and its parent; `None` when it is gone.
fn stat(pid: u32) -> Option<(String, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    let mut words = text.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

pub(crate) fn descriptors(of: u32) -> usize {
    std::fs::read_dir(format!("/proc/{of}/fd")).unwrap().count()
}

/// The process that serves what this one has started.
pub(crate) fn master() -> u32 {
    let [(master, _)] = children(std::process::id())[..] else { panic!("not one child") };
    master
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}
