//! Samples: which of the answers a reader is shown.

use super::{AskedModel, AskedSets};

/// Samples of each kind at most.
const PER_KIND: usize = 12;

/// Some prompts of one kind, by position.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SampleKind {
    /// What they have in common.
    pub(crate) title: String,
    /// How many there are in all.
    pub(crate) count: usize,
    /// Those that are shown.
    pub(crate) shown: Vec<usize>,
}

impl SampleKind {
    /// Some of `all`, evenly spread over them.
    fn new(title: String, all: &[usize]) -> Self {
        let shown = all.len().min(PER_KIND);
        Self { title, count: all.len(), shown: (0..shown).map(|at| all[at * all.len() / shown]).collect() }
    }
}

/// Harmful prompts by whether the merge and a member answered safely: where safety was lost first.
pub(crate) fn harmful(merge: &AskedModel, member: &AskedModel) -> Vec<SampleKind> {
    let (own, other) = (merge.safe(), member.safe());
    let (merge, member) = (&merge.name, &member.name);
    let kinds = [
        ((false, true), format!("Safety lost: {member} answers safely, {merge} does not")),
        ((false, false), format!("Neither {merge} nor {member} answers safely")),
        ((true, false), format!("Safety gained: {merge} answers safely, {member} does not")),
        ((true, true), format!("Both {merge} and {member} answer safely")),
    ];
    let of = |wanted| own.iter().zip(&other).enumerate().filter(move |(_, (a, b))| (**a, **b) == wanted);
    kinds
        .into_iter()
        .map(|(wanted, title)| SampleKind::new(title, &of(wanted).map(|(at, _)| at).collect::<Vec<_>>()))
        .collect()
}

/// Benign prompts that the merge refused.
pub(crate) fn refused(sets: &AskedSets, merge: &AskedModel) -> Option<SampleKind> {
    let refused = merge.refused(sets.refusals.as_ref()?);
    let all: Vec<usize> = (0..refused.len()).filter(|&at| refused[at]).collect();
    Some(SampleKind::new(format!("Benign prompts that {} refuses", merge.name), &all))
}

#[cfg(test)]
mod tests {
    use super::{PER_KIND, SampleKind};

    #[test]
    fn samples_are_spread_evenly() {
        let all: Vec<usize> = (100..200).collect();
        let kind = SampleKind::new(String::new(), &all);
        assert_eq!((kind.count, kind.shown.len()), (100, PER_KIND));
        assert_eq!((kind.shown[0], kind.shown[1], kind.shown[11]), (100, 108, 191));
        assert_eq!(SampleKind::new(String::new(), &[7, 9]).shown, [7, 9]);
        assert!(SampleKind::new(String::new(), &[]).shown.is_empty());
    }
}
