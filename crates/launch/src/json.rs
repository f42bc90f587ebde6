//! A reader of JSON, as small as the plan needs. A guest under emulation pays for each page of code that it runs for the first
//! time, and what a derived reader takes for the plan's fifty steps is many. Numbers are integers, keys have no escapes.

/// Deeper than any plan; a bound on our own stack.
const MAX_DEPTH: u32 = 16;

#[derive(Debug, PartialEq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Json<'a>>),
    Object(Vec<(&'a str, Json<'a>)>),
}

/// Reads one value and nothing behind it. The error is where it stopped, in bytes, and what it saw there.
pub fn read(text: &str) -> Result<Json<'_>, String> {
    let mut reader = Reader { text, at: 0 };
    match reader.value(0) {
        Some(value) if reader.peek().is_none() => Ok(value),
        _ => Err(format!("not JSON at byte {}", reader.at)),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// `None`: not JSON, at `at`.
impl<'a> Reader<'a> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Option<Json<'a>> {
        self.text[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            value
        })
    }

    fn value(&mut self, depth: u32) -> Option<Json<'a>> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'"' => self.string().map(Json::Text),
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: u32) -> Option<Json<'a>> {
        self.take(b'[')?;
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(b',').is_none() {
                return self.take(b']').map(|()| Json::List(items));
            }
        }
    }

    fn object(&mut self, depth: u32) -> Option<Json<'a>> {
        self.take(b'{')?;
        let mut fields = Vec::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(Json::Object(fields));
        }
        loop {
            self.take(b'"')?;
            let key = self.plain();
            self.take(b'"')?;
            self.take(b':')?;
            fields.push((key, self.value(depth + 1)?));
            if self.take(b',').is_none() {
                return self.take(b'}').map(|()| Json::Object(fields));
            }
        }
    }

    fn number(&mut self) -> Option<Json<'a>> {
        let rest = &self.text[self.at..];
        let end = rest.find([',', ']', '}', ' ', '\n', '\t', '\r']);
        let digits = &rest[..end.unwrap_or(rest.len())];
        let number = digits.parse().ok()?;
        self.at += digits.len();
        Some(Json::Number(number))
    }

    /// What goes up to the next quote, backslash or control character.
    fn plain(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let is_plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
        let length = rest.bytes().take_while(is_plain).count();
        self.at += length;
        &rest[..length]
    }

    fn string(&mut self) -> Option<String> {
        self.at += 1;
        let mut text = String::from(self.plain());
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return Some(text),
                b'\\' => text.push(self.escape()?),
                _ => return None,
            }
            text.push_str(self.plain());
        }
    }

    fn escape(&mut self) -> Option<char> {
        let byte = *self.text.as_bytes().get(self.at)?;
        self.at += 1;
        Some(match byte {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\\' | b'/' => byte.into(),
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                // A character beyond 16 bits is a pair of surrogates: RFC 8259, section 7.
                let pair = self.text[self.at..]
                    .starts_with("\\u")
                    .then(|| self.at += 2);
                let second = pair.and_then(|()| self.hex())?;
                if !(0xdc00..0xe000).contains(&second) {
                    return None;
                }
                return char::from_u32(0x10000 + ((first - 0xd800) << 10) + second - 0xdc00);
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then_some(())?;
        u32::from_str_radix(digits, 16).ok()
    }
}

/// A string as JSON; "null" without one.
pub fn quote(text: Option<&str>) -> String {
    let Some(text) = text else {
        return "null".into();
    };
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..'\u{20}' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_kind_are_read() {
        let text = r#" {"a": [1, -2, {}], "b":"x","c":true,"d":false, "e":null, "f":[] } "#;
        let list = Json::List(vec![
            Json::Number(1),
            Json::Number(-2),
            Json::Object(vec![]),
        ]);
        let expected = vec![
            ("a", list),
            ("b", Json::Text("x".into())),
            ("c", Json::Bool(true)),
            ("d", Json::Bool(false)),
            ("e", Json::Null),
            ("f", Json::List(vec![])),
        ];
        assert_eq!(read(text), Ok(Json::Object(expected)));
    }

    #[test]
    fn what_json_stringify_escapes_is_read_back() {
        let text = r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 é😀""#;
        let expected = "\"\\/\u{8}\u{c}\n\r\té😀 é😀";
        assert_eq!(read(text), Ok(Json::Text(expected.into())));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let deep = "[".repeat(100);
        let broken = [
            "",
            "{",
            "[1",
            "[1,]",
            "{\"a\"}",
            "{a:1}",
            "tru",
            "1.5",
            "1e3",
            "99999999999999999999",
            "\"",
            "\"\n\"",
            "\"\\x\"",
            "\"\\ud83d\"",
            "\"\\ud83d\\u0041\"",
            "\"\\u+123\"",
            "1 2",
            &deep,
        ];
        for text in broken {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quoted_text_is_read_back() {
        let text = "a \"b\" \\ \n\u{1} é";
        assert_eq!(read(&quote(Some(text))), Ok(Json::Text(text.into())));
        assert_eq!(quote(None), "null");
    }
}
