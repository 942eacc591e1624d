//! Looking at every value of the weights.

use std::sync::atomic::{AtomicUsize, Ordering};

use bunch_checkpoint::{Checkpoint, CheckpointError, TensorReader, count_non_finite};

use super::problem::Problem;

/// Values that are compared at a time.
const PIECE: usize = 1 << 16;

/// Finds values that are not finite, and whether an output projection that readers ignore has other values than the
/// embedding. Tensors of other dtypes than those of weights are left out. The order is that of the names.
pub(crate) fn check(checkpoint: &Checkpoint, ignored_output: Option<(&str, &str)>, threads: usize) -> Vec<Problem> {
    let names: Vec<&str> = checkpoint.names().filter(|name| checkpoint.info(name).is_some()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some((at, name)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, names.get(at)?)))
        {
            found.extend(check_tensor(checkpoint, name).map(|problem| (at, problem)));
        }
        found
    };
    let mut found: Vec<(usize, Problem)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let others = threads.into_iter().flat_map(|thread| match thread.join() {
            Ok(found) => found,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        own.into_iter().chain(others).collect()
    });
    found.sort_by_key(|(at, _)| *at);
    let mut problems: Vec<Problem> = found.into_iter().map(|(_, problem)| problem).collect();
    if let Some((output, embedding)) = ignored_output {
        let (output, embedding) = (output.to_owned(), embedding.to_owned());
        match are_equal(checkpoint, &output, &embedding) {
            Ok(true) => {}
            Ok(false) => problems.push(Problem::IgnoredOutput { output, embedding }),
            Err(error) => problems.push(error.into()),
        }
    }
    problems
}

fn check_tensor(checkpoint: &Checkpoint, name: &str) -> Option<Problem> {
    match checkpoint.reader(name).and_then(count_non_finite) {
        Ok((0, 0)) => None,
        Ok((nan, infinite)) => Some(Problem::NonFinite { tensor: name.to_owned(), nan, infinite }),
        Err(error) => Some(error.into()),
    }
}

/// Whether two tensors have the same shape and values.
fn are_equal(checkpoint: &Checkpoint, a: &str, b: &str) -> Result<bool, CheckpointError> {
    let (a, b) = (checkpoint.reader(a)?, checkpoint.reader(b)?);
    if a.shape() != b.shape() {
        return Ok(false);
    }
    let mut buffers = [vec![0.0_f32; PIECE.min(a.len())], vec![0.0_f32; PIECE.min(a.len())]];
    let mut start = 0;
    while start < a.len() {
        let count = PIECE.min(a.len() - start);
        let [values_a, values_b] = &mut buffers;
        let read = |tensor: TensorReader<'_>, values: &mut [f32]| tensor.read(start, values);
        read(a, &mut values_a[..count])?;
        read(b, &mut values_b[..count])?;
        if values_a[..count] != values_b[..count] {
            return Ok(false);
        }
        start += count;
    }
    Ok(true)
}
