//! The IID track, SP 800-90B section 5.1.

use esoteric_drbg_core::iid::{Mask, Sequence, COUNT, MOST_SYMBOLS};
use esoteric_drbg_core::memory::OutOfMemory;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::bytes::{new_bytes, ByteView};
use crate::cpu::announce_for_assessments;
use crate::ending;
use crate::errors::{invalid, out_of_memory};

fn checked<'a>(py: Python<'_>, view: &'a ByteView<'_>) -> PyResult<&'a [u8]> {
    let symbols = view.as_slice();
    if symbols.is_empty() || symbols.len() > MOST_SYMBOLS {
        return Err(invalid(py, format!("{} symbols: expected 1 to {MOST_SYMBOLS}", symbols.len())));
    }
    Ok(symbols)
}

fn checked_mask(py: Python<'_>, mask: u32) -> PyResult<Mask> {
    if mask >> COUNT != 0 {
        return Err(invalid(py, format!("mask={mask}: expected 0 to {}", (1 << COUNT) - 1)));
    }
    Ok(Mask(mask))
}

/// Work without the interpreter lock.
fn detached<R: Send>(
    py: Python<'_>,
    symbols: &[u8],
    work: impl FnOnce() -> Result<R, OutOfMemory> + Send,
) -> PyResult<R> {
    announce_for_assessments(py)?;
    ending::detach(py, work)
        .map_err(|OutOfMemory| out_of_memory(py, &format!("the permutations of {} symbols", symbols.len())))
}

/// The keys of the statistics that the mask selects, 0 for the others.
#[pyfunction]
fn iid_statistics(py: Python<'_>, symbols: &Bound<'_, PyAny>, mask: u32) -> PyResult<[u64; COUNT]> {
    let view = ByteView::new(symbols)?;
    let symbols = checked(py, &view)?;
    let mask = checked_mask(py, mask)?;
    detached(py, symbols, || Sequence::new(symbols)?.own_statistics(mask))
}

/// Permutation `index` of the samples for `seed`.
#[pyfunction]
fn iid_permutation<'py>(
    py: Python<'py>,
    symbols: &Bound<'_, PyAny>,
    seed: u64,
    index: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let view = ByteView::new(symbols)?;
    let symbols = checked(py, &view)?;
    let permuted = detached(py, symbols, || Sequence::new(symbols)?.permutation(seed, index))?;
    new_bytes(py, &permuted)
}

/// How many permutations have a greater, an equal and a smaller statistic than the original, by statistic.
#[pyfunction]
fn iid_permutations(
    py: Python<'_>,
    symbols: &Bound<'_, PyAny>,
    original: Vec<u64>,
    seed: u64,
    span: (u64, u64),
    mask: u32,
) -> PyResult<[(u64, u64, u64); COUNT]> {
    let view = ByteView::new(symbols)?;
    let symbols = checked(py, &view)?;
    let mask = checked_mask(py, mask)?;
    let Ok(original) = <[u64; COUNT]>::try_from(&original[..]) else {
        return Err(invalid(py, format!("{} keys of the original: expected {COUNT}", original.len())));
    };
    detached(py, symbols, || Sequence::new(symbols)?.compare(&original, seed, span.0, span.1, mask))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(iid_statistics, module)?)?;
    module.add_function(wrap_pyfunction!(iid_permutation, module)?)?;
    module.add_function(wrap_pyfunction!(iid_permutations, module)?)
}
