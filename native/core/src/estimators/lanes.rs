//! Leaf functions on vectors that the compiler does not find by itself, each with its portable twin.

use crate::simd::{level, Level, Path, NAMES};

/// 64 numbers, one for each step.
pub type Steps = [i32; 64];
/// 32 balances.
pub type Balances = [i16; 32];

/// The bit that holds the sign of a balance: vectors pack quarters in turns from both halves.
pub const fn sign_place(lane: usize) -> usize {
    match lane / 8 {
        1 => lane + 8,
        2 => lane - 8,
        _ => lane,
    }
}

/// The operations that vectors do here.
pub trait Lanes {
    /// Whether whole vectors at a time are worth more than single numbers.
    const ARE_VECTORS: bool;
    /// Add `change`; returns which balances were negative before, as bits in the order of [`sign_place`].
    fn add(balances: &mut Balances, change: &Balances) -> u32;
    /// In which steps the bits of `mask` form a number above `limit`.
    fn above(steps: &Steps, mask: i32, limit: i32) -> u64;
}

pub struct Portable;

impl Lanes for Portable {
    const ARE_VECTORS: bool = false;

    #[inline(always)]
    fn add(balances: &mut Balances, change: &Balances) -> u32 {
        let mut negative = 0;
        for (lane, (balance, change)) in balances.iter_mut().zip(change).enumerate() {
            negative |= u32::from(*balance < 0) << sign_place(lane);
            *balance += change;
        }
        negative
    }

    #[inline(always)]
    fn above(steps: &Steps, mask: i32, limit: i32) -> u64 {
        steps.iter().enumerate().fold(0, |above, (step, number)| above | u64::from(number & mask > limit) << step)
    }
}

/// Used by functions that have AVX2.
#[cfg(target_arch = "x86_64")]
pub type Vectors = with_avx2::Avx2;

pub(crate) static PATH: Path =
    Path::new(concat!(module_path!(), "::Vectors"), &NAMES, || usize::from(level() >= Level::Avx2), is_right);

/// Whether the vectors give the results of [`Portable`] on this CPU.
pub fn vectors_are_right() -> bool {
    PATH.chosen() == 1
}

fn is_right(_version: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let words = crate::simd::sample::words::<64>();
        let numbers: Steps = words.map(|word| word as i32 >> (word >> 59));
        // SAFETY: `Path` asks of a version that the level has AVX2 for.
        let equal = |mask, limit| unsafe { with_avx2::equal_portable(&numbers, mask, limit) };
        equal(-1, numbers[3]) && equal(0x7f80, 0)
    }
    #[cfg(not(target_arch = "x86_64"))]
    true
}

#[cfg(target_arch = "x86_64")]
mod with_avx2 {
    use super::{Balances, Lanes, Portable, Steps};
    use std::arch::x86_64::*;

    /// Only for functions that have AVX2.
    pub struct Avx2;

    impl Lanes for Avx2 {
        const ARE_VECTORS: bool = true;

        #[inline(always)]
        fn add(balances: &mut Balances, change: &Balances) -> u32 {
            // SAFETY: see `Avx2`.
            unsafe { add(balances, change) }
        }

        #[inline(always)]
        fn above(steps: &Steps, mask: i32, limit: i32) -> u64 {
            // SAFETY: see `Avx2`.
            unsafe { above(steps, mask, limit) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn add(balances: &mut Balances, change: &Balances) -> u32 {
        let (to, from) = (balances.as_mut_ptr().cast::<__m256i>(), change.as_ptr().cast::<__m256i>());
        // SAFETY: loads and stores are within the 64 bytes of each, and need no alignment.
        let (low, high) = unsafe {
            let (low, high) = (_mm256_loadu_si256(to), _mm256_loadu_si256(to.add(1)));
            _mm256_storeu_si256(to, _mm256_add_epi16(low, _mm256_loadu_si256(from)));
            _mm256_storeu_si256(to.add(1), _mm256_add_epi16(high, _mm256_loadu_si256(from.add(1))));
            (low, high)
        };
        _mm256_movemask_epi8(_mm256_packs_epi16(low, high)) as u32
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn above(steps: &Steps, mask: i32, limit: i32) -> u64 {
        let (mask, limit) = (_mm256_set1_epi32(mask), _mm256_set1_epi32(limit));
        let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        let mut words = [0u32; 2];
        for (word, steps) in words.iter_mut().zip(steps.as_chunks::<32>().0) {
            let eight = |place: usize| {
                // SAFETY: `place` is below 4: the load is within the 32 numbers, and needs no alignment.
                let numbers = unsafe { _mm256_loadu_si256(steps.as_ptr().cast::<__m256i>().add(place)) };
                _mm256_cmpgt_epi32(_mm256_and_si256(numbers, mask), limit)
            };
            // Packing takes quarters in turns from both halves.
            let (first, last) = (_mm256_packs_epi32(eight(0), eight(1)), _mm256_packs_epi32(eight(2), eight(3)));
            let bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(first, last), order);
            *word = _mm256_movemask_epi8(bytes) as u32;
        }
        u64::from(words[0]) | u64::from(words[1]) << 32
    }

    /// Whether both functions give the results of their portable twins for some numbers.
    #[target_feature(enable = "avx2")]
    pub fn equal_portable(numbers: &Steps, mask: i32, limit: i32) -> bool {
        let mut balances: Balances = std::array::from_fn(|i| (numbers[i] >> 18) as i16);
        let change: Balances = std::array::from_fn(|i| (numbers[32 + i] >> 18) as i16);
        let mut others = balances;
        let negative = Avx2::add(&mut balances, &change) == Portable::add(&mut others, &change);
        negative && balances == others && Avx2::above(numbers, mask, limit) == Portable::above(numbers, mask, limit)
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::with_avx2::equal_portable;
    use crate::simd::{level, Level};

    #[test]
    fn vectors_equal_their_portable_twins() {
        if level() < Level::Avx2 {
            return;
        }
        let mut state = 1u64;
        for round in 0..2000 {
            let numbers: [i32; 64] = std::array::from_fn(|_| {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                (state >> 32) as i32 >> (round % 32)
            });
            for limit in [-1, 0, numbers[3], i32::MIN, i32::MAX] {
                for mask in [-1, 1, 0x7f80, numbers[5] & i32::MAX] {
                    // SAFETY: the level says that the CPU has AVX2.
                    assert!(unsafe { equal_portable(&numbers, mask, limit) });
                }
            }
        }
    }
}
