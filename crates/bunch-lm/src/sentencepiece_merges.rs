//! The merges of a sentencepiece vocabulary, which lists pieces with scores only.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A way to make a piece of two others.
struct Merge<'a> {
    left: &'a str,
    right: &'a str,
    score: f64,
    /// Lengths in characters.
    lengths: (usize, usize),
}

/// The merges that a vocabulary implies, first the one to do first: every way to cut a piece into two others, the pieces
/// by falling score, as transformers orders them (`generate_merges`). `scores` are finite and as many as `tokens`.
pub(crate) fn merges<'a>(tokens: &[&'a str], scores: &[f64]) -> Vec<(&'a str, &'a str)> {
    let ids: BTreeMap<&str, usize> = tokens.iter().enumerate().map(|(id, token)| (*token, id)).collect();
    let mut merges = Vec::new();
    for (token, score) in tokens.iter().zip(scores) {
        let cuts = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
        let known = cuts.filter_map(|(left, right)| Some(((*ids.get(left)?, *ids.get(right)?), (left, right))));
        let mut known: Vec<_> = known.collect();
        known.sort_unstable();
        merges.extend(known.into_iter().map(|(_, (left, right))| Merge {
            left,
            right,
            score: *score,
            lengths: (left.chars().count(), right.chars().count()),
        }));
    }
    // Equal ones stay in the order of the tokens.
    merges.sort_by(|a, b| {
        let by_score = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
        by_score.then_with(|| b.lengths.cmp(&a.lengths))
    });
    merges.into_iter().map(|merge| (merge.left, merge.right)).collect()
}

#[cfg(test)]
mod tests {
    use super::merges;

    #[test]
    fn the_order_is_that_of_transformers() {
        // generate_merges({t: i ..}, dict(zip(tokens, scores))) of transformers 5.23.
        let tokens = ["<unk>", "a", "b", "é", "ab", "ba", "aba", "abé", "bé", "éa", "éab"];
        let scores = [0.0, -9.0, -10.0, -11.0, -1.0, -2.0, -3.0, -4.0, -4.0, -4.0, -4.0];
        let expected = [
            ("a", "b"),
            ("b", "a"),
            ("ab", "a"),
            ("a", "ba"),
            ("ab", "é"),
            ("éa", "b"),
            ("a", "bé"),
            ("é", "ab"),
            ("b", "é"),
            ("é", "a"),
        ];
        assert_eq!(merges(&tokens, &scores), expected);
    }
}
