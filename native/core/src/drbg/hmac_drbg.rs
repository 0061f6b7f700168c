//! HMAC_DRBG, SP 800-90A Rev. 1 section 10.1.2.

use std::marker::PhantomData;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};
use zeroize::Zeroize;

use super::mechanism::{visit_bytes, Mechanism};

pub type HmacSha256 = Hmac<Sha256>;
pub type HmacSha512 = Hmac<Sha512>;

/// Room for the longest output block.
const MOST_BYTES: usize = 64;

/// Key and V of section 10.1.2.1; the first `M::output_size()` bytes of each count.
pub struct HmacDrbg<M> {
    key: [u8; MOST_BYTES],
    v: [u8; MOST_BYTES],
    mac: PhantomData<M>,
}

impl<M> Default for HmacDrbg<M> {
    fn default() -> Self {
        Self { key: [0; MOST_BYTES], v: [0; MOST_BYTES], mac: PhantomData }
    }
}

impl<M: Mac + KeyInit + Clone> HmacDrbg<M> {
    fn outlen() -> usize {
        M::output_size()
    }

    fn keyed(&self) -> M {
        // HMAC takes keys of every length.
        <M as KeyInit>::new_from_slice(&self.key[..Self::outlen()]).expect("HMAC takes keys of every length")
    }

    fn finish(mac: M, out: &mut [u8; MOST_BYTES]) {
        let mut tag = mac.finalize().into_bytes();
        out[..tag.len()].copy_from_slice(&tag);
        tag.as_mut_slice().zeroize();
    }

    /// V = HMAC(Key, V).
    fn step(&mut self, keyed: M) {
        let mut mac = keyed;
        mac.update(&self.v[..Self::outlen()]);
        Self::finish(mac, &mut self.v);
    }

    /// HMAC_DRBG_Update, 10.1.2.2, with provided_data in parts.
    fn update(&mut self, provided: &[&[u8]]) {
        let rounds: &[u8] = if provided.iter().all(|part| part.is_empty()) { &[0x00] } else { &[0x00, 0x01] };
        for round in rounds {
            let mut mac = self.keyed();
            mac.update(&self.v[..Self::outlen()]);
            mac.update(&[*round]);
            for part in provided {
                mac.update(part);
            }
            Self::finish(mac, &mut self.key);
            let keyed = self.keyed();
            self.step(keyed);
        }
    }
}

impl<M: Mac + KeyInit + Clone> Mechanism for HmacDrbg<M> {
    /// HMAC_DRBG_Instantiate_algorithm, 10.1.2.3.
    fn instantiate(&mut self, entropy_input: &[u8], nonce: &[u8], personalization_string: &[u8]) {
        self.key.fill(0x00);
        self.v.fill(0x01);
        self.update(&[entropy_input, nonce, personalization_string]);
    }

    /// HMAC_DRBG_Reseed_algorithm, 10.1.2.4.
    fn reseed(&mut self, entropy_input: &[u8], additional_input: &[u8]) {
        self.update(&[entropy_input, additional_input]);
    }

    /// HMAC_DRBG_Generate_algorithm, 10.1.2.5, without its check of the reseed interval.
    fn generate(&mut self, out: &mut [u8], additional_input: &[u8], _reseed_counter: u64) {
        if !additional_input.is_empty() {
            self.update(&[additional_input]);
        }
        let keyed = self.keyed();
        for chunk in out.chunks_mut(Self::outlen()) {
            self.step(keyed.clone());
            chunk.copy_from_slice(&self.v[..chunk.len()]);
        }
        self.update(&[additional_input]);
    }

    fn visit_secrets(&self, visit: &mut dyn FnMut(u64)) {
        visit_bytes(&self.key, visit);
        visit_bytes(&self.v, visit);
    }
}

impl<M> Zeroize for HmacDrbg<M> {
    fn zeroize(&mut self) {
        self.key.zeroize();
        self.v.zeroize();
    }
}

impl<M> Drop for HmacDrbg<M> {
    fn drop(&mut self) {
        self.zeroize();
    }
}
