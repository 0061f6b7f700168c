//! Walks through a private buffer: on a fixed path, or steered by a hash.

use super::counter::counter_at_once;
use super::work::Work;
use crate::memory::{filled, OutOfMemory};
use crate::sha256;

/// Bytes of a cache line, near enough on every machine: two accesses of the walk never share one.
pub const LINE_BYTES: usize = 64;

/// The line after `line` in a walk through all `lines` of a buffer, a power of two: multiplier 1 mod 4 and odd
/// increment have the full period (Hull and Dobell 1962).
#[inline(always)]
pub fn next_line(line: usize, lines: usize) -> usize {
    line.wrapping_mul(0x01fb_f9a9).wrapping_add(12345) & (lines - 1)
}

/// Dependent read-modify-writes, one a cache line, through a private buffer: no line repeats before all were used.
///
/// So no access hits a recently used line, which would answer at once and always in the same time. The walk starts at
/// a fixed line: a restart repeats the addresses, and only the noise differs.
pub struct MemoryWork {
    buffer: Vec<u8>,
    pub touches: usize,
    line: usize,
    carry: u8,
}

impl MemoryWork {
    pub fn new(buffer_bytes: usize, touches: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { buffer: filled(buffer_bytes, 1)?, touches, line: 0, carry: 0 })
    }
}

impl Work for MemoryWork {
    #[inline(always)]
    fn run(&mut self) {
        let buffer = self.buffer.as_mut_slice();
        let lines = buffer.len() / LINE_BYTES;
        let (mut line, mut carry) = (self.line, self.carry);
        for _ in 0..self.touches {
            line = next_line(line, lines);
            // The last value read gives the place in the line: each access waits for the one before.
            let address = LINE_BYTES * line + usize::from(carry) % LINE_BYTES;
            carry = buffer[address].wrapping_add(1);
            buffer[address] = carry;
        }
        (self.line, self.carry) = (line, carry);
        std::hint::black_box(carry);
    }

    /// The accesses wait for each other. If the counter waited for them too, that would take a third of the time and
    /// add nothing.
    #[inline(always)]
    fn counter() -> u64 {
        counter_at_once()
    }
}

/// A SHA-256 block whose digest decides where the walk through a private buffer continues.
pub struct CpuWork {
    pub memory: MemoryWork,
    block: [u8; 64],
}

impl CpuWork {
    pub fn new(buffer_bytes: usize, touches: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { memory: MemoryWork::new(buffer_bytes, touches)?, block: [0x5a; 64] })
    }
}

impl Work for CpuWork {
    #[inline(always)]
    fn run(&mut self) {
        let mut digest = [0u8; 32];
        sha256::digest_padded(std::slice::from_ref(&self.block), &mut digest);
        self.block[..32].copy_from_slice(&digest);
        let mut lead = [0u8; 8];
        lead.copy_from_slice(&digest[..8]);
        self.memory.line ^= u64::from_le_bytes(lead) as usize;
        self.memory.run();
        self.block[63] = self.memory.carry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_walk_visits_every_line_once_a_lap() {
        let mut work = MemoryWork::new(1 << 14, 1).unwrap();
        for lap in 2..5u8 {
            for _ in 0..(1 << 14) / LINE_BYTES {
                work.run();
            }
            let written = |line: &[u8]| line.iter().map(|&byte| usize::from(byte) - 1).sum::<usize>();
            assert!(work.buffer.chunks(LINE_BYTES).all(|line| written(line) == usize::from(lap) - 1));
        }
    }

    #[test]
    fn memory_walk_repeats_its_addresses() {
        let (mut a, mut b) = (MemoryWork::new(4096, 3).unwrap(), MemoryWork::new(4096, 3).unwrap());
        for _ in 0..500 {
            a.run();
            b.run();
            assert_eq!((a.line, a.carry), (b.line, b.carry));
        }
    }
}
