//! What is told, and in which form.

use crate::servers::Server;
use crate::{command, doctor};

#[test]
fn results_are_told_in_the_order_of_the_catalogue() {
    let server = Server::swb(&["127.0.0.1:0", "--frame", "u32be", "--idle", "1s", "echo"]);
    let args = ["--frame", "u32be", "--echo", "--json", "--only", "S2,T1,F4", "--idle", "1s"];
    let told = doctor(&server.said, &args);
    assert_eq!(told.exit, 0, "{}", told.stderr);
    let objects = told.objects();
    // T1 is known last, and told before S2.
    let ids: Vec<_> = objects.iter().filter_map(|object| object["id"].as_str()).collect();
    assert_eq!(ids, ["F4", "T1", "S2"]);
    let summary = objects.last().unwrap();
    assert_eq!((summary["type"].as_str(), summary["ok"].as_u64()), (Some("summary"), Some(3)));
    assert!(summary["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{summary}");
}

#[test]
fn the_last_line_sums_up() {
    let server = Server::swb(&["127.0.0.1:0", "--frame", "u32be", "echo"]);
    let told = doctor(&server.said, &["--frame", "u32be", "--echo", "--only", "F4,T1"]);
    let last = told.stdout.lines().last().unwrap();
    assert!(last.starts_with("1 ok, 1 skipped in ") && last.ends_with(" s"), "{}", told.stdout);
}

#[test]
fn the_list_asks_nothing() {
    let told = command("--list", &["--json"]).output().unwrap();
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    let mut ids = Vec::new();
    for line in text.lines() {
        let probe: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in ["id", "name", "sends", "right", "bug", "cure"] {
            assert!(probe[key].as_str().is_some_and(|text| !text.is_empty()), "{line}");
        }
        ids.push(probe["id"].as_str().unwrap().to_owned());
    }
    assert!(ids.len() > 30, "{text}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), text.lines().count(), "an id is there twice");
}

#[test]
fn a_probe_that_does_not_exist_is_wrong_usage() {
    let told = doctor("127.0.0.1:1", &["--frame", "u32be", "--echo", "--only", "F1,X9"]);
    assert_eq!(told.exit, 2, "{}", told.stderr);
    assert!(told.stderr.contains("there is no probe X9; there are K1 F1 "), "{}", told.stderr);
}
