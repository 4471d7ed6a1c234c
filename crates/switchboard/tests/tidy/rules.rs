//! The rules, one function each.

use super::code;

const LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Where system calls that need it are made; nothing else is `unsafe`.
const UNSAFE_FOLDER: &str = "crates/switchboard/src/sys/";

const LIBRARY_SOURCE: &str = "crates/switchboard/src/";

/// The one place of the library that reads the clock.
const CLOCK_FILE: &str = "crates/switchboard/src/deadline.rs";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    FileLines,
    FunctionLines,
    Columns,
    Ignored,
    Sleeps,
    Unsafe,
    Clock,
    Dependencies,
    MachinePath,
    LeftOver,
    ModuleDocs,
}

/// A break of a rule: which, the line from 1, what to tell.
pub(crate) type Break = (Rule, usize, String);

/// What is wrong with the file at `path`, given from the tree's top, whose text is `text`.
pub(crate) fn check(path: &str, text: &str) -> Vec<Break> {
    let mut found = machine_paths(text);
    if path.ends_with(".rs") {
        let code = code::blanked(text);
        found.extend(sizes(text, &code));
        found.extend(left_over(text, &code));
        found.extend(unsafe_code(path, &code));
        found.extend(clock(path, &code));
        found.extend(module_docs(path, text));
        found.extend(sleeps(path, &code));
    } else if path.ends_with(".py") || path.ends_with(".sh") || path.starts_with("scripts/") {
        found.extend(columns(text));
    }
    if path == "crates/switchboard-frame/Cargo.toml" {
        found.extend(dependencies(text));
    }
    found
}

fn sizes(text: &str, code: &str) -> Vec<Break> {
    let mut found = columns(text);
    let lines = text.lines().count();
    if lines > LINES_MAX {
        let what = format!("{lines} lines, {LINES_MAX} at most: it has two subjects");
        found.push((Rule::FileLines, lines, what));
    }
    for (line, lines) in code::functions(code) {
        if lines > FUNCTION_LINES_MAX {
            let what = format!("a function of {lines} lines, {FUNCTION_LINES_MAX} at most");
            found.push((Rule::FunctionLines, line, what));
        }
    }
    found
}

fn columns(text: &str) -> Vec<Break> {
    let wide = |(index, line): (usize, &str)| {
        let columns = line.chars().count();
        let what = format!("{columns} columns, {COLUMNS_MAX} at most");
        (columns > COLUMNS_MAX).then_some((Rule::Columns, index + 1, what))
    };
    text.lines().enumerate().filter_map(wide).collect()
}

fn left_over(text: &str, code: &str) -> Vec<Break> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        if line.contains("#[ignore") {
            let what = "an ignored test: mend it or take it out".to_owned();
            found.push((Rule::Ignored, index + 1, what));
        }
    }
    for (index, line) in text.lines().enumerate() {
        // Written in two parts, so that this file does not break its own rule.
        if line.contains(concat!("TO", "DO")) || line.contains(concat!("FIX", "ME")) {
            let what = "work left for later belongs in an issue".to_owned();
            found.push((Rule::LeftOver, index + 1, what));
        }
    }
    for (line, _, word) in code::words(code) {
        if word == "todo" || word == "unimplemented" {
            found.push((Rule::LeftOver, line, format!("{word}! is no code")));
        }
    }
    found
}

/// Tests wait for what they wait for, never for a time: in test folders and below `#[cfg(test)]`.
fn sleeps(path: &str, code: &str) -> Vec<Break> {
    let from =
        if path.contains("tests/") { 0 } else { code.find("#[cfg(test)]").unwrap_or(code.len()) };
    let line_from = code[..from].matches('\n').count();
    code::words(&code[from..])
        .filter(|(_, _, word)| *word == "sleep")
        .map(|(line, ..)| (Rule::Sleeps, line_from + line, "a test that sleeps".to_owned()))
        .collect()
}

fn unsafe_code(path: &str, code: &str) -> Vec<Break> {
    if path.starts_with(UNSAFE_FOLDER) {
        return Vec::new();
    }
    code::words(code)
        .filter(|(_, _, word)| *word == "unsafe")
        .map(|(line, ..)| (Rule::Unsafe, line, format!("unsafe outside {UNSAFE_FOLDER}")))
        .collect()
}

/// Time is an argument everywhere but in one file of the library.
fn clock(path: &str, code: &str) -> Vec<Break> {
    if !path.starts_with(LIBRARY_SOURCE) || path == CLOCK_FILE {
        return Vec::new();
    }
    let reads = |(index, line): (usize, &str)| {
        let reads = line.contains("Instant::now") || line.contains("SystemTime::now");
        reads.then(|| (Rule::Clock, index + 1, format!("the clock is read in {CLOCK_FILE}")))
    };
    let tests = code.find("#[cfg(test)]").unwrap_or(code.len());
    code[..tests].lines().enumerate().filter_map(reads).collect()
}

/// A module opens with what it owns.
fn module_docs(path: &str, text: &str) -> Vec<Break> {
    if path.starts_with("crates/") && !text.starts_with("//!") {
        return vec![(
            Rule::ModuleDocs,
            1,
            "a module opens with `//!` and what it owns".to_owned(),
        )];
    }
    Vec::new()
}

/// Places on the machine of whoever wrote the line. In parts, for this file's sake.
fn machine_paths(text: &str) -> Vec<Break> {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for place in places {
            if line.contains(place) {
                found.push((Rule::MachinePath, index + 1, format!("a path of a machine: {place}")));
            }
        }
    }
    found
}

/// The engine depends on memchr, and on what a feature asks for.
fn dependencies(text: &str) -> Vec<Break> {
    let mut found = Vec::new();
    let mut section = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]" && !line.is_empty() && !line.starts_with('#') {
            let name = line.split([' ', '=', '.']).next().unwrap_or_default();
            if name != "memchr" && !line.contains("optional = true") {
                let what = format!("{name}: the engine depends on memchr alone");
                found.push((Rule::Dependencies, index + 1, what));
            }
        }
    }
    found
}

#[cfg(test)]
fn broken(path: &str, text: &str) -> Vec<(Rule, usize)> {
    check(path, text).into_iter().map(|(rule, line, _)| (rule, line)).collect()
}

#[test]
fn a_tidy_file_passes() {
    let text = "//! Owns a.\n\n/// Not \"unsafe\".\nfn a() {\n    b();\n}\n";
    assert_eq!(broken("crates/x/src/a.rs", text), []);
}

#[test]
fn sizes_are_held() {
    let long = "\n".repeat(LINES_MAX + 1);
    assert_eq!(broken("examples/a.rs", &long), [(Rule::FileLines, LINES_MAX + 1)]);
    let function = format!("\nfn a() {{{}}}\n", "\n".repeat(FUNCTION_LINES_MAX));
    assert_eq!(broken("examples/a.rs", &function), [(Rule::FunctionLines, 2)]);
    let wide = format!("// {}", "é".repeat(COLUMNS_MAX - 2));
    assert_eq!(broken("examples/a.rs", &wide), [(Rule::Columns, 1)]);
    assert_eq!(broken("tests/a.py", &wide), [(Rule::Columns, 1)]);
}

#[test]
fn what_does_not_belong_is_found() {
    assert_eq!(broken("examples/a.rs", "\n#[ignore]\nfn a() {}"), [(Rule::Ignored, 2)]);
    assert_eq!(broken("examples/a.rs", concat!("// TO", "DO")), [(Rule::LeftOver, 1)]);
    assert_eq!(broken("examples/a.rs", "fn a() { todo!() }"), [(Rule::LeftOver, 1)]);
    assert_eq!(broken("crates/x/src/a.rs", "fn a() {}"), [(Rule::ModuleDocs, 1)]);
    assert_eq!(broken("docs/a.md", concat!("see /ro", "ot/a")), [(Rule::MachinePath, 1)]);
}

#[test]
fn sleeps_are_found_in_tests_only() {
    let text = "//! A.\nfn a() { sleep(b) }\n";
    assert_eq!(broken("crates/x/src/a.rs", text), []);
    assert_eq!(broken("crates/x/tests/a.rs", text), [(Rule::Sleeps, 2)]);
    let text = "//! A.\n#[cfg(test)]\nmod tests {\n    fn a() { sleep(b) }\n}\n";
    assert_eq!(broken("crates/x/src/a.rs", text), [(Rule::Sleeps, 4)]);
}

#[test]
fn unsafe_has_one_place() {
    let text = "//! A.\nfn a() { unsafe { b() } }\n";
    assert_eq!(broken("crates/switchboard/src/sys/a.rs", text), []);
    assert_eq!(broken("crates/switchboard/src/a.rs", text), [(Rule::Unsafe, 2)]);
}

#[test]
fn the_clock_has_one_place() {
    let text = "//! A.\nfn a() { Instant::now() }\n";
    assert_eq!(broken(CLOCK_FILE, text), []);
    assert_eq!(broken("crates/switchboard/src/session.rs", text), [(Rule::Clock, 2)]);
    assert_eq!(broken("crates/swb/src/a.rs", text), []);
}

#[test]
fn the_engine_depends_on_memchr_alone() {
    let path = "crates/switchboard-frame/Cargo.toml";
    let text = "[dependencies]\nmemchr = \"2\"\nbytes = { version = \"1\", optional = true }\n";
    assert_eq!(broken(path, text), []);
    assert_eq!(broken(path, &format!("{text}serde = \"1\"\n")), [(Rule::Dependencies, 4)]);
    assert_eq!(broken(path, &format!("{text}[dev-dependencies]\nserde = \"1\"\n")), []);
}
