//! The DRBG mechanisms of SP 800-90A Rev. 1, and Hash_df.

pub mod budgeted;
mod ctr_drbg;
pub mod hash_df;
mod hash_drbg;
mod hash_drbg_sha256;
mod hash_drbg_sha512;
mod hmac_drbg;
pub mod mechanism;
pub mod sealed;
mod seed;
#[cfg(test)]
mod stack_depth;
