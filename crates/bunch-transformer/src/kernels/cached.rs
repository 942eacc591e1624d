//! Attention of new rows over cached keys and values: prompts, single tokens and trees of sequences with shared prefixes alike.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::attention::rotate;
use super::matrix::{Matrix, MatrixMut, accumulate, multiply};
use super::simd::{exp, vectorised};

/// New tokens of one sequence that follow each other, and where their keys and values go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// How many rows of the input, after those of the segments before, are this segment's.
    pub rows: usize,
    /// Slots of the tokens before, in order.
    pub seen: Vec<Range<usize>>,
    /// First of the `rows` consecutive slots that receive this segment's keys and values.
    pub own: usize,
}

impl Segment {
    /// Number of tokens before this segment: the position of its first token.
    pub fn start(&self) -> usize {
        self.seen.iter().map(ExactSizeIterator::len).sum()
    }

    /// Slots that the first `rows` rows of this segment may look at: those seen, then its own.
    fn visible(&self, rows: usize) -> impl Iterator<Item = Range<usize>> {
        self.seen.iter().cloned().chain(std::iter::once(self.own..self.own + rows))
    }
}

/// The sizes one call of cached attention works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedShape {
    /// New tokens, segment by segment.
    pub segments: Arc<Vec<Segment>>,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// How many tokens back, itself included, a query sees.
    pub window: Option<usize>,
}

impl CachedShape {
    /// Width of one row of the joint projection: queries, then keys, then values.
    pub(crate) fn qkv_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// Width of one row of the output.
    pub(crate) fn out_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of one slot of the cache: keys, then values.
    pub(crate) fn slot_width(&self) -> usize {
        2 * self.kv_heads * self.head_dim
    }

    /// Rows of all segments.
    pub fn rows(&self) -> usize {
        self.segments.iter().map(|segment| segment.rows).sum()
    }
}

/// Query rows that are worked on together.
const BLOCK: usize = 64;

/// Some query rows of one segment, and their output.
struct Block<'a> {
    segment: &'a Segment,
    /// First query of the block, counted from the segment's first.
    from: usize,
    /// Row of that query in the input.
    row: usize,
    out: &'a mut [f32],
}

/// Attention of all rows of `qkv` `[rows, qkv_width]`; `cos` and `sin` `[rows, head_dim / 2]` are those of each row's position.
///
/// Rotated keys, and values, go into `cache` `[slots, slot_width]` first.
pub(crate) fn forward(qkv: &[f32], cos: &[f32], sin: &[f32], cache: &mut [f32], shape: &CachedShape, out: &mut [f32]) {
    store(qkv, cos, sin, cache, shape);
    let (mut blocks, mut rest, mut row) = (Vec::new(), out, 0);
    for segment in shape.segments.iter() {
        for from in (0..segment.rows).step_by(BLOCK) {
            let rows = BLOCK.min(segment.rows - from);
            let out = rest.split_off_mut(..rows * shape.out_width()).expect("a row of output per row of input");
            blocks.push(Block { segment, from, row, out });
            row += rows;
        }
    }
    let cache = &*cache;
    let work = |scratch: &mut Scratch, block: Block<'_>| attend(qkv, cos, sin, cache, shape, block, scratch);
    if rayon::current_num_threads() == 1 || blocks.len() == 1 {
        let mut scratch = Scratch::default();
        blocks.into_iter().for_each(|block| work(&mut scratch, block));
    } else {
        blocks.into_par_iter().for_each_init(Scratch::default, work);
    }
}

/// Rotates the new keys and puts keys and values into their slots.
fn store(qkv: &[f32], cos: &[f32], sin: &[f32], cache: &mut [f32], shape: &CachedShape) {
    let (head_dim, half, width) = (shape.head_dim, shape.head_dim / 2, shape.kv_heads * shape.head_dim);
    let mut rows = qkv.chunks_exact(shape.qkv_width()).enumerate();
    for segment in shape.segments.iter() {
        let slots = cache[segment.own * 2 * width..].chunks_exact_mut(2 * width);
        for (slot, (t, row)) in slots.zip(rows.by_ref().take(segment.rows)) {
            let (keys, values) = slot.split_at_mut(width);
            let (k, v) = row[shape.heads * head_dim..].split_at(width);
            let (cos, sin) = (&cos[t * half..][..half], &sin[t * half..][..half]);
            for (k, out) in k.chunks_exact(head_dim).zip(keys.chunks_exact_mut(head_dim)) {
                rotate(k, cos, sin, 0, 1.0, out);
            }
            values.copy_from_slice(v);
        }
    }
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    /// Rotated and scaled queries of the heads that share a key, `[group * rows, head_dim]`.
    q: Vec<f32>,
    /// Their probabilities, `[group * rows, keys]`.
    p: Vec<f32>,
    /// Their outputs, `[group * rows, head_dim]`.
    o: Vec<f32>,
}

fn attend(
    qkv: &[f32],
    cos: &[f32],
    sin: &[f32],
    cache: &[f32],
    shape: &CachedShape,
    block: Block<'_>,
    scratch: &mut Scratch,
) {
    let (head_dim, half, group) = (shape.head_dim, shape.head_dim / 2, shape.heads / shape.kv_heads);
    let rows = block.out.len() / shape.out_width();
    let visible: Vec<Range<usize>> = block.segment.visible(block.from + rows).collect();
    let keys: usize = visible.iter().map(ExactSizeIterator::len).sum();
    let scale = 1.0 / (head_dim as f32).sqrt();
    let queries = group * rows;
    scratch.q.resize(queries * head_dim, 0.0);
    scratch.o.resize(queries * head_dim, 0.0);
    scratch.p.resize(queries * keys, 0.0);
    let first = block.segment.start() + block.from; // position of the block's first query
    for kv in 0..shape.kv_heads {
        for (index, q) in scratch.q.chunks_exact_mut(head_dim).enumerate() {
            let (h, row) = (kv * group + index / rows, block.row + index % rows);
            let input = &qkv[row * shape.qkv_width() + h * head_dim..][..head_dim];
            rotate(input, &cos[row * half..][..half], &sin[row * half..][..half], 0, scale, q);
        }
        let cached = |slots: &Range<usize>, offset: usize| {
            let values = &cache[slots.start * shape.slot_width() + offset..];
            Matrix::strided(values, slots.len(), head_dim, shape.slot_width())
        };
        let mut column = 0;
        for slots in &visible {
            let scores = MatrixMut::columns(&mut scratch.p, queries, keys, column, slots.len());
            let q = Matrix::new(&scratch.q, queries, head_dim);
            multiply(scores, q, cached(slots, kv * head_dim).transposed(), false);
            column += slots.len();
        }
        softmax(&mut scratch.p, keys, rows, first, shape.window);
        let mut column = 0;
        for slots in &visible {
            let p = Matrix::strided(&scratch.p[column..], queries, slots.len(), keys);
            let o = MatrixMut::new(&mut scratch.o, queries, head_dim);
            accumulate(o, p, cached(slots, (shape.kv_heads + kv) * head_dim), false, column > 0);
            column += slots.len();
        }
        for (index, o) in scratch.o.chunks_exact(head_dim).enumerate() {
            let (h, row) = (kv * group + index / rows, index % rows);
            block.out[row * shape.out_width() + h * head_dim..][..head_dim].copy_from_slice(o);
        }
    }
}

vectorised! {
    /// Scores `[group * rows, keys]` to probabilities; the query of row `i % rows` stands at position `first + i % rows` and
    /// sees the keys up to there, at most `window` of them.
    fn softmax(scores: &mut [f32], keys: usize, rows: usize, first: usize, window: Option<usize>) {
        for (index, p) in scores.chunks_exact_mut(keys).enumerate() {
            let end = first + index % rows + 1;
            let start = window.map_or(0, |window| end.saturating_sub(window));
            p[..start].fill(0.0);
            p[end..].fill(0.0);
            let p = &mut p[start..end];
            let max = p.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sums = [0.0f32; 16];
            let (chunks, rest) = p.as_chunks_mut::<16>();
            for chunk in chunks {
                for lane in 0..16 {
                    chunk[lane] = exp(chunk[lane] - max);
                    sums[lane] += chunk[lane];
                }
            }
            for (lane, value) in rest.iter_mut().enumerate() {
                *value = exp(*value - max);
                sums[lane] += *value;
            }
            let inverse = 1.0 / sums.iter().sum::<f32>();
            for value in p {
                *value *= inverse;
            }
        }
    }
}
