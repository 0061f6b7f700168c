//! Statistics of permutations, SP 800-90B section 5.1. Twins of `kernels/reference/iid*.py`, which specify each of
//! them.

mod bzip2;
mod compression;
mod huffman;
mod move_to_front;
mod rotations;
mod sequence;
mod shuffle;
mod statistics;
mod xoshiro_lanes;

pub use sequence::{Sequence, MOST_SYMBOLS};
pub use statistics::{Mask, COUNT};

use crate::simd::Path;

/// The paths of this module that are chosen at run time.
pub(crate) static PATHS: &[&Path] = &[
    &bzip2::CHOOSE,
    &bzip2::CODE_RUNS,
    &move_to_front::PATH,
    &shuffle::PARTNERS,
    &statistics::ABOUT_THE_MEDIAN,
    &statistics::BIT_EXCURSION,
    &statistics::BIT_RUNS,
    &statistics::COVARIANCE,
    &statistics::DIRECTIONAL,
    &statistics::EXCURSION,
    &statistics::PERIODICITY,
    &statistics::SUMS_OF_BYTES,
    &xoshiro_lanes::PATH,
];
