//! The DRBG mechanisms, and the random words for numpy.

mod bit_generator;
mod drbg_state;
mod hash_df;
mod hash_drbg_state;
mod python_locks;
mod word_buffer;

use pyo3::prelude::*;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    bit_generator::register(module)?;
    drbg_state::register(module)?;
    hash_df::register(module)?;
    hash_drbg_state::register(module)
}
