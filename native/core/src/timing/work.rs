//! The interface of work that is timed.

use super::counter::counter;

/// Samples between two checks of the deadline.
pub const DEADLINE_STRIDE: usize = 64;

/// What happened before the work of a sample.
pub enum Between {
    Nothing,
    /// Something that took time: the counter is read again.
    Paused,
    /// The work cannot go on.
    Failed,
}

/// The work between two reads of the counter.
pub trait Work: Send {
    fn run(&mut self);

    /// Do what must precede the next sample and is not part of its delta.
    #[inline(always)]
    fn between(&mut self) -> Between {
        Between::Nothing
    }

    #[inline(always)]
    fn counter() -> u64 {
        counter()
    }
}
