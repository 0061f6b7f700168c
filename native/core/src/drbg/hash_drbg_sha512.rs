//! SHA-512 for Hash_DRBG: the crate `sha2`.

use sha2::Digest;
use zeroize::Zeroize;

use super::hash_drbg::{Hash, HashDrbg};
use super::seed::Seed;

/// seedlen of SHA-512: 888 bits, SP 800-90A table 2.
const LIMBS: usize = 14;
const SEED_BYTES: usize = Seed::<LIMBS>::BYTES;
/// outlen of SHA-512 in bytes.
const OUT_BYTES: usize = 64;

pub struct Sha512;

pub type HashDrbg512 = HashDrbg<Sha512, LIMBS>;

impl Hash<LIMBS> for Sha512 {
    const OUT_BYTES: usize = OUT_BYTES;
    type Digest = [u8; OUT_BYTES];

    fn digest(parts: &[&[u8]]) -> Self::Digest {
        let mut hasher = sha2::Sha512::new();
        for part in parts {
            hasher.update(part);
        }
        let mut digest = [0u8; OUT_BYTES];
        hasher.finalize_into((&mut digest).into());
        digest
    }

    fn hashgen_after_first(v: &Seed<LIMBS>, out: &mut [u8]) {
        let (mut data, mut bytes) = (*v, [0u8; SEED_BYTES]);
        for chunk in out.chunks_mut(OUT_BYTES) {
            data.add_small(1);
            data.write(&mut bytes);
            let mut block = Self::digest(&[&bytes]);
            chunk.copy_from_slice(&block[..chunk.len()]);
            block.zeroize();
        }
        data.zeroize();
        bytes.zeroize();
    }

    fn first_block_and_h(v: &Seed<LIMBS>, out: &mut [u8]) -> [u64; LIMBS] {
        let mut bytes = [0u8; SEED_BYTES];
        v.write(&mut bytes);
        if !out.is_empty() {
            let mut block = Self::digest(&[&bytes]);
            out.copy_from_slice(&block[..out.len()]);
            block.zeroize();
        }
        let mut h = Self::digest(&[&[0x03], &bytes]);
        bytes.zeroize();
        let limbs = Seed::from_bytes(&h).0;
        h.zeroize();
        limbs
    }
}
