//! Strings that describe no framing: each with its column, a part of what is said, and a part of
//! the hint (empty: there is none to check).

use switchboard_frame::{Framing, Protocol};

#[track_caller]
fn refuses(table: &[(&str, usize, &str, &str)]) {
    let mut wrong = Vec::new();
    for (text, column, message, hint) in table {
        match Framing::parse(text) {
            Ok(framing) => wrong.push(format!("{text}\n  was read as {framing}")),
            Err(error) => {
                let right = error.column() == *column
                    && error.message().contains(message)
                    && error.hint().unwrap_or_default().contains(hint);
                if !right {
                    wrong.push(format!("{error}\n  wanted {column}: {message} / {hint}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn words() {
    refuses(&[
        ("", 1, "found nothing", "u32be"),
        ("   ", 4, "found nothing", "u32be"),
        ("u32eb", 1, "no word", "write u32be"),
        ("lnies", 1, "no word", "write lines"),
        ("LINES", 1, "no word", "write lines"),
        ("postgers", 1, "no word", "write postgres"),
        ("nonsense", 1, "no word", "preset"),
        ("u16", 1, "byte order", "u16be or u16le"),
        ("type:1 len:u32", 12, "byte order", "u32be or u32le"),
        ("u8be", 1, "no byte order", "write u8"),
        ("u12be", 1, "12 bits", "u32be"),
        ("u128be", 1, "128 bits", "64"),
        ("uleb11", 1, "1 to 10 bytes", "uleb10"),
        ("uleb0", 1, "1 to 10 bytes", ""),
        ("dec21", 1, "1 to 20 digits", "dec20"),
        ("dec0", 1, "1 to 20 digits", "write dec1, or more"),
        ("hex17", 1, "1 to 16 digits", "hex16"),
        ("dec", 1, "needs how many digits", "dec5"),
        ("seq:1 until len:u8", 7, "until needs", "untilx0a"),
        ("websocket", 1, "websocket is not there yet", ""),
        ("smtp", 1, "smtp needs smtp-reply, which is not there yet", ""),
        ("pop3", 1, "which is not there yet", ""),
        ("type", 1, "no word", "type{"),
        ("8", 1, "number alone", "fixed:8"),
        ("u8 lines", 4, "stage of its own", "`;`"),
        ("lines lines", 7, "expected an option", "`;`"),
        ("u8 dns", 4, "preset", "`;`"),
        ("fixed", 1, "needs a colon", "fixed:8"),
        ("lines:4", 1, "names no field", ""),
        ("é", 1, "found `é`", ""),
        ("é u8 u9", 1, "found", ""),
        ("\"é\" u9", 5, "9 bits", "u32be"),
    ]);
}

#[test]
fn stages() {
    refuses(&[
        ("u8;", 3, "no stage follows", "leave it out"),
        ("u8 ; ", 4, "no stage follows", ""),
        (";u8", 1, "found `;`", ""),
        ("u8;;u8", 4, "found `;`", ""),
        ("0* u8;u8", 1, "0 times", ""),
        ("u8;2* u8", 4, "for ever", "leave the N*"),
        ("99999999999* u8;u8", 1, "4294967295", ""),
        ("raw;u8", 1, "last stage", ""),
        ("eof;u8", 1, "last stage", ""),
        ("u8}", 3, "closes nothing", ""),
        ("lines,u8", 6, "follows no integer", "u32be,self"),
        ("2* bittorrent;u8", 1, "several stages", ""),
        ("postgres", 1, "each direction", "postgres-client"),
        ("redis max=5", 1, "each direction", "redis-server"),
    ]);
}

#[test]
fn shapes() {
    refuses(&[
        ("fixed:0", 7, "never ends", "fixed:8"),
        ("fixed:", 7, "found nothing", ""),
        ("fixed:8k", 7, "decimal digits", "write 8192"),
        ("fixed:99999999999999999999", 7, "beyond 64 bits", ""),
        ("fixed:20000000", 1, "max is 16777216", "max=20000000"),
        ("fixed:8 max=4", 9, "max is 4", "max=8"),
        ("delim:\"\"", 7, "empty", ""),
        ("delim:", 7, "expected a literal", ""),
        ("delim:x", 7, "empty literal", ""),
        ("delim:\"a\"|\"a\"", 11, "twice", ""),
        ("delim:'a'", 7, "double quotes", ""),
        ("header:", 8, "header's name", "content-length"),
        ("type{}", 6, "without a case", ""),
        ("type{\"a\": u8", 1, "no closing", ""),
        ("type{\"a\": u8,}", 14, "no case follows", ""),
        ("type{\"a\" u8}", 10, "expected `:`", ""),
        ("type{\"\": u8}", 6, "empty", ""),
        ("type{\"a\": u8, x61: u8}", 15, "twice", ""),
        ("type{*: u8, *: u8}", 13, "twice", ""),
        ("type{\"a\": u8; u8}", 13, "one stage", ""),
        ("type{\"a\": 2* u8}", 11, "once", ""),
        ("type{\"a\": bittorrent}", 11, "one stage", ""),
        ("type{*: 0}", 9, "never ends", ""),
        ("type{u8: u8}", 6, "expected a literal", ""),
        ("u8;type{\"a\": raw};u8", 14, "last stage", ""),
    ]);
    let deep = "type{x01:".repeat(17) + "u8" + &"}".repeat(17);
    let error = Framing::parse(&deep).unwrap_err();
    assert_eq!((error.column(), error.message().contains("16 deep")), (16 * 9 + 1, true));
    let long = format!("{}u8", "\"aaaaaaa\" ".repeat(500));
    assert!(Framing::parse(&long).unwrap_err().message().contains("4096 bytes"));
}

#[test]
fn literals() {
    refuses(&[
        ("\"abc", 1, "closing quote", ""),
        ("\"\" u8", 1, "empty literal", ""),
        ("x0 u8", 1, "odd number", "x00"),
        ("x0g u8", 3, "no hex digit", ""),
        ("0x0a u8", 1, "x alone", "x0a"),
        ("\"\\q\" u8", 2, "no escape", "\\n"),
        ("\"\\x1\" u8", 2, "two hex digits", ""),
        ("magic:\"ab\" u8", 7, "no name", "magic:"),
        ("\"a\"\"b\" u8", 4, "expected a blank", ""),
        ("len:dec\"1\"", 5, "begins with a digit", ""),
        ("len:hex\"c\"", 5, "begins with a digit", ""),
    ]);
}

#[test]
fn records() {
    refuses(&[
        ("u8 u16be", 4, "two length fields", "len"),
        ("u8 body u16be", 9, "two length fields", "len"),
        ("type:u8 seq:u16be", 1, "no length field", "len"),
        ("type:1 body", 8, "neither a length nor a literal", ""),
        ("body", 1, "neither a length nor a literal", ""),
        ("\"a\" x01", 1, "no length field and no literal", ""),
        ("type:1 body sum:2 \"x\"", 8, "neither", ""),
        ("body len:u8", 6, "behind the body", ""),
        ("body u8", 6, "behind the body", ""),
        ("u8 body body", 9, "one body", ""),
        ("a:1 a:2 u8", 5, "given twice", ""),
        ("len:4", 1, "integer", "len:u32be"),
        ("max:1 u8", 1, "names no field", ""),
        ("u16be:1 u8", 1, "names no field", ""),
        ("raw:1 u8", 1, "names no field", ""),
        ("xab:1 u8", 1, "names no field", ""),
        ("9a:1 u8", 1, "no name", "letter"),
        ("seq:0 u8", 5, "0 bytes", ""),
        ("0 u8", 1, "0 bytes", ""),
        ("type{x01: 0 u8}", 11, "0 bytes", ""),
        ("70000 u8", 1, "65536", ""),
        ("40000 u8 40000", 1, "65536", ""),
        ("u8 body =pad", 10, "no field pad", ""),
        ("pda:1 u8 body =pad", 16, "no field pad", "write pda"),
        ("=pad pad:u8 u8", 2, "no field pad", ""),
        ("t:untilx0a u8 body =t", 21, "text", ""),
        ("t:9 u8 body =t", 14, "more than 8", ""),
        ("u8 body =", 10, "names the field", ""),
        ("type:u8,self u16be", 9, "only the length", ""),
        ("type:1,self u16be", 7, "follows no integer", "u32be,self"),
        ("u8 max=5 type:1", 10, "expected an option", "before the options"),
    ]);
}

#[test]
fn lengths() {
    refuses(&[
        ("u32be,slef", 7, "found `slef`", "write self"),
        ("u32be, self", 7, "no blank", ""),
        ("u32be,", 7, "found the end", "body, rest"),
        ("u32be,self,frame", 12, "twice", ""),
        ("u8,*2,*3", 7, "twice", ""),
        ("u8,*0", 5, "0 bytes", ""),
        ("u8,&0", 5, "mask of 0", ""),
        ("u8,&zz", 5, "hex digits", ""),
        ("u8,&0x7f", 5, "hex digits", "7f"),
        ("u8,&1ff", 4, "wider", "ff"),
        ("u32be,&11112222333344445", 8, "beyond 64 bits", ""),
        ("u8,+99999999999999999999", 5, "beyond 64 bits", ""),
        ("u8,+9223372036854775808", 5, "more than can be added", ""),
        ("u8,+seq", 5, "no field seq", ""),
        ("u8,+len", 4, "itself", "*2"),
        ("u32be,last=80000000", 7, "counted as length", "&7fffffff"),
        ("u8,&3f,last=c0", 13, "not one bit", ""),
        ("u8,&7f,last=100", 8, "outside", ""),
        ("f:1 u8,last=f&100", 15, "outside", "ff"),
        ("f:1 u8,last=g&1", 13, "no field g", "the fields are f"),
        ("u8,cont=100", 4, "never has the value", ""),
        ("u8,&7f,last=80,cont=ff", 16, "twice", ""),
        ("f:1 u16le,le=f&1", 11, "big-endian", ""),
        ("f:1 u8,le=f&1", 8, "big-endian", ""),
        ("u16be,le=1", 10, "names a field", "le=flags&10"),
        ("u16be,le", 9, "expected `=`", "le=flags&10"),
        ("u8,short=300", 4, "no frame has a body", ""),
        ("i32be,&7fffffff", 7, "signed", "u in place of i"),
        ("u8,-300", 1, "below 0", ""),
        ("u8,frame 255", 1, "short of the 256 bytes", "count less"),
        ("type{\"abcd\": dec1,frame 5}", 14, "short of the 10 bytes", ""),
        ("dec1,self body 20", 1, "short of the 21", ""),
        ("u32be,self body t:untilx0a", 7, "size varies", "fixed size"),
        ("u32be,frame body t:uleb", 7, "size varies", ""),
        ("u16be,+20000000", 1, "max is", "max=20000000"),
    ]);
}

#[test]
fn options() {
    refuses(&[
        ("u8 mxa=5", 4, "no option", "write max="),
        ("u8 max=", 8, "size in bytes", "64k"),
        ("u8 max=5x", 8, "size in bytes", ""),
        ("u8 max=99999999999g", 8, "beyond 64 bits", ""),
        ("u8 max=5 max=6", 10, "twice", ""),
        ("u8 oversize=skip", 13, "cannot be `skip`", "oversize=fail or"),
        ("u8 oversize=discrad", 13, "cannot be", "write oversize=discard"),
        ("u8 deliver=all", 12, "cannot be", "deliver=body"),
        ("u8 deliver=nopad", 4, "needs padding", ""),
        ("u8 deliver=2", 4, "smallest frame has 1 bytes", ""),
        ("lines strip=yes", 13, "cannot be", "strip=no"),
        ("lines strip=no deliver=body", 16, "same thing", ""),
        ("u8 strip=no", 4, "cannot apply", "deliver=frame"),
        ("u8 eof=deliver", 4, "cannot apply", ""),
        ("u8 leading-zeros=yes", 4, "cannot apply", "dec\":\""),
        ("dec5 leading-zeros=yes", 6, "cannot apply", ""),
        ("raw max=5", 5, "cannot apply", ""),
        ("raw oversize=discard", 5, "cannot apply", ""),
        ("eof deliver=frame", 5, "cannot apply", ""),
        ("chunked deliver=frame", 9, "cannot apply to chunked", "leave it out"),
        ("resp deliver=1", 6, "cannot apply to resp", ""),
        ("fixed:8 oversize=discard", 9, "cannot apply", ""),
        ("u32be maxframe=3", 7, "4 bytes or more", "maxframe=4"),
        ("u32be oversize", 7, "expected an option", "oversize="),
        ("type{\"a\": u8} eof=deliver", 15, "cannot apply", ""),
        ("type{\"a\": u8 strip=no}", 14, "cannot apply", ""),
        ("u8 body t:untilx0a oversize=discard", 20, "known size", ""),
        ("u8 body n:u8 =n oversize=discard", 17, "known size", ""),
        ("dns eof=deliver", 5, "cannot apply", ""),
        ("bittorrent eof=deliver", 12, "applies to no stage", ""),
    ]);
}

#[test]
fn protocols_are_refused_like_framings() {
    let error = "postgres ; u9".parse::<Protocol>().unwrap_err();
    assert_eq!(error.column(), 12);
    assert_eq!(error.text(), "postgres ; u9");
    assert!(error.to_string().ends_with('e'), "{error}");
}

#[test]
fn of_a_long_string_what_is_around_the_column_is_shown() {
    let text = format!("u32be {} max=1k", "x".repeat(3000));
    let error = text.parse::<switchboard_frame::Framing>().unwrap_err();
    let (shown, column) = (error.to_string(), error.column());
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.iter().all(|line| line.len() < 300), "{shown}");
    let caret = lines[2].find('^').unwrap();
    assert_eq!(lines[1].chars().nth(caret), text.chars().nth(column - 1), "{shown}");
    let text = format!("lines {}xmax=1k", "max=1k ".repeat(300));
    let error = text.parse::<switchboard_frame::Framing>().unwrap_err();
    let (shown, column) = (error.to_string(), error.column());
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.iter().all(|line| line.len() < 300), "{shown}");
    let caret = lines[2].find('^').unwrap();
    assert_eq!(lines[1].chars().nth(caret), text.chars().nth(column - 1), "{shown}");
}
