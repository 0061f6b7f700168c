//! SHA-256 (FIPS 180-4) of single messages, and of the blocks of one Hash_DRBG request in parallel.

mod digest;
mod lanes;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // nothing is chosen there
mod plain;
#[cfg(target_arch = "x86_64")]
mod sha_ni;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use digest::{compress, digest, digest_padded};
pub use lanes::{hash_counter_blocks, hash_pair, sha_in_registers};
pub use plain::{increment, INITIAL, WIDE_FROM};

use crate::simd::Path;

/// The paths of this module that are chosen at run time.
pub(crate) static PATHS: &[&Path] = &[
    #[cfg(target_arch = "x86_64")]
    &sha_ni::PATH,
    #[cfg(target_arch = "x86_64")]
    &wide::PATH,
];
