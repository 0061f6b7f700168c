//! A path that is chosen at run time is used only if it gives the results of its portable twin on this CPU.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

/// No version was chosen yet.
const UNCHECKED: usize = usize::MAX;

/// The versions of one kernel: the portable one, which is version 0, and others for instructions that a CPU may have.
///
/// There is no lock: several threads may check at the same time, and get the same result. So a fork in the middle does
/// no harm.
pub struct Path {
    name: &'static str,
    /// Names of versions 1 and on, the best one last.
    versions: &'static [&'static str],
    /// The best version that this CPU has instructions for, and that is allowed.
    found: fn() -> usize,
    /// Whether a version gives the result of the portable one for a small sample of data.
    is_right: fn(usize) -> bool,
    chosen: AtomicUsize,
}

impl Path {
    pub const fn new(
        name: &'static str,
        versions: &'static [&'static str],
        found: fn() -> usize,
        is_right: fn(usize) -> bool,
    ) -> Self {
        Self { name, versions, found, is_right, chosen: AtomicUsize::new(UNCHECKED) }
    }

    /// The function, with its path in this crate.
    pub fn name(&self) -> &'static str {
        self.name.strip_prefix(concat!(env!("CARGO_CRATE_NAME"), "::")).unwrap_or(self.name)
    }

    /// The version to use; the first call checks it.
    #[inline(always)]
    pub fn chosen(&self) -> usize {
        match self.chosen.load(Ordering::Relaxed) {
            UNCHECKED => self.choose(),
            version => version,
        }
    }

    #[cold]
    #[inline(never)]
    fn choose(&self) -> usize {
        // A version that panics is wrong too.
        let is_right = |version: &usize| catch_unwind(|| (self.is_right)(*version)).unwrap_or(false);
        let version = (1..=(self.found)()).rev().find(is_right).unwrap_or(0);
        self.chosen.store(version, Ordering::Relaxed);
        version
    }

    /// Versions that this CPU has instructions for, but that give wrong results on it.
    pub fn refused(&self) -> impl Iterator<Item = String> + '_ {
        let wrong = self.chosen()..(self.found)();
        wrong.map(|version| format!("{} {}", self.name(), self.versions[version]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static BOTH: [&str; 2] = ["good", "better"];

    fn refused(path: &Path) -> Vec<String> {
        path.refused().collect()
    }

    #[test]
    fn the_best_right_version_is_chosen_and_wrong_ones_are_named() {
        let path = Path::new("all", &BOTH, || 2, |_| true);
        assert_eq!((path.chosen(), refused(&path)), (2, vec![]));
        let path = Path::new("best", &BOTH, || 2, |version| version != 2);
        assert_eq!((path.chosen(), refused(&path)), (1, vec!["best better".to_owned()]));
        let path = Path::new("none", &BOTH, || 2, |_| false);
        assert_eq!((path.chosen(), refused(&path)), (0, vec!["none good".to_owned(), "none better".to_owned()]));
        let path = Path::new("old", &BOTH, || 0, |_| panic!("the portable version is not checked"));
        assert_eq!((path.chosen(), refused(&path)), (0, vec![]));
    }

    #[test]
    fn a_version_that_panics_is_refused() {
        let path = Path::new("panics", &BOTH, || 1, |_| panic!("an index out of range"));
        assert_eq!((path.chosen(), refused(&path)), (0, vec!["panics good".to_owned()]));
    }
}
