//! The estimators' kernels as Python calls them.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::symbols::{bits_of, Input};

/// 64-bit little-endian numbers, written where Python keeps them.
fn little_endian<'py, T: Copy + Into<u64>>(py: Python<'py>, counts: &[T]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, 8 * counts.len(), |bytes| {
        for (bytes, &count) in bytes.chunks_exact_mut(8).zip(counts) {
            bytes.copy_from_slice(&count.into().to_le_bytes());
        }
        Ok(())
    })
}

/// Ones and the transitions 00, 01, 10, 11.
#[pyfunction]
fn bit_counts(py: Python<'_>, packed: &Bound<'_, PyAny>, n: usize) -> PyResult<(u64, u64, u64, u64, u64)> {
    let input = Input::new(packed, n, 2)?;
    Ok(py.detach(|| super::bit_statistics::bit_counts(&input.words(), n)))
}

/// Collision times that are 2 and that are 3.
#[pyfunction]
fn collision_counts(py: Python<'_>, packed: &Bound<'_, PyAny>, n: usize) -> PyResult<(u64, u64)> {
    let input = Input::new(packed, n, 2)?;
    Ok(py.detach(|| super::bit_statistics::collision_counts(&input.words(), n)))
}

/// Histogram of the gaps between equal blocks of 6 bits.
#[pyfunction]
fn gap_histogram<'py>(py: Python<'py>, packed: &Bound<'py, PyAny>, n: usize) -> PyResult<Bound<'py, PyBytes>> {
    let input = Input::new(packed, n, 2)?;
    let histogram = py.detach(|| super::bit_statistics::gap_histogram(&input.words(), n));
    little_endian(py, &histogram)
}

/// Counts of the most common tuples, v, and the repeated pairs of W-tuples for W = u, ..., v.
#[pyfunction]
fn tuple_counts<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    n: usize,
    k: usize,
) -> PyResult<(Bound<'py, PyBytes>, usize, Bound<'py, PyBytes>)> {
    let input = Input::new(data, n, k)?;
    let counts = py.detach(|| super::tuples::tuple_counts(input.bytes(), n, k));
    Ok((little_endian(py, &counts.most_common)?, counts.longest, little_endian(py, &counts.pairs)?))
}

/// C and the longest run of right predictions.
#[pyfunction]
fn multi_mcw(py: Python<'_>, data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    let input = Input::new(data, n, k)?;
    Ok(py.detach(|| match bits_of(&input) {
        Some(words) => super::multi_mcw::of_bits(&words, n),
        None => super::multi_mcw::of_symbols(input.bytes(), k),
    }))
}

/// C and the longest run of right predictions.
#[pyfunction]
fn lag(py: Python<'_>, data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    let input = Input::new(data, n, k)?;
    Ok(py.detach(|| match bits_of(&input) {
        Some(words) => super::lag::of_bits(&words, n),
        None => super::lag::of_symbols(input.bytes()),
    }))
}

/// C and the longest run of right predictions.
#[pyfunction]
fn multi_mmc(py: Python<'_>, data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    let input = Input::new(data, n, k)?;
    Ok(py.detach(|| match bits_of(&input) {
        Some(words) => super::multi_mmc_bits::of_bits(&words, n),
        None => super::multi_mmc::of_symbols(input.bytes(), k),
    }))
}

/// C and the longest run of right predictions.
#[pyfunction]
fn lz78y(py: Python<'_>, data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    let input = Input::new(data, n, k)?;
    Ok(py.detach(|| match bits_of(&input) {
        Some(words) => super::lz78y::of_bits(&words, n),
        None => super::lz78y::of_symbols(input.bytes(), k),
    }))
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
