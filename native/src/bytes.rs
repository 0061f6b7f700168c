//! Contiguous byte views of Python buffers, without copies.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;

use crate::errors::invalid;

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
