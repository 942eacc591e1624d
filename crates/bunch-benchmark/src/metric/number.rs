//! Equality of numbers in text, as AdaptLLM scores ConvFinQA.

use crate::python::{self, Pattern};

/// Whether any number of the prediction's first line is within 0.01 of the reference's first number.
///
/// # Errors
/// The expression runs without end on a text; in words.
pub(crate) fn numbers_match(prediction: &str, reference: &str) -> Result<bool, String> {
    let Some(&wanted) = numbers(reference)?.first() else { return Ok(false) };
    Ok(numbers(prediction)?.into_iter().any(|number| is_close(number, wanted)))
}

/// `math.isclose(a, b, abs_tol=1e-2)` with the relative tolerance 1e-9 that is its default.
fn is_close(a: f64, b: f64) -> bool {
    if a == b {
        return true;
    }
    a.is_finite() && b.is_finite() && (a - b).abs() <= (1e-9 * a.abs().max(b.abs())).max(1e-2)
}

fn numbers(text: &str) -> Result<Vec<f64>, String> {
    let pattern = Pattern::new(r"[-+]?[.]?[\d]+(?:,\d\d\d)*[\.]?\d*(?:[eE][-+]?\d+)?[%]*")?;
    let line = python::strip(text.split('\n').next().unwrap_or_default());
    let found = pattern.find_all(line)?;
    Ok(found.into_iter().map(|groups| value(groups.first().map_or("", String::as_str))).collect())
}

/// The number's value; infinite where Python would not read it (a leading zero, digits of other scripts).
fn value(text: &str) -> f64 {
    let plain = text.trim_end_matches('%');
    let percents = text.len() - plain.len();
    let plain = plain.replace(',', "");
    let unsigned = plain.trim_start_matches(['+', '-']);
    let integer = unsigned.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = integer && unsigned.starts_with('0') && unsigned.bytes().any(|byte| byte != b'0');
    if leading_zero {
        return f64::INFINITY;
    }
    let number = plain.parse::<f64>().unwrap_or(f64::INFINITY);
    (0..percents).fold(number, |number, _| number / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_python_does() {
        // normalized_num of AdaptLLM's qa_utils.py.
        let read = |text| numbers(text).expect("numbers");
        assert_eq!(read(" 1,234.5 and -5% of .5e1\n7"), [1234.5, -0.05, 5.0]);
        assert_eq!(read("5%% 1. 00"), [0.0005, 1.0, 0.0]);
        assert_eq!(read("007"), [f64::INFINITY]);
        assert_eq!(read("٣"), [f64::INFINITY]);
        assert!(read("none").is_empty());
        assert_eq!(read("1,23"), [1.0, 23.0]);
    }

    #[test]
    fn the_first_number_of_the_reference_counts() {
        for (prediction, reference, equal) in [
            ("it is 12.009 then 3", " 12.0", true),
            ("it is 12.011", " 12.0", false),
            ("14.1%", "0.141", true),
            ("5\n12", "12", false),
            ("12", "no number", false),
            ("", "12", false),
            ("12", "3 12", false),
            ("1e20", "100000000000000000001", true),
        ] {
            assert_eq!(numbers_match(prediction, reference), Ok(equal), "{prediction} {reference}");
        }
    }
}
