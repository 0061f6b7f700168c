//! Detects that the process was forked, without a system call.
//!
//! A page marked MADV_WIPEONFORK holds a generation number: the kernel zeroes it in every child, however the child was
//! made. On other systems a pthread_atfork handler counts forks instead.

use std::sync::atomic::{AtomicU64, Ordering};

/// Last generation given out; ordinary memory, so a child continues from its parent's number.
static LAST: AtomicU64 = AtomicU64::new(0);

#[cfg(unix)]
mod platform {
    use super::{AtomicU64, Ordering};
    use std::sync::atomic::AtomicPtr;

    /// Generation for systems without MADV_WIPEONFORK; the child's handler sets it to 0.
    static COUNTED: AtomicU64 = AtomicU64::new(0);

    extern "C" fn after_fork_in_child() {
        COUNTED.store(0, Ordering::Relaxed);
    }

    #[cfg(target_os = "linux")]
    fn wiped_page() -> Option<&'static AtomicU64> {
        let length = 4096;
        // SAFETY: a fresh anonymous private mapping, owned by nobody else, and never unmapped: the reference made
        // from it below is valid for the life of the process. mmap returns it zeroed and page aligned.
        unsafe {
            let page = libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            if page == libc::MAP_FAILED {
                return None;
            }
            if libc::madvise(page, length, libc::MADV_WIPEONFORK) != 0 {
                libc::munmap(page, length);
                return None;
            }
            Some(&*page.cast::<AtomicU64>())
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn wiped_page() -> Option<&'static AtomicU64> {
        None
    }

    /// The place of the generation. No OnceLock: a fork while another thread fills it leaves it locked in the child.
    static CELL: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

    #[inline]
    pub fn cell() -> &'static AtomicU64 {
        let found = CELL.load(Ordering::Acquire);
        if found.is_null() {
            return make_cell();
        }
        // SAFETY: `make_cell` stored it: a static, or a mapping that is never unmapped.
        unsafe { &*found }
    }

    #[cold]
    fn make_cell() -> &'static AtomicU64 {
        let made = wiped_page().unwrap_or_else(|| {
            // SAFETY: the handler is an async-signal-safe store to a static.
            unsafe { libc::pthread_atfork(None, None, Some(after_fork_in_child)) };
            &COUNTED
        });
        let pointer = std::ptr::from_ref(made).cast_mut();
        match CELL.compare_exchange(std::ptr::null_mut(), pointer, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            // Another thread was faster; the page that this thread made stays unused.
            // SAFETY: as in `cell`.
            Err(other) => unsafe { &*other },
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use super::AtomicU64;

    static NEVER_FORKS: AtomicU64 = AtomicU64::new(0);

    pub fn cell() -> &'static AtomicU64 {
        &NEVER_FORKS
    }
}

/// The generation of this process: 0 in a child that has not called `arm` yet.
#[inline]
pub fn current() -> u64 {
    platform::cell().load(Ordering::Relaxed)
}

/// Give this process a generation if it has none, and return it (never 0).
#[inline]
pub fn arm() -> u64 {
    let cell = platform::cell();
    let generation = cell.load(Ordering::Relaxed);
    if generation != 0 {
        return generation;
    }
    begin(cell)
}

#[cold]
fn begin(cell: &AtomicU64) -> u64 {
    let fresh = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    match cell.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => fresh,
        Err(other_thread) => other_thread,
    }
}
