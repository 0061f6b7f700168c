//! Working state of Hash_DRBG with SHA-256, SP 800-90A Rev. 1 section 10.1.1.
//!
//! `Working` holds the numbered algorithms; `HashDrbgState` is its Python face, which adds the output budget of
//! a seed and the fork check to the hot path. The limits and errors of section 9 belong to the caller.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{PyTraverseError, PyVisit};
use zeroize::Zeroize;

use crate::bytes::{filled_bytes, zeroed, ByteView, Target};
use crate::ending;
use crate::errors::{invalid, raise};
use crate::fork_guard;
use crate::fork_lock::{ForkLock, ForkLockGuard};
use crate::secret_memory::SecretBox;
use crate::sha256::digest;
use crate::sha256_lanes::{hash_counter_blocks, hash_pair, increment, sha_in_registers, WIDE_FROM};
use crate::wipe;

/// seedlen of SHA-256 in bytes: 440 bits, SP 800-90A table 2.
const SEED_BYTES: usize = 55;
/// outlen of SHA-256 in bytes.
const BLOCK_BYTES: usize = 32;
/// Longest request whose blocks are hashed without the wide registers of AVX-512.
const MEDIUM_BYTES: usize = BLOCK_BYTES * WIDE_FROM;
/// max_number_of_bits_per_request of table 2, in bytes: 2^19 bits.
const MAX_REQUEST_BYTES: usize = 1 << 16;
/// reseed_interval of table 2: 2^48 requests.
const RESEED_INTERVAL: u64 = 1 << 48;
/// A request of this many bytes takes about 20 microseconds; larger ones release the interpreter lock.
const DETACH_BYTES: usize = 1 << 15;

/// A 440-bit unsigned integer: seven little-endian limbs, of which the last holds 56 bits.
#[derive(Clone, Copy, Default)]
struct Seed440([u64; 7]);

impl Seed440 {
    const TOP_MASK: u64 = (1 << 56) - 1;

    fn from_bytes(bytes: &[u8; SEED_BYTES]) -> Self {
        let mut limbs = [0u64; 7];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.rchunks(8)) {
            let mut wide = [0u8; 8];
            wide[8 - chunk.len()..].copy_from_slice(chunk);
            *limb = u64::from_be_bytes(wide);
        }
        Self(limbs)
    }

    #[inline]
    fn write(&self, out: &mut [u8]) {
        for (limb, chunk) in self.0.iter().zip(out[..SEED_BYTES].rchunks_mut(8)) {
            let wide = limb.to_be_bytes();
            chunk.copy_from_slice(&wide[8 - chunk.len()..]);
        }
    }

    /// V || 0x80 || 440: the padded message whose digest is the first block of output, as big-endian words.
    #[inline]
    fn output_block(&self) -> [u64; 8] {
        let v = &self.0;
        [
            v[6] << 8 | v[5] >> 56,
            v[5] << 8 | v[4] >> 56,
            v[4] << 8 | v[3] >> 56,
            v[3] << 8 | v[2] >> 56,
            v[2] << 8 | v[1] >> 56,
            v[1] << 8 | v[0] >> 56,
            v[0] << 8 | 0x80,
            440,
        ]
    }

    /// 0x03 || V || 0x80: the first block of the update step's padded message, as big-endian words.
    #[inline]
    fn update_block(&self) -> [u64; 8] {
        let v = &self.0;
        [0x03 << 56 | v[6], v[5], v[4], v[3], v[2], v[1], v[0], 0x80 << 56]
    }

    /// self = (self + other) mod 2^440.
    #[inline]
    fn add(&mut self, other: &[u64; 7]) {
        let mut carry = false;
        for (limb, addend) in self.0.iter_mut().zip(other) {
            let (sum, first) = limb.overflowing_add(*addend);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first | second;
        }
        self.0[6] &= Self::TOP_MASK;
    }

    #[inline]
    fn add_digest(&mut self, digest: &[u8; 32]) {
        let mut limbs = [0u64; 7];
        for (limb, chunk) in limbs.iter_mut().zip(digest.rchunks_exact(8)) {
            let mut wide = [0u8; 8];
            wide.copy_from_slice(chunk);
            *limb = u64::from_be_bytes(wide);
        }
        self.add(&limbs);
        limbs.zeroize();
    }

    #[inline]
    fn add_small(&mut self, value: u64) {
        let mut limbs = [0u64; 7];
        limbs[0] = value;
        self.add(&limbs);
    }
}

impl Zeroize for Seed440 {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// Hash_df of section 10.3.1 for no_of_bits_to_return = seedlen.
fn hash_df_seedlen(parts: &[&[u8]], out: &mut [u8; SEED_BYTES]) {
    let bits = (8 * SEED_BYTES as u32).to_be_bytes();
    for (counter, chunk) in (1u8..).zip(out.chunks_mut(32)) {
        let header = [counter, bits[0], bits[1], bits[2], bits[3]];
        let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len() + 1);
        all.push(&header);
        all.extend_from_slice(parts);
        let mut block = digest(&all);
        chunk.copy_from_slice(&block[..chunk.len()]);
        block.zeroize();
    }
}

/// V, C and reseed_counter of section 10.1.1.1.
#[derive(Default)]
pub struct Working {
    v: Seed440,
    c: Seed440,
    reseed_counter: u64,
}

impl Working {
    fn set_seed(&mut self, seed: &mut [u8; SEED_BYTES]) {
        self.v = Seed440::from_bytes(seed);
        let mut constant = [0u8; SEED_BYTES];
        hash_df_seedlen(&[&[0x00], &seed[..]], &mut constant);
        self.c = Seed440::from_bytes(&constant);
        self.reseed_counter = 1;
        constant.zeroize();
        seed.zeroize();
    }

    /// Hash_DRBG_Instantiate_algorithm, 10.1.1.2.
    pub fn instantiate(&mut self, entropy_input: &[u8], nonce: &[u8], personalization_string: &[u8]) {
        let mut seed = [0u8; SEED_BYTES];
        hash_df_seedlen(&[entropy_input, nonce, personalization_string], &mut seed);
        self.set_seed(&mut seed);
    }

    /// Hash_DRBG_Reseed_algorithm, 10.1.1.3.
    pub fn reseed(&mut self, entropy_input: &[u8], additional_input: &[u8]) {
        let mut v = [0u8; SEED_BYTES];
        self.v.write(&mut v);
        let mut seed = [0u8; SEED_BYTES];
        hash_df_seedlen(&[&[0x01], &v, entropy_input, additional_input], &mut seed);
        v.zeroize();
        self.set_seed(&mut seed);
    }

    /// Hash_DRBG_Generate_algorithm, 10.1.1.4, without its check of the reseed interval.
    #[inline]
    pub fn generate(&mut self, out: &mut [u8], additional_input: &[u8]) {
        if !additional_input.is_empty() {
            let mut v = [0u8; SEED_BYTES];
            self.v.write(&mut v);
            let mut w = digest(&[&[0x02], &v, additional_input]);
            self.v.add_digest(&w);
            v.zeroize();
            w.zeroize();
        }
        let (head, rest) = out.split_at_mut(out.len().min(BLOCK_BYTES));
        if !rest.is_empty() {
            let mut block = [0u8; 64];
            for (word, bytes) in self.v.output_block().iter().zip(block.as_chunks_mut::<8>().0) {
                *bytes = word.to_be_bytes();
            }
            increment(&mut block);
            hashgen(&mut block, rest);
            block.zeroize();
        }
        self.generate_block(head);
    }

    /// The first block of output, or less of it, and the update of V. Nothing is overwritten here: it runs under
    /// `wipe::after`, which is cheaper than to do it twice.
    #[inline(always)]
    pub fn generate_block(&mut self, out: &mut [u8]) {
        // Hash(V), the first block of output, and H = Hash(0x03 || V) do not depend on each other.
        let [first, h] = hash_pair(&self.v.output_block(), &self.v.update_block());
        if let Ok(out) = <&mut [u8; BLOCK_BYTES]>::try_from(&mut *out) {
            for (word, bytes) in first.iter().zip(out.as_chunks_mut::<8>().0) {
                *bytes = word.to_be_bytes();
            }
        } else {
            for (index, byte) in out.iter_mut().enumerate() {
                *byte = first[index / 8].to_be_bytes()[index % 8];
            }
        }
        self.v.add(&[h[3], h[2], h[1], h[0], 0, 0, 0]);
        let constant = self.c.0;
        self.v.add(&constant);
        self.v.add_small(self.reseed_counter);
        self.reseed_counter += 1;
    }
}

/// Hashgen, 10.1.1.4: hashes data, data + 1, data + 2, ... from a padded block that starts with data.
fn hashgen(block: &mut [u8; 64], out: &mut [u8]) {
    let (digests, rest) = out.as_chunks_mut::<32>();
    hash_counter_blocks(block, digests);
    if !rest.is_empty() {
        let mut last = [[0u8; 32]];
        hash_counter_blocks(block, &mut last);
        rest.copy_from_slice(&last[0][..rest.len()]);
        last.zeroize();
    }
}

impl Working {
    /// Any one bit of the state changes this.
    #[inline]
    fn fingerprint(&self) -> u64 {
        let mut sum = self.reseed_counter;
        for (index, (v, c)) in self.v.0.iter().zip(&self.c.0).enumerate() {
            sum ^= v.rotate_left(index as u32 + 1) ^ c.rotate_left(index as u32 + 32);
        }
        sum
    }
}

impl Zeroize for Working {
    fn zeroize(&mut self) {
        self.v.zeroize();
        self.c.zeroize();
        self.reseed_counter.zeroize();
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.zeroize();
    }
}

/// A clock that costs a few nanoseconds and is some milliseconds late: ns since some beginning.
#[cfg(target_os = "linux")]
#[inline]
pub fn rough_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the local variable and nothing else. Every kernel since 2.6.32 has the clock; without it the time
    // stands still at 0, as far as this function can tell, and mixing waits for the next seed.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) };
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

#[cfg(not(target_os = "linux"))]
pub fn rough_ns() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// What a lock guards: the working state, its seal, the output budget of its seed, and when kernel randomness last went
/// into it.
struct Guarded {
    working: Working,
    seal: u64,
    budget_bits: u64,
    /// The fork generation in which the state was seeded: no other process gets output from it.
    seeded_in: u64,
    mixed_at_ns: u64,
    mix_interval_ns: u64,
}

/// Why a function was not done.
enum Fault {
    NotInstantiated,
    Changed,
    Forked,
}

impl Guarded {
    /// True if the seed may still give `n_bytes`: budget, reseed_interval, and the process that was granted it.
    #[inline]
    fn covers(&self, n_bytes: usize) -> bool {
        let requests = n_bytes.div_ceil(MAX_REQUEST_BYTES) as u64;
        (n_bytes as u64).saturating_mul(8) <= self.budget_bits
            && self.working.reseed_counter.saturating_add(requests) <= RESEED_INTERVAL + 1
            && self.here()
    }

    /// True if this process seeded the state.
    #[inline]
    fn here(&self) -> bool {
        self.seeded_in == fork_guard::current()
    }

    #[inline]
    fn mixing_due(&self) -> bool {
        rough_ns().wrapping_sub(self.mixed_at_ns) >= self.mix_interval_ns
    }

    #[inline]
    fn intact(&self) -> bool {
        self.seal == self.working.fingerprint()
    }

    fn wipe(&mut self) {
        self.working.zeroize();
        self.budget_bits = 0;
        self.seal = self.working.fingerprint();
    }

    /// Overwrite a state that changed by itself; refuse one that is not instantiated.
    #[inline]
    fn check(&mut self) -> Result<(), Fault> {
        if !self.intact() {
            self.wipe();
            return Err(Fault::Changed);
        }
        if self.working.reseed_counter == 0 {
            return Err(Fault::NotInstantiated);
        }
        Ok(())
    }

    /// The state has a new seed, of entropy input that was got in the process of that fork generation.
    fn seeded(&mut self, generation: u64) {
        self.seal = self.working.fingerprint();
        self.budget_bits = 0;
        self.seeded_in = generation;
    }

    #[inline]
    fn charge(&mut self, n_bytes: usize) -> bool {
        let covered = self.covers(n_bytes);
        if covered {
            self.budget_bits -= 8 * n_bytes as u64;
        }
        covered
    }

    #[inline]
    fn generate(&mut self, out: &mut [u8], additional_input: &[u8]) -> Result<(), Fault> {
        self.check()?;
        if !self.here() {
            return Err(Fault::Forked);
        }
        self.working.generate(out, additional_input);
        self.seal = self.working.fingerprint();
        // A handler in C may fork at any instruction above; parent and child would have the same bytes.
        if !self.here() {
            out.zeroize();
            return Err(Fault::Forked);
        }
        Ok(())
    }

    /// A request of the hot path, after which no more is overwritten than it used.
    #[inline(always)]
    fn generate_wiped(&mut self, out: &mut [u8]) {
        if out.len() <= BLOCK_BYTES && sha_in_registers() {
            wipe::after::<{ wipe::SHORT }, _>(|| self.working.generate_block(out));
        } else if out.len() <= MEDIUM_BYTES && sha_in_registers() {
            wipe::after::<{ wipe::MEDIUM }, _>(|| self.working.generate(out, &[]));
        } else {
            wipe::after::<{ wipe::LONG }, _>(|| self.working.generate(out, &[]));
        }
        self.seal = self.working.fingerprint();
    }
}

/// Working state of Hash_DRBG (SHA-256), with the output budget of its seed.
///
/// The state is behind a lock of its own, which is never held while its holder waits for the interpreter lock.
#[pyclass(frozen, module = "esoteric_drbg.kernels._native")]
pub struct HashDrbgState {
    guarded: SecretBox<ForkLock<Guarded>>,
    on_exhausted: Mutex<Option<Py<PyAny>>>,
}

/// The state as it may be used: one that a thread of the parent was changing when it forked is overwritten.
#[inline]
fn whole(mut guarded: ForkLockGuard<'_, Guarded>) -> ForkLockGuard<'_, Guarded> {
    if guarded.inherited {
        guarded.wipe();
    }
    guarded
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fault(py: Python<'_>, fault: &Fault) -> PyErr {
    match fault {
        Fault::NotInstantiated => raise(py, "DRBGStateError", "Hash_DRBG is not instantiated".to_owned()),
        Fault::Changed => {
            let message = "Hash_DRBG: the working state changed by itself; it is overwritten".to_owned();
            raise(py, "StateIntegrityError", message)
        }
        Fault::Forked => raise(py, "ForkedStateError", "Hash_DRBG was seeded in another process".to_owned()),
    }
}

/// The fork generation that a seed belongs to: the one in which its entropy input was got, which must be that of this
/// process. Without one, its caller says that it was got in this process.
pub fn generation_of_seed(py: Python<'_>, named: Option<u64>) -> PyResult<u64> {
    let here = fork_guard::arm();
    match named {
        Some(other) if other != here => {
            let message = "the process was forked after the entropy input was got: a child gets its own".to_owned();
            Err(raise(py, "ForkedStateError", message))
        }
        _ => Ok(here),
    }
}

impl HashDrbgState {
    /// The state, if nobody is using it at this moment.
    #[inline]
    fn free(&self) -> Option<ForkLockGuard<'_, Guarded>> {
        self.guarded.try_lock().map(whole)
    }

    /// Run `function` on the state: at once where it is short and the state is free, otherwise without the interpreter
    /// lock, which another thread may need to end its own request. `n_bytes` is what it hashes or fills: 0 if it only looks
    /// at counters, and leaves nothing behind that would have to be overwritten.
    fn with<R: Send>(&self, py: Python<'_>, n_bytes: usize, function: impl FnOnce(&mut Guarded) -> R + Send) -> R {
        if n_bytes <= DETACH_BYTES {
            if let Some(mut guarded) = self.free() {
                if n_bytes == 0 {
                    return function(&mut guarded);
                }
                return wipe::after::<{ wipe::LONG }, _>(|| function(&mut guarded));
            }
        }
        ending::detach(py, || wipe::after::<{ wipe::LONG }, _>(|| function(&mut whole(self.guarded.lock()))))
    }
}

#[pymethods]
impl HashDrbgState {
    #[new]
    #[pyo3(signature = (hash_name = "sha256", on_exhausted = None))]
    fn new(py: Python<'_>, hash_name: &str, on_exhausted: Option<Py<PyAny>>) -> PyResult<Self> {
        if hash_name != "sha256" {
            return Err(invalid(py, format!("hash_name={hash_name:?}: the Rust kernel implements sha256")));
        }
        let working = Working::default();
        let seal = working.fingerprint();
        let guarded =
            Guarded { working, seal, budget_bits: 0, seeded_in: 0, mixed_at_ns: 0, mix_interval_ns: u64::MAX };
        Ok(Self { guarded: SecretBox::new(py, ForkLock::new(guarded)), on_exhausted: Mutex::new(on_exhausted) })
    }

    #[getter]
    fn reseed_counter(&self, py: Python<'_>) -> u64 {
        self.with(py, 0, |guarded| guarded.working.reseed_counter)
    }

    #[getter]
    fn instantiated(&self, py: Python<'_>) -> bool {
        self.reseed_counter(py) != 0
    }

    #[getter]
    fn budget_bits(&self, py: Python<'_>) -> u64 {
        self.with(py, 0, |guarded| guarded.budget_bits)
    }

    /// `generation`: the fork generation in which the entropy input was got.
    #[pyo3(signature = (entropy_input, nonce, personalization_string = None, generation = None))]
    fn instantiate(
        &self,
        py: Python<'_>,
        entropy_input: &Bound<'_, PyAny>,
        nonce: &Bound<'_, PyAny>,
        personalization_string: Option<&Bound<'_, PyAny>>,
        generation: Option<u64>,
    ) -> PyResult<()> {
        let entropy_input = ByteView::new(entropy_input)?;
        let nonce = ByteView::new(nonce)?;
        let extra = personalization_string.map(ByteView::new).transpose()?;
        let (entropy_input, nonce) = (entropy_input.as_slice(), nonce.as_slice());
        let extra = extra.as_ref().map_or(&[][..], ByteView::as_slice);
        let generation = generation_of_seed(py, generation)?;
        self.with(py, 1 + entropy_input.len() + nonce.len() + extra.len(), |guarded| {
            guarded.working.instantiate(entropy_input, nonce, extra);
            guarded.seeded(generation);
        });
        Ok(())
    }

    /// `generation`: the fork generation in which the entropy input was got.
    #[pyo3(signature = (entropy_input, additional_input = None, generation = None))]
    fn reseed(
        &self,
        py: Python<'_>,
        entropy_input: &Bound<'_, PyAny>,
        additional_input: Option<&Bound<'_, PyAny>>,
        generation: Option<u64>,
    ) -> PyResult<()> {
        let entropy_input = ByteView::new(entropy_input)?;
        let extra = additional_input.map(ByteView::new).transpose()?;
        let entropy_input = entropy_input.as_slice();
        let extra = extra.as_ref().map_or(&[][..], ByteView::as_slice);
        let generation = generation_of_seed(py, generation)?;
        self.with(py, 1 + entropy_input.len() + extra.len(), |guarded| {
            guarded.check()?;
            guarded.working.reseed(entropy_input, extra);
            guarded.seeded(generation);
            Ok(())
        })
        .map_err(|found| fault(py, &found))
    }

    #[pyo3(signature = (n_bytes, additional_input = None))]
    fn generate<'py>(
        &self,
        py: Python<'py>,
        n_bytes: usize,
        additional_input: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if n_bytes > MAX_REQUEST_BYTES {
            let message = format!("{n_bytes} bytes asked for; one request returns at most {MAX_REQUEST_BYTES}");
            return Err(raise(py, "RequestTooLargeError", message));
        }
        let extra = additional_input.map(ByteView::new).transpose()?;
        let extra = extra.as_ref().map_or(&[][..], ByteView::as_slice);
        PyBytes::new_with(py, n_bytes, |out| {
            self.with(py, 1 + out.len() + extra.len(), |guarded| guarded.generate(out, extra))
                .map_err(|found| fault(py, &found))
        })
    }

    /// Allow `token_bytes` to answer `bits` bits of output before it asks `on_exhausted` again, in the process that
    /// seeded the state.
    fn grant(&self, py: Python<'_>, bits: u64) {
        self.with(py, 0, |guarded| {
            guarded.budget_bits = bits;
            guarded.mixed_at_ns = rough_ns();
        });
    }

    /// From now on, `token_bytes` asks `on_exhausted` when nothing was mixed in for `interval_ns`.
    fn mix_every(&self, py: Python<'_>, interval_ns: u64) {
        self.with(py, 0, |guarded| guarded.mix_interval_ns = interval_ns);
    }

    /// True if nothing was mixed in for the interval of `mix_every`.
    fn mixing_due(&self, py: Python<'_>) -> bool {
        self.with(py, 0, |guarded| guarded.mixing_due())
    }

    /// Put `extra` into the state by a Generate request without output: it adds no credited entropy.
    fn mix(&self, py: Python<'_>, extra: &Bound<'_, PyAny>) -> PyResult<()> {
        let extra = ByteView::new(extra)?;
        let extra = extra.as_slice();
        self.with(py, 1 + extra.len(), |guarded| {
            guarded.generate(&mut [], extra)?;
            guarded.mixed_at_ns = rough_ns();
            Ok(())
        })
        .map_err(|found| fault(py, &found))
    }

    /// Withdraw what is left of the budget.
    fn revoke(&self, py: Python<'_>) {
        self.with(py, 0, |guarded| guarded.budget_bits = 0);
    }

    /// True if the state was seeded in another process: it gives no output before it is reseeded.
    fn forked(&self, py: Python<'_>) -> bool {
        self.with(py, 0, |guarded| !guarded.here())
    }

    /// Overwrite the state with zeros; it is uninstantiated afterwards (9.4).
    fn zeroize(&self, py: Python<'_>) {
        self.with(py, 0, Guarded::wipe);
    }

    /// Take `n_bytes` off the budget for a later `generate` or `draw`; false, and nothing taken, if it is too small.
    fn charge(&self, py: Python<'_>, n_bytes: usize) -> bool {
        self.with(py, 0, |guarded| guarded.charge(n_bytes))
    }

    /// `charge` and `draw` in one; None, and nothing taken, if the budget is too small.
    fn take<'py>(&self, py: Python<'py>, n_bytes: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        if self.charge(py, n_bytes) {
            self.draw(py, n_bytes).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Return `n_bytes` bytes, charged before, by as many Generate requests as they take.
    fn draw<'py>(&self, py: Python<'py>, n_bytes: usize) -> PyResult<Bound<'py, PyBytes>> {
        filled_bytes(py, n_bytes, |out| {
            self.with(py, out.left(), |guarded| {
                out.try_each(MAX_REQUEST_BYTES, |request| guarded.generate(zeroed(request), &[]))
            })
            .map_err(|found| fault(py, &found))
        })
    }

    /// Fill a writable buffer with bytes, charged before.
    fn draw_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<()> {
        let target = Target::new(buffer)?;
        let (length, pieces) = target.pieces(py, MAX_REQUEST_BYTES)?;
        self.with(py, length, |guarded| pieces.try_each(|request| guarded.generate(request, &[])))
            .map_err(|found| fault(py, &found))
    }

    /// Return a random byte string of nbytes bytes, 32 if nbytes is None or missing.
    ///
    /// Each call is at least one Generate request (SP 800-90A 9.3). The instance reseeds from its noise sources
    /// when its seed's output budget is used up, and raises EntropyUnavailableError if they cannot supply.
    #[pyo3(signature = (nbytes = None))]
    fn token_bytes<'py>(slf: &Bound<'py, Self>, py: Python<'py>, nbytes: Option<isize>) -> PyResult<Bound<'py, PyAny>> {
        let length = nbytes.unwrap_or(32);
        let state = slf.get();
        if let (Ok(wanted @ 1..=DETACH_BYTES), Some(mut guarded)) = (usize::try_from(length), state.free()) {
            if guarded.intact() && !guarded.mixing_due() && guarded.charge(wanted) {
                let token = PyBytes::new_with(py, wanted, |out| {
                    guarded.generate_wiped(out);
                    Ok(())
                })?;
                // A handler in C may fork at any instruction above; parent and child would have the same bytes.
                if guarded.here() {
                    return Ok(token.into_any());
                }
            }
        }
        // Anything else is decided in Python, without the lock: a used-up budget, a fork, a large request, a bad length,
        // a state that changed by itself, another thread that is generating.
        let answer = locked(&state.on_exhausted).as_ref().map(|call| call.clone_ref(py));
        match answer {
            Some(call) => call.bind(py).call1((length,)),
            None => Err(raise(py, "ReseedRequiredError", "the seed's output budget is used up".to_owned())),
        }
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let message = "the working state of a DRBG is secret: it is neither copied nor pickled".to_owned();
        Err(raise(slf.py(), "CloneRefusedError", message))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Held only for the length of a clone by a thread with the interpreter lock, which the collector has now.
        match self.on_exhausted.try_lock() {
            Ok(call) => visit.call(&*call),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        *locked(&self.on_exhausted) = None;
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = if self.instantiated(py) { "instantiated" } else { "uninstantiated" };
        format!("<HashDrbgState sha256, {state}>")
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<HashDrbgState>()
}
