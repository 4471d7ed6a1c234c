//! Each probe finds the server that was broken for it.

use crate::scratch::Scratch;
use crate::servers::{Mutant, skip};
use crate::{doctor, runs};

/// Those of one letter: a test for each, so that they run side by side.
fn are_found(letter: &str) {
    let mutants = Mutant::all(letter);
    assert!(!mutants.is_empty());
    for mutant in mutants {
        for run in 1..=runs() {
            if mutant.says("tls").is_some() {
                let scratch = Scratch::new();
                let (cert, key) = scratch.certificate();
                let Some(command) = mutant.command(&[&cert, &key]) else { break };
                let more = ["--tls-ca", &cert, "--exec", &command];
                is_found(&mutant, "tls://127.0.0.1:0", &more, run);
            } else if mutant.says("exec").is_some() {
                let Some(command) = mutant.command(&[]) else { break };
                is_found(&mutant, "127.0.0.1:0", &["--exec", &command], run);
            } else {
                let Some(server) = mutant.start() else { break };
                is_found(&mutant, &format!("127.0.0.1:{}", server.said), &[], run);
            }
        }
    }
}

fn is_found(mutant: &Mutant, endpoint: &str, more: &[&str], run: usize) {
    let (name, id) = (mutant.name(), mutant.id());
    let mut args = vec!["--echo", "--json", "--runs", "1", "--only", id, "--frame"];
    args.push(mutant.says("framing").unwrap_or("u32be"));
    args.extend(mutant.says("options").unwrap_or_default().split_whitespace());
    args.extend(more);
    let told = doctor(endpoint, &args);
    let shown = format!("{name}, run {run}: {}{}", told.stdout, told.stderr);
    if told.stdout.contains("takes CAP_NET_ADMIN") {
        return skip(&format!("{name}: not to acknowledge takes CAP_NET_ADMIN"));
    }
    let wanted = mutant.says("verdict").unwrap_or("failed");
    assert_eq!(told.exit, i32::from(wanted == "failed"), "{shown}");
    let objects = told.objects();
    assert_eq!(objects.len(), 2, "{shown}");
    let probe = &objects[0];
    assert_eq!(
        (probe["id"].as_str(), probe["verdict"].as_str()),
        (Some(id), Some(wanted)),
        "{shown}"
    );
    for key in ["right", "came", "bug", "cure"] {
        assert!(probe[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {shown}");
    }
}

#[test]
fn of_back_pressure() {
    are_found("B");
}

#[test]
fn of_closing() {
    are_found("C");
}

#[test]
fn of_framing() {
    are_found("F");
}

#[test]
fn of_lengths() {
    are_found("L");
}

#[test]
fn of_one_at_a_time() {
    are_found("K");
}

#[test]
fn of_restarts_and_what_runs_out() {
    are_found("R");
}

#[test]
fn of_tls() {
    are_found("S");
}

#[test]
fn of_waiting() {
    are_found("T");
}
