//! What is timed.

use super::counter::counter;

/// Symbols between two looks at the deadline.
pub const DEADLINE_STRIDE: usize = 64;

/// What happened before a symbol's work.
pub enum Between {
    Nothing,
    /// Something that took time: the counter is read anew.
    Paused,
    /// The work cannot go on.
    Failed,
}

/// What happens between two reads of the counter.
pub trait Work: Send {
    fn run(&mut self);

    /// What has to be done before the next symbol and is no part of its delta.
    #[inline(always)]
    fn between(&mut self) -> Between {
        Between::Nothing
    }

    #[inline(always)]
    fn counter() -> u64 {
        counter()
    }
}
