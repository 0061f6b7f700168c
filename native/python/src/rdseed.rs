//! The CPU's conditioned entropy instruction.

use esoteric_drbg_core::memory::zeros;
use esoteric_drbg_core::rdseed::{fill, supported};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use crate::bytes::new_bytes;
use crate::errors::{out_of_memory, raise};

/// True if this CPU has RDSEED (x86-64) or RNDRRS (aarch64).
#[pyfunction]
fn rdseed_supported() -> bool {
    supported()
}

/// `n_bytes` bytes from the instruction; fewer if the instruction keeps giving none.
#[pyfunction]
fn rdseed_bytes(py: Python<'_>, n_bytes: usize) -> PyResult<Bound<'_, PyBytes>> {
    let none = || raise(py, "SourceUnavailableError", "this CPU has neither RDSEED nor RNDRRS".to_owned());
    if !supported() {
        return Err(none());
    }
    let out = zeros(n_bytes).map_err(|_| out_of_memory(py, &format!("{n_bytes} bytes")))?;
    let mut out = Zeroizing::new(out);
    let filled = fill(&mut out).ok_or_else(none)?;
    new_bytes(py, &out[..filled])
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(rdseed_supported, module)?)?;
    module.add_function(wrap_pyfunction!(rdseed_bytes, module)?)
}
