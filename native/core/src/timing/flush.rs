//! Loads from main memory: each line is flushed from every cache as soon as it was read.

use super::counter::counter_at_once;
use super::memory::{next_line, LINE_BYTES};
use super::work::Work;
use crate::memory::{filled, OutOfMemory};

/// Where user code has no instruction that flushes a line, the walk goes through this many bytes: most lines are
/// evicted before the walk returns to them.
#[cfg(not(target_arch = "x86_64"))]
const EVICTION_BYTES: usize = 32 << 20;

/// Dependent loads, one a cache line, of lines that were flushed after their last load.
pub struct FlushWork {
    buffer: Vec<u8>,
    pub touches: usize,
    line: usize,
    carry: u8,
}

impl FlushWork {
    pub fn new(buffer_bytes: usize, touches: usize) -> Result<Self, OutOfMemory> {
        #[cfg(not(target_arch = "x86_64"))]
        let buffer_bytes = buffer_bytes.max(EVICTION_BYTES);
        Ok(Self { buffer: filled(buffer_bytes, 1)?, touches, line: 0, carry: 0 })
    }
}

impl Work for FlushWork {
    #[inline(always)]
    fn run(&mut self) {
        let buffer = self.buffer.as_slice();
        let lines = buffer.len() / LINE_BYTES;
        let (mut line, mut carry) = (self.line, self.carry);
        for _ in 0..self.touches {
            line = next_line(line, lines);
            // The last value read gives the place in the line: each load waits for the one before.
            let place = &buffer[LINE_BYTES * line + usize::from(carry) % LINE_BYTES];
            // SAFETY: a reference to a byte of the buffer is valid to read; volatile, so that every load happens.
            carry = unsafe { std::ptr::read_volatile(place) };
            #[cfg(target_arch = "x86_64")]
            // SAFETY: CLFLUSH is part of SSE2 and so of x86-64; it changes where the line is kept, never its contents,
            // and the address is one of the buffer.
            unsafe {
                std::arch::x86_64::_mm_clflush(place)
            };
        }
        (self.line, self.carry) = (line, carry);
        std::hint::black_box(carry);
    }

    /// The loads wait for each other; the counter does not wait for them, as in the walk of `memory`.
    #[inline(always)]
    fn counter() -> u64 {
        counter_at_once()
    }
}
