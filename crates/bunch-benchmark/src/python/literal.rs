//! Python literals, as `ast.literal_eval` reads them: strings, numbers, lists, tuples, dicts, `True`, `False`, `None`.

use serde_json::{Map, Number, Value};

use super::is_space;

/// The value of a literal, or `None` where the text is no literal. Tuples become arrays; a dict's keys must be strings.
pub(crate) fn parse_literal(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.value()?;
    reader.skip();
    reader.rest.is_empty().then_some(value)
}

/// Deeper nesting than this is no task's choices.
const DEEPEST: usize = 64;

struct Reader<'text> {
    rest: &'text str,
    depth: usize,
}

impl Reader<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches(is_space);
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        self.skip();
        let value = match self.rest.chars().next()? {
            '[' => {
                self.take("[");
                self.items("]")
            }
            '(' => {
                self.take("(");
                self.items(")")
            }
            '{' => self.dict(),
            '\'' | '"' => self.text().map(Value::String),
            _ => self.atom(),
        };
        self.depth -= 1;
        value
    }

    fn items(&mut self, end: &str) -> Option<Value> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.value()?);
            if !self.take(",") && !self.rest.starts_with(end) {
                return None;
            }
        }
        Some(Value::Array(items))
    }

    fn dict(&mut self) -> Option<Value> {
        let mut fields = Map::new();
        self.take("{");
        while !self.take("}") {
            self.skip();
            let key = self.text()?;
            if !self.take(":") {
                return None;
            }
            fields.insert(key, self.value()?);
            if !self.take(",") && !self.rest.starts_with('}') {
                return None;
            }
        }
        Some(Value::Object(fields))
    }

    fn text(&mut self) -> Option<String> {
        let quote = self.rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let mut characters = self.rest.char_indices().skip(1);
        let mut text = String::new();
        while let Some((at, character)) = characters.next() {
            match character {
                _ if character == quote => {
                    self.rest = self.rest.get(at + 1..)?;
                    return Some(text);
                }
                '\n' => return None,
                '\\' => {
                    let (_, escape) = characters.next()?;
                    let width = match escape {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    match escape {
                        'n' => text.push('\n'),
                        't' => text.push('\t'),
                        'r' => text.push('\r'),
                        '\\' | '\'' | '"' => text.push(escape),
                        _ if width > 0 => {
                            let code: Option<String> =
                                (0..width).map(|_| characters.next().map(|(_, digit)| digit)).collect();
                            text.push(u32::from_str_radix(&code?, 16).ok().and_then(char::from_u32)?);
                        }
                        // Python keeps a backslash that begins no escape.
                        _ => text.extend(['\\', escape]),
                    }
                }
                _ => text.push(character),
            }
        }
        None
    }

    fn atom(&mut self) -> Option<Value> {
        let end = self.rest.find(|character: char| is_space(character) || ",:]})".contains(character));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        match word {
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            _ if word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => {
                let integer = word.parse::<i64>().ok().map(Value::from);
                integer.or_else(|| word.parse().ok().and_then(Number::from_f64).map(Value::Number))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse_literal;

    #[test]
    fn literals_are_read() {
        let text = r#" ['it\'s', "a\n\x41\u00e9", 1, -2.5, (True, None,), {'k': []}] "#;
        assert_eq!(parse_literal(text), Some(json!(["it's", "a\nAé", 1, -2.5, [true, null], {"k": []}])));
        assert_eq!(parse_literal("[]"), Some(json!([])));
    }

    #[test]
    fn everything_else_is_none() {
        for text in ["", "[1", "[1 2]", "abc", "['a]", "[1], 2", "f(1)", "{1: 2}", "1 + 1", "nan", &"[".repeat(100)] {
            assert_eq!(parse_literal(text), None, "{text}");
        }
    }
}
