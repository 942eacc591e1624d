//! Sign election and disjoint merge (TIES, steps 2 and 3).

use crate::block::BLOCK;

/// Merges contributions entry by entry: the sign of their sum is elected (an exact zero elects plus), contributions of
/// the other sign and zeros are left out, and the rest is added up. With `normalize`, each entry is then divided by the
/// sum of the weights of the experts that were not left out there (by 1 where that sum is 0).
///
/// `weighted` holds one contribution for each entry of `weights`, each as long as `merged`, at most one block.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn elect_and_merge(weighted: &[f32], weights: &[f32], normalize: bool, merged: &mut [f32]) {
    let len = merged.len();
    let (mut sums, mut divisors) = ([0.0_f32; BLOCK], [0.0_f32; BLOCK]);
    let (sums, divisors) = (&mut sums[..len], &mut divisors[..len]);
    for contribution in weighted.chunks_exact(len) {
        for (sum, value) in sums.iter_mut().zip(contribution) {
            *sum += value;
        }
    }
    merged.fill(0.0);
    for (contribution, &weight) in weighted.chunks_exact(len).zip(weights) {
        for (((merged, divisor), sum), &value) in merged.iter_mut().zip(&mut *divisors).zip(&*sums).zip(contribution) {
            let agrees = (value > 0.0) & (*sum >= 0.0) | (value < 0.0) & (*sum < 0.0);
            *merged += if agrees { value } else { 0.0 };
            *divisor += if agrees { weight } else { 0.0 };
        }
    }
    if normalize {
        for (merged, &mut divisor) in merged.iter_mut().zip(divisors) {
            *merged /= if divisor == 0.0 { 1.0 } else { divisor };
        }
    }
}
