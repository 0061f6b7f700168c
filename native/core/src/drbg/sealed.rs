//! Working state of the DRBG mechanisms of SP 800-90A Rev. 1 section 10, behind one Python class.
//!
//! The limits and errors of section 9 belong to the caller. Hash_DRBG with SHA-256, the one with an output budget and a
//! hot path, is `hash_drbg.rs`.

use std::mem::MaybeUninit;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroize;

use crate::bytes::{filled_bytes, zeroed, ByteView};
use crate::ctr_drbg::CtrDrbg;
use crate::ending;
use crate::errors::{invalid, raise};
use crate::fork_guard;
use crate::fork_lock::{ForkLock, ForkLockGuard};
use crate::hash_drbg::generation_of_seed;
use crate::hash_drbg_512::HashDrbg512;
use crate::hmac_drbg::{HmacDrbg, HmacSha256, HmacSha512};
use crate::secret_memory::SecretBox;
use crate::wipe;

/// max_number_of_bits_per_request of tables 2 and 3, in bytes: 2^19 bits.
const MAX_REQUEST_BYTES: usize = 1 << 16;
/// Requests over this many bytes, additional input included, release the interpreter lock.
const DETACH_BYTES: usize = 1 << 12;

/// The algorithms of section 10, without reseed_counter.
pub trait Mechanism: Zeroize {
    /// What an entropy input must have, in bytes, where it must have it exactly.
    fn entropy_input_bytes(&self) -> Option<usize> {
        None
    }
    fn instantiate(&mut self, entropy_input: &[u8], nonce: &[u8], personalization_string: &[u8]);
    fn reseed(&mut self, entropy_input: &[u8], additional_input: &[u8]);
    /// `reseed_counter` is the one before the request.
    fn generate(&mut self, out: &mut [u8], additional_input: &[u8], reseed_counter: u64);
    /// The same into memory that has no contents yet: on return, all of it has.
    fn generate_new(&mut self, out: &mut [MaybeUninit<u8>], reseed_counter: u64) {
        self.generate(zeroed(out), &[], reseed_counter);
    }
    /// The secret values, for the seal.
    fn secrets(&self) -> [&[u8]; 2];
}

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

/// A mechanism, its reseed_counter, and a seal over both that tells when memory changed by itself.
struct Sealed {
    kind: Kind,
    reseed_counter: u64,
    seal: u64,
    /// The fork generation in which the state was seeded: no other process gets output from it.
    seeded_in: u64,
}

/// Why a function was not done.
enum Fault {
    NotInstantiated,
    Changed,
    Forked,
}

impl Sealed {
    /// Any one bit of the state changes this: each step is a bijection of what came before.
    fn fingerprint(&mut self) -> u64 {
        let mut sum = self.reseed_counter ^ 0x9e37_79b9_7f4a_7c15;
        for secret in self.kind.mechanism().secrets() {
            for chunk in secret.chunks(8) {
                let mut word = [0u8; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(29);
                word.zeroize();
            }
        }
        sum
    }

    fn wipe(&mut self) {
        self.kind.mechanism().zeroize();
        self.reseed_counter = 0;
        self.seal = self.fingerprint();
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

    /// The state has a new seed, of entropy input that was got in the process of that fork generation.
    fn seeded(&mut self, generation: u64) {
        self.close(1);
        self.seeded_in = generation;
    }

    /// True if this process seeded the state.
    fn here(&self) -> bool {
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
    fn generate(&mut self, out: &mut [u8], additional_input: &[u8]) -> Result<(), Fault> {
        let done = self.request(|mechanism, counter| mechanism.generate(out, additional_input, counter));
        if done.is_err() {
            out.zeroize();
        }
        done
    }
}

/// Working state of Hash_DRBG SHA-512, HMAC_DRBG SHA-256 and SHA-512, and CTR_DRBG AES-256.
#[pyclass(frozen, module = "esoteric_drbg.kernels._native")]
pub struct DrbgState {
    name: String,
    sealed: SecretBox<ForkLock<Sealed>>,
}

/// The state as it may be used: one that a thread of the parent was changing when it forked is overwritten.
fn whole(mut sealed: ForkLockGuard<'_, Sealed>) -> ForkLockGuard<'_, Sealed> {
    if sealed.inherited {
        sealed.wipe();
    }
    sealed
}

impl DrbgState {
    fn new(py: Python<'_>, name: String, kind: Kind) -> Self {
        let mut sealed = Sealed { kind, reseed_counter: 0, seal: 0, seeded_in: 0 };
        sealed.seal = sealed.fingerprint();
        Self { name, sealed: SecretBox::new(py, ForkLock::new(sealed)) }
    }

    /// Run `function` on the state: at once where it is short and the state is free, otherwise without the interpreter
    /// lock, which another thread may need to end its own request. `n_bytes` is what it hashes or fills: 0 if it only looks
    /// at counters, and leaves nothing behind that would have to be overwritten.
    fn with<R: Send>(&self, py: Python<'_>, n_bytes: usize, function: impl FnOnce(&mut Sealed) -> R + Send) -> R {
        let run = |sealed: &mut Sealed| {
            if n_bytes == 0 {
                function(sealed)
            } else {
                wipe::after_any(|| function(sealed))
            }
        };
        if n_bytes <= DETACH_BYTES {
            if let Some(sealed) = self.sealed.try_lock() {
                return run(&mut whole(sealed));
            }
        }
        ending::detach(py, || run(&mut whole(self.sealed.lock())))
    }

    fn fault(&self, py: Python<'_>, fault: &Fault) -> PyErr {
        match fault {
            Fault::NotInstantiated => raise(py, "DRBGStateError", format!("{} is not instantiated", self.name)),
            Fault::Changed => {
                let message = format!("{}: the working state changed by itself; it is overwritten", self.name);
                raise(py, "StateIntegrityError", message)
            }
            Fault::Forked => raise(py, "ForkedStateError", format!("{} was seeded in another process", self.name)),
        }
    }

    fn check_entropy_input(&self, py: Python<'_>, entropy_input: &[u8]) -> PyResult<()> {
        let exact = self.with(py, 0, |sealed| sealed.kind.mechanism().entropy_input_bytes());
        match exact {
            Some(exact) if exact != entropy_input.len() => {
                let message = format!("entropy_input has {} bytes: expected {exact}", entropy_input.len());
                Err(invalid(py, message))
            }
            _ => Ok(()),
        }
    }
}

fn slice_of<'a>(view: &'a Option<ByteView<'_>>) -> &'a [u8] {
    view.as_ref().map_or(&[][..], ByteView::as_slice)
}

#[pymethods]
impl DrbgState {
    #[getter]
    fn reseed_counter(&self, py: Python<'_>) -> u64 {
        self.with(py, 0, |sealed| sealed.reseed_counter)
    }

    #[getter]
    fn instantiated(&self, py: Python<'_>) -> bool {
        self.reseed_counter(py) != 0
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
        let (entropy_input, nonce, extra) = (entropy_input.as_slice(), nonce.as_slice(), slice_of(&extra));
        self.check_entropy_input(py, entropy_input)?;
        let generation = generation_of_seed(py, generation)?;
        self.with(py, 1 + entropy_input.len() + nonce.len() + extra.len(), |sealed| {
            sealed.kind.mechanism().instantiate(entropy_input, nonce, extra);
            sealed.seeded(generation);
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
        let (entropy_input, extra) = (entropy_input.as_slice(), slice_of(&extra));
        self.check_entropy_input(py, entropy_input)?;
        let generation = generation_of_seed(py, generation)?;
        self.with(py, 1 + entropy_input.len() + extra.len(), |sealed| {
            sealed.run(|mechanism, _| mechanism.reseed(entropy_input, extra))?;
            sealed.seeded(generation);
            Ok(())
        })
        .map_err(|fault| self.fault(py, &fault))
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
        let extra = slice_of(&extra);
        PyBytes::new_with(py, n_bytes, |out| {
            self.with(py, 1 + out.len() + extra.len(), |sealed| sealed.generate(out, extra))
                .map_err(|fault| self.fault(py, &fault))
        })
    }

    /// Return `n_bytes` bytes by as many Generate requests as they take.
    fn draw<'py>(&self, py: Python<'py>, n_bytes: usize) -> PyResult<Bound<'py, PyBytes>> {
        filled_bytes(py, n_bytes, |out| {
            self.with(py, 1 + out.left(), |sealed| {
                out.try_each(MAX_REQUEST_BYTES, |request| {
                    sealed.request(|mechanism, counter| mechanism.generate_new(request, counter))
                })
            })
            .map_err(|fault| self.fault(py, &fault))
        })
    }

    /// True if the state was seeded in another process: it gives no output before it is reseeded.
    fn forked(&self, py: Python<'_>) -> bool {
        self.with(py, 0, |sealed| !sealed.here())
    }

    /// Overwrite the state with zeros; it is uninstantiated afterwards (9.4).
    fn zeroize(&self, py: Python<'_>) {
        self.with(py, 0, Sealed::wipe);
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let message = "the working state of a DRBG is secret: it is neither copied nor pickled".to_owned();
        Err(raise(slf.py(), "CloneRefusedError", message))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = if self.instantiated(py) { "instantiated" } else { "uninstantiated" };
        format!("<{} state, {state}>", self.name)
    }
}

/// An uninstantiated working state of the mechanisms that have a Rust kernel.
#[pyfunction]
fn new_drbg_state(
    py: Python<'_>,
    mechanism: &str,
    primitive: &str,
    derivation_function: bool,
    ctr_len: u32,
) -> PyResult<DrbgState> {
    let kind = match (mechanism, primitive, ctr_len) {
        ("Hash_DRBG", "sha512", _) => Kind::Hash512(HashDrbg512::default()),
        ("HMAC_DRBG", "sha256", _) => Kind::Hmac256(HmacDrbg::default()),
        ("HMAC_DRBG", "sha512", _) => Kind::Hmac512(HmacDrbg::default()),
        ("CTR_DRBG", "aes256", 128) => Kind::Ctr(CtrDrbg::new(derivation_function)),
        _ => {
            let message = format!("{mechanism} {primitive} with ctr_len={ctr_len}: the Rust kernels do not have it");
            return Err(invalid(py, message));
        }
    };
    Ok(DrbgState::new(py, format!("{mechanism} {primitive}"), kind))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(new_drbg_state, module)?)
}
