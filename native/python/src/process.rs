//! This process: its fork generation, and its memory for secrets.

use esoteric_drbg_core::memory::secret_memory::{report, SLOT_BYTES};
use esoteric_drbg_core::process::fork_guard::arm;
use pyo3::prelude::*;

/// The fork generation of this process: never 0, and never that of its parent.
#[pyfunction]
fn fork_generation() -> u64 {
    arm()
}

/// Bytes of pages for secrets, how many of them are locked, whether all of them are left out of core dumps and lie
/// between guard pages, bytes of a slot, and why not all are locked.
#[pyfunction]
fn secret_memory(_py: Python<'_>) -> (usize, usize, bool, bool, usize, String) {
    let found = report();
    (found.bytes, found.locked, found.not_dumped, found.guarded, SLOT_BYTES, found.reason)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(fork_generation, module)?)?;
    module.add_function(wrap_pyfunction!(secret_memory, module)?)
}
