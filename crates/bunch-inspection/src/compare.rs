//! How two checkpoints differ: by tensor, layer and module.
//!
//! [`compare`] reads two checkpoints, and if wanted the base that both come from, once and in pieces. A [`Comparison`]
//! has the [`Measures`] of each tensor, and those of layers, modules and the whole, as if their tensors were one long
//! vector; it is printed as a table, written as CSV or drawn as a heat map.
//! [`linear_cka`] compares what two models make of the same inputs instead.

mod cka;
mod comparison;
mod csv_rows;
mod difference;
mod error;
mod measures;
mod pairs;
mod quantity;
mod sums;
mod table;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bunch_checkpoint::{Checkpoint, CheckpointError, TensorName, TensorReader};
use bunch_progress::Progress;

pub use cka::linear_cka;
pub use comparison::{Comparison, TensorComparison};
pub use difference::{Difference, DifferenceKind, Side};
pub use error::ComparisonError;
pub use measures::{Measures, TaskVectorMeasures};
pub use quantity::Quantity;

use pairs::{Pair, Pairs};
use sums::Sums;

/// Values of a tensor that are read and compared at a time.
const PIECE: usize = 1 << 16;

/// Values of a tensor that one thread takes on at a time. Sums are added within a stretch and then over the stretches,
/// always in the same order.
const STRETCH: usize = 16 * PIECE;

/// Compares two checkpoints, and what has changed in them since `base` where it is given. Every value is read once;
/// 768 KiB per thread are kept in memory, and some 150 bytes per million values. The result does not depend on the
/// number of `threads` (0 counts as 1). `progress` counts the bytes that were read, by several
/// threads; those of a quantised tensor count as f32.
///
/// Tensors that one checkpoint lacks, of different shapes, or with values that are not finite are not compared but
/// listed as differences. Of vocabulary tensors with different numbers of rows, the first rows are compared. Where a
/// checkpoint has no output projection because it is tied to the embedding, the embedding is compared. A tensor that
/// only the base lacks, or has otherwise, is compared without base.
///
/// # Errors
/// A file cannot be read, or changes meanwhile; no tensor at all can be compared.
pub fn compare(
    a: &Checkpoint,
    b: &Checkpoint,
    base: Option<&Checkpoint>,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Comparison, ComparisonError> {
    let Pairs { pairs, mut differences } = Pairs::new(a, b, base);
    let bytes = pairs.iter().map(|pair| pair.values as u64 * pair.value_size()).sum();
    progress.begin("comparing", bytes, 0);
    let sums = sum_all(&pairs, threads, progress)?;
    for checkpoint in [Some(a), Some(b), base].into_iter().flatten() {
        checkpoint.check_unchanged()?;
    }
    let mut tensors = Vec::new();
    for (pair, mut sums) in pairs.iter().zip(sums) {
        let broken = non_finite_sides(&sums);
        let note = |&side: &Side| Difference { tensor: pair.name.to_owned(), kind: DifferenceKind::NotFinite { side } };
        differences.extend(broken.iter().map(note));
        if broken == [Side::Base] {
            sums.task = None;
        } else if !broken.is_empty() {
            continue;
        }
        tensors.push(TensorComparison {
            name: pair.name.to_owned(),
            parsed_name: TensorName::of(pair.name),
            shape: pair.a.shape().to_vec(),
            dtype_a: pair.a.raw().stored_dtype().to_owned(),
            dtype_b: pair.b.raw().stored_dtype().to_owned(),
            sums,
        });
    }
    // Layers in the order of their numbers, not of their names.
    tensors.sort_by(|a, b| (&a.parsed_name.layer, &a.name).cmp(&(&b.parsed_name.layer, &b.name)));
    differences.sort_by_cached_key(|difference| (TensorName::of(&difference.tensor).layer, difference.tensor.clone()));
    if tensors.is_empty() {
        return Err(ComparisonError::NothingInCommon {
            a: a.dir().to_path_buf(),
            tensors_a: a.names().count(),
            b: b.dir().to_path_buf(),
            tensors_b: b.names().count(),
            first: differences.first().map(ToString::to_string),
        });
    }
    let (dir_a, dir_b) = (a.dir().to_path_buf(), b.dir().to_path_buf());
    Ok(Comparison { a: dir_a, b: dir_b, base: base.map(|base| base.dir().to_path_buf()), tensors, differences })
}

/// The checkpoints in which a tensor has values that are not finite: squares of finite f32 cannot overflow an f64.
fn non_finite_sides(sums: &Sums) -> Vec<Side> {
    let base = sums.task.map_or(0.0, |task| task.base);
    let squares = [(Side::A, sums.aa), (Side::B, sums.bb), (Side::Base, base)];
    squares.into_iter().filter(|(_, square)| !square.is_finite()).map(|(side, _)| side).collect()
}

/// The sums of each pair.
fn sum_all(pairs: &[Pair<'_>], threads: usize, progress: &dyn Progress) -> Result<Vec<Sums>, CheckpointError> {
    let stretches: Vec<(usize, usize)> = (pairs.iter().enumerate())
        .flat_map(|(at, pair)| (0..pair.values).step_by(STRETCH).map(move |start| (at, start)))
        .collect();
    let (next, has_failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        let mut buffers = Buffers::default();
        let mut done = BTreeMap::new();
        while !has_failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((pair, start)) = stretches.get(index).and_then(|&(at, start)| Some((pairs.get(at)?, start)))
            else {
                break;
            };
            let sums = buffers.sum(pair, start, progress);
            has_failed.fetch_or(sums.is_err(), Ordering::Relaxed);
            done.insert(index, sums);
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(stretches.len())).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(others) => done.extend(others),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    // A pair without values has sums of its own kind, too: with a base if it has one.
    let mut all: Vec<Sums> =
        pairs.iter().map(|pair| Sums { task: pair.base.map(|_| Default::default()), ..Sums::default() }).collect();
    // In the order of the stretches. They are taken on in that order, so that the first error is always the same.
    for (index, &(at, _)) in stretches.iter().enumerate() {
        if let (Some(sums), Some(sum)) = (done.remove(&index), all.get_mut(at)) {
            sum.add(&sums?);
        }
    }
    Ok(all)
}

/// What a thread reads into.
#[derive(Default)]
struct Buffers {
    a: Vec<f32>,
    b: Vec<f32>,
    base: Vec<f32>,
}

impl Buffers {
    /// The sums over a stretch of a pair.
    fn sum(&mut self, pair: &Pair<'_>, start: usize, progress: &dyn Progress) -> Result<Sums, CheckpointError> {
        let end = pair.values.min(start + STRETCH);
        let mut sums = Sums::default();
        for start in (start..end).step_by(PIECE) {
            let count = PIECE.min(end - start);
            let a = read(&pair.a, start, count, &mut self.a)?;
            let b = read(&pair.b, start, count, &mut self.b)?;
            sums.add(&match &pair.base {
                Some(base) => Sums::with_base(a, b, read(base, start, count, &mut self.base)?),
                None => Sums::of(a, b),
            });
            progress.advance(count as u64 * pair.value_size());
        }
        Ok(sums)
    }
}

fn read<'a>(
    tensor: &TensorReader<'_>,
    start: usize,
    count: usize,
    buffer: &'a mut Vec<f32>,
) -> Result<&'a [f32], CheckpointError> {
    buffer.resize(count, 0.0);
    tensor.read(start, buffer)?;
    Ok(buffer)
}
