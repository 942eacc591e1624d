//! The sizes one attention call works on.

use std::sync::Arc;

/// The sizes one attention call works on: sequences of their own lengths, one after the other, without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttentionShape {
    /// Tokens of each sequence.
    pub lengths: Arc<Vec<usize>>,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// How many tokens back, itself included, a query sees.
    pub window: Option<usize>,
}

impl AttentionShape {
    /// Width of one row of the joint projection: queries, then keys, then values.
    pub(crate) fn qkv_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// Width of one row of the output.
    pub(crate) fn out_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Tokens of all sequences together.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Tokens of the longest sequence.
    pub fn longest(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }
}
