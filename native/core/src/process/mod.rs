//! The process that a kernel runs in: its fork generation, a lock that is free after a fork, and a cheap clock.

pub mod fork_guard;
pub mod fork_lock;
pub mod rough_clock;
