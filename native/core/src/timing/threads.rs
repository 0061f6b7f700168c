//! Creation and end of a thread of the operating system.

use super::work::{Between, Work};

/// Bytes of the stack of a thread that does nothing: the operating system may round up.
const STACK_BYTES: usize = 16 << 10;

/// Creates a thread that does nothing, and waits for its end.
pub struct ThreadWork {
    pub failure: Option<String>,
}

impl Work for ThreadWork {
    fn run(&mut self) {
        match std::thread::Builder::new().stack_size(STACK_BYTES).spawn(|| ()) {
            Ok(thread) => drop(thread.join()), // it cannot panic
            Err(error) => self.failure = Some(format!("no thread could be made: {error}")),
        }
    }

    fn between(&mut self) -> Between {
        if self.failure.is_some() {
            Between::Failed
        } else {
            Between::Nothing
        }
    }
}
