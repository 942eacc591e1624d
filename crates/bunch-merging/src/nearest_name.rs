//! The known name that an unknown one was probably meant to be.

/// The known name that is most like `got`, if it takes few edits of single letters.
pub fn nearest_name<'a>(got: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Long names are compared by their beginning: what is so long is no slip of the pen.
    let got: Vec<char> = got.chars().take(64).collect();
    let allowed = got.len().div_ceil(3).max(1);
    let distances = known.into_iter().map(|name| (edits(&got, name), name));
    distances.filter(|(distance, _)| *distance <= allowed).min().map(|(_, name)| name.to_owned())
}

/// The number of letters to insert, delete or replace (Levenshtein distance).
fn edits(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&to) {
            let above = *cell;
            left = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            *cell = left;
            diagonal = above;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest_name;

    #[test]
    fn the_nearest_name_takes_the_fewest_edits() {
        assert_eq!(nearest_name("denstiy", ["weight", "density", "lambda"]).as_deref(), Some("density"));
        assert_eq!(nearest_name("weights", ["weight", "height"]).as_deref(), Some("weight"));
        assert_eq!(nearest_name("tees", ["ties", "slerp"]).as_deref(), Some("ties"));
        assert_eq!(nearest_name("modle", ["parameters", "model"]).as_deref(), Some("model"));
        assert_eq!(nearest_name("colour", ["weight", "density"]), None);
        assert_eq!(nearest_name("", ["t"]).as_deref(), Some("t"));
        assert_eq!(nearest_name("x", []), None);
    }
}
