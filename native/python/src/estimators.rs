//! The counts behind the ten estimators of SP 800-90B 6.3.

use esoteric_drbg_core::estimators::{self, check_alphabet, Symbols};
use esoteric_drbg_core::memory::OutOfMemory;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::bytes::ByteView;
use crate::cpu::announce_for_assessments;
use crate::ending;
use crate::errors::{ours, out_of_memory, python};

/// Count without the interpreter lock, in data that no code changes meanwhile.
fn counted<Counts: Send>(
    data: &Bound<'_, PyAny>,
    n: usize,
    k: usize,
    count: impl FnOnce(Symbols<'_>) -> Result<Counts, OutOfMemory> + Send,
) -> PyResult<Counts> {
    let py = data.py();
    check_alphabet(k).map_err(|error| python(py, error))?;
    let view = ByteView::new(data)?;
    let symbols = Symbols::new(view.as_slice(), n, k).map_err(|error| python(py, error))?;
    announce_for_assessments(py)?;
    ending::detach(py, || count(symbols))
        .map_err(|OutOfMemory| out_of_memory(py, &format!("what is counted in {n} symbols")))
}

/// A bytes object of 64-bit little-endian numbers, written in place.
fn little_endian<'py, T: Copy + Into<u64>>(py: Python<'py>, counts: &[T]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, 8 * counts.len(), |bytes| {
        for (bytes, &count) in bytes.chunks_exact_mut(8).zip(counts) {
            bytes.copy_from_slice(&count.into().to_le_bytes());
        }
        Ok(())
    })
    .map_err(|error| ours(py, error, &format!("{} counts", counts.len())))
}

/// Number of ones and of the transitions 00, 01, 10, 11.
#[pyfunction]
fn bit_counts(packed: &Bound<'_, PyAny>, n: usize) -> PyResult<(u64, u64, u64, u64, u64)> {
    counted(packed, n, 2, estimators::bit_counts)
}

/// Number of collision times that are 2 and that are 3.
#[pyfunction]
fn collision_counts(packed: &Bound<'_, PyAny>, n: usize) -> PyResult<(u64, u64)> {
    counted(packed, n, 2, estimators::collision_counts)
}

/// Histogram of the gaps between equal blocks of 6 bits.
#[pyfunction]
fn gap_histogram<'py>(packed: &Bound<'py, PyAny>, n: usize) -> PyResult<Bound<'py, PyBytes>> {
    let histogram = counted(packed, n, 2, estimators::gap_histogram)?;
    little_endian(packed.py(), &histogram)
}

/// Counts of the most common tuples, v, and the repeated pairs of W-tuples for W = u, ..., v.
#[pyfunction]
fn tuple_counts<'py>(
    data: &Bound<'py, PyAny>,
    n: usize,
    k: usize,
) -> PyResult<(Bound<'py, PyBytes>, usize, Bound<'py, PyBytes>)> {
    let py = data.py();
    let counts = counted(data, n, k, estimators::tuple_counts)?;
    Ok((little_endian(py, &counts.most_common)?, counts.longest, little_endian(py, &counts.pairs)?))
}

/// C and the longest run of correct predictions.
#[pyfunction]
fn multi_mcw(data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    counted(data, n, k, estimators::multi_mcw)
}

/// C and the longest run of correct predictions.
#[pyfunction]
fn lag(data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    counted(data, n, k, estimators::lag)
}

/// C and the longest run of correct predictions.
#[pyfunction]
fn multi_mmc(data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    counted(data, n, k, estimators::multi_mmc)
}

/// C and the longest run of correct predictions.
#[pyfunction]
fn lz78y(data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    counted(data, n, k, estimators::lz78y)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(bit_counts, module)?)?;
    module.add_function(wrap_pyfunction!(collision_counts, module)?)?;
    module.add_function(wrap_pyfunction!(gap_histogram, module)?)?;
    module.add_function(wrap_pyfunction!(tuple_counts, module)?)?;
    module.add_function(wrap_pyfunction!(multi_mcw, module)?)?;
    module.add_function(wrap_pyfunction!(lag, module)?)?;
    module.add_function(wrap_pyfunction!(multi_mmc, module)?)?;
    module.add_function(wrap_pyfunction!(lz78y, module)?)?;
    Ok(())
}
