//! Moving to front: each code is replaced by its rank among the most recent ones, as bzip2 does.

use crate::simd::{level, Level, Path, NAMES};

const ONES: u64 = 0x1111_1111_1111_1111;
const HIGH: u64 = ONES << 3;
/// Parts of the codes that are handled in parallel, because in each part a step waits for the one before it.
const PARTS: usize = 8;

/// Replace codes, which are below `used`, which is below 16, by their ranks.
pub fn move_to_front(codes: &mut [u8], used: usize) {
    let stride = codes.len() / PARTS / 8;
    let mut lists = std::array::from_fn(|part| Recent::after(&codes[..part * stride * 8], used));
    let (whole, rest) = codes.split_at_mut(PARTS * stride * 8);
    let blocks = whole.as_chunks_mut::<8>().0;
    touch_parts(&mut lists, blocks, stride);
    for code in rest {
        *code = lists[PARTS - 1].touch(*code);
    }
}

fn touch_parts(lists: &mut [Recent; PARTS], blocks: &mut [[u8; 8]], stride: usize) {
    #[cfg(target_arch = "x86_64")]
    if PATH.chosen() == 1 {
        // SAFETY: `PATH` chooses it where the level has AVX2.
        return unsafe { vectors::touch_parts(lists, blocks, stride) };
    }
    touch_parts_portable(lists, blocks, stride);
}

pub(crate) static PATH: Path =
    Path::new(concat!(module_path!(), "::touch_parts"), &NAMES, || usize::from(level() >= Level::Avx2), is_right);

fn is_right(_version: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let codes = crate::simd::sample::bytes::<{ 8 * 8 * PARTS }>(15);
        let start = |part: usize| Recent::after(&codes[..64 * part], 15);
        let (mut lists, mut others) = (std::array::from_fn(start), std::array::from_fn(start));
        let (mut ranks, mut expected) = ([[0; 8]; 8 * PARTS], [[0; 8]; 8 * PARTS]);
        ranks.as_flattened_mut().copy_from_slice(&codes);
        expected.as_flattened_mut().copy_from_slice(&codes);
        // SAFETY: `Path` asks of a version that the level has AVX2 for.
        unsafe { vectors::touch_parts(&mut lists, &mut ranks, 8) };
        touch_parts_portable(&mut others, &mut expected, 8);
        ranks == expected && lists == others
    }
    #[cfg(not(target_arch = "x86_64"))]
    true
}

fn touch_parts_portable(lists: &mut [Recent; PARTS], blocks: &mut [[u8; 8]], stride: usize) {
    for block in 0..stride {
        let mut codes: [[u8; 8]; PARTS] = std::array::from_fn(|part| blocks[part * stride + block]);
        for place in 0..8 {
            for (list, codes) in lists.iter_mut().zip(&mut codes) {
                codes[place] = list.touch(codes[place]);
            }
        }
        codes.iter().enumerate().for_each(|(part, ranks)| blocks[part * stride + block] = *ranks);
    }
}

/// A list of 16 codes, the most recent one in the lowest four bits.
#[derive(Clone, Copy, PartialEq)]
struct Recent(u64);

impl Recent {
    /// Move a code to the front; return its rank.
    #[inline(always)]
    fn touch(&mut self, code: u8) -> u8 {
        let wanted = u64::from(code);
        let differs = self.0 ^ (wanted * ONES);
        // The lowest flag is the highest bit of the first four that are 0.
        let flags = differs.wrapping_sub(ONES) & !differs & HIGH;
        let moved = flags ^ flags.wrapping_sub(1);
        self.0 = self.0 & !moved | (self.0 << 4 | wanted) & moved;
        (flags.trailing_zeros() / 4) as u8
    }

    /// The list after `codes`, of which `used` are different: first the codes that occurred, latest first, then the
    /// others.
    #[inline(always)]
    fn after(codes: &[u8], used: usize) -> Self {
        let (mut list, mut seen, mut places) = (0, 0u32, 0);
        let mut append = |code: u8| {
            if seen >> code & 1 == 0 {
                seen |= 1 << code;
                list |= u64::from(code) << (4 * places);
                places += 1;
            }
        };
        let mut missing: Vec<u8> = (0..used as u8).collect();
        for block in codes.rchunks(64) {
            let here = |wanted: &u8| block.iter().fold(false, |here, code| here | (code == wanted));
            if missing.iter().any(here) {
                block.iter().rev().for_each(|&code| append(code));
                missing.retain(|code| !here(code));
            }
        }
        (0..16).for_each(append);
        Self(list)
    }
}

/// Lists in parallel, four in each vector: the compiler does not find that by itself.
#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi64, _mm256_add_epi8, _mm256_and_si256, _mm256_andnot_si256, _mm256_or_si256,
        _mm256_sad_epu8, _mm256_set1_epi64x, _mm256_set1_epi8, _mm256_set_epi64x, _mm256_setzero_si256,
        _mm256_shuffle_epi8, _mm256_slli_epi64, _mm256_srli_epi64, _mm256_storeu_si256, _mm256_sub_epi64,
        _mm256_sub_epi8, _mm256_xor_si256,
    };

    use super::{Recent, HIGH, ONES, PARTS};

    const HALVES: usize = PARTS / 4;

    #[target_feature(enable = "avx2")]
    pub fn touch_parts(lists: &mut [Recent; PARTS], blocks: &mut [[u8; 8]], stride: usize) {
        let mut vectors: [__m256i; HALVES] = std::array::from_fn(|half| {
            let list = |lane: usize| lists[4 * half + lane].0 as i64;
            _mm256_set_epi64x(list(3), list(2), list(1), list(0))
        });
        for block in 0..stride {
            let place = |part: usize| part * stride + block;
            // Both halves of the byte of each code.
            let codes: [__m256i; HALVES] = std::array::from_fn(|half| {
                let word = |lane: usize| u64::from_le_bytes(blocks[place(4 * half + lane)]) as i64;
                let codes = _mm256_set_epi64x(word(3), word(2), word(1), word(0));
                _mm256_or_si256(codes, _mm256_slli_epi64::<4>(codes))
            });
            let mut numbers = [_mm256_setzero_si256(); HALVES];
            macro_rules! steps {
                ($($step:literal)*) => {
                    $(for half in 0..HALVES {
                        let number = touch(&mut vectors[half], codes[half], $step);
                        numbers[half] = _mm256_or_si256(numbers[half], _mm256_slli_epi64::<{ 8 * $step }>(number));
                    })*
                };
            }
            steps!(0 1 2 3 4 5 6 7);
            for (half, numbers) in numbers.into_iter().enumerate() {
                let ranks = words(_mm256_sub_epi8(numbers, _mm256_set1_epi8(1)));
                ranks.iter().enumerate().for_each(|(lane, rank)| blocks[place(4 * half + lane)] = rank.to_le_bytes());
            }
        }
        for (lists, vector) in lists.chunks_mut(4).zip(vectors) {
            lists.iter_mut().zip(words(vector)).for_each(|(list, word)| list.0 = word);
        }
    }

    /// Move code `step` of each lane's eight to the front; return the ranks, plus 1.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn touch(lists: &mut __m256i, codes: __m256i, step: i8) -> __m256i {
        // Byte `step` of each lane, in all bytes of the lane.
        let first = _mm256_set_epi64x(0x0808_0808_0808_0808, 0, 0x0808_0808_0808_0808, 0);
        let wanted = _mm256_shuffle_epi8(codes, _mm256_add_epi8(first, _mm256_set1_epi8(step)));
        let (ones, high) = (_mm256_set1_epi64x(ONES as i64), _mm256_set1_epi64x(HIGH as i64));
        let differs = _mm256_xor_si256(*lists, wanted);
        let flags = _mm256_and_si256(_mm256_andnot_si256(differs, _mm256_sub_epi64(differs, ones)), high);
        let moved = _mm256_xor_si256(flags, _mm256_add_epi64(flags, _mm256_set1_epi64x(-1)));
        let front = _mm256_and_si256(wanted, _mm256_set1_epi64x(15));
        let shifted = _mm256_or_si256(_mm256_slli_epi64::<4>(*lists), front);
        *lists = _mm256_xor_si256(*lists, _mm256_and_si256(_mm256_xor_si256(*lists, shifted), moved));
        // `moved` has four bits for each place up to the code's: take one of them, add the two of a byte, and sum the
        // bytes.
        let places = _mm256_and_si256(moved, ones);
        let pairs = _mm256_add_epi8(places, _mm256_srli_epi64::<4>(places));
        _mm256_sad_epu8(_mm256_and_si256(pairs, _mm256_set1_epi8(15)), _mm256_setzero_si256())
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn words(vector: __m256i) -> [u64; 4] {
        let mut words = [0; 4];
        // SAFETY: the array has the size of the vector, and the store needs no alignment.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), vector) };
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_a_list() {
        for used in [1usize, 2, 3, 11, 15] {
            for count in [0usize, 1, 63, 64, 65, 1000, 4096, 10_007] {
                let codes: Vec<u8> = (0..count as u64)
                    .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % (i / 100 % used as u64 + 1))
                    .map(|code| code as u8)
                    .collect();
                let mut list: Vec<u8> = (0..16).collect();
                let expected: Vec<u8> = codes
                    .iter()
                    .map(|code| {
                        let rank = list.iter().position(|other| other == code).unwrap();
                        list[..=rank].rotate_right(1);
                        rank as u8
                    })
                    .collect();
                let mut found = codes.clone();
                move_to_front(&mut found, used);
                assert_eq!(found, expected, "{used} {count}");
                let stride = count / PARTS / 8;
                let mut lists = std::array::from_fn(|part| Recent::after(&codes[..part * stride * 8], used));
                let mut blocks = codes.as_chunks::<8>().0[..PARTS * stride].to_vec();
                touch_parts_portable(&mut lists, &mut blocks, stride);
                assert_eq!(blocks.as_flattened(), &expected[..PARTS * stride * 8], "{used} {count}");
            }
        }
    }
}
