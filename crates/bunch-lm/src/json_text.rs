//! JSON as Python's `json.dumps` spells it: the `tojson` filter of chat templates.

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// How `json.dumps` is to spell a value; the defaults are transformers'.
struct JsonText {
    ensure_ascii: bool,
    sort_keys: bool,
    /// One level of indentation; none keeps everything on one line.
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
}

/// The `tojson` filter that transformers gives to chat templates: no HTML escaping, and `json.dumps`'s arguments
/// `ensure_ascii`, `indent`, `separators` and `sort_keys`.
pub(crate) fn tojson(value: &Value, arguments: Kwargs) -> Result<String, Error> {
    let indent = match arguments.get::<Option<Value>>("indent")? {
        Some(indent) if !indent.is_none() && !indent.is_undefined() => Some(match indent.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(indent.as_usize().ok_or_else(|| invalid("indent is neither a number nor a text"))?),
        }),
        _ => None,
    };
    let (mut item_separator, mut key_separator) = (if indent.is_some() { "," } else { ", " }.into(), ": ".into());
    if let Some(separators) = arguments.get::<Option<Value>>("separators")?.filter(|given| !given.is_none()) {
        let separators: Vec<String> = separators.try_iter()?.map(|separator| separator.to_string()).collect();
        let [item, key] = separators.try_into().map_err(|_| invalid("separators is not a pair"))?;
        (item_separator, key_separator) = (item, key);
    }
    let ensure_ascii = arguments.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let sort_keys = arguments.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    arguments.assert_all_used()?;
    let style = JsonText { ensure_ascii, sort_keys, indent, item_separator, key_separator };
    let mut out = String::new();
    style.write(value, 0, &mut out)?;
    Ok(out)
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("tojson: {what}"))
}

impl JsonText {
    fn write(&self, value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => out.push_str(&value.to_string()),
            ValueKind::Number => out.push_str(&float_text(f64::try_from(value.clone())?)),
            ValueKind::String => self.write_text(value.as_str().unwrap_or_default(), out),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.write_items(['[', ']'], items.len(), depth, out, |index, out| match items.get(index) {
                    Some(item) => self.write(item, depth + 1, out),
                    None => Ok(()),
                })?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort_keys {
                    keys.sort_by_key(ToString::to_string);
                }
                self.write_items(['{', '}'], keys.len(), depth, out, |index, out| {
                    let Some(key) = keys.get(index) else { return Ok(()) };
                    match key.kind() {
                        ValueKind::String => self.write_text(key.as_str().unwrap_or_default(), out),
                        _ => {
                            let mut text = String::new();
                            self.write(key, depth, &mut text)?;
                            self.write_text(&text, out);
                        }
                    }
                    out.push_str(&self.key_separator);
                    self.write(&value.get_item(key)?, depth + 1, out)
                })?;
            }
            kind => return Err(invalid(&format!("a value of kind {kind} has no JSON"))),
        }
        Ok(())
    }

    /// Brackets around `count` items, each written by `item`.
    fn write_items(
        &self,
        [open, close]: [char; 2],
        count: usize,
        depth: usize,
        out: &mut String,
        item: impl Fn(usize, &mut String) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let line_break = |depth: usize, out: &mut String| {
            if let (Some(indent), true) = (&self.indent, count > 0) {
                out.push('\n');
                out.push_str(&indent.repeat(depth));
            }
        };
        out.push(open);
        for index in 0..count {
            if index > 0 {
                out.push_str(&self.item_separator);
            }
            line_break(depth + 1, out);
            item(index, out)?;
        }
        line_break(depth, out);
        out.push(close);
        Ok(())
    }

    fn write_text(&self, text: &str, out: &mut String) {
        out.push('"');
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
                // Python escapes U+007F as little as any other character, except in ASCII mode, where it is ASCII.
                _ if self.ensure_ascii && !character.is_ascii() => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                _ => out.push(character),
            }
        }
        out.push('"');
    }
}

/// Python's `repr` of a float, with JSON's names for what is not finite.
fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    // Rust switches to an exponent where Python does, but writes 1e-5 for Python's 1e-05.
    let text = format!("{number:?}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;
    use minijinja::value::Value;

    use super::{float_text, tojson};

    fn render(expression: &str, value: Value) -> String {
        let mut environment = Environment::new();
        environment.add_filter("tojson", tojson);
        let source = format!("{{{{ x|{expression} }}}}");
        environment.render_str(&source, Value::from_pairs([("x", value)])).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn the_spelling_is_that_of_json_dumps() {
        let text = Value::from("<b>\"é\\\u{1}\u{7f}🙂\n");
        assert_eq!(render("tojson", text.clone()), "\"<b>\\\"é\\\\\\u0001\u{7f}🙂\\n\"");
        assert_eq!(render("tojson(ensure_ascii=true)", text), "\"<b>\\\"\\u00e9\\\\\\u0001\u{7f}\\ud83d\\ude42\\n\"");
        let list = Value::from(vec![Value::from(1), Value::from(2.0), Value::from(true), Value::from(())]);
        let map = Value::from_pairs([("z", list), ("a", Value::from_pairs([("k", "v")]))]);
        assert_eq!(render("tojson", map.clone()), r#"{"z": [1, 2.0, true, null], "a": {"k": "v"}}"#);
        assert_eq!(render("tojson(sort_keys=true)", map.clone()), r#"{"a": {"k": "v"}, "z": [1, 2.0, true, null]}"#);
        assert_eq!(render("tojson(separators=(',', ':'))", map.clone()), r#"{"z":[1,2.0,true,null],"a":{"k":"v"}}"#);
        let indented =
            "{\n  \"z\": [\n    1,\n    2.0,\n    true,\n    null\n  ],\n  \"a\": {\n    \"k\": \"v\"\n  }\n}";
        assert_eq!(render("tojson(indent=2)", map), indented);
        assert_eq!(render("tojson(indent=2)", Value::from(Vec::<Value>::new())), "[]");
        assert!(render("tojson", Value::UNDEFINED).contains("has no JSON"));
        assert!(render("tojson(colour=1)", Value::from(1)).contains("colour"));
    }

    #[test]
    fn floats_are_pythons() {
        for (number, text) in [
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e-5, "1.5e-05"),
            (1e-4, "0.0001"),
            (1e300, "1e+300"),
            (f64::INFINITY, "Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float_text(number), text);
        }
    }
}
