//! Peers that are cut off without a word: two network namespaces, joined by a pair of virtual
//! cables, one of which is pulled. Whoever waits for the other side is told, in time, and nothing
//! of its conversation is left.
//!
//! A process with more than one thread cannot enter a namespace, and one that forks must have no
//! other thread. So this binary has no test harness, and starts itself again in roles:
//!
//! ```text
//!   main ── unshare ──> link: the first namespace, pulls the cable and looks at the time
//!                         ├── serve HOW MODE, for each: a server that is told of dead peers
//!                         ├── call MODE, for each: blocking clients
//!                         └── unshare ──> peers: the second namespace, who falls silent
//! ```

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![expect(clippy::print_stdout, reason = "the roles talk by lines, and the test tells how it went")]

mod call;
mod link;
mod mode;
mod peers;
mod serve;

use std::process::{Command, ExitCode};

/// Which role a process has, and what it is to know.
const ROLE: &str = "SWITCHBOARD_DEAD_PEERS";

/// How a role says that this machine has no namespaces for it.
const CANNOT: i32 = 77;

fn main() -> ExitCode {
    let role = std::env::var(ROLE).unwrap_or_default();
    let words: Vec<&str> = role.split_whitespace().collect();
    match words[..] {
        [] => return test(),
        ["link"] => return link::run(),
        ["peers"] => peers::run(),
        ["serve", how, mode] => serve::run(how, mode::parse(mode)),
        ["call", mode] => call::run(mode::parse(mode)),
        _ => panic!("no such role: {role}"),
    }
    ExitCode::SUCCESS
}

/// This program in another role; `unshare` for one in a namespace of its own.
fn role(unshare: &[&str], role: &str) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut command = match unshare {
        [] => Command::new(own),
        [program, options @ ..] => {
            let mut command = Command::new(program);
            command.args(options).arg(own);
            command
        }
    };
    command.env(ROLE, role);
    command
}

/// The one test there is, told as the harness tells its own.
fn test() -> ExitCode {
    let name = "a_peer_that_is_cut_off_is_told_in_time_and_nothing_is_left";
    let filters: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
        return ExitCode::SUCCESS;
    }
    println!("\nrunning 1 test");
    let why = match role(&["unshare", "--user", "--map-root-user", "--net"], "link").status() {
        Ok(status) if status.success() => None,
        Ok(status) if status.code() == Some(CANNOT) || status.code() == Some(1) => {
            Some(format!("there are no namespaces for it here ({status})"))
        }
        Ok(status) => panic!("{name}: {status}"),
        Err(error) => Some(format!("unshare (of util-linux): {error}")),
    };
    if let Some(why) = why {
        println!("skipped: {why}");
        assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "and nothing may be skipped");
    }
    println!("test {name} ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored\n");
    ExitCode::SUCCESS
}
