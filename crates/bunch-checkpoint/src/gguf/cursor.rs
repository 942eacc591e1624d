//! Reading a GGUF file from its beginning, value by value.

use super::GgufError;
use crate::source::Source;

/// Bytes that are read at a time.
const CHUNK: u64 = 1 << 16;

/// Limit on the length of a key, a name or a text, in bytes: a chat template has some thousand.
const MAX_TEXT_BYTES: u64 = 1 << 24;

/// Reads a file from its beginning, value by value. Asks for no more memory than there are bytes left in the file,
/// whatever length a value claims.
#[derive(Debug)]
pub(super) struct Cursor<'a, S> {
    source: &'a S,
    /// Where the next value begins.
    at: u64,
    /// A part of the file and where it begins.
    chunk: Vec<u8>,
    chunk_start: u64,
}

impl<'a, S: Source> Cursor<'a, S> {
    pub(super) fn new(source: &'a S) -> Self {
        Self { source, at: 0, chunk: Vec::new(), chunk_start: 0 }
    }

    /// Where the next value begins, in bytes from the file's beginning.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Checks that `count` bytes are left for `what`.
    fn check(&self, what: &'static str, count: u64) -> Result<(), GgufError> {
        let got = self.source.size() - self.at;
        if count > got {
            return Err(GgufError::Truncated { what, at: self.at, expected: count, got });
        }
        Ok(())
    }

    /// Goes over `count` bytes.
    pub(super) fn skip(&mut self, what: &'static str, count: u64) -> Result<(), GgufError> {
        self.check(what, count)?;
        self.at += count;
        Ok(())
    }

    /// The next `N` bytes.
    pub(super) fn bytes<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        self.check(what, N as u64)?;
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        self.bytes(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    /// A text: its length and its bytes.
    pub(super) fn text(&mut self, what: &'static str) -> Result<String, GgufError> {
        let length = self.u64(what)?;
        let at = self.at;
        self.check(what, length)?;
        if length > MAX_TEXT_BYTES {
            return Err(GgufError::TooLong { what, at, limit: MAX_TEXT_BYTES, got: length });
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| GgufError::NotText { what, at })
    }

    /// Fills `out`, for which there are enough bytes left.
    fn fill(&mut self, mut out: &mut [u8]) -> Result<(), GgufError> {
        while !out.is_empty() {
            let skipped = self.at.checked_sub(self.chunk_start).and_then(|skipped| usize::try_from(skipped).ok());
            let buffered = match skipped.and_then(|skipped| self.chunk.get(skipped..)) {
                Some(buffered) if !buffered.is_empty() => buffered,
                _ => {
                    self.chunk.resize(CHUNK.min(self.source.size() - self.at) as usize, 0);
                    self.source.read_at(self.at, &mut self.chunk)?;
                    self.chunk_start = self.at;
                    &self.chunk
                }
            };
            let count = buffered.len().min(out.len());
            let (filled, rest) = out.split_at_mut(count);
            filled.copy_from_slice(&buffered[..count]);
            self.at += count as u64;
            out = rest;
        }
        Ok(())
    }
}
