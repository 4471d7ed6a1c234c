//! JSON objects, one a line, written by hand: the values are numbers, names and bytes in hex.

use crate::payload;

/// One object under construction.
pub(crate) struct Object {
    text: String,
}

impl Object {
    /// An object whose first member says what it is.
    pub(crate) fn new(kind: &str) -> Object {
        let mut object = Object { text: String::from("{") };
        object = object.string("type", kind);
        object
    }

    /// An object without a `type`, for a value inside another object.
    pub(crate) fn plain() -> Object {
        Object { text: String::from("{") }
    }

    pub(crate) fn string(mut self, name: &str, value: &str) -> Object {
        self.name(name);
        quote(&mut self.text, value);
        self
    }

    pub(crate) fn number(mut self, name: &str, value: u64) -> Object {
        self.name(name);
        self.text.push_str(&value.to_string());
        self
    }

    /// A number, or null where it is not known.
    pub(crate) fn number_or_null(mut self, name: &str, value: Option<u64>) -> Object {
        match value {
            Some(value) => self.number(name, value),
            None => {
                self.name(name);
                self.text.push_str("null");
                self
            }
        }
    }

    /// A number with three digits behind the point.
    pub(crate) fn decimal(mut self, name: &str, value: f64) -> Object {
        self.name(name);
        self.text.push_str(&format!("{value:.3}"));
        self
    }

    /// The same, or null where it is not known.
    pub(crate) fn decimal_or_null(self, name: &str, value: Option<f64>) -> Object {
        match value {
            Some(value) => self.decimal(name, value),
            None => self.number_or_null(name, None),
        }
    }

    pub(crate) fn boolean(mut self, name: &str, value: bool) -> Object {
        self.name(name);
        self.text.push_str(if value { "true" } else { "false" });
        self
    }

    pub(crate) fn strings<'a>(
        mut self,
        name: &str,
        values: impl IntoIterator<Item = &'a String>,
    ) -> Object {
        self.name(name);
        self.text.push('[');
        for (index, value) in values.into_iter().enumerate() {
            self.text.push_str(if index > 0 { "," } else { "" });
            quote(&mut self.text, value);
        }
        self.text.push(']');
        self
    }

    pub(crate) fn objects(
        mut self,
        name: &str,
        values: impl IntoIterator<Item = Object>,
    ) -> Object {
        self.name(name);
        self.text.push('[');
        for (index, value) in values.into_iter().enumerate() {
            self.text.push_str(if index > 0 { "," } else { "" });
            self.text.push_str(&value.text);
            self.text.push('}');
        }
        self.text.push(']');
        self
    }

    pub(crate) fn object(mut self, name: &str, value: Object) -> Object {
        self.name(name);
        self.text.push_str(&value.text);
        self.text.push('}');
        self
    }

    /// A message: `hex`, or `text`, which is the message itself when it is UTF-8. When it is not,
    /// `text` has the escapes of [`payload::escape`] and `escaped` is true.
    pub(crate) fn bytes(mut self, bytes: &[u8], hex: bool) -> Object {
        if hex {
            self.name("hex");
            self.text.push('"');
            payload::push_hex(&mut self.text, bytes);
            self.text.push('"');
            return self;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.string("text", text),
            Err(_) => {
                let mut object = self.string("text", &payload::escape(bytes));
                object.name("escaped");
                object.text.push_str("true");
                object
            }
        }
    }

    /// The object as a line, with its line end.
    pub(crate) fn line(mut self) -> String {
        self.text.push_str("}\n");
        self.text
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        quote(&mut self.text, name);
        self.text.push(':');
    }
}

fn quote(out: &mut String, value: &str) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 || c == '\x7f' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(Object::plain().bytes(bytes, false).line(), format!("{{{expected}}}\n"));
    }

    #[test]
    fn text_is_the_message_itself_when_it_is_utf8() {
        check(b"plain", r#""text":"plain""#);
        check("häß ☃".as_bytes(), r#""text":"häß ☃""#);
        check(b"a\\b\"c", r#""text":"a\\b\"c""#);
        check(b"\0\x1b\n\x7f", r#""text":"\u0000\u001b\n\u007f""#);
    }

    #[test]
    fn text_that_is_not_utf8_is_escaped_and_says_so() {
        check(b"a\xff\\b", r#""text":"a\\xff\\\\b","escaped":true"#);
    }

    #[test]
    fn lists_decimals_and_booleans() {
        let texts = ["a".to_owned(), "\"".to_owned()];
        let inner = [Object::plain().boolean("met", true), Object::plain()];
        let line = Object::plain().strings("s", &texts).objects("o", inner).decimal("d", 1.5);
        let line = line.strings("none", []).line();
        assert_eq!(
            line,
            "{\"s\":[\"a\",\"\\\"\"],\"o\":[{\"met\":true},{}],\"d\":1.500,\"none\":[]}\n"
        );
    }

    #[test]
    fn numbers_objects_and_null() {
        let inner = Object::plain().number("seq", 7);
        let line = Object::new("end").number_or_null("need", None).object("fields", inner).line();
        assert_eq!(line, "{\"type\":\"end\",\"need\":null,\"fields\":{\"seq\":7}}\n");
    }
}
