//! Hash_DRBG with SHA-512, SP 800-90A Rev. 1 section 10.1.1.

use sha2::{Digest, Sha512};
use zeroize::Zeroize;

use crate::drbg_state::Mechanism;

/// seedlen of SHA-512 in bytes: 888 bits, table 2.
const SEED_BYTES: usize = 111;
const OUT_BYTES: usize = 64;

type Seed = [u8; SEED_BYTES];

/// left = (left + right) mod 2^888; both big-endian, `right` at most as long.
fn add(left: &mut Seed, right: &[u8]) {
    let mut carry = 0u16;
    let (high, low) = left.split_at_mut(SEED_BYTES - right.len());
    for (byte, addend) in low.iter_mut().zip(right).rev() {
        carry += u16::from(*byte) + u16::from(*addend);
        *byte = carry as u8;
        carry >>= 8;
    }
    for byte in high.iter_mut().rev() {
        carry += u16::from(*byte);
        *byte = carry as u8;
        carry >>= 8;
    }
}

fn digest(parts: &[&[u8]], out: &mut [u8; OUT_BYTES]) {
    let mut hasher = Sha512::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize_into((&mut *out).into());
}

/// Hash_df of section 10.3.1 for no_of_bits_to_return = seedlen.
fn hash_df_seedlen(parts: &[&[u8]], out: &mut Seed) {
    let bits = (8 * SEED_BYTES as u32).to_be_bytes();
    let mut block = [0u8; OUT_BYTES];
    for (counter, chunk) in (1u8..).zip(out.chunks_mut(OUT_BYTES)) {
        let header = [counter, bits[0], bits[1], bits[2], bits[3]];
        let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len() + 1);
        all.push(&header);
        all.extend_from_slice(parts);
        digest(&all, &mut block);
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
    block.zeroize();
}

/// V and C of section 10.1.1.1.
pub struct HashDrbg512 {
    v: Seed,
    c: Seed,
}

impl Default for HashDrbg512 {
    fn default() -> Self {
        Self { v: [0; SEED_BYTES], c: [0; SEED_BYTES] }
    }
}

impl HashDrbg512 {
    fn set_seed(&mut self, seed: &mut Seed) {
        self.v = *seed;
        hash_df_seedlen(&[&[0x00], &self.v], &mut self.c);
        seed.zeroize();
    }
}

impl Mechanism for HashDrbg512 {
    /// Hash_DRBG_Instantiate_algorithm, 10.1.1.2.
    fn instantiate(&mut self, entropy_input: &[u8], nonce: &[u8], personalization_string: &[u8]) {
        let mut seed = [0; SEED_BYTES];
        hash_df_seedlen(&[entropy_input, nonce, personalization_string], &mut seed);
        self.set_seed(&mut seed);
    }

    /// Hash_DRBG_Reseed_algorithm, 10.1.1.3.
    fn reseed(&mut self, entropy_input: &[u8], additional_input: &[u8]) {
        let mut seed = [0; SEED_BYTES];
        hash_df_seedlen(&[&[0x01], &self.v, entropy_input, additional_input], &mut seed);
        self.set_seed(&mut seed);
    }

    /// Hash_DRBG_Generate_algorithm, 10.1.1.4, without its check of the reseed interval.
    fn generate(&mut self, out: &mut [u8], additional_input: &[u8], reseed_counter: u64) {
        let mut block = [0u8; OUT_BYTES];
        if !additional_input.is_empty() {
            digest(&[&[0x02], &self.v, additional_input], &mut block);
            add(&mut self.v, &block);
        }
        let mut data = self.v;
        for chunk in out.chunks_mut(OUT_BYTES) {
            digest(&[&data], &mut block);
            chunk.copy_from_slice(&block[..chunk.len()]);
            add(&mut data, &[1]);
        }
        data.zeroize();
        digest(&[&[0x03], &self.v], &mut block);
        add(&mut self.v, &block);
        let constant = self.c;
        add(&mut self.v, &constant);
        add(&mut self.v, &reseed_counter.to_be_bytes());
        block.zeroize();
    }

    fn secrets(&self) -> [&[u8]; 2] {
        [&self.v, &self.c]
    }
}

impl Zeroize for HashDrbg512 {
    fn zeroize(&mut self) {
        self.v.zeroize();
        self.c.zeroize();
    }
}

impl Drop for HashDrbg512 {
    fn drop(&mut self) {
        self.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn add_carries_through_and_wraps() {
        let mut left = [0xff; SEED_BYTES];
        add(&mut left, &[1]);
        assert_eq!(left, [0; SEED_BYTES]);
        left[SEED_BYTES - 1] = 0xff;
        add(&mut left, &[0x01, 0x01]);
        assert_eq!(left[SEED_BYTES - 3..], [0, 2, 0]);
        add(&mut left, &[0xff; SEED_BYTES]);
        assert_eq!(left[SEED_BYTES - 3..], [0, 1, 0xff]);
    }
}
