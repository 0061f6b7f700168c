//! Eight xoshiro256++ generators in parallel, in vectors where the CPU has them.

use crate::simd::{level, Level, Path, NAMES};

pub const LANES: usize = 8;

/// One word of each lane.
pub type Step = [u64; LANES];

/// The lanes: words 0 to 3 of the state of each.
#[derive(Clone)]
pub struct Lanes {
    pub states: [Step; 4],
}

pub(crate) static PATH: Path =
    Path::new(concat!(module_path!(), "::fill"), &NAMES, || usize::from(level() >= Level::Avx2), is_right);

fn is_right(_version: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let mut lanes = Lanes { states: [[0; LANES]; 4] };
        lanes.states.as_flattened_mut().copy_from_slice(&crate::simd::sample::words::<{ 4 * LANES }>());
        let mut others = lanes.clone();
        let (mut steps, mut expected) = ([[0; LANES]; 8], [[0; LANES]; 8]);
        // SAFETY: `Path` asks of a version that the level has AVX2 for.
        unsafe { lanes.fill_avx2(&mut steps) };
        others.fill_portable(&mut expected);
        steps == expected && lanes.states == others.states
    }
    #[cfg(not(target_arch = "x86_64"))]
    true
}

impl Lanes {
    /// Draw the next steps.
    pub fn fill(&mut self, steps: &mut [Step]) {
        #[cfg(target_arch = "x86_64")]
        if PATH.chosen() == 1 {
            // SAFETY: `PATH` chooses it where the level has AVX2.
            return unsafe { self.fill_avx2(steps) };
        }
        self.fill_portable(steps);
    }

    fn fill_portable(&mut self, steps: &mut [Step]) {
        let [s0, s1, s2, s3] = &mut self.states;
        for step in steps {
            for lane in 0..LANES {
                step[lane] = s0[lane].wrapping_add(s3[lane]).rotate_left(23).wrapping_add(s0[lane]);
                let shifted = s1[lane] << 17;
                s2[lane] ^= s0[lane];
                s3[lane] ^= s1[lane];
                s1[lane] ^= s2[lane];
                s0[lane] ^= s3[lane];
                s2[lane] ^= shifted;
                s3[lane] = s3[lane].rotate_left(45);
            }
        }
    }

    /// As `fill_portable`, four lanes in a vector: the compiler does not find that by itself and takes more than twice
    /// as long.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn fill_avx2(&mut self, steps: &mut [Step]) {
        use std::arch::x86_64::{
            __m256i, _mm256_add_epi64, _mm256_loadu_si256, _mm256_or_si256, _mm256_slli_epi64, _mm256_srli_epi64,
            _mm256_storeu_si256, _mm256_xor_si256,
        };
        for half in [0, 4] {
            let [mut s0, mut s1, mut s2, mut s3] = self.states.each_ref().map(|row| {
                // SAFETY: the four words from `half` on are within the row of eight.
                unsafe { _mm256_loadu_si256(row[half..half + 4].as_ptr().cast::<__m256i>()) }
            });
            for step in &mut *steps {
                let sum = _mm256_add_epi64(s0, s3);
                let turned = _mm256_or_si256(_mm256_slli_epi64::<23>(sum), _mm256_srli_epi64::<41>(sum));
                let out = _mm256_add_epi64(turned, s0);
                // SAFETY: as above.
                unsafe { _mm256_storeu_si256(step[half..half + 4].as_mut_ptr().cast::<__m256i>(), out) };
                let shifted = _mm256_slli_epi64::<17>(s1);
                s2 = _mm256_xor_si256(s2, s0);
                s3 = _mm256_xor_si256(s3, s1);
                s1 = _mm256_xor_si256(s1, s2);
                s0 = _mm256_xor_si256(s0, s3);
                s2 = _mm256_xor_si256(s2, shifted);
                s3 = _mm256_or_si256(_mm256_slli_epi64::<45>(s3), _mm256_srli_epi64::<19>(s3));
            }
            for (row, state) in self.states.iter_mut().zip([s0, s1, s2, s3]) {
                // SAFETY: as above.
                unsafe { _mm256_storeu_si256(row[half..half + 4].as_mut_ptr().cast::<__m256i>(), state) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_give_what_the_portable_lanes_give() {
        let mut state = 0u64;
        let states = [[(); LANES]; 4].map(|row| {
            row.map(|()| {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                state.wrapping_mul(0xbf58_476d_1ce4_e5b9)
            })
        });
        let (mut fast, mut portable) = (Lanes { states }, Lanes { states });
        for count in [1, 3, 64] {
            let (mut found, mut expected) = (vec![Step::default(); count], vec![Step::default(); count]);
            fast.fill(&mut found);
            portable.fill_portable(&mut expected);
            assert_eq!(found, expected);
            assert_eq!(fast.states, portable.states);
        }
    }
}
