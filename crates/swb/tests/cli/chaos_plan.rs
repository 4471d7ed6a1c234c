//! The faults of `swb chaos` as they are given: refused with their column, read again at SIGHUP.

use std::io::{Read, Write};

use rustix::process::{Pid, Signal, kill_process};

use switchboard::transport::fault::Fault;

use crate::chaos::start;
use crate::support::{Dir, Running, read_to_end, run, server};

fn refused(args: &[&str]) -> String {
    let ran = run(&[&["chaos", "127.0.0.1:0", "127.0.0.1:1"], args].concat(), b"");
    assert_eq!((ran.exit, ran.text()), (2, ""), "{}", ran.stderr);
    ran.stderr
}

#[test]
fn a_fault_that_cannot_be_read_is_refused_with_its_column() {
    for (fault, expected) in [
        ("resett", "swb: --fault 'resett': column 1: there is no fault 'resett'; there are split"),
        ("reset@s2x", "swb: --fault 'reset@s2x': column 7: there is no direction 's2x'"),
        ("delay(5)", "swb: --fault 'delay(5)': column 7: a unit is missing: 5ms, 5s"),
        ("drop msg:x", "swb: --fault 'drop msg:x': column 10: a message is written msg:7"),
        ("drop match:/(/", "swb: --fault 'drop match:/(/': column 12: no pattern: unclosed group"),
    ] {
        let told = refused(&["-f", "lines", "--fault", fault]);
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn a_fault_that_cannot_be_done_is_refused_with_the_reason() {
    let told = refused(&["--fault", "delay(1s)", "--fault", "drop"]);
    let why = "swb: fault 2, drop: column 1: drop is about whole messages, and without a framing \
               there are none: give one\n";
    assert_eq!(told, why);
    let args = ["chaos", "unix:@swb-chaos-none", "127.0.0.1:1", "--fault", "dead@c2s"];
    let told = run(&args, b"").stderr;
    assert!(told.contains("unix:@swb-chaos-none has none: use deaf or blackhole"), "{told}");
    let told = refused(&["--max", "1k"]);
    assert!(told.contains("--frame"), "{told}");
}

#[test]
fn a_file_that_says_no_faults_is_refused() {
    let dir = Dir::new("chaos-config");
    let path = dir.path.join("chaos.toml");
    let shown = path.display().to_string();
    assert!(refused(&["--config", &shown]).contains(&format!("cannot read {shown}: ")));
    std::fs::write(&path, "faults = ['reset', 'rest']").unwrap();
    let told = refused(&["--config", &shown]);
    let why = format!("swb: {shown}: fault 2, 'rest': column 1: there is no fault 'rest'");
    assert!(told.starts_with(&why), "{told}");
}

#[test]
fn every_fault_of_the_page_is_one() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/chaos.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut seen = 0;
    for row in page.lines().filter(|line| line.matches('|').count() == 4) {
        let cell = row.split('|').nth(2).unwrap();
        for written in cell.split('`').skip(1).step_by(2) {
            let fault = written.replace("=N", "=3").parse::<Fault>();
            assert!(fault.is_ok(), "{written}: {fault:?}");
            seen += 1;
        }
    }
    assert!(seen >= 33, "{seen}");
}

/// Sends a SIGHUP.
fn hang_up(chaos: &Running) {
    kill_process(Pid::from_child(&chaos.child), Signal::HUP).unwrap();
}

#[test]
fn a_file_is_read_again_at_a_hangup() {
    let (upstream, server) = server(|mut stream| {
        let mut got = Vec::new();
        let mut line = [0; 2];
        while stream.read_exact(&mut line).is_ok() {
            got.extend_from_slice(&line);
            stream.write_all(b"!").unwrap();
        }
        got
    });
    let dir = Dir::new("chaos-hangup");
    let path = dir.path.join("chaos.toml");
    std::fs::write(&path, "faults = ['dup@c2s']").unwrap();
    let shown = path.display().to_string();
    let args = ["-f", "lines", "--config", &shown, "--fault", "split(at=1, gap=1ms)@c2s"];
    let mut chaos = start(&upstream, &[&args[..], &["--count", "1"]].concat());
    let mut client = chaos.connect();
    client.write_all(b"a\n").unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    while !chaos.line().contains("2 times in all") {}
    // One that says none: told, and all stays as it is.
    std::fs::write(&path, "faults = ['dop@c2s']").unwrap();
    hang_up(&chaos);
    let told = chaos.told("swb: the faults stay as they are: ");
    assert!(told.contains("column 1: there is no fault 'dop'"), "{told}");
    client.write_all(b"b\n").unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    // The one that is open has the new ones.
    std::fs::write(&path, "faults = ['drop@c2s first:1']").unwrap();
    hang_up(&chaos);
    let plan = r#""faults":["split(at=1, gap=1ms)@c2s","drop@c2s first:1"]"#;
    while !chaos.line().contains(plan) {}
    client.write_all(b"c\nd\n").unwrap();
    client.read_exact(&mut [0]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client).unwrap(), b"");
    assert_eq!(server.join().unwrap(), b"a\na\nb\nb\nd\n");
    assert_eq!(chaos.end().exit, 0);
}
