//! The page of benchmarks: one section per size of model, between markers, rewritten by each benchmark.

use anyhow::{Result, bail};

/// The page before the first benchmark.
pub const EMPTY_PAGE: &str = include_str!("page.md");

/// `page` with the section `key` replaced by `section`, which is appended if there is none.
///
/// # Errors
/// Fails if a marker of the section is missing or occurs twice, or if they are in the wrong order.
pub fn replace_section(page: &str, key: &str, section: &str) -> Result<String> {
    let [begin, end] = ["begin", "end"].map(|edge| format!("<!-- {edge} {key}, written by cargo xtask benchmark -->"));
    let section = format!("{begin}\n{}\n{end}", section.trim_end());
    let occurrences = |marker: &str| page.match_indices(marker).map(|(place, _)| place).collect::<Vec<_>>();
    match (&occurrences(&begin)[..], &occurrences(&end)[..]) {
        ([], []) => Ok(format!("{}\n\n{section}\n", page.trim_end())),
        (&[first], &[last]) if first < last => Ok(format!("{}{section}{}", &page[..first], &page[last + end.len()..])),
        _ => bail!("expected each of `{begin}` and `{end}` once, in this order"),
    }
}

#[cfg(test)]
mod tests {
    use super::{EMPTY_PAGE, replace_section};

    #[test]
    fn sections_are_appended_and_then_replaced() {
        let one = replace_section(EMPTY_PAGE, "0.5B", "first").unwrap();
        assert!(one.starts_with(EMPTY_PAGE.trim_end()) && one.contains("\nfirst\n"));
        let two = replace_section(&one, "3B", "other").unwrap();
        let replaced = replace_section(&two, "0.5B", "second\n").unwrap();
        assert_eq!(replaced, two.replace("first", "second"));
        assert_eq!(replace_section(&replaced, "0.5B", "second").unwrap(), replaced);
    }

    #[test]
    fn what_stands_around_a_section_stays() {
        let page = replace_section("above\n", "tiny", "x").unwrap() + "\nbelow\n";
        let replaced = replace_section(&page, "tiny", "y").unwrap();
        assert!(replaced.starts_with("above\n") && replaced.ends_with("\nbelow\n") && replaced.contains("\ny\n"));
    }

    #[test]
    fn broken_markers_are_refused() {
        let page = replace_section("", "tiny", "x").unwrap();
        let begin = page.lines().find(|line| line.contains("begin")).unwrap();
        let end = page.lines().find(|line| line.contains("end ")).unwrap();
        for broken in [begin.to_owned(), end.to_owned(), format!("{end}\n{begin}"), page.repeat(2)] {
            assert!(replace_section(&broken, "tiny", "y").is_err(), "{broken}");
        }
    }
}
