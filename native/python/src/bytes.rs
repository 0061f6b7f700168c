//! Python's bytes: private ones that kernels read, new ones that they fill, and buffers of the caller that they copy
//! to.
//!
//! No kernel has a slice of memory that other code may write: that is undefined behaviour in Rust, and not even the
//! interpreter lock prevents other threads and processes from writing.

use std::mem::MaybeUninit;

use esoteric_drbg_core::memory::{zeroed, zeros};
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::{Zeroize, Zeroizing};

use crate::errors::{invalid, ours, out_of_memory};

/// A bytes object of `n` bytes. `fill` writes all of them, piece by piece, if it returns Ok.
pub fn filled_bytes<'py>(
    py: Python<'py>,
    n: usize,
    fill: impl FnOnce(&mut Unfilled<'_>) -> PyResult<()>,
) -> PyResult<Bound<'py, PyBytes>> {
    let length = isize::try_from(n).map_err(|_| invalid(py, format!("{n} bytes are more than an object holds")))?;
    // SAFETY: a new bytes object of `n` bytes that nobody else has seen yet, owned by `bytes` from here on; null, with
    // an exception set, becomes the error.
    let bytes = unsafe {
        let object = pyo3::ffi::PyBytes_FromStringAndSize(std::ptr::null(), length);
        Bound::from_owned_ptr_or_err(py, object).map_err(|error| ours(py, error, &format!("{n} bytes")))?
    };
    // SAFETY: the memory of that object, of which nothing is read before it was written. Where `fill` fails or panics,
    // the object is released unseen.
    let memory = unsafe {
        let start = pyo3::ffi::PyBytes_AsString(bytes.as_ptr()).cast::<MaybeUninit<u8>>();
        std::slice::from_raw_parts_mut(start, n)
    };
    let mut unfilled = Unfilled { memory, begun: 0 };
    fill(&mut unfilled)?;
    zeroed(&mut unfilled.memory[unfilled.begun..]);
    // SAFETY: that is what was made above.
    Ok(unsafe { bytes.cast_into_unchecked() })
}

/// A bytes object with a copy of some bytes.
pub fn new_bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, bytes.len(), |copy| {
        copy.copy_from_slice(bytes);
        Ok(())
    })
    .map_err(|error| ours(py, error, &format!("{} bytes", bytes.len())))
}

/// Memory that is not initialized yet.
pub struct Unfilled<'a> {
    memory: &'a mut [MaybeUninit<u8>],
    begun: usize,
}

impl Unfilled<'_> {
    /// Number of bytes not filled yet.
    pub fn left(&self) -> usize {
        self.memory.len() - self.begun
    }

    /// Let `fill` initialize each piece of at most this many bytes, up to its first error.
    pub fn try_each<E>(
        &mut self,
        most: usize,
        mut fill: impl FnMut(&mut [MaybeUninit<u8>]) -> Result<(), E>,
    ) -> Result<(), E> {
        for piece in self.memory[self.begun..].chunks_mut(most) {
            fill(piece)?;
            self.begun += piece.len();
        }
        Ok(())
    }
}

/// Bytes that do not change: those of a `bytes` object, or a copy of any other buffer of bytes.
pub enum ByteView<'py> {
    Immutable(Bound<'py, PyBytes>),
    /// They may be secret.
    Copied(Zeroizing<Vec<u8>>),
}

impl<'py> ByteView<'py> {
    /// Take the bytes of a C-contiguous buffer with one byte an item (bytes, bytearray, memoryview, uint8 array), or
    /// raise `InvalidInputError`.
    pub fn new(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast_exact::<PyBytes>() {
            return Ok(Self::Immutable(bytes.clone()));
        }
        let py = object.py();
        let buffer = PyBuffer::<u8>::get(object).map_err(|_| {
            let kind = object.get_type().to_string();
            invalid(py, format!("expected a buffer of bytes (bytes, bytearray, memoryview, uint8 array), got {kind}"))
        })?;
        if !buffer.is_c_contiguous() {
            return Err(invalid(py, "expected a contiguous buffer of bytes".to_owned()));
        }
        let length = buffer.len_bytes();
        let mut copy =
            Zeroizing::new(zeros(length).map_err(|_| out_of_memory(py, &format!("a copy of {length} bytes")))?);
        // C code copies: if other code writes meanwhile, without the lock that this thread holds, the copy is a mixture
        // of old and new bytes.
        buffer.copy_to_slice(py, &mut copy)?;
        Ok(Self::Copied(copy))
    }

    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Immutable(bytes) => bytes.as_bytes(),
            Self::Copied(copy) => copy,
        }
    }
}

/// A writable buffer of the caller, who may use it meanwhile: kernels only copy to it.
pub struct Target {
    buffer: PyBuffer<u8>,
}

impl Target {
    /// Take a writable, C-contiguous buffer of bytes, or raise `InvalidInputError`.
    pub fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let buffer =
            PyBuffer::<u8>::get(object).map_err(|_| invalid(py, "expected a writable buffer of bytes".to_owned()))?;
        if buffer.readonly() || !buffer.is_c_contiguous() {
            return Err(invalid(py, "expected a writable, contiguous buffer of bytes".to_owned()));
        }
        Ok(Self { buffer })
    }

    /// Number of bytes of the buffer, and the [`Pieces`] that fill it, of at most `most` bytes each.
    pub fn pieces(&self, py: Python<'_>, most: usize) -> PyResult<(usize, Pieces<'_>)> {
        let length = self.buffer.len_bytes();
        let room = zeros(most.min(length)).map_err(|_| out_of_memory(py, "a piece of the output"))?;
        let start = self.buffer.buf_ptr().cast::<u8>();
        Ok((length, Pieces { start, left: length, room, target: std::marker::PhantomData }))
    }
}

/// Fills a [`Target`].
pub struct Pieces<'a> {
    start: *mut u8,
    left: usize,
    room: Vec<u8>,
    target: std::marker::PhantomData<&'a Target>,
}

impl Drop for Pieces<'_> {
    fn drop(&mut self) {
        // The vector never grew: all of it is in use.
        self.room.as_mut_slice().zeroize();
    }
}

// SAFETY: the pointer is used by one thread at a time, and stays valid as long as the target is borrowed.
unsafe impl Send for Pieces<'_> {}

impl Pieces<'_> {
    /// Let `fill` write each piece, in order, up to its first error.
    pub fn try_each<E>(mut self, mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<(), E> {
        while self.left > 0 {
            let length = self.left.min(self.room.len());
            let piece = &mut self.room[..length];
            fill(piece)?;
            // SAFETY: the buffer protocol guarantees `left` writable bytes from `start` on while the export is held,
            // which the borrowed target does; the room is apart from them. No reference to them exists here.
            unsafe {
                self.start.copy_from_nonoverlapping(piece.as_ptr(), length);
                self.start = self.start.add(length);
            }
            self.left -= length;
        }
        Ok(())
    }
}
