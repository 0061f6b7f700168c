//! Samples packed into as few bits as their alphabet needs, and the first bits of their suffixes.

use crate::memory::{collected, zeros, OutOfMemory};
use crate::simd::{multiversion, sample};

/// Places, about, in the sample that detects repetitive data, and the part of it that has to be equal to another.
const SAMPLES: usize = 1 << 14;
const REPETITIVE: usize = 16;

/// Symbols packed into as many bits as the alphabet needs, the first symbol in the highest bits.
pub struct Text {
    pub words: Vec<u64>,
    pub n: usize,
    pub width: usize,
    /// Number of whole symbols in 0 to 64 bits.
    pub symbols_in: [u8; 65],
}

impl Text {
    pub fn new(bytes: &[u8], n: usize, k: usize) -> Result<Self, OutOfMemory> {
        let width = (usize::BITS - (k - 1).leading_zeros()) as usize;
        let mut words = zeros((n * width).div_ceil(64) + 2)?;
        if width == 1 || width == 8 {
            for (word, chunk) in words.iter_mut().zip(bytes.chunks(8)) {
                let mut eight = [0u8; 8];
                eight[..chunk.len()].copy_from_slice(chunk);
                *word = u64::from_be_bytes(eight);
            }
            if width == 1 && !n.is_multiple_of(64) {
                words[n / 64] &= !(!0 >> (n % 64));
            }
        } else {
            for (i, &symbol) in bytes.iter().enumerate() {
                let (word, shift) = (i * width / 64, i * width % 64);
                let symbol = u64::from(symbol) << (64 - width);
                words[word] |= symbol >> shift;
                if shift + width > 64 {
                    words[word + 1] |= symbol << (64 - shift);
                }
            }
        }
        Ok(Self { words, n, width, symbols_in: std::array::from_fn(|bits| (bits / width) as u8) })
    }

    /// 64 bits from symbol `i` on; beyond the end they are 0.
    #[inline(always)]
    pub fn bits_from(&self, i: usize) -> u64 {
        let place = i * self.width;
        let (word, shift) = (place / 64, place % 64);
        self.words[word] << shift | (self.words[word + 1] >> 1) >> (63 - shift)
    }

    /// Number of symbols that two words of bits have in common from their highest bit on.
    #[inline(always)]
    pub fn in_common(&self, a: u64, b: u64) -> usize {
        usize::from(self.symbols_in[(a ^ b).leading_zeros() as usize])
    }

    /// Number of symbols that the suffixes at `a` and `b` share, at least `from`; `words` counts the words compared.
    #[inline(always)]
    pub fn common_prefix(&self, a: usize, b: usize, from: usize, words: &mut usize) -> usize {
        let most = self.n - a.max(b);
        let symbols_a_word = 64 / self.width;
        let mut length = from;
        while length < most {
            *words += 1;
            let same = self.in_common(self.bits_from(a + length), self.bits_from(b + length));
            length += same.min(symbols_a_word);
            if same < symbols_a_word {
                break;
            }
        }
        length.min(most)
    }

    pub fn symbol(&self, i: usize) -> u8 {
        (self.bits_from(i) >> (64 - self.width)) as u8
    }

    /// Whether much of the data occurs more than once, in at least 64 bits: in a sample of suffixes that begin with
    /// some of all patterns, at every place where they do.
    pub fn is_repetitive(&self) -> Result<bool, OutOfMemory> {
        let one_in = (self.n / SAMPLES).max(1) as u64;
        let prints = (0..self.n).map(|i| self.bits_from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut sample = collected(prints.filter(|&print| print <= u64::MAX / one_in))?;
        sample.sort_unstable();
        Ok(sample.windows(2).filter(|pair| pair[0] == pair[1]).count() > sample.len() / REPETITIVE)
    }
}

/// Call `visit` with each place and the bits from it on; at least the highest 57 are valid.
#[inline(always)]
pub fn for_each_beginning(words: &[u64], n: usize, width: usize, mut visit: impl FnMut(usize, u64)) {
    let mut i = 0;
    for pair in words.windows(2) {
        let from = |offset: usize| pair[0] << offset | (pair[1] >> 1) >> (63 - offset);
        if width == 1 && i + 64 <= n {
            for byte in 0..8 {
                let bits = from(8 * byte);
                for offset in 0..8 {
                    visit(i + 8 * byte + offset, bits << offset);
                }
            }
            i += 64;
            continue;
        }
        let mut offset = i * width % 64;
        while offset < 64 && i < n {
            visit(i, from(offset));
            i += 1;
            offset += width;
        }
    }
}

multiversion! {
    /// Number of places that begin with each pattern of bits.
    pub fn count_buckets(words: &[u64], n: usize, width: usize, shift: u32, sizes: &mut [u32]) {
        for_each_beginning(words, n, width, |_, bits| sizes[(bits >> shift) as usize] += 1);
    }
    checked by COUNT_BUCKETS: |run| {
        let mut sizes = [0; 16];
        run(&sample::words::<4>(), 190, 1, 60, &mut sizes);
        sizes
    }
}

multiversion! {
    /// Put the places with the same pattern next to one another; `next` has the start of each pattern's part.
    pub fn place_in_buckets(words: &[u64], n: usize, width: usize, shift: u32, next: &mut [u32], places: &mut [u32]) {
        for_each_beginning(words, n, width, |i, bits| {
            let slot = &mut next[(bits >> shift) as usize];
            places[*slot as usize] = i as u32;
            *slot += 1;
        });
    }
    checked by PLACE_IN_BUCKETS: |run| {
        let (mut next, mut places) = (std::array::from_fn::<u32, 16, _>(|bucket| 190 * bucket as u32), [0; 16 * 190]);
        run(&sample::words::<4>(), 190, 1, 60, &mut next, &mut places);
        (next, places)
    }
}

#[cfg(test)]
pub mod tests {
    use super::Text;

    /// Bits, one a byte, packed as a text of bits.
    pub fn packed(symbols: &[u8]) -> Vec<u8> {
        symbols
            .chunks(8)
            .map(|eight| eight.iter().enumerate().fold(0, |byte, (i, bit)| byte | (bit & 1) << (7 - i)))
            .collect()
    }

    impl Text {
        /// The text of symbols below `k`, one a byte.
        pub fn of_symbols(symbols: &[u8], k: usize) -> Self {
            let packed = packed(symbols);
            Text::new(if k == 2 { &packed } else { symbols }, symbols.len(), k).unwrap()
        }
    }
}
