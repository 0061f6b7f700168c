//! Large buffers, in large pages where the system has them.
//!
//! In a buffer of many small pages, most look-ups at random places cost a walk through the page tables, and each small
//! page costs a fault when it is first touched.

use super::allocate::{self, OutOfMemory, Zero};

/// Bytes of a large page; a buffer must have a few of them to be worth it.
const PAGE: usize = 2 << 20;
const FEWEST: usize = 2;

/// `length` zeros.
pub fn zeros<T: Zero>(length: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut buffer = allocate::zeros(length)?;
    advise(&mut buffer);
    Ok(buffer)
}

/// Ask for large pages for the memory of a vector.
pub fn advise<T>(buffer: &mut Vec<T>) {
    let start = buffer.as_mut_ptr().addr();
    let (first, end) = (start.next_multiple_of(PAGE), (start + buffer.capacity() * size_of::<T>()) / PAGE * PAGE);
    if end.saturating_sub(first) < FEWEST * PAGE {
        return;
    }
    #[cfg(target_os = "linux")]
    // SAFETY: advice on how to back whole pages of memory that is ours; it changes no contents, and refused it does
    // nothing.
    unsafe {
        let offset = first - start;
        libc::madvise(buffer.as_mut_ptr().cast::<u8>().add(offset).cast(), end - first, libc::MADV_HUGEPAGE)
    };
}
