//! What the book shows of `swb` is what `swb` takes.

use std::path::Path;

use crate::support::run;

/// Every command of a page: from the word on, to the end of the line or of the quotation.
fn commands(page: &str, word: &str) -> Vec<String> {
    let mut is_code = false;
    let mut commands = Vec::new();
    for line in page.lines() {
        is_code ^= line.starts_with("```");
        if let (true, Some(at)) = (is_code, line.find(word)) {
            let command = line[at..].trim_end_matches(['\'', '&', ' ']);
            commands.push(command.to_owned());
        }
    }
    commands
}

/// The words of a command; a blank between quotes is in a word.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in command.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn the_flags_of_the_pages_are_flags_of_their_verbs() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src");
    let verbs = [
        ("production.md", "swb serve ", 6),
        ("recipes.md", "swb serve ", 3),
        ("measuring.md", "swb bench ", 2),
        ("chaos.md", "swb chaos ", 6),
    ];
    for (page, verb, least) in verbs {
        let text = std::fs::read_to_string(book.join(page)).unwrap();
        let commands = commands(&text, verb);
        assert!(commands.len() >= least, "{page}: {commands:?}");
        for command in commands {
            let words = words(&command);
            let mut words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
            // What is behind `exec` is another program's.
            if let Some(exec) = words.iter().position(|word| *word == "exec") {
                words.truncate(exec);
            }
            // It ends the look at the words, and is reached only if all before it are known.
            words.push("--help");
            let ran = run(&words, b"");
            assert_eq!(ran.exit, 0, "{page}: {command}: {}", ran.stderr);
        }
    }
}
