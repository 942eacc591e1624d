//! Memory for bytes on their way to a file.

/// What the memory, the place in the file and the length of bytes are multiples of where these go past the page cache.
pub(crate) const PAGE: usize = 4096;

/// Bytes on their way to one stretch of a file, in memory that lies to pages as that stretch does: what is a whole page
/// of the file is a whole page here.
#[derive(Debug)]
pub(crate) struct AlignedBuffer {
    memory: Vec<u8>,
    /// Where the first page begins in `memory`.
    base: usize,
    /// Where that page is in the file.
    page_position: u64,
    /// The bytes, counted from `base`.
    start: usize,
    end: usize,
}

/// A stretch of bytes and its place in the file.
pub(crate) type Stretch<'a> = (u64, &'a [u8]);

impl AlignedBuffer {
    /// Bytes that fit: enough for few calls of the operating system, and few enough for many buffers.
    pub(crate) const CAPACITY: usize = 2 << 20;

    pub(crate) fn new() -> Self {
        let memory = vec![0; Self::CAPACITY + PAGE];
        // If the address is unknown, as the documentation allows, writing past the page cache is refused, and not done.
        let base = memory.as_ptr().align_offset(PAGE).min(PAGE);
        Self { memory, base, page_position: 0, start: 0, end: 0 }
    }

    /// Forgets all bytes; the next ones belong to this place in the file.
    pub(crate) fn restart(&mut self, position: u64) {
        self.start = (position % PAGE as u64) as usize;
        self.end = self.start;
        self.page_position = position - self.start as u64;
    }

    /// The place in the file where the next bytes go.
    pub(crate) fn next_position(&self) -> u64 {
        self.page_position + self.end as u64
    }

    pub(crate) fn is_full(&self) -> bool {
        self.end == Self::CAPACITY
    }

    /// The free memory. What is written there counts after [`AlignedBuffer::advance`].
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.memory[self.base..][self.end..Self::CAPACITY]
    }

    /// Counts the first `count` bytes of the room.
    pub(crate) fn advance(&mut self, count: usize) {
        self.end = Self::CAPACITY.min(self.end + count);
    }

    /// The bytes: those before the first whole page of the file, whole pages, and those after the last one.
    pub(crate) fn stretches(&self) -> [Stretch<'_>; 3] {
        let pages_end = self.end - self.end % PAGE;
        let pages_start = self.start.next_multiple_of(PAGE);
        let cuts = if pages_start < pages_end { [pages_start, pages_end] } else { [self.end; 2] };
        let stretch =
            |start: usize, end: usize| (self.page_position + start as u64, &self.memory[self.base..][start..end]);
        [stretch(self.start, cuts[0]), stretch(cuts[0], cuts[1]), stretch(cuts[1], self.end)]
    }
}

#[cfg(test)]
mod tests {
    use super::{AlignedBuffer, PAGE};

    #[test]
    fn whole_pages_of_the_file_are_whole_pages_of_memory() {
        let mut buffer = AlignedBuffer::new();
        let page = PAGE as u64;
        // (place in the file, bytes, lengths of the three stretches)
        let cases = [
            (3 * page, 2 * PAGE, [0, 2 * PAGE, 0]),
            (3 * page + 10, PAGE - 10, [PAGE - 10, 0, 0]),
            (3 * page + 10, 2 * PAGE, [PAGE - 10, PAGE, 10]),
            (3 * page + 10, PAGE, [PAGE, 0, 0]),
            (page - 2, 1, [1, 0, 0]),
            (page, 0, [0, 0, 0]),
        ];
        for (position, count, lengths) in cases {
            buffer.restart(position);
            for (byte, index) in buffer.room()[..count].iter_mut().zip(0_u64..) {
                *byte = (position + index) as u8;
            }
            buffer.advance(count);
            assert_eq!(buffer.next_position(), position + count as u64);
            let stretches = buffer.stretches();
            assert_eq!(stretches.map(|(_, bytes)| bytes.len()), lengths);
            let mut next = position;
            for (at, bytes) in stretches {
                assert!(bytes.is_empty() || at == next);
                assert!(bytes.iter().zip(at..).all(|(&byte, at)| byte == at as u8));
                next += bytes.len() as u64;
            }
            let (at, pages) = stretches[1];
            assert!(pages.is_empty() || at % page == 0 && pages.as_ptr().addr() % PAGE == 0);
        }
        buffer.restart(5);
        let room = buffer.room().len();
        assert_eq!(room, AlignedBuffer::CAPACITY - 5, "a full buffer ends with a page");
        buffer.advance(room);
        assert!(buffer.is_full());
    }
}
