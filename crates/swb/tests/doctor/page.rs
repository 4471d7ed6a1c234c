//! What the page shows for CI does what it says: its lines are run as they are written.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use yaml_rust2::{Yaml, YamlLoader};

use crate::doctor;
use crate::right::{Next, next, send, serving};
use crate::scratch::Scratch;
use crate::servers::own;

const HEADING: &str = "## Test your socket code in CI in five lines";

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/doctor.md");
    fs::read_to_string(path).unwrap()
}

/// The first block of a language behind the heading.
fn block(language: &str) -> String {
    let page = page();
    let (_, behind) = page.split_once(HEADING).unwrap();
    let (_, block) = behind.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("\n```").unwrap().0.to_owned()
}

/// A folder in which it is run: a server, and programs that stand for those that would fetch or
/// build something. `swb` is ours, and asks a little of what it is told to.
fn project() -> Scratch {
    let scratch = Scratch::new();
    let swb = format!("exec '{}' \"$@\" --only F1,F4 --runs 1", env!("CARGO_BIN_EXE_swb"));
    program(&scratch, "swb", &swb);
    program(&scratch, "python3", "mkdir -p \"$3/bin\" && : > \"$3/bin/activate\"");
    program(&scratch, "pip", "test \"$1 $2\" = 'install .'");
    program(&scratch, "cargo", "test \"$1 $2 $3\" = 'install --path switchboard/crates/swb'");
    // With the port behind --port, or alone.
    let server = own("127.0.0.1:$1 --frame lines echo");
    program(&scratch, "my-server", &format!("test \"$1\" != --port || shift\n{server}"));
    scratch
}

fn program(scratch: &Scratch, name: &str, text: &str) {
    let path = scratch.file(name, &format!("#!/bin/sh\n{text}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn sh(project: &Scratch, lines: &str) -> Output {
    let folder = project.path("");
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("sh");
    command.args(["-e", "-c", lines]).current_dir(&folder).env("PATH", format!("{folder}:{path}"));
    command.output().unwrap()
}

fn has_asked(project: &Scratch, ran: &Output) {
    assert!(ran.status.success(), "{ran:?}");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(told.contains("F4  two in one              ok"), "{ran:?}");
    let junit = fs::read_to_string(project.path("doctor.xml")).unwrap();
    assert!(junit.contains("tests=\"2\" failures=\"0\" errors=\"0\""), "{junit}");
}

#[test]
fn the_lines_of_the_shell() {
    let script = block("sh");
    assert!(script.lines().count() <= 5, "{script}");
    let project = project();
    has_asked(&project, &sh(&project, &script));
}

#[test]
fn the_workflow_of_github() {
    let workflow = &YamlLoader::load_from_str(&block("yaml")).unwrap()[0];
    let job = &workflow["jobs"]["sockets"];
    assert!(job["runs-on"].as_str().is_some(), "{workflow:?}");
    let steps = job["steps"].as_vec().unwrap();
    let has = |step: &Yaml, key: &str| step[key].as_str().is_some();
    assert!(steps.iter().all(|step| has(step, "run") != has(step, "uses")), "{steps:?}");
    let report = steps.last().unwrap();
    assert_eq!(report["if"].as_str(), Some("always()"));
    assert_eq!(report["with"]["report_paths"].as_str(), Some("doctor.xml"));
    let project = project();
    let runs: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    assert_eq!(runs.len(), 2, "{runs:?}");
    let ran = runs.iter().map(|run| sh(&project, run)).next_back().unwrap();
    has_asked(&project, &ran);
}

/// The fields of what is told are those that the page names, no more and no fewer.
#[test]
fn the_fields_of_each_object() {
    let ignores_empty_ones = serving(|mut stream| {
        while let Next::Message(body) = next(&mut stream)? {
            if !body.is_empty() {
                send(&mut stream, &body)?;
            }
        }
        Ok(())
    });
    // One that is well, one that is weak, one that is skipped.
    let ask = ["--frame", "u32be", "--echo", "--json", "--only", "F4,F7,T1", "--runs", "1"];
    let told = doctor(&ignores_empty_ones, &ask);
    for kind in ["probe", "summary"] {
        let objects = told.objects();
        let of_kind = objects.iter().filter(|object| object["type"] == kind);
        let seen = of_kind.flat_map(|object| object.as_object().unwrap().keys().cloned());
        let seen: BTreeSet<String> = seen.filter(|field| field != "type").collect();
        assert_eq!(named(kind), seen, "{}", told.stdout);
    }
}

/// The fields that the page's table of such objects names.
fn named(kind: &str) -> BTreeSet<String> {
    let page = page();
    let (_, behind) = page.split_once(&format!("| `\"type\":\"{kind}\"` |")).unwrap();
    let (_, table) = behind.split_once("|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with("| "));
    let first = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    first.map(str::to_owned).collect()
}
