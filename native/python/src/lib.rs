//! Hot kernels of `esoteric_drbg`. Each class and function here has a readable Python reference of the same
//! name in `kernels/reference/`, and equals it on every input; `kernels/table.py` pairs them.

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

/// Every allocation of these kernels.
#[global_allocator]
static ALLOCATOR: WithReserve = WithReserve::new();

// These kernels are written for an interpreter with one lock: a free-threaded one takes it on when it imports them. Becomes
// false once they are shown to do without: `WordStream` keeps cells that it guards, and `ending` counts on it.
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
