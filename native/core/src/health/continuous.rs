//! The two continuous health tests, SP 800-90B sections 4.4.1 and 4.4.2, over a stream in chunks of any size.

use pyo3::prelude::*;

use crate::bytes::ByteView;
use crate::ending;
use crate::errors::invalid;

/// Chunks from this many symbols on release the interpreter lock: testing them takes over 50 microseconds.
const DETACH_SYMBOLS: usize = 1 << 16;

/// State of the Repetition Count Test.
#[derive(Default)]
pub struct Repetition {
    cutoff: u64,
    samples: u64,
    failures: u64,
    first_failure: Option<u64>,
    run: u64,
    longest_run: u64,
    last: Option<u8>,
}

impl Repetition {
    pub fn new(cutoff: u64) -> Self {
        Self { cutoff, ..Self::default() }
    }

    /// Test the next samples; return how many of them failed.
    pub fn push(&mut self, symbols: &[u8]) -> u64 {
        let before = self.failures;
        let mut last = self.last;
        let mut run = self.run;
        let mut longest = self.longest_run;
        for (index, &symbol) in symbols.iter().enumerate() {
            run = if last == Some(symbol) { run + 1 } else { 1 };
            last = Some(symbol);
            longest = longest.max(run);
            if run >= self.cutoff {
                self.failures += 1;
                self.first_failure.get_or_insert(self.samples + index as u64);
            }
        }
        self.samples += symbols.len() as u64;
        self.last = last;
        self.run = run;
        self.longest_run = longest;
        self.failures - before
    }
}

/// State of the Adaptive Proportion Test.
#[derive(Default)]
pub struct Proportion {
    cutoff: u64,
    window: u64,
    samples: u64,
    failures: u64,
    first_failure: Option<u64>,
    windows: u64,
    max_count: u64,
    first: u8,
    count: u64,
    position: u64,
}

impl Proportion {
    pub fn new(cutoff: u64, window: u64) -> Self {
        Self { cutoff, window, ..Self::default() }
    }

    /// Test the next samples; return how many windows failed in them.
    pub fn push(&mut self, symbols: &[u8]) -> u64 {
        let before = self.failures;
        let mut rest = symbols;
        while let Some(&symbol) = rest.first() {
            if self.position == 0 {
                self.first = symbol;
                self.count = 0;
            }
            let room = (self.window - self.position).min(rest.len() as u64) as usize;
            let (part, tail) = rest.split_at(room);
            self.count_part(part);
            rest = tail;
            if self.position == self.window {
                self.position = 0;
                self.windows += 1;
            }
        }
        self.failures - before
    }

    /// Count within one window.
    fn count_part(&mut self, part: &[u8]) {
        let equal = part.iter().filter(|&&symbol| symbol == self.first).count() as u64;
        let reached = self.count + equal;
        if self.count < self.cutoff && reached >= self.cutoff {
            let nth = (self.cutoff - self.count - 1) as usize;
            let index = part.iter().enumerate().filter(|(_, &symbol)| symbol == self.first).nth(nth);
            let offset = index.map_or(0, |(index, _)| index as u64);
            self.failures += 1;
            self.first_failure.get_or_insert(self.samples + offset);
        }
        self.count = reached;
        self.max_count = self.max_count.max(reached);
        self.samples += part.len() as u64;
        self.position += part.len() as u64;
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_cutoff_fails_and_one_less_passes() {
        let mut test = Repetition::new(5);
        assert_eq!(test.push(&[1, 7, 7, 7, 7, 1]), 0);
        assert_eq!(test.push(&[1, 1, 1]), 0);
        assert_eq!(test.push(&[1, 1]), 2);
        assert_eq!(test.first_failure, Some(9));
        assert_eq!(test.longest_run, 6);
    }

    #[test]
    fn a_window_fails_once_at_its_cutoff_wherever_it_is_cut() {
        let mut stream = vec![9u8; 16];
        stream.extend((0..16).map(|i| if i % 2 == 0 { 3 } else { i }));
        for cut in 0..=stream.len() {
            let mut test = Proportion::new(8, 16);
            let failed = test.push(&stream[..cut]) + test.push(&stream[cut..]);
            assert_eq!((failed, test.first_failure, test.windows), (2, Some(7), 2), "cut at {cut}");
            assert_eq!(test.max_count, 16);
        }
        let mut strict = Proportion::new(9, 16);
        assert_eq!(strict.push(&stream[16..]), 1, "eight even positions and the symbol 3 itself make nine");
        assert_eq!(Proportion::new(10, 16).push(&stream[16..]), 0);
    }
}
