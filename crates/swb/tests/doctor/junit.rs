//! The file of JUnit, read by somebody else's parser and held against what its readers ask of it.

use std::fs;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::exec::{end_astray, under_way};
use crate::right::{Next, next, send, serving};
use crate::scratch::Scratch;
use crate::servers::{FRAGILE, Server, is_there, own};
use crate::{Told, doctor};

/// What the schema of Jenkins (junit-10.xsd) says of the elements that there are here, and that the
/// counts are true: Jenkins and GitHub's actions believe either the counts or the elements.
const READ: &str = r#"
import sys, xml.etree.ElementTree
suite = xml.etree.ElementTree.parse(sys.argv[1]).getroot()
assert suite.tag == "testsuite" and set(suite.keys()) == {
    "name", "tests", "failures", "errors", "skipped", "time"}, suite.attrib
for case in suite:
    assert case.tag == "testcase" and set(case.keys()) == {"name", "classname", "time"}, case.attrib
    assert float(case.get("time")) >= 0 and len(case) <= 1, case.attrib
    for child in case:
        asked = {"failure": {"type", "message"}, "error": {"type", "message"},
                 "skipped": {"message"}, "system-out": set()}[child.tag]
        assert set(child.keys()) == asked, child.attrib
count = lambda tag: sum(child.tag == tag for case in suite for child in case)
told = [int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")]
assert told == [len(suite), count("failure"), count("error"), count("skipped")], told
print(suite.get("name"), *told)
for case in suite:
    for child in [*case] or [None]:
        tag = "" if child is None else child.tag
        print(case.get("name"), tag, "" if child is None else child.get("message", ""), sep="|")
"#;

/// Its lines: the counts, and each case. None without an interpreter.
fn read(file: &str) -> Option<Vec<String>> {
    if !is_there("python3") {
        return None;
    }
    let read = Command::new("python3").args(["-c", READ, file]).output().unwrap();
    let (text, why) = (read.stdout, String::from_utf8_lossy(&read.stderr));
    assert!(read.status.success(), "{why}{}", fs::read_to_string(file).unwrap());
    Some(String::from_utf8(text).unwrap().lines().map(str::to_owned).collect())
}

fn begins(lines: &[String], expected: &[&str]) {
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{expected}: {lines:?}");
    }
}

/// With words in it that XML has other uses for.
#[test]
fn what_failed_and_what_was_skipped() {
    let scratch = Scratch::new();
    let exec = format!("python3 '{}' {{port}}", scratch.file("server.py", FRAGILE));
    let file = scratch.path("doctor.xml");
    let args = ["--frame", "u32be", "--echo", "--only", "F1,F4,T3", "--exec", &exec];
    if !is_there("python3") {
        return;
    }
    let told = doctor("127.0.0.1:0", &[&args[..], &["--junit", &file]].concat());
    assert_eq!(told.exit, 1, "{}{}", told.stdout, told.stderr);
    let Some(lines) = read(&file) else { return };
    let skipped = "T3 dead peer|skipped|skipped: how soon the server finds out";
    begins(&lines, &["swb doctor 3 1 0 1", "F1 split prefix|failure|", "F4 two in one||", skipped]);
    assert!(lines[1].contains(r"half a <header> & \x1b[31m"), "{lines:?}");
}

/// It works, and nobody's build is stopped by it; what it says is there to be read.
#[test]
fn what_is_weak_passes() {
    let scratch = Scratch::new();
    let ignores_empty_ones = serving(|mut stream| {
        while let Next::Message(body) = next(&mut stream)? {
            if !body.is_empty() {
                send(&mut stream, &body)?;
            }
        }
        Ok(())
    });
    let file = scratch.path("doctor.xml");
    let args = ["--frame", "u32be", "--echo", "--only", "F4,F7", "--runs", "1", "--junit", &file];
    let told = doctor(&ignores_empty_ones, &args);
    assert_eq!(told.exit, 0, "{}", told.stdout);
    assert!(told.stdout.contains(" weak"), "{}", told.stdout);
    let Some(lines) = read(&file) else { return };
    begins(&lines, &["swb doctor 2 0 0 0", "F4 two in one||", "F7 empty|system-out|"]);
}

#[test]
fn an_interrupted_run_is_not_green() {
    let scratch = Scratch::new();
    let file = scratch.path("doctor.xml");
    let (child, _) = under_way(&scratch, 2, &["--junit", &file]);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let told = Told::from(child.wait_with_output().unwrap());
    assert_eq!(told.exit, 143, "{}", told.stderr);
    let Some(lines) = read(&file) else { return };
    begins(
        &lines,
        &[
            "swb doctor 4 0 1 1",
            "F1 split prefix||",
            "F4 two in one||",
            "T1 mute|skipped|skipped: interrupted",
            "the run|error|interrupted: 1 of 3 probes not asked",
        ],
    );
}

#[test]
fn a_run_that_is_killed_is_not_green() {
    let scratch = Scratch::new();
    let file = scratch.path("doctor.xml");
    let (mut child, _) = under_way(&scratch, 2, &["--junit", &file]);
    child.kill().unwrap();
    child.wait().unwrap();
    end_astray(&scratch);
    let Some(lines) = read(&file) else { return };
    begins(&lines, &["swb doctor 1 0 1 0", "the run|error|the doctor was killed"]);
}

#[test]
fn a_run_that_cannot_begin_is_not_green() {
    let scratch = Scratch::new();
    let file = scratch.path("doctor.xml");
    // That of an earlier run.
    fs::write(&file, "<testsuite/>").unwrap();
    let args = ["--frame", "u32be", "--echo", "--junit", &file];
    let told = doctor("127.0.0.1:1", &args);
    assert_eq!(told.exit, 3, "{}", told.stderr);
    let Some(lines) = read(&file) else { return };
    let refused = "the run|error|cannot connect to tcp://127.0.0.1:1: ";
    begins(&lines, &["swb doctor 1 0 1 0", refused]);
    let exec = own("127.0.0.1:{port} --frame u32be echo");
    let other = ["--frame", "u32be", "--send", "hi", "--expect", "ho", "--junit", &file];
    let told = doctor("127.0.0.1:0", &[&other[..], &["--exec", &exec]].concat());
    assert_eq!(told.exit, 2, "{}", told.stderr);
    let Some(lines) = read(&file) else { return };
    begins(&lines, &["swb doctor 1 0 1 0", "the run|error|the server does not answer as expected"]);
}

#[test]
fn a_run_of_which_all_is_skipped_is_not_green() {
    let scratch = Scratch::new();
    let server = Server::swb(&["127.0.0.1:0", "--frame", "u32be", "echo"]);
    let file = scratch.path("doctor.xml");
    let args = ["--frame", "u32be", "--echo", "--only", "T1", "--junit", &file];
    let told = doctor(&server.said, &args);
    assert_eq!(told.exit, 2, "{}", told.stdout);
    let Some(lines) = read(&file) else { return };
    let skipped = "T1 mute|skipped|skipped: how long";
    begins(&lines, &["swb doctor 2 0 1 1", skipped, "the run|error|nothing was asked: each probe"]);
}
