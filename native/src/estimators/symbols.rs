//! How the kernels get their data: binary symbols packed, others one a byte.

use pyo3::prelude::*;

use crate::bytes::ByteView;
use crate::errors::invalid;

/// Bits in the order of time: bit i is bit i % 64 of word i / 64; what lies behind the last one is 0.
pub type Words = Vec<u64>;

/// `n` symbols below `k`: packed, first in the most significant bit, if `k` is 2, otherwise one a byte.
pub struct Input {
    view: ByteView,
    n: usize,
    k: usize,
}

impl Input {
    pub fn new(data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<Self> {
        let py = data.py();
        if !(2..=256).contains(&k) {
            return Err(invalid(py, format!("k={k}: an alphabet has 2 to 256 symbols")));
        }
        let view = ByteView::new(data)?;
        let held = view.as_slice().len();
        let expected = if k == 2 { n.div_ceil(8) } else { n };
        if n < 1 || held != expected {
            return Err(invalid(py, format!("{held} bytes of data do not hold n={n} symbols for k={k}")));
        }
        if n > u32::MAX as usize / 4 {
            return Err(invalid(py, format!("n={n}: these kernels count up to 2^30 symbols")));
        }
        if k != 2 && k < 256 {
            // A fold becomes vector code, unlike `max`.
            let largest = usize::from(view.as_slice().iter().copied().fold(0, u8::max));
            if largest >= k {
                return Err(invalid(py, format!("symbol {largest} is not below k={k}")));
            }
        }
        Ok(Self { view, n, k })
    }

    pub fn bytes(&self) -> &[u8] {
        self.view.as_slice()
    }

    /// Packed bits as words in the order of time.
    pub fn words(&self) -> Words {
        words_of(self.bytes(), self.n)
    }
}

/// The bits if the alphabet is binary.
pub fn bits_of(input: &Input) -> Option<Words> {
    (input.k == 2).then(|| input.words())
}

/// The first `n` bits of a packed buffer in the order of time.
pub fn words_of(packed: &[u8], n: usize) -> Words {
    let mut words: Words = packed
        .chunks(8)
        .map(|chunk| {
            let mut bytes = [0u8; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            u64::from_be_bytes(bytes).reverse_bits()
        })
        .collect();
    words.truncate(n.div_ceil(64));
    if !n.is_multiple_of(64) {
        if let Some(last) = words.last_mut() {
            *last &= (1 << (n % 64)) - 1;
        }
    }
    words
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
        assert_eq!(words_of(&[0b1000_0001, 0xff], 10), vec![0b11_1000_0001]);
        let words = words_of(&[0x80; 9], 72);
        assert!(words.len() == 2 && bit(&words, 64) == 1 && bit(&words, 65) == 0);
    }
}
