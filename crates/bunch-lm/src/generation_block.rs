//! The `{% generation %}` block of transformers, which marks what an assistant wrote.

/// `source` with every `{% generation %}` block turned into a `{% with %}` block.
///
/// Transformers renders the block's contents and remembers where they lie, for training masks; like a `with` block it is
/// a scope of its own, and it takes the same whitespace control.
pub(crate) fn without_generation_blocks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let inner = tag.get(2..).unwrap_or_default();
        let name = inner.trim_start_matches(['-', '+']).trim_start();
        let gap = inner.len() - name.len();
        let (keyword, replacement) =
            if name.starts_with("endgeneration") { ("endgeneration", "endwith") } else { ("generation", "with") };
        let ends_block = |after: &str| after.trim_start().trim_start_matches(['-', '+']).starts_with("%}");
        match name.strip_prefix(keyword).filter(|after| ends_block(after)) {
            Some(after) => {
                out.push_str("{%");
                out.push_str(inner.get(..gap).unwrap_or_default());
                out.push_str(replacement);
                rest = after;
            }
            None => {
                out.push_str("{%");
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::without_generation_blocks;

    #[test]
    fn only_the_tags_change() {
        let source = "{% if a %}{%- generation -%} generation {%+endgeneration%}{% set generation = 1 %}{% x";
        let expected = "{% if a %}{%- with -%} generation {%+endwith%}{% set generation = 1 %}{% x";
        assert_eq!(without_generation_blocks(source), expected);
        assert_eq!(without_generation_blocks("{%generation"), "{%generation");
        assert_eq!(without_generation_blocks(""), "");
    }
}
