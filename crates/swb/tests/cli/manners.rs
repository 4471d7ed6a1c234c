//! What holds for every verb: help, suggestions, exit codes, a closed stdout.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::support::{Dir, run, swb};

fn verbs() -> Vec<String> {
    let help = run(&["-h"], b"");
    let text = help.text();
    let list = text.split("Verbs:\n").nth(1).expect("a list of verbs");
    let verbs = list.lines().take_while(|line| !line.is_empty());
    verbs.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn short_help_fits_a_screen() {
    let mut pages = vec![vec!["-h".to_owned()]];
    pages.extend(verbs().into_iter().map(|verb| vec![verb, "-h".to_owned()]));
    for page in pages {
        let args: Vec<&str> = page.iter().map(String::as_str).collect();
        let ran = run(&args, b"");
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{page:?}");
        assert!(ran.lines().len() <= 24, "{page:?} has {} lines", ran.lines().len());
        let widest = ran.lines().iter().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 100, "{page:?} is {widest} wide");
    }
}

#[test]
fn long_help_has_examples() {
    for verb in verbs() {
        let ran = run(&[&verb, "--help"], b"");
        let examples = ran.text().split("Examples:\n").nth(1).expect("examples");
        assert!(examples.lines().all(|line| line.starts_with("  ")), "{verb}: {examples}");
        assert!(examples.contains("swb "), "{verb}: {examples}");
    }
}

#[test]
fn unknown_words_get_a_suggestion_and_exit_2() {
    let ran = run(&["decoed"], b"");
    assert_eq!((ran.exit, ran.text()), (2, ""));
    assert!(ran.stderr.contains("decode"), "{}", ran.stderr);
    let ran = run(&["decode", "--fram", "lines"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("'--frame'"), "{}", ran.stderr);
    assert_eq!(run(&[], b"").exit, 2);
}

#[test]
fn a_wrong_framing_shows_the_column_and_the_nearest_spelling() {
    let ran = run(&["decode", "--frame", "type:1 len:u32bee"], b"");
    assert_eq!((ran.exit, ran.text()), (2, ""));
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines[0].starts_with("swb: framing, column 12: "), "{}", ran.stderr);
    assert_eq!(lines[1], "  type:1 len:u32bee");
    assert_eq!(lines[2], format!("  {:>12}", "^"));
    assert!(lines[3].contains("u32be"), "{}", ran.stderr);
    for (wrong, column) in [("u8 u8", 4), ("fixed:0", 7), ("lines max=x", 11)] {
        let ran = run(&["encode", "-f", wrong], b"");
        let expected = format!("swb: framing, column {column}: ");
        assert!(ran.stderr.starts_with(&expected), "{wrong}: {}", ran.stderr);
        assert_eq!(ran.exit, 2);
    }
}

#[test]
fn wrong_sizes_are_refused_in_words() {
    let ran = run(&["decode", "--frame", "lines", "--max", "16MB"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("a size is written 4096, 64k, 16MiB or 1g"), "{}", ran.stderr);
    assert_eq!(run(&["decode", "--frame", "lines", "--read-size", "0"], b"").exit, 2);
}

#[test]
fn flags_stand_in_any_order() {
    for args in [
        ["decode", "--hex", "--frame", "lines", "-"],
        ["decode", "-", "--frame", "lines", "--hex"],
        ["decode", "--frame", "lines", "-", "--hex"],
    ] {
        assert_eq!(run(&args, b"A\n").text(), "41\n");
    }
}

#[test]
fn a_closed_stdout_is_a_quiet_end() {
    let mut child = swb(&["decode", "--frame", "lines"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let wrote = std::thread::spawn(move || {
        use std::io::Write;
        // It goes on until the other end is gone, so this ends only if swb does.
        while stdin.write_all(&[b'\n'; 4096]).is_ok() {}
    });
    let output = child.wait_with_output().unwrap();
    wrote.join().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn version_and_help_go_to_stdout() {
    let ran = run(&["--version"], b"");
    assert_eq!((ran.exit, ran.text()), (0, "swb 0.1.0\n"));
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&["completions", shell], b"");
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{shell}");
        assert!(ran.text().contains("read-size"), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh"], b"").exit, 2);
}

#[test]
fn bash_takes_the_completions() {
    let script = run(&["completions", "bash"], b"").stdout;
    let Ok(mut bash) = Command::new("bash").args(["-n"]).stdin(Stdio::piped()).spawn() else {
        return;
    };
    use std::io::Write;
    bash.stdin.take().unwrap().write_all(&script).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn manual_pages() {
    let ran = run(&["man"], b"");
    assert_eq!(ran.exit, 0);
    assert!(ran.text().contains(".TH swb 1"), "{}", ran.text());
    assert!(run(&["man", "decode"], b"").text().contains("read\\-size"));
    let ran = run(&["man", "nothing"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.starts_with("swb: no verb 'nothing'; there are "), "{}", ran.stderr);
}

#[test]
fn manual_pages_into_a_directory() {
    let dir = Dir::new("man");
    let ran = run(&["man", "--dir", dir.path.to_str().unwrap()], b"");
    assert_eq!((ran.exit, ran.text()), (0, ""));
    for verb in verbs() {
        let mut page = String::new();
        let path = dir.path.join(format!("swb-{verb}.1"));
        std::fs::File::open(path).unwrap().read_to_string(&mut page).unwrap();
        assert!(page.contains(&format!("swb\\-{verb}")), "{verb}");
    }
    assert_eq!(run(&["man", "--dir", "/nowhere/at/all"], b"").exit, 2);
}

/// What stands between, and what says again: each number has a least and a most.
#[test]
fn numbers_have_bounds() {
    let tap = ["tap", "127.0.0.1:0", "unix:/nobody", "--frame", "lines"];
    let chaos = ["chaos", "127.0.0.1:0", "unix:/nobody", "--frame", "lines"];
    let replay = ["replay", "/dev/null", "unix:/nobody"];
    for verb in [&tap[..], &chaos, &replay] {
        let time = if verb == replay { "--timeout" } else { "--connect-timeout" };
        refuses(verb, &[time, "9999999h"], "it may be at most 8760h");
        refuses(verb, &[time, "5"], "a unit is missing: 5ms, 5s");
        refuses(verb, &["--liveness", "19h"], "it may be at most 18h");
        refuses(verb, &["--liveness", "2s"], "it must be at least 3s");
    }
    for verb in [&tap, &chaos] {
        refuses(verb, &["--count", "0"], "it must be at least 1");
        refuses(verb, &["--count", "99999999999999999999"], "a number is written in digits");
        refuses(verb, &["--max", "0"], "it must be at least 1");
        refuses(verb, &["--max", "1MB"], "a size is written");
    }
    refuses(&chaos, &["--seed", "99999999999999999999"], "number too large");
    refuses(&chaos, &["--fault", "delay(9999999h)"], "column 7: it may be at most 8760h");
    refuses(&chaos, &["--fault", "dup(99999)"], "column 5: it must be from 1 to 64");
}

fn refuses(verb: &[&str], args: &[&str], expected: &str) {
    let ran = run(&[verb, args].concat(), b"");
    assert_eq!((ran.exit, ran.text()), (2, ""), "{verb:?} {args:?}: {}", ran.stderr);
    assert!(ran.stderr.contains(expected), "{verb:?} {args:?}: {}", ran.stderr);
}
