//! The data format of the kernels: binary samples are packed, others are one a byte.

use crate::error::Error;
use crate::memory::{with_room, OutOfMemory};

/// Bits in the order of time: bit i is bit i % 64 of word i / 64; bits after the last one are 0.
pub type Words = Vec<u64>;

/// Return an error for an alphabet size that no kernel supports.
pub fn check_alphabet(k: usize) -> Result<(), Error> {
    if (2..=256).contains(&k) {
        Ok(())
    } else {
        Err(Error::InvalidInput(format!("k={k}: an alphabet has 2 to 256 symbols")))
    }
}

/// Samples below `k`, checked: packed, the first in the most significant bit, if `k` is 2, otherwise one a byte.
#[derive(Clone, Copy)]
pub struct Symbols<'a> {
    pub bytes: &'a [u8],
    pub n: usize,
    pub k: usize,
}

impl<'a> Symbols<'a> {
    /// Check that the bytes hold `n` samples with an alphabet of `k` symbols; `k` was checked before.
    pub fn new(bytes: &'a [u8], n: usize, k: usize) -> Result<Self, Error> {
        let held = bytes.len();
        let expected = if k == 2 { n.div_ceil(8) } else { n };
        if n < 1 || held != expected {
            return Err(Error::InvalidInput(format!("{held} bytes of data do not hold n={n} symbols for k={k}")));
        }
        if n > u32::MAX as usize / 4 {
            return Err(Error::InvalidInput(format!("n={n}: these kernels count up to 2^30 symbols")));
        }
        if k != 2 && k < 256 {
            // A fold becomes vector code, unlike `max`.
            let largest = usize::from(bytes.iter().copied().fold(0, u8::max));
            if largest >= k {
                return Err(Error::InvalidInput(format!("symbol {largest} is not below k={k}")));
            }
        }
        Ok(Self { bytes, n, k })
    }

    /// Packed bits as words in the order of time.
    pub fn words(&self) -> Result<Words, OutOfMemory> {
        words_of(self.bytes, self.n)
    }

    /// The same if the alphabet is binary, otherwise None.
    pub fn bits(&self) -> Result<Option<Words>, OutOfMemory> {
        (self.k == 2).then(|| self.words()).transpose()
    }
}

/// The first `n` bits of a packed buffer in the order of time.
pub fn words_of(packed: &[u8], n: usize) -> Result<Words, OutOfMemory> {
    let mut words = with_room(packed.len().div_ceil(8))?;
    words.extend(packed.chunks(8).map(|chunk| {
        let mut bytes = [0u8; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        u64::from_be_bytes(bytes).reverse_bits()
    }));
    words.truncate(n.div_ceil(64));
    if !n.is_multiple_of(64) {
        if let Some(last) = words.last_mut() {
            *last &= (1 << (n % 64)) - 1;
        }
    }
    Ok(words)
}

/// The bit at place `i`.
#[inline(always)]
pub fn bit(words: &[u64], i: usize) -> usize {
    (words[i / 64] >> (i % 64) & 1) as usize
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Pseudo-random words for tests.
    pub fn noise(words: usize, mut seed: u64) -> Words {
        (0..words)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                seed
            })
            .collect()
    }

    #[test]
    fn first_bit_is_the_most_significant() {
        assert_eq!(words_of(&[0b1000_0001, 0xff], 10), Ok(vec![0b11_1000_0001]));
        let words = words_of(&[0x80; 9], 72).unwrap();
        assert!(words.len() == 2 && bit(&words, 64) == 1 && bit(&words, 65) == 0);
    }
}
