//! Hash_DRBG with SHA-256, from which tokens are drawn: with the output budget of its seed, a seal and a fork check.

use zeroize::Zeroize;

use super::hash_drbg_sha256::{HashDrbg256, BLOCK_BYTES};
use super::mechanism::{Fault, State, MAX_REQUEST_BYTES};
use crate::memory::wipe;
use crate::process::fork_guard;
use crate::process::rough_clock::rough_ns;
use crate::sha256::{sha_in_registers, WIDE_FROM};

/// Longest request whose blocks are hashed without the wide registers of AVX-512.
const MEDIUM_BYTES: usize = BLOCK_BYTES * WIDE_FROM;
/// reseed_interval of table 2: 2^48 requests.
const RESEED_INTERVAL: u64 = 1 << 48;

/// The working state, its seal, the output budget of its seed, and when kernel randomness last went
/// into it.
pub struct Budgeted {
    working: HashDrbg256,
    reseed_counter: u64,
    seal: u64,
    budget_bits: u64,
    /// The fork generation in which the state was seeded: no other process gets output from it.
    seeded_in: u64,
    mixed_at_ns: u64,
    mix_interval_ns: u64,
}

impl Default for Budgeted {
    fn default() -> Self {
        let mut state = Self {
            working: HashDrbg256::default(),
            reseed_counter: 0,
            seal: 0,
            budget_bits: 0,
            seeded_in: 0,
            mixed_at_ns: 0,
            mix_interval_ns: u64::MAX,
        };
        state.seal = state.fingerprint();
        state
    }
}

impl State for Budgeted {
    fn wipe(&mut self) {
        self.working.zeroize();
        self.reseed_counter = 0;
        self.budget_bits = 0;
        self.seal = self.fingerprint();
    }
}

impl Budgeted {
    pub fn reseed_counter(&self) -> u64 {
        self.reseed_counter
    }

    pub fn budget_bits(&self) -> u64 {
        self.budget_bits
    }

    /// Every single-bit change of the state changes this value.
    #[inline]
    fn fingerprint(&self) -> u64 {
        self.reseed_counter ^ self.working.fingerprint()
    }

    /// Instantiate the state with entropy input that was obtained in the process of that fork generation.
    pub fn instantiate(&mut self, entropy_input: &[u8], nonce: &[u8], extra: &[u8], generation: u64) {
        self.working.instantiate(entropy_input, nonce, extra);
        self.seeded(generation);
    }

    /// Reseed the state with entropy input that was obtained in the process of that fork generation.
    pub fn reseed(&mut self, entropy_input: &[u8], extra: &[u8], generation: u64) -> Result<(), Fault> {
        self.check()?;
        self.working.reseed(entropy_input, extra);
        self.seeded(generation);
        Ok(())
    }

    /// Set the budget: `bits` bits of output, in the process that seeded the state.
    pub fn grant(&mut self, bits: u64) {
        self.budget_bits = bits;
        self.mixed_at_ns = rough_ns();
    }

    /// Set the budget to zero.
    pub fn revoke(&mut self) {
        self.budget_bits = 0;
    }

    /// Let mixing be due whenever nothing was mixed in for `interval_ns`.
    pub fn mix_every(&mut self, interval_ns: u64) {
        self.mix_interval_ns = interval_ns;
    }

    /// Mix `extra` into the state by a Generate request without output: it adds no credited entropy.
    pub fn mix(&mut self, extra: &[u8]) -> Result<(), Fault> {
        self.generate(&mut [], extra)?;
        self.mixed_at_ns = rough_ns();
        Ok(())
    }

    /// True if the seed may still give `n_bytes`: by budget, reseed_interval, and the process that got the budget.
    #[inline]
    fn covers(&self, n_bytes: usize) -> bool {
        let requests = n_bytes.div_ceil(MAX_REQUEST_BYTES) as u64;
        (n_bytes as u64).saturating_mul(8) <= self.budget_bits
            && self.reseed_counter.saturating_add(requests) <= RESEED_INTERVAL + 1
            && self.here()
    }

    /// True if this process seeded the state.
    #[inline]
    pub fn here(&self) -> bool {
        self.seeded_in == fork_guard::current()
    }

    #[inline]
    pub fn mixing_due(&self) -> bool {
        rough_ns().wrapping_sub(self.mixed_at_ns) >= self.mix_interval_ns
    }

    #[inline]
    pub fn intact(&self) -> bool {
        self.seal == self.fingerprint()
    }

    /// Overwrite a state that changed by itself; return an error for one that is not instantiated.
    #[inline]
    fn check(&mut self) -> Result<(), Fault> {
        if !self.intact() {
            self.wipe();
            return Err(Fault::Changed);
        }
        if self.reseed_counter == 0 {
            return Err(Fault::NotInstantiated);
        }
        Ok(())
    }

    /// Record that the state has a new seed, with entropy input obtained in the process of that fork generation.
    fn seeded(&mut self, generation: u64) {
        self.reseed_counter = 1;
        self.seal = self.fingerprint();
        self.budget_bits = 0;
        self.seeded_in = generation;
    }

    #[inline]
    pub fn charge(&mut self, n_bytes: usize) -> bool {
        let covered = self.covers(n_bytes);
        if covered {
            self.budget_bits -= 8 * n_bytes as u64;
        }
        covered
    }

    #[inline]
    pub fn generate(&mut self, out: &mut [u8], additional_input: &[u8]) -> Result<(), Fault> {
        self.check()?;
        if !self.here() {
            return Err(Fault::Forked);
        }
        self.working.generate(out, additional_input, self.reseed_counter);
        self.reseed_counter += 1;
        self.seal = self.fingerprint();
        // A handler in C may fork at any instruction above; parent and child would have the same bytes.
        if !self.here() {
            out.zeroize();
            return Err(Fault::Forked);
        }
        Ok(())
    }

    /// A request of the hot path: only the memory that it used is overwritten afterwards.
    #[inline(always)]
    pub fn generate_wiped(&mut self, out: &mut [u8]) {
        if out.len() <= BLOCK_BYTES && sha_in_registers() {
            wipe::after::<{ wipe::SHORT }, _>(|| self.working.generate_block(out, self.reseed_counter));
        } else if out.len() <= MEDIUM_BYTES && sha_in_registers() {
            wipe::after::<{ wipe::MEDIUM }, _>(|| self.working.generate(out, &[], self.reseed_counter));
        } else {
            wipe::after::<{ wipe::LONG }, _>(|| self.working.generate(out, &[], self.reseed_counter));
        }
        self.reseed_counter += 1;
        self.seal = self.fingerprint();
    }
}
