//! Working state of any one DRBG mechanism of SP 800-90A Rev. 1 section 10.
//!
//! The limits and errors of section 9 belong to the caller. Hash_DRBG with SHA-256, which has an output budget and a
//! hot path, is in `budgeted.rs`.

use std::mem::MaybeUninit;

use zeroize::Zeroize;

use super::ctr_drbg::CtrDrbg;
use super::hash_drbg_sha512::HashDrbg512;
use super::hmac_drbg::{HmacDrbg, HmacSha256, HmacSha512};
use super::mechanism::{Fault, Mechanism, State};
use crate::error::Error;
use crate::process::fork_guard;

enum Kind {
    Hash512(HashDrbg512),
    Hmac256(HmacDrbg<HmacSha256>),
    Hmac512(HmacDrbg<HmacSha512>),
    Ctr(CtrDrbg),
}

impl Kind {
    fn mechanism(&mut self) -> &mut dyn Mechanism {
        match self {
            Self::Hash512(mechanism) => mechanism,
            Self::Hmac256(mechanism) => mechanism,
            Self::Hmac512(mechanism) => mechanism,
            Self::Ctr(mechanism) => mechanism,
        }
    }
}

/// A mechanism, its reseed_counter, and a seal over both that detects memory that changed by itself.
pub struct Sealed {
    kind: Kind,
    reseed_counter: u64,
    seal: u64,
    /// The fork generation in which the state was seeded: no other process gets output from it.
    seeded_in: u64,
}

impl State for Sealed {
    fn wipe(&mut self) {
        self.kind.mechanism().zeroize();
        self.reseed_counter = 0;
        self.seal = self.fingerprint();
    }
}

impl Sealed {
    /// An uninstantiated state of one of the mechanisms that have a Rust kernel.
    pub fn new(mechanism: &str, primitive: &str, derivation_function: bool, ctr_len: u32) -> Result<Self, Error> {
        let kind = match (mechanism, primitive, ctr_len) {
            ("Hash_DRBG", "sha512", _) => Kind::Hash512(HashDrbg512::default()),
            ("HMAC_DRBG", "sha256", _) => Kind::Hmac256(HmacDrbg::default()),
            ("HMAC_DRBG", "sha512", _) => Kind::Hmac512(HmacDrbg::default()),
            ("CTR_DRBG", "aes256", 128) => Kind::Ctr(CtrDrbg::new(derivation_function)),
            _ => {
                let message =
                    format!("{mechanism} {primitive} with ctr_len={ctr_len}: the Rust kernels do not have it");
                return Err(Error::InvalidInput(message));
            }
        };
        let mut sealed = Self { kind, reseed_counter: 0, seal: 0, seeded_in: 0 };
        sealed.seal = sealed.fingerprint();
        Ok(sealed)
    }

    pub fn reseed_counter(&self) -> u64 {
        self.reseed_counter
    }

    /// Length of the entropy input in bytes, if the mechanism needs an exact length.
    pub fn entropy_input_bytes(&mut self) -> Option<usize> {
        self.kind.mechanism().entropy_input_bytes()
    }

    /// Instantiate the state with entropy input that was obtained in the process of that fork generation.
    pub fn instantiate(&mut self, entropy_input: &[u8], nonce: &[u8], extra: &[u8], generation: u64) {
        self.kind.mechanism().instantiate(entropy_input, nonce, extra);
        self.seeded(generation);
    }

    /// Reseed the state with entropy input that was obtained in the process of that fork generation.
    pub fn reseed(&mut self, entropy_input: &[u8], extra: &[u8], generation: u64) -> Result<(), Fault> {
        self.run(|mechanism, _| mechanism.reseed(entropy_input, extra))?;
        self.seeded(generation);
        Ok(())
    }

    /// One Generate request without additional input, into uninitialized memory.
    pub fn draw(&mut self, out: &mut [MaybeUninit<u8>]) -> Result<(), Fault> {
        self.request(|mechanism, counter| mechanism.generate_new(out, counter))
    }

    /// Every single-bit change of the state changes this value: each step is a bijection of the value before.
    fn fingerprint(&mut self) -> u64 {
        let mut sum = self.reseed_counter ^ 0x9e37_79b9_7f4a_7c15;
        self.kind.mechanism().visit_secrets(&mut |word| {
            sum = (sum ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(29);
        });
        sum
    }

    /// Check the seal, run a function of an instantiated state, and seal again.
    fn run(&mut self, function: impl FnOnce(&mut dyn Mechanism, u64)) -> Result<(), Fault> {
        if self.seal != self.fingerprint() {
            self.wipe();
            return Err(Fault::Changed);
        }
        if self.reseed_counter == 0 {
            return Err(Fault::NotInstantiated);
        }
        function(self.kind.mechanism(), self.reseed_counter);
        Ok(())
    }

    fn close(&mut self, reseed_counter: u64) {
        self.reseed_counter = reseed_counter;
        self.seal = self.fingerprint();
    }

    /// Record that the state has a new seed, with entropy input obtained in the process of that fork generation.
    fn seeded(&mut self, generation: u64) {
        self.close(1);
        self.seeded_in = generation;
    }

    /// True if this process seeded the state.
    pub fn here(&self) -> bool {
        self.seeded_in == fork_guard::current()
    }

    /// One request for output, in the process that seeded the state.
    fn request(&mut self, generate: impl FnOnce(&mut dyn Mechanism, u64)) -> Result<(), Fault> {
        let (counter, forked) = (self.reseed_counter, !self.here());
        self.run(|mechanism, counter| {
            if !forked {
                generate(mechanism, counter);
            }
        })?;
        if forked {
            return Err(Fault::Forked);
        }
        self.close(counter + 1);
        // A handler in C may fork at any instruction above; parent and child would have the same bytes.
        if self.here() {
            Ok(())
        } else {
            Err(Fault::Forked)
        }
    }

    /// One Generate request.
    pub fn generate(&mut self, out: &mut [u8], additional_input: &[u8]) -> Result<(), Fault> {
        let done = self.request(|mechanism, counter| mechanism.generate(out, additional_input, counter));
        if done.is_err() {
            out.zeroize();
        }
        done
    }
}
