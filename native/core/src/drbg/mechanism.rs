//! The common interface of the DRBG mechanisms of SP 800-90A Rev. 1 section 10.

use std::mem::MaybeUninit;

use zeroize::Zeroize;

use crate::memory::zeroed;
use crate::process::fork_guard;
use crate::process::fork_lock::ForkLockGuard;

/// max_number_of_bits_per_request of tables 2 and 3, in bytes: 2^19 bits.
pub const MAX_REQUEST_BYTES: usize = 1 << 16;

/// The algorithms of section 10, without reseed_counter.
pub trait Mechanism: Zeroize {
    /// Length of the entropy input in bytes, if the mechanism needs an exact length.
    fn entropy_input_bytes(&self) -> Option<usize> {
        None
    }
    fn instantiate(&mut self, entropy_input: &[u8], nonce: &[u8], personalization_string: &[u8]);
    fn reseed(&mut self, entropy_input: &[u8], additional_input: &[u8]);
    /// `reseed_counter` is its value before the request.
    fn generate(&mut self, out: &mut [u8], additional_input: &[u8], reseed_counter: u64);
    /// The same into uninitialized memory: on return, all of it is initialized.
    fn generate_new(&mut self, out: &mut [MaybeUninit<u8>], reseed_counter: u64) {
        self.generate(zeroed(out), &[], reseed_counter);
    }
    /// Call `visit` with all secret values, as words: for the seal.
    fn visit_secrets(&self, visit: &mut dyn FnMut(u64));
}

/// Call `visit` with some bytes, as words.
pub fn visit_bytes(bytes: &[u8], visit: &mut dyn FnMut(u64)) {
    for chunk in bytes.chunks(8) {
        let mut word = [0u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        visit(u64::from_le_bytes(word));
        word.zeroize();
    }
}

/// Why a function was not carried out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    NotInstantiated,
    /// The working state changed by itself and was overwritten.
    Changed,
    /// The state was seeded in another process.
    Forked,
    /// The entropy input was obtained in another process.
    ForkedSeed,
}

/// The fork generation of a seed: that in which its entropy input was obtained, which must be that of this process.
/// Without one, the caller states that it was obtained in this process.
pub fn generation_of_seed(named: Option<u64>) -> Result<u64, Fault> {
    let here = fork_guard::arm();
    match named {
        Some(other) if other != here => Err(Fault::ForkedSeed),
        _ => Ok(here),
    }
}

/// A working state that can be overwritten.
pub trait State {
    /// Overwrite the state with zeros; it is uninstantiated afterwards (9.4).
    fn wipe(&mut self);
}

/// The state, ready to use: if a thread of the parent was changing it at the fork, it is overwritten.
#[inline]
pub fn whole<T: State>(mut state: ForkLockGuard<'_, T>) -> ForkLockGuard<'_, T> {
    if state.inherited {
        state.wipe();
    }
    state
}
