//! Sequences with common beginnings as a tree, so that each common beginning is read once.

use std::ops::Range;

use bunch_lm::TokenId;

use crate::kernels::Segment;

/// A branch is worth its bookkeeping if it saves at least this many tokens.
const WORTHWHILE: usize = 8;

/// The rows of one forward pass over several sequences.
pub(crate) struct PrefixTree {
    /// Tokens, segment by segment; row `i` goes into cache slot `i`.
    pub(crate) ids: Vec<TokenId>,
    pub(crate) segments: Vec<Segment>,
    /// For each sequence the rows that spell it.
    paths: Vec<Vec<Range<usize>>>,
}

impl PrefixTree {
    /// The tree of `sequences`, which are sorted, distinct and not empty.
    pub(crate) fn new(sequences: &[&[TokenId]]) -> Self {
        let mut tree = Self { ids: Vec::new(), segments: Vec::new(), paths: vec![Vec::new(); sequences.len()] };
        tree.grow(sequences, 0..sequences.len(), 0, &[]);
        tree
    }

    /// The row of the token at `position` of a sequence.
    pub(crate) fn row(&self, sequence: usize, position: usize) -> usize {
        let mut rest = position;
        for rows in &self.paths[sequence] {
            if rest < rows.len() {
                return rows.start + rest;
            }
            rest -= rows.len();
        }
        unreachable!("position {position} lies within its sequence")
    }

    /// Adds what the sequences `range` hold from `depth` on; `seen` are the rows up to there, shared by all of them.
    fn grow(&mut self, sequences: &[&[TokenId]], range: Range<usize>, depth: usize, seen: &[Range<usize>]) {
        let (first, last) = (sequences[range.start], sequences[range.end - 1]);
        let common = shared(first, last);
        let saves = (range.len() - 1) * (common - depth) >= WORTHWHILE;
        if range.len() == 1 || saves {
            let end = if range.len() == 1 { first.len() } else { common };
            let rows = self.ids.len()..self.ids.len() + end - depth;
            if !rows.is_empty() {
                self.ids.extend_from_slice(&first[depth..end]);
                self.segments.push(Segment { rows: rows.len(), seen: seen.to_vec(), own: rows.start });
            }
            let mut path = seen.to_vec();
            path.push(rows);
            // A sequence that ends here comes first in the order.
            let mut rest = range.clone();
            if first.len() == end {
                self.paths[range.start] = path.clone();
                rest.start += 1;
            }
            if !rest.is_empty() {
                self.branch(sequences, rest, end, end, &path);
            }
        } else {
            self.branch(sequences, range, common, depth, seen);
        }
    }

    /// Splits the sequences by their token at `at`; each group continues from `depth`.
    fn branch(
        &mut self,
        sequences: &[&[TokenId]],
        range: Range<usize>,
        at: usize,
        depth: usize,
        seen: &[Range<usize>],
    ) {
        let mut start = range.start;
        while start < range.end {
            let token = sequences[start].get(at);
            let mut end = start + 1;
            while end < range.end && token.is_some() && sequences[end].get(at) == token {
                end += 1;
            }
            self.grow(sequences, start..end, depth, seen);
            start = end;
        }
    }
}

/// Length of the common beginning.
pub(crate) fn shared(a: &[TokenId], b: &[TokenId]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::PrefixTree;
    use bunch_lm::TokenId;

    fn sorted(mut sequences: Vec<Vec<TokenId>>) -> Vec<Vec<TokenId>> {
        sequences.sort();
        sequences.dedup();
        sequences
    }

    #[test]
    fn a_long_beginning_is_read_once() {
        let context: Vec<TokenId> = (0..20).collect();
        let sequences =
            sorted([[7, 8].as_slice(), &[7], &[9, 9]].iter().map(|end| [&context, *end].concat()).collect());
        let tree = PrefixTree::new(&sequences.iter().map(Vec::as_slice).collect::<Vec<_>>());
        // 20 shared, then 7 and 7 8 (too little to share one token), then 9 9.
        assert_eq!(tree.ids.len(), 20 + 1 + 2 + 2);
        assert!(tree.segments[0].seen.is_empty());
        assert!(tree.segments[1..].iter().all(|segment| segment.seen.len() == 1 && segment.seen[0] == (0..20)));
    }

    proptest! {
        #[test]
        fn every_path_spells_its_sequence(
            sequences in proptest::collection::vec(proptest::collection::vec(0u32..3, 1..30), 1..30)
        ) {
            let sequences = sorted(sequences);
            let tree = PrefixTree::new(&sequences.iter().map(Vec::as_slice).collect::<Vec<_>>());
            for (index, sequence) in sequences.iter().enumerate() {
                let spelled: Vec<TokenId> = (0..sequence.len()).map(|p| tree.ids[tree.row(index, p)]).collect();
                prop_assert_eq!(&spelled, sequence);
            }
            // Each segment stands right after the rows that it sees, and rows are counted once.
            let mut next = 0;
            for segment in &tree.segments {
                prop_assert_eq!(segment.own, next);
                prop_assert!(segment.seen.iter().all(|seen| seen.end <= segment.own));
                next += segment.rows;
            }
            prop_assert_eq!(next, tree.ids.len());
        }
    }
}
