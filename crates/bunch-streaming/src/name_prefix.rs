//! Models whose tensors have the same names but for what stands before them.

use std::collections::BTreeSet;

use bunch_checkpoint::TensorName;

/// What stands before the names of one model and of another: `bert.` and nothing, say, with a tensor of the other model.
/// None if most names are the same, or differ by more than that.
pub(crate) fn differing_prefixes<'a>(
    expected: &BTreeSet<&'a str>,
    got: &BTreeSet<&'a str>,
) -> Option<(&'a str, &'a str, &'a str)> {
    let most = expected.len().min(got.len()).div_ceil(2).max(1);
    if expected.intersection(got).count() >= most {
        return None;
    }
    // An embedding stands outside of the layers, and every model has one.
    let anchor = |names: &BTreeSet<&'a str>| {
        let is_embedding = |name: &&&str| name.ends_with(".weight") && TensorName::of(name).is_embedding();
        names.iter().find(is_embedding).or(names.first()).copied()
    };
    let (of_expected, of_got) = (anchor(expected)?, anchor(got)?);
    let same = of_expected.rsplit('.').zip(of_got.rsplit('.')).take_while(|(a, b)| a == b);
    let same: Vec<&str> = same.map(|(part, _)| part).collect();
    // Every name ends with `weight`.
    if same.len() < 2 {
        return None;
    }
    let common: usize = same.iter().map(|part| part.len() + 1).sum();
    let prefix = |name: &'a str| &name[..(name.len() + 1).saturating_sub(common)];
    let (before_expected, before_got) = (prefix(of_expected), prefix(of_got));
    let is_renamed = |name: &&&str| {
        let rest = name.strip_prefix(before_got);
        rest.is_some_and(|rest| expected.contains(format!("{before_expected}{rest}").as_str()))
    };
    (got.iter().filter(is_renamed).count() >= most).then_some((before_expected, before_got, of_got))
}

#[cfg(test)]
mod tests {
    use super::differing_prefixes;

    #[test]
    fn prefixes_are_found_before_the_embedding() {
        let encoder = ["embeddings.word_embeddings.weight", "encoder.layer.0.x", "encoder.layer.1.x"];
        let named = ["bert.embeddings.word_embeddings.weight", "bert.encoder.layer.0.x", "bert.encoder.layer.1.x"];
        let (encoder, named) = (encoder.into(), named.into());
        assert_eq!(differing_prefixes(&named, &encoder), Some(("bert.", "", "embeddings.word_embeddings.weight")));
        assert_eq!(differing_prefixes(&encoder, &encoder), None);
        let text = ["model.embed_tokens.weight", "model.layers.0.x", "lm_head.weight"].into();
        let vision =
            ["model.language_model.embed_tokens.weight", "model.language_model.layers.0.x", "lm_head.weight", "v"];
        let found = differing_prefixes(&text, &vision.into()).map(|(expected, got, _)| (expected, got));
        assert_eq!(found, Some(("model.", "model.language_model.")));
        assert_eq!(differing_prefixes(&text, &["other.weight", "more.weight"].into()), None);
    }
}
