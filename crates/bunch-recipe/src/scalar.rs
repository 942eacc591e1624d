//! What unquoted text stands for in YAML, as people write it for mergekit.

use crate::node::Value;

/// The value of unquoted text.
///
/// As in YAML 1.1, which mergekit reads, `yes`, `no`, `on` and `off` are booleans and digits may be grouped by
/// underscores. Beyond it, `1e-5` is a number: mergekit reads a text there and makes it a number later. What the
/// versions of YAML disagree on stays text, so that it is refused where a number is wanted: `010` (8 or 10), `1:30`.
pub(crate) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Boolean(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Boolean(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        _ => number(text).unwrap_or_else(|| Value::Text(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        None => (unsigned, None),
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        None => (mantissa, None),
        Some((whole, fraction)) => (whole, Some(fraction)),
    };
    let digits = |part: &str| is_digits(part) || part.is_empty();
    let some_digits = is_digits(whole) || fraction.is_some_and(is_digits);
    if !some_digits || !digits(whole) || !fraction.is_none_or(digits) || !exponent.is_none_or(is_digits) {
        return None;
    }
    let plain = text.replace('_', "");
    if fraction.is_some() || exponent.is_some() {
        return plain.parse().ok().map(Value::Float);
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    plain.parse().map(Value::Integer).or_else(|_| plain.parse().map(Value::Float)).ok()
}

/// Whether this is digits, possibly grouped by single underscores.
fn is_digits(part: &str) -> bool {
    part.split('_').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crate::node::Value;

    #[test]
    fn numbers_as_people_write_them() {
        let integers = [("0", 0), ("7", 7), ("-3", -3), ("+12", 12), ("1_000", 1000)];
        for (text, value) in integers {
            assert_eq!(resolve(text), Value::Integer(value), "{text}");
        }
        let floats = [("0.5", 0.5), (".5", 0.5), ("5.", 5.0), ("-1.5", -1.5), ("1e-5", 1e-5), ("1.0e-05", 1e-5)];
        for (text, value) in floats.into_iter().chain([("1E3", 1e3), ("2.5e+2", 250.0), ("00.5", 0.5), ("1_0.5", 10.5)])
        {
            assert_eq!(resolve(text), Value::Float(value), "{text}");
        }
        assert_eq!(resolve("99999999999999999999"), Value::Float(1e20));
    }

    #[test]
    fn what_looks_like_a_number_stays_text() {
        for text in ["010", "1:30", "0x10", "1__0", "_1", "1_", ".", "e5", ".e5", "1e", "1e+", "--1", "1.2.3", "inf"] {
            assert_eq!(resolve(text), Value::Text(text.into()), "{text}");
        }
    }

    #[test]
    fn words_of_yaml() {
        for text in ["true", "Yes", "ON"] {
            assert_eq!(resolve(text), Value::Boolean(true), "{text}");
        }
        for text in ["False", "no", "off"] {
            assert_eq!(resolve(text), Value::Boolean(false), "{text}");
        }
        for text in ["", "~", "null", "NULL"] {
            assert_eq!(resolve(text), Value::Null, "{text:?}");
        }
        assert_eq!(resolve("-.inf"), Value::Float(f64::NEG_INFINITY));
        assert_eq!(resolve("yEs"), Value::Text("yEs".into()));
    }
}
