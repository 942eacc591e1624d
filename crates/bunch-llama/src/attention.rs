//! Causal grouped-query attention: of whole sequences, and of new tokens over cached keys and values.

use burn::tensor::{Device, Tensor, TensorData, activation, s};

use crate::kernels::{self, AttentionShape, CachedShape};
use crate::ops::ints;
use crate::rope::{Rope, rotate};

/// A score that softmax turns into exactly 0.
pub(crate) const MASKED: f32 = -1e30;

/// Attention over unrotated projections of sequences that stand one after the other.
///
/// `qkv` `[tokens, (heads + 2 kv_heads) * head_dim]`, rope `[longest, head_dim / 2]`; gives `[tokens, heads * head_dim]`.
pub(crate) fn attention(qkv: Tensor<2>, rope: &Rope, shape: &AttentionShape) -> Tensor<2> {
    if kernels::available(&qkv.device()) {
        return kernels::attention(qkv, rope.cos.clone(), rope.sin.clone(), shape.clone());
    }
    composed(qkv, rope, shape)
}

/// The formula in burn's own operations, on sequences padded to a rectangle.
pub(crate) fn composed(qkv: Tensor<2>, rope: &Rope, shape: &AttentionShape) -> Tensor<2> {
    let (padding, device) = (Padding::new(&shape.lengths), qkv.device());
    let (batch, seq) = (shape.lengths.len(), padding.seq);
    let (q, k, v) = split_heads(qkv.select(0, ints(&padding.spread, &device)), batch, seq, shape);
    let (cos, sin) = (rope.cos.clone().unsqueeze::<4>(), rope.sin.clone().unsqueeze::<4>());
    let (q, k) = (rotate(q, cos.clone(), sin.clone()), rotate(k, cos, sin));
    let mask = causal_mask(seq, shape.window, &device);
    let out = scores_to_output(q, k, v, mask); // [batch, heads, seq, head_dim]
    out.swap_dims(1, 2).reshape([batch * seq, shape.out_width()]).select(0, ints(&padding.gather, &device))
}

/// Indices between rows that stand one after the other and rows in a rectangle padded on the right.
pub(crate) struct Padding {
    /// Tokens of the longest sequence.
    pub(crate) seq: usize,
    /// For each row of the rectangle the packed row that fills it; padding repeats the sequence's last row.
    pub(crate) spread: Vec<i32>,
    /// For each packed row its row in the rectangle.
    pub(crate) gather: Vec<i32>,
}

impl Padding {
    pub(crate) fn new(lengths: &[usize]) -> Self {
        let seq = lengths.iter().copied().max().unwrap_or(0);
        let (mut spread, mut gather, mut start) = (Vec::new(), Vec::new(), 0);
        for (row, &length) in lengths.iter().enumerate() {
            spread.extend((0..seq).map(|t| (start + t.min(length - 1)) as i32));
            gather.extend((0..length).map(|t| (row * seq + t) as i32));
            start += length;
        }
        Self { seq, spread, gather }
    }
}

/// Splits `batch * seq` rows of `[q | k | v]` into `[batch, heads, seq, head_dim]` each.
pub(crate) fn split_heads(
    qkv: Tensor<2>,
    batch: usize,
    seq: usize,
    shape: &AttentionShape,
) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
    let &AttentionShape { heads, kv_heads, head_dim, .. } = shape;
    let part = |from: usize, count: usize| {
        let part = qkv.clone().narrow(1, from * head_dim, count * head_dim);
        part.reshape([batch, seq, count, head_dim]).swap_dims(1, 2)
    };
    (part(0, heads), part(heads, kv_heads), part(heads + kv_heads, kv_heads))
}

/// softmax(q k^T / sqrt(head_dim) + mask) v.
///
/// `q` `[batch, heads, queries, head_dim]`, `k` and `v` `[batch, kv_heads, keys, head_dim]`, `mask` broadcasts to
/// `[batch, heads, queries, keys]`; gives `[batch, heads, queries, head_dim]`.
pub(crate) fn scores_to_output(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, mask: Tensor<4>) -> Tensor<4> {
    let ([batch, heads, queries, head_dim], [_, kv_heads, keys, _]) = (q.dims(), k.dims());
    // The query heads of one key head become extra query rows: keys and values are never copied.
    let rows = heads / kv_heads * queries;
    let q = q.reshape([batch, kv_heads, rows, head_dim]).mul_scalar((head_dim as f64).powf(-0.5));
    let scores = q.matmul(k.swap_dims(2, 3)).reshape([batch, heads, queries, keys]) + mask;
    let p = activation::softmax(scores, 3).reshape([batch, kv_heads, rows, keys]);
    p.matmul(v).reshape([batch, heads, queries, head_dim])
}

/// `[1, 1, seq, seq]`: 0 where a query may look, [`MASKED`] where it may not.
fn causal_mask(seq: usize, window: Option<usize>, device: &Device) -> Tensor<4> {
    let see = |i: usize, j: usize| if visible(i, j, window) { 0.0 } else { MASKED };
    let mask: Vec<f32> = (0..seq).flat_map(|i| (0..seq).map(move |j| see(i, j))).collect();
    Tensor::from_data(TensorData::new(mask, [1, 1, seq, seq]), device)
}

/// Whether the query at position `i` sees the key at position `j`.
fn visible(i: usize, j: usize, window: Option<usize>) -> bool {
    j <= i && window.is_none_or(|window| i - j < window)
}

/// Attention of new tokens over those cached before; gives the output and the cache with the new keys and values.
///
/// `qkv` `[rows, qkv_width]`, rope `[rows, head_dim / 2]`, `cache` `[slots, slot_width]`; gives `[rows, out_width]`.
pub(crate) fn cached(qkv: Tensor<2>, rope: &Rope, cache: Tensor<2>, shape: CachedShape) -> (Tensor<2>, Tensor<2>) {
    if kernels::available(&qkv.device()) {
        return kernels::cached_attention(qkv, rope.cos.clone(), rope.sin.clone(), cache, shape);
    }
    cached_composed(qkv, rope, cache, &shape)
}

/// [`cached`] in burn's own operations, on segments padded to a rectangle.
pub(crate) fn cached_composed(
    qkv: Tensor<2>,
    rope: &Rope,
    mut cache: Tensor<2>,
    shape: &CachedShape,
) -> (Tensor<2>, Tensor<2>) {
    let (rows, device) = (shape.rows(), qkv.device());
    let &CachedShape { heads, kv_heads, head_dim, .. } = shape;
    let (cos, sin) = (rope.cos.clone().unsqueeze::<4>(), rope.sin.clone().unsqueeze::<4>());
    let part = |from: usize, count: usize| {
        let part = qkv.clone().narrow(1, from * head_dim, count * head_dim);
        part.reshape([1, rows, count, head_dim]).swap_dims(1, 2) // [1, heads, rows, head_dim]
    };
    let joined = |x: Tensor<4>, count: usize| x.swap_dims(1, 2).reshape([rows, count * head_dim]);
    let q = joined(rotate(part(0, heads), cos.clone(), sin.clone()), heads);
    let k = joined(rotate(part(heads, kv_heads), cos, sin), kv_heads);
    let new = Tensor::cat(vec![k, joined(part(heads + kv_heads, kv_heads), kv_heads)], 1);

    let segments = &shape.segments;
    let queries = segments.iter().map(|segment| segment.rows).max().unwrap_or(0);
    let keys = segments.iter().map(|segment| segment.start() + segment.rows).max().unwrap_or(0);
    let (mut spread, mut gather, mut slots, mut mask) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut row = 0;
    for (index, segment) in segments.iter().enumerate() {
        cache = cache
            .slice_assign(s![segment.own..segment.own + segment.rows, ..], new.clone().narrow(0, row, segment.rows));
        spread.extend((0..queries).map(|i| (row + i.min(segment.rows - 1)) as i32));
        gather.extend((0..segment.rows).map(|i| (index * queries + i) as i32));
        let own = segment.own..segment.own + segment.rows;
        let seen = segment.seen.iter().cloned().chain(std::iter::once(own)).flatten().map(|slot| slot as i32);
        slots.extend(seen.chain(std::iter::repeat(segment.own as i32)).take(keys));
        let see = |i: usize, j: usize| if visible(segment.start() + i, j, shape.window) { 0.0 } else { MASKED };
        mask.extend((0..queries).flat_map(|i| (0..keys).map(move |j| see(i, j))));
        row += segment.rows;
    }
    let count = segments.len();
    let q = q.select(0, ints(&spread, &device)).reshape([count, queries, heads, head_dim]).swap_dims(1, 2);
    let kv = cache.clone().select(0, ints(&slots, &device)); // [segments * keys, slot_width]
    let half = |from: usize| {
        let half = kv.clone().narrow(1, from * kv_heads * head_dim, kv_heads * head_dim);
        half.reshape([count, keys, kv_heads, head_dim]).swap_dims(1, 2)
    };
    let mask = Tensor::from_data(TensorData::new(mask, [count, 1, queries, keys]), &device);
    let out = scores_to_output(q, half(0), half(1), mask); // [segments, heads, queries, head_dim]
    let out = out.swap_dims(1, 2).reshape([count * queries, heads * head_dim]);
    (out.select(0, ints(&gather, &device)), cache)
}
