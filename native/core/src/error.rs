//! What kernels refuse. The binding turns each kind into the class of `esoteric_drbg.errors` with the same message.

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// An argument is outside its domain.
    InvalidInput(String),
    /// There is not enough memory for what is named.
    OutOfMemory(String),
    /// A source could not be read.
    SourceRead(String),
    /// This machine does not have such a source.
    SourceUnavailable(String),
}
