//! Hot kernels of `esoteric_drbg`. Each class and function here has a Python twin of the same name, listed in
//! `kernels/table.py`, and equals its readable specification in `kernels/reference/`, if it has one, on every input.

use esoteric_drbg_core::memory::WithReserve;
use pyo3::prelude::*;

mod bytes;
mod cpu;
mod drbg;
mod ending;
mod errors;
mod estimators;
mod health;
mod iid;
mod lag_predictor;
mod process;
mod rdseed;
mod timing;

/// The allocator of all memory of these kernels.
#[global_allocator]
static ALLOCATOR: WithReserve = WithReserve::new();

// These kernels are written for an interpreter with one lock: a free-threaded interpreter enables it when it imports
// them. This becomes false once they are shown to work without it: the lock guards cells of `WordStream`, and `ending`
// relies on it.
#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    cpu::register(module)?;
    drbg::register(module)?;
    ending::register(module)?;
    estimators::register(module)?;
    health::register(module)?;
    iid::register(module)?;
    lag_predictor::register(module)?;
    process::register(module)?;
    rdseed::register(module)?;
    timing::register(module)
}
