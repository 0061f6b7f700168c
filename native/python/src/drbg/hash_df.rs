//! Hash_df, SP 800-90A Rev. 1 section 10.3.1, on bit strings of any length.

use esoteric_drbg_core::drbg::hash_df::{hash_df_bits, NAMES};
use esoteric_drbg_core::memory::{wipe, OutOfMemory};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use crate::bytes::{new_bytes, ByteView};
use crate::ending;
use crate::errors::{invalid, out_of_memory};

/// Inputs from this many bytes on release the interpreter lock: hashing them takes over 50 microseconds.
const DETACH_BYTES: usize = 1 << 16;

/// Hash_df (SP 800-90A 10.3.1): derive `n_bits` bits from a bit string.
#[pyfunction]
#[pyo3(signature = (data, n_bits, *, hash_name = "sha256", data_bits = None))]
fn hash_df<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    n_bits: i64,
    hash_name: &str,
    data_bits: Option<i64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let Some((_, hash)) = NAMES.into_iter().find(|(name, _)| *name == hash_name) else {
        let names = NAMES.map(|(name, _)| name).join(", ");
        return Err(invalid(py, format!("hash_name='{hash_name}': expected one of {names}")));
    };
    let most = 255 * 8 * hash.outlen_bytes() as i64;
    if !(1..=most).contains(&n_bits) {
        return Err(invalid(py, format!("n_bits={n_bits}: Hash_df {hash_name} returns 1 to {most} bits")));
    }
    let view = ByteView::new(data)?;
    let bytes = view.as_slice();
    let whole = 8 * bytes.len() as i64;
    let length = data_bits.unwrap_or(whole);
    if !(whole - 7..=whole).contains(&length) || length < 0 {
        return Err(invalid(py, format!("data_bits={length} does not fit data of {} bytes", bytes.len())));
    }
    let run = || wipe::after_any(|| hash_df_bits(hash, bytes, length as u64, n_bits as usize).map(Zeroizing::new));
    let derived = if bytes.len() > DETACH_BYTES { ending::detach(py, run) } else { run() };
    let derived = derived.map_err(|OutOfMemory| out_of_memory(py, &format!("a message of {} bytes", bytes.len())))?;
    new_bytes(py, &derived)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(hash_df, module)?)
}
