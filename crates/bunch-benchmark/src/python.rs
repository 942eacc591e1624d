//! Python's text: whitespace, case, digits and how values are printed, where they differ from Rust's.

mod literal;
mod pattern;
mod random;

pub(crate) use literal::parse_literal;
pub(crate) use pattern::Pattern;
pub use random::PythonRandom;

use serde_json::Value;

/// Whether Python's `str.isspace` holds: Unicode's white space and the separators U+001C to U+001F.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

/// `str.strip()`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// The number of pieces of `re.split(r"\s+", text)`: lm-eval's word count.
pub(crate) fn count_words(text: &str) -> usize {
    let mut pieces = 1;
    let mut inside = false;
    for character in text.chars() {
        let space = is_space(character);
        if space && !inside {
            pieces += 1;
        }
        inside = space;
    }
    pieces
}

/// `str.capitalize()`: the first character in title case, the rest in lower case.
pub(crate) fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return String::new() };
    let mut result = match first {
        // The digraphs have a title case of their own.
        'Ǆ' | 'ǅ' | 'ǆ' => "ǅ".to_string(),
        'Ǉ' | 'ǈ' | 'ǉ' => "ǈ".to_string(),
        'Ǌ' | 'ǋ' | 'ǌ' => "ǋ".to_string(),
        'Ǳ' | 'ǲ' | 'ǳ' => "ǲ".to_string(),
        _ => {
            let mut upper = first.to_uppercase();
            let head = upper.next().unwrap_or(first);
            std::iter::once(head).chain(upper.flat_map(char::to_lowercase)).collect()
        }
    };
    result.push_str(&characters.as_str().to_lowercase());
    result
}

/// Whether `text` is an integer literal of ASCII digits alone (`str.isdigit`, of what `ast.literal_eval` then accepts).
pub(crate) fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0') && text.bytes().any(|byte| byte != b'0');
    if plain && !leading_zero { text.parse().ok() } else { None }
}

/// `str(value)`: what an f-string or a template prints.
pub(crate) fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// `repr(value)`.
pub(crate) fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_string(),
        Value::Bool(true) => "True".to_string(),
        Value::Bool(false) => "False".to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => repr_float(float),
            _ => number.to_string(),
        },
        Value::String(text) => repr_text(text),
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(key, value)| format!("{}: {}", repr_text(key), repr(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// `repr(float)`: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
fn repr_float(float: f64) -> String {
    let text = format!("{float:?}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let mantissa = mantissa.strip_suffix(".0").unwrap_or(mantissa);
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

/// `repr(str)`: single quotes unless only those occur inside.
fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut result = String::from(quote);
    for character in text.chars() {
        match character {
            '\\' => result.push_str("\\\\"),
            '\n' => result.push_str("\\n"),
            '\r' => result.push_str("\\r"),
            '\t' => result.push_str("\\t"),
            _ if character == quote => result.extend(['\\', character]),
            '\0'..='\x1f' | '\x7f'..='\u{a0}' | '\u{ad}' => result.push_str(&format!("\\x{:02x}", character as u32)),
            _ => result.push(character),
        }
    }
    result.push(quote);
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn white_space_has_the_separators() {
        assert_eq!(strip("\u{1c}\u{1f} a b\u{a0}\u{85}\n"), "a b");
        assert_eq!(strip("\u{200b}a"), "\u{200b}a");
        assert_eq!(count_words("The cat sat on the mat."), 6);
        assert_eq!(count_words(" a\u{1d}\n b "), 4);
        assert_eq!(count_words(""), 1);
    }

    #[test]
    fn capitals() {
        for (text, expected) in [
            ("", ""),
            ("hELLO wORLD", "Hello world"),
            ("ßa", "Ssa"),
            ("ﬁX", "Fix"),
            ("ǆX", "ǅx"),
            ("éÉ", "Éé"),
            ("1A", "1a"),
        ] {
            assert_eq!(capitalize(text), expected, "{text}");
        }
    }

    #[test]
    fn printed_values() {
        let value = json!({"a": [1, 2.5, 1e16, 1e-5, 100.0, true, null], "it's": "\"x\"", "b": "it's\n\u{7f}é"});
        let expected = r#"{'a': [1, 2.5, 1e+16, 1e-05, 100.0, True, None], "it's": '"x"', 'b': "it's\n\x7fé"}"#;
        assert_eq!(to_text(&value), expected);
        assert_eq!(to_text(&json!("it's")), "it's");
        assert_eq!(repr(&json!("'\"")), r#"'\'"'"#);
    }

    #[test]
    fn integers() {
        for (text, expected) in [("3", Some(3)), ("00", Some(0)), ("012", None), ("-1", None), ("", None), ("²", None)]
        {
            assert_eq!(digits(text), expected, "{text}");
        }
    }
}
