//! Separate pages for secrets: between two pages that cannot be accessed, and left out of core dumps where the
//! operating system can do that. `secret_memory.rs` reports what it refuses.

use std::io;
use std::ptr::NonNull;

/// Readable and writable zeros between two guard pages; unmapped when it is dropped.
pub struct Pages {
    start: NonNull<u8>,
    bytes: usize,
    pub not_dumped: bool,
}

// SAFETY: owns its mapping, like a vector its memory.
unsafe impl Send for Pages {}
// SAFETY: a shared reference hands out no more than the address.
unsafe impl Sync for Pages {}

impl Pages {
    /// At least `bytes` bytes; None if there is no memory, or if the operating system has no such pages.
    pub fn new(bytes: usize) -> Option<Self> {
        let page = platform::page_bytes()?;
        let bytes = bytes.checked_next_multiple_of(page)?;
        let start = platform::map(bytes, page)?;
        let not_dumped = platform::leave_out_of_dumps(start, bytes);
        Some(Self { start, bytes, not_dumped })
    }

    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lock the pages in memory, out of swap. A forked child has to lock them again.
    pub fn lock(&self) -> io::Result<()> {
        platform::lock(self.start, self.bytes)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        platform::unmap(self.start, self.bytes);
    }
}

/// The number of bytes that this process may lock, in words.
pub fn limit() -> String {
    platform::limit()
}

/// Register `handler` to be called in each forked child.
pub fn at_fork(handler: extern "C" fn()) {
    platform::at_fork(handler);
}

#[cfg(unix)]
mod platform {
    use super::{io, NonNull};

    pub fn page_bytes() -> Option<usize> {
        // SAFETY: a question about the system.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok().filter(|bytes| bytes.is_power_of_two())
    }

    pub fn map(bytes: usize, page: usize) -> Option<NonNull<u8>> {
        let whole = bytes.checked_add(2 * page)?;
        // SAFETY: a fresh anonymous private mapping that nobody else knows; what is made writable lies inside it.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
            let all = libc::mmap(std::ptr::null_mut(), whole, libc::PROT_NONE, flags, -1, 0);
            if all == libc::MAP_FAILED {
                return None;
            }
            let start = all.byte_add(page);
            if libc::mprotect(start, bytes, libc::PROT_READ | libc::PROT_WRITE) != 0 {
                libc::munmap(all, whole);
                return None;
            }
            NonNull::new(start.cast())
        }
    }

    pub fn unmap(start: NonNull<u8>, bytes: usize) {
        if let Some(page) = page_bytes() {
            // SAFETY: what `map` mapped, with its guard pages; its owner ends with this call. The kernel ends a lock,
            // too.
            unsafe { libc::munmap(start.as_ptr().sub(page).cast(), bytes + 2 * page) };
        }
    }

    pub fn lock(start: NonNull<u8>, bytes: usize) -> io::Result<()> {
        // SAFETY: pages of this process; locking changes none of their bytes.
        if unsafe { libc::mlock(start.as_ptr().cast(), bytes) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn leave_out_of_dumps(start: NonNull<u8>, bytes: usize) -> bool {
        // SAFETY: pages of this process; the advice changes none of their bytes.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_DONTDUMP) == 0 }
    }

    #[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
    pub fn leave_out_of_dumps(start: NonNull<u8>, bytes: usize) -> bool {
        // SAFETY: pages of this process; the advice changes none of their bytes.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_NOCORE) == 0 }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "dragonfly")))]
    pub fn leave_out_of_dumps(_start: NonNull<u8>, _bytes: usize) -> bool {
        false
    }

    pub fn limit() -> String {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: writes the local variable.
        if unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) } != 0 {
            return "unknown".to_owned();
        }
        if limit.rlim_cur == libc::RLIM_INFINITY {
            return "unlimited".to_owned();
        }
        format!("{} bytes", limit.rlim_cur)
    }

    pub fn at_fork(handler: extern "C" fn()) {
        // SAFETY: the handler lives as long as the process; whether it may run there is its author's business.
        unsafe { libc::pthread_atfork(None, None, Some(handler)) };
    }
}

#[cfg(not(unix))]
mod platform {
    use super::{io, NonNull};

    pub fn page_bytes() -> Option<usize> {
        None
    }

    pub fn map(_bytes: usize, _page: usize) -> Option<NonNull<u8>> {
        None
    }

    pub fn unmap(_start: NonNull<u8>, _bytes: usize) {}

    pub fn lock(_start: NonNull<u8>, _bytes: usize) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub fn leave_out_of_dumps(_start: NonNull<u8>, _bytes: usize) -> bool {
        false
    }

    pub fn limit() -> String {
        "unknown".to_owned()
    }

    pub fn at_fork(_handler: extern "C" fn()) {}
}
