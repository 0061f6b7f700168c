//! The Lag Predictor Test, developer-defined (SP 800-90B 4.5).

use esoteric_drbg_core::health::{LagPredictor, MOST};
use pyo3::prelude::*;

use crate::bytes::ByteView;
use crate::errors::invalid;

/// Chunks from this many samples on release the interpreter lock: testing them takes over 50 microseconds.
const DETACH_SYMBOLS: usize = 1 << 14;

/// Lag Predictor Test, developer-defined.
#[pyclass(module = "esoteric_drbg.kernels._native")]
pub struct LagPredictorScan {
    inner: LagPredictor,
}

#[pymethods]
impl LagPredictorScan {
    #[new]
    fn new(
        py: Python<'_>,
        run_cutoff: i64,
        window_cutoff: i64,
        span_cutoff: i64,
        window: i64,
        span: i64,
        symbol_bits: i64,
    ) -> PyResult<Self> {
        let cutoffs = [run_cutoff, window_cutoff, span_cutoff];
        if cutoffs.iter().any(|&cutoff| cutoff < 1) {
            let message =
                format!("cutoffs={run_cutoff}, {window_cutoff}, {span_cutoff}: a prediction is right at least once");
            return Err(invalid(py, message));
        }
        if window < 1 || span < 1 || window.checked_mul(span).is_none_or(|samples| samples > MOST) {
            let message = format!("window={window}, span={span}: expected 1 to {MOST} samples in a span");
            return Err(invalid(py, message));
        }
        if !(1..=8).contains(&symbol_bits) {
            return Err(invalid(py, format!("symbol_bits={symbol_bits}: a symbol has 1 to 8 bits")));
        }
        let cutoffs = cutoffs.map(|cutoff| cutoff as u64);
        Ok(Self { inner: LagPredictor::new(cutoffs, window as u64, span as u64, symbol_bits as u32) })
    }

    fn push(&mut self, py: Python<'_>, symbols: &Bound<'_, PyAny>) -> PyResult<u64> {
        let view = ByteView::new(symbols)?;
        let bytes = view.as_slice();
        let inner = &mut self.inner;
        Ok(if bytes.len() > DETACH_SYMBOLS { py.detach(|| inner.push(bytes)) } else { inner.push(bytes) })
    }

    fn reset(&mut self) {
        self.inner.reset();
    }

    #[getter]
    fn run_cutoff(&self) -> u64 {
        self.inner.run_cutoff
    }

    #[getter]
    fn window_cutoff(&self) -> u64 {
        self.inner.window_cutoff
    }

    #[getter]
    fn span_cutoff(&self) -> u64 {
        self.inner.span_cutoff
    }

    #[getter]
    fn window(&self) -> u64 {
        self.inner.window
    }

    #[getter]
    fn span(&self) -> u64 {
        self.inner.span
    }

    #[getter]
    fn symbol_bits(&self) -> u32 {
        self.inner.symbol_bits
    }

    #[getter]
    fn samples(&self) -> u64 {
        self.inner.judged().0
    }

    #[getter]
    fn windows(&self) -> u64 {
        self.inner.judged().1
    }

    #[getter]
    fn failures(&self) -> (u64, u64, u64) {
        self.inner.failures().map(|what| what.number).into()
    }

    #[getter]
    fn first_failures(&self) -> (i64, i64, i64) {
        self.inner.failures().map(|what| what.first.map_or(-1, |(sample, _)| sample as i64)).into()
    }

    #[getter]
    fn first_predictors(&self) -> (usize, usize, usize) {
        self.inner.failures().map(|what| what.first.map_or(0, |(_, predictor)| predictor)).into()
    }

    #[getter]
    fn highest(&self) -> (u64, u64, u64) {
        self.inner.failures().map(|what| what.highest).into()
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<LagPredictorScan>()
}
