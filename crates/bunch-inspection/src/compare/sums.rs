//! Sums over the values of a tensor, of which all measures are made.

/// Sums are kept in this many lanes, always added in the same order: fast, and the same on every machine.
const LANES: usize = 8;

/// Blocks of values that a processor's first cache holds of two tensors.
const CACHED_BLOCKS: usize = 256;

type Lanes<T> = [T; LANES];

/// Sums over the values of two tensors, or of parts of them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sums {
    /// Number of values of each.
    pub(crate) values: u64,
    /// Inner products: of the first with itself, of the second with itself, of both.
    pub(crate) aa: f64,
    pub(crate) bb: f64,
    pub(crate) ab: f64,
    /// Squared length of the difference.
    pub(crate) squared_distance: f64,
    /// Largest difference of two values.
    pub(crate) max_difference: f64,
    /// Values that are the same in both.
    pub(crate) equal: u64,
    /// The same for the differences to a base, where there is one.
    pub(crate) task: Option<TaskSums>,
}

/// Sums over the differences of two tensors to a third one, the base.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct TaskSums {
    /// Number of values of each.
    pub(crate) values: u64,
    /// Squared length of the base.
    pub(crate) base: f64,
    /// Inner products of the task vectors: of the first with itself, of the second with itself, of both.
    pub(crate) uu: f64,
    pub(crate) vv: f64,
    pub(crate) uv: f64,
    /// Entries that have the same sign in both, none being zero.
    pub(crate) same_sign: u64,
    /// Entries that have opposite signs.
    pub(crate) opposite_sign: u64,
    /// Entries that are zero in both.
    pub(crate) both_zero: u64,
}

impl Sums {
    /// The sums over values of two tensors, of equal number.
    pub(crate) fn of(a: &[f32], b: &[f32]) -> Self {
        sums(a, b)
    }

    /// The same with a base of as many values.
    pub(crate) fn with_base(a: &[f32], b: &[f32], base: &[f32]) -> Self {
        Self { task: Some(task_sums(a, b, base)), ..sums(a, b) }
    }

    /// Adds the sums over other values.
    pub(crate) fn add(&mut self, other: &Self) {
        self.values += other.values;
        self.aa += other.aa;
        self.bb += other.bb;
        self.ab += other.ab;
        self.squared_distance += other.squared_distance;
        self.max_difference = larger(self.max_difference, other.max_difference);
        self.equal += other.equal;
        if let Some(other) = &other.task {
            let task = self.task.get_or_insert_default();
            task.values += other.values;
            task.base += other.base;
            task.uu += other.uu;
            task.vv += other.vv;
            task.uv += other.uv;
            task.same_sign += other.same_sign;
            task.opposite_sign += other.opposite_sign;
            task.both_zero += other.both_zero;
        }
    }
}

/// The larger number; unlike `f64::max` it is one instruction.
fn larger(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// [`Sums`] without a base, per lane.
#[derive(Default)]
struct SumLanes {
    aa: Lanes<f64>,
    bb: Lanes<f64>,
    ab: Lanes<f64>,
    squared_distance: Lanes<f64>,
    max_difference: Lanes<f64>,
}

impl SumLanes {
    /// Adds blocks of values, one quantity after the other: compilers make vector code of these loops, but not of a
    /// loop over all of them.
    #[inline(always)]
    fn add(&mut self, a: &[Lanes<f32>], b: &[Lanes<f32>]) {
        fold(&mut self.aa, a, a, |sum, a, other| sum + a * other);
        fold(&mut self.bb, b, b, |sum, b, other| sum + b * other);
        fold(&mut self.ab, a, b, |sum, a, b| sum + a * b);
        fold(&mut self.squared_distance, a, b, |sum, a, b| sum + (a - b) * (a - b));
        fold(&mut self.max_difference, a, b, |max, a, b| larger(max, (a - b).abs()));
    }
}

/// Folds each lane of two rows of blocks.
#[inline(always)]
fn fold(lanes: &mut Lanes<f64>, a: &[Lanes<f32>], b: &[Lanes<f32>], step: impl Fn(f64, f64, f64) -> f64) {
    let mut folded = *lanes;
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            folded[lane] = step(folded[lane], f64::from(a[lane]), f64::from(b[lane]));
        }
    }
    *lanes = folded;
}

/// [`TaskSums`] per lane.
#[derive(Default)]
struct TaskLanes {
    base: Lanes<f64>,
    uu: Lanes<f64>,
    vv: Lanes<f64>,
    uv: Lanes<f64>,
    same_sign: Lanes<u64>,
    opposite_sign: Lanes<u64>,
    both_zero: Lanes<u64>,
}

impl TaskLanes {
    #[inline(always)]
    fn add(&mut self, a: &Lanes<f32>, b: &Lanes<f32>, base: &Lanes<f32>) {
        for lane in 0..LANES {
            let base = f64::from(base[lane]);
            let (u, v) = (f64::from(a[lane]) - base, f64::from(b[lane]) - base);
            // The smallest difference of two f32 is 2^-149: no product of two underflows.
            let product = u * v;
            self.base[lane] += base * base;
            self.uu[lane] += u * u;
            self.vv[lane] += v * v;
            self.uv[lane] += product;
            self.same_sign[lane] += u64::from(product > 0.0);
            self.opposite_sign[lane] += u64::from(product < 0.0);
            self.both_zero[lane] += u64::from((u == 0.0) & (v == 0.0));
        }
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn sums(a: &[f32], b: &[f32]) -> Sums {
    debug_assert_eq!(a.len(), b.len());
    let mut lanes = SumLanes::default();
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks(), b.as_chunks());
    for (a, b) in a_blocks.chunks(CACHED_BLOCKS).zip(b_blocks.chunks(CACHED_BLOCKS)) {
        lanes.add(a, b);
    }
    let filled = filled_up(a_rest.len());
    if filled > 0 {
        lanes.add(&[padded(a_rest)], &[padded(b_rest)]);
    }
    Sums {
        values: a.len() as u64,
        aa: lanes.aa.iter().sum(),
        bb: lanes.bb.iter().sum(),
        ab: lanes.ab.iter().sum(),
        squared_distance: lanes.squared_distance.iter().sum(),
        max_difference: lanes.max_difference.into_iter().fold(0.0, larger),
        equal: a.iter().zip(b).map(|(a, b)| u64::from(a == b)).sum(),
        task: None,
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn task_sums(a: &[f32], b: &[f32], base: &[f32]) -> TaskSums {
    debug_assert!(a.len() == base.len() && b.len() == base.len());
    let mut lanes = TaskLanes::default();
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks(), b.as_chunks());
    let (base_blocks, base_rest) = base.as_chunks();
    for ((a, b), base) in a_blocks.iter().zip(b_blocks).zip(base_blocks) {
        lanes.add(a, b, base);
    }
    let filled = filled_up(a_rest.len());
    if filled > 0 {
        lanes.add(&padded(a_rest), &padded(b_rest), &padded(base_rest));
    }
    TaskSums {
        values: a.len() as u64,
        base: lanes.base.iter().sum(),
        uu: lanes.uu.iter().sum(),
        vv: lanes.vv.iter().sum(),
        uv: lanes.uv.iter().sum(),
        same_sign: lanes.same_sign.iter().sum(),
        opposite_sign: lanes.opposite_sign.iter().sum(),
        both_zero: lanes.both_zero.iter().sum::<u64>() - filled,
    }
}

/// How many zeros fill up a last block of so many values, if there is one.
fn filled_up(rest: usize) -> u64 {
    if rest == 0 { 0 } else { (LANES - rest) as u64 }
}

/// The values of a last block, filled up with zeros, which change no sum but count as equal.
fn padded(rest: &[f32]) -> Lanes<f32> {
    let mut lanes = [0.0; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

#[cfg(test)]
mod tests {
    use super::{Sums, TaskSums};

    #[test]
    fn sums_by_hand() {
        let (a, b) = ([1.0, -2.0, 0.0, 3.0], [1.0, 2.0, 0.0, 1.0]);
        let expected = Sums {
            values: 4,
            aa: 14.0,
            bb: 6.0,
            ab: 0.0,
            squared_distance: 20.0,
            max_difference: 4.0,
            equal: 2,
            task: None,
        };
        assert_eq!(Sums::of(&a, &b), expected);
        // Task vectors [0, -3, 0, 1] and [0, 1, 0, -1] against the base [1, 1, 0, 2].
        let task = TaskSums {
            values: 4,
            base: 6.0,
            uu: 10.0,
            vv: 2.0,
            uv: -4.0,
            same_sign: 0,
            opposite_sign: 2,
            both_zero: 2,
        };
        assert_eq!(Sums::with_base(&a, &b, &[1.0, 1.0, 0.0, 2.0]), Sums { task: Some(task), ..expected });
    }

    #[test]
    fn lanes_and_the_rest_miss_nothing() {
        for length in [0_u8, 1, 7, 8, 9, 19] {
            let counting: Vec<f32> = (1..=length).map(f32::from).collect();
            let (zeros, ones) = (vec![0.0; counting.len()], vec![1.0; counting.len()]);
            let n = u64::from(length);
            let sum = (n * (n + 1) / 2) as f64;
            let found = Sums::with_base(&counting, &ones, &zeros);
            let task = found.task.unwrap();
            assert_eq!((found.values, found.ab, found.bb, found.equal), (n, sum, n as f64, n.min(1)));
            assert_eq!((task.uv, task.vv, task.same_sign, task.both_zero), (sum, n as f64, n, 0));
            let same = Sums::with_base(&counting, &counting, &counting);
            assert_eq!((same.equal, same.task.unwrap().both_zero, same.squared_distance), (n, n, 0.0));
        }
    }

    #[test]
    fn the_smallest_differences_have_signs() {
        let tiny = f32::from_bits(1);
        let task = Sums::with_base(&[tiny, tiny], &[tiny, -tiny], &[0.0, 0.0]).task.unwrap();
        assert_eq!((task.same_sign, task.opposite_sign), (1, 1));
    }

    #[test]
    fn sums_of_parts_add_up_with_and_without_a_base() {
        let mut all = Sums::of(&[1.0, 2.0], &[2.0, 2.0]);
        all.add(&Sums::with_base(&[5.0], &[3.0], &[3.0]));
        assert_eq!((all.values, all.aa, all.equal, all.max_difference), (3, 30.0, 1, 2.0));
        let task = all.task.unwrap();
        assert_eq!((task.values, task.uu, task.vv, task.base), (1, 4.0, 0.0, 9.0));
    }
}
