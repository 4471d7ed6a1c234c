//! What may harm a server that others use is asked of this machine's own, or when it is said.

use crate::doctor;
use crate::servers::Server;

/// Of the probes that are intrusive: one that is asked in turn.
const ASK: &[&str] = &["--frame", "u32be", "--echo", "--json", "--runs", "1", "--only", "L1,F1"];

/// The verdict and the reason, of both.
fn of(endpoint: &str, more: &[&str]) -> [(String, String); 2] {
    let told = doctor(endpoint, &[ASK, more].concat());
    assert_eq!(told.exit, 0, "{}{}", told.stdout, told.stderr);
    let objects = told.objects();
    let text = |at: usize, key: &str| objects[at][key].as_str().unwrap_or_default().to_owned();
    [0, 1].map(|at| (text(at, "verdict"), text(at, "why")))
}

#[test]
fn another_machine_is_asked_what_is_intrusive_only_when_it_is_said() {
    let ok = || ("ok".to_owned(), String::new());
    let server = Server::swb(&["127.0.0.1:0", "--frame", "u32be", "echo"]);
    assert_eq!(of(&server.said, &[]), [ok(), ok()]);
    // Linux connects it to this machine, and nothing but the address says so.
    let other = server.said.replace("127.0.0.1", "0.0.0.0");
    let [framing, huge] = of(&other, &[]);
    assert_eq!((framing, huge.0.as_str()), (ok(), "skipped"));
    assert!(huge.1.ends_with(": --intrusive"), "{}", huge.1);
    assert_eq!(of(&other, &["--intrusive"]), [ok(), ok()]);
}
