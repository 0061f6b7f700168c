//! Contiguous byte views of Python buffers, without copies.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::invalid;

/// Lengths from which writing zeros first, as `PyBytes::new_with` does, is worth leaving out.
const LARGE: usize = 1 << 14;

/// A bytes object of `n` bytes, all of which `fill` overwrites where it returns Ok.
pub fn filled_bytes<'py>(
    py: Python<'py>,
    n: usize,
    fill: impl FnOnce(&mut [u8]) -> PyResult<()>,
) -> PyResult<Bound<'py, PyBytes>> {
    if n < LARGE {
        return PyBytes::new_with(py, n, fill);
    }
    let length = isize::try_from(n).map_err(|_| invalid(py, format!("{n} bytes are more than an object holds")))?;
    // SAFETY: a new bytes object of `n` bytes that nobody else has seen yet, owned by `bytes` from here on; null, with
    // an exception set, becomes the error. Its memory comes from C's allocator, so that every byte has some value, and
    // is only written to. Where `fill` fails or panics, the object is released unseen.
    unsafe {
        let object = pyo3::ffi::PyBytes_FromStringAndSize(std::ptr::null(), length);
        let bytes = Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked::<PyBytes>();
        let start = pyo3::ffi::PyBytes_AsString(bytes.as_ptr()).cast::<u8>();
        fill(std::slice::from_raw_parts_mut(start, n))?;
        Ok(bytes)
    }
}

/// A one-byte-per-item, C-contiguous view of a Python buffer (bytes, bytearray, memoryview, uint8 array).
pub struct ByteView {
    buffer: PyBuffer<u8>,
}

impl ByteView {
    /// Borrow the buffer behind `object`, or raise `InvalidInputError`.
    pub fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let buffer = PyBuffer::<u8>::get(object).map_err(|_| {
            let kind = object.get_type().to_string();
            invalid(py, format!("expected a buffer of bytes (bytes, bytearray, memoryview, uint8 array), got {kind}"))
        })?;
        if buffer.is_c_contiguous() {
            Ok(Self { buffer })
        } else {
            Err(invalid(py, "expected a contiguous buffer of bytes".to_owned()))
        }
    }

    /// The bytes. The buffer stays exported, so its memory stays where it is for as long as this view lives.
    pub fn as_slice(&self) -> &[u8] {
        let length = self.buffer.len_bytes();
        if length == 0 {
            return &[];
        }
        // SAFETY: the buffer protocol guarantees `len_bytes` readable bytes at `buf_ptr` while the view is held,
        // contiguous as checked in `new`. As everywhere in Python, a caller who writes into the buffer from
        // another thread during the call gets a mixture of old and new bytes.
        unsafe { std::slice::from_raw_parts(self.buffer.buf_ptr().cast::<u8>(), length) }
    }
}
