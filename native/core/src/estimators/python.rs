//! The estimators' kernels as Python calls them.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::symbols::{check_alphabet, Symbols};
use crate::bytes::ByteView;
use crate::ending;
use crate::errors::{ours, out_of_memory};
use crate::memory::OutOfMemory;

/// Count, without the interpreter lock, in data that nobody changes meanwhile.
fn counted<Counts: Send>(
    data: &Bound<'_, PyAny>,
    n: usize,
    k: usize,
    count: impl FnOnce(Symbols<'_>) -> Result<Counts, OutOfMemory> + Send,
) -> PyResult<Counts> {
    let py = data.py();
    check_alphabet(py, k)?;
    let view = ByteView::new(data)?;
    let symbols = Symbols::new(py, &view, n, k)?;
    ending::detach(py, || count(symbols))
        .map_err(|OutOfMemory| out_of_memory(py, &format!("what is counted in {n} symbols")))
}

/// 64-bit little-endian numbers, written where Python keeps them.
fn little_endian<'py, T: Copy + Into<u64>>(py: Python<'py>, counts: &[T]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, 8 * counts.len(), |bytes| {
        for (bytes, &count) in bytes.chunks_exact_mut(8).zip(counts) {
            bytes.copy_from_slice(&count.into().to_le_bytes());
        }
        Ok(())
    })
    .map_err(|error| ours(py, error, &format!("{} counts", counts.len())))
}

/// Ones and the transitions 00, 01, 10, 11.
#[pyfunction]
fn bit_counts(packed: &Bound<'_, PyAny>, n: usize) -> PyResult<(u64, u64, u64, u64, u64)> {
    counted(packed, n, 2, |bits| Ok(super::bit_statistics::bit_counts(&bits.words()?, n)))
}

/// Collision times that are 2 and that are 3.
#[pyfunction]
fn collision_counts(packed: &Bound<'_, PyAny>, n: usize) -> PyResult<(u64, u64)> {
    counted(packed, n, 2, |bits| Ok(super::bit_statistics::collision_counts(&bits.words()?, n)))
}

/// Histogram of the gaps between equal blocks of 6 bits.
#[pyfunction]
fn gap_histogram<'py>(packed: &Bound<'py, PyAny>, n: usize) -> PyResult<Bound<'py, PyBytes>> {
    let histogram = counted(packed, n, 2, |bits| super::bit_statistics::gap_histogram(&bits.words()?, n))?;
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
    let counts = counted(data, n, k, |symbols| super::tuples::tuple_counts(symbols.bytes, n, k))?;
    Ok((little_endian(py, &counts.most_common)?, counts.longest, little_endian(py, &counts.pairs)?))
}

/// C and the longest run of right predictions.
#[pyfunction]
fn multi_mcw(data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    counted(data, n, k, |symbols| match symbols.bits()? {
        Some(words) => super::multi_mcw::of_bits(&words, n),
        None => Ok(super::multi_mcw::of_symbols(symbols.bytes, k)),
    })
}

/// C and the longest run of right predictions.
#[pyfunction]
fn lag(data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    counted(data, n, k, |symbols| {
        Ok(match symbols.bits()? {
            Some(words) => super::lag::of_bits(&words, n),
            None => super::lag::of_symbols(symbols.bytes),
        })
    })
}

/// C and the longest run of right predictions.
#[pyfunction]
fn multi_mmc(data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    counted(data, n, k, |symbols| match symbols.bits()? {
        Some(words) => super::multi_mmc_bits::of_bits(&words, n),
        None => super::multi_mmc::of_symbols(symbols.bytes, k),
    })
}

/// C and the longest run of right predictions.
#[pyfunction]
fn lz78y(data: &Bound<'_, PyAny>, n: usize, k: usize) -> PyResult<(u64, u64)> {
    counted(data, n, k, |symbols| match symbols.bits()? {
        Some(words) => super::lz78y::of_bits(&words, n),
        None => super::lz78y::of_symbols(symbols.bytes, k),
    })
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
