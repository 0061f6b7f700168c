//! The other mechanisms of SP 800-90A Rev. 1 section 10, behind one class.

use esoteric_drbg_core::drbg::mechanism::{generation_of_seed, whole, Fault, State, MAX_REQUEST_BYTES};
use esoteric_drbg_core::drbg::sealed::Sealed;
use esoteric_drbg_core::memory::secret_memory::SecretBox;
use esoteric_drbg_core::memory::wipe;
use esoteric_drbg_core::process::fork_lock::ForkLock;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::bytes::{filled_bytes, ByteView};
use crate::ending;
use crate::errors::{fault, invalid, python, raise};

/// Requests over this many bytes, additional input included, release the interpreter lock.
const DETACH_BYTES: usize = 1 << 12;

/// Working state of Hash_DRBG SHA-512, HMAC_DRBG SHA-256 and SHA-512, and CTR_DRBG AES-256.
#[pyclass(frozen, module = "esoteric_drbg.kernels._native")]
pub struct DrbgState {
    name: String,
    sealed: SecretBox<ForkLock<Sealed>>,
}

impl DrbgState {
    /// Run `function` on the state: at once if it is short and the state is free, otherwise without the interpreter
    /// lock, which another thread may need to finish its request. `n_bytes` is the number of bytes that it hashes or
    /// fills: 0 if it only reads counters and leaves no traces that must be overwritten.
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

    fn fault(&self, py: Python<'_>, found: Fault) -> PyErr {
        fault(py, &self.name, found)
    }

    fn check_entropy_input(&self, py: Python<'_>, entropy_input: &[u8]) -> PyResult<()> {
        let exact = self.with(py, 0, Sealed::entropy_input_bytes);
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
        self.with(py, 0, |sealed| sealed.reseed_counter())
    }

    #[getter]
    fn instantiated(&self, py: Python<'_>) -> bool {
        self.reseed_counter(py) != 0
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
        let (entropy_input, nonce, extra) = (entropy_input.as_slice(), nonce.as_slice(), slice_of(&extra));
        self.check_entropy_input(py, entropy_input)?;
        let generation = generation_of_seed(generation).map_err(|found| self.fault(py, found))?;
        self.with(py, 1 + entropy_input.len() + nonce.len() + extra.len(), |sealed| {
            sealed.instantiate(entropy_input, nonce, extra, generation);
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
        let (entropy_input, extra) = (entropy_input.as_slice(), slice_of(&extra));
        self.check_entropy_input(py, entropy_input)?;
        let generation = generation_of_seed(generation).map_err(|found| self.fault(py, found))?;
        self.with(py, 1 + entropy_input.len() + extra.len(), |sealed| sealed.reseed(entropy_input, extra, generation))
            .map_err(|found| self.fault(py, found))
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
                .map_err(|found| self.fault(py, found))
        })
    }

    /// Return `n_bytes` bytes by as many Generate requests as needed.
    fn draw<'py>(&self, py: Python<'py>, n_bytes: usize) -> PyResult<Bound<'py, PyBytes>> {
        filled_bytes(py, n_bytes, |out| {
            self.with(py, 1 + out.left(), |sealed| out.try_each(MAX_REQUEST_BYTES, |request| sealed.draw(request)))
                .map_err(|found| self.fault(py, found))
        })
    }

    /// True if the state was seeded in another process: it must be reseeded before it gives output.
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
    let sealed = Sealed::new(mechanism, primitive, derivation_function, ctr_len).map_err(|error| python(py, error))?;
    Ok(DrbgState { name: format!("{mechanism} {primitive}"), sealed: SecretBox::new(ForkLock::new(sealed)) })
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(new_drbg_state, module)?)
}
