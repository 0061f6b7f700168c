//! What a process is to a kernel: which one it is, after forks, and what time it is there.

pub mod fork_guard;
pub mod fork_lock;
pub mod rough_clock;
