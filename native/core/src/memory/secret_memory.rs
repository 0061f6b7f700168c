//! Memory for secrets that last: slots in a few pages that are locked in memory as far as the operating system allows,
//! lie between guard pages, and are left out of core dumps.
//!
//! A slot never moves, is zero when it is free, and is used again. Its pages stay mapped and locked for the life of the
//! process, because under a limit on locked pages nothing is gained by giving them back. Without such pages the plain
//! heap is used. `report()` says what the system granted, and why not more.
//!
//! The table of slots is behind a lock. The binding takes it (to make, drop and report) only while attached to the
//! interpreter, for a short time. `os.fork` is called by an attached thread, so no other thread holds the lock then. A
//! thread of C code that is not attached may fork while another thread holds the lock; but that thread is attached, and
//! it does not exist in the child. So the child could not attach to the interpreter in any case.

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroize;

use super::secret_pages::{at_fork, limit, Pages};
use crate::process::fork_guard;

/// Bytes of a slot, and its alignment: room for the largest working state.
pub const SLOT_BYTES: usize = 512;
/// Bytes of a region, or of a page if that is more: half of 32 KiB, the smallest limit that systems are shipped with.
const REGION_BYTES: usize = 16 << 10;
/// Larger buffers are not locked: they would use up the limit that the states need.
const MOST_LOCKED_BUFFER: usize = 1 << 20;

struct Region {
    pages: Pages,
    locked: bool,
    /// Indices of the free slots. Has room for all slots, so that freeing one never allocates.
    free: Vec<usize>,
}

impl Region {
    fn new(pages: Pages) -> Self {
        let slots = pages.bytes() / SLOT_BYTES;
        Self { pages, locked: false, free: (0..slots).rev().collect() }
    }
}

/// Pages of a buffer.
struct Lent {
    pages: Pages,
    locked: bool,
}

struct Arena {
    regions: Vec<Region>,
    /// No region before this one has a free slot.
    first: usize,
    lent: Vec<Lent>,
    /// Bytes of secrets on the plain heap.
    on_heap: usize,
    /// Why pages are not locked.
    refusal: Option<String>,
    /// Fork generation of the process that locked the pages: a child does not inherit locks on memory.
    fork_generation: u64,
}

static ARENA: Mutex<Arena> = Mutex::new(Arena {
    regions: Vec::new(),
    first: 0,
    lent: Vec::new(),
    on_heap: 0,
    refusal: None,
    fork_generation: 0,
});

fn arena() -> MutexGuard<'static, Arena> {
    let mut arena = ARENA.lock().unwrap_or_else(PoisonError::into_inner);
    if arena.fork_generation == 0 {
        arena.fork_generation = fork_guard::arm();
        at_fork(lock_in_child);
    } else if arena.fork_generation != fork_guard::current() {
        arena.lock_again(); // a child that was made in a way that calls no handler
    }
    arena
}

/// Runs in a forked child before any other code: only system calls and stores.
extern "C" fn lock_in_child() {
    if let Ok(mut arena) = ARENA.try_lock() {
        arena.lock_again();
    }
}

impl Arena {
    fn lock_again(&mut self) {
        for region in &mut self.regions {
            region.locked = region.pages.lock().is_ok();
        }
        for lent in &mut self.lent {
            lent.locked = lent.locked && lent.pages.lock().is_ok();
        }
        self.fork_generation = fork_guard::arm();
    }

    fn lock(&mut self, pages: &Pages) -> bool {
        match pages.lock() {
            Ok(()) => true,
            Err(error) => {
                self.refusal = Some(format!("mlock: {error}; RLIMIT_MEMLOCK is {}", limit()));
                false
            }
        }
    }

    /// A free slot: its region and its index there.
    fn take(&mut self) -> Option<(usize, usize)> {
        while let Some(region) = self.regions.get_mut(self.first) {
            if let Some(index) = region.free.pop() {
                return Some((self.first, index));
            }
            self.first += 1;
        }
        self.grow()?;
        self.regions[self.first].free.pop().map(|index| (self.first, index))
    }

    fn grow(&mut self) -> Option<()> {
        let mut region = Region::new(Pages::new(REGION_BYTES)?);
        region.locked = self.lock(&region.pages);
        self.regions.push(region);
        Some(())
    }
}

enum Home {
    Slot { region: usize, index: usize },
    Heap,
}

/// A value in a slot, at a fixed address. Overwritten when it is dropped.
pub struct SecretBox<T> {
    value: NonNull<T>,
    home: Home,
}

// SAFETY: owns its value, as `Box` does.
unsafe impl<T: Send> Send for SecretBox<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for SecretBox<T> {}

impl<T> SecretBox<T> {
    /// Store a value that is not secret yet. Python calls this only while attached to the interpreter: see the head of
    /// this file.
    pub fn new(value: T) -> Self {
        const { assert!(size_of::<T>() <= SLOT_BYTES && SLOT_BYTES.is_multiple_of(align_of::<T>())) };
        let mut arena = arena();
        let Some((region, index)) = arena.take() else {
            arena.on_heap += size_of::<T>();
            return Self { value: NonNull::from(Box::leak(Box::new(value))), home: Home::Heap };
        };
        // SAFETY: a slot of the region, which stays mapped; large enough and aligned, as checked above.
        let place = unsafe { arena.regions[region].pages.start().byte_add(index * SLOT_BYTES) }.cast::<T>();
        // SAFETY: as above, and in use by no one else since it was taken.
        unsafe { place.write(value) };
        Self { value: place, home: Home::Slot { region, index } }
    }
}

impl<T> Deref for SecretBox<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `new` put a value there, and it stays until `drop`.
        unsafe { self.value.as_ref() }
    }
}

impl<T> Drop for SecretBox<T> {
    fn drop(&mut self) {
        // SAFETY: the value is there, and nobody looks at it any more.
        unsafe { self.value.drop_in_place() };
        let bytes = match self.home {
            Home::Slot { .. } => SLOT_BYTES,
            Home::Heap => size_of::<T>(),
        };
        // SAFETY: all of the place, which is only memory now.
        unsafe { std::slice::from_raw_parts_mut(self.value.cast::<u8>().as_ptr(), bytes) }.zeroize();
        let mut arena = arena();
        match self.home {
            Home::Slot { region, index } => {
                arena.regions[region].free.push(index);
                arena.first = arena.first.min(region);
            }
            Home::Heap => {
                arena.on_heap -= size_of::<T>();
                // SAFETY: `new` made the place by a box of that type, whose value was dropped above.
                drop(unsafe { Box::from_raw(self.value.cast::<std::mem::ManuallyDrop<T>>().as_ptr()) });
            }
        }
    }
}

/// Bytes of a length known only at run time, in separate pages. Overwritten when they are dropped.
pub struct SecretBytes {
    start: NonNull<u8>,
    len: usize,
    on_heap: bool,
}

// SAFETY: owns its bytes, as a vector does.
unsafe impl Send for SecretBytes {}
// SAFETY: a shared reference hands out no more than the address.
unsafe impl Sync for SecretBytes {}

impl SecretBytes {
    /// `len` zeros, at least 1; None if there is not enough memory.
    pub fn new(len: usize) -> Option<Self> {
        let mut arena = arena();
        if let Some(pages) = Pages::new(len) {
            let locked = if len <= MOST_LOCKED_BUFFER {
                arena.lock(&pages)
            } else {
                arena.refusal.get_or_insert_with(|| format!("buffers over {MOST_LOCKED_BUFFER} bytes are not locked"));
                false
            };
            let start = pages.start();
            arena.lent.push(Lent { pages, locked });
            return Some(Self { start, len, on_heap: false });
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).ok()?;
        bytes.resize(len, 0u8);
        arena.on_heap += len;
        let start = NonNull::from(Box::leak(bytes.into_boxed_slice())).cast();
        Some(Self { start, len, on_heap: true })
    }

    pub fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    pub fn bytes(&self) -> usize {
        self.len
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        let bytes = NonNull::slice_from_raw_parts(self.start, self.len);
        // SAFETY: the bytes are this object's, and nobody looks at them any more.
        unsafe { &mut *bytes.as_ptr() }.zeroize();
        let mut arena = arena();
        if self.on_heap {
            arena.on_heap -= self.len;
            // SAFETY: `new` made them by a boxed slice of that length.
            drop(unsafe { Box::from_raw(bytes.as_ptr()) });
        } else {
            arena.lent.retain(|lent| lent.pages.start() != self.start);
        }
    }
}

/// Properties of the memory for secrets.
pub struct Report {
    /// Bytes of pages for secrets, and how many of them are locked.
    pub bytes: usize,
    pub locked: usize,
    /// Whether all of them are left out of core dumps, and lie between guard pages.
    pub not_dumped: bool,
    pub guarded: bool,
    /// Why not all of them are locked or protected.
    pub reason: String,
}

/// Return the present properties of the memory for secrets.
pub fn report() -> Report {
    let mut arena = arena();
    if arena.regions.is_empty() {
        let _ = arena.grow(); // what the first state would get
    }
    let extents = || {
        let regions = arena.regions.iter().map(|region| (region.pages.bytes(), region.locked, region.pages.not_dumped));
        regions.chain(arena.lent.iter().map(|lent| (lent.pages.bytes(), lent.locked, lent.pages.not_dumped)))
    };
    let bytes = extents().map(|(bytes, ..)| bytes).sum::<usize>() + arena.on_heap;
    let locked = extents().filter(|(_, locked, _)| *locked).map(|(bytes, ..)| bytes).sum::<usize>();
    let guarded = arena.on_heap == 0 && bytes > 0;
    let not_dumped = guarded && extents().all(|(.., not_dumped)| not_dumped);
    let reason = match &arena.refusal {
        _ if !guarded => "this operating system has no pages for secrets, or no more of them".to_owned(),
        Some(refusal) if locked < bytes => refusal.clone(),
        _ if locked < bytes => format!("a forked child could not lock them; RLIMIT_MEMLOCK is {}", limit()),
        _ => String::new(),
    };
    Report { bytes, locked, not_dumped, guarded, reason }
}
