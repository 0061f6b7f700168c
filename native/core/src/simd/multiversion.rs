//! One portable body, compiled for several instruction sets; the best one for the CPU is chosen at run time.
//!
//! Hand-written, because the crate `multiversion` allows no step in between: it cannot check or refuse a version, and
//! the choice cannot be lowered.
//!
//! Kernels stay plain loops over `u64` words and bytes; the compiler makes `popcnt`, `lzcnt`, AVX2 or AVX-512 code of
//! them. `ESOTERIC_DRBG_SIMD=portable|avx2|avx512`, read once, lowers the choice: for measurements and for tests that
//! compare.

use std::sync::OnceLock;

/// Instruction sets a multiversioned function is compiled for, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The instructions that every CPU of the target has.
    Portable,
    /// AVX2, BMI1, BMI2, LZCNT and POPCNT (x86-64-v3).
    Avx2,
    /// Also AVX-512 F, BW, CD, DQ, VL and VPOPCNTDQ.
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

/// Names of the levels above the portable one.
pub const NAMES: [&str; 2] = ["avx2", "avx512"];

/// Define a function whose body is compiled once for each [`Level`]. Helpers that it calls should be `#[inline]`:
/// inlined code is compiled for the level too. A body `on vectors` replaces the other one from AVX2 on, and may rely on
/// AVX2.
///
/// `checked by PATH: |run| sample` defines the static [`Path`](crate::simd::Path) of the function. Before a level is
/// used for the first time, `sample`, with the function of that level for `run`, must equal the sample with the
/// portable one.
macro_rules! multiversion {
    (
        $(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
        checked by $path:ident: |$run:ident| $sample:expr
    ) => {
        $crate::simd::multiversion! {
            $(#[$meta])* $vis fn $name($($arg: $ty),*) $(-> $ret)? $body
            on vectors { portable($($arg),*) }
            checked by $path: |$run| $sample
        }
    };
    (
        $(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
        on vectors $vectors:block
        checked by $path:ident: |$run:ident| $sample:expr
    ) => {
        /// The versions of the function of that name.
        #[allow(non_camel_case_types)]
        struct $name {}

        impl $name {
            #[inline(always)]
            fn version(version: usize, $($arg: $ty),*) $(-> $ret)? {
                #[inline(always)]
                fn portable($($arg: $ty),*) $(-> $ret)? $body
                #[cfg(target_arch = "x86_64")]
                {
                    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
                    fn avx2($($arg: $ty),*) $(-> $ret)? $vectors
                    #[target_feature(
                        enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vpopcntdq"
                    )]
                    fn avx512($($arg: $ty),*) $(-> $ret)? $vectors
                    match version {
                        // SAFETY: `Path` chooses, and checks, no version above the level, which has every instruction
                        // set that the function is compiled for.
                        2 => return unsafe { avx512($($arg),*) },
                        // SAFETY: as above.
                        1 => return unsafe { avx2($($arg),*) },
                        _ => {}
                    }
                }
                #[cfg(not(target_arch = "x86_64"))]
                let _ = version;
                portable($($arg),*)
            }

            fn is_right(version: usize) -> bool {
                let sample = |$run: fn($($ty),*) $(-> $ret)?| $sample;
                let expected = sample(|$($arg),*| Self::version(0, $($arg),*));
                match version {
                    1 => sample(|$($arg),*| Self::version(1, $($arg),*)) == expected,
                    2 => sample(|$($arg),*| Self::version(2, $($arg),*)) == expected,
                    _ => true,
                }
            }
        }

        pub(crate) static $path: $crate::simd::Path = $crate::simd::Path::new(
            concat!(module_path!(), "::", stringify!($name)), &$crate::simd::NAMES, || $crate::simd::level() as usize, $name::is_right
        );

        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            $name::version($path.chosen(), $($arg),*)
        }
    };
}
pub(crate) use multiversion;

#[cfg(test)]
mod tests {
    use super::{level, Level};

    fn words() -> Vec<u64> {
        (0..1000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
    }

    multiversion! {
        /// Ones in a slice of words.
        fn ones(words: &[u64]) -> u32 {
            words.iter().map(|word| word.count_ones()).sum()
        }
        checked by ONES: |run| run(&[1, 3, u64::MAX])
    }

    multiversion! {
        /// The same, but wrong in vectors, which the sample shows.
        fn miscounted(words: &[u64]) -> u32 {
            words.iter().map(|word| word.count_ones()).sum()
        }
        on vectors { words.iter().map(|word| word.count_ones() & 63).sum() }
        checked by MISCOUNTED: |run| run(&[1, 3, u64::MAX])
    }

    #[test]
    fn every_level_gives_the_same() {
        let expected = words().iter().map(|word| word.count_ones()).sum::<u32>();
        assert_eq!(ones(&words()), expected);
        for version in 0..=level() as usize {
            assert_eq!(ones::version(version, &words()), expected);
        }
        assert_eq!(ONES.chosen(), level() as usize);
    }

    #[test]
    fn a_wrong_version_is_noticed_and_not_used() {
        let full = [u64::MAX; 100];
        assert_eq!(miscounted(&full), 6400);
        assert_eq!(MISCOUNTED.chosen(), 0);
        let refused: Vec<String> = MISCOUNTED.refused().collect();
        assert_eq!(refused.len(), level() as usize);
        if level() > Level::Portable {
            assert_eq!(miscounted::version(1, &full), 0, "the version is wrong indeed");
            assert_eq!(refused[0], "simd::multiversion::tests::miscounted avx2");
        }
    }
}
