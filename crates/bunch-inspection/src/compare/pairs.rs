//! Which tensors of two checkpoints can be compared with which.

use std::collections::BTreeSet;

use bunch_checkpoint::{Checkpoint, TensorName, TensorReader, embedding_for_output};

use super::difference::{Difference, DifferenceKind, Side};

/// Tensors whose values are compared one by one.
pub(crate) struct Pair<'a> {
    /// The name; that of the output projection where an embedding stands in for it.
    pub(crate) name: &'a str,
    pub(crate) a: TensorReader<'a>,
    pub(crate) b: TensorReader<'a>,
    /// None if there is no base, or none for this tensor.
    pub(crate) base: Option<TensorReader<'a>>,
    /// Number of values compared, from the first on.
    pub(crate) values: usize,
}

impl Pair<'_> {
    /// Bytes of a value in all tensors together.
    pub(crate) fn value_size(&self) -> u64 {
        let size = |tensor: &TensorReader<'_>| tensor.dtype().size() as u64;
        size(&self.a) + size(&self.b) + self.base.as_ref().map_or(0, size)
    }
}

/// All tensors of two checkpoints, as pairs or as differences; sorted by name.
pub(crate) struct Pairs<'a> {
    pub(crate) pairs: Vec<Pair<'a>>,
    pub(crate) differences: Vec<Difference>,
}

impl<'a> Pairs<'a> {
    pub(crate) fn new(a: &'a Checkpoint, b: &'a Checkpoint, base: Option<&'a Checkpoint>) -> Self {
        let mut pairs = Self { pairs: Vec::new(), differences: Vec::new() };
        let names: BTreeSet<&str> = a.names().chain(b.names()).collect();
        for name in names {
            let mut kinds = Vec::new();
            // Both, lest a tensor that neither has in a dtype of weights be reported of one only.
            let found = (find(a, Side::A, name, &mut kinds), find(b, Side::B, name, &mut kinds));
            let pair = match found {
                (Some(a), Some(b)) => {
                    let base = base.and_then(|base| find(base, Side::Base, name, &mut kinds));
                    pair(name, a, b, base, &mut kinds)
                }
                _ => None,
            };
            pairs.pairs.extend(pair);
            pairs.differences.extend(kinds.into_iter().map(|kind| Difference { tensor: name.to_owned(), kind }));
        }
        pairs
    }
}

/// The tensor of a checkpoint, or else why there is none among the differences.
fn find<'a>(
    checkpoint: &'a Checkpoint,
    side: Side,
    name: &str,
    kinds: &mut Vec<DifferenceKind>,
) -> Option<TensorReader<'a>> {
    match checkpoint.stored_dtype(name) {
        Some(dtype) => {
            let reader = checkpoint.reader(name).ok();
            if reader.is_none() {
                kinds.push(DifferenceKind::Dtype { side, got: dtype.to_owned() });
            }
            reader
        }
        None => {
            let stand_in = tied_embedding(checkpoint, name)
                .and_then(|embedding| Some((embedding, checkpoint.reader(embedding).ok()?)));
            kinds.push(match &stand_in {
                Some((embedding, _)) => DifferenceKind::Tied { side, embedding: (*embedding).to_owned() },
                None => DifferenceKind::Missing { side },
            });
            stand_in.map(|(_, reader)| reader)
        }
    }
}

/// The embedding that readers take for an output projection of this name, which the checkpoint does not have.
fn tied_embedding<'a>(checkpoint: &'a Checkpoint, name: &str) -> Option<&'a str> {
    let is_untied = checkpoint.config().get("tie_word_embeddings").and_then(|tied| tied.as_bool()) == Some(false);
    if is_untied || !TensorName::of(name).is_output() {
        return None;
    }
    embedding_for_output(checkpoint.names())
}

/// Pairs tensors as far as their shapes allow it.
fn pair<'a>(
    name: &'a str,
    a: TensorReader<'a>,
    b: TensorReader<'a>,
    mut base: Option<TensorReader<'a>>,
    kinds: &mut Vec<DifferenceKind>,
) -> Option<Pair<'a>> {
    let shape = |side, got: &TensorReader<'_>| DifferenceKind::Shape {
        side,
        expected: a.shape().to_vec(),
        got: got.shape().to_vec(),
    };
    if !can_be_compared(name, a.shape(), b.shape()) {
        kinds.push(shape(Side::B, &b));
        return None;
    }
    if let Some(other) = base.filter(|base| !can_be_compared(name, a.shape(), base.shape())) {
        kinds.push(shape(Side::Base, &other));
        base = None;
    }
    let lengths = || [Some(&a), Some(&b), base.as_ref()].into_iter().flatten();
    let values = lengths().map(TensorReader::len).min().unwrap_or(0);
    if lengths().any(|tensor| tensor.len() != values) {
        let of: Vec<usize> = lengths().filter_map(|tensor| tensor.shape().first().copied()).collect();
        kinds.push(DifferenceKind::CommonRows { rows: of.iter().copied().min().unwrap_or(0), of });
    }
    Some(Pair { name, a, b, base, values })
}

/// Whether shapes are equal, or differ in the number of rows only where rows are tokens.
fn can_be_compared(name: &str, a: &[usize], b: &[usize]) -> bool {
    match (a, b) {
        ([_, a @ ..], [_, b @ ..]) if TensorName::of(name).is_vocabulary() && !a.is_empty() => a == b,
        _ => a == b,
    }
}
