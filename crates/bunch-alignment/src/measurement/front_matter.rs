//! The metadata of a model card, a block of YAML before its text, and the sections of the text.

/// A card's metadata, without its fences, and its text.
pub(crate) fn split(card: &str) -> (&str, &str) {
    let Some(rest) = card.strip_prefix("---\n") else { return ("", card) };
    match rest.split_once("\n---\n") {
        Some((metadata, text)) => (metadata, text),
        None => ("", card),
    }
}

/// `metadata` without the block of the top-level key `key`, each line with its end.
pub(crate) fn without_key(metadata: &str, key: &str) -> String {
    let mut is_inside = false;
    let mut kept = String::new();
    for line in metadata.lines() {
        // What begins in the first column is a key, unless it is an entry of a list or a remark.
        if !line.starts_with([' ', '-', '#', '\t']) && !line.is_empty() {
            is_inside = line.split(':').next() == Some(key);
        }
        if !is_inside {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

/// `text` without its sections of the second level that `is_dropped` says so of: each from its heading to the next one.
pub(crate) fn without_sections(text: &str, is_dropped: impl Fn(&str) -> bool) -> String {
    let (mut kept, mut section) = (String::new(), String::new());
    let mut in_code = false;
    let mut end = |section: &mut String| {
        if !is_dropped(section) {
            kept += section;
        }
        section.clear();
    };
    for line in text.split_inclusive('\n') {
        in_code ^= line.starts_with("```");
        if !in_code && line.starts_with("## ") {
            end(&mut section);
        }
        section += line;
    }
    end(&mut section);
    kept
}

#[cfg(test)]
mod tests {
    use super::{split, without_key, without_sections};

    #[test]
    fn metadata_and_text_are_told_apart() {
        assert_eq!(split("---\na: 1\n---\n# x\n"), ("a: 1", "# x\n"));
        assert_eq!(split("# x\n---\n"), ("", "# x\n---\n"));
        assert_eq!(split("---\nnever closed\n"), ("", "---\nnever closed\n"));
    }

    #[test]
    fn a_key_goes_with_everything_below_it() {
        let metadata = "tags:\n- merge\nmodel-index:\n- name: x\n  results:\n  - task: {}\n# remark\nlicense: mit";
        assert_eq!(without_key(metadata, "model-index"), "tags:\n- merge\nlicense: mit\n");
        assert_eq!(without_key(metadata, "results").lines().count(), 8);
    }

    #[test]
    fn sections_end_at_the_next_heading_outside_of_code() {
        let text = "# t\n\n## A\n\na\n```\n## no heading\n```\n### A1\n\n## B\nb\n";
        assert_eq!(without_sections(text, |section| section.starts_with("## A")), "# t\n\n## B\nb\n");
        assert_eq!(without_sections(text, |section| section.starts_with("## B")), text.replace("## B\nb\n", ""));
        assert_eq!(without_sections(text, |_| false), text);
    }
}
