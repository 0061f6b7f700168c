//! Hash_DRBG with SHA-256, from which tokens are drawn.

use std::sync::{Mutex, MutexGuard, PoisonError};

use esoteric_drbg_core::drbg::budgeted::Budgeted;
use esoteric_drbg_core::drbg::mechanism::{generation_of_seed, whole, State, MAX_REQUEST_BYTES};
use esoteric_drbg_core::memory::secret_memory::SecretBox;
use esoteric_drbg_core::memory::{wipe, zeroed};
use esoteric_drbg_core::process::fork_lock::{ForkLock, ForkLockGuard};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{PyTraverseError, PyVisit};

use crate::bytes::{filled_bytes, ByteView, Target};
use crate::ending;
use crate::errors::{fault, invalid, raise};

const NAME: &str = "Hash_DRBG";
/// A request of this many bytes takes about 20 microseconds; larger ones release the interpreter lock.
const DETACH_BYTES: usize = 1 << 15;

/// Working state of Hash_DRBG (SHA-256), with the output budget of its seed.
///
/// The state has its own lock, which is never held while its holder waits for the interpreter lock.
#[pyclass(frozen, module = "esoteric_drbg.kernels._native")]
pub struct HashDrbgState {
    guarded: SecretBox<ForkLock<Budgeted>>,
    on_exhausted: Mutex<Option<Py<PyAny>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HashDrbgState {
    /// The state, if no thread is using it at this moment.
    #[inline]
    fn free(&self) -> Option<ForkLockGuard<'_, Budgeted>> {
        self.guarded.try_lock().map(whole)
    }

    /// Run `function` on the state: at once if it is short and the state is free, otherwise without the interpreter
    /// lock, which another thread may need to finish its request. `n_bytes` is the number of bytes that it hashes or
    /// fills: 0 if it only reads counters and leaves no traces that must be overwritten.
    fn with<R: Send>(&self, py: Python<'_>, n_bytes: usize, function: impl FnOnce(&mut Budgeted) -> R + Send) -> R {
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
        Ok(Self { guarded: SecretBox::new(ForkLock::new(Budgeted::default())), on_exhausted: Mutex::new(on_exhausted) })
    }

    #[getter]
    fn reseed_counter(&self, py: Python<'_>) -> u64 {
        self.with(py, 0, |guarded| guarded.reseed_counter())
    }

    #[getter]
    fn instantiated(&self, py: Python<'_>) -> bool {
        self.reseed_counter(py) != 0
    }

    #[getter]
    fn budget_bits(&self, py: Python<'_>) -> u64 {
        self.with(py, 0, |guarded| guarded.budget_bits())
    }

    /// `generation`: the fork generation in which the entropy input was obtained.
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
        let generation = generation_of_seed(generation).map_err(|found| fault(py, NAME, found))?;
        self.with(py, 1 + entropy_input.len() + nonce.len() + extra.len(), |guarded| {
            guarded.instantiate(entropy_input, nonce, extra, generation);
        });
        Ok(())
    }

    /// `generation`: the fork generation in which the entropy input was obtained.
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
        let generation = generation_of_seed(generation).map_err(|found| fault(py, NAME, found))?;
        self.with(py, 1 + entropy_input.len() + extra.len(), |guarded| guarded.reseed(entropy_input, extra, generation))
            .map_err(|found| fault(py, NAME, found))
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
                .map_err(|found| fault(py, NAME, found))
        })
    }

    /// Set the budget: `token_bytes` returns up to `bits` bits before it calls `on_exhausted` again, in the process
    /// that seeded the state.
    fn grant(&self, py: Python<'_>, bits: u64) {
        self.with(py, 0, |guarded| guarded.grant(bits));
    }

    /// Let `token_bytes` call `on_exhausted` whenever nothing was mixed in for `interval_ns`.
    fn mix_every(&self, py: Python<'_>, interval_ns: u64) {
        self.with(py, 0, |guarded| guarded.mix_every(interval_ns));
    }

    /// True if nothing was mixed in for the interval of `mix_every`.
    fn mixing_due(&self, py: Python<'_>) -> bool {
        self.with(py, 0, |guarded| guarded.mixing_due())
    }

    /// Mix `extra` into the state by a Generate request without output: it adds no credited entropy.
    fn mix(&self, py: Python<'_>, extra: &Bound<'_, PyAny>) -> PyResult<()> {
        let extra = ByteView::new(extra)?;
        let extra = extra.as_slice();
        self.with(py, 1 + extra.len(), |guarded| guarded.mix(extra)).map_err(|found| fault(py, NAME, found))
    }

    /// Set the budget to zero.
    fn revoke(&self, py: Python<'_>) {
        self.with(py, 0, Budgeted::revoke);
    }

    /// True if the state was seeded in another process: it must be reseeded before it gives output.
    fn forked(&self, py: Python<'_>) -> bool {
        self.with(py, 0, |guarded| !guarded.here())
    }

    /// Overwrite the state with zeros; it is uninstantiated afterwards (9.4).
    fn zeroize(&self, py: Python<'_>) {
        self.with(py, 0, Budgeted::wipe);
    }

    /// Take `n_bytes` off the budget for a later `generate` or `draw`; if it is too small, return false and take
    /// nothing.
    fn charge(&self, py: Python<'_>, n_bytes: usize) -> bool {
        self.with(py, 0, |guarded| guarded.charge(n_bytes))
    }

    /// `charge` and `draw` in one; if the budget is too small, return None and take nothing.
    fn take<'py>(&self, py: Python<'py>, n_bytes: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        if self.charge(py, n_bytes) {
            self.draw(py, n_bytes).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Return `n_bytes` bytes, which were charged before, by as many Generate requests as needed.
    fn draw<'py>(&self, py: Python<'py>, n_bytes: usize) -> PyResult<Bound<'py, PyBytes>> {
        filled_bytes(py, n_bytes, |out| {
            self.with(py, out.left(), |guarded| {
                out.try_each(MAX_REQUEST_BYTES, |request| guarded.generate(zeroed(request), &[]))
            })
            .map_err(|found| fault(py, NAME, found))
        })
    }

    /// Fill a writable buffer with bytes, which were charged before.
    fn draw_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<()> {
        let target = Target::new(buffer)?;
        let (length, pieces) = target.pieces(py, MAX_REQUEST_BYTES)?;
        self.with(py, length, |guarded| pieces.try_each(|request| guarded.generate(request, &[])))
            .map_err(|found| fault(py, NAME, found))
    }

    /// Return a random byte string of nbytes bytes, 32 if nbytes is None or missing.
    ///
    /// Each call is at least one Generate request (SP 800-90A 9.3). The instance reseeds from its noise sources when
    /// the output budget of its seed is used up, and raises EntropyUnavailableError if they give too little entropy.
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
        // Python handles all other cases, without the lock: a used-up budget, a fork, a large request, a bad length, a
        // state that changed by itself, another thread that is generating.
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
