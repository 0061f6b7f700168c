//! A lock that is free in a forked child, even if a thread of the parent held it.
//!
//! A thread that held an ordinary lock when another one forked does not exist in the child and never releases the lock
//! there. This lock records the fork generation of its holder: a holder of another generation no longer exists, and
//! the value that it was changing may be half changed.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::fork_guard;

/// The lock is free; no process has this generation.
const FREE: u64 = 0;
/// Number of tries for a held lock before the thread sleeps between tries.
const SPINS: u32 = 64;
const PAUSE: Duration = Duration::from_micros(20);

pub struct ForkLock<T> {
    /// The fork generation of the process whose thread holds the lock.
    holder: AtomicU64,
    value: UnsafeCell<T>,
}

// SAFETY: `value` is reached through a guard only, and one guard exists at a time in a process: `holder` goes from
// `FREE`, or from the generation of another process, to this one by a compare-exchange. A holder of another generation
// is a thread of the parent, which this process does not have.
unsafe impl<T: Send> Sync for ForkLock<T> {}

pub struct ForkLockGuard<'a, T> {
    lock: &'a ForkLock<T>,
    /// True if a thread of the parent was changing the value when this process was forked.
    pub inherited: bool,
    /// The fork generation of the process that made the guard.
    made_in: u64,
}

impl<T> ForkLock<T> {
    pub const fn new(value: T) -> Self {
        Self { holder: AtomicU64::new(FREE), value: UnsafeCell::new(value) }
    }

    /// The value, if no thread of this process holds it at this moment.
    #[inline]
    pub fn try_lock(&self) -> Option<ForkLockGuard<'_, T>> {
        let me = fork_guard::arm();
        match self.holder.compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Some(ForkLockGuard { lock: self, inherited: false, made_in: me }),
            Err(holder) if holder == me => None,
            Err(holder) => self.take_over(holder, me),
        }
    }

    #[cold]
    fn take_over(&self, holder: u64, me: u64) -> Option<ForkLockGuard<'_, T>> {
        // Another thread of this process may be faster; then `holder` has changed.
        self.holder.compare_exchange(holder, me, Ordering::Acquire, Ordering::Relaxed).ok().map(|_| ForkLockGuard {
            lock: self,
            inherited: true,
            made_in: me,
        })
    }

    /// Wait for the value. A thread must not call this if the holder of the value may be waiting for that thread.
    pub fn lock(&self) -> ForkLockGuard<'_, T> {
        for turn in 0u32.. {
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            if turn < SPINS {
                std::hint::spin_loop();
            } else {
                thread::sleep(PAUSE);
            }
        }
        unreachable!("the loop above ends with a guard")
    }
}

impl<T> Deref for ForkLockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard is the only way to the value, and there is one.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for ForkLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for ForkLockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // No other thread of this process changes `holder` while it is held, so that a store is enough. After a fork in
        // a guard's life the lock still belongs to the parent, which is as good as free, or another guard of this
        // process has taken it over: nothing must be released here.
        if self.made_in == fork_guard::current() {
            self.lock.holder.store(FREE, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_guard_at_a_time() {
        let lock = ForkLock::new(1);
        let guard = lock.try_lock().unwrap();
        assert!(!guard.inherited && lock.try_lock().is_none());
        drop(guard);
        assert_eq!(*lock.lock(), 1);
    }

    #[test]
    fn the_lock_of_another_process_is_taken_over() {
        let lock = ForkLock::new(1);
        lock.holder.store(fork_guard::arm() + 1_000_000, Ordering::Relaxed);
        let guard = lock.try_lock().unwrap();
        assert!(guard.inherited && lock.try_lock().is_none());
        drop(guard);
        assert!(!lock.try_lock().unwrap().inherited);
    }

    #[test]
    fn threads_take_turns() {
        let lock = ForkLock::new(0u64);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| *lock.lock() += 1));
            }
        });
        assert_eq!(*lock.lock(), 40_000);
    }
}
