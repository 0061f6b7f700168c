//! Memory that grows with the data: if there is none, kernels return an error instead of aborting the process.
//!
//! The functions here allocate everything that may become large. Small allocations of the standard library, of the
//! binding and of our code cannot report a lack of memory; a reserve makes sure that there is enough for them.

use std::alloc::{alloc_zeroed, GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

/// There is not enough memory: `OutOfMemoryError` in Python.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutOfMemory;

/// Types for which all bits 0 are a valid value.
///
/// # Safety
/// All bits 0 are a valid value of the type, and its size is not 0.
pub unsafe trait Zero: Copy {}

macro_rules! zero {
    ($($type:ty)*) => {
        $(
            // SAFETY: an integer, a truth value or an array of integers: all bits 0 are 0 or false.
            unsafe impl Zero for $type {}
        )*
    };
}
zero!(bool u8 u16 u32 u64 i32 [u32; 2] [u8; 16] [i16; 32] [i32; 32]);

/// `length` zeros, in memory that the system may have cleared already.
pub fn zeros<T: Zero>(length: usize) -> Result<Vec<T>, OutOfMemory> {
    let layout = Layout::array::<T>(length).map_err(|_| OutOfMemory)?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the size is not 0; and what is not null is memory of the global allocator with the layout of a vector of
    // `length` entries, all bits of which are 0, which makes each of them a value.
    unsafe {
        let start = alloc_zeroed(layout).cast::<T>();
        if start.is_null() {
            return Err(OutOfMemory);
        }
        Ok(Vec::from_raw_parts(start, length, length))
    }
}

/// `length` copies of a value.
pub fn filled<T: Clone>(length: usize, value: T) -> Result<Vec<T>, OutOfMemory> {
    let mut entries = with_room(length)?;
    entries.resize(length, value);
    Ok(entries)
}

/// An empty vector with room for exactly `length` entries.
pub fn with_room<T>(length: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut entries = Vec::new();
    entries.try_reserve_exact(length).map_err(|_| OutOfMemory)?;
    Ok(entries)
}

/// A copy of some entries.
pub fn copied<T: Copy>(entries: &[T]) -> Result<Vec<T>, OutOfMemory> {
    let mut copy = with_room(entries.len())?;
    copy.extend_from_slice(entries);
    Ok(copy)
}

/// Make room for further entries.
#[inline(always)]
pub fn reserve<T>(entries: &mut Vec<T>, more: usize) -> Result<(), OutOfMemory> {
    entries.try_reserve(more).map_err(|_| OutOfMemory)
}

#[inline(always)]
pub fn push<T>(entries: &mut Vec<T>, entry: T) -> Result<(), OutOfMemory> {
    if entries.len() == entries.capacity() {
        reserve(entries, 1)?;
    }
    entries.push(entry);
    Ok(())
}

/// Set the length; new entries have the value.
pub fn resize<T: Clone>(entries: &mut Vec<T>, length: usize, value: T) -> Result<(), OutOfMemory> {
    reserve(entries, length.saturating_sub(entries.len()))?;
    entries.resize(length, value);
    Ok(())
}

/// Append the items of an iterator, whose number has to be known before.
#[inline(always)]
pub fn extend<T>(entries: &mut Vec<T>, more: impl ExactSizeIterator<Item = T>) -> Result<(), OutOfMemory> {
    reserve(entries, more.len())?;
    entries.extend(more);
    Ok(())
}

/// The items of an iterator.
pub fn collected<T>(entries: impl IntoIterator<Item = T>) -> Result<Vec<T>, OutOfMemory> {
    let mut found = Vec::new();
    for entry in entries {
        push(&mut found, entry)?;
    }
    Ok(found)
}

/// Initialize memory with zeros. Done piece by piece, the piece that is filled next is already in the CPU's cache; to
/// zero a large object at once would take several times as long.
pub fn zeroed(memory: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    let (start, length) = (memory.as_mut_ptr().cast::<u8>(), memory.len());
    // SAFETY: the memory is ours for the lifetime of the result, and has contents once they are written.
    unsafe {
        start.write_bytes(0, length);
        std::slice::from_raw_parts_mut(start, length)
    }
}

/// Bytes of the reserve, and of the largest piece that may come from it. Pages that are never touched take no memory.
const RESERVE: usize = 1 << 20;
const SMALL: usize = 1 << 14;
/// Pieces of the reserve begin at multiples of this.
const GRAIN: usize = 16;

/// The system's allocator, with a reserve for small allocations when it has no more memory.
pub struct WithReserve {
    reserve: Reserve,
}

#[repr(align(16))]
struct Reserve {
    bytes: UnsafeCell<[u8; RESERVE]>,
    /// Start of the part not given out yet, and the number of pieces given out: when it falls to 0, the whole reserve
    /// is free again. In one word: bytes in the lower half, pieces in the upper half.
    state: AtomicUsize,
}

// SAFETY: each piece of `bytes` is handed to one owner at a time, which the atomic `state` sees to.
unsafe impl Sync for Reserve {}

const HALF: u32 = usize::BITS / 2;
const PIECE: usize = 1 << HALF;

impl Reserve {
    /// A piece of the reserve, or null.
    #[cold]
    fn take(&self, layout: Layout) -> *mut u8 {
        if layout.size() > SMALL || layout.align() > GRAIN {
            return std::ptr::null_mut();
        }
        let size = layout.size().next_multiple_of(GRAIN);
        let taken = self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, |state| {
            let used = state % PIECE;
            (used + size < RESERVE.min(PIECE)).then_some(state + size + PIECE)
        });
        match taken {
            // SAFETY: the piece lies within `bytes`, and nobody else has it.
            Ok(state) => unsafe { self.bytes.get().cast::<u8>().add(state % PIECE) },
            Err(_) => std::ptr::null_mut(),
        }
    }

    #[inline(always)]
    fn holds(&self, place: *mut u8) -> bool {
        place.addr().wrapping_sub(self.bytes.get().addr()) < RESERVE
    }

    #[cold]
    fn give_back(&self) {
        // Never fails: the function always returns a new value.
        let _ = self.state.fetch_update(Ordering::Release, Ordering::Relaxed, |state| {
            Some(if state / PIECE == 1 { 0 } else { state - PIECE })
        });
    }
}

impl Default for WithReserve {
    fn default() -> Self {
        Self::new()
    }
}

impl WithReserve {
    pub const fn new() -> Self {
        Self { reserve: Reserve { bytes: UnsafeCell::new([0; RESERVE]), state: AtomicUsize::new(0) } }
    }
}

// SAFETY: what `System` gives is passed on, and goes back to it; pieces of the reserve are aligned, large enough, and
// apart from each other. Nothing here unwinds.
unsafe impl GlobalAlloc for WithReserve {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        let place = unsafe { System.alloc(layout) };
        if place.is_null() {
            return self.reserve.take(layout);
        }
        place
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        let place = unsafe { System.alloc_zeroed(layout) };
        if place.is_null() {
            let place = self.reserve.take(layout);
            if !place.is_null() {
                // SAFETY: a piece of that size, which may have been in use before.
                unsafe { place.write_bytes(0, layout.size()) };
            }
            return place;
        }
        place
    }

    #[inline]
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if self.reserve.holds(place) {
            return self.reserve.give_back();
        }
        // SAFETY: it did not come from the reserve, so it came from `System`.
        unsafe { System.dealloc(place, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.reserve.holds(place) {
            // SAFETY: as in `dealloc`.
            let moved = unsafe { System.realloc(place, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the caller answers for size and alignment; both places hold the lesser of both sizes and are apart.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(place, layout.size().min(size));
                self.dealloc(place, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_an_error() {
        assert_eq!(zeros::<u64>(usize::MAX / 4), Err(OutOfMemory));
        assert_eq!(zeros::<u8>(1 << 60), Err(OutOfMemory));
        assert_eq!(filled(1 << 60, 1u8), Err(OutOfMemory));
        let mut entries = vec![1u64];
        assert_eq!(resize(&mut entries, 1 << 60, 0), Err(OutOfMemory));
        assert_eq!(reserve(&mut entries, usize::MAX), Err(OutOfMemory));
        assert_eq!(entries, [1]);
        assert_eq!((zeros::<u32>(3), zeros::<u8>(0)), (Ok(vec![0; 3]), Ok(vec![])));
        assert_eq!(collected(0..100u8).map(|found| found.len()), Ok(100));
    }

    #[test]
    fn pieces_of_the_reserve_are_apart_and_come_back() {
        static WITH_RESERVE: WithReserve = WithReserve::new();
        let reserve = &WITH_RESERVE.reserve;
        let layout = Layout::new::<[u8; 1000]>();
        let pieces: Vec<*mut u8> = (0..1000).map(|_| reserve.take(layout)).collect();
        assert!(pieces.iter().all(|&piece| reserve.holds(piece) && piece.addr().is_multiple_of(GRAIN)));
        assert!(pieces.windows(2).all(|pair| pair[1].addr() - pair[0].addr() == 1008));
        assert!((0..100).map(|_| reserve.take(layout)).any(|piece| piece.is_null()));
        let given = reserve.state.load(Ordering::Relaxed) / PIECE;
        for _ in 0..given {
            reserve.give_back();
        }
        assert_eq!(reserve.state.load(Ordering::Relaxed), 0);
        assert_eq!(reserve.take(layout), pieces[0]);
        assert!(reserve.take(Layout::new::<[u8; SMALL + 1]>()).is_null());
        assert!(!reserve.holds(std::ptr::null_mut()));
    }
}
