//! Holds the house rules that no compiler holds: sizes, sleeps, where `unsafe` may stand, what the
//! engine may depend on. Each rule is a function from a file's text to what is wrong with it, and
//! each is shown a file that breaks it, so that none can pass by not looking.

#![expect(clippy::unwrap_used, reason = "a tree that cannot be read has failed the test")]

mod code;
mod rules;

use std::fs;
use std::path::{Path, PathBuf};

/// What may break a rule, and why. An entry that no longer matches anything is itself a failure.
const EXCEPTIONS: &[(&str, rules::Rule, &str)] = &[
    ("crates/switchboard-frame/tests/vectors/discard.rs", rules::Rule::Columns, TABLE),
    ("crates/switchboard-frame/tests/vectors/hows.rs", rules::Rule::Columns, TABLE),
    ("crates/switchboard-frame/tests/vectors/limits.rs", rules::Rule::Columns, TABLE),
    ("crates/switchboard-frame/tests/vectors/presets.rs", rules::Rule::Columns, TABLE),
    ("crates/switchboard-frame/tests/vectors/records.rs", rules::Rule::Columns, TABLE),
    ("crates/switchboard-frame/tests/vectors/shapes.rs", rules::Rule::Columns, TABLE),
];

const TABLE: &str = "a row of a table of vectors stands on one line, to be read and compared";

/// Folders that hold no source of ours.
const NOT_OURS: &[&str] = &["target", ".git", "corpus", "artifacts", "__pycache__", "node_modules"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file of the tree as a path from its top and a text; what is not UTF-8 is no text.
fn files() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap_or_default();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) {
                walk(&entry.path(), found);
            } else if kind.is_file() && name != ".git" {
                found.push(entry.path());
            }
        }
    }
    let root = root();
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    let text = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        fs::read_to_string(path).ok().map(|text| (name, text))
    };
    found.into_iter().filter_map(text).collect()
}

fn excepted(path: &str, rule: rules::Rule) -> bool {
    EXCEPTIONS.iter().any(|(file, excepted, _)| *file == path && *excepted == rule)
}

#[test]
fn the_tree_is_tidy() {
    let files = files();
    assert!(files.iter().any(|(path, _)| path == "crates/switchboard/tests/tidy/main.rs"));
    let mut wrong = Vec::new();
    for (path, text) in &files {
        for (rule, line, what) in rules::check(path, text) {
            if !excepted(path, rule) {
                wrong.push(format!("{path}:{line}: {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} breaks of the house rules:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_exception_is_still_needed() {
    for (path, rule, why) in EXCEPTIONS {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        let needed = rules::check(path, &text).iter().any(|(broken, ..)| broken == rule);
        assert!(needed, "{path} no longer breaks {rule:?} ({why}): take it off the list");
    }
}
