//! The two continuous health tests, SP 800-90B sections 4.4.1 and 4.4.2.

use esoteric_drbg_core::health::{Proportion, Repetition};
use pyo3::prelude::*;

use crate::bytes::ByteView;
use crate::ending;
use crate::errors::invalid;

/// Chunks from this many samples on release the interpreter lock: testing them takes over 50 microseconds.
const DETACH_SYMBOLS: usize = 1 << 16;

fn index_or_minus_one(index: Option<u64>) -> i64 {
    index.map_or(-1, |index| index as i64)
}

/// Repetition Count Test, 4.4.1.
#[pyclass(module = "esoteric_drbg.kernels._native")]
pub struct RepetitionCountScan {
    inner: Repetition,
}

#[pymethods]
impl RepetitionCountScan {
    #[new]
    fn new(py: Python<'_>, cutoff: i64) -> PyResult<Self> {
        if cutoff < 2 {
            return Err(invalid(py, format!("cutoff={cutoff}: a repetition takes at least 2 samples")));
        }
        Ok(Self { inner: Repetition::new(cutoff as u64) })
    }

    fn push(&mut self, py: Python<'_>, symbols: &Bound<'_, PyAny>) -> PyResult<u64> {
        let view = ByteView::new(symbols)?;
        let bytes = view.as_slice();
        let inner = &mut self.inner;
        Ok(if bytes.len() > DETACH_SYMBOLS { ending::detach(py, || inner.push(bytes)) } else { inner.push(bytes) })
    }

    fn reset(&mut self) {
        self.inner = Repetition::new(self.inner.cutoff);
    }

    #[getter]
    fn cutoff(&self) -> u64 {
        self.inner.cutoff
    }

    #[getter]
    fn samples(&self) -> u64 {
        self.inner.samples
    }

    #[getter]
    fn failures(&self) -> u64 {
        self.inner.failures
    }

    #[getter]
    fn first_failure(&self) -> i64 {
        index_or_minus_one(self.inner.first_failure)
    }

    #[getter]
    fn run(&self) -> u64 {
        self.inner.run
    }

    #[getter]
    fn longest_run(&self) -> u64 {
        self.inner.longest_run
    }
}

/// Adaptive Proportion Test, 4.4.2.
#[pyclass(module = "esoteric_drbg.kernels._native")]
pub struct AdaptiveProportionScan {
    inner: Proportion,
}

#[pymethods]
impl AdaptiveProportionScan {
    #[new]
    fn new(py: Python<'_>, cutoff: i64, window: i64) -> PyResult<Self> {
        if cutoff < 2 || cutoff > window {
            return Err(invalid(py, format!("cutoff={cutoff}: expected 2 to the window of {window} samples")));
        }
        Ok(Self { inner: Proportion::new(cutoff as u64, window as u64) })
    }

    fn push(&mut self, py: Python<'_>, symbols: &Bound<'_, PyAny>) -> PyResult<u64> {
        let view = ByteView::new(symbols)?;
        let bytes = view.as_slice();
        let inner = &mut self.inner;
        Ok(if bytes.len() > DETACH_SYMBOLS { ending::detach(py, || inner.push(bytes)) } else { inner.push(bytes) })
    }

    fn reset(&mut self) {
        self.inner = Proportion::new(self.inner.cutoff, self.inner.window);
    }

    #[getter]
    fn cutoff(&self) -> u64 {
        self.inner.cutoff
    }

    #[getter]
    fn window(&self) -> u64 {
        self.inner.window
    }

    #[getter]
    fn samples(&self) -> u64 {
        self.inner.samples
    }

    #[getter]
    fn failures(&self) -> u64 {
        self.inner.failures
    }

    #[getter]
    fn first_failure(&self) -> i64 {
        index_or_minus_one(self.inner.first_failure)
    }

    #[getter]
    fn windows(&self) -> u64 {
        self.inner.windows
    }

    #[getter]
    fn max_count(&self) -> u64 {
        self.inner.max_count
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RepetitionCountScan>()?;
    module.add_class::<AdaptiveProportionScan>()
}
