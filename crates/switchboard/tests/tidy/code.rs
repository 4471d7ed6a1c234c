//! Rust source with its comments and strings blanked out, so that braces and words can be counted.

/// The text with every comment, string and character literal replaced by blanks. Line breaks stay,
/// so lines keep their numbers.
pub(crate) fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// The end of the comment, string or character that begins at `at`; `at` itself if none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |n: usize| chars.get(at + n).copied().unwrap_or('\0');
    match chars[at] {
        '/' if next(1) == '/' => until(chars, at, |c| c == '\n'),
        '/' if next(1) == '*' => block_comment_end(chars, at),
        '"' => quoted_end(chars, at, '"'),
        'r' if !in_word(chars, at) && (next(1) == '"' || next(1) == '#') => raw_end(chars, at),
        'r' if next(1) == '"' && at > 0 && chars[at - 1] == 'b' => raw_end(chars, at),
        'r' if next(1) == '#' && at > 0 && chars[at - 1] == 'b' => raw_end(chars, at),
        // A lifetime has no closing quote right behind its first character.
        '\'' if next(1) == '\\' || next(2) == '\'' => quoted_end(chars, at, '\''),
        _ => at,
    }
}

fn until(chars: &[char], at: usize, stop: impl Fn(char) -> bool) -> usize {
    chars[at..].iter().position(|c| stop(*c)).map_or(chars.len(), |n| at + n)
}

fn in_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut here = at;
    while here + 1 < chars.len() {
        match (chars[here], chars[here + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                here += 1;
                continue;
            }
        }
        here += 2;
        if depth == 0 {
            return here;
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut here = at + 1;
    while here < chars.len() {
        match chars[here] {
            '\\' => here += 2,
            c if c == quote => return here + 1,
            _ => here += 1,
        }
    }
    chars.len()
}

/// The end of a raw string; `at` if this is a raw identifier.
fn raw_end(chars: &[char], at: usize) -> usize {
    let open = until(chars, at + 1, |c| c != '#');
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let hashes = open - at - 1;
    let closes = |here: usize| {
        chars[here] == '"'
            && here + hashes < chars.len()
            && chars[here + 1..=here + hashes].iter().all(|c| *c == '#')
    };
    (open + 1..chars.len()).find(|here| closes(*here)).map_or(chars.len(), |n| n + hashes + 1)
}

/// Every word of blanked code with the number of its line, from 1, and its offset in bytes.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    code.lines().enumerate().flat_map(move |(line, text)| {
        let base = text.as_ptr() as usize - code.as_ptr() as usize;
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).map(
            move |word| {
                let offset = word.as_ptr() as usize - text.as_ptr() as usize;
                (line + 1, base + offset, word)
            },
        )
    })
}

/// The first line of every function with a body and how many lines it takes, in blanked code.
pub(crate) fn functions(code: &str) -> Vec<(usize, usize)> {
    words(code)
        .filter(|(_, _, word)| *word == "fn")
        .filter_map(|(line, offset, _)| Some((line, body_lines(&code[offset..])?)))
        .collect()
}

/// How many lines from a `fn` to the brace that closes its body; `None` without a body, as in a
/// trait or a function pointer's type.
fn body_lines(code: &str) -> Option<usize> {
    let mut nested = 0;
    let mut braces = 0;
    for (offset, c) in code.char_indices() {
        match c {
            '(' | '[' => nested += 1,
            // A closing bracket of something that was opened before: `fn` stood in a type.
            ')' | ']' if nested == 0 => return None,
            ')' | ']' => nested -= 1,
            ';' | ',' | '=' if nested == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 0 => return None,
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return Some(code[..=offset].matches('\n').count() + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn comments_and_strings_are_blanked() {
    let blank = |text: &str| blanked(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(blank("a // { \n b"), "a b");
    assert_eq!(blank("a /* { /* { */ { */ b"), "a b");
    assert_eq!(blank(r#"a "{ \" {" b"#), "a b");
    assert_eq!(blank("a r#\"{ \" {\"# b"), "a b");
    assert_eq!(blank("a br\"{\" b"), "a b b");
    assert_eq!(blank("'{' '\\'' '\\u{1}' <'a> x"), "<'a> x");
    assert_eq!(blank("r#type { }"), "r#type { }");
}

#[test]
fn functions_are_measured() {
    assert_eq!(functions("fn a() {\n  {\n  }\n}\nfn b() {}"), [(1, 4), (5, 1)]);
    assert_eq!(
        functions("trait T {\n fn a(&self);\n fn b(&self) -> [u8; 2] {\n [0; 2]\n }\n}"),
        [(3, 3)]
    );
    assert_eq!(functions("type F = fn(u8) -> u8;\nstruct S { f: fn(u8), g: u8 }"), []);
}
