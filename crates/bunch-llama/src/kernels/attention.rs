//! Causal grouped-query attention with rotary positions, one head at a time in small buffers, and its derivative.

use super::attention_shape::AttentionShape;
use super::simd::{exp, vectorised};

/// Register-sized group of values the loops below work in.
const W: usize = 16;

/// Buffers of one (sequence, key-value head), sized for the longest sequence: rows of `dim` (head width rounded up to `W`)
/// or `keys` (tokens rounded up).
struct Head {
    seq: usize,
    dim: usize,
    keys: usize,
    head_dim: usize,
    /// Rotated query, `[seq, dim]`, already divided by sqrt(head_dim).
    q: Vec<f32>,
    /// Rotated key, `[seq, dim]`.
    k: Vec<f32>,
    /// Rotated key transposed, `[dim, keys]`.
    k_t: Vec<f32>,
    /// Value, `[seq, dim]`.
    v: Vec<f32>,
    /// Probabilities, `[seq, keys]`, zero above the diagonal.
    p: Vec<f32>,
}

impl Head {
    fn new(shape: &AttentionShape) -> Self {
        let (seq, head_dim) = (shape.longest(), shape.head_dim);
        let (dim, keys) = (head_dim.next_multiple_of(W), seq.next_multiple_of(W));
        let rows = || vec![0.0; seq * dim];
        Self {
            seq,
            dim,
            keys,
            head_dim,
            q: rows(),
            k: rows(),
            k_t: vec![0.0; dim * keys],
            v: rows(),
            p: vec![0.0; seq * keys],
        }
    }

    /// Loads key and value head `kv` of a sequence; `qkv` holds the rows of this sequence alone.
    #[inline(always)]
    fn load_kv(&mut self, qkv: &[f32], cos: &[f32], sin: &[f32], shape: &AttentionShape, kv: usize) {
        self.seq = qkv.len() / shape.qkv_width();
        for (t, row) in qkv.chunks_exact(shape.qkv_width()).enumerate() {
            let at = (shape.heads + kv) * self.head_dim;
            let k = &mut self.k[t * self.dim..][..self.dim];
            rotate(&row[at..][..self.head_dim], cos, sin, t, 1.0, k);
            for (d, &value) in k.iter().enumerate() {
                self.k_t[d * self.keys + t] = value;
            }
            let at = (shape.heads + shape.kv_heads + kv) * self.head_dim;
            self.v[t * self.dim..][..self.head_dim].copy_from_slice(&row[at..][..self.head_dim]);
        }
    }

    /// Loads query head `h` of the sequence and computes its probabilities.
    #[inline(always)]
    fn load_query(&mut self, qkv: &[f32], cos: &[f32], sin: &[f32], shape: &AttentionShape, h: usize) {
        let scale = 1.0 / (self.head_dim as f32).sqrt();
        for (t, row) in qkv.chunks_exact(shape.qkv_width()).enumerate() {
            let row = &row[h * self.head_dim..][..self.head_dim];
            rotate(row, cos, sin, t, scale, &mut self.q[t * self.dim..][..self.dim]);
        }
        for i in 0..self.seq {
            let q = &self.q[i * self.dim..][..self.dim];
            let p = &mut self.p[i * self.keys..][..self.keys];
            for j in (0..=i).step_by(W) {
                let group: &mut [f32; W] = (&mut p[j..j + W]).try_into().expect("W values");
                *group = combine(q, &self.k_t[j..], self.keys);
            }
            let start = shape.window.map_or(0, |window| (i + 1).saturating_sub(window));
            let max = p[start..=i].iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let seen = (i + 1).next_multiple_of(W);
            for value in &mut p[..seen] {
                *value = exp(*value - max);
            }
            p[..start].fill(0.0);
            p[i + 1..].fill(0.0);
            let inverse = 1.0 / p[..=i].iter().sum::<f32>();
            for value in &mut p[..seen] {
                *value *= inverse;
            }
        }
    }
}

/// Half-split rotation of one head's row at position `t`, times `scale`; inverse with `sin` negated.
#[inline(always)]
pub(super) fn rotate(row: &[f32], cos: &[f32], sin: &[f32], t: usize, scale: f32, out: &mut [f32]) {
    let half = row.len() / 2;
    let (cos, sin) = (&cos[t * half..][..half], &sin[t * half..][..half]);
    let (a, b) = row.split_at(half);
    for d in 0..half {
        out[d] = (a[d] * cos[d] - b[d] * sin[d]) * scale;
        out[half + d] = (b[d] * cos[d] + a[d] * sin[d]) * scale;
    }
}

/// Derivative of [`rotate`]: the rotation by the opposite angle.
#[inline(always)]
fn unrotate(row: &[f32], cos: &[f32], sin: &[f32], t: usize, scale: f32, out: &mut [f32]) {
    let half = out.len() / 2;
    let (cos, sin) = (&cos[t * half..][..half], &sin[t * half..][..half]);
    let (a, b) = (&row[..half], &row[half..2 * half]);
    for d in 0..half {
        out[d] = (a[d] * cos[d] + b[d] * sin[d]) * scale;
        out[half + d] = (b[d] * cos[d] - a[d] * sin[d]) * scale;
    }
}

/// `sum over r of factors[r] * rows[r * stride ..][..W]`: W columns of a vector-matrix product, kept in registers.
#[inline(always)]
fn combine(factors: &[f32], rows: &[f32], stride: usize) -> [f32; W] {
    let mut sum = [0.0; W];
    for (r, &factor) in factors.iter().enumerate() {
        let row: &[f32; W] = rows[r * stride..][..W].try_into().expect("W values");
        for lane in 0..W {
            sum[lane] += factor * row[lane];
        }
    }
    sum
}

/// The part of `rows` that belongs to a sequence of `length` tokens starting at token `start`.
#[inline(always)]
fn sequence(rows: &[f32], start: usize, length: usize, width: usize) -> &[f32] {
    &rows[start * width..(start + length) * width]
}

vectorised! {
    /// Attention of the sequences `first..` that `out` has room for; `qkv` holds all sequences.
    pub(crate) fn forward(qkv: &[f32], cos: &[f32], sin: &[f32], shape: &AttentionShape, first: usize, out: &mut [f32]) {
        let mut head = Head::new(shape);
        let (width, group) = (shape.out_width(), shape.heads / shape.kv_heads);
        let mut start: usize = shape.lengths[..first].iter().sum();
        let mut rest = out;
        for &seq in &shape.lengths[first..] {
            if rest.is_empty() {
                break;
            }
            let out;
            (out, rest) = rest.split_at_mut(seq * width);
            let qkv = sequence(qkv, start, seq, shape.qkv_width());
            start += seq;
            for kv in 0..shape.kv_heads {
                head.load_kv(qkv, cos, sin, shape, kv);
                for h in kv * group..(kv + 1) * group {
                    head.load_query(qkv, cos, sin, shape, h);
                    for i in 0..seq {
                        let out = &mut out[i * width + h * shape.head_dim..][..shape.head_dim];
                        for (d, out) in out.chunks_mut(W).enumerate() {
                            let sum = combine(&head.p[i * head.keys..][..i + 1], &head.v[d * W..], head.dim);
                            out.copy_from_slice(&sum[..out.len()]);
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// Derivative of [`forward`] for the sequences `first..` that `grad_qkv` has room for.
    pub(crate) fn backward(
        qkv: &[f32], cos: &[f32], sin: &[f32], grad: &[f32], shape: &AttentionShape, first: usize, grad_qkv: &mut [f32]
    ) {
        let mut head = Head::new(shape);
        let (head_dim, dim, keys) = (shape.head_dim, head.dim, head.keys);
        let (width, out_width, group) = (shape.qkv_width(), shape.out_width(), shape.heads / shape.kv_heads);
        let scale = 1.0 / (head_dim as f32).sqrt();
        let longest = shape.longest();
        let mut v_t = vec![0.0f32; dim * keys];
        let mut g = vec![0.0f32; longest * dim]; // derivative of this head's output
        let mut ds = vec![0.0f32; longest * keys]; // derivative of the scores
        let mut column = vec![0.0f32; longest];
        let (mut dk, mut dv) = (vec![0.0f32; longest * dim], vec![0.0f32; longest * dim]);
        let mut dq = vec![0.0f32; dim];
        let mut start: usize = shape.lengths[..first].iter().sum();
        let mut rest = grad_qkv;
        for &seq in &shape.lengths[first..] {
            if rest.is_empty() {
                break;
            }
            let grad_qkv;
            (grad_qkv, rest) = rest.split_at_mut(seq * width);
            let qkv = sequence(qkv, start, seq, width);
            let grad = sequence(grad, start, seq, out_width);
            start += seq;
            for kv in 0..shape.kv_heads {
                head.load_kv(qkv, cos, sin, shape, kv);
                for t in 0..seq {
                    for d in 0..dim {
                        v_t[d * keys + t] = head.v[t * dim + d];
                    }
                }
                dk.fill(0.0);
                dv.fill(0.0);
                for h in kv * group..(kv + 1) * group {
                    head.load_query(qkv, cos, sin, shape, h);
                    for i in 0..seq {
                        g[i * dim..][..head_dim].copy_from_slice(&grad[i * out_width + h * head_dim..][..head_dim]);
                    }
                    for i in 0..seq {
                        let (p, ds) = (&head.p[i * keys..][..keys], &mut ds[i * keys..][..keys]);
                        for j in (0..=i).step_by(W) {
                            ds[j..j + W].copy_from_slice(&combine(&g[i * dim..][..dim], &v_t[j..], keys));
                        }
                        let mean: f32 = p[..=i].iter().zip(&ds[..=i]).map(|(p, d)| p * d).sum();
                        for j in 0..=i {
                            ds[j] = p[j] * (ds[j] - mean);
                        }
                        for d in (0..dim).step_by(W) {
                            dq[d..d + W].copy_from_slice(&combine(&ds[..=i], &head.k[d..], dim));
                        }
                        unrotate(&dq, cos, sin, i, scale, &mut grad_qkv[i * width + h * head_dim..][..head_dim]);
                    }
                    for j in 0..seq {
                        // Queries i >= j saw key j; q already carries the scale.
                        let column = &mut column[..seq - j];
                        for (n, value) in column.iter_mut().enumerate() {
                            *value = ds[(j + n) * keys + j];
                        }
                        for d in (0..dim).step_by(W) {
                            let sum = combine(column, &head.q[j * dim + d..], dim);
                            for lane in 0..W {
                                dk[j * dim + d + lane] += sum[lane];
                            }
                        }
                        for (n, value) in column.iter_mut().enumerate() {
                            *value = head.p[(j + n) * keys + j];
                        }
                        for d in (0..dim).step_by(W) {
                            let sum = combine(column, &g[j * dim + d..], dim);
                            for lane in 0..W {
                                dv[j * dim + d + lane] += sum[lane];
                            }
                        }
                    }
                }
                for (t, row) in grad_qkv.chunks_exact_mut(width).enumerate() {
                    let at = (shape.heads + kv) * head_dim;
                    unrotate(&dk[t * dim..][..dim], cos, sin, t, 1.0, &mut row[at..][..head_dim]);
                    let at = (shape.heads + shape.kv_heads + kv) * head_dim;
                    row[at..][..head_dim].copy_from_slice(&dv[t * dim..][..head_dim]);
                }
            }
        }
    }
}
