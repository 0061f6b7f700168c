//! One portable body, compiled for several instruction sets; the CPU's own is chosen at run time.
//!
//! Kernels stay plain loops over `u64` words and bytes; the compiler makes `popcnt`, `lzcnt`, AVX2 or AVX-512 code out of them.
//! `ESOTERIC_DRBG_SIMD=portable|avx2|avx512`, read once, lowers the choice: for measurements and for the tests that compare.

use std::sync::OnceLock;

/// Instruction sets a multiversioned function is compiled for, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every CPU of the target has.
    Portable,
    /// AVX2, BMI1, BMI2, LZCNT and POPCNT (x86-64-v3).
    Avx2,
    /// AVX-512 F, BW, CD, DQ, VL and VPOPCNTDQ on top.
    Avx512,
}

/// The highest level that this CPU runs and `ESOTERIC_DRBG_SIMD` allows.
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let allowed = match std::env::var("ESOTERIC_DRBG_SIMD").as_deref() {
            Ok("portable") => Level::Portable,
            Ok("avx2") => Level::Avx2,
            _ => Level::Avx512,
        };
        allowed.min(found())
    })
}

#[cfg(target_arch = "x86_64")]
fn found() -> Level {
    macro_rules! all {
        ($($feature:tt),*) => { $(std::arch::is_x86_feature_detected!($feature))&&* };
    }
    if !all!("avx2", "bmi1", "bmi2", "lzcnt", "popcnt") {
        Level::Portable
    } else if !all!("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512vpopcntdq") {
        Level::Avx2
    } else {
        Level::Avx512
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn found() -> Level {
    Level::Portable
}

/// Define a function whose body is compiled once for each [`Level`]. Helpers it calls should be `#[inline]`: what is inlined is compiled
/// for the level, too.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn portable($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    portable($($arg),*)
                }
                #[target_feature(
                    enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vpopcntdq"
                )]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    portable($($arg),*)
                }
                match $crate::multiversion::level() {
                    // SAFETY: `level` found every instruction set that the function is compiled for.
                    $crate::multiversion::Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::multiversion::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::multiversion::Level::Portable => {}
                }
            }
            portable($($arg),*)
        }
    };
}
pub(crate) use multiversion;

#[cfg(test)]
mod tests {
    use super::{level, Level};

    multiversion! {
        /// Ones in a slice of words.
        fn ones(words: &[u64]) -> u32 {
            words.iter().map(|word| word.count_ones()).sum()
        }
    }

    #[test]
    fn every_level_gives_the_same() {
        let words: Vec<u64> = (0..1000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        assert_eq!(ones(&words), words.iter().map(|word| word.count_ones()).sum::<u32>());
        assert!(level() >= Level::Portable);
    }
}
