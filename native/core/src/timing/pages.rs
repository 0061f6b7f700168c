//! First touches of fresh pages: each one a page fault.

use super::work::{Between, Work};
use crate::error::Error;

/// A private anonymous mapping whose pages are touched one after another, and then all given back.
pub struct PageWork {
    #[cfg(unix)]
    region: Region,
    pub touches: usize,
    page: usize,
    pub failure: Option<String>,
}

#[cfg(unix)]
impl PageWork {
    /// Map `bytes`, at least the pages of one sample.
    pub fn new(bytes: usize, touches: usize) -> Result<Self, Error> {
        match Region::map(bytes, touches) {
            Ok(region) => Ok(Self { region, touches, page: 0, failure: None }),
            Err(error) => Err(Error::SourceRead(format!("no memory could be mapped: {error}"))),
        }
    }
}

#[cfg(not(unix))]
impl PageWork {
    pub fn new(_bytes: usize, _touches: usize) -> Result<Self, Error> {
        Err(Error::SourceUnavailable("page faults are timed on Unix only".to_owned()))
    }
}

impl Work for PageWork {
    #[inline(always)]
    fn run(&mut self) {
        #[cfg(unix)]
        for _ in 0..self.touches {
            self.region.touch(self.page);
            self.page += 1;
        }
    }

    /// Give all pages back when too few are left; this is not part of a delta.
    #[inline(always)]
    fn between(&mut self) -> Between {
        #[cfg(unix)]
        if self.page + self.touches > self.region.pages {
            self.page = 0;
            if let Err(error) = self.region.give_back() {
                self.failure = Some(format!("the pages could not be given back: {error}"));
                return Between::Failed;
            }
            return Between::Paused;
        }
        Between::Nothing
    }
}

/// A mapping that is unmapped when it is dropped.
#[cfg(unix)]
struct Region {
    start: *mut u8,
    page_bytes: usize,
    pages: usize,
}

// SAFETY: the mapping belongs to this value alone, and the pointer is used through `&mut self` only.
#[cfg(unix)]
unsafe impl Send for Region {}

#[cfg(unix)]
impl Region {
    fn map(bytes: usize, touches: usize) -> std::io::Result<Self> {
        // SAFETY: a question without side effects.
        let page_bytes = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096).max(256);
        let pages = (bytes / page_bytes).max(touches);
        let start = map_pages(std::ptr::null_mut(), (pages + 1) * page_bytes, 0)?;
        let mut region = Self { start, page_bytes, pages };
        region.write(pages);
        Ok(region)
    }

    /// Bytes of the mapping: the pages that samples touch, and one more that shows whether they are given back.
    fn bytes(&self) -> usize {
        (self.pages + 1) * self.page_bytes
    }

    #[inline(always)]
    fn touch(&mut self, page: usize) {
        debug_assert!(page < self.pages);
        self.write(page);
    }

    #[inline(always)]
    fn write(&mut self, page: usize) {
        // SAFETY: `between` keeps the pages of samples below `pages`, and page `pages` is the last one of the mapping,
        // which is writable and ours.
        unsafe { self.start.add(page * self.page_bytes).write_volatile(1) };
    }

    /// Make every page fresh again, so that its next touch faults. The last page shows this: it is zero again.
    fn give_back(&mut self) -> std::io::Result<()> {
        self.unmap_pages()?;
        // SAFETY: the last page of the mapping, which is readable and ours.
        let kept = unsafe { self.start.add(self.pages * self.page_bytes).read_volatile() } != 0;
        self.write(self.pages);
        if kept {
            return Err(std::io::Error::other("the kernel kept what it was told to drop"));
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn unmap_pages(&mut self) -> std::io::Result<()> {
        // SAFETY: the whole mapping is ours, private and anonymous, and nothing refers to its contents.
        match unsafe { libc::madvise(self.start.cast(), self.bytes(), libc::MADV_DONTNEED) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }

    /// Map over the pages: outside Linux MADV_DONTNEED is a hint that may keep them.
    #[cfg(not(target_os = "linux"))]
    fn unmap_pages(&mut self) -> std::io::Result<()> {
        map_pages(self.start, self.bytes(), libc::MAP_FIXED).map(|_| ())
    }
}

#[cfg(unix)]
impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `map` mapped, once.
        unsafe { libc::munmap(self.start.cast(), self.bytes()) };
    }
}

/// Private anonymous pages, each of them small.
#[cfg(unix)]
fn map_pages(place: *mut u8, bytes: usize, flags: i32) -> std::io::Result<*mut u8> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, or one over a mapping of ours that nothing refers to (`give_back`).
    let start = unsafe { libc::mmap(place.cast(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    #[cfg(target_os = "linux")]
    // SAFETY: advice about our own mapping: one fault shall bring one page. A kernel without huge pages refuses it, and
    // needs none.
    unsafe {
        libc::madvise(start, bytes, libc::MADV_NOHUGEPAGE)
    };
    Ok(start.cast())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn resident(region: &Region) -> usize {
        let mut pages = vec![0u8; region.pages + 1];
        // SAFETY: asks about our own mapping, one byte a page into a vector of that length.
        assert_eq!(unsafe { libc::mincore(region.start.cast(), region.bytes(), pages.as_mut_ptr().cast()) }, 0);
        pages[..region.pages].iter().filter(|&&page| page & 1 != 0).count()
    }

    #[test]
    fn every_touch_brings_one_fresh_page() {
        let mut work = PageWork { region: Region::map(1 << 16, 2).unwrap(), touches: 2, page: 0, failure: None };
        let pages = work.region.pages;
        for lap in 0..3 {
            for symbol in 0..pages / 2 {
                assert_eq!(matches!(work.between(), Between::Paused), lap > 0 && symbol == 0);
                assert_eq!(resident(&work.region), 2 * symbol);
                work.run();
            }
        }
        assert!(work.failure.is_none());
    }
}
